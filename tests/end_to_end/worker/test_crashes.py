"""kill -9 and immediate stops during the work cost time, but never a row.

The origin holds back some images, and SIGSTOP holds codecs, so that the work is really
unfinished."""

import contextlib
import os
import signal

import pytest

from harness.catalogue import ERROR_TEXT, catalogue
from harness.processes import kill
from harness.shop import TEST_SETTINGS
from harness.waiting import wait_for_exit, wait_until

IMAGES = 60


@pytest.fixture(scope="module", name="victim")
def fixture_victim(open_shop):
    with open_shop(gateway=False, name="victim") as made:
        yield made


def submit_half_held(shop, gate_name):
    """A request of which every second image waits at the gate. Returns (id, gate) when the others
    are finished and the waiting ones are being downloaded."""
    gate = shop.origin.gate(gate_name)
    free = [shop.origin.url(f"small{n % 10}.jpg?{n}") for n in range(IMAGES // 2)]
    held = [shop.origin.url(f"held/{gate_name}/small{n % 10}.jpg?{n}") for n in range(IMAGES // 2)]
    products = [(n, f"SKU{n}", pair) for n, pair in enumerate(zip(free, held))]
    request = shop.submit_csv(catalogue(products))
    gate.wait_arrived(5)
    wait_until(lambda: shop.progress(request)["succeeded"] >= IMAGES // 2, "half are finished")
    return request, gate


def assert_exactly_once(shop, request):
    """The request is Completed, and each image has exactly one output."""
    products = shop.finish(request, 90)
    assert len(products) == IMAGES // 2
    assert not any(
        ERROR_TEXT in product["output_image_urls"] for product in products
    ), shop.failures(request)
    rows = shop.sql(
        "SELECT image_no FROM imgpress.outputs WHERE request_id = %s ORDER BY image_no", request
    )
    assert [image_no for (image_no,) in rows] == list(range(1, IMAGES + 1))
    progress = shop.progress(request)
    assert (progress["succeeded"], progress["failed"]) == (IMAGES, 0)
    assert shop.sql("SELECT * FROM imgpress.images WHERE lease_token IS NOT NULL") == []


@contextlib.contextmanager
def frozen(processes):
    """Stops processes with SIGSTOP for a with block; they may be killed meanwhile."""
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)


def test_kill_fetcher(victim):
    request, gate = submit_half_held(victim, "fetcher")
    fetchers = victim.cluster.presses("fetcher")
    (drainer,) = victim.cluster.drainers()
    assert fetchers
    kill([press.pid for press in fetchers])
    gate.open()
    assert_exactly_once(victim, request)
    assert drainer.alive()


def test_kill_codecs(victim):
    request, gate = submit_half_held(victim, "codec")
    codecs = victim.cluster.presses("codec")
    (drainer,) = victim.cluster.drainers()
    assert codecs
    with frozen(codecs):
        gate.open()
        compressing = "SELECT sum(compressing) FROM imgpress.workers"
        wait_until(lambda: victim.value(compressing) >= len(codecs), "the codecs hold images")
        kill([press.pid for press in codecs])
    assert_exactly_once(victim, request)
    assert drainer.alive()


def test_kill_drainer(victim):
    """PostgreSQL then restarts all its processes; no row may be lost or doubled."""
    request, gate = submit_half_held(victim, "drainer")
    presses = victim.cluster.presses()
    kill([drainer.pid for drainer in victim.cluster.drainers()])
    assert wait_for_exit([press.pid for press in presses]) == [], "orphaned presses"
    victim.cluster.wait_ready()
    gate.open()
    assert_exactly_once(victim, request)


@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_stop_and_restart(victim, mode):
    """stop() itself fails when a press outlives the server."""
    request, gate = submit_half_held(victim, f"restart-{mode}")
    victim.cluster.stop(mode)
    victim.cluster.start()
    gate.open()
    assert_exactly_once(victim, request)


def test_kill_postmaster(victim):
    request, gate = submit_half_held(victim, "postmaster")
    victim.cluster.kill()  # fails when a press outlives the postmaster
    victim.cluster.start()
    gate.open()
    assert_exactly_once(victim, request)


def test_image_that_kills_its_codec_is_set_aside(open_shop):
    """The only codec is stopped before it gets the image and killed when it has it, three times."""
    settings = {**TEST_SETTINGS, "imgpress.codecs": "1", "imgpress.max_attempts": "9"}
    with open_shop(settings=settings, gateway=False, name="poison") as shop:
        gate = shop.origin.gate("poison")
        request = shop.submit("held/poison/small0.jpg")
        for kills in range(3):
            gate.wait_arrived(kills + 1)
            shop.finish(shop.submit("small1.jpg"))
            codecs = shop.cluster.presses("codec")
            with frozen(codecs):
                gate.release(1)
                compressing = "SELECT sum(compressing) > 0 FROM imgpress.workers"
                wait_until(lambda: shop.value(compressing), "the codec holds the image")
                kill([press.pid for press in codecs])
        (product,) = shop.finish(request, 30)
        assert product["output_image_urls"] == ERROR_TEXT
        (failure,) = shop.failures(request)
        assert (failure["error_code"], failure["attempts"]) == ("press_died", 3)
