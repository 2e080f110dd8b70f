"""How an upload may be written: multipart forms of all kinds, or a plain CSV."""

import pytest

from harness.catalogue import REFUSED_URL, one_product
from harness.gateway import assert_error

BOUNDARY = b"b0undary"
NAME = "Mug\n--b0undary\nb0undary--"
CSV = one_product(REFUSED_URL, name=NAME).encode()
PLAIN = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module", name="gateway")
def fixture_gateway(shop, unserved):
    """A gateway to a database where accepted uploads stay Pending."""
    with shop.new_gateway(database=unserved) as made:
        yield made


@pytest.fixture(name="stored")
def fixture_stored(shop, unserved):
    """A function that returns (options, webhook URL) of an accepted upload, whose products must be
    those of the file."""

    def look_up(answer):
        assert answer.status == 202, answer.body
        request = answer.json()["request_id"]
        names = "SELECT product_name FROM imgpress.products WHERE request_id = %s"
        assert shop.cluster.query(names, (request,), unserved) == [(NAME,)]
        row = "SELECT options, webhook_url FROM imgpress.processing_requests WHERE id = %s"
        return shop.cluster.query(row, (request,), unserved)[0]

    return look_up


def part(disposition, content, more=b""):
    head = b"Content-Disposition: form-data; " + disposition + b"\r\n" + more + b"\r\n"
    return head + content


def form(*parts, boundary=BOUNDARY, end=b"--\r\n"):
    delimiter = b"--" + boundary
    body = b"".join(delimiter + b"\r\n" + content + b"\r\n" for content in parts)
    return body + delimiter + end


def send(gateway, body, boundary=BOUNDARY, path="/api/upload/"):
    headers = {"Content-Type": b"multipart/form-data; boundary=" + boundary}
    return gateway.request("POST", path, body, headers)


FILE = part(b'name="file"; filename="products.csv"', CSV, b"Content-Type: text/csv\r\n")
QUALITY = part(b'name="quality"', b"40")
EFFORT = part(b'name="effort"', b"small")


@pytest.mark.parametrize(
    "parts",
    [(FILE, QUALITY, EFFORT), (QUALITY, FILE, EFFORT), (QUALITY, EFFORT, FILE)],
    ids=["first", "middle", "last"],
)
def test_the_file_may_come_anywhere(gateway, stored, parts):
    options, _ = stored(send(gateway, form(*parts)))
    assert (options["quality"], options["effort"]) == (40, "small")


FILE_NAMES = {
    "quotes": rb'filename="a\"b.csv"',
    "quotes at the ends": rb'filename="\"\""',
    "percent-encoded quotes": b'filename="a%22b.csv"',
    "semicolons": b'filename="a; name=x; b.csv"',
    "backslashes": rb'filename="C:\fakepath\products.csv"',
    "UTF-8": 'filename="catalogue é \u4e16.csv"'.encode(),
    "Latin-1": b'filename="catalogue \xe9.csv"',
    "empty": b'filename=""',
    "extended": b"filename*=UTF-8''products.csv",
    "both": b"filename=\"products.csv\"; filename*=UTF-8''%e2%82%ac.csv",
    "long": b'filename="' + b"a" * 4000 + b'.csv"',
}


@pytest.mark.parametrize("name", FILE_NAMES)
def test_any_file_name(gateway, stored, name):
    file = part(b'name="file"; ' + FILE_NAMES[name], CSV, b"Content-Type: text/csv\r\n")
    options, _ = stored(send(gateway, form(file, QUALITY)))
    assert options["quality"] == 40


