"""Fixtures of the end-to-end tests.

`shop` is one system that most tests share; a test that breaks things makes a Shop of its own."""

import signal
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "demo")]

# Nobody wants these in a checkout where root and others take turns.
sys.dont_write_bytecode = True

from harness.cluster import installed_libraries  # noqa: E402
from harness.images import jpeg  # noqa: E402
from harness.shop import Shop  # noqa: E402
from harness.waiting import raise_on_sigterm  # noqa: E402
from harness.servers.webhook_receiver import WebhookReceiver  # noqa: E402
from pictures import make_pictures  # noqa: E402

TIME_LIMIT = 150

_shops = []


def pytest_configure():
    raise_on_sigterm()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the end of the servers' logs to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for shop in _shops:
            report.sections.append(
                (f"end of the log of {shop.cluster.name}", shop.cluster.log_tail())
            )
            if shop.gateway is not None:
                report.sections.append(("gateway", "\n".join(shop.gateway.output[-20:])))


@pytest.fixture(autouse=True)
def time_limit():
    """No test may hang the suite."""

    def too_long(_signum, _frame):
        raise TimeoutError(f"the test took longer than {TIME_LIMIT} s")

    previous = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TIME_LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder with the demo's sample pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder)
    return folder


def add_small_images(origin):
    """small0.jpg to small9.jpg: quick to fetch and to compress, all different."""
    for number in range(10):
        origin.add(f"small{number}.jpg", jpeg(seed=number))


@pytest.fixture(scope="session")
def open_shop(pictures):
    """A function that makes a Shop (for a with block) which also serves the small images."""

    def make(**options):
        made = Shop(pictures, **options)
        add_small_images(made.origin)
        _shops.append(made)
        return made

    yield make
    _shops.clear()


@pytest.fixture(scope="session")
def shop(open_shop):
    cron = ("pg_cron",) if installed_libraries(["pg_cron"]) else ()
    with open_shop(extensions=(*cron, "imgpress")) as made:
        yield made


@pytest.fixture(scope="session")
def receiver():
    with WebhookReceiver() as made:
        yield made
