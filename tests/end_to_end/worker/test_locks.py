"""Locks, lost processes and failing transactions: each delays what it concerns, and no more."""

import os
import re
import signal
from datetime import datetime

import pytest

from harness.catalogue import ERROR_TEXT, one_product
from harness.images import jpeg
from harness.reaping_cluster import ReapingCluster
from harness.shop import TEST_SETTINGS
from harness.waiting import wait_for_exit, wait_until

PROMPT = 15  # seconds; what nobody wakes the drainer for would take up to 60
CODECS = 2


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    settings = {**TEST_SETTINGS, "imgpress.codecs": CODECS}
    with open_shop(settings=settings, gateway=False, preload=("imgpress",), name="resil") as made:
        made.finish(submit(made, "small0.jpg"))
        yield made


def submit(shop, path):
    return shop.submit_csv(one_product(shop.origin.url(path)))


def submit_held(shop, gate_name):
    """A request whose only image waits at the gate, and the gate."""
    gate = shop.origin.gate(gate_name)
    request = submit(shop, f"held/{gate_name}/small1.jpg")
    gate.wait_arrived()
    return request, gate


def assert_finished_once(shop, request):
    (product,) = shop.finish(request, PROMPT)
    assert ERROR_TEXT not in product["output_image_urls"], shop.failures(request)
    outputs = "SELECT count(*) FROM imgpress.outputs WHERE request_id = %s"
    assert shop.value(outputs, request) == 1


def test_images_that_hang_leave_slots_to_others(open_shop):
    """Nearly all of the window hangs; the few slots that are left are used again and again."""
    settings = {**TEST_SETTINGS, "imgpress.images_in_flight": 16}
    with open_shop(settings=settings, gateway=False, preload=("imgpress",), name="slots") as shop:
        gate = shop.origin.gate("slots")
        for number in range(3):
            urls = [shop.origin.url(f"held/slots/small1.jpg?{number}-{n}") for n in range(10)]
            shop.submit_csv(one_product(*urls))
        gate.wait_arrived(10)
        other = [shop.origin.url(f"small2.jpg?{n}") for n in range(30)]
        (product,) = shop.finish(shop.submit_csv(one_product(*other)), PROMPT)
        assert ERROR_TEXT not in product["output_image_urls"]
        gate.open()


def test_open_transaction_delays_its_own_request_only(own):
    load = "SELECT sum(fetching + waiting + compressing) FROM imgpress.workers"
    locked, gate = submit_held(own, "locked")
    wait_until(lambda: own.value(load) == 1, "the drainer tells of the image")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute("SELECT imgpress.cancel(%s)", (locked,))
        gate.open()
        wait_until(lambda: own.value(load) == 0, "the locked request's image is done")
        for path in ("small2.jpg", "small3.jpg"):
            assert_finished_once(own, submit(own, path))
        assert own.status(locked) == "Processing"
        session.execute("ROLLBACK")
    assert_finished_once(own, locked)


def test_locked_image_delays_itself_only(own):
    gate = own.origin.gate("rows")
    urls = [own.origin.url(f"held/rows/small{number}.jpg") for number in range(3)]
    request = own.submit_csv(one_product(*urls))
    gate.wait_arrived(3)
    done = (
        "SELECT array_agg(image_no ORDER BY image_no) FROM imgpress.images "
        "WHERE request_id = %s AND status = 'Completed'"
    )
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute(
            "SELECT FROM imgpress.images WHERE request_id = %s AND image_no = 2 FOR UPDATE",
            (request,),
        )
        gate.open()
        wait_until(lambda: own.value(done, request) == [1, 3], "the other images are finished")
        assert_finished_once(own, submit(own, "small4.jpg"))
        session.execute("COMMIT")
    (product,) = own.finish(request, PROMPT)
    assert ERROR_TEXT not in product["output_image_urls"]


def test_locked_fresh_image_delays_its_own_request_only(own):
    """Locked before it is claimed: others are claimed and finished, and it follows soon after."""
    with own.cluster.session() as session, own.cluster.session() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE imgpress_internal.leases IN SHARE MODE")  # claims wait here
        request = submit(own, "small1.jpg?fresh")
        session.execute("BEGIN")
        # Nobody has claimed it yet: the claim that sees it first has to wait, and is rolled back.
        blocker.execute("SELECT pg_terminate_backend(pid) FROM imgpress.workers")
        session.execute("SELECT FROM imgpress.images WHERE request_id = %s FOR UPDATE", (request,))
        blocker.execute("COMMIT")
        for path in ("small3.jpg?fresh", "small4.jpg?fresh"):
            assert_finished_once(own, submit(own, path))
        assert own.status(request) in ("Pending", "Processing")
        session.execute("COMMIT")
    assert_finished_once(own, request)


