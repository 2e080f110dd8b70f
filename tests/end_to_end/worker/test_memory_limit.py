"""imgpress.memory_limit: however many large images arrive at once, and however their origins
behave, the worker holds no more of them than the limit and one image; all are processed."""

import contextlib
import io
import os
import threading
import time

import pytest

from harness.catalogue import ERROR_TEXT, one_product, split_urls
from harness.images import jpeg
from harness.processes import sealed_memory
from harness.servers.origin import Origin

MB = 1 << 20
ORIGINS = 64
IMAGE = 4 * MB
LIMIT = 16 * MB

SETTINGS = {
    "imgpress.memory_limit": "16MB",
    "imgpress.max_image_bytes": IMAGE,
    "imgpress.images_in_flight": 256,
}


def may_read_presses():
    """Presses are undumpable: only root may look at their descriptors."""
    return os.geteuid() == 0


pytestmark = pytest.mark.skipif(not may_read_presses(), reason="only root sees a press's memory")


def padded(picture, size):
    """The JPEG with application data, which costs a codec next to nothing, up to this size."""
    padding = io.BytesIO()
    left = size - len(picture)
    while left > 4:
        length = min(left - 2, 65535)
        padding.write(b"\xff\xef" + length.to_bytes(2, "big") + bytes(length - 2))
        left -= 2 + length
    return picture[:2] + padding.getvalue() + picture[2:]


@pytest.fixture(scope="module", name="origins")
def fixture_origins(pictures):
    picture = padded(jpeg(), IMAGE)
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(Origin(pictures)) for _ in range(ORIGINS)]
        for number, origin in enumerate(made):
            origin.add("large.jpg", picture)
            origin.add("small.jpg", jpeg(seed=number))
        yield made


class Watch:
    """Samples how much image data the processes of a cluster hold, for a with block."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.peak = 0
        self.family = {}

    def _run(self):
        while not self._over.wait(0.01):
            pids = [*self.family["fetcher"], *self.family["codec"], *self.family["drainer"]]
            self.peak = max(self.peak, sealed_memory(pids))

    def _pids(self):
        return {
            "fetcher": [press.pid for press in self._cluster.presses("fetcher")],
            "codec": [press.pid for press in self._cluster.presses("codec")],
            "drainer": [drainer.pid for drainer in self._cluster.drainers()],
        }

    def __enter__(self):
        self.family = self._pids()
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._over.set()
        self._thread.join()
        assert self._pids() == self.family, "a process was replaced"


@pytest.fixture(scope="module", name="limited")
def fixture_limited(open_shop):
    settings = {"imgpress.allowed_networks": "127.0.0.0/8", **SETTINGS}
    with open_shop(settings=settings, gateway=False, name="memory") as made:
        made.finish(made.submit("small0.jpg"))
        yield made


def finish_all(shop, request, timeout):
    (product,) = shop.finish(request, timeout)
    urls = split_urls(product["output_image_urls"])
    assert ERROR_TEXT not in urls, shop.failures(request)
    return urls


@pytest.mark.parametrize("length", ["yes", "no"])
def test_many_large_images_at_once(limited, origins, length):
    """Each origin takes half a second to send its image, so that all of them are under way."""
    path = f"drip/large.jpg?ms=30&bytes=262144&length={length}"
    with Watch(limited.cluster) as watch:
        request = limited.submit_csv(one_product(*[origin.url(path) for origin in origins]))
        assert len(finish_all(limited, request, 100)) == ORIGINS
    assert watch.peak <= LIMIT + IMAGE
    assert watch.peak >= LIMIT / 2, "the limit was hardly used"
    attempts = "SELECT max(attempts) FROM imgpress.images WHERE request_id = %s"
    assert limited.value(attempts, request) == 1