PARTS = {
    "without a file name": part(b'name="file"', CSV),
    "without a type": part(b'name="file"; filename="a.csv"', CSV),
    "octets": part(
        b'name="file"; filename="a"', CSV, b"Content-Type: application/octet-stream\r\n"
    ),
    "Excel": part(b'name="file"; filename="a"', CSV, b"Content-Type: application/vnd.ms-excel\r\n"),
    "more headers": part(
        b'name="file"; filename="a"', CSV, b"Content-Transfer-Encoding: binary\r\nX-A: b\r\n"
    ),
    "type first": b"Content-Type: text/csv\r\n" + part(b'name="file"; filename="a"', CSV),
    "lower case": part(b'name="file"; filename="a"', CSV).replace(
        b"Content-Disposition", b"content-disposition"
    ),
    "UTF-16": part(b'name="file"; filename="a"', CSV.decode().encode("utf-16")),
}


@pytest.mark.parametrize("name", PARTS)
def test_any_headers_of_the_part(gateway, stored, name):
    stored(send(gateway, form(PARTS[name])))


@pytest.mark.parametrize(
    "boundary",
    [b"-" * 27 + b"1234", b"a" * 70, b"=_a'()+_,-./:=?", b"--", b"x"],
    ids=["dashes", "long", "special", "two dashes", "short"],
)
def test_any_boundary(gateway, stored, boundary):
    body = form(FILE, boundary=boundary)
    stored(send(gateway, body, boundary=b'"' + boundary + b'"'))
    stored(send(gateway, body, boundary=boundary))


@pytest.mark.parametrize(
    "content_type",
    [b"boundary=b0undary; charset=utf-8", b"charset=utf-8; boundary=b0undary"]
    + [b'boundary="b0undary"; charset=utf-8', b"Boundary=b0undary"],
)
def test_parameters_beside_the_boundary(gateway, stored, content_type):
    """Not every version of the library can read them; what it can't is refused."""
    headers = {"Content-Type": b"multipart/form-data; " + content_type}
    answer = gateway.request("POST", "/api/upload/", form(FILE), headers)
    if answer.status == 202:
        stored(answer)
    else:
        assert_error(answer, "bad_request", "invalid_upload", "unsupported_media_type")


def test_preamble_and_epilogue(gateway, stored):
    body = b"This is a form.\r\nIgnore this.\r\n" + form(FILE, QUALITY) + b"The end.\r\n--b0\r\n"
    options, _ = stored(send(gateway, body))
    assert options["quality"] == 40


def test_an_epilogue_that_looks_like_a_part(gateway, stored):
    body = form(FILE) + b"\r\n" + form(QUALITY)
    for cut in range(len(form(FILE)) - 10, len(body), 3):
        options, _ = stored(send_chunks(gateway, [body[:cut], body[cut:]]))
        assert options["quality"] == 50


def send_chunks(gateway, chunks, headers=None):
    own = {"Content-Type": b"multipart/form-data; boundary=" + BOUNDARY}
    return gateway.request("POST", "/api/upload/", iter(chunks), headers or own)


def test_chunks_of_one_byte(gateway, stored):
    body = form(QUALITY, FILE)
    options, _ = stored(send_chunks(gateway, [body[n : n + 1] for n in range(len(body))]))
    assert options["quality"] == 40


def test_chunks_that_end_anywhere(gateway, stored):
    body = form(QUALITY, FILE, EFFORT)
    refused = []
    for cut in range(1, len(body)):
        answer = send_chunks(gateway, [body[:cut], body[cut:]])
        if answer.status != 202:
            refused.append((body[:cut][-10:], body[cut:][:10]))
            continue
        options, _ = stored(answer)
        assert (options["quality"], options["effort"]) == (40, "small"), cut
    assert refused == []


def test_packets_that_end_anywhere(gateway, stored):
    """The body comes in pieces, each of which the gateway has read before the next one is sent."""
    body = form(QUALITY, FILE)
    head = b"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(body)
    head += b"Content-Type: multipart/form-data; boundary=" + BOUNDARY + b"\r\n"
    for cut in (1, 2, 5, 9, 10, 11, 12, 40, len(body) - 12, len(body) - 5, len(body) - 1):
        with gateway.converse() as conversation:
            conversation.send(head + b"Expect: 100-continue\r\n\r\n")
            assert conversation.read().status == 100
            conversation.send(body[:cut])
            conversation.wait_until_read()
            conversation.send(body[cut:])
            options, _ = stored(conversation.read())
            assert options["quality"] == 40