def test_locked_fresh_request_is_looked_for_again(own):
    """A lock that is there while the drainer looks, and gone without anybody telling it."""
    with own.cluster.session() as session, own.cluster.session() as submitter:
        session.execute("BEGIN")
        session.execute("LOCK TABLE imgpress_internal.leases IN SHARE MODE")  # claims wait here
        request = submit(own, "small1.jpg?locked")
        submitter.execute("BEGIN")
        session.execute("SELECT pg_terminate_backend(pid) FROM imgpress.workers")
        submitter.execute(
            "SELECT FROM imgpress.processing_requests WHERE id = %s FOR UPDATE", (request,)
        )
        session.execute("COMMIT")
        other = submit(own, "small2.jpg?locked")
        assert_finished_once(own, other)
        submitter.execute("COMMIT")
    assert_finished_once(own, request)


def test_open_cancel_does_not_stop_a_drainer_that_starts(own):
    """What the cancelled request held stays as it is; everything else is taken back."""
    cancelled, gate = submit_held(own, "opencancel")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute("SELECT imgpress.cancel(%s)", (cancelled,))
        (drainer,) = own.cluster.drainers()
        terminate(own, drainer)
        assert_finished_once(own, submit(own, "small2.jpg?opencancel"))
        session.execute("COMMIT")
    gate.open()
    assert own.status(cancelled) == "Failed"


def test_foreign_key_of_a_users_table_delays_nothing(own):
    """Whoever refers to a request locks its key, and works on that for as long as they like."""
    own.sql("CREATE TABLE orders (request uuid REFERENCES imgpress.processing_requests)")
    request, gate = submit_held(own, "key")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute("INSERT INTO orders VALUES (%s)", (request,))
        gate.open()
        assert_finished_once(own, request)
        fresh = submit(own, "small3.jpg")
        session.execute("INSERT INTO orders VALUES (%s)", (fresh,))
        assert_finished_once(own, fresh)
        session.execute("COMMIT")
    own.sql("DROP TABLE orders")


def test_wake_up_during_a_wait_for_a_lock_is_not_lost(own):
    """The first request stays unfinished: its end would make the drainer look anyhow. So would an
    alarm set for the wait: that of deadlock_timeout, or of the drainer's lock_timeout (5 s)."""
    gate = own.origin.gate("lock")
    blocked = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE backend_type LIKE 'imgpress worker%' AND wait_event_type = 'Lock'"
    )
    with own.cluster.settings({"deadlock_timeout": "1h"}):
        with own.cluster.session() as session:
            session.execute("BEGIN")
            session.execute("LOCK TABLE imgpress.webhook_deliveries")
            first = submit(own, "held/lock/small1.jpg")
            wait_until(lambda: own.value(blocked), "the drainer waits for the table")
            second = submit(own, "small2.jpg")
            assert own.value(blocked), "the second request came after the wait"
            session.execute("COMMIT")
        assert own.wait(second, 3) == "Completed"
    gate.open()
    assert_finished_once(own, first)


def terminate(shop, process):
    shop.value("SELECT pg_terminate_backend(%s)", process.pid)
    assert wait_for_exit([process.pid]) == []


def test_launcher_returns_and_adopts_the_drainer(own):
    cluster = own.cluster
    (launcher,), (drainer,) = cluster.launchers(), cluster.drainers()
    terminate(own, launcher)
    assert_finished_once(own, submit(own, "small1.jpg"))
    wait_until(cluster.launchers, "another launcher")
    assert_finished_once(own, submit(own, "small2.jpg"))
    assert drainer.alive()

    cluster.configure({"imgpress.databases": ""})
    assert wait_for_exit([drainer.pid]) == [], "the new launcher does not know of the drainer"
    cluster.configure({"imgpress.databases": None})
    assert_finished_once(own, submit(own, "small3.jpg"))
    assert cluster.log_lines("has a worker already") == []


