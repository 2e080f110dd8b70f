"""Uploads: accepted ones become requests, refused ones store nothing."""

import uuid

import pytest

from harness.catalogue import ERROR_TEXT, HEADER, catalogue, one_product
from harness.gateway import BOUNDARY, assert_error, multipart
from harness.images import is_progressive, truncated

TABLES = (
    "imgpress.processing_requests",
    "imgpress.products",
    "imgpress.images",
    "imgpress_internal.upload_parts",
)


def stored_rows(shop):
    return [shop.value(f"SELECT count(*) FROM {table}") for table in TABLES]


def assert_refused(shop, answer_of, *codes):
    """Returns the details of the error."""
    before = stored_rows(shop)
    error = assert_error(answer_of(), *(codes or ["invalid_upload"]))
    assert stored_rows(shop) == before
    return error.get("details")


def field_fault(field, message):
    return {"line": None, "column": None, "field": field, "message": message}


@pytest.mark.parametrize("path", ["/api/upload/", "/api/upload"])
def test_upload_answers_202_with_an_id(shop, path):
    answer = shop.gateway.upload(shop.csv("small0.jpg"), path)
    assert answer.status == 202
    assert answer.headers["Content-Type"].startswith("application/json")
    request = answer.json()["request_id"]
    assert answer.json() == {"request_id": request}
    assert str(uuid.UUID(request)) == request
    assert answer.headers["Location"] == f"/api/status/{request}/"
    assert answer.headers["Retry-After"] == "1"
    assert shop.gateway.get(answer.headers["Location"]).json()["request_id"] == request
    assert shop.wait(request) == "Completed"


def test_columns_that_are_not_used_are_named(shop):
    csv = (
        "S. No.,Colour,Product Name,Input Image Urls,Size\n" + f"1,red,A,{shop.origin.url('a')},M\n"
    )
    answer = shop.gateway.upload(csv)
    assert answer.status == 202 and answer.json()["ignored_columns"] == ["Colour", "Size"]


def test_missing_file(shop):
    """Other faults are told with it, and a misspelt name."""
    headers, body = multipart({"quality": 0, "File": "a,b"})
    post = lambda: shop.gateway.request("POST", "/api/upload/", body, headers)  # noqa: E731
    messages = {fault["field"]: fault["message"] for fault in assert_refused(shop, post)}
    assert set(messages) == {"file", "File", "quality"}
    assert messages["file"] == 'the form has no field "file" with the CSV'
    assert messages["File"] == 'unknown field "File"; did you mean "file"?'


def test_two_files(shop):
    headers, body = multipart({}, file_bytes=shop.csv("small0.jpg").encode())
    twice = body[: body.rindex(b"--" + BOUNDARY.encode() + b"--")] + body
    post = lambda: shop.gateway.request("POST", "/api/upload/", twice, headers)  # noqa: E731
    (fault,) = assert_refused(shop, post)
    assert (fault["field"], fault["message"]) == ("file", "file is given more than once")


def test_empty_file(shop):
    details = assert_refused(shop, lambda: shop.gateway.upload(""))
    assert details and all(fault["field"] == "file" for fault in details)


@pytest.mark.parametrize(
    "fields",
    [
        {"quality": 0},
        {"quality": 101},
        {"quality": "high"},
        {"quality": "50; DROP TABLE x"},
        {"quality": "5e1"},
        {"quality": "null"},
        {"quality": "[50]"},
        {"quality": "9" * 100},
        {"effort": "turbo"},
        {"effort": "Fast"},
        {"effort": "50"},
        {"webhook_url": "ftp://127.0.0.1/done"},
        {"webhook_url": "nonsense"},
        {"webhook_url": "http://127.0.0.1/" + 5000 * "x"},
        {"webhook_url": "http://127.0.0.1/\r\nX-A: b"},
        {"accept_truncated": "maybe"},
    ],
    ids=lambda fields: "=".join(map(str, *fields.items()))[:40],
)
def test_bad_parameter(shop, fields):
    csv = shop.csv("small0.jpg")
    (fault,) = assert_refused(shop, lambda: shop.gateway.upload(csv, **fields))
    (name,) = fields
    assert fault == field_fault(name, fault["message"]) and name in fault["message"]


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("quality", "0", 'quality must be an integer from 1 to 100, not "0"'),
        ("quality", "+40", 'quality must be an integer from 1 to 100, not "+40"'),
        ("effort", "turbo", 'effort must be fast, balanced or small, not "turbo"'),
        ("qualty", "30", 'unknown field "qualty"; did you mean "quality"?'),
        ("Quality", "30", 'unknown field "Quality"; did you mean "quality"?'),
        ("webhook", "http://a.example/", 'unknown field "webhook"; did you mean "webhook_url"?'),
    ],
)
def test_the_error_of_a_bad_field_says_what_is_allowed(shop, field, value, message):
    answer = shop.gateway.upload(shop.csv("small0.jpg"), **{field: value})
    error = assert_error(answer, "invalid_upload")
    assert error["error"] == message
    assert error["details"] == [field_fault(field, message)]


