"""Requests that are framed wrongly are refused and their connection is closed, so that nothing
behind them is read as a second request.

Each request here is followed by another one on the same connection. If the first is accepted, the
second is answered too, unless the first came in chunks: version 0.11 of the library takes some
malformed chunks for the end of a body, so the gateway closes the connection after each of them. If
the first is refused, the second never gets an answer."""

import pytest

from harness.catalogue import REFUSED_URL, one_product
from harness.gateway import assert_error

NEXT = b"GET /healthz HTTP/1.1\r\nHost: next\r\n\r\n"
SMUGGLED = b"GET /api/smuggled HTTP/1.1\r\nHost: smuggled\r\n\r\n"
CSV = one_product(REFUSED_URL).encode()
LENGTH = b"Content-Length: %d\r\n" % len(CSV)
ONE_CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(CSV), CSV)
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module", name="gateway")
def fixture_gateway(shop, unserved):
    """A gateway to a database where accepted uploads stay Pending."""
    with shop.new_gateway(database=unserved) as made:
        yield made


def get(headers=b"", target=b"/healthz", version=b"HTTP/1.1", body=b"", method=b"GET"):
    line = b" ".join((method, target, version))
    return line + b"\r\nHost: localhost\r\n" + headers + b"\r\n" + body


def post(headers, body=CSV, target=b"/api/upload/", version=b"HTTP/1.1", method=b"POST"):
    return get(b"Content-Type: text/csv\r\n" + headers, target, version, body, method)


def with_length(value, body=CSV):
    return post(b"Content-Length:" + value + b"\r\n", body)


def with_encoding(value, more=b""):
    return post(b"Transfer-Encoding:" + value + b"\r\n" + more, ONE_CHUNK)


def in_chunks(chunks):
    return post(CHUNKED, chunks)


def two_answers(gateway, request, method="GET"):
    """The answers to the request and to the one behind it; None once the connection is closed.
    The library drops what comes in the same packet as a complete request."""
    with gateway.converse() as conversation:
        conversation.send(request)
        conversation.wait_until_read()
        conversation.send(NEXT)
        return conversation.read(method), conversation.read()


def assert_kept(answer):
    assert answer is not None, "the connection is closed"
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


DIGITS = str(len(CSV)).encode()

