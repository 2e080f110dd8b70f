"""Decompression bombs of every format that is read: each is refused, or completed, with little
memory and CPU time, and no other image suffers from it."""

import bombs
import pytest

from harness.catalogue import ERROR_TEXT, catalogue, split_urls
from harness.processes import peak_memory_kib

MEGABYTES = 384  # of a codec
SETTINGS = {
    "imgpress.allowed_networks": "127.0.0.0/8",
    "imgpress.codecs": 2,
    "imgpress.codec_memory": f"{MEGABYTES}MB",
    "imgpress.codec_timeout": "5s",
    "imgpress.max_image_bytes": 8 << 20,
}

# name -> (the file, the error code of a refusal; None if it is completed)
BOMBS = {
    "pixels.png": (lambda: bombs.png(2**31 - 1, 2**31 - 1, rows=0), "too_many_pixels"),
    "wide.png": (lambda: bombs.png(2**26, 1, 16, bombs.RGBA, rows=0), "out_of_resources"),
    "zlib.png": (lambda: bombs.png(9000, 8000), None),
    "cut.png": (lambda: bombs.png(10000, 9000, rows=1), "damaged_image"),
    "zlib16.png": (lambda: bombs.png(4000, 3000, 16, bombs.RGBA), None),
    "too-much.png": (lambda: bombs.png(9999, 9999, 16, bombs.RGBA, rows=1), "out_of_resources"),
    "icc.png": (bombs.icc_bomb, None),
    "frames.apng.png": (lambda: bombs.apng(500), None),
    "screen.gif": (lambda: bombs.gif(65535, 65535), "too_many_pixels"),
    "large-screen.gif": (lambda: bombs.gif(6000, 6000), None),
    "frames.gif": (lambda: bombs.gif(10, 10, frames=400_000), None),
    "canvas.webp": (lambda: bombs.webp(16383, 16383), "too_many_pixels"),
    "large-canvas.webp": (lambda: bombs.webp(6000, 6000), None),
    "pixels.jpg": (lambda: bombs.jpeg_of_size(65500, 65500), "too_many_pixels"),
    "empty.jpg": (lambda: bombs.jpeg_of_size(10000, 9999, progressive=True), "damaged_image"),
    "full-chroma.jpg": (
        lambda: bombs.jpeg_of_size(10000, 9999, progressive=True, subsampling=0),
        "out_of_resources",
    ),
    "many-scans.jpg": (lambda: bombs.jpeg_with_scans(64, 1000), "out_of_resources"),
    "scans.jpg": (lambda: bombs.jpeg_with_scans(2000, 90), None),
}


@pytest.fixture(scope="module", name="bombed")
def fixture_bombed(open_shop):
    """(outputs, failures, most memory of a codec in KiB) of one request with all bombs among good images."""
    with open_shop(settings=SETTINGS, gateway=False, name="bombs") as shop:
        for name, (make, _code) in BOMBS.items():
            shop.origin.add(name, make())
        products = [
            (
                number,
                name,
                [shop.origin.url(f"small{number % 10}.jpg?{number}"), shop.origin.url(name)],
            )
            for number, name in enumerate(BOMBS)
        ]
        presses = [press.pid for press in shop.cluster.presses()]
        request = shop.submit_csv(catalogue(products))
        outputs = {row["product_name"]: row for row in shop.finish(request, 120)}
        peak_kib = max(peak_memory_kib(press.pid) for press in shop.cluster.presses("codec"))
        assert [press.pid for press in shop.cluster.presses()] == presses, "one was replaced"
        failures = {row["product_name"]: row for row in shop.failures(request)}
        yield outputs, failures, peak_kib


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(bombed, name):
    outputs, failures, _peak = bombed
    good, bomb = split_urls(outputs[name]["output_image_urls"])
    assert good != ERROR_TEXT
    _make, code = BOMBS[name]
    assert (failures.get(name) or {"error_code": None})["error_code"] == code, failures.get(name)
    assert (bomb == ERROR_TEXT) == (code is not None)
    if code is not None:
        assert failures[name]["attempts"] == 1


def test_codecs_stayed_within_their_memory(bombed):
    _outputs, _failures, peak_kib = bombed
    assert 100 << 10 < peak_kib <= MEGABYTES << 10


def test_encoded_bodies(shop):
    """What HTTP's own compression hides is cut off at the size of the largest image."""
    content = bombs.gzip_bomb(256 << 20)
    assert len(content) < 1 << 20
    shop.origin.add("gzip.jpg", content)
    with shop.cluster.settings({"imgpress.max_image_bytes": 4 << 20}):
        request = shop.submit(
            "small0.jpg", *[f"encoded/gzip/gzip.jpg?{number}" for number in range(20)]
        )
        (product,) = shop.finish(request)
    assert ERROR_TEXT not in split_urls(product["output_image_urls"])[:1]
    failures = shop.failures(request)
    assert [failure["error_code"] for failure in failures] == ["too_large"] * 20
    fetchers = shop.cluster.presses("fetch")
    assert max(peak_memory_kib(press.pid) for press in fetchers) < 64 << 10
