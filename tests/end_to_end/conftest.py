"""Fixtures of the end-to-end tests.

Most tests share one `shop`; a test that breaks things opens a Shop of its own."""

import importlib.util
import shlex
import signal
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "demo")]

# Bytecode files of root would be in the way of other users of the checkout.
sys.dont_write_bytecode = True

MISSING = [name for name in ("psycopg2", "PIL") if importlib.util.find_spec(name) is None]
if not MISSING:
    from harness.cluster import NotInstalled, installed_libraries
    from harness.images import jpeg
    from harness.shop import Shop
    from harness.waiting import PATIENCE, raise_on_sigterm
    from harness.servers.webhook_receiver import WebhookReceiver
    from pictures import make_pictures

TIME_LIMIT = 150  # seconds, for programs that are not slowed down

_shops = []


def pytest_configure():
    if not MISSING:
        raise_on_sigterm()


def pytest_collectstart():
    """Says which Python has what the tests need, instead of a traceback for each file."""
    if MISSING:
        command = shlex.join(["/usr/bin/python3", "-m", "pytest", *sys.argv[1:]])
        lacks = f"{sys.executable} has no {' and no '.join(MISSING)}"
        pytest.exit(f"{lacks}. Debian's Python has, after `make deps`: {command}", 1)


def _end_if_not_installed(call):
    """One message instead of an error for each test."""
    if call.excinfo is not None and isinstance(call.excinfo.value, NotInstalled):
        pytest.exit(str(call.excinfo.value), 1)


def pytest_exception_interact(call):
    _end_if_not_installed(call)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the end of the servers' logs to the report of a failed test."""
    _end_if_not_installed(call)
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
    """Fails a test that hangs."""

    limit = int(TIME_LIMIT * PATIENCE)

    def too_long(_signum, _frame):
        raise TimeoutError(f"the test took longer than {limit} s")

    previous = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """The folder of the demo's sample pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder)
    return folder


def add_small_images(origin):
    """small0.jpg to small9.jpg: different images that are quick to download and compress."""
    for number in range(10):
        origin.add(f"small{number}.jpg", jpeg(seed=number))


@pytest.fixture(scope="session")
def open_shop(pictures):
    """A function that returns a Shop (for a with block) whose origin also has the small images."""

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


@pytest.fixture(scope="session", name="unserved")
def fixture_unserved(shop):
    """The name of a database that no worker serves: requests there stay Pending."""
    shop.cluster.query("CREATE DATABASE unserved")
    shop.cluster.query("CREATE EXTENSION imgpress", database="unserved")
    # The planner then believes that the tables are small, as it does in a young installation.
    shop.cluster.query("ANALYZE", database="unserved")
    return "unserved"


@pytest.fixture(scope="session")
def receiver():
    with WebhookReceiver() as made:
        yield made
