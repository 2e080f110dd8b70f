"""Images that cannot be processed: each leaves the error text in its place and the reason in SQL,
and does not affect other images of the request."""

import re
import time

import pytest

from harness.catalogue import ERROR_TEXT, REFUSED_URL, catalogue, one_product, split_urls
from harness.images import as_seen, decode, encode, jpeg, painting, truncated

# path at the origin -> (error code or None for any, attempts)
FAULTS = {
    "html/a.jpg": ("not_an_image", 1),
    "empty/a.jpg": ("not_an_image", 1),
    "text.jpg": ("not_an_image", 1),
    "garbage.jpg": ("damaged_image", 1),
    "half.png": ("damaged_image", 1),
    "header.jpg": ("damaged_image", 1),
    "picture.tif": ("unsupported_image", 1),
    "large/a.jpg?bytes=3000000": ("too_large", 1),
    "large/b.jpg?bytes=3000000&length=no": ("too_large", 1),
    "pixels.png": ("too_many_pixels", 1),
    "missing.jpg": ("http_status", 1),
    "status/403/a.jpg": ("http_status", 1),
    "status/500/a.jpg": ("http_status", 3),
    "truncated/mug-front.jpg": ("connection", 3),
    "hang/a.jpg": ("timeout", 3),
    "drip/mug-front.jpg?ms=50": ("timeout", 3),
    "redirect-loop/a.jpg": ("too_many_redirects", 1),
    "redirect-private/a.jpg": ("address_denied", 1),
    "redirect/a.jpg?to=file:///etc/passwd": (None, 1),
}

SETTINGS = {
    "imgpress.fetch_timeout": "500ms",
    "imgpress.max_image_bytes": "2000000",
    "imgpress.max_pixels": "4000000",
}


