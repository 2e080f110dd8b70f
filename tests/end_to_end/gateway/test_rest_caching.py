"""What saves bandwidth: ETag and 304, gzip, HEAD."""

import gzip
import json
import subprocess
import uuid

import pytest

from harness.catalogue import catalogue
from harness.gateway import assert_error
from harness.waiting import wait_until

KINDS = ("status", "products")
VARY = {"status": "Accept-Encoding", "products": "Accept, Accept-Encoding"}


@pytest.fixture(scope="module", name="finished")
def fixture_finished(shop):
    """The id of a finished request."""
    request = shop.gateway.upload(shop.csv("small0.jpg", "missing.jpg")).json()["request_id"]
    shop.finish(request)
    return request


@pytest.fixture(scope="module", name="large")
def fixture_large(shop, unserved):
    """(gateway, id) of a request whose products are more than 100 kB of JSON."""
    with shop.new_gateway(database=unserved) as gateway:
        csv = catalogue((n, f"SKU {n}", [f"http://a.example/{n}.jpg"]) for n in range(2000))
        yield gateway, gateway.upload(csv).json()["request_id"]


def etag_of(gateway, path):
    return gateway.get(path).headers["ETag"]


@pytest.mark.parametrize("kind", KINDS)
def test_headers_for_caches(shop, finished, kind):
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        answer = shop.gateway.get(f"/api/{kind}/{finished}/", headers)
        etag = answer.headers["ETag"]
        assert etag.startswith('W/"') and etag.endswith('"') and len(etag) > 4
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Vary"] == VARY[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_etag_does_not_depend_on_the_encoding(shop, finished, kind):
    path = f"/api/{kind}/{finished}/"
    etags = {
        shop.gateway.get(path, {"Accept-Encoding": coding}).headers["ETag"]
        for coding in ("gzip", "identity", "br")
    }
    assert etags == {etag_of(shop.gateway, path)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "condition", ["{}", '"other", {}', '{}, "other"', "*", "{strong}", ' W/"a,b" ,{}']
)
def test_304(shop, finished, kind, condition):
    path = f"/api/{kind}/{finished}/"
    etag = etag_of(shop.gateway, path)
    condition = condition.format(etag, strong=etag.removeprefix("W/"))
    for method in ("GET", "HEAD"):
        answer = shop.gateway.request(method, path, headers={"If-None-Match": condition})
        assert answer.status == 304 and answer.body == b""
        assert answer.headers["ETag"] == etag
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Vary"] == VARY[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", ['"other"', 'W/"other"', "", "junk", '"', 'W/"', ","])
def test_another_etag_gets_the_whole_answer(shop, finished, kind, condition):
    path = f"/api/{kind}/{finished}/"
    plain = shop.gateway.get(path)
    answer = shop.gateway.get(path, {"If-None-Match": condition})
    assert (answer.status, answer.body) == (200, plain.body)


def test_part_of_an_etag_does_not_match(shop, finished):
    path = f"/api/status/{finished}/"
    etag = etag_of(shop.gateway, path)
    for condition in (etag[:-2] + '"', etag[:-1], etag.replace('"', ""), etag[3:]):
        assert shop.gateway.get(path, {"If-None-Match": condition}).status == 200, condition