# --- fields ---------------------------------------------------------------------------------------


def test_empty_fields_take_the_default(gateway, stored):
    fields = [part(b'name="%s"' % name, b"") for name in (b"quality", b"effort", b"webhook_url")]
    options, webhook_url = stored(send(gateway, form(*fields, FILE)))
    assert (options["quality"], options["effort"], webhook_url) == (50, "balanced", None)


FIELD_FAULTS = {
    "twice": ("quality", [QUALITY, part(b'name="quality"', b"50")]),
    "twice the same": ("quality", [QUALITY, QUALITY]),
    "once empty": ("quality", [QUALITY, part(b'name="quality"', b"")]),
    "no UTF-8": ("effort", [part(b'name="effort"', b"f\xe4st")]),
    "surrogate": ("webhook_url", [part(b'name="webhook_url"', b"http://a/\xed\xa0\x80")]),
    "zero": ("webhook_url", [part(b'name="webhook_url"', b"http://a.example/\0")]),
    "JSON": ("quality", [part(b'name="quality"', b'"50"')]),
    "unknown": ("n\u00e4me", [part('name="n\u00e4me"'.encode(), b"x")]),
    "unknown twice": ("qualty", [part(b'name="qualty"', b"1"), part(b'name="qualty"', b"2")]),
}


@pytest.mark.parametrize("name", FIELD_FAULTS)
def test_a_fault_of_a_field(gateway, name):
    field, parts = FIELD_FAULTS[name]
    error = assert_error(send(gateway, form(*parts, FILE)), "invalid_upload")
    assert [fault["field"] for fault in error["details"]] == [field]


ODD_FIELDS = {
    "no name": part(b'filename="x"', b"x"),
    "no disposition": b"X-A: b\r\n\r\nx",
    "no headers": b"\r\nx",
    "empty name": part(b'name=""', b"x"),
    "name that is no UTF-8": part(b'name="\xff"', b"x"),
    "name with a zero": part(b'name="a\0b"', b"x"),
    "name of 4 kB": part(b'name="' + b"a" * 4000 + b'"', b"x"),
    "name of 20 kB": part(b'name="' + b"a" * 20_000 + b'"', b"x"),
    "name without quotes": part(b"name=qualty", b"x"),
    "value of 1 MB": part(b'name="quality"', b"5" * 1_000_000),
    "value of 1 MB with a file name": part(b'name="quality"; filename="a"', b"5" * 1_000_000),
}


@pytest.mark.parametrize("name", ODD_FIELDS)
@pytest.mark.parametrize("place", ["before", "behind"])
def test_an_odd_field_is_refused(gateway, name, place):
    parts = (ODD_FIELDS[name], FILE) if place == "before" else (FILE, ODD_FIELDS[name])
    assert_error(send(gateway, form(*parts)), "invalid_upload", "bad_request", "too_large")


def test_a_great_many_fields_are_refused(gateway):
    fields = [part(b'name="f%d"' % n, b"x") for n in range(20_000)]
    before = gateway.peak_memory_kib()
    assert_error(send(gateway, form(*fields, FILE)), "invalid_upload", "bad_request", "too_large")
    assert gateway.peak_memory_kib() - before < 32 * 1024


@pytest.mark.parametrize(
    "body",
    [
        form(FILE, FILE),
        form(QUALITY),
        form(),
        form(part(b'name="file"; filename=""', b"")),
        b"",
        b"--" + BOUNDARY + b"--\r\n",
        CSV,
        form(FILE)[:-4],
        form(FILE, end=b"\r\n"),
        form(FILE)[:40],
        form(FILE).replace(b"\r\n", b"\n"),
        form(FILE, boundary=b"another"),
    ],
    ids=["two files", "no file", "no part", "empty file", "nothing", "end only", "no form"]
    + ["end cut off", "no end", "cut in a head", "LF", "another boundary"],
)
def test_a_form_that_is_refused(gateway, body):
    assert_error(send(gateway, body), "invalid_upload", "bad_request")


