"""Origins, receivers of webhooks and name servers that hang do not slow down the work for others."""

import os
import time

import pytest

from harness.catalogue import one_product
from harness.servers.name_server import NameServer
from harness.servers.tar_pit import PHASES, TarPit
from harness.shop import TEST_SETTINGS
from harness.waiting import wait_until

PLACES = 256
HANGING = 400
OTHERS = 400
MOST = 2.0  # times as long as without; the machine may be busy with other things

FETCHING = "SELECT sum(fetching) FROM imgpress.workers"


@pytest.fixture(scope="module", name="names")
def fixture_names():
    if os.geteuid() != 0:
        pytest.skip("a name server needs port 53")
    with NameServer() as made:
        yield made


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop, names):
    settings = {
        **TEST_SETTINGS,
        "imgpress.webhook_timeout": "30s",
        "imgpress.webhook_retry_delays": "600",
        "imgpress.allowed_networks": "127.0.0.0/8",
        "imgpress.images_in_flight": PLACES,
    }
    with open_shop(settings=settings, gateway=False, preload=("imgpress",), name="hang") as made:
        with names.resolving():
            made.cluster.restart()
        made.finish(made.submit("small0.jpg"))
        yield made


def seconds_for_others(shop):
    """The better of two times for requests of another origin."""
    times = []
    for _ in range(2):
        begin = time.monotonic()
        urls = [shop.origin.url(f"small{n % 10}.jpg?{begin}-{n}") for n in range(OTHERS)]
        requests = [shop.submit_csv(one_product(*urls[n::4])) for n in range(4)]
        for request in requests:
            shop.finish(request)
        times.append(time.monotonic() - begin)
    return min(times)


def submit_hanging(shop, urls):
    """One request has half of the places at most. It gets more when they are seen to hang."""
    request = shop.submit_csv(one_product(*urls))
    wait_until(lambda: shop.value(FETCHING) > PLACES // 2, "more than half of the places hang")
    return request


def end_all(shop):
    shop.sql("SELECT imgpress.cancel(id) FROM imgpress.processing_requests")
    shop.sql("DELETE FROM imgpress.processing_requests")
    # Nothing ends a download that hangs but its time limit, or the end of the worker.
    shop.cluster.terminate(shop.cluster.drainers()[0].pid)
    wait_until(lambda: shop.value(FETCHING) == 0, "nothing hangs any more")


@pytest.fixture(scope="module", name="usual")
def fixture_usual(own):
    return seconds_for_others(own)


def compare(what, usual, shop):
    took = seconds_for_others(shop)
    print(f"{what}: {OTHERS / usual:.0f} images/s without, {OTHERS / took:.0f} with")
    assert took < MOST * usual + 0.3


@pytest.mark.parametrize("phase", PHASES)
def test_origin(own, usual, phase):
    with TarPit(phase) as pit:
        submit_hanging(own, [pit.url(f"{n}.jpg") for n in range(HANGING)])
        compare(f"origin, {phase}", usual, own)
        end_all(own)


def test_names(own, usual, names):
    for number in range(HANGING):
        names.hang(f"host{number}.test")
    urls = [f"http://host{number}.test/a.jpg" for number in range(HANGING)]
    submit_hanging(own, urls)
    compare("names", usual, own)
    end_all(own)


@pytest.mark.parametrize("phase", PHASES)
def test_receiver(own, usual, receiver, phase):
    with TarPit(phase) as pit:
        for number in range(40):
            own.submit("small0.jpg", webhook_url=pit.url(f"hook{number}"))
        under_way = (
            "SELECT count(*) >= 16 FROM imgpress.webhook_deliveries WHERE lease_token IS NOT NULL"
        )
        wait_until(lambda: own.value(under_way), "the messages hang")
        compare(f"receiver, {phase}", usual, own)
        for number in range(20):
            other = receiver.endpoint(f"/{phase}-{number}")
            begin = time.monotonic()
            own.submit("small1.jpg", webhook_url=other.url)
            other.wait(1, 5)
        print(f"the last webhook took {time.monotonic() - begin:.2f} s")
        end_all(own)
