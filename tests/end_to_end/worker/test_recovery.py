"""Lost processes and failing writes: work goes on when the cause is gone."""

import os
import re
import time
from datetime import datetime

import pytest

from harness.images import jpeg
from harness.processes import kill
from harness.reaping_cluster import ReapingCluster
from harness.shop import TEST_SETTINGS
from harness.waiting import wait_for_exit, wait_until

CODECS = 2


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    settings = {**TEST_SETTINGS, "imgpress.codecs": CODECS}
    with open_shop(settings=settings, gateway=False, preload=("imgpress",), name="recov") as made:
        made.finish(made.submit("small0.jpg"))
        yield made


def test_a_new_launcher_keeps_the_drainer(own):
    cluster = own.cluster
    (launcher,), (drainer,) = cluster.launchers(), cluster.drainers()
    cluster.terminate(launcher.pid)
    own.assert_finished_once(own.submit("small1.jpg"))
    wait_until(cluster.launchers, "another launcher")
    own.assert_finished_once(own.submit("small2.jpg"))
    assert drainer.alive()

    cluster.configure({"imgpress.databases": ""})
    assert wait_for_exit([drainer.pid]) == [], "the new launcher does not know the drainer"
    cluster.configure({"imgpress.databases": None})
    own.assert_finished_once(own.submit("small3.jpg"))
    assert cluster.log_lines("has a worker already") == []


def test_press_that_cannot_run_costs_no_image(own):
    """The press is replaced by a script that records its start and ends."""
    cluster = own.cluster
    starts = cluster.home / "starts"
    script = cluster.home / "no-press"
    script.write_text(f"#!/bin/sh\necho >>'{starts}'\nexit 1\n")
    script.chmod(0o755)
    complaints = lambda: cluster.log_lines(f'"{script}" keeps ending')  # noqa: E731
    count = lambda: len(starts.read_text().splitlines())  # noqa: E731

    held, gate = own.submit_held("press")
    with cluster.settings({"imgpress.press_path": script}):
        began = time.monotonic()
        kill([press.pid for press in cluster.presses()])
        wait_until(complaints, "the drainer gives up")
        fresh = own.submit("small2.jpg")
        before = count()
        wait_until(lambda: count() > before, "the drainer tries again")
        for request in (held, fresh):
            assert own.status(request) in ("Pending", "Processing")
            assert own.failures(request) == []
        # One attempt a second at most, in which each press may end six times.
        attempts = 2 + time.monotonic() - began
        assert count() <= attempts * 6 * (CODECS + 1)
        assert len(complaints()) == 1
    gate.open()
    last = own.submit("small3.jpg")
    for request in (held, fresh, last):
        own.assert_finished_once(request)


def time_of(line):
    stamp = re.match(r"\d+-\d+-\d+ \d+:\d+:\d+\.\d+", line)
    return datetime.strptime(stamp[0], "%Y-%m-%d %H:%M:%S.%f")


def test_failing_writes_are_retried_with_growing_pauses(own):
    own.sql("CREATE TABLE disk_full AS SELECT true")
    own.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
        "IF EXISTS (SELECT FROM public.disk_full) THEN "
        "  RAISE 'disk full at %', pg_catalog.clock_timestamp() USING ERRCODE = 'disk_full'; "
        "END IF; "
        "RETURN NEW; END $$"
    )
    own.sql(
        "CREATE TRIGGER refuse BEFORE INSERT ON imgpress_internal.image_outputs "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    errors = lambda: own.cluster.log_lines("WARNING:  disk full at")  # noqa: E731
    requests = [own.submit(f"small{number}.jpg") for number in range(3)]
    wait_until(lambda: len(errors()) >= 3, "the third attempt to store outputs")
    times = [time_of(line) for line in errors()]
    pauses = [(after - before).total_seconds() for before, after in zip(times, times[1:])]
    assert all(pause > 0.4 * 2**number for number, pause in enumerate(pauses)), pauses
    assert all(own.status(request) in ("Pending", "Processing") for request in requests)
    own.sql("DELETE FROM disk_full")
    for request in requests:
        own.assert_finished_once(request)
    own.sql("DROP FUNCTION refuse() CASCADE")
    own.sql("DROP TABLE disk_full")


def compress_and_end(cluster, end):
    """Compresses in a session, ends the session, and returns its press."""
    with cluster.session() as session:
        session.execute("SELECT pg_backend_pid() FROM imgpress.compress_image(%s)", (jpeg(),))
        (pid,) = session.fetchone()
        (press,) = [press for press in cluster.presses() if press.parent == pid]
        end(session, pid)
    assert wait_for_exit([pid]) == []
    return press


def wait_until_reaped(processes):
    """Until they are not even zombies: then their parent has also handled their end."""
    for process in processes:
        gone = lambda pid=process.pid: not os.path.exists(f"/proc/{pid}")  # noqa: E731
        wait_until(gone, f"process {process.pid} is reaped")


def test_presses_do_not_become_orphans():
    """If it inherited a press that ends by a signal, it would take that for a crashed backend."""
    with ReapingCluster({"imgpress.databases": "shop"}, preload=("imgpress",), name="reaper") as it:
        it.query("CREATE EXTENSION imgpress")
        wait_until(lambda: it.presses("codec"), "the drainer's codecs")
        with it.session() as witness:
            (drainer,) = it.drainers()
            presses = [
                *it.presses(),
                compress_and_end(it, lambda session, _pid: session.connection.close()),
                compress_and_end(it, lambda _session, pid: it.terminate(pid)),
            ]
            it.terminate(drainer.pid)
            wait_until_reaped(presses)
            it.configure({"imgpress.codecs": 1})
            witness.execute("SELECT pg_postmaster_start_time()")
            assert witness.fetchone()[0] == it.scalar("SELECT pg_postmaster_start_time()")
        assert it.log_lines("terminated by signal") == []
        assert it.log_lines("reinitializing") == []
