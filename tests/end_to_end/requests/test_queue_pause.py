"""The whole queue is paused and resumed."""

import time

import psycopg2
import pytest

from harness.waiting import wait_until

STATE = "SELECT state, reason FROM imgpress.workers WHERE database = 'shop'"


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, name="pause") as made:
        yield made


@pytest.fixture(name="shop")
def fixture_shop(own):
    """Resumes the queue at the end, whatever a test does."""
    yield own
    own.sql("SELECT imgpress.resume_queue()")


def submit_with_notices(shop, path):
    with shop.cluster.session() as session:
        session.execute("SELECT imgpress.submit_csv(%s)", (shop.csv(path),))
        return session.fetchone()[0], "".join(session.connection.notices)


def test_pause_and_resume(shop, receiver):
    gate = shop.origin.gate("paused")
    endpoint = receiver.endpoint("/paused")
    in_flight = shop.submit("held/paused/small0.jpg", webhook_url=endpoint.url)
    gate.wait_arrived()
    shop.sql("SELECT imgpress.pause_queue('storage is moved')")
    state, reason = shop.sql(STATE)[0]
    assert state == "working" and ": storage is moved; " in reason
    gate.open()
    shop.finish(in_flight)  # what is in flight ends, and is told
    endpoint.wait()
    waiting, notices = submit_with_notices(shop, "small1.jpg")
    assert "the request has to wait: the queue is paused since" in notices
    assert ": storage is moved; " in notices and "imgpress.resume_queue()" in notices
    assert shop.wait(waiting, 0.5) == "Pending"
    wait_until(lambda: shop.sql(STATE)[0][0] == "paused", "the worker is idle")
    shop.cluster.restart()
    assert shop.wait(waiting, 1) == "Pending", "a restart does not resume it"
    shop.sql("SELECT imgpress.resume_queue()")
    shop.assert_finished_once(waiting)
    assert shop.sql(STATE)[0][1] is None
    assert "has to wait" not in submit_with_notices(shop, "small1.jpg")[1]


def test_retries_wait_as_well(shop):
    request = shop.submit("missing-at-first.jpg")
    shop.finish(request)
    shop.sql("SELECT imgpress.pause_queue()")
    shop.origin.add("missing-at-first.jpg", shop.origin.content("small2.jpg"))
    shop.sql("SELECT imgpress.retry_failed(%s)", request)
    assert shop.wait(request, 0.5) == "Processing"
    shop.sql("SELECT imgpress.resume_queue()")
    shop.assert_finished_once(request)


def test_it_is_transactional(shop):
    with shop.cluster.session(autocommit=False) as session:
        session.execute("SELECT imgpress.pause_queue()")
        shop.assert_finished_once(shop.submit("small0.jpg"))
        session.connection.rollback()
    assert shop.sql(STATE)[0][1] is None


def test_a_paused_worker_does_not_poll(shop):
    """It would look again and again whether something due can be claimed."""
    shop.sql("SELECT imgpress.pause_queue()")
    request = shop.submit("small0.jpg")
    assert shop.wait(request, 1) == "Pending"
    commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'shop'"
    count = lambda: shop.cluster.scalar(commits, database="postgres")  # noqa: E731
    before = count()
    time.sleep(3)  # of nothing: there is no event to wait for
    # Were it to poll, there would be a dozen. Statistics may arrive late, from before.
    assert count() - before <= 4


def test_only_for_administrators(shop):
    shop.sql("CREATE ROLE pausing_user LOGIN IN ROLE imgpress_user")
    for call in ("pause_queue()", "resume_queue()"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            shop.cluster.query(f"SELECT imgpress.{call}", user="pausing_user")
    shop.sql("DROP ROLE pausing_user")
