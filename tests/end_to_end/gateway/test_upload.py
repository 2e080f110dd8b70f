"""Uploads: accepted ones become requests, refused ones store nothing."""

import subprocess
import uuid

import pytest

from harness.catalogue import ERROR_TEXT, HEADER, HEADER_LINE, catalogue, one_product
from harness.gateway import assert_error
from harness.images import is_progressive, truncated



TABLES = (
    "imgpress.processing_requests",
    "imgpress.products",
    "imgpress.images",
    "imgpress_internal.upload_parts",
)


def stored_rows(shop):
    return [shop.value(f"SELECT count(*) FROM {table}") for table in TABLES]


def assert_refused(shop, answer_of, *statuses):
    before = stored_rows(shop)
    answer = answer_of()
    assert_error(answer, *statuses)
    assert stored_rows(shop) == before
    return answer.json()


@pytest.mark.parametrize("path", ["/api/upload/", "/api/upload"])
def test_upload_answers_202_with_an_id(shop, path):
    answer = shop.gateway.upload(shop.csv("small0.jpg"), path)
    assert answer.status == 202
    assert answer.headers["Content-Type"].startswith("application/json")
    request = answer.json()["request_id"]
    assert str(uuid.UUID(request)) == request
    assert shop.wait(request) == "Completed"


def test_missing_file(shop):
    assert_refused(shop, lambda: shop.gateway.upload(None, quality=40), 400)


def test_empty_file(shop):
    assert assert_refused(shop, lambda: shop.gateway.upload(""), 400)["details"]


def test_not_a_form(shop):
    csv = shop.csv("small0.jpg")
    headers = {"Content-Type": "text/csv"}
    post = lambda: shop.gateway.request("POST", "/api/upload/", csv.encode(), headers)  # noqa: E731
    assert_refused(shop, post, 400, 415)


@pytest.mark.parametrize(
    "fields",
    [
        {"quality": 0},
        {"quality": 101},
        {"quality": "high"},
        {"quality": "50; DROP TABLE x"},
        {"effort": "turbo"},
        {"effort": "Fast"},
        {"effort": "50"},
        {"webhook_url": "ftp://127.0.0.1/done"},
        {"webhook_url": "nonsense"},
        {"webhook_url": "http://127.0.0.1/" + 5000 * "x"},
        {"accept_truncated": "maybe"},
    ],
)
def test_bad_parameter(shop, fields):
    csv = shop.csv("small0.jpg")
    assert_refused(shop, lambda: shop.gateway.upload(csv, **fields), 400)


def test_the_error_of_a_bad_parameter_names_the_allowed_values(shop):
    answers = {
        quality: shop.gateway.upload(shop.csv("small0.jpg"), quality=quality)
        for quality in ("0", "+40")
    }
    for quality, answer in answers.items():
        assert answer.status == 400
        error = f'quality must be an integer from 1 to 100, not "{quality}"'
        assert answer.json() == {"error": error, "details": []}
    answer = shop.gateway.upload(shop.csv("small0.jpg"), effort="turbo")
    assert answer.json() == {
        "error": 'effort must be fast, balanced or small, not "turbo"',
        "details": [],
    }


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
    answer = assert_refused(shop, lambda: shop.gateway.upload("\n".join(lines)), 400)
    reported = [(fault["line"], fault["column"]) for fault in answer["details"]]
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
    assert all(fault["message"] for fault in answer["details"])


@pytest.mark.parametrize("name", [b"Caf\xe9", b"zero \0 byte", b"\xed\xa0\x80"])
def test_not_utf8(shop, name):
    csv = one_product(shop.origin.url("small0.jpg"), name="NAME").encode().replace(b"NAME", name)
    assert_refused(shop, lambda: shop.gateway.upload(csv), 400)


def test_large_faulty_upload_by_curl(shop, tmp_path):
    """curl sends `Expect: 100-continue` before a body of this size."""
    path = tmp_path / "large.csv"
    row = f"x,SKU,{shop.origin.url('small0.jpg')}{'?' + 'a' * 400}\n"
    path.write_text(HEADER_LINE + row * 5000)
    before = stored_rows(shop)
    command = ["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"]
    command += ["-F", f"file=@{path}", f"{shop.public_url}/api/upload/"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "400"
    assert stored_rows(shop) == before


def test_oversize_upload(shop):
    csv = catalogue((n, f"SKU{n}", [shop.origin.url("small0.jpg")]) for n in range(200))
    with shop.new_gateway("--max-upload-bytes", "4000") as gateway:
        assert_refused(shop, lambda: gateway.upload(csv), 413)
        small = gateway.upload(shop.csv("small0.jpg"))
        assert small.status == 202
    shop.finish(small.json()["request_id"])


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


def test_fields_that_are_not_used_are_reported(shop):
    csv = shop.csv("small0.jpg")
    answer = shop.gateway.upload(csv, qualty="30", note=10_000 * "x", quality="")
    assert answer.status == 202
    assert sorted(answer.json()["ignored_fields"]) == ["note", "qualty"]
    assert "ignored_fields" not in shop.gateway.upload(csv, quality="30").json()
