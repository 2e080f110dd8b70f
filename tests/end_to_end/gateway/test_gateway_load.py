"""Clients that stall, stay or come in crowds: none of them may take the gateway from the others."""

import contextlib
import threading
import time
import uuid

import pytest

from harness.catalogue import one_product
from harness.gateway import multipart, read_answer
from harness.waiting import wait_until

STALLED = 200
# Of an answer that nobody holds up, on a busy machine; the stalled ones stay for 10 s and more.
QUICK = 3.0


@pytest.fixture(name="gateway")
def fixture_gateway(shop):
    """A gateway of its own for every test: what they leave behind lasts for a while."""
    with shop.new_gateway() as made:
        yield made


def stalled_upload():
    """The beginning of an upload whose body does not come."""
    headers, body = multipart({}, file_bytes=b"S. No.,Product Name,Input Image Urls\n")
    head = f"POST /api/upload/ HTTP/1.1\r\nHost: a\r\nContent-Type: {headers['Content-Type']}\r\n"
    return f"{head}Content-Length: 1000000\r\n\r\n".encode() + body[:150]


WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE application_name = 'imgpress-gateway' AND wait_event_type = 'Lock'"
)

BEGINNINGS = {
    "nothing": b"",
    "head": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-",
    "spelled": stalled_upload().replace(b"/api/upload/", b"/api/uploa%64"),
    "body": stalled_upload(),
    "refused": stalled_upload().replace(b"multipart/form-data", b"text/csv"),
}


@contextlib.contextmanager
def stalled_clients(gateway, beginning, count=STALLED):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect()) for _ in range(count)]
        for client in clients:
            client.sendall(beginning)
        yield clients


def timed(call):
    start = time.monotonic()
    answer = call()
    return answer, time.monotonic() - start


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_stalled_clients_keep_nobody_waiting(shop, gateway, beginning):
    request = shop.gateway.upload(one_product(shop.origin.url("small0.jpg"))).json()["request_id"]
    shop.finish(request)
    with stalled_clients(gateway, BEGINNINGS[beginning]):
        for path in ("/healthz", f"/api/status/{request}/", "/"):
            answer, seconds = timed(lambda: gateway.get(path))  # noqa: B023
            assert answer.status == 200, path
            assert seconds < QUICK, path


