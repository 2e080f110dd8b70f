"""Locked rows and tables delay only what they lock."""

import threading
import time

import psycopg2
import pytest

from harness.catalogue import ERROR_TEXT, one_product
from harness.shop import TEST_SETTINGS
from harness.waiting import PROMPT, wait_until

TABLES = (
    "imgpress.processing_requests",
    "imgpress.images",
    "imgpress_internal.image_outputs",
    "imgpress_internal.blobs",
    "imgpress_internal.sources",
    "imgpress.webhook_deliveries",
    "imgpress_internal.leases",
)


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, preload=("imgpress",), name="locks") as made:
        made.finish(made.submit("small0.jpg"))
        yield made


def wait_for_lock_waits(shop, count):
    """Until the worker has begun to wait for a lock so often."""
    begun = set()

    def look():
        begun.update(
            shop.sql(
                "SELECT l.waitstart FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                "WHERE a.backend_type LIKE 'imgpress worker%' AND l.waitstart IS NOT NULL"
            )
        )
        return len(begun) >= count

    wait_until(look, f"the worker waits for a lock {count} times")


def test_hanging_images_leave_places_for_others(open_shop):
    """Nearly all of the window hangs; the few places that are left are used again and again."""
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
    locked, gate = own.submit_held("locked")
    wait_until(lambda: own.value(load) == 1, "imgpress.workers shows the image")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute("SELECT imgpress.cancel(%s)", (locked,))
        gate.open()
        wait_until(lambda: own.value(load) == 0, "the image is compressed")
        for path in ("small2.jpg", "small3.jpg"):
            own.assert_finished_once(own.submit(path))
        assert own.status(locked) == "Processing"
        session.execute("ROLLBACK")
    own.assert_finished_once(locked)


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
        own.assert_finished_once(own.submit("small4.jpg"))
        session.execute("COMMIT")
    (product,) = own.finish(request, PROMPT)
    assert ERROR_TEXT not in product["output_image_urls"]


@pytest.mark.parametrize("strength", ["UPDATE", "SHARE", "KEY SHARE"])
def test_locked_lease_delays_nothing(own, strength):
    request, gate = own.submit_held(f"lease-{strength[0]}")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute(f"SELECT FROM imgpress_internal.leases FOR {strength}")
        gate.open()
        own.assert_finished_once(request, 3)
        own.assert_finished_once(own.submit("small5.jpg"), 3)
        own.cluster.terminate(own.cluster.drainers()[0].pid)  # the next one puts back what it held
        own.assert_finished_once(own.submit("small6.jpg"))
        session.execute("COMMIT")


def test_image_that_is_locked_while_its_worker_ends_is_put_back_soon(own):
    request, gate = own.submit_held("back")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute(
            "SELECT FROM imgpress.images WHERE request_id = %s FOR SHARE", (request,)
        )
        own.cluster.terminate(own.cluster.drainers()[0].pid)
        own.assert_finished_once(own.submit("small7.jpg"))
        session.execute("COMMIT")
    gate.wait_arrived(2, 5)
    counted = "SELECT attempts, interruptions FROM imgpress.images WHERE request_id = %s"
    assert own.sql(counted, request) == [(1, 0)], "the worker has ended in order"
    gate.open()
    own.assert_finished_once(request)


@pytest.mark.parametrize(
    "table", ["imgpress.images", "imgpress.processing_requests", "imgpress_internal.leases"]
)
def test_locked_table_is_waited_for(own, table):
    request, gate = own.submit_held(f"table-{table}")
    tries = len(own.cluster.log_lines("canceling statement due to lock timeout"))
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        gate.open()
        wait_for_lock_waits(own, 3)
        session.execute("COMMIT")
    own.assert_finished_once(request, 3)
    assert len(own.cluster.log_lines("canceling statement due to lock timeout")) <= tries + 3


def lock_all_others(session):
    """Locks the other tables, too: a deadlock if whoever waits for the first has locked one. It is
    looked for before a lock_timeout can end it."""
    session.execute("SET LOCAL deadlock_timeout = '10ms'")
    session.execute(f"LOCK TABLE {', '.join(TABLES[1:])}")


