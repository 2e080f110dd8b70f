"""imgpress.hosts: pauses, limited rates and connections of hosts, obeyed within a second."""

import time

import pytest

from harness.images import jpeg
from harness.servers.origin import Origin
from harness.waiting import wait_until

SOON = 5.0  # seconds: within one, on a machine that is not busy
PROMISED = 1.0  # seconds, after which a changed rule is in effect
DONE = "SELECT count(*) FROM imgpress.images WHERE request_id = %s AND status = 'Completed'"
ASIDE = "SELECT count(*) FROM imgpress.images WHERE request_id = %s AND host_no IS NOT NULL"


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, name="hosts") as made:
        yield made


@pytest.fixture(name="other")
def fixture_other(tmp_path):
    """A second origin, which is another host because of its port."""
    with Origin(tmp_path) as made:
        for number in range(100):
            made.add(f"{number}.jpg", jpeg(seed=number % 4))
        yield made


@pytest.fixture(autouse=True)
def no_rules(own):
    yield
    own.sql("DELETE FROM imgpress.hosts")


def host_of(origin):
    return origin.url("").split("/")[2]


def submit(shop, urls):
    return shop.value(
        "SELECT imgpress.submit(array_agg((n, 'p', u)::imgpress.product_input ORDER BY n)) "
        "FROM unnest(%s) WITH ORDINALITY t(u, n)",
        list(urls),
    )


def wait_count(shop, statement, request, count, timeout=SOON):
    wait_until(lambda: shop.value(statement, request) == count, f"{count}: {statement}", timeout)


def limit_connections(shop, origin, connections):
    statement = "INSERT INTO imgpress.hosts (host, connections) VALUES (%s, %s)"
    shop.sql(statement, host_of(origin), connections)
    time.sleep(PROMISED)


def test_images_of_a_paused_host_wait_while_others_go_on(own, other):
    own.sql("SELECT imgpress.pause_host(%s)", host_of(other))
    mixed = [other.url(f"{n}.jpg") for n in range(50)] + [
        own.origin.url(f"small{n}.jpg") for n in range(10)
    ]
    request = submit(own, mixed)
    wait_count(own, DONE, request, 10)
    wait_count(own, ASIDE, request, 50)
    attempts = "SELECT max(attempts) FROM imgpress.images WHERE request_id = %s AND host_no > 0"
    assert own.value(attempts, request) == 0
    assert own.progress(request)["status"] == "Processing"
    assert other.ledger.total() == 0
    assert own.value("SELECT imgpress.resume_host(%s)", host_of(other)) is True
    own.finish(request, SOON)
    assert own.value(DONE, request) == 60


def test_a_pause_takes_effect_while_images_are_on_their_way(own, other):
    """Those that the fetcher holds already come back; no more than those under way are fetched."""
    limit_connections(own, other, 3)
    request = submit(own, [other.url(f"held/g/{n}.jpg") for n in range(60)])
    other.ledger.wait_total("/held/g/", 3)
    own.sql("SELECT imgpress.pause_host(%s)", host_of(other))
    wait_count(own, ASIDE, request, 57)
    other.gate("g").open()
    wait_count(own, DONE, request, 3)
    assert other.ledger.total("/held/g/") == 3
    uncounted = "SELECT max(attempts) FROM imgpress.images WHERE request_id = %s AND host_no > 0"
    assert own.value(uncounted, request) == 0
    own.sql("SELECT imgpress.resume_host(%s)", host_of(other))
    own.finish(request, SOON)
    assert own.value("SELECT max(attempts) FROM imgpress.images WHERE request_id = %s", request) == 1


def test_a_pause_ends_by_itself(own, other):
    own.sql("SELECT imgpress.pause_host(%s, now() + interval '2 s')", host_of(other))
    request = submit(own, [other.url("1.jpg")])
    wait_count(own, ASIDE, request, 1)
    own.finish(request, 2 + SOON)
    assert other.ledger.total() == 1


def test_a_paused_host_costs_an_idle_worker_nothing(own, other):
    own.sql("SELECT imgpress.pause_host(%s)", host_of(other))
    request = submit(own, [other.url(f"{n}.jpg") for n in range(50)])
    wait_count(own, ASIDE, request, 50)
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'processing_requests_turn'"
    time.sleep(1)  # what set them aside is told to the statistics
    before = own.value(scans)
    time.sleep(3)
    assert own.value(scans) - before <= 2, "claims go on although nothing can be claimed"


def test_a_limited_rate_is_kept(own, other):
    own.sql("INSERT INTO imgpress.hosts (host, requests_per_second) VALUES (%s, 10)", host_of(other))
    time.sleep(PROMISED)
    begin = time.monotonic()
    request = submit(own, [other.url(f"{n}.jpg") for n in range(80)])
    fast = submit(own, [own.origin.url(f"small{n}.jpg") for n in range(10)])
    own.finish(fast, 3)
    own.finish(request, 40)
    seconds = time.monotonic() - begin
    assert 7.7 <= seconds <= 20, "80 downloads at 10 a second"
    assert other.ledger.total() == 80
    assert own.value("SELECT max(attempts) FROM imgpress.images WHERE request_id = %s", request) == 1


def test_connections_of_a_host(own, other):
    limit_connections(own, other, 3)
    request = submit(own, [other.url(f"slow/{n}.jpg?ms=20") for n in range(60)])
    own.finish(request)
    assert other.ledger.peak == 3


STATES = "SELECT {} FROM imgpress.host_states WHERE host = %s"


def state(shop, host, columns):
    rows = shop.sql(STATES.format(columns), host)
    return rows[0] if rows else None


def test_what_has_been_learnt_about_a_host(own, other):
    host = host_of(other)
    limit_connections(own, other, 3)
    request = submit(own, [other.url(f"held/g/{n}.jpg") for n in range(10)] + [other.url("none")])
    columns = "connections, connections_allowed, waiting, pause_reason"
    busy = (3, 3, 8, None)
    wait_until(lambda: state(own, host, columns) == busy, "it is seen at work", SOON)
    other.gate("g").open()
    own.finish(request)
    rate = "connections = 0 AND waiting = 0 AND requests_per_second > 0"
    wait_until(lambda: state(own, host, rate) == (True,), "its rate is seen", SOON)
    assert state(own, host, "last_error") == (f"HTTP 404 Not Found from {host}",)


def test_pauses_are_seen_with_their_reason(own, other):
    host = host_of(other)
    submit(own, [other.url("status/429/a.jpg?retry_after=50")])
    asked = "pause_reason LIKE '%%Retry-After%%' AND paused_until > now() + interval '40 s'"
    wait_until(lambda: state(own, host, asked) == (True,), "the host's own pause", SOON)
    own.sql("SELECT imgpress.pause_host(%s)", host)
    assert state(own, host, "pause_reason, paused_until = 'infinity'") == (
        "paused in imgpress.hosts",
        True,
    )


def test_hosts_are_for_administrators(own):
    own.sql("CREATE ROLE plain LOGIN IN ROLE imgpress_user")
    for relation in ("hosts", "host_states"):
        own.cluster.refused("42501", f"SELECT FROM imgpress.{relation}", user="plain")
    for call in ("pause_host('a')", "resume_host('a')"):
        own.cluster.refused("42501", f"SELECT imgpress.{call}", user="plain")