@pytest.mark.parametrize(
    "parameters", ["", "; boundary=", '; boundary=""', "; x=y", "; boundary=" + "b" * 5000]
)
def test_a_form_without_a_usable_boundary(gateway, parameters):
    headers = {"Content-Type": "multipart/form-data" + parameters}
    answer = gateway.request("POST", "/api/upload/", form(FILE), headers)
    assert_error(answer, "bad_request", "invalid_upload", "unsupported_media_type")


# --- a plain CSV, and query parameters ------------------------------------------------------------

QUERIES = {
    "?quality=40&effort=small": (40, "small", None),
    "?quality=%340&&effort=small&": (40, "small", None),
    "?quality=&effort=": (50, "balanced", None),
    "?quality": (50, "balanced", None),
    "?webhook_url=http%3A%2F%2Fa.example%2F%3Fb%3Dc%26d%2Be": (
        50,
        "balanced",
        "http://a.example/?b=c&d+e",
    ),
    "?webhook_url=http://a.example/b": (50, "balanced", "http://a.example/b"),
}


@pytest.mark.parametrize("query", QUERIES)
def test_query_parameters_are_fields(gateway, stored, query):
    plain = gateway.request("POST", "/api/upload/" + query, CSV, PLAIN)
    in_form = send(gateway, form(FILE), path="/api/upload" + query)
    for answer in (plain, in_form):
        options, webhook_url = stored(answer)
        assert (options["quality"], options["effort"], webhook_url) == QUERIES[query]


@pytest.mark.parametrize(
    "query, field",
    [("quality=0", "quality"), ("qualty=40", "qualty"), ("quality=40&quality=50", "quality")]
    + [("effort=f%e4st", "effort"), ("webhook_url=http://a/%00", "webhook_url")],
)
def test_faults_of_query_parameters(gateway, query, field):
    plain = gateway.request("POST", f"/api/upload/?{query}", CSV, PLAIN)
    in_form = send(gateway, form(FILE), path=f"/api/upload/?{query}")
    for answer in (plain, in_form):
        error = assert_error(answer, "invalid_upload")
        assert [fault["field"] for fault in error["details"]] == [field]


def test_a_field_in_the_form_and_in_the_query(gateway):
    answer = send(gateway, form(QUALITY, FILE), path="/api/upload/?quality=50")
    error = assert_error(answer, "invalid_upload")
    assert [fault["field"] for fault in error["details"]] == ["quality"]


@pytest.mark.parametrize(
    "content_type",
    ["text/csv", "text/csv; charset=utf-8", "text/csv;charset=UTF-8;header=present", "Text/CSV"],
)
def test_a_plain_csv(gateway, stored, content_type):
    stored(gateway.request("POST", "/api/upload/", CSV, {"Content-Type": content_type}))
    stored(send_chunks(gateway, [CSV[:10], CSV[10:]], {"Content-Type": content_type}))


def test_faults_of_a_plain_csv(gateway):
    for body in (b"", CSV + b"x,,\n", b"nonsense"):
        error = assert_error(gateway.request("POST", "/api/upload/", body, PLAIN), "invalid_upload")
        assert error["details"] and {fault["field"] for fault in error["details"]} == {"file"}


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/csvx", "application/json", "application/x-www-form-urlencoded"]
    + ["application/vnd.ms-excel", "multipart/mixed; boundary=b0undary", "csv", "text/", "*/*"],
)
def test_another_type_is_415(gateway, content_type):
    answer = gateway.request("POST", "/api/upload/", CSV, {"Content-Type": content_type})
    assert "curl " in assert_error(answer, "unsupported_media_type")["hint"]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "x"])
def test_a_compressed_body_is_415(gateway, coding):
    headers = PLAIN | {"Content-Encoding": coding}
    for body in (CSV, iter([CSV])):
        answer = gateway.request("POST", "/api/upload/", body, headers)
        assert "curl " in assert_error(answer, "unsupported_media_type")["hint"]