def test_worker_that_starts_while_tables_are_locked(own):
    own.cluster.terminate(own.cluster.drainers()[0].pid)
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute(f"LOCK TABLE {TABLES[0]}")
        wait_for_lock_waits(own, 1)
        lock_all_others(session)
        wait_for_lock_waits(own, 3)
        session.execute("COMMIT")
    own.assert_finished_once(own.submit("small8.jpg"), 3)


@pytest.mark.parametrize(
    "call",
    [
        "cancel(%(request)s)",
        "retry_failed(%(request)s)",
        "retry_failed()",
        "retry_recent()",
        "purge('1 day')",
        "set_priority(%(request)s, -1)",
        "replace_url(%(request)s, 'http://a.example/1', 'http://a.example/2')",
        "submit(ARRAY[(1, 'a', 'http://a.example/1')::imgpress.product_input])",
        "attach('goods', 'id', url => 'picture', output => 'small')",
        "resume('goods')",
        "reconcile('goods')",
        "detach('goods')",
        "detach_all()",
    ],
)
def test_call_that_waits_for_a_table_has_locked_no_other(own, call):
    own.sql("CREATE TABLE IF NOT EXISTS goods (id int PRIMARY KEY, picture text, small text)")
    request = own.submit("small9.jpg")
    own.finish(request)
    waiting = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
    failures = []

    def run():
        try:
            caller.execute(f"SELECT imgpress.{call}", {"request": request})
        except psycopg2.Error as error:
            failures.append(error)

    with own.cluster.session() as session, own.cluster.session() as caller:
        pid = caller.connection.info.backend_pid
        session.execute("BEGIN")
        session.execute(f"LOCK TABLE {TABLES[0]}")
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: own.value(waiting, pid), "the call waits for the table")
        lock_all_others(session)
        session.execute("COMMIT")
        thread.join()
    # What else a call refuses, such as to detach what is not attached, it has waited for, too.
    deadlock = psycopg2.errors.DeadlockDetected
    assert not any(isinstance(error, deadlock) for error in failures), failures


def test_rewritten_tables_do_not_deadlock(own):
    """REINDEX locks a table and then its indexes; a transaction that reads the table before it
    writes would do it the other way round."""
    before = len(own.cluster.log_lines("deadlock detected"))
    stop = threading.Event()

    def rewrite():
        with own.cluster.session() as session:
            while not stop.is_set():
                for table in TABLES:
                    session.execute(f"REINDEX TABLE {table}")
                    session.execute(f"VACUUM FULL {table}")
                    session.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = on)")

    rewriter = threading.Thread(target=rewrite)
    rewriter.start()
    try:
        end = time.monotonic() + 12
        while time.monotonic() < end:
            own.submit(*[f"small{n}.jpg" for n in range(10)])
            cancelled = own.submit("missing.jpg")
            own.sql("SELECT imgpress.cancel(%s)", cancelled)
            own.sql("SELECT imgpress.retry_failed(%s)", cancelled)
            own.sql("SELECT imgpress.purge('1 second')")
    finally:
        stop.set()
        rewriter.join()
    own.finish(own.submit("small1.jpg"), PROMPT)
    assert len(own.cluster.log_lines("deadlock detected")) == before


def test_locked_fresh_image_delays_its_own_request_only(own):
    """The image is locked before it is claimed. Others are finished first, and it soon after."""
    with own.cluster.session() as session, own.cluster.session() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE imgpress_internal.leases IN SHARE MODE")  # claims wait here
        request = own.submit("small1.jpg?fresh")
        session.execute("BEGIN")
        # The claim that waits for the lock is rolled back, so that the image is not claimed yet.
        blocker.execute("SELECT pg_terminate_backend(pid) FROM imgpress.workers")
        session.execute("SELECT FROM imgpress.images WHERE request_id = %s FOR UPDATE", (request,))
        blocker.execute("COMMIT")
        for path in ("small3.jpg?fresh", "small4.jpg?fresh"):
            own.assert_finished_once(own.submit(path))
        assert own.status(request) in ("Pending", "Processing")
        session.execute("COMMIT")
    own.assert_finished_once(request)