def test_statuses_asked_for_together(shop, gateway):
    """More than go to PostgreSQL in one round trip, among them ids that nobody has."""
    known = [shop.submit_csv(one_product(shop.origin.url("small0.jpg"))) for _ in range(3)]
    for request in known:
        shop.finish(request)
    cancelled = shop.submit_csv(one_product(shop.origin.url("small0.jpg")))
    shop.sql("SELECT imgpress.cancel(%s)", cancelled)
    truth = {request: (200, {"request_id": request, "status": "Completed"}) for request in known}
    truth[cancelled] = (200, {"request_id": cancelled, "status": shop.status(cancelled)})
    asked = [*truth, str(uuid.uuid4())] * 40
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect()) for _ in asked]
        with contextlib.closing(shop.cluster.connect(autocommit=False)) as other:
            # Whoever asks has to wait, and so all of them come to wait for the same.
            other.cursor().execute("LOCK TABLE imgpress.processing_requests")
            for client, request in zip(clients, asked):
                client.sendall(f"GET /api/status/{request}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            wait_until(lambda: shop.value(WAITING) > 0, "the gateway waits for the lock", QUICK)
            other.rollback()
        for client, request in zip(clients, asked):
            answer = read_answer(client)
            if request in truth:
                assert (answer.status, answer.json()) == truth[request]
            else:
                assert answer.status == 404 and answer.json()["error"]


def test_those_who_do_not_read_their_answers_keep_nobody_waiting(shop, gateway):
    request = shop.submit_csv(one_product(shop.origin.url("small0.jpg")))
    shop.finish(request)
    path = f"/api/status/{request}/"
    with stalled_clients(gateway, b"", 5) as clients:
        many = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 100
        fillers = [threading.Thread(target=fill, args=(client, many)) for client in clients]
        for filler in fillers:
            filler.start()
        for filler in fillers:
            filler.join()
        for _ in range(20):
            answer, seconds = timed(lambda: gateway.get(path))
            assert answer.status == 200 and seconds < QUICK


def fill(client, requests):
    """Sends until the other side takes no more."""
    client.settimeout(2.0)
    with contextlib.suppress(TimeoutError):
        while True:
            client.sendall(requests)


def test_uploads_beyond_the_limit_are_turned_away(shop, gateway):
    with stalled_clients(gateway, BEGINNINGS["body"]):
        # Until all of them have been seen, there may be a place.
        full = lambda: gateway.upload("").status == 503  # noqa: E731
        answer, seconds = timed(lambda: wait_until(full, "no place is left", QUICK))
        assert seconds < QUICK
        answer = gateway.upload("")
        assert answer.status == 503 and answer.json()["error"]
        assert int(answer.headers["Retry-After"]) > 0
        # Refused for what it is, not for the crowd.
        assert gateway.request("PUT", "/api/upload/").status == 405
    good = one_product(shop.origin.url("small0.jpg"))
    retried = lambda: made if (made := gateway.upload(good)).status == 202 else None  # noqa: E731
    shop.finish(wait_until(retried, "there is room again").json()["request_id"])


def test_those_turned_away_get_their_answer_while_they_still_send(gateway):
    with stalled_clients(gateway, BEGINNINGS["body"]) as clients:
        refused = wait_until(lambda: readable(clients), "some are turned away", QUICK)
        for client in refused[:5]:
            client.sendall(b"x" * 100_000)
            assert read_answer(client).status == 503


def readable(clients):
    """The clients that have an answer."""
    found = []
    for client in clients:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            if client.recv(1, 2):  # MSG_PEEK
                found.append(client)
        client.setblocking(True)
    return found


def test_a_crowd_of_small_uploads_passes(shop, gateway):
    """As many at a time as a busy shop may send, each of them stored."""
    csv = one_product(shop.origin.url("small0.jpg"))
    answers = crowd(32, lambda: gateway.upload(csv))
    assert {answer.status for answer in answers} == {202}
    for answer in answers:
        shop.finish(answer.json()["request_id"])


def test_a_crowd_of_downloads_waits_its_turn(shop, gateway):
    request = shop.gateway.upload(one_product(shop.origin.url("mug-front.jpg")))
    (product,) = shop.finish(request.json()["request_id"])
    path = shop.output_path(product["output_image_urls"])
    assert {answer.status for answer in crowd(150, lambda: gateway.get(path))} == {200}


def crowd(size, call):
    """The answers of that many calls at the same time."""
    start = threading.Barrier(size)
    answers = []

    def one():
        start.wait()
        answers.append(call())

    threads = [threading.Thread(target=one) for _ in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == size
    return answers


def test_more_connections_than_the_gateway_keeps(gateway):
    """The oldest idle ones make room for new ones."""
    with stalled_clients(gateway, b"", 1100):
        answer, seconds = timed(lambda: gateway.get("/healthz"))
        assert answer.status == 200 and seconds < QUICK


def test_a_connection_is_kept_between_requests(shop, gateway):
    unknown = f"GET /api/status/{uuid.uuid4()}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with gateway.connect() as connection:
        for _ in range(300):
            connection.sendall(unknown)
            assert read_answer(connection).status == 404


def test_an_idle_connection_is_closed_when_the_gateway_ends(shop):
    with shop.new_gateway() as gateway:
        connections = [gateway.connect() for _ in range(3)]
        connections[1].sendall(b"GET /")
        _, seconds = timed(gateway.stop)
        assert seconds < QUICK
        for connection in connections:
            with connection, contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
