"""Silent and numerous clients, and large uploads: none of them may block the gateway for others."""

import concurrent.futures
import contextlib
import os
import statistics
import tempfile
import time
import uuid

import pytest

from harness.catalogue import HEADER_LINE, REFUSED_URL, catalogue
from harness.gateway import multipart
from harness.waiting import wait_until

SILENT = 500
UPLOADS = 64
# Seconds: the longest that one answer may take on a busy machine, and the median of many.
QUICK = 3.0
USUAL = 0.1
SILENT_MEMORY_KIB = 150 * 1024
STREAMING_MEMORY_KIB = 64 * 1024
SMALL = catalogue([(1, "SKU1", [REFUSED_URL])])


@pytest.fixture(name="gateway")
def fixture_gateway(shop, unserved):
    """A new gateway for every test; accepted uploads stay Pending."""
    with shop.new_gateway(database=unserved) as made:
        yield made


def write_products(file, count, padding):
    tail = "x" * padding
    file.write(HEADER_LINE.encode())
    for number in range(count):
        file.write(f"{number},Product {number},http://a.example/{number}/{tail}.jpg\n".encode())


@pytest.fixture(scope="module", name="products")
def fixture_products(shop, unserved):
    """The path of 40,000 products: more than the buffers of a connection hold."""
    with tempfile.TemporaryFile() as file, shop.new_gateway(database=unserved) as gateway:
        write_products(file, 40_000, 0)
        file.seek(0)
        return f"/api/products/{gateway.upload(file.read()).json()['request_id']}/"


@pytest.fixture(scope="module", name="large_image")
def fixture_large_image(shop):
    """The path of an image of 5 MB."""
    request = shop.upload("small0.jpg?large")  # its bytes are shared with no other request
    (product,) = shop.finish(request)
    bytes_of = "decode(repeat('ff', 5000000), 'hex')"
    shop.sql(
        f"UPDATE imgpress_internal.blobs b SET bytes = {bytes_of} "
        "FROM imgpress_internal.image_outputs o WHERE o.blob_id = b.blob_id AND o.request_id = %s",
        request,
    )
    counter = "UPDATE imgpress.processing_requests SET output_bytes = 5000000 WHERE id = %s"
    shop.sql(counter, request)
    return shop.output_path(product["output_image_urls"])


def upload_head(headers, framing):
    head = f"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: {headers['Content-Type']}\r\n"
    return f"{head}{framing}\r\n\r\n".encode()


def silent_upload(headers, body):
    """The beginning of an upload whose rest does not come."""
    return upload_head(headers, "Content-Length: 1000000") + body


FORM, BODY = multipart({}, file_bytes=SMALL.encode())
PLAIN = {"Content-Type": "text/csv"}
BEGINNINGS = {
    "nothing": b"",
    "request line": b"GET /heal",
    "head": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-",
    "form": silent_upload(FORM, BODY[:-40]),
    "head of a part": silent_upload(FORM, BODY[:60]),
    "percent-encoded path": silent_upload(FORM, BODY[:-40]).replace(b"upload", b"uploa%64"),
    "chunks": upload_head(FORM, "Transfer-Encoding: chunked") + b"ffff\r\n" + BODY[:-40],
    "plain": silent_upload(PLAIN, SMALL.encode()),
    "another type": silent_upload({"Content-Type": "text/plain"}, b"x"),
    "unknown path": silent_upload(PLAIN, b"x").replace(b"/api/upload", b"/api/nothing"),
}


