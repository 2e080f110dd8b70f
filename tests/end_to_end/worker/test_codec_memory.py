"""imgpress.codec_memory: large images are decoded one at a time, whatever the number of codecs, and
small ones go on meanwhile."""

import pytest

from harness.catalogue import ERROR_TEXT, one_product, split_urls
from harness.images import encode, painting
from harness.processes import is_sanitized, own_memory_kib
from harness.waiting import Sampling

CODECS = 4
SIDE = 9500  # 90 megapixels, which take more than 256 MB and less than 768 MB to decode
SETTINGS = {
    "imgpress.allowed_networks": "127.0.0.0/8",
    "imgpress.codecs": CODECS,
    "imgpress.codec_memory": "768MB",
}
# What a codec may have at the same time as others: a third of 768 MB, the least.
SMALL_KIB = 256 << 10


class Watch(Sampling):
    """Samples the memory of the codecs for a with block."""

    def __init__(self, cluster):
        super().__init__(self._look, pause=0.005)
        self._cluster = cluster
        self._codecs = self._pids()
        self.most_at_once = 0  # codecs with more than a small image takes

    def _pids(self):
        return sorted(press.pid for press in self._cluster.presses("codec"))

    def _look(self):
        large = sum(own_memory_kib(pid) > SMALL_KIB / 2 for pid in self._codecs)
        self.most_at_once = max(self.most_at_once, large)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        assert self._pids() == self._codecs, "a codec was replaced"


@pytest.fixture(scope="module", name="shop_of_large_images")
def fixture_shop_of_large_images(open_shop):
    with open_shop(settings=SETTINGS, gateway=False, name="codec-memory") as made:
        picture = painting(SIDE, SIDE)
        made.origin.add("large.jpg", encode(picture, quality=90, progressive=True, subsampling=0))
        made.finish(made.submit("small0.jpg"))
        if any(is_sanitized(codec.pid) for codec in made.cluster.presses("codec")):
            pytest.skip("a codec with a sanitizer has no limit of memory, and takes more itself")
        yield made


def test_large_images_are_decoded_one_at_a_time(shop_of_large_images):
    shop = shop_of_large_images
    urls = [shop.origin.url(f"large.jpg?{number}") for number in range(2 * CODECS)]
    with Watch(shop.cluster) as watch:
        request = shop.submit_csv(one_product(*urls))
        (product,) = shop.finish(request, 120)
    assert ERROR_TEXT not in split_urls(product["output_image_urls"]), shop.failures(request)
    assert watch.most_at_once == 1, "several at once, or none of them was large"


def test_an_image_that_needs_more_fails_and_says_so(shop_of_large_images):
    """The setting takes effect with a reload. A session obeys it as well."""
    shop = shop_of_large_images
    with shop.cluster.settings({"imgpress.codec_memory": "256MB"}):
        request = shop.submit("small0.jpg", "large.jpg", "small1.jpg")
        (product,) = shop.finish(request)
        assert split_urls(product["output_image_urls"])[1] == ERROR_TEXT
        (failure,) = shop.failures(request)
        assert failure["error_code"] == "out_of_resources"
        assert "imgpress.codec_memory" in failure["error"]
        assert failure["attempts"] == 1
        url = shop.origin.url("large.jpg")
        message = shop.refused("IP006", "SELECT imgpress.compress_image_url(%s)", url)
        assert "imgpress.codec_memory" in message
    (product,) = shop.finish(shop.submit("large.jpg"))
    assert ERROR_TEXT not in product["output_image_urls"]
