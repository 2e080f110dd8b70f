"""A press that breaks the protocol, dies or stops costs the one image that it had, and its owner
lives on."""

import contextlib
import os
import signal
import time

import psycopg2
import pytest

from harness.images import jpeg
from harness.waiting import PROMPT, wait_until

LIES = (
    "no-descriptor",
    "unsealed",
    "device",
    "socket",
    "empty-memory",
    "long-memory",
    "many-descriptors",
    "huge",
    "garbage",
    "cut-short",
    "empty-message",
    "ready-again",
    "unconfined",
    "flood",
    "foreign-id",
    "twice",
    "exit",
    "abort",
    "stop",
)
# Their memory is sealed, and as long as an output may be: the lie shows in the message after it, or
# not at all, since surplus descriptors are closed.
WITH_A_GOOD_ANSWER = ("twice", "many-descriptors")


@pytest.fixture(name="session")
def fixture_session(prey, hostile):
    with prey.cluster.settings({"imgpress.press_path": hostile["hostile"]}):
        with prey.cluster.session() as cursor:
            yield cursor


@pytest.mark.parametrize("lie", LIES)
def test_a_session_survives_a_lying_codec(session, lie):
    statement = "SELECT imgpress.compress_image(%s)"
    refused = pytest.raises(psycopg2.Error)
    with contextlib.nullcontext() if lie in WITH_A_GOOD_ANSWER else refused:
        session.execute(statement, (f"lie {lie}".encode(),))
    session.execute(statement, (jpeg(),))
    assert bytes(session.fetchone()[0]).startswith(b"\xff\xd8")


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie not in WITH_A_GOOD_ANSWER])
def test_a_session_survives_a_lying_fetcher(session, lie):
    statement = "SELECT imgpress.compress_image_url(%s)"
    begin = time.monotonic()
    with pytest.raises(psycopg2.Error):
        session.execute(statement, (f"lie {lie}",))
    assert time.monotonic() - begin < 8
    with pytest.raises(psycopg2.Error, match="setns: EPERM"):
        session.execute(statement, ("attack setns",))


def test_a_fetcher_cannot_send_more_than_was_asked_for(session):
    with pytest.raises(psycopg2.Error, match="wrong message: a body that is too long"):
        session.execute("SELECT imgpress.compress_image_url('lie long-memory')")


def test_a_drainer_survives_and_finishes_the_other_images(prey, hostile):
    for lie in LIES:
        prey.origin.add(f"{lie}.lie", f"lie {lie}".encode())
    good = [f"small{number}.jpg?{copy}" for copy in range(5) for number in range(10)]
    settings = {
        "imgpress.press_path": hostile["hostile-codec"],
        "imgpress.allowed_networks": "127.0.0.0/8",
    }
    with prey.cluster.settings(settings):
        (drainer,) = prey.cluster.drainers()
        for codec in prey.cluster.presses("codec"):  # those that started before the settings changed
            os.kill(codec.pid, signal.SIGKILL)
        request = prey.submit(*good, *[f"{lie}.lie" for lie in LIES])
        assert prey.wait(request, 120) == "Completed"
        assert drainer.alive()
        failed = {failure["url"].rpartition("/")[2] for failure in prey.failures(request)}
        assert failed >= {f"{lie}.lie" for lie in LIES if lie not in WITH_A_GOOD_ANSWER}
        assert failed <= {f"{lie}.lie" for lie in LIES}
        outputs = "SELECT count(*) FROM imgpress.outputs WHERE request_id = %s"
        assert prey.value(outputs, request) >= len(good)


def stop(processes):
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)


@pytest.mark.parametrize("role", ["codec", "fetcher"])
def test_a_press_that_is_stopped_for_good_is_replaced(prey, role):
    with prey.cluster.settings({"imgpress.allowed_networks": "127.0.0.0/8"}):
        prey.finish(prey.submit("small0.jpg"))
        (drainer,) = prey.cluster.drainers()
        stopped = prey.cluster.presses(role)
        stop(stopped)
        begin = time.monotonic()
        request = prey.submit(f"small1.jpg?{role}", f"small2.jpg?{role}")
        prey.finish(request, PROMPT)
        assert time.monotonic() - begin < 8
        assert prey.progress(request)["succeeded"] == 2
        assert drainer.alive()
        wait_until(lambda: not any(press.alive() for press in stopped[:1]), "it is gone")


def test_a_session_does_not_wait_for_a_stopped_codec(prey):
    with prey.cluster.session() as cursor:
        statement = "SELECT imgpress.compress_image(%s)"
        cursor.execute(statement, (jpeg(),))
        backend = cursor.connection.info.backend_pid
        stop([press for press in prey.cluster.presses("codec") if press.parent == backend])
        begin = time.monotonic()
        with pytest.raises(psycopg2.Error, match="stopped by a signal"):
            cursor.execute(statement, (jpeg(),))
        assert time.monotonic() - begin < 8
        cursor.execute(statement, (jpeg(),))
