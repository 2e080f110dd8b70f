"""Output images as the gateway serves them."""

import csv
import uuid
from urllib.parse import quote, urlsplit

import pytest

from harness.catalogue import ERROR_TEXT, catalogue, split_urls
from harness.cluster import CHECKOUT
from harness.images import decode, psnr
from pictures import PICTURES


@pytest.fixture(scope="module", name="outputs")
def fixture_outputs(shop):
    """{name: output URL} of the sample pictures."""
    names = [picture.name for picture in PICTURES]
    urls = [shop.origin.url(name) for name in names]
    (product,) = shop.finish(shop.submit_csv(catalogue([(1, "All", urls)])))
    return dict(zip(names, split_urls(product["output_image_urls"])))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_output(shop, outputs, picture):
    answer = shop.fetch_output(outputs[picture.name])
    source = shop.origin.content(picture.name)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert int(answer.headers["Content-Length"]) == len(answer.body) < len(source)
    assert psnr(decode(source), decode(answer.body)) > 33


def test_name_is_that_of_the_source_with_compressed(outputs):
    for name, url in outputs.items():
        stem, _, extension = name.rpartition(".")
        assert url.rsplit("/", 1)[1].startswith(f"{stem}_compressed."), url
        assert extension != "jpg" or url.endswith(f"{stem}_compressed.jpg")


def test_caching(shop, outputs):
    url = outputs["mug-front.jpg"]
    first = shop.fetch_output(url)
    etag = first.headers["ETag"]
    assert etag.startswith('"') and etag.endswith('"')
    assert "max-age=" in first.headers["Cache-Control"]
    for condition in (etag, f'W/{etag}, "other"', "*"):
        again = shop.fetch_output(url, {"If-None-Match": condition})
        assert again.status == 304 and again.body == b""
        assert again.headers["ETag"] == etag
    changed = shop.fetch_output(url, {"If-None-Match": '"other"'})
    assert changed.status == 200 and changed.body == first.body


def test_head(shop, outputs):
    path = shop.output_path(outputs["mug-front.jpg"])
    head, whole = shop.gateway.request("HEAD", path), shop.gateway.get(path)
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert head.headers["ETag"] == whole.headers["ETag"]


def test_different_images_have_different_etags(shop, outputs):
    etags = {shop.fetch_output(url).headers["ETag"] for url in outputs.values()}
    assert len(etags) == len(outputs)


def test_any_name_leads_to_the_image(shop, outputs):
    url = outputs["mug-front.jpg"]
    other = url.rsplit("/", 1)[0] + "/anything.jpg"
    assert shop.fetch_output(other).body == shop.fetch_output(url).body


with open(CHECKOUT / "tests" / "cases" / "output_urls.tsv", encoding="utf-8") as cases:
    CASES = list(
        csv.DictReader(
            (line for line in cases if not line.startswith("#")),
            delimiter="\t",
            quoting=csv.QUOTE_NONE,
        )
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["source_url"])
def test_output_url_is_what_the_gateway_serves(shop, outputs, case):
    request, image = shop.output_path(outputs["mug-front.jpg"]).split("/")[-3:-1]
    made = {}
    for style in ("served", "simulated"):
        ((made[style],),) = shop.cluster.query(
            "SELECT imgpress.output_url(%s, %s, %s, %s)"
            " FROM set_config('imgpress.public_url', %s, false) a,"
            " set_config('imgpress.output_url_style', %s, false) b",
            (request, image, case["source_url"], case["format"], case["public_url"], style),
        )
    assert made["simulated"] == case["simulated_url"]
    assert made["served"] == case["output_url"].format(request=request, image=image)
    answer = shop.gateway.get(urlsplit(made["served"]).path)
    assert answer.status == 200
    assert answer.body == shop.fetch_output(outputs["mug-front.jpg"]).body


def test_unknown_output(shop, outputs):
    known = shop.output_path(outputs["mug-front.jpg"])
    _, base, request, _, name = known.split("/")
    for path in (
        f"/{base}/{request}/999/{name}",
        f"/{base}/{uuid.uuid4()}/1/{name}",
        f"/{base}/x/y/z",
    ):
        answer = shop.gateway.get(path)
        assert answer.status == 404 and answer.json()["error"], path


def test_failed_image_has_no_output(shop):
    urls = [shop.origin.url("missing.jpg"), shop.origin.url("small0.jpg")]
    (product,) = shop.finish(shop.submit_csv(catalogue([(1, "SKU", urls)])))
    failed, good = split_urls(product["output_image_urls"])
    assert failed == ERROR_TEXT
    assert shop.fetch_output(good).status == 200
    assert shop.fetch_output(good.replace("/2/", "/1/")).status == 404


@pytest.mark.parametrize(
    "name", ["sch\u00f6n 1.jpg", "a+b&c.jpg", "no-extension", "two.dots.jpg", "UPPER.JPG"]
)
def test_unusual_names_make_working_urls(shop, name):
    shop.origin.add(name, shop.origin.content("small0.jpg"))
    (product,) = shop.finish(
        shop.submit_csv(catalogue([(1, "SKU", [shop.origin.url(quote(name))])]))
    )
    output = product["output_image_urls"]
    assert output.isascii() and " " not in output
    assert shop.fetch_output(output).status == 200