def add_bad_images(origin):
    whole = jpeg(600, 400)
    origin.add("text.jpg", b"I am no image, whatever my name says.\n" * 20)
    origin.add("garbage.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"nonsense" * 500)
    origin.add("header.jpg", whole[: whole.index(b"\xff\xda")])
    png = encode(painting(600, 400), "PNG")
    origin.add("half.png", truncated(png, 0.5))
    origin.add("picture.tif", encode(painting(), "TIFF"))
    origin.add("pixels.png", encode(painting(2500, 2000), "PNG", compress_level=1))


@pytest.fixture(scope="module", name="mixed")
def fixture_mixed(shop):
    """One request with every fault, each between two good images; submitted once for all tests."""
    add_bad_images(shop.origin)
    good = [shop.origin.url("small0.jpg"), shop.origin.url("small1.jpg")]
    products = [
        (number, path, [good[0], shop.origin.url(path), good[1]])
        for number, path in enumerate(FAULTS)
    ]
    with shop.cluster.settings(SETTINGS):
        request = shop.submit_csv(catalogue(products))
        outputs = {product["product_name"]: product for product in shop.finish(request)}
    failures = {failure["product_name"]: failure for failure in shop.failures(request)}
    return outputs, failures


@pytest.mark.parametrize("path", FAULTS)
def test_failed_image_between_good_ones(mixed, path):
    outputs, failures = mixed
    first, second, third = split_urls(outputs[path]["output_image_urls"])
    assert second == ERROR_TEXT
    assert first.endswith("/small0_compressed.jpg") and third.endswith("/small1_compressed.jpg")
    code, attempts = FAULTS[path]
    failure = failures[path]
    assert failure["error"]
    assert code in (None, failure["error_code"]), failure
    assert failure["attempts"] == attempts


def test_only_the_bad_images_failed(mixed):
    _, failures = mixed
    assert sorted(failures) == sorted(FAULTS)


def test_error_names_the_status_of_the_origin(mixed):
    _, failures = mixed
    assert "404" in failures["missing.jpg"]["error"]
    assert "500" in failures["status/500/a.jpg"]["error"]
    statuses = {
        "missing.jpg": 404,
        "status/500/a.jpg": 500,
        "status/403/a.jpg": 403,
        "text.jpg": 200,
        "hang/a.jpg": None,
    }
    assert {path: failures[path]["http_status"] for path in statuses} == statuses


def test_each_failure_has_the_hint_of_its_code(shop, mixed):
    """But for a denied address: tests/end_to_end/images/test_denied_addresses.py"""
    _, failures = mixed
    hints = dict(shop.sql("SELECT code, hint FROM imgpress.error_codes()"))
    for failure in failures.values():
        assert failure["hint"]
        if failure["error_code"] != "address_denied":
            assert failure["hint"] == hints[failure["error_code"]]


def test_error_of_a_denied_address_names_the_setting(mixed):
    _, failures = mixed
    assert "imgpress.allowed_networks" in failures["redirect-private/a.jpg"]["error"]


@pytest.fixture(scope="module", name="cut")
def fixture_cut(shop):
    """A function that submits truncated files; returns {name: row of results or failures}."""
    whole = shop.origin.content("mug-front.jpg")
    progressive = encode(as_seen(decode(whole)), quality=90, progressive=True)
    png = encode(painting(600, 400), "PNG")
    files = {
        "no-end.jpg": whole[:-2],
        "most.jpg": truncated(whole, 0.95),
        "half.jpg": truncated(whole, 0.5),
        "progressive-most.jpg": truncated(progressive, 0.9),
        "progressive-little.jpg": truncated(progressive, 0.05),
        "most.png": truncated(png, 0.95),
    }
    for name, content in files.items():
        shop.origin.add(f"cut-{name}", content)

    def submit():
        products = [(1, name, [shop.origin.url(f"cut-{name}")]) for name in files]
        request = shop.submit_csv(catalogue(products))
        shop.finish(request)
        rows = [*shop.results(request), *shop.failures(request)]
        return {row["product_name"]: row for row in rows}

    return submit


def test_truncated_files_are_damaged(cut):
    rows = cut()
    assert "JPEG" in rows.pop("no-end.jpg")["warning"]  # its picture is complete
    for row in rows.values():
        assert row["error_code"] == "damaged_image" and row["error"]


def test_accept_truncated_accepts_files_that_show_most_of_the_picture(shop, cut):
    with shop.cluster.settings({"imgpress.accept_truncated": "on"}):
        rows = cut()
    shown = re.search(r"truncated: it shows (\d+) % of the picture", rows["most.jpg"]["warning"])
    assert 80 <= int(shown.group(1)) < 100
    assert "truncated: details are missing" in rows["progressive-most.jpg"]["warning"]
    for name in ("most.jpg", "progressive-most.jpg"):
        output = decode(shop.fetch_output(rows[name]["output_url"]).body)
        assert output.size == decode(shop.origin.content("mug-front.jpg")).size
    refused = {name for name, row in rows.items() if row.get("error_code") == "damaged_image"}
    assert refused == {"half.jpg", "progressive-little.jpg", "most.png"}
    assert all(rows[name]["error"] for name in refused)


def test_redirect_is_followed(shop):
    (product,) = shop.finish(shop.submit("redirect/start.jpg?to=/small2.jpg"))
    assert product["output_image_urls"].endswith("/start_compressed.jpg")


def test_transient_errors_are_retried(shop):
    request = shop.submit("flaky/small0.jpg?fail=2&case=retried")
    shop.finish(request)
    assert shop.failures(request) == []
    assert shop.value("SELECT attempts FROM imgpress.images WHERE request_id = %s", request) == 3


def test_retry_after_is_honoured(shop):
    begin = time.monotonic()
    request = shop.submit("flaky/small0.jpg?fail=1&status=429&retry_after=1")
    shop.finish(request)
    assert time.monotonic() - begin >= 1.0
    assert shop.failures(request) == []


def test_connection_refused(shop):
    request = shop.submit_csv(one_product(REFUSED_URL))
    shop.finish(request)
    (failure,) = shop.failures(request)
    assert (failure["error_code"], failure["attempts"]) == ("connection", 3)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "169.254.169.254", "10.1.2.3"]
)
def test_private_addresses_are_denied_by_default(shop, host):
    with shop.cluster.settings({"imgpress.allowed_networks": ""}):
        begun = shop.origin.ledger.total("/guarded")
        request = shop.submit_csv(one_product(f"http://{host}:{shop.origin.port}/guarded.jpg"))
        shop.finish(request)
    (failure,) = shop.failures(request)
    assert (failure["error_code"], failure["attempts"]) == ("address_denied", 1)
    assert shop.origin.ledger.total("/guarded") == begun


def test_hanging_images_do_not_delay_others(shop):
    gate = shop.origin.gate("hold-up")
    held = [shop.origin.url(f"held/hold-up/small{n}.jpg") for n in range(5)]
    good = [shop.origin.url(f"small{n}.jpg") for n in range(10)]
    mixed = shop.submit_csv(catalogue([(1, "held", held), (2, "good", good)]))
    gate.wait_arrived(5)
    later = shop.submit_csv(one_product(*good))
    shop.finish(later, 20)
    assert shop.status(mixed) == "Processing"
    gate.open()
    shop.finish(mixed)
