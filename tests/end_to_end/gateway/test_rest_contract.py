"""The REST endpoints: shapes, words, status codes, and that a refused upload leaves nothing."""

import json
import re
import shutil
import subprocess
import uuid
from email.utils import parsedate_to_datetime

import pytest

from harness.catalogue import ERROR_TEXT, HEADER, catalogue, one_product, split_urls
from harness.images import is_progressive

TABLES = (
    "imgpress.processing_requests",
    "imgpress.products",
    "imgpress.images",
    "imgpress_internal.upload_parts",
)


def stored_rows(shop):
    return [shop.value(f"SELECT count(*) FROM {table}") for table in TABLES]


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


def output_paths(shop, finished):
    """Paths of the good outputs."""
    outputs = [product["output_image_urls"] for product in shop.products(finished[0])]
    urls = [url for output in outputs for url in split_urls(output)]
    return [shop.output_path(url) for url in urls if url.startswith("http")]


def read_answers(connection, count):
    """The next JSON answers on a connection on which several were asked for."""
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
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unknown_id_is_one_whether_it_could_exist_or_not(shop, kind, method):
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
def test_a_whole_url_as_target(shop, finished, base):
    request, _ = finished
    answer = shop.gateway.get(f"{base}/api/status/{request}/")
    assert answer.status == 200 and answer.json()["status"] == "Completed"
    assert shop.gateway.get(base).headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "head", ["GET /healthz\r\n", "GET /healthz HTTP/1.1\r\nHost: a\nX: b\r\n", "\x16\x03\r\n"]
)
def test_a_malformed_head_is_answered(shop, head):
    assert_error(shop.gateway.raw(head.encode() + b"\r\n"), 400)


def test_requests_in_a_row(shop, finished):
    """Sent at once on one connection, in pieces that end anywhere; answered in their order."""
    request, _ = finished
    paths = ["/healthz", f"/api/products/{request}/", f"/api/status/{request}/"]
    requests = "".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths).encode()
    with shop.gateway.connect() as connection:
        for cut in (1, 20, len(requests) - 3, len(requests)):
            connection.sendall(requests[:cut])
            connection.sendall(requests[cut:])
            answers = read_answers(connection, len(paths))
            assert [sorted(answer) for answer in answers] == [
                ["status"],
                ["products", "request_id"],
                ["request_id", "status"],
            ]


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
    csv = one_product(shop.origin.url("small0.jpg"))
    assert_refused(shop, lambda: shop.gateway.upload(csv, **fields), 400)


def test_a_bad_parameter_comes_with_its_remedy(shop):
    answers = {
        quality: shop.gateway.upload(one_product(shop.origin.url("small0.jpg")), quality=quality)
        for quality in ("0", "+40")
    }
    for quality, answer in answers.items():
        assert answer.status == 400
        told = f'quality must be an integer from 1 to 100, not "{quality}"'
        assert answer.json() == {"error": told, "details": []}
    answer = shop.gateway.upload(one_product(shop.origin.url("small0.jpg")), effort="turbo")
    assert answer.json() == {
        "error": 'effort must be fast, balanced or small, not "turbo"',
        "details": [],
    }


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


def test_effort_is_obeyed(shop):
    outputs = {}
    for effort in ("fast", "small", "", None):
        fields = {} if effort is None else {"effort": effort}
        csv = one_product(shop.origin.url("mug-front.jpg"))
        request = shop.gateway.upload(csv, **fields).json()["request_id"]
        outputs[effort] = shop.fetch_output(shop.finish(request)[0]["output_image_urls"]).body
    assert len(outputs["small"]) < len(outputs[None]) < len(outputs["fast"])
    assert outputs[""] == outputs[None]
    assert [effort for effort in outputs if is_progressive(outputs[effort])] == ["small"]


def test_every_option_is_a_field(shop):
    most = shop.origin.content("mug-front.jpg")
    shop.origin.add("most-of-a-mug.jpg", most[: len(most) * 95 // 100])
    csv = one_product(shop.origin.url("most-of-a-mug.jpg"))
    for accepted in ("false", "true"):
        request = shop.gateway.upload(csv, accept_truncated=accepted).json()["request_id"]
        (product,) = shop.finish(request)
        failed = product["output_image_urls"] == "Error processing image"
        assert failed == (accepted == "false")


def test_fields_that_are_not_used_are_told(shop):
    csv = one_product(shop.origin.url("small0.jpg"))
    answer = shop.gateway.upload(csv, qualty="30", note=10_000 * "x", quality="")
    assert answer.status == 202
    assert sorted(answer.json()["ignored_fields"]) == ["note", "qualty"]
    assert "ignored_fields" not in shop.gateway.upload(csv, quality="30").json()


# Enough of a browser for the page's script to load.
STUB = """
const node = () => new Proxy(function () {}, {
  get: (_, name) => name === 'tBodies' ? [node()] : node(), apply: node, set: () => true });
globalThis.document = { getElementById: node };
"""


@pytest.fixture(scope="module", name="page")
def fixture_page(shop):
    """A function that evaluates a JavaScript expression with the page's own script."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    html = shop.gateway.get("/").body.decode()
    (script,) = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)

    def evaluate(expression):
        # The page's names are those of its script, so the expression is evaluated right there.
        program = f"{STUB}\n{script.replace('form.addEventListener', 'void ', 1)}"
        program += f"\nconsole.log(JSON.stringify({expression}));"
        command = ["node", "-"]
        done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluate


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://a/images/1/1/x%2Cy_compressed.jpg", "x,y_compressed.jpg"),
        ("http://a/images/1/1/sch%C3%B6n_compressed.jpg", "sch\u00f6n_compressed.jpg"),
        ("http://a/images/1/1/%ff_compressed.jpg", "%ff_compressed.jpg"),
        (ERROR_TEXT, ERROR_TEXT),
    ],
)
def test_page_shows_names_as_people_write_them(page, url, name):
    assert page(f"nameOf({json.dumps(url)})") == name


def test_page_tells_how_many_images_failed(page):
    good = {"output_image_urls": "http://a/1.jpg,http://a/2.jpg"}
    bad = {"output_image_urls": f"http://a/1.jpg,{ERROR_TEXT},{ERROR_TEXT}"}
    assert page(f"summaryOf({json.dumps([good])})")["text"] == ""
    text = page(f"summaryOf({json.dumps([good, bad])})")["text"]
    assert text == " 2 images failed, in 1 of 2 products."


def test_page_shows_failures_first_where_not_all_fit(page):
    good = {"output_image_urls": "http://a/1.jpg"}
    bad = {"output_image_urls": ERROR_TEXT}
    told = page(f"summaryOf({json.dumps([good] * 600 + [bad])})")
    assert told["shown"] == [bad] + [good] * 499
    assert "1 image failed" in told["text"] and "500 of 601" in told["text"]
