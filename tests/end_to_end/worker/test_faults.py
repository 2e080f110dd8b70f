"""tests/faults: a short run, and whether it would find what is wrong."""

import os
import signal
import subprocess
import sys

from faults import invariants, run
from faults.world import World
from harness.cluster import CHECKOUT
from harness.waiting import wait_for_exit


def test_nothing_is_lost_when_everything_breaks():
    """Each fault that is cheap, once, in the order of a fixed seed."""
    command = [sys.executable, CHECKOUT / "tests" / "faults" / "run.py", "--short", "--seed", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as faults:
        try:
            said, _ = faults.communicate()
        except BaseException:
            faults.terminate()  # it then stops what it has started
            raise
    assert faults.returncode == 0, said
    assert "0 violations" in said


ONE = "ctid = (SELECT min(ctid) FROM imgpress.{} WHERE {})"
BLOB = "ctid = (SELECT min(ctid) FROM imgpress_internal.blobs)"
OTHER = "SELECT bytes FROM imgpress_internal.blobs o WHERE o.bytes <> blobs.bytes LIMIT 1"

# A change of one row, and what is then found besides what was found before.
SABOTAGE = (
    (
        f"UPDATE imgpress_internal.blobs SET bytes = ({OTHER}) WHERE {BLOB}",
        "shows another picture",
    ),
    (
        f"UPDATE imgpress_internal.blobs SET bytes = substr(bytes, 1, 200) WHERE {BLOB}",
        "is no picture",
    ),
    (
        "DELETE FROM imgpress_internal.image_outputs WHERE ctid = (SELECT min(ctid) "
        "FROM imgpress_internal.image_outputs)",
        "check(): outputs",
    ),
    (f"DELETE FROM imgpress_internal.blobs WHERE {BLOB}", "check(): blobs"),
    (
        "UPDATE imgpress.images SET error_code = 'tls' WHERE "
        + ONE.format("images", "error_code = 'http_status'"),
        "ended as tls",
    ),
    (
        "UPDATE imgpress.images SET error_code = 'press_died', interruptions = 4 WHERE "
        + ONE.format("images", "error_code = 'not_an_image'"),
        "ended as press_died",
    ),
    (
        "UPDATE imgpress.webhook_deliveries SET message_id = 'x' WHERE "
        + ONE.format("webhook_deliveries", "status = 'Delivered'"),
        "webhook x of",
    ),
    (
        "UPDATE imgpress.processing_requests "
        "SET status = 'Processing', ended_at = NULL, reason = NULL WHERE "
        + ONE.format("processing_requests", "true"),
        "check(): ends",
    ),
    (
        "DELETE FROM imgpress.processing_requests WHERE "
        + ONE.format("processing_requests", "true"),
        "is lost",
    ),
)


def assert_found(world, text, known):
    """A violation with this text is found now that was not known."""
    new = [it for it in invariants.violations(world) if it not in known]
    assert any(text in it for it in new), new
    known.extend(new)


def test_violations_are_found(monkeypatch):
    with World(1) as world:
        run.warm_up(world)
        known = []
        assert invariants.violations(world) == known
        for statement, text in SABOTAGE:
            world.cluster.query(statement)
            assert_found(world, text, known)

        world.note_presses()
        family, codec = world.cluster.family(), world.presses_of_drainer("codec")[0]
        with monkeypatch.context() as patch:
            patch.setattr(world.cluster, "family", lambda: [it for it in family if it != codec])
            assert_found(world, "has no owner", known)
        world.usual_descriptors["codec"].clear()
        assert_found(world, "descriptors more than usual", known)
        folder = world.cluster.data / "base" / "pgsql_tmp"
        folder.mkdir(exist_ok=True)
        (folder / "pgsql_tmp1.0").touch()
        assert_found(world, "temporary file", known)
        drainer = world.drainer().pid
        os.kill(drainer, signal.SIGSEGV)
        assert wait_for_exit([drainer]) == []
        world.cluster.wait_ready()
        assert_found(world, "terminated by signal 11", known)
