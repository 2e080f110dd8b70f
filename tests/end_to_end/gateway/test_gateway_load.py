"""Slow, idle and numerous clients, and large uploads: none of them may block the gateway for
others."""

import contextlib
import tempfile
import threading
import time
import uuid

import pytest

from harness.catalogue import HEADER_LINE
from harness.gateway import multipart, read_answer
from harness.waiting import wait_until

STALLED = 200
# Seconds for a normal answer on a busy machine; stalled clients stay for at least 10 s.
QUICK = 3.0
MEMORY_LIMIT_KIB = 64 * 1024


@pytest.fixture(name="gateway")
def fixture_gateway(shop):
    """A new gateway for every test, because stalled clients stay for a while."""
    with shop.new_gateway() as made:
        yield made


def stalled_upload():
    """The beginning of an upload; the rest of its body does not come."""
    headers, body = multipart({}, file_bytes=HEADER_LINE.encode())
    head = f"POST /api/upload/ HTTP/1.1\r\nHost: a\r\nContent-Type: {headers['Content-Type']}\r\n"
    return f"{head}Content-Length: 1000000\r\n\r\n".encode() + body[:150]


WAITING_FOR_LOCK = (
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
def test_stalled_clients_do_not_delay_others(shop, gateway, beginning):
    request = shop.gateway.upload(shop.csv("small0.jpg")).json()["request_id"]
    shop.finish(request)
    with stalled_clients(gateway, BEGINNINGS[beginning]):
        for path in ("/healthz", f"/api/status/{request}/", "/"):
            answer, seconds = timed(lambda: gateway.get(path))  # noqa: B023
            assert answer.status == 200, path
            assert seconds < QUICK, path


def test_many_status_requests_at_once(shop, gateway):
    """More than fit into one round trip to PostgreSQL, including unknown ids."""
    known = [shop.submit("small0.jpg") for _ in range(3)]
    for request in known:
        shop.finish(request)
    cancelled = shop.submit("small0.jpg")
    shop.sql("SELECT imgpress.cancel(%s)", cancelled)
    truth = {request: "Completed" for request in known} | {cancelled: shop.status(cancelled)}
    asked = [*truth, str(uuid.uuid4())] * 40
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect()) for _ in asked]
        with shop.cluster.session(autocommit=False) as session:
            # The first query waits for the lock, and the others collect behind it.
            session.execute("LOCK TABLE imgpress.processing_requests")
            for client, request in zip(clients, asked):
                client.sendall(f"GET /api/status/{request}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            wait_until(lambda: shop.value(WAITING_FOR_LOCK), "the gateway waits for it", QUICK)
        for client, request in zip(clients, asked):
            answer = read_answer(client)
            if request in truth:
                wanted = {"request_id": request, "status": truth[request]}
                assert answer.status == 200 and answer.json().items() >= wanted.items()
            else:
                assert answer.status == 404 and answer.json()["error"]


def test_clients_that_do_not_read_do_not_delay_others(shop, gateway):
    request = shop.submit("small0.jpg")
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
    """Sends until the gateway reads no more."""
    client.settimeout(2.0)
    with contextlib.suppress(TimeoutError):
        while True:
            client.sendall(requests)


def test_uploads_beyond_the_limit_are_refused(shop, gateway):
    with stalled_clients(gateway, BEGINNINGS["body"]):
        # There may be a place until the gateway has seen all of them.
        full = lambda: gateway.upload("").status == 503  # noqa: E731
        answer, seconds = timed(lambda: wait_until(full, "no place is left", QUICK))
        assert seconds < QUICK
        answer = gateway.upload("")
        assert answer.status == 503 and answer.json()["error"]
        assert int(answer.headers["Retry-After"]) > 0
        # Not an upload: refused for another reason.
        assert gateway.request("PUT", "/api/upload/").status == 405
    good = shop.csv("small0.jpg")
    retried = lambda: made if (made := gateway.upload(good)).status == 202 else None  # noqa: E731
    shop.finish(wait_until(retried, "there is room again").json()["request_id"])


def test_a_refused_client_gets_its_answer_while_it_still_sends(gateway):
    with stalled_clients(gateway, BEGINNINGS["body"]) as clients:
        refused = wait_until(lambda: readable(clients), "some are refused", QUICK)
        for client in refused[:5]:
            client.sendall(b"x" * 100_000)
            assert read_answer(client).status == 503


def readable(clients):
    """The clients that have received something."""
    found = []
    for client in clients:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            if client.recv(1, 2):  # MSG_PEEK
                found.append(client)
        client.setblocking(True)
    return found


def test_many_small_uploads_at_once(shop, gateway):
    """Each of them is stored."""
    csv = shop.csv("small0.jpg")
    answers = call_at_once(32, lambda: gateway.upload(csv))
    assert {answer.status for answer in answers} == {202}
    for answer in answers:
        shop.finish(answer.json()["request_id"])


def test_many_downloads_at_once(shop, gateway):
    request = shop.gateway.upload(shop.csv("mug-front.jpg"))
    (product,) = shop.finish(request.json()["request_id"])
    path = shop.output_path(product["output_image_urls"])
    assert {answer.status for answer in call_at_once(150, lambda: gateway.get(path))} == {200}


def call_at_once(size, call):
    """The results of this many calls at the same time."""
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
    """The longest idle connections are closed for new ones."""
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


def write_large_csv(file, products):
    """Each product has more than 500 bytes, so that 100,000 of them have over 50 MB."""
    tail = "x" * 460
    file.write(HEADER_LINE.encode())
    for number in range(products):
        file.write(
            f"{number},Product {number},http://images.example/{number}/{tail}.jpg\n".encode()
        )


def test_large_uploads_and_answers_are_streamed(shop, unserved):
    products = 100_000
    with tempfile.TemporaryFile() as file, shop.new_gateway(database=unserved) as gateway:
        write_large_csv(file, products)
        file.seek(0)
        content = file.read()
        assert len(content) > 50_000_000
        answer = gateway.upload(content)
        assert answer.status == 202, answer.body
        after_upload = gateway.peak_memory_kib()
        status, size = gateway.measure(f"/api/products/{answer.json()['request_id']}/")
        assert status == 200 and size > len(content)
        after_answer = gateway.peak_memory_kib()
    assert after_upload < MEMORY_LIMIT_KIB
    assert after_answer < MEMORY_LIMIT_KIB
