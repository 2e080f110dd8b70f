"""The REST endpoints: shapes, words, status codes, and that a refused upload leaves nothing."""

import subprocess
import uuid

import pytest

from harness.catalogue import HEADER, catalogue, one_product, split_urls

TABLES = ("processing_requests", "products", "images", "upload_parts")


def stored_rows(shop):
    return [shop.value(f"SELECT count(*) FROM imgpress.{table}") for table in TABLES]


def assert_error(answer, *statuses):
    """Every error is JSON with the field error."""
    assert answer.status in statuses, answer.body
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["error"]


def assert_refused(shop, answer_of, *statuses):
    before = stored_rows(shop)
    answer = answer_of()
    assert_error(answer, *statuses)
    assert stored_rows(shop) == before
    return answer.json()


@pytest.fixture(scope="module", name="finished")
def fixture_finished(shop):
    """(id, input URLs) of an uploaded request that has ended: two good images and a missing one."""
    urls = [shop.origin.url(name) for name in ("small0.jpg", "missing.jpg", "small1.jpg")]
    csv = catalogue([(1, "SKU1", urls[:2]), (2, "SKU2, blue", urls[2:])])
    request = shop.gateway.upload(csv).json()["request_id"]
    shop.finish(request)
    return request, urls


@pytest.mark.parametrize("path", ["/api/upload/", "/api/upload"])
def test_upload_answers_202_with_an_id(shop, path):
    answer = shop.gateway.upload(one_product(shop.origin.url("small0.jpg")), path)
    assert answer.status == 202
    assert answer.headers["Content-Type"].startswith("application/json")
    request = answer.json()["request_id"]
    assert str(uuid.UUID(request)) == request
    assert shop.wait(request) == "Completed"


@pytest.mark.parametrize("slash", ["/", ""])
def test_status(shop, finished, slash):
    request, _ = finished
    answer = shop.gateway.get(f"/api/status/{request}{slash}")
    assert answer.status == 200
    assert answer.json().items() >= {"request_id": request, "status": "Completed"}.items()


def test_status_before_the_end(shop):
    gate = shop.origin.gate("status")
    request = shop.gateway.upload(one_product(shop.origin.url("held/status/small0.jpg"))).json()[
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
    assert bad == "Error processing image"
    assert second["output_image_urls"].endswith("/small1_compressed.jpg")


@pytest.mark.parametrize("kind", ["status", "products"])
@pytest.mark.parametrize("slash", ["/", ""])
def test_unknown_id(shop, kind, slash):
    assert_error(shop.gateway.get(f"/api/{kind}/{uuid.uuid4()}{slash}"), 404)


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
    ],
)
def test_wrong_method(shop, method, path):
    assert_error(shop.gateway.request(method, path), 405)


def test_unknown_path(shop):
    assert_error(shop.gateway.get("/api/nothing/"), 404)


def test_missing_file(shop):
    assert_refused(shop, lambda: shop.gateway.upload(None, quality=40), 400)


def test_empty_file(shop):
    assert assert_refused(shop, lambda: shop.gateway.upload(""), 400)["details"]


def test_not_a_form(shop):
    csv = one_product(shop.origin.url("small0.jpg"))
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
        {"webhook_url": "ftp://127.0.0.1/done"},
        {"webhook_url": "nonsense"},
    ],
)
def test_bad_parameter(shop, fields):
    csv = one_product(shop.origin.url("small0.jpg"))
    assert_refused(shop, lambda: shop.gateway.upload(csv, **fields), 400)


def test_every_fault_is_told_with_its_line(shop):
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
    told = [(fault["line"], fault["column"]) for fault in answer["details"]]
    assert [line for line, _ in told] == sorted(line for line, _ in told)
    assert sorted(told) == [
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
    """curl asks `Expect: 100-continue` before a body of this size."""
    path = tmp_path / "large.csv"
    row = f"x,SKU,{shop.origin.url('small0.jpg')}{'?' + 'a' * 400}\n"
    path.write_text(",".join(HEADER) + "\n" + row * 5000)
    before = stored_rows(shop)
    command = ["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"]
    command += ["-F", f"file=@{path}", f"{shop.public_url}/api/upload/"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "400"
    assert stored_rows(shop) == before


def test_oversize_upload(shop):
    csv = catalogue((n, f"SKU{n}", [shop.origin.url("small0.jpg")]) for n in range(200))
    with shop.new_gateway("--max-upload-bytes", "4000") as gateway:
        assert_refused(shop, lambda: gateway.upload(csv), 413)
        small = gateway.upload(one_product(shop.origin.url("small0.jpg")))
        assert small.status == 202
    shop.finish(small.json()["request_id"])


def test_quality_is_obeyed(shop):
    sizes = {}
    for quality in (20, 80):
        csv = one_product(shop.origin.url("mug-front.jpg"))
        request = shop.gateway.upload(csv, quality=quality).json()["request_id"]
        output = shop.finish(request)[0]["output_image_urls"]
        sizes[quality] = len(shop.fetch_output(output).body)
    assert sizes[20] * 1.5 < sizes[80]
