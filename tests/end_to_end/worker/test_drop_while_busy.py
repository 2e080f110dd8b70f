"""DROP EXTENSION and similar statements do not wait for images that are being processed."""

import time

import pytest

from harness.catalogue import catalogue, one_product
from harness.waiting import wait_for_exit

LIMIT = 5.0  # seconds for a statement


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    # Without pg_cron, whose launcher would keep the database in use.
    with open_shop(gateway=False, preload=("imgpress",), name="drop") as made:
        yield made


def keep_busy(shop, gate_name):
    """Images that wait at a gate, and others that keep all codecs busy."""
    gate = shop.origin.gate(gate_name)
    urls = [shop.origin.url(f"held/{gate_name}/small{n}.jpg") for n in range(10)]
    shop.submit_csv(catalogue([(n, "hangs", urls) for n in range(3)]))
    shop.submit_csv(one_product(*[shop.origin.url("mug-front.jpg")] * 40))
    gate.wait_arrived(5)
    return gate


def promptly(shop, statement, database="shop"):
    begin = time.monotonic()
    shop.cluster.query(statement, database=database)
    assert time.monotonic() - begin < LIMIT


def test_drop_extension(own):
    gate = keep_busy(own, "extension")
    (drainer,) = own.cluster.drainers()
    promptly(own, "DROP EXTENSION imgpress CASCADE")
    gate.open()
    assert drainer.alive()
    own.sql("CREATE EXTENSION imgpress")
    own.finish(own.submit("small0.jpg"))
    (still,) = own.cluster.drainers()
    assert still.pid == drainer.pid, "the drainer was restarted instead of waiting"


def test_drop_and_create_again_in_one_transaction(own):
    gate = keep_busy(own, "again")
    promptly(own, "BEGIN; DROP EXTENSION imgpress CASCADE; CREATE EXTENSION imgpress; COMMIT")
    gate.open()
    own.finish(own.submit("small0.jpg"))
    assert own.value("SELECT count(*) FROM imgpress.outputs") == 1


def test_truncate_and_vacuum_full(own):
    gate = keep_busy(own, "truncate")
    promptly(own, "VACUUM FULL imgpress.images")
    promptly(
        own,
        "TRUNCATE imgpress.processing_requests, imgpress.images, imgpress_internal.image_outputs, "
        "imgpress_internal.blobs, imgpress_internal.sources, imgpress_internal.leases",
    )
    gate.open()
    own.finish(own.submit("small0.jpg"))


def recreate(own):
    own.cluster.query("CREATE DATABASE shop", database="postgres")
    own.sql("CREATE EXTENSION imgpress")


def test_drop_database_after_removing_it_from_the_setting(own):
    gate = keep_busy(own, "off")
    own.cluster.configure({"imgpress.databases": ""})
    promptly(own, "DROP DATABASE shop", "postgres")
    gate.open()
    assert own.cluster.drainers() == []
    recreate(own)
    own.cluster.configure({"imgpress.databases": None})
    own.finish(own.submit("small0.jpg"))


@pytest.mark.parametrize("options", ["", " WITH (FORCE)"], ids=["plain", "force"])
def test_drop_database_that_is_in_the_setting(own, options):
    gate = keep_busy(own, f"on{len(options)}")
    presses = own.cluster.presses()
    (launcher,) = own.cluster.launchers()
    promptly(own, f"DROP DATABASE shop{options}", "postgres")
    assert wait_for_exit([press.pid for press in presses]) == []
    gate.open()
    recreate(own)
    own.finish(own.submit("small0.jpg"))
    assert launcher.alive()
