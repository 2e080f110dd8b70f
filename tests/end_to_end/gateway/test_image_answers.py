"""Images over HTTP: HEAD, parts, validators."""

import pytest

from harness.gateway import assert_error


@pytest.fixture(scope="module", name="image")
def fixture_image(shop):
    """(path, answer) of an output image."""
    request = shop.gateway.upload(shop.csv("mug-front.jpg")).json()["request_id"]
    (product,) = shop.finish(request)
    path = shop.output_path(product["output_image_urls"])
    return path, shop.gateway.get(path)


def test_headers(shop, image):
    path, whole = image
    assert whole.status == 200 and whole.headers["Content-Type"] == "image/jpeg"
    assert whole.headers["ETag"].startswith('"')
    assert "immutable" in whole.headers["Cache-Control"]
    head = shop.gateway.request("HEAD", path)
    for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control", "Last-Modified"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "image/jpeg\r\nX-Evil: 1", ""])
def test_an_image_is_inert(shop, content_type):
    """Whatever its bytes are, and whatever the database says that they are."""
    request = shop.submit("small0.jpg?inert")  # its bytes are shared with no other request
    (product,) = shop.finish(request)
    shop.sql(
        "UPDATE imgpress_internal.blobs b SET content_type = %s, bytes = %s "
        "FROM imgpress_internal.image_outputs o WHERE o.blob_id = b.blob_id AND o.request_id = %s",
        content_type,
        b"<script>alert(document.cookie)</script>",
        request,
    )
    path = shop.output_path(product["output_image_urls"])
    answer = shop.gateway.get(path)
    shop.sql("DELETE FROM imgpress.processing_requests WHERE id = %s", request)
    assert answer.status == 200 and b"<script>" in answer.body
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "X-Evil" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert "sandbox" in policy and "default-src 'none'" in policy
    assert answer.headers["Content-Disposition"] == "inline"


def wanted_parts(size):
    return {
        "bytes=0-99": (0, 100),
        "bytes=0-0": (0, 1),
        "bytes=100-": (100, size),
        "bytes=-100": (size - 100, size),
        f"bytes=0-{size - 1}": (0, size),
        f"bytes=0-{size}": (0, size),
        f"bytes={size - 1}-": (size - 1, size),
        f"bytes={size - 5}-{size + 5}": (size - 5, size),
        "bytes=10-99999999999999": (10, size),
        f"bytes=-{size}": (0, size),
        f"bytes=-{size + 1}": (0, size),
        "bytes=-99999999999999": (0, size),
    }


def test_one_range(shop, image):
    path, whole = image
    size = len(whole.body)
    for value, (first, end) in wanted_parts(size).items():
        answer = shop.gateway.get(path, {"Range": value})
        assert answer.status == 206, value
        assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{size}", value
        assert answer.body == whole.body[first:end], value
        assert int(answer.headers["Content-Length"]) == end - first
        for name in ("ETag", "Content-Type", "Cache-Control"):
            assert answer.headers[name] == whole.headers[name]


def test_a_range_beyond_the_end(shop, image):
    path, whole = image
    size = len(whole.body)
    for value in (f"bytes={size}-", f"bytes={size}-{size + 10}", "bytes=99999999999999-"):
        answer = shop.gateway.get(path, {"Range": value})
        assert_error(answer, "range_not_satisfiable")
        assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "value", ["bytes=0-0,2-2", "bytes=0-1, 0-1", "bytes=-1,-1", "bytes=" + ",".join(["0-"] * 1000)]
)
def test_more_than_one_range(shop, image, value):
    path, _ = image
    assert_error(shop.gateway.get(path, {"Range": value}), "range_not_satisfiable")


def test_two_range_headers(shop, image):
    path, whole = image
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
    answer = shop.gateway.raw(f"{head}Range: bytes=0-0\r\nRange: bytes=2-2\r\n\r\n".encode())
    assert answer.status in (206, 416)
    assert answer.status == 416 or answer.body in (whole.body[0:1], whole.body[2:3])


@pytest.mark.parametrize(
    "value",
    ["junk", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-1", "bytes=--1", "lines=0-1"]
    + ["bytes=0x0-0x1", "bytes=1", "Bytes=0-1", "bytes =0-1", "bytes=0 - 1", "bytes=-0"]
    + ["bytes=99999999999999999999-", "bytes=0-99999999999999999999"],
)
def test_a_malformed_range(shop, image, value):
    """Ignored or refused, but never answered by something else than the image or a part of it."""
    path, whole = image
    answer = shop.gateway.get(path, {"Range": value})
    if answer.status == 200:
        assert answer.body == whole.body
    elif answer.status == 206:
        assert 0 < len(answer.body) == int(answer.headers["Content-Length"])
        assert answer.body in whole.body
    else:
        assert_error(answer, "range_not_satisfiable")


@pytest.mark.parametrize("value", ["bytes=0-9", "bytes=99999999999999-", "bytes=0-0,2-2", "junk"])
def test_a_range_with_head(shop, image, value):
    """The answer has no body, and the next request on the connection is answered."""
    path, whole = image
    with shop.gateway.converse() as conversation:
        line = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nRange: {value}\r\n\r\n".encode()
        head = conversation.exchange(line, "HEAD")
        assert head.status in (200, 206, 416)
        if head.status == 200:
            assert int(head.headers["Content-Length"]) == len(whole.body)
        if head.headers.get("Connection") == "close":
            assert conversation.ended()
        else:
            answer = conversation.exchange(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answer.json() == {"status": "ok"}


def test_if_none_match_comes_before_the_range(shop, image):
    path, whole = image
    headers = {"If-None-Match": whole.headers["ETag"], "Range": "bytes=0-9"}
    answer = shop.gateway.get(path, headers)
    assert (answer.status, answer.body) == (304, b"")
    beyond = headers | {"Range": "bytes=99999999999999-"}
    assert shop.gateway.get(path, beyond).status in (304, 416)


def test_a_304_keeps_the_connection(shop, image):
    path, whole = image
    etag = whole.headers["ETag"]
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {etag}\r\n\r\n".encode()
    with shop.gateway.converse() as conversation:
        for _ in range(3):
            assert conversation.exchange(request).status == 304


@pytest.mark.parametrize(
    "change",
    [("/1/", "/2/"), ("/1/", "/0/"), ("/1/", "/-1/"), ("/1/", "/1e0/")]
    + [("/1/", "/99999999999999999999/"), ("/1/", "/2147483648/"), ("/1/", "//")],
)
def test_an_unknown_image(shop, image, change):
    path, _ = image
    for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}):
        assert_error(shop.gateway.get(path.replace(*change), headers), "not_found")


def test_an_image_that_failed_has_no_output(shop):
    request = shop.gateway.upload(shop.csv("missing.jpg")).json()["request_id"]
    shop.finish(request)
    assert_error(shop.gateway.get(f"/images/{request}/1/missing_compressed.jpg"), "not_found")


def test_a_path_in_front_of_the_images_is_ignored(shop, image):
    """For reverse proxies that leave their own prefix there."""
    path, whole = image
    for prefix in ("/shop", "/a/b/c"):
        assert shop.gateway.get(prefix + path).body == whole.body
