"""The REST endpoints: their answers, status codes and errors."""

import re
import uuid
from email.utils import parsedate_to_datetime

import pytest

from harness.catalogue import ERROR_TEXT, catalogue, split_urls
from harness.cluster import CHECKOUT
from harness.gateway import CODES, assert_error

FORGED = {
    "imgpress-finding": "400",
    "imgpress-refusal": "413",
    "imgpress-body-type": "application/octet-stream",
    "imgpress-route": "image",
    "REMOTE_ADDR": "192.0.2.1",
    "REMOTE_PORT": "1",
    "LOCAL_ADDR": "192.0.2.1",
    "EXCEPTION_WHAT": "forged",
    "X-Forwarded-For": "192.0.2.1",
    "X-Original-URL": "/api/nothing/",
    "X-HTTP-Method-Override": "DELETE",
    "Upgrade": "h2c",
}


@pytest.fixture(scope="module", name="finished")
def fixture_finished(shop):
    """(id, input URLs) of an uploaded and finished request: two good images and a missing one."""
    urls = [shop.origin.url(name) for name in ("small0.jpg", "missing.jpg", "small1.jpg")]
    csv = catalogue([(1, "SKU1", urls[:2]), (2, "SKU2, blue", urls[2:])])
    request = shop.gateway.upload(csv).json()["request_id"]
    shop.finish(request)
    return request, urls


def paths_of(request):
    return [f"/api/status/{request}/", f"/api/products/{request}/", "/healthz", "/"]


@pytest.mark.parametrize("slash", ["/", ""])
def test_status(shop, finished, slash):
    request, _ = finished
    answer = shop.gateway.get(f"/api/status/{request}{slash}")
    assert answer.status == 200
    assert answer.json().items() >= {"request_id": request, "status": "Completed"}.items()


def test_status_before_the_end(shop):
    gate = shop.origin.gate("status")
    request = shop.gateway.upload(shop.csv("held/status/small0.jpg")).json()["request_id"]
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


def test_names_with_special_characters_are_valid_json(shop):
    name = 'Caf\u00e9 "\\/\b\f\t \u2028 \U0001f600 \x7f'
    csv = catalogue([(1, name, [shop.origin.url("small0.jpg")])])
    request = shop.gateway.upload(csv).json()["request_id"]
    (product,) = shop.gateway.get(f"/api/products/{request}/").json()["products"]
    assert product["product_name"] == name


@pytest.mark.parametrize("kind", ["status", "products"])
@pytest.mark.parametrize("slash", ["/", ""])
def test_unknown_id(shop, kind, slash):
    answer = shop.gateway.get(f"/api/{kind}/{uuid.uuid4()}{slash}")
    assert_error(answer, "not_found")


@pytest.mark.parametrize("kind", ["status", "products"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_malformed_id_is_answered_like_an_unknown_one(shop, kind, method):
    answers = [
        shop.gateway.request(method, f"/api/{kind}/{request}/") for request in (uuid.uuid4(), "1")
    ]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body == answers[1].body


MALFORMED = ["1", "not-a-uuid", "'; DROP TABLE x; --", "0" * 5000, "{}", "0" * 32, "-" * 36]
ENCODED = [
    "%00",
    "%ff",
    "%2e%2e%2fhealthz",
    "%",
    "%zz",
    "%25",
    "%0d%0aX-Injected:%20a",
    "..",
    "a/b",
]


@pytest.mark.parametrize("kind", ["status", "products", "nothing"])
@pytest.mark.parametrize("wrong", MALFORMED + ENCODED)
def test_malformed_id(shop, kind, wrong):
    answer = shop.gateway.get(f"/api/{kind}/{wrong}/".replace(" ", "%20"))
    assert_error(answer, "not_found")
    assert "X-Injected" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/upload/"),
        ("HEAD", "/api/upload/"),
        ("PUT", "/api/upload/"),
        ("DELETE", "/api/upload"),
        ("OPTIONS", "/api/upload/"),
        ("POST", f"/api/status/{uuid.UUID(int=1)}/"),
        ("DELETE", f"/api/status/{uuid.UUID(int=1)}"),
        ("PUT", f"/api/products/{uuid.UUID(int=1)}/"),
        ("PATCH", f"/api/products/{uuid.UUID(int=1)}"),
        ("POST", f"/images/{uuid.UUID(int=1)}/1/a_compressed.jpg"),
        ("POST", "/"),
        ("OPTIONS", "/healthz"),
        ("TRACE", "/healthz"),
    ],
)
def test_wrong_method(shop, method, path):
    answer = shop.gateway.request(method, path)
    assert answer.status == 405
    if method != "HEAD":
        assert_error(answer, "method_not_allowed")
    assert answer.headers["Allow"] == ("POST" if "upload" in path else "GET, HEAD")


@pytest.mark.parametrize("method", ["FOO", "get", "M-SEARCH", "PROPFIND"])
def test_a_method_that_the_library_does_not_know(shop, method):
    assert_error(shop.gateway.request(method, "/healthz"), "bad_request")


@pytest.mark.parametrize(
    "path", ["/api/nothing/", "/api/", "/favicon.ico", "//healthz", "/healthz/x"]
)
def test_unknown_path(shop, path):
    for method in ("GET", "POST"):
        assert_error(shop.gateway.request(method, path), "not_found")


