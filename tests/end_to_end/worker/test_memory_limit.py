"""imgpress.memory_limit: however many large images arrive at once, and however their origins
behave, the worker holds no more of them than the limit and one image; all are processed."""

import contextlib
import io
import os
import time

import pytest
from PIL import Image

from harness.catalogue import ERROR_TEXT, one_product, split_urls
from harness.images import encode, jpeg
from harness.processes import sealed_memory
from harness.servers.origin import Origin
from harness.waiting import PROMPT, Sampling, wait_until

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


class Watch(Sampling):
    """Samples how much image data the processes of a cluster hold, for a with block."""

    def __init__(self, cluster):
        super().__init__(self._look)
        self._cluster = cluster
        self._pids = self._processes()
        self.peak = 0

    def _processes(self):
        found = [*self._cluster.presses(), *self._cluster.drainers()]
        return sorted(process.pid for process in found)

    def _look(self):
        self.peak = max(self.peak, sealed_memory(self._pids))

    def __exit__(self, *exc):
        super().__exit__(*exc)
        assert self._processes() == self._pids, "a process was replaced"


@pytest.fixture(scope="module", name="limited")
def fixture_limited(open_shop):
    settings = {"imgpress.allowed_networks": "127.0.0.0/8", **SETTINGS}
    with open_shop(settings=settings, gateway=False, name="memory") as made:
        noise = Image.effect_noise((1500, 1500), 100)
        made.origin.add("noise.jpg", encode(noise, quality=20))  # which can't be made smaller
        made.finish(made.submit("small0.jpg"))
        yield made


def finish_all(shop, request, timeout):
    (product,) = shop.finish(request, timeout)
    urls = split_urls(product["output_image_urls"])
    assert ERROR_TEXT not in urls, shop.failures(request)
    return urls


@pytest.mark.parametrize(("length", "count"), [("yes", ORIGINS), ("no", ORIGINS // 2)])
def test_many_large_images_at_once(limited, origins, length, count):
    """Each origin takes a third of a second to send its image, so that all are under way."""
    path = f"drip/large.jpg?ms=20&bytes=262144&length={length}"
    with Watch(limited.cluster) as watch:
        request = limited.submit_csv(one_product(*[origin.url(path) for origin in origins[:count]]))
        assert len(finish_all(limited, request, 100)) == count
    assert watch.peak <= LIMIT + IMAGE
    assert watch.peak >= LIMIT / 2, "the limit was hardly used"
    attempts = "SELECT max(attempts) FROM imgpress.images WHERE request_id = %s"
    assert limited.value(attempts, request) == 1


def test_endless_bodies_next_to_normal_ones(limited, origins):
    """They fail when they are too large, one after another; the others don't fail with them."""
    good = [origin.url("drip/large.jpg?ms=1&bytes=262144") for origin in origins[:8]]
    endless = [
        origin.url("large/endless.jpg?bytes=99999999999&length=no") for origin in origins[8:24]
    ]
    with Watch(limited.cluster) as watch:
        request = limited.submit_csv(one_product(*good, *endless))
        (product,) = limited.finish(request, 100)
    urls = split_urls(product["output_image_urls"])
    assert ERROR_TEXT not in urls[:8], limited.failures(request)
    failures = limited.failures(request)
    assert {failure["error_code"] for failure in failures} == {"too_large"}
    assert len(failures) == len(endless)
    assert watch.peak <= LIMIT + IMAGE


def test_the_view_shows_what_is_held(limited, origins):
    statement = "SELECT memory, memory_limit FROM imgpress.workers"
    (worker,) = limited.sql(statement)
    assert worker[1] == LIMIT
    request = limited.submit_csv(one_product(origins[0].url("drip/large.jpg?ms=400&bytes=262144")))
    wait_until(lambda: limited.sql(statement)[0][0] >= IMAGE, "the view shows the image", PROMPT)
    finish_all(limited, request, 30)
    wait_until(lambda: limited.sql(statement)[0][0] == 0, "the view shows no image", PROMPT)


def test_results_that_cannot_be_recorded_hold_up_nobody_else(limited):
    """A transaction locks the rows of images whose results alone are more than the limit."""
    with limited.cluster.settings({"imgpress.memory_limit": "1MB"}):
        gate = limited.origin.gate("noise")
        urls = [limited.origin.url(f"held/noise/noise.jpg?{number}") for number in range(6)]
        request = limited.submit_csv(one_product(*urls))
        gate.wait_arrived()
        with limited.cluster.session() as session:
            session.execute("BEGIN")
            session.execute(
                "SELECT FROM imgpress.images WHERE request_id = %s FOR SHARE", (request,)
            )
            gate.open()
            memory = "SELECT memory > memory_limit FROM imgpress.workers"
            wait_until(lambda: limited.value(memory), "the results are more than the limit", PROMPT)
            for number in range(3):
                limited.finish(limited.submit(f"small{number}.jpg"), PROMPT)
            assert limited.value(memory)
            session.execute("ROLLBACK")
        finish_all(limited, request, 30)


def test_slow_origins_do_not_hold_memory_that_others_need(limited, origins):
    """Each announces 4 MB and sends a few bytes a second: together, more than the limit."""
    slow = [origin.url("drip/large.jpg?ms=100&bytes=1000") for origin in origins[:16]]
    with limited.cluster.settings({"imgpress.fetch_timeout": "60s"}):
        held_up = limited.submit_csv(one_product(*slow))
        for origin in origins[:16]:
            origin.ledger.wait_total("/drip/large.jpg?ms=100", 1)
        begun = time.monotonic()
        good = [origin.url("drip/large.jpg?ms=5&bytes=262144") for origin in origins[32:48]]
        with Watch(limited.cluster) as watch:
            request = limited.submit_csv(one_product(*good))
            finish_all(limited, request, 50)
        assert time.monotonic() - begun < 20, "they waited for the slow ones"
        assert watch.peak <= LIMIT + IMAGE
        limited.value("SELECT imgpress.cancel(%s)", held_up)
