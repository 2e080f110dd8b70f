"""Real photographs and odd images, if IMGPRESS_CORPUS names a folder that contains them."""

import os
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest

from harness.catalogue import ERROR_TEXT, catalogue
from harness.images import as_seen, decode, encode, psnr

CORPUS = Path(os.environ.get("IMGPRESS_CORPUS") or "/nonexistent")

pytestmark = pytest.mark.skipif(
    not (CORPUS / "photos").is_dir(), reason="IMGPRESS_CORPUS names no folder with a folder photos"
)

LOOKS_RIGHT = 27.0  # dB


def compress_folder(shop, folder):
    """Submits each file as one product; returns {name: (source, output or None)} and {name:
    failure}."""
    files = sorted(path for path in (CORPUS / folder).iterdir() if path.is_file())
    products = []
    for number, path in enumerate(files):
        shop.origin.add(f"{folder}/{path.name}", path.read_bytes())
        products.append((number, path.name, [shop.origin.url(quote(f"{folder}/{path.name}"))]))
    request = shop.submit_csv(catalogue(products))
    outputs = {}
    for product in shop.finish(request, 120):
        url, name = product["output_image_urls"], product["product_name"]
        output = None if url == ERROR_TEXT else shop.fetch_output(url).body
        outputs[name] = ((CORPUS / folder / name).read_bytes(), output)
    return outputs, {failure["product_name"]: failure for failure in shop.failures(request)}


def expected_likeness(source):
    """27 dB; less for pictures of noise, for which Pillow's JPEG of quality 50 does not reach
    that."""
    by_pillow = psnr(source, decode(encode(as_seen(source), quality=50)))
    return min(LOOKS_RIGHT, by_pillow - 1.0)


def test_photos_all_succeed_and_look_right(shop):
    outputs, failures = compress_folder(shop, "photos")
    assert failures == {}
    wrong = []
    for name, (source, output) in outputs.items():
        before, after = decode(source), decode(output)
        likeness = psnr(before, after)
        if len(output) > len(source) or likeness < expected_likeness(before):
            wrong.append((name, len(source), len(output), round(likeness, 1)))
    assert wrong == []


def test_odd_images_succeed_or_say_why(shop):
    (drainer,) = shop.cluster.drainers()
    outputs, failures = compress_folder(shop, "odd")
    for name, (source, output) in outputs.items():
        if output is None:
            assert failures[name]["error"], name
        else:
            assert len(output) <= len(source), name
            decode(output)
    assert drainer.alive(), "an image ended the drainer"


def test_odd_images_in_an_ordinary_session(shop):
    """compress_image() returns an image or one of its own errors, and the server never restarts."""
    started = shop.value("SELECT pg_postmaster_start_time()")
    for path in sorted(path for path in (CORPUS / "odd").iterdir() if path.is_file()):
        try:
            output = shop.value("SELECT imgpress.compress_image(%s)", path.read_bytes())
        except psycopg2.Error as error:
            assert (error.pgcode or "").startswith("IP"), f"{path.name}: {error}"
        else:
            decode(bytes(output))
    assert shop.value("SELECT pg_postmaster_start_time()") == started
