"""The REST endpoints: their answers and status codes."""

import json
import uuid
from email.utils import parsedate_to_datetime

import pytest

from harness.catalogue import ERROR_TEXT, catalogue, split_urls
from harness.gateway import assert_error


def output_paths(shop, finished):
    """The paths of the outputs that succeeded."""
    outputs = [product["output_image_urls"] for product in shop.products(finished[0])]
    urls = [url for output in outputs for url in split_urls(output)]
    return [shop.output_path(url) for url in urls if url.startswith("http")]


def read_answers(connection, count):
    """The next JSON answers on a connection that has sent several requests."""
    stream = connection.makefile("rb")
    return [json.loads(read_body(stream)) for _ in range(count)]


def read_body(stream):
    headers = iter(stream.readline, b"\r\n")
    fields = dict(line.decode().strip().lower().split(": ", 1) for line in headers if b": " in line)
    if "content-length" in fields:
        return stream.read(int(fields["content-length"]))
    assert fields["transfer-encoding"] == "chunked"
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body


@pytest.fixture(scope="module", name="finished")
def fixture_finished(shop):
    """(id, input URLs) of an uploaded and finished request: two good images and a missing one."""
    urls = [shop.origin.url(name) for name in ("small0.jpg", "missing.jpg", "small1.jpg")]
    csv = catalogue([(1, "SKU1", urls[:2]), (2, "SKU2, blue", urls[2:])])
    request = shop.gateway.upload(csv).json()["request_id"]
    shop.finish(request)
    return request, urls


@pytest.mark.parametrize("slash", ["/", ""])
def test_status(shop, finished, slash):
    request, _ = finished
    answer = shop.gateway.get(f"/api/status/{request}{slash}")
    assert answer.status == 200
    assert answer.json().items() >= {"request_id": request, "status": "Completed"}.items()


def test_status_before_the_end(shop):
    gate = shop.origin.gate("status")
    request = shop.gateway.upload(shop.csv("held/status/small0.jpg")).json()[
        "request_id"
    ]
    gate.wait_arrived()
    assert shop.gateway.get(f"/api/status/{request}/").json()["status"] == "Processing"
    gate.open()
    shop.finish(request)


@pytest.mark.parametrize("slash", ["/", ""])
def test_products(shop, finished, slash):
    request, urls = finished
    answer = shop.gateway.get(f"/api/products/{request}{slash}")
    assert answer.status == 200
    body = answer.json()
    assert body["request_id"] == request
    first, second = body["products"]
    assert (first["serial_number"], first["product_name"]) == (1, "SKU1")
    assert (second["serial_number"], second["product_name"]) == (2, "SKU2, blue")
    assert first["input_image_urls"] == ",".join(urls[:2])
    good, bad = split_urls(first["output_image_urls"])
    assert good.startswith(shop.public_url) and good.endswith("/small0_compressed.jpg")
    assert bad == ERROR_TEXT
    assert second["output_image_urls"].endswith("/small1_compressed.jpg")


@pytest.mark.parametrize("kind", ["status", "products"])
@pytest.mark.parametrize("slash", ["/", ""])
def test_unknown_id(shop, kind, slash):
    assert_error(shop.gateway.get(f"/api/{kind}/{uuid.uuid4()}{slash}"), 404)


@pytest.mark.parametrize("kind", ["status", "products"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_malformed_id_is_answered_like_an_unknown_one(shop, kind, method):
    answers = [
        shop.gateway.request(method, f"/api/{kind}/{request}/") for request in (uuid.uuid4(), "1")
    ]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize("kind", ["status", "products"])
@pytest.mark.parametrize(
    "wrong", ["1", "not-a-uuid", "'; DROP TABLE x; --", "0" * 5000, "%00", "%ff"]
)
def test_malformed_id(shop, kind, wrong):
    path = f"/api/{kind}/{wrong}/".replace(" ", "%20")
    assert_error(shop.gateway.get(path), 400, 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/upload/"),
        ("PUT", "/api/upload/"),
        ("DELETE", "/api/upload"),
        ("POST", f"/api/status/{uuid.UUID(int=1)}/"),
        ("DELETE", f"/api/status/{uuid.UUID(int=1)}"),
        ("PUT", f"/api/products/{uuid.UUID(int=1)}/"),
        ("PATCH", f"/api/products/{uuid.UUID(int=1)}"),
        ("FOO", "/api/upload/"),
        ("get", "/healthz"),
        ("TRACE", "/healthz"),
    ],
)
def test_wrong_method(shop, method, path):
    answer = shop.gateway.request(method, path)
    assert_error(answer, 405)
    assert answer.headers["Allow"] == ("POST" if "upload" in path else "GET, HEAD")


def test_unknown_path(shop):
    assert_error(shop.gateway.get("/api/nothing/"), 404)


@pytest.mark.parametrize("size", [8200, 20_000, 40_000, 200_000, 3_000_000])
def test_a_long_path_is_414(shop, size):
    assert_error(shop.gateway.get("/api/status/" + "a" * size), 414)


def test_long_headers_are_431(shop):
    assert_error(shop.gateway.get("/healthz", {f"X-{n}": "a" * 1000 for n in range(60)}), 431)


@pytest.mark.parametrize("base", ["http://shop.example", "HTTPS://127.0.0.1:1"])
def test_a_request_line_with_a_whole_url(shop, finished, base):
    request, _ = finished
    answer = shop.gateway.get(f"{base}/api/status/{request}/")
    assert answer.status == 200 and answer.json()["status"] == "Completed"
    assert shop.gateway.get(base).headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "head", ["GET /healthz\r\n", "GET /healthz HTTP/1.1\r\nHost: a\nX: b\r\n", "\x16\x03\r\n"]
)
def test_a_malformed_head_is_answered(shop, head):
    assert_error(shop.gateway.raw(head.encode() + b"\r\n"), 400)


def test_pipelined_requests(shop, finished):
    """Sent on one connection, in pieces that end anywhere; answered in order."""
    request, _ = finished
    paths = ["/healthz", f"/api/products/{request}/", f"/api/status/{request}/"]
    requests = "".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths).encode()
    with shop.gateway.connect() as connection:
        for cut in (1, 20, len(requests) - 3, len(requests)):
            connection.sendall(requests[:cut])
            connection.sendall(requests[cut:])
            answers = read_answers(connection, len(paths))
            for answer, names in zip(answers, ({"status"}, {"products"}, {"request_id", "status"})):
                assert names <= set(answer)


@pytest.mark.parametrize("value", ["junk", "bytes=5-1", "bytes=0-3", "bytes=999999999-"])
def test_ranges_are_ignored(shop, finished, value):
    path = output_paths(shop, finished)[0]
    whole = shop.gateway.get(path)
    answer = shop.gateway.get(path, {"Range": value})
    assert (answer.status, answer.body) == (200, whole.body)


@pytest.mark.parametrize("fraction", [".0", ".4", ".5", ".999999"])
def test_last_modified_is_not_in_the_future(shop, finished, fraction):
    request, _ = finished
    shop.sql(
        "UPDATE imgpress.outputs SET created_at = %s::timestamptz WHERE request_id = %s",
        f"2024-02-29 12:00:30{fraction}+00",
        request,
    )
    answer = shop.gateway.get(output_paths(shop, finished)[0])
    assert answer.headers["Last-Modified"] == "Thu, 29 Feb 2024 12:00:30 GMT"
    assert parsedate_to_datetime(answer.headers["Date"]).year > 2024