@pytest.mark.parametrize("size", [8200, 20_000, 40_000, 200_000, 3_000_000])
def test_a_long_path_is_414(shop, size):
    """Newer versions of the library answer nothing to a line of more than 32 kB."""
    with shop.gateway.converse() as conversation:
        path = "/api/status/" + "a" * size
        answer = conversation.exchange(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert (answer is None and size > 32_000) or assert_error(answer, "uri_too_long")
        assert conversation.ended()


@pytest.mark.parametrize(
    "headers", [{"X-Long": "a" * 9000}, {"X-Long": "a" * 100_000}], ids=["9 kB", "100 kB"]
)
def test_a_long_header_is_refused(shop, headers):
    answer = shop.gateway.get("/healthz", headers)
    assert_error(answer, "bad_request", "headers_too_large")


def test_the_sum_of_headers_is_limited(shop):
    answer = shop.gateway.get("/healthz", {f"X-{n}": "a" * 1000 for n in range(60)})
    assert_error(answer, "bad_request", "headers_too_large")


def test_percent_encoded_paths(shop, finished):
    request, _ = finished
    assert shop.gateway.get(f"/api/st%61tus/{request}/").json()["request_id"] == request
    assert shop.gateway.get(f"/api/status/%{ord(request[0]):x}{request[1:]}").status == 200
    assert_error(shop.gateway.upload("", "/api/uploa%64"), "invalid_upload")


def test_query_strings_and_fragments_are_ignored(shop, finished):
    request, _ = finished
    for path in paths_of(request)[:3]:
        plain = shop.gateway.get(path)
        for suffix in ("?", "?a=b", "?a=b&a=c&%ff=%00", "#fragment", "?a#b"):
            answer = shop.gateway.get(path + suffix)
            assert (answer.status, answer.body) == (plain.status, plain.body), suffix


@pytest.mark.parametrize("base", ["http://localhost:8080", "HTTPS://127.0.0.1:1", "http://[::1]:80"])
def test_a_request_line_with_a_whole_url(shop, finished, base):
    request, _ = finished
    for path in paths_of(request)[:3]:
        plain, whole = shop.gateway.get(path), shop.gateway.get(base + path)
        assert (whole.status, whole.body) == (plain.status, plain.body)
    for rest in ("", "/", "?a=b", "/?a=b"):
        assert shop.gateway.get(base + rest).headers["Content-Type"].startswith("text/html"), rest
    assert_error(shop.gateway.get(f"{base}/api/nothing/"), "not_found")


@pytest.mark.parametrize(
    "target", ["http://", "http:", "http:///", "https://a", "//", "a", "*", "?"]
)
def test_odd_targets(shop, target):
    answer = shop.gateway.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert answer.status == 200 or assert_error(answer, "not_found", "bad_request")
    assert shop.gateway.get("/healthz").status == 200


def test_forged_headers_mean_nothing(shop, finished):
    request, _ = finished
    for path in [*paths_of(request)[:3], "/api/nothing/"]:
        plain, forged = shop.gateway.get(path), shop.gateway.get(path, FORGED)
        assert (plain.status, plain.body) == (forged.status, forged.body)
        assert sorted(plain.headers) == sorted(forged.headers)
    assert_error(shop.gateway.upload("", headers=FORGED), "invalid_upload")


def test_requests_in_pieces(shop, finished):
    """Several on one connection, in packets that end anywhere."""
    request, _ = finished
    paths = ["/healthz", f"/api/products/{request}/", f"/api/status/{request}/"]
    with shop.gateway.converse() as conversation:
        for path, names in zip(paths, ({"status"}, {"products"}, {"request_id", "status"})):
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            for cut in (1, 3, 20, len(head) - 3, len(head) - 2, len(head) - 1):
                conversation.send(head[:cut])
                conversation.wait_until_read()
                conversation.send(head[cut:])
                assert names <= set(conversation.read().json())


def test_every_answer_has_a_length_and_forbids_sniffing(shop, finished):
    request, _ = finished
    image = shop.output_path(output_url(shop, request))
    for path in [*paths_of(request), image, "/api/nothing/", "/api/upload/"]:
        for headers in ({}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "br"}):
            answer = shop.gateway.get(path, headers)
            assert int(answer.headers["Content-Length"]) == len(answer.body) > 0
            assert "Transfer-Encoding" not in answer.headers
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_answer_to_http_1_0_ends_with_the_connection(shop, finished):
    request, _ = finished
    for path in paths_of(request):
        with shop.gateway.converse() as conversation:
            answer = conversation.exchange(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert answer.status == 200
            assert len(answer.body) == len(shop.gateway.get(path).body)
            assert conversation.ended()


def output_url(shop, request):
    first, *_ = shop.products(request)
    return split_urls(first["output_image_urls"])[0]


@pytest.mark.parametrize("fraction", [".0", ".4", ".5", ".999999"])
def test_last_modified_is_not_in_the_future(shop, finished, fraction):
    request, _ = finished
    shop.sql(
        "UPDATE imgpress_internal.image_outputs SET created_at = %s::timestamptz WHERE request_id = %s",
        f"2024-02-29 12:00:30{fraction}+00",
        request,
    )
    answer = shop.gateway.get(shop.output_path(output_url(shop, request)))
    assert answer.headers["Last-Modified"] == "Thu, 29 Feb 2024 12:00:30 GMT"
    assert parsedate_to_datetime(answer.headers["Last-Modified"]).year == 2024


def test_a_malformed_request_line(shop):
    for head in (b"GET /healthz\r\n", b"\x16\x03\r\n", b"GET / HTTP/1.1 \x00\r\n"):
        assert_error(shop.gateway.raw(head + b"\r\n"), "bad_request")


def test_the_codes_are_the_same_everywhere():
    """In the program's table, in the documentation, and in these tests."""
    sources = [path.read_text(encoding="utf-8") for path in CHECKOUT.glob("gateway/http/errors.*")]
    program = re.findall(r'\{"(\w+)", (\d+)\}', "\n".join(sources))
    assert {code: int(status) for code, status in program} == CODES
    text = (CHECKOUT / "docs" / "rest.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE)
    assert {code: int(status) for code, status in documented} == CODES