def test_locked_images_of_many_requests_delay_no_other(own):
    """More requests than have a turn in one claim: those that come later are not behind them."""
    with own.cluster.session() as session, own.cluster.session() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE imgpress_internal.leases IN SHARE MODE")  # claims wait here
        locked = [own.submit(f"small1.jpg?many{number}") for number in range(40)]
        other = own.submit("small2.jpg?many")
        session.execute("BEGIN")
        # The claim that waits for the lock is rolled back, so that no image is claimed yet.
        blocker.execute("SELECT pg_terminate_backend(pid) FROM imgpress.workers")
        session.execute(
            "SELECT FROM imgpress.images WHERE request_id = ANY (%s::uuid[]) FOR UPDATE", (locked,)
        )
        blocker.execute("COMMIT")
        own.assert_finished_once(other)
        session.execute("COMMIT")
    for request in locked:
        own.assert_finished_once(request)


def test_locked_fresh_request_is_found_later(own):
    """It is locked while the drainer looks for work, and nothing announces that the lock is
    gone."""
    with own.cluster.session() as session, own.cluster.session() as submitter:
        session.execute("BEGIN")
        session.execute("LOCK TABLE imgpress_internal.leases IN SHARE MODE")  # claims wait here
        request = own.submit("small1.jpg?locked")
        submitter.execute("BEGIN")
        session.execute("SELECT pg_terminate_backend(pid) FROM imgpress.workers")
        submitter.execute(
            "SELECT FROM imgpress.processing_requests WHERE id = %s FOR UPDATE", (request,)
        )
        session.execute("COMMIT")
        other = own.submit("small2.jpg?locked")
        own.assert_finished_once(other)
        submitter.execute("COMMIT")
    own.assert_finished_once(request)


def test_uncommitted_cancel_does_not_stop_a_starting_drainer(own):
    """The starting drainer skips the locked request and takes back all other images."""
    cancelled, gate = own.submit_held("opencancel")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute("SELECT imgpress.cancel(%s)", (cancelled,))
        (drainer,) = own.cluster.drainers()
        own.cluster.terminate(drainer.pid)
        own.assert_finished_once(own.submit("small2.jpg?opencancel"))
        session.execute("COMMIT")
    gate.open()
    assert own.status(cancelled) == "Failed"


def test_foreign_key_of_a_users_table_delays_nothing(own):
    """Inserting a reference to a request locks its key until the end of the transaction."""
    own.sql("CREATE TABLE orders (request uuid REFERENCES imgpress.processing_requests)")
    request, gate = own.submit_held("key")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute("INSERT INTO orders VALUES (%s)", (request,))
        gate.open()
        own.assert_finished_once(request)
        fresh = own.submit("small3.jpg")
        session.execute("INSERT INTO orders VALUES (%s)", (fresh,))
        own.assert_finished_once(fresh)
        session.execute("COMMIT")
    own.sql("DROP TABLE orders")


def test_wake_up_during_a_lock_wait_is_not_lost(own):
    """Anything else that would wake the drainer is excluded: the first request stays unfinished,
    and neither deadlock_timeout nor the drainer's lock_timeout (5 s) passes."""
    gate = own.origin.gate("lock")
    blocked = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE backend_type LIKE 'imgpress worker%' AND wait_event_type = 'Lock'"
    )
    with own.cluster.settings({"deadlock_timeout": "1h"}):
        with own.cluster.session() as session:
            session.execute("BEGIN")
            session.execute("LOCK TABLE imgpress.webhook_deliveries")
            first = own.submit("held/lock/small1.jpg")
            wait_until(lambda: own.value(blocked), "the drainer waits for the table")
            second = own.submit("small2.jpg")
            assert own.value(blocked), "the second request came after the wait"
            session.execute("COMMIT")
        assert own.wait(second, 3) == "Completed"
    gate.open()
    own.assert_finished_once(first)
