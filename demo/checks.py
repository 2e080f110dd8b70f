"""Checks the results of the demo."""

import io
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from PIL import Image

import pictures
from harness.catalogue import ERROR_TEXT, split_urls


def _name(url):
    return PurePosixPath(urlsplit(url).path).name


def pairs(products):
    """(input URL, output URL or error text) of every image, in input order."""
    for product in products:
        inputs = split_urls(product["input_image_urls"])
        outputs = split_urls(product["output_image_urls"])
        if len(inputs) != len(outputs):
            yield product["input_image_urls"], "the lists of URLs differ in length"
        else:
            yield from zip(inputs, outputs)


def check_output(shop, folder, source_url, output_url):
    """The problem with one output image, or None."""
    name = _name(source_url)
    if not _name(output_url).startswith(name.rpartition(".")[0] + "_compressed."):
        return f"{name}: not the name of an output: {output_url}"
    answer = shop.fetch_output(output_url)
    if answer.status != 200 or answer.headers["Content-Type"] != "image/jpeg":
        return f"{name}: {answer.status} {answer.headers['Content-Type']} from {output_url}"
    if len(answer.body) >= (folder / name).stat().st_size:
        return f"{name}: not smaller than its source"
    with Image.open(io.BytesIO(answer.body)) as image:
        image.load()
        if image.format != "JPEG":
            return f"{name}: {image.format} instead of JPEG"
    return None


def check_outputs(shop, folder, products):
    """Every good picture must have a working output, every bad one the error text."""
    good = {picture.name for picture in pictures.PICTURES}
    seen = set()
    for source, output in pairs(products):
        name = _name(source)
        seen.add(name)
        if name not in good:
            if output != ERROR_TEXT:
                yield f"{name}: {output} instead of {ERROR_TEXT!r}"
        elif problem := check_output(shop, folder, source, output):
            yield problem
    for name in sorted(good - seen):
        yield f"{name} is missing in the answer"


def check_failures(failures):
    """Only the broken and the missing picture must have failed, each with a reason."""
    names = sorted(_name(failure["url"]) for failure in failures)
    expected = sorted((pictures.BROKEN, pictures.MISSING))
    if names != expected:
        yield f"failed: {names} instead of {expected}"
    for failure in failures:
        if not failure["error"] or not failure["error_code"]:
            yield f"{failure['url']} failed without a reason"


def check_order(products):
    """The products must be those that were sent, in the same order."""
    expected = [(serial, name) for serial, name, _ in pictures.PRODUCTS]
    actual = [(product["serial_number"], product["product_name"]) for product in products]
    if actual != expected:
        yield f"products {actual} instead of {expected}"
