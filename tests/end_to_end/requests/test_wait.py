"""wait() tells the progress of a request by notices."""

import threading

import psycopg2
import pytest

from harness.waiting import wait_until


class Waiting(threading.Thread):
    """A session that waits for a request; `notices` are those that it got."""

    def __init__(self, shop, request, timeout, *settings):
        super().__init__()
        self._connection = shop.cluster.connect()
        self._call = ("SELECT imgpress.wait(%s, %s * interval '1 s')", (request, timeout))
        self._settings = settings
        self.status = None
        self.notices = []
        self.start()

    def run(self):
        with self._connection.cursor() as cursor:
            for setting in self._settings:
                cursor.execute(setting)
            cursor.execute(*self._call)
            (self.status,) = cursor.fetchone()
        self.notices = list(self._connection.notices)
        self._connection.close()

    def ended(self):
        self.join(60)
        assert not self.is_alive()
        return self


def test_notices(shop):
    gate = shop.origin.gate("wait-notices")
    request = shop.submit("gone.jpg", *(f"held/wait-notices/small{n}.jpg" for n in range(3)))
    wait_until(lambda: shop.progress(request)["failed"] == 1, "one image has failed")
    quiet = Waiting(shop, request, 6, "SET client_min_messages = warning")
    short = Waiting(shop, request, 4)
    long = Waiting(shop, request, 6)
    assert (quiet.ended().status, quiet.notices) == ("Processing", [])
    assert short.ended().notices == [], "none in the first 5 seconds"
    (notice,) = long.ended().notices
    assert notice.startswith(f"NOTICE:  request {request}: 1 of 4 images, 1 failed")
    assert "has to wait" not in notice
    gate.open()
    shop.finish(request)


def test_one_notice_of_what_keeps_it_waiting(shop, unserved):
    """After 10 seconds there is nothing new to tell."""
    submit = "SELECT imgpress.submit('{\"(1,P,http://a.test/1)\"}')"
    request = shop.cluster.scalar(submit, database=unserved)
    with shop.cluster.session(unserved) as session:
        session.execute("SELECT imgpress.wait(%s, '11 s')", (request,))
        (notice,) = session.connection.notices
    assert "0 of 1 images; it has to wait: database" in notice
    assert "it is not in imgpress.databases" in notice
    shop.cluster.query("SELECT imgpress.cancel(%s)", (request,), database=unserved)


def test_it_waits_for_the_newest_run(shop):
    request = shop.submit("later.jpg")
    assert shop.wait(request) == "Completed"
    gate = shop.origin.gate("newest")
    shop.origin.add("later.jpg", shop.origin.content("small4.jpg"))
    blocker = shop.submit("held/newest/small5.jpg")
    gate.wait_arrived()
    with shop.cluster.session(autocommit=False) as session:
        session.execute("SELECT imgpress.retry_failed(%s)", (request,))
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
            session.execute("SELECT imgpress.wait(%s)", (request,))
        session.connection.rollback()
    shop.sql("SELECT imgpress.retry_failed(%s)", request)
    assert shop.wait(request) == "Completed"
    assert shop.progress(request)["succeeded"] == 1
    gate.open()
    shop.finish(blocker)


def test_a_standing_request_is_not_waited_for(shop, unserved):
    insert = (
        "INSERT INTO imgpress.processing_requests (standing, status, started_at) "
        "VALUES (true, 'Processing', now()) RETURNING id"
    )
    request = shop.cluster.scalar(insert, database=unserved)
    error = shop.cluster.refused(
        "55000", "SELECT imgpress.wait(%s)", (request,), database=unserved
    )
    assert "imgpress.attachments" in error.diag.message_hint
    shop.cluster.query("DELETE FROM imgpress.processing_requests", database=unserved)