@contextlib.contextmanager
def silent_clients(gateway, beginning, count=SILENT):
    """Clients that have sent this and then neither send nor read."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(gateway.connect(receive_buffer=4096))
            client.sendall(beginning)
        yield


def timed(call, *arguments):
    start = time.monotonic()
    answer = call(*arguments)
    return answer, time.monotonic() - start


def assert_usual(gateway, request, what, uploads=UPLOADS):
    """Status answers are as quick as ever, and uploads are taken."""
    times = []
    for _ in range(50):
        answer, seconds = timed(gateway.get, f"/api/status/{request}/")
        assert answer.status == 200
        times.append(seconds)
    with concurrent.futures.ThreadPoolExecutor(UPLOADS) as pool:
        uploaded = list(pool.map(lambda _: timed(gateway.upload, SMALL), range(uploads)))
    slowest = max((seconds for _, seconds in uploaded), default=0)
    median = statistics.median(times)
    print(
        f"{what}: status {median * 1000:.1f} ms, worst {max(times) * 1000:.0f} ms; "
        f"{uploads} uploads {slowest:.2f} s; {gateway.peak_memory_kib() // 1024} MB"
    )
    assert {answer.status for answer, _ in uploaded} <= {202}
    assert median < USUAL and max(times) < QUICK and slowest < 2 * QUICK
    assert gateway.peak_memory_kib() < SILENT_MEMORY_KIB


def open_files(gateway):
    return len(os.listdir(f"/proc/{gateway.pid}/fd"))


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_silent_clients(gateway, beginning):
    request = gateway.upload(SMALL).json()["request_id"]
    before = open_files(gateway)
    with silent_clients(gateway, BEGINNINGS[beginning]):
        assert_usual(gateway, request, beginning)
    # Some more connections to the database may stay.
    wait_until(lambda: open_files(gateway) < before + 40, "all files are closed")
    assert gateway.get(f"/api/status/{request}/").status == 200


def test_clients_that_do_not_read_products(gateway, products):
    request = products.split("/")[3]
    asking = f"GET {products} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with silent_clients(gateway, asking, 20):
        assert_usual(gateway, request, "products", uploads=8)


def test_clients_that_do_not_read_images(shop, large_image):
    request = large_image.split("/")[2]
    asking = f"GET {large_image} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with shop.new_gateway() as gateway, silent_clients(gateway, asking, 100):
        assert_usual(gateway, request, "images", uploads=0)


def test_clients_that_pipeline_and_do_not_read(gateway):
    request = gateway.upload(SMALL).json()["request_id"]
    asking = f"GET /api/status/{request}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 20_000
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect(receive_buffer=4096)) for _ in range(20)]
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            list(pool.map(lambda client: fill(client, asking), clients))
        assert_usual(gateway, request, "pipelined")


def fill(client, requests):
    """Sends until the gateway reads no more."""
    client.settimeout(2.0)
    with contextlib.suppress(TimeoutError, ConnectionError):
        while True:
            client.sendall(requests)


def test_more_connections_than_threads(gateway):
    """Those that wait are served when silent ones have timed out; afterwards all is as before."""
    request = gateway.upload(SMALL).json()["request_id"]
    with silent_clients(gateway, b"", 1100):
        _, seconds = timed(gateway.get, "/healthz")
        print(f"healthz behind 1,100 silent connections: {seconds:.1f} s")
        assert seconds < 20
    assert_usual(gateway, request, "after 1,100 connections")


def test_many_status_requests_at_once(shop, unserved, gateway):
    """More than there are connections to the database; all wait for the same lock."""
    known = gateway.upload(SMALL).json()["request_id"]
    asked = [known, str(uuid.uuid4())] * 100
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gateway.converse()) for _ in asked]
        with shop.cluster.session(unserved, autocommit=False) as session:
            session.execute("LOCK TABLE imgpress.processing_requests")
            for client, request in zip(clients, asked):
                client.send(f"GET /api/status/{request}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            wait_until(lambda: waiting_for_lock(shop), "the gateway waits for it", QUICK)
        for client, request in zip(clients, asked):
            answer = client.read()
            assert answer.status == (200 if request == known else 404)
            if request == known:
                assert answer.json()["request_id"] == request


def waiting_for_lock(shop):
    return shop.value(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'imgpress-gateway' AND wait_event_type = 'Lock'"
    )


def test_many_downloads_at_once(shop):
    request = shop.gateway.upload(shop.csv("mug-front.jpg"))
    (product,) = shop.finish(request.json()["request_id"])
    path = shop.output_path(product["output_image_urls"])
    with concurrent.futures.ThreadPoolExecutor(150) as pool:
        answers = list(pool.map(shop.gateway.get, [path] * 300))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1


def test_a_connection_is_kept_between_requests(gateway):
    unknown = f"GET /api/status/{uuid.uuid4()}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with gateway.converse() as conversation:
        for _ in range(300):
            assert conversation.exchange(unknown).status == 404


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_large_uploads_and_answers_are_streamed(gateway, coding):
    with tempfile.TemporaryFile() as file:
        write_products(file, 100_000, 460)
        file.seek(0)
        content = file.read()
    assert len(content) > 50_000_000
    answer, seconds = timed(gateway.upload, content)
    assert answer.status == 202, answer.body
    after_upload = gateway.peak_memory_kib()
    path = f"/api/products/{answer.json()['request_id']}/"
    (status, size), more_seconds = timed(gateway.measure, path, {"Accept-Encoding": coding})
    assert status == 200 and (size > len(content)) == (coding == "identity")
    after_answer = gateway.peak_memory_kib()
    print(
        f"50 MB: upload {seconds:.1f} s, {after_upload // 1024} MB; "
        f"answer of {size} bytes {more_seconds:.1f} s, {after_answer // 1024} MB"
    )
    assert after_upload < STREAMING_MEMORY_KIB
    assert after_answer < STREAMING_MEMORY_KIB


def test_several_large_uploads_at_once(gateway):
    with tempfile.TemporaryFile() as file:
        write_products(file, 20_000, 460)
        file.seek(0)
        content = file.read()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(gateway.upload, [content] * 8))
    assert {answer.status for answer in answers} == {202}
    print(f"8 uploads of 10 MB at once: {gateway.peak_memory_kib() // 1024} MB")
    assert gateway.peak_memory_kib() < SILENT_MEMORY_KIB