def test_an_unknown_field_like_no_other(shop):
    answer = shop.gateway.upload(shop.csv("small0.jpg"), colour_of_the_cat="red")
    (fault,) = assert_error(answer, "invalid_upload")["details"]
    assert fault["field"] == "colour_of_the_cat"
    assert fault["message"].startswith('unknown field "colour_of_the_cat"')


def test_unknown_fields_are_refused_even_if_they_are_empty(shop):
    details = assert_refused(shop, lambda: shop.gateway.upload(shop.csv("small0.jpg"), qualty=""))
    assert [fault["field"] for fault in details] == ["qualty"]


def test_a_field_of_sql_does_not_reach_sql(shop):
    names = ["'; DROP TABLE imgpress.images; --", '"', "\\", "request_id", "upload_id", "options"]
    for name in names:
        answer = shop.gateway.upload(shop.csv("small0.jpg"), **{name.replace('"', "%22"): "1"})
        assert_error(answer, "invalid_upload")


def test_all_faults_come_together(shop):
    csv = catalogue([("one", "SKU1", [shop.origin.url("small0.jpg")]), (2, "", ["nothing"])])
    fields = {"quality": 0, "effort": "turbo", "qualty": 1, "webhook_url": "nonsense"}
    details = assert_refused(shop, lambda: shop.gateway.upload(csv, **fields))
    assert {fault["field"] for fault in details[:4]} == set(fields)
    assert all(fault["line"] is None and fault["column"] is None for fault in details[:4])
    in_file = [(fault["field"], fault["line"], fault["column"]) for fault in details[4:]]
    assert sorted(in_file) == [
        ("file", 2, "Serial Number"),
        ("file", 3, "Input Image Urls"),
        ("file", 3, "Product Name"),
    ]


def test_every_fault_is_reported_with_its_line(shop):
    good = shop.origin.url("small0.jpg")
    lines = [
        ",".join(HEADER),
        f"1,SKU1,{good}",
        f"two,SKU2,{good}",
        f"3,,{good}",
        "4,SKU4,",
        "five,,nothing",
        f'6,"SKU6\nin two lines",{good}',
        f"7.5,SKU7,{good}",
    ]
    details = assert_refused(shop, lambda: shop.gateway.upload("\n".join(lines)))
    reported = [(fault["line"], fault["column"]) for fault in details]
    assert [line for line, _ in reported] == sorted(line for line, _ in reported)
    assert sorted(reported) == [
        (3, "Serial Number"),
        (4, "Product Name"),
        (5, "Input Image Urls"),
        (6, "Input Image Urls"),
        (6, "Product Name"),
        (6, "Serial Number"),
        (9, "Serial Number"),
    ]
    assert all(fault["message"] and fault["field"] == "file" for fault in details)


@pytest.mark.parametrize("name", [b"Caf\xe9", b"zero \0 byte", b"\xed\xa0\x80"])
def test_not_utf8(shop, name):
    csv = one_product(shop.origin.url("small0.jpg"), name="NAME").encode().replace(b"NAME", name)
    details = assert_refused(shop, lambda: shop.gateway.upload(csv, quality=0))
    assert [fault["field"] for fault in details] == ["quality", "file"]


def test_quality_is_obeyed(shop):
    sizes = {}
    for quality in (20, 80):
        csv = shop.csv("mug-front.jpg")
        request = shop.gateway.upload(csv, quality=quality).json()["request_id"]
        output = shop.finish(request)[0]["output_image_urls"]
        sizes[quality] = len(shop.fetch_output(output).body)
    assert sizes[20] * 1.5 < sizes[80]


def test_effort_is_obeyed(shop):
    outputs = {}
    for effort in ("fast", "small", "", None):
        fields = {} if effort is None else {"effort": effort}
        csv = shop.csv("mug-front.jpg")
        request = shop.gateway.upload(csv, **fields).json()["request_id"]
        outputs[effort] = shop.fetch_output(shop.finish(request)[0]["output_image_urls"]).body
    assert len(outputs["small"]) < len(outputs[None]) < len(outputs["fast"])
    assert outputs[""] == outputs[None]
    assert [effort for effort in outputs if is_progressive(outputs[effort])] == ["small"]


def test_every_option_is_a_field(shop):
    shop.origin.add("most-of-a-mug.jpg", truncated(shop.origin.content("mug-front.jpg"), 0.95))
    csv = shop.csv("most-of-a-mug.jpg")
    for accepted in ("false", "true"):
        request = shop.gateway.upload(csv, accept_truncated=accepted).json()["request_id"]
        (product,) = shop.finish(request)
        failed = product["output_image_urls"] == ERROR_TEXT
        assert failed == (accepted == "false")