def test_press_that_cannot_run_costs_no_image(own):
    """The press is replaced by a script that notes its start and ends."""
    cluster = own.cluster
    starts = cluster.home / "starts"
    script = cluster.home / "no-press"
    script.write_text(f"#!/bin/sh\necho >>'{starts}'\nexit 1\n")
    script.chmod(0o755)
    complaints = lambda: len(cluster.log_lines(f'"{script}" keeps ending'))  # noqa: E731

    held, gate = submit_held(own, "press")
    with cluster.settings({"imgpress.press_path": script}):
        for press in cluster.presses():
            os.kill(press.pid, signal.SIGKILL)
        wait_until(complaints, "the drainer gives up")
        fresh = submit(own, "small2.jpg")
        ends = complaints()
        wait_until(lambda: complaints() > ends, "another drainer gives up")
        for request in (held, fresh):
            assert own.status(request) in ("Pending", "Processing")
            assert own.failures(request) == []
        # Each of a drainer's presses may end six times; one drainer may be about to give up.
        most = (complaints() + 1) * 6 * (CODECS + 1)
        assert len(starts.read_text().splitlines()) <= most
    gate.open()
    last = submit(own, "small3.jpg")
    for request in (held, fresh, last):
        assert_finished_once(own, request)


def moment(line):
    stamp = re.match(r"\d+-\d+-\d+ \d+:\d+:\d+\.\d+", line)
    return datetime.strptime(stamp[0], "%Y-%m-%d %H:%M:%S.%f")


def test_failing_writes_are_tried_again_with_growing_pauses(own):
    own.sql("CREATE TABLE disk_full AS SELECT true")
    own.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
        "IF EXISTS (SELECT FROM public.disk_full) THEN RAISE disk_full; END IF; "
        "RETURN NEW; END $$"
    )
    own.sql(
        "CREATE TRIGGER refuse BEFORE INSERT ON imgpress.outputs "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    errors = lambda: own.cluster.log_lines("ERROR:  disk_full")  # noqa: E731
    requests = [submit(own, f"small{number}.jpg") for number in range(3)]
    wait_until(lambda: len(errors()) >= 3, "the third attempt to store outputs")
    times = [moment(line) for line in errors()]
    pauses = [(after - before).total_seconds() for before, after in zip(times, times[1:])]
    assert all(pause > 0.4 * 2**number for number, pause in enumerate(pauses)), pauses
    assert all(own.status(request) in ("Pending", "Processing") for request in requests)
    own.sql("DELETE FROM disk_full")
    for request in requests:
        assert_finished_once(own, request)
    own.sql("DROP FUNCTION refuse() CASCADE")
    own.sql("DROP TABLE disk_full")


def compress_and_end(cluster, end):
    """Compresses in a session, ends the session, and returns the press that it had."""
    with cluster.session() as session:
        session.execute("SELECT pg_backend_pid() FROM imgpress.compress_image(%s)", (jpeg(),))
        (pid,) = session.fetchone()
        (press,) = [press for press in cluster.presses() if press.parent == pid]
        end(session, pid)
    assert wait_for_exit([pid]) == []
    return press


def wait_until_reaped(processes):
    """Gone altogether: whoever reaps a process has also judged its end."""
    for process in processes:
        gone = lambda pid=process.pid: not os.path.exists(f"/proc/{pid}")  # noqa: E731
        wait_until(gone, f"process {process.pid} is reaped")


def test_postmaster_that_inherits_orphans_gets_none():
    """The postmaster takes the end of an unknown child by a signal for a crash of a backend."""
    end_backend = "SELECT pg_terminate_backend(%s)"
    with ReapingCluster({"imgpress.databases": "shop"}, preload=("imgpress",), name="reaper") as it:
        it.query("CREATE EXTENSION imgpress")
        wait_until(lambda: it.presses("codec"), "the drainer's codecs")
        with it.session() as witness:
            (drainer,) = it.drainers()
            presses = [
                *it.presses(),
                compress_and_end(it, lambda session, _pid: session.connection.close()),
                compress_and_end(it, lambda _session, pid: it.query(end_backend, (pid,))),
            ]
            it.query(end_backend, (drainer.pid,))
            assert wait_for_exit([drainer.pid]) == []
            wait_until_reaped(presses)
            it.configure({"imgpress.codecs": 1})
            witness.execute("SELECT pg_postmaster_start_time()")
            assert witness.fetchone()[0] == it.scalar("SELECT pg_postmaster_start_time()")
        assert it.log_lines("terminated by signal") == []
        assert it.log_lines("reinitializing") == []