@pytest.mark.parametrize("kind", KINDS)
def test_a_304_keeps_the_connection(shop, finished, kind):
    path = f"/api/{kind}/{finished}/"
    etag = etag_of(shop.gateway, path)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {etag}\r\n\r\n".encode()
    with shop.gateway.converse() as conversation:
        for _ in range(3):
            assert conversation.exchange(request).status == 304
        assert conversation.exchange(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_id_is_404_whatever_the_condition(shop, kind):
    answer = shop.gateway.get(f"/api/{kind}/{uuid.uuid4()}/", {"If-None-Match": "*"})
    assert_error(answer, "not_found")
    assert "ETag" not in answer.headers


@pytest.mark.parametrize("kind", KINDS)
def test_the_etag_changes_with_each_image(shop, kind):
    gates = [shop.origin.gate(f"etag-{kind}-{number}") for number in range(2)]
    csv = shop.csv(*(f"held/etag-{kind}-{number}/small{number}.jpg" for number in range(2)))
    request = shop.gateway.upload(csv).json()["request_id"]
    path = f"/api/{kind}/{request}/"
    etags = []
    for number, gate in enumerate(gates):
        gate.wait_arrived()
        etags.append(etag_of(shop.gateway, path))
        gate.open()
        wait_for_outputs(shop, request, number + 1)
    shop.finish(request)
    etags.append(etag_of(shop.gateway, path))
    assert len(set(etags)) == 3
    for etag in etags[:2]:
        assert shop.gateway.get(path, {"If-None-Match": etag}).status == 200


def wait_for_outputs(shop, request, count):
    wait_until(lambda: shop.progress(request)["succeeded"] == count, f"{count} outputs")


@pytest.mark.parametrize("kind", KINDS)
def test_the_etag_changes_when_failed_images_are_tried_again(shop, kind):
    csv = shop.csv(f"flaky/small0.jpg?fail=1&status=404&{kind}")
    request = shop.gateway.upload(csv).json()["request_id"]
    shop.finish(request)
    path = f"/api/{kind}/{request}/"
    before = etag_of(shop.gateway, path)
    shop.sql("SELECT imgpress.retry_failed(%s)", request)
    shop.finish(request)
    assert shop.progress(request)["succeeded"] == 1
    assert shop.gateway.get(path, {"If-None-Match": before}).status == 200


def test_the_etag_of_a_cancelled_request_changes(shop):
    gate = shop.origin.gate("etag-cancel")
    request = shop.upload("held/etag-cancel/small1.jpg")
    path = f"/api/status/{request}/"
    before = etag_of(shop.gateway, path)
    shop.sql("SELECT imgpress.cancel(%s)", request)
    gate.open()
    answer = shop.gateway.get(path, {"If-None-Match": before})
    assert answer.status == 200 and answer.json()["status"] == "Failed"


def test_the_etag_of_products_changes_with_the_public_url(shop, finished):
    path = f"/api/products/{finished}/"
    before = etag_of(shop.gateway, path)
    outputs = shop.products(finished)[0]["output_image_urls"]
    for name, value in (
        ("imgpress.public_url", "https://cdn.example"),
        ("imgpress.output_url_style", "simulated"),
    ):
        with shop.cluster.settings({name: value}):
            answer = shop.gateway.get(path, {"If-None-Match": before})
            assert answer.status == 200, name
            assert outputs not in answer.body.decode(), name
    assert etag_of(shop.gateway, path) == before


# --- gzip -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accepted",
    ["gzip", "GZIP", "br, gzip", "gzip;q=0.5", "gzip; q=1", "deflate, gzip ;q=0.001"]
    + ["identity;q=0, gzip", "gzip,br;q=1.0"],
)
def test_large_json_is_gzipped_where_accepted(large, accepted):
    gateway, request = large
    path = f"/api/products/{request}/"
    plain = gateway.get(path)
    answer = gateway.get(path, {"Accept-Encoding": accepted})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < len(plain.body) / 5
    assert gzip.decompress(answer.body) == plain.body
    assert len(json.loads(plain.body)["products"]) == 2000


