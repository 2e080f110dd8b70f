"""The hint about a denied address is the statement that allows it, besides what is allowed."""

import psycopg2
import pytest

from harness.catalogue import one_product
from harness.waiting import wait_until

SETTING = "imgpress.allowed_networks"
ALLOWED_BEFORE = "10.99.0.0/16"
COMPRESS = "SELECT imgpress.compress_image_url(%s)"


@pytest.fixture(autouse=True)
def fixture_little_is_allowed(shop):
    with shop.cluster.settings({SETTING: ALLOWED_BEFORE}):
        yield


def paste(shop, hint, *allowed):
    """Types a hint into psql; afterwards the setting lists these addresses as well."""
    shop.cluster.psql(stdin=hint)
    expected = ", ".join([ALLOWED_BEFORE, *allowed])
    wait_until(lambda: shop.value(f"SHOW {SETTING}") == expected, "the setting is in force")


def test_failed_images(shop):
    """Two addresses: the hint about the second keeps the first one allowed."""
    hosts = ["127.0.0.1", "0.0.0.0"]
    urls = [f"http://{host}:{shop.origin.port}/small{n}.jpg" for n, host in enumerate(hosts)]
    request = shop.submit_csv(one_product(*urls))
    for number, host in enumerate(hosts):
        shop.finish(request)
        failures = shop.failures(request)
        assert [failure["url"] for failure in failures] == urls[number:]
        assert failures[0]["error"].count(host) == 2  # as the host, and as the address
        paste(shop, failures[0]["hint"], *hosts[: number + 1])
        assert shop.failures(request)[0]["hint"].startswith(f"By now {SETTING} lists {host}")
        shop.value("SELECT imgpress.retry_failed(%s)", request)
    shop.finish(request)
    assert shop.failures(request) == []


def test_compress_image_url(shop):
    url = shop.origin.url("small0.jpg")
    with shop.cluster.session() as session:
        with pytest.raises(psycopg2.Error) as refusal:
            session.execute(COMPRESS, (url,))
    diag = refusal.value.diag
    assert diag.sqlstate == "IP008"
    assert "ALTER SYSTEM" not in diag.message_primary
    paste(shop, diag.message_hint, "127.0.0.1")
    assert shop.value(COMPRESS, url)


def test_a_host_with_two_addresses(shop):
    """To libcurl localhost is ::1 and 127.0.0.1: if the one that is allowed cannot be connected to,
    the other one gets the hint."""
    url = f"http://localhost:{shop.origin.port}/small0.jpg"
    with shop.cluster.settings({SETTING: "::1"}):
        error = shop.cluster.refused("IP008", COMPRESS, (url,))
    assert "::1, 127.0.0.1" in error.diag.message_hint


def test_webhooks(shop, receiver):
    """A name is looked up when the webhook is sent."""
    endpoint = receiver.endpoint("/denied")
    url = endpoint.url.replace("127.0.0.1", "localhost")
    request = shop.submit_csv(one_product("http://127.0.0.1/"), url)
    hint = "SELECT hint FROM imgpress.webhook_failures WHERE request_id = %s"
    allowing = wait_until(lambda: shop.value(hint, request), "the error")
    assert endpoint.deliveries == []
    paste(shop, allowing.replace("::1", "127.0.0.1"), "127.0.0.1")
    assert len(endpoint.wait(1)) == 1
    wait_until(lambda: shop.sql(hint, request) == [], "the message is delivered")


DENIED_HOSTS = {
    "10.99.1.1:1": None,  # what is allowed, on any port
    "localhost": None,  # a name
    "127.0.0.1": "a loopback address",
    "0x7f.1": "a loopback address",
    "2130706433": "a loopback address",
    "169.254.169.254": "a link-local address",
    "[::ffff:10.0.0.1]": "a private address",
    "[fd00:ec2::254]": "a private address",
    "[64:ff9b::a00:1]": "a private address",
    "[2002:a00:1::]": "a tunnel address",
    "93.184.216.34:22": "on ports 80 and 443 only",
}


@pytest.mark.parametrize("host", DENIED_HOSTS)
def test_webhooks_are_refused_when_they_are_submitted(shop, host):
    """Where the URL has an address; SQL and REST say the same."""
    url = f"http://{host}/hook"
    csv = one_product("http://a.example/a.jpg")
    answer = shop.gateway.upload(csv, webhook_url=url)
    if DENIED_HOSTS[host] is None:
        assert answer.status == 202, answer
        assert shop.submit_csv(csv, url)
        return
    submit = "SELECT imgpress.submit_csv(%s, %s)"
    diag = shop.cluster.refused("22023", submit, (csv, url)).diag
    assert diag.message_primary.startswith(f"webhook_url: connections to {host} are not allowed: ")
    assert DENIED_HOSTS[host] in diag.message_primary
    assert SETTING in diag.message_primary
    assert diag.message_hint.startswith(f"ALTER SYSTEM SET {SETTING} = '{ALLOWED_BEFORE}, ")
    faults = [(fault["field"], fault["message"]) for fault in answer.json()["details"]]
    assert (answer.status, faults) == (400, [("webhook_url", diag.message_primary)])


def test_other_errors_have_the_hint_of_their_code(shop):
    hint = "imgpress_internal.error_hint"
    rows = shop.sql(f"SELECT hint, {hint}('x', code) FROM imgpress.error_codes()")
    assert rows and all(expected == got for expected, got in rows)
    assert shop.sql(f"SELECT {hint}('x', NULL), {hint}(NULL, 'nonsense')") == [(None, None)]
