"""The gateway while PostgreSQL goes away and comes back, and while it is ended itself."""

import signal
import threading

import pytest

from harness.gateway import assert_error, multipart
from harness.shop import GATEWAY_LOGIN
from harness.waiting import wait_until

# Seconds: an end without anything to wait for; the grace for running answers, and a margin.
QUICK = 3.0
GRACE = 10.0


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(name="restart") as made:
        yield made


def test_503_while_postgresql_is_down(own):
    request = own.gateway.upload(own.csv("small0.jpg")).json()["request_id"]
    own.finish(request)
    assert own.gateway.get("/healthz").json() == {"status": "ok"}

    own.cluster.stop("fast")
    try:
        paths = ("/healthz", f"/api/status/{request}/", f"/api/products/{request}/")
        for path in (*paths, f"/images/{request}/1/small0_compressed.jpg"):
            assert_error(own.gateway.get(path), "database_unavailable")
        assert_error(own.gateway.upload(own.csv("small0.jpg")), "database_unavailable")
        assert own.gateway.get("/").status == 200
    finally:
        own.cluster.start()

    wait_until(lambda: own.gateway.get("/healthz").status == 200, "healthz answers 200 again")
    assert own.gateway.get(f"/api/status/{request}/").json()["status"] == "Completed"
    again = own.gateway.upload(own.csv("small1.jpg"))
    assert again.status == 202
    own.finish(again.json()["request_id"])


def test_lost_connections_are_replaced(own):
    """An idle connection that was lost costs no answer."""
    request = own.gateway.upload(own.csv("small0.jpg")).json()["request_id"]
    own.finish(request)
    path = f"/api/status/{request}/"
    for answer_of in (lambda: own.gateway.get(path), lambda: own.gateway.get("/healthz")):
        assert own.gateway.get(path).status == 200
        pids = own.sql("SELECT pid FROM pg_stat_activity WHERE usename = %s", GATEWAY_LOGIN)
        own.cluster.terminate(*(pid for (pid,) in pids))
        assert answer_of().status == 200
    assert own.gateway.upload(own.csv("small0.jpg")).status == 202


def test_a_connection_that_is_lost_during_a_statement(own):
    request = own.gateway.upload(own.csv("small0.jpg")).json()["request_id"]
    own.finish(request)
    waiting = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = %s AND wait_event_type = 'Lock'"
    )
    with own.gateway.converse() as conversation:
        with own.cluster.session(autocommit=False) as session:
            session.execute("LOCK TABLE imgpress.processing_requests")
            conversation.send(f"GET /api/status/{request}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            wait_until(lambda: own.sql(waiting, GATEWAY_LOGIN), "the statement waits")
        answer = conversation.read()
    assert answer.status == 200 or assert_error(answer, "database_unavailable")
    assert own.gateway.get(f"/api/status/{request}/").status == 200


def test_gateway_started_before_postgresql(own):
    unstarted = own.new_gateway()
    own.cluster.stop("fast")
    try:
        with unstarted as gateway:
            assert_error(gateway.get("/healthz"), "database_unavailable")
            own.cluster.start()
            gateway.said("connected to database")
            assert gateway.get("/healthz").status == 200
    finally:
        if not own.cluster.running():
            own.cluster.start()


# --- the end of the gateway -----------------------------------------------------------------------


@pytest.fixture(name="gateway")
def fixture_gateway(shop, unserved):
    with shop.new_gateway(database=unserved) as made:
        yield made


def refused(gateway):
    try:
        gateway.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_answer_ends_whole(gateway, large, number):
    path, whole = large.path, large.answer
    with gateway.begin_answer(path) as conversation:
        gateway.signal(number)
        wait_until(lambda: refused(gateway), "new connections are refused", QUICK)
        assert conversation.read().body == whole
        assert conversation.ended()
    gateway.ends_within(QUICK)


def test_a_running_upload_ends_whole(gateway, large):
    headers, body = multipart({}, file_bytes=large.csv.encode())
    head = f"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    with gateway.converse() as conversation:
        conversation.send(f"{head}Content-Type: {headers['Content-Type']}\r\n\r\n".encode())
        conversation.send(body[:1000])
        conversation.wait_until_read()
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: refused(gateway), "new connections are refused", QUICK)
        assert conversation.exchange(body[1000:]).status == 202
    gateway.ends_within(QUICK)


def test_a_running_statement_ends_whole(shop, unserved, gateway, large):
    path = large.path.replace("products", "status")
    with gateway.converse() as conversation:
        with shop.cluster.session(unserved, autocommit=False) as session:
            session.execute("LOCK TABLE imgpress.processing_requests")
            conversation.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            conversation.wait_until_read()
            gateway.signal(signal.SIGTERM)
            wait_until(lambda: refused(gateway), "new connections are refused", QUICK)
        assert conversation.read().status == 200
    gateway.ends_within(QUICK)


def test_a_second_signal(gateway, large):
    """Ends it, whoever still reads."""
    with gateway.begin_answer(large.path):
        for _ in range(2):
            gateway.signal(signal.SIGTERM)
            wait_until(lambda: refused(gateway), "new connections are refused", QUICK)
        gateway.wait(GRACE + QUICK)


def test_silent_connections_do_not_delay_the_end(gateway):
    """Connections without a request, or with a part of its head."""
    conversations = [gateway.converse() for _ in range(50)]
    for conversation in conversations[::2]:
        conversation.send(b"GET /heal")
    gateway.signal(signal.SIGTERM)
    seconds = gateway.ends_within(GRACE + QUICK)
    print(f"ended in {seconds:.1f} s")
    for conversation in conversations:
        with conversation:
            assert conversation.ended()


def test_an_idle_gateway_ends_at_once(gateway):
    gateway.signal(signal.SIGTERM)
    gateway.ends_within(QUICK)


def test_it_ends_while_postgresql_is_away(own):
    with own.new_gateway() as gateway:
        own.cluster.stop("fast")
        try:
            assert gateway.get("/healthz").status == 503
            gateway.signal(signal.SIGTERM)
            gateway.ends_within(QUICK)
        finally:
            own.cluster.start()


def test_the_end_answers_kept_connections(gateway):
    """Each request that was sent is answered; then its connection ends."""
    answered, lost = [], []
    all_served = threading.Barrier(33)
    healthz = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def ask():
        with gateway.converse() as conversation:
            answered.append(conversation.exchange(healthz).status)
            all_served.wait(60)
            while True:
                try:
                    conversation.socket.sendall(healthz)
                except (BrokenPipeError, ConnectionResetError):
                    return  # the connection had ended before
                answer = conversation.read()
                if answer is None:
                    lost.append(conversation)
                    return
                answered.append(answer.status)
                if answer.headers["Connection"] == "close":
                    return

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    all_served.wait(60)
    wait_until(lambda: len(answered) > 100, "some more answers")
    gateway.signal(signal.SIGTERM)
    gateway.ends_within(QUICK)
    for thread in threads:
        thread.join()
    assert set(answered) == {200} and lost == []


def test_the_end_under_load(gateway, large):
    """Every answer that begins is whole."""
    path, whole = large.path, large.answer
    got, unexpected = [], []

    def ask():
        try:
            while True:
                got.append(gateway.get(path).body == whole)
        except (ConnectionRefusedError, ConnectionResetError):
            pass  # it had not been accepted
        except Exception as error:  # pylint: disable=broad-except
            unexpected.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(got) > 4, "some answers")
    gateway.signal(signal.SIGTERM)
    gateway.ends_within(GRACE + QUICK)
    for thread in threads:
        thread.join()
    assert all(got) and unexpected == []
