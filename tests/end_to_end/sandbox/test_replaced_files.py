"""A fetcher may read a few files, each tied to its inode. When another file takes the place of one,
another fetcher reads that, and the transfers of the former one go on."""

import os
import shutil
import tempfile
from pathlib import Path

import psycopg2
import pytest

from harness.catalogue import one_product
from harness.servers.mounts import lying_over
from harness.shop import ALLOW_LOOPBACK
from harness.waiting import PROMPT, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs a mount: root only")

HOST = "moved.test"


@pytest.fixture(name="etc")
def fixture_etc():
    """A copy of /etc that PostgreSQL takes for the real one."""
    with tempfile.TemporaryDirectory(prefix="imgpress-etc-") as folder:
        copy = Path(folder, "etc")
        shutil.copytree("/etc", copy, symlinks=True, ignore=shutil.ignore_patterns("shadow*"))
        os.chmod(folder, 0o755)
        yield copy


@pytest.fixture(name="moved")
def fixture_moved(open_shop, etc):
    with open_shop(settings=ALLOW_LOOPBACK, gateway=False, name="moved") as shop:
        with lying_over("/etc", etc):
            shop.cluster.restart()
        yield shop


def add_host(etc):
    """As many programs do it: a new file takes the name of the old one."""
    hosts = etc / "hosts"
    changed = etc / "hosts.new"
    changed.write_text(f"{hosts.read_text()}\n127.0.0.1 {HOST}\n")
    changed.chmod(0o644)
    changed.rename(hosts)


def url(shop, path):
    return f"http://{HOST}:{shop.origin.port}/{path}"


def test_a_worker_goes_on(moved, etc):
    held, gate = moved.submit_held("moved")
    first = moved.cluster.presses("fetcher")
    add_host(etc)
    request = moved.submit_csv(one_product(url(moved, "small2.jpg")))
    moved.finish(request, PROMPT)
    assert moved.progress(request)["succeeded"] == 1
    assert all(press.alive() for press in first), "it still has a transfer"
    gate.open()
    moved.finish(held, PROMPT)
    attempts = "SELECT attempts FROM imgpress.images WHERE request_id = %s"
    assert moved.value(attempts, held) == 1
    assert moved.origin.ledger.total("/held/moved/small1.jpg") == 1
    wait_until(lambda: not any(press.alive() for press in first), "the former fetcher has ended")


def test_a_session_goes_on(moved, etc):
    statement = "SELECT imgpress.compress_image_url(%s)"
    with moved.cluster.session() as session:
        with pytest.raises(psycopg2.Error):
            session.execute(statement, (url(moved, "small1.jpg"),))
        add_host(etc)

        def succeeds():
            try:
                session.execute(statement, (url(moved, "small1.jpg"),))
            except psycopg2.Error:
                return False
            return True

        wait_until(succeeds, "the session sees the new file", PROMPT)