REFUSED = {
    # Content-Length
    "two lengths": post(LENGTH + LENGTH),
    "two lengths that differ": post(LENGTH + b"Content-Length: 5\r\n"),
    "two lengths in different case": post(LENGTH + b"content-length: 5\r\n"),
    "two lengths of a GET": get(b"Content-Length: 0\r\nContent-Length: 0\r\n"),
    "list of lengths": with_length(b" %s, %s" % (DIGITS, DIGITS)),
    "two numbers": with_length(b" %s %s" % (DIGITS, DIGITS)),
    "plus": with_length(b" +" + DIGITS),
    "minus": with_length(b" -1"),
    "minus zero": with_length(b" -0"),
    "hexadecimal": with_length(b" 0x%x" % len(CSV)),
    "exponent": with_length(b" 1e2"),
    "fraction": with_length(b" " + DIGITS + b".0"),
    "underscore": with_length(b" 1_0"),
    "letters behind": with_length(b" " + DIGITS + b"abc"),
    "semicolon": with_length(b" " + DIGITS + b";"),
    "quoted": with_length(b' "' + DIGITS + b'"'),
    "form feed before": with_length(b" \x0c" + DIGITS),
    "Arabic digits": with_length(" ٤٢".encode()),
    "20 digits": with_length(b" 18446744073709551617"),
    "20 digits that wrap around": with_length(b" %d" % (2**64 + len(CSV))),
    "40 digits": with_length(b" " + b"9" * 40),
    "a word": with_length(b" abc"),
    "encoded line end": with_length(b" " + DIGITS + b"%0d%0a"),
    "zero behind": with_length(b" 0%00" + DIGITS),
    "zero behind chunked": with_encoding(b" chunked%00, identity"),
    "websocket": get(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
    "no number on a GET": get(b"Content-Length: 0x0\r\n"),
    # Transfer-Encoding
    "length and chunked": post(LENGTH + CHUNKED, ONE_CHUNK),
    "chunked and length": post(CHUNKED + LENGTH, ONE_CHUNK),
    "chunked and length zero": post(CHUNKED + b"Content-Length: 0\r\n", ONE_CHUNK),
    "length and another encoding": post(LENGTH + b"Transfer-Encoding: identity\r\n"),
    "chunked twice": post(CHUNKED + CHUNKED, ONE_CHUNK),
    "chunked and identity": post(CHUNKED + b"Transfer-Encoding: identity\r\n", ONE_CHUNK),
    "identity and chunked": post(b"Transfer-Encoding: identity\r\n" + CHUNKED, ONE_CHUNK),
    "chunked, gzip": with_encoding(b" chunked, gzip"),
    "gzip, chunked": with_encoding(b" gzip, chunked"),
    "chunked, chunked": with_encoding(b" chunked, chunked"),
    "gzip": with_encoding(b" gzip"),
    "identity": with_encoding(b" identity"),
    "Chunked": with_encoding(b" Chunked"),
    "CHUNKED": with_encoding(b" CHUNKED"),
    "xchunked": with_encoding(b" xchunked"),
    "chunkedx": with_encoding(b" chunkedx"),
    "chunked with a parameter": with_encoding(b" chunked;q=1"),
    "chunked with a comma": with_encoding(b" chunked,"),
    "vertical tab": with_encoding(b" \x0bchunked"),
    "quoted chunked": with_encoding(b' "chunked"'),
    "body without a length but with an encoding": with_encoding(b" deflate"),
    # Names of headers
    "space before the colon": post(b"Content-Length : %d\r\n" % len(CSV)),
    "tab before the colon": post(b"Content-Length\t: %d\r\n" % len(CSV)),
    "chunked with a space before the colon": post(
        LENGTH + b"Transfer-Encoding : chunked\r\n", ONE_CHUNK
    ),
    "space before a name": post(LENGTH + b" Transfer-Encoding: chunked\r\n"),
    "folded header": post(LENGTH + b"X-A: b\r\n Transfer-Encoding: chunked\r\n"),
    "folded header on a GET": get(b"X-A: b\r\n\tX-B: c\r\n"),
    "no name": get(b": value\r\n"),
    "space in a name": get(b"X A: b\r\n"),
    "parentheses in a name": get(b"(X): b\r\n"),
    "at sign in a name": get(b"X@A: b\r\n"),
    "braces in a name": get(b"{X}: b\r\n"),
    "slash in a name": get(b"X/A: b\r\n"),
    "Latin-1 in a name": get(b"X-\xe9: b\r\n"),
    "zero in a name": get(b"X-\0A: b\r\n"),
    # A body where none belongs
    "length on a GET": get(b"Content-Length: 5\r\n", body=b"hello"),
    "length of a request on a GET": get(b"Content-Length: %d\r\n" % len(SMUGGLED), body=SMUGGLED),
    "chunked GET": get(CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"),
    "empty chunked GET": get(CHUNKED, body=b"0\r\n\r\n"),
    "length on the GET of a status": get(
        b"Content-Length: 5\r\n", b"/api/status/1/", body=b"hello"
    ),
    # Chunks
    "chunk without a size": in_chunks(b"\r\n" + ONE_CHUNK),
    "chunk size that is a word": in_chunks(b"xyz\r\nhello\r\n0\r\n\r\n"),
    "chunk size of 64 bits": in_chunks(b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "chunk size that overflows": in_chunks(b"1" + b"0" * 30 + b"\r\nhello\r\n0\r\n\r\n"),
    "no last chunk": in_chunks(b"5\r\nhello\r\n"),
    # Versions and request lines
    "HTTP/0.9": b"GET /healthz\r\n",
    "no version": b"GET /healthz \r\n\r\n",
    "HTTP/0.9 by name": get(version=b"HTTP/0.9"),
    "HTTP/1.2": get(version=b"HTTP/1.2"),
    "HTTP/1.10": get(version=b"HTTP/1.10"),
    "HTTP/2.0": get(version=b"HTTP/2.0"),
    "lower-case version": get(version=b"http/1.1"),
    "another protocol": get(version=b"SIP/2.0"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "too many words": get(target=b"/healthz /healthz"),
    "line end without CR": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "zero in the target": get(target=b"/health\0z"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "unknown method": get(method=b"FOO"),
    "lower-case method": get(method=b"get"),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
}


def assert_closed(first, second):
    assert first.headers["Connection"] == "close"
    assert second is None


def test_too_many_parameters_do_not_leave_the_body_behind(gateway):
    query = "&".join(f"field{number}=x" for number in range(200)).encode()
    target = b"/api/upload/?" + query
    with gateway.converse() as conversation:
        conversation.send(post(b"Content-Length: %d\r\n" % len(SMUGGLED), b"", target))
        conversation.wait_until_read()
        assert_error(conversation.exchange(SMUGGLED), "bad_request")
        assert conversation.exchange(get()).json() == {"status": "ok"}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_closed(gateway, name):
    first, second = two_answers(gateway, REFUSED[name])
    assert_error(first, "bad_request")
    assert_closed(first, second)


def test_a_chunk_shorter_than_its_data(gateway):
    """Version 0.11 of the library takes it for the end of the body, which is then a short CSV."""
    first, second = two_answers(gateway, in_chunks(b"3\r\nhello\r\n0\r\n\r\n"))
    assert_error(first, "bad_request", "invalid_upload")
    assert_closed(first, second)


LENGTH_REQUIRED = {
    "neither length nor encoding": post(b""),
    "neither, for a form": get(
        b"Content-Type: multipart/form-data; boundary=b\r\n", b"/api/upload/", method=b"POST"
    ),
    "neither, in HTTP/1.0": post(b"", version=b"HTTP/1.0"),
    "length in a header of another name": post(b"Content_Length: %d\r\n" % len(CSV)),
}


@pytest.mark.parametrize("name", LENGTH_REQUIRED)
def test_a_post_without_a_length_is_411(gateway, name):
    first, second = two_answers(gateway, LENGTH_REQUIRED[name])
    assert "curl" in assert_error(first, "length_required")["hint"]
    assert second is None


ACCEPTED = {
    "plain": (get(), 200),
    "length zero on a GET": (get(b"Content-Length: 0\r\n"), 200),
    "tabs around a value": (get(b"X-A:\t b \t\r\n"), 200),
    "empty value": (get(b"X-A:\r\n"), 200),
    "length with tabs": (with_length(b"\t" + DIGITS + b"\t"), 202),
    "length without a space": (with_length(DIGITS), 202),
    "length in capitals": (post(LENGTH.upper()), 202),
    "underscore instead of a hyphen": (post(LENGTH + b"Transfer_Encoding: chunked\r\n"), 202),
    "keep-alive": (get(b"Connection: keep-alive\r\n"), 200),
    "HTTP/1.0 with keep-alive": (get(b"Connection: Keep-Alive\r\n", version=b"HTTP/1.0"), 200),
    "body for an unknown path": (post(LENGTH, target=b"/api/nothing/"), 404),
    "PUT with a body": (post(LENGTH, method=b"PUT"), 405),
    "DELETE with a body": (post(LENGTH, method=b"DELETE"), 405),
    "POST with a body to a status": (post(LENGTH, target=b"/api/status/1/"), 405),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_and_kept(gateway, name):
    request, status = ACCEPTED[name]
    first, second = two_answers(gateway, request)
    assert first.status == status, first.body
    assert_kept(second)


IN_CHUNKS = {
    "one chunk": (in_chunks(ONE_CHUNK), 202),
    "chunked after a tab": (with_encoding(b"\tchunked"), 202),
    "capitals and zeros in chunk sizes": (
        in_chunks(b"%08X\r\n%s\r\n000\r\n\r\n" % (len(CSV), CSV)),
        202,
    ),
    "chunk extension": (
        in_chunks(b'%x;name="value"\r\n%s\r\n0;last\r\n\r\n' % (len(CSV), CSV)),
        202,
    ),
    "chunks for an unknown path": (post(CHUNKED, ONE_CHUNK, b"/api/nothing/"), 404),
    "PATCH in chunks": (post(CHUNKED, ONE_CHUNK, method=b"PATCH"), 405),
}


@pytest.mark.parametrize("name", IN_CHUNKS)
def test_in_chunks_and_closed(gateway, name):
    request, status = IN_CHUNKS[name]
    first, second = two_answers(gateway, request)
    assert first.status == status, first.body
    assert_closed(first, second)


@pytest.mark.parametrize(
    "request_of_one", [get(version=b"HTTP/1.0"), get(b"Connection: close\r\n")]
)
def test_accepted_and_closed(gateway, request_of_one):
    first, second = two_answers(gateway, request_of_one)
    assert_kept(first)
    assert second is None


# What the versions of the library treat differently, or hide from the gateway. It is safe as long
# as a refusal closes the connection, and what is accepted ends where its framing says.
LENIENT = {
    "empty length": with_length(b""),
    "blank length": with_length(b" \t"),
    "empty length on a GET": get(b"Content-Length:\r\n"),
    "empty encoding": post(LENGTH + b"Transfer-Encoding:\r\n"),
    "leading zeros": with_length(b" 000" + DIGITS),
    "percent-encoded length": with_length(b" %%%x" % DIGITS[0] + DIGITS[1:]),
    "percent-encoded encoding": with_encoding(b" chunke%64"),
    "chunked in HTTP/1.0": post(CHUNKED, ONE_CHUNK, version=b"HTTP/1.0"),
    "chunk size with a prefix": in_chunks(b"0x" + ONE_CHUNK),
    "chunk size with a plus": in_chunks(b"+" + ONE_CHUNK),
    "chunk size after a space": in_chunks(b" " + ONE_CHUNK),
    "chunk size before a space": in_chunks(ONE_CHUNK.replace(b"\r\n", b" \r\n", 1)),
    "chunk size with letters": in_chunks(ONE_CHUNK.replace(b"\r\n", b"g\r\n", 1)),
    "chunk line without CR": in_chunks(ONE_CHUNK.replace(b"\r\n", b"\n", 1)),
    "trailer": in_chunks(ONE_CHUNK[:-2] + b"X-A: b\r\n\r\n"),
    "trailer that is a length": in_chunks(ONE_CHUNK[:-2] + LENGTH + b"\r\n"),
    "trailer that is a request": in_chunks(ONE_CHUNK[:-2] + SMUGGLED),
    "line without a colon": get(b"nonsense\r\n"),
    "fold without a colon": get(b"X-A: b\r\n folded\r\n"),
    "header that ends without CR": post(b"X-A: b\n" + LENGTH),
    "encoding that ends without CR": post(b"Transfer-Encoding: chunked\n" + LENGTH),
    "length that ends without CR": post(b"Content-Length: 5\nX-A: b\r\n" + LENGTH),
    "CR inside a value": post(b"X-A: b\rContent-Length: 5\r\n" + LENGTH),
    "zero in a value": get(b"X-A: b\0c\r\n"),
    "percent-encoded line end in a value": post(b"X-A: b%0d%0aContent-Length: 5\r\n" + LENGTH),
    "empty line before the request": b"\r\n" + get(),
    "spaces between the words": get(target=b" /healthz "),
    "two question marks": get(target=b"/healthz?a?b"),
    "DELETE in chunks": post(CHUNKED, ONE_CHUNK, method=b"DELETE"),
    "two content types": post(LENGTH + b"Content-Type: application/json\r\n"),
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": get(b"Host: b\r\n"),
    "upload with a malformed range": post(LENGTH + b"Range: bytes=5-1\r\n"),
    "upload with a range": post(LENGTH + b"Range: bytes=0-1\r\n"),
    "Expect of something else": post(LENGTH + b"Expect: the-spanish-inquisition\r\n"),
}


@pytest.mark.parametrize("name", LENIENT)
def test_consistent_in_any_case(gateway, name):
    first, second = two_answers(gateway, LENIENT[name])
    if second is None and first.status == 202:
        assert_closed(first, second)
    elif second is None:
        codes = ("bad_request", "length_required", "method_not_allowed", "range_not_satisfiable")
        assert_error(first, *codes)
    else:
        assert first.status in (200, 202, 405, 415), first.body
        assert_kept(second)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO"])
@pytest.mark.parametrize(
    "headers, body",
    [
        (b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED),
        (CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
    ],
    ids=["length", "chunked"],
)
def test_a_body_is_never_a_request(gateway, method, headers, body):
    """Methods that usually have no body: the library does not read it for all of them."""
    for target in (b"/healthz", b"/api/upload/", b"/api/nothing/", b"*", b"a:1"):
        request = post(headers, body, target, method=method.encode())
        first, second = two_answers(gateway, request)
        assert_error(first, "method_not_allowed", "not_found", "bad_request")
        assert second is None or second.json() == {"status": "ok"}, (target, second)


@pytest.mark.parametrize(
    "headers, body",
    [
        (b"Content-Length: 5\r\n", b"hello"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"),
        (b"Content-Length: 5, 5\r\n", b""),
    ],
)
def test_a_head_with_a_body_is_refused(gateway, headers, body):
    first, second = two_answers(gateway, get(headers, body=body, method=b"HEAD"), "HEAD")
    assert first.status == 400 and first.headers["Connection"] == "close"
    assert second is None


CUT_SHORT = {
    "in the request line": b"GET /heal",
    "in the head": get()[:-2],
    "in a body": post(b"Content-Length: 100000\r\n"),
    "in a chunk": in_chunks(b"fffff\r\n" + CSV),
    "in a chunk of negative size": in_chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
    "in a chunk of 63 bits": in_chunks(b"7fffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "before the last chunk": in_chunks(b"%x\r\n%s\r\n" % (len(CSV), CSV)),
}


@pytest.fixture(name="requests")
def fixture_requests(shop, unserved):
    """A function that counts the stored requests."""
    return lambda: shop.cluster.scalar(
        "SELECT count(*) FROM imgpress.processing_requests", database=unserved
    )


def answer_to_cut(gateway, request):
    """The answer to a request behind which the client has closed its side. None if there is none, or
    only its head: the library takes such a client for gone."""
    with gateway.converse() as conversation:
        conversation.send(request)
        conversation.socket.shutdown(1)
        answer = conversation.read()
        assert conversation.ended()
        return answer if answer and answer.body else None


@pytest.mark.parametrize("name", CUT_SHORT)
def test_a_request_that_is_cut_short_stores_nothing(gateway, requests, name):
    before = requests()
    answer = answer_to_cut(gateway, CUT_SHORT[name])
    assert answer is None or assert_error(answer, "bad_request", "timeout")
    assert requests() == before


def test_only_the_line_end_behind_the_last_chunk_is_missing(gateway, requests):
    """The body is complete. Newer versions of the library accept it, older ones do not."""
    before = requests()
    answer = answer_to_cut(gateway, in_chunks(ONE_CHUNK[:-2]))
    stored = requests() - before
    assert stored in (0, 1)
    if answer is not None:
        assert_error(answer, "bad_request") if stored == 0 else answer.json()["request_id"]


def test_the_rest_of_a_large_head_is_not_read_as_a_request(gateway):
    """The library gives up inside such a head."""
    hidden = b"X-A: " + b"a" * 9000 + b"\r\n" + SMUGGLED
    for head in (get(hidden), get(b"X-A: b\r\n" * 500 + hidden), get(target=b"/" + b"a" * 9000)):
        first, second = two_answers(gateway, head)
        assert_error(first, "bad_request", "headers_too_large", "uri_too_long")
        assert second is None