@pytest.mark.parametrize(
    "accepted",
    ["", "identity", "br", "deflate", "gzip;q=0", "gzip;q=0.0", "gzip;q=0.000", "*;q=0"]
    + ["gzip;q=0, *", "gzipped", "x", "identity, *;q=0", "br;q=1, gzip; q=0"],
)
def test_json_is_plain_where_gzip_is_not_accepted(large, accepted):
    gateway, request = large
    answer = gateway.get(f"/api/products/{request}/", {"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert len(answer.json()["products"]) == 2000


@pytest.mark.parametrize("accepted", ["*", "br\r\nAccept-Encoding: gzip"])
def test_where_gzip_is_a_choice(large, accepted):
    gateway, request = large
    head = f"GET /api/products/{request}/ HTTP/1.1\r\nHost: localhost\r\n"
    answer = gateway.raw(f"{head}Accept-Encoding: {accepted}\r\n\r\n".encode())
    if "Content-Encoding" in answer.headers:
        answer.body = gzip.decompress(answer.body)
    assert len(answer.json()["products"]) == 2000


def test_small_json_is_not_gzipped(shop, finished):
    for path in (f"/api/status/{finished}/", f"/api/products/{finished}/", "/healthz"):
        answer = shop.gateway.get(path, {"Accept-Encoding": "gzip"})
        if len(answer.body) < 1000:
            assert "Content-Encoding" not in answer.headers
            answer.json()


def test_images_are_not_gzipped(shop, finished):
    url = shop.products(finished)[0]["output_image_urls"].split(",")[0]
    answer = shop.fetch_output(url, {"Accept-Encoding": "gzip"})
    assert answer.status == 200 and "Content-Encoding" not in answer.headers


def test_a_client_that_understands_gzip_by_curl(large, tmp_path):
    gateway, request = large
    command = ["curl", "-sS", "--noproxy", "*", "--compressed", "-o", tmp_path / "answer"]
    subprocess.run([*command, f"{gateway.base}/api/products/{request}/"], check=True)
    assert len(json.loads((tmp_path / "answer").read_bytes())["products"]) == 2000


# --- HEAD -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/status/{}/", "/api/products/{}/"])
def test_head_has_the_headers_of_get(large, path, coding):
    gateway, request = large
    path, headers = path.format(request), {"Accept-Encoding": coding}
    whole = gateway.get(path, headers)
    with gateway.converse() as conversation:
        line = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\n\r\n".encode()
        for _ in range(2):
            head = conversation.exchange(line, "HEAD")
            assert head.status == whole.status == 200
            for name in ("Content-Length", "Content-Type", "Content-Encoding", "ETag", "Vary"):
                assert head.headers[name] == whole.headers[name], name
        # Not a byte of a body came in between.
        assert conversation.exchange(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200


def test_head_of_an_error(shop):
    path = f"/api/status/{uuid.uuid4()}/"
    whole, head = shop.gateway.get(path), shop.gateway.request("HEAD", path)
    assert (head.status, head.body) == (404, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]


# --- Range on JSON --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["bytes=0-3", "bytes=5-", "bytes=-4", "bytes=0-0", "bytes=0-99999999", "bytes=99999999-"]
    + ["bytes=0-0,2-2", "bytes=5-1", "junk", "lines=1-2", "bytes=-0", "bytes=-99999999"],
)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_range_of_json_does_no_harm(large, value, coding):
    """The answer is whole, or says correctly which part of it was sent, or is an error."""
    gateway, request = large
    for path in ("/healthz", f"/api/status/{request}/", f"/api/products/{request}/"):
        whole = gateway.get(path, {"Accept-Encoding": coding})
        answer = gateway.get(path, {"Accept-Encoding": coding, "Range": value})
        if answer.status == 206:
            assert_part(answer, whole)
        elif answer.status == 416:
            assert_error(answer, "range_not_satisfiable")
        else:
            assert (answer.status, answer.body) == (200, whole.body)


def assert_part(answer, whole):
    unit, _, part = answer.headers["Content-Range"].partition(" ")
    limits, _, total = part.partition("/")
    first, last = map(int, limits.split("-"))
    assert unit == "bytes" and int(total) == len(whole.body)
    assert answer.body == whole.body[first : last + 1]
    assert answer.headers.get("Content-Encoding") == whole.headers.get("Content-Encoding")


@pytest.mark.parametrize("value", ["bytes=0-3", "bytes=5-", "bytes=-4", "bytes=10-20"])
@pytest.mark.parametrize("path", ["/api/nothing/", f"/api/status/{uuid.UUID(int=1)}/", "/api/upload/"])
def test_an_error_is_whole_whatever_the_range(shop, path, value):
    answer = shop.gateway.get(path, {"Range": value})
    assert_error(answer, "not_found", "method_not_allowed")
    assert answer.body == shop.gateway.get(path).body
    assert "Content-Range" not in answer.headers


def test_an_upload_ignores_a_range(shop):
    answer = shop.gateway.upload(shop.csv("small0.jpg"), headers={"Range": "bytes=0-3"})
    assert answer.status == 202
    shop.finish(answer.json()["request_id"])
    assert_error(shop.gateway.upload("", headers={"Range": "bytes=0-3"}), "invalid_upload")
