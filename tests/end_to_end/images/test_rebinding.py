"""Names whose addresses change between two questions, or that stand for allowed and denied addresses
at once: whatever a name server answers, a denied address is never connected to."""

import contextlib
import os
import socket

import psycopg2
import pytest

from harness.catalogue import one_product
from harness.servers.name_server import NameServer
from harness.waiting import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs port 53: root only")

ALLOWED, DENIED = "127.0.0.1", "127.0.0.2"
SETTING = "imgpress.allowed_networks"
COMPRESS = "SELECT imgpress.compress_image_url(%s)"

# What a name server answers, one after another.
REBINDINGS = {
    "first-allowed.test": ([ALLOWED], [DENIED]),
    "first-denied.test": ([DENIED], [ALLOWED]),
    "allowed-and-denied.test": ([ALLOWED, DENIED],),
    "denied-and-allowed.test": ([DENIED, ALLOWED],),
    "only-denied.test": ([DENIED],),
    "metadata.test": (["169.254.169.254"],),
}


class Secret:
    """Listens at the denied address, on the port of an allowed server."""

    def __init__(self, port):
        self._listener = socket.create_server((DENIED, port))
        self._listener.setblocking(False)

    def connections(self):
        """How many there have been since the last call."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                count += 1
        return count

    def close(self):
        self._listener.close()


@pytest.fixture(scope="module", name="names")
def fixture_names():
    with NameServer() as made:
        yield made


@pytest.fixture(scope="module", name="shop")
def fixture_shop(open_shop, names):
    settings = {SETTING: ALLOWED, "imgpress.webhook_retry_delays": "0.1"}
    with open_shop(settings=settings, gateway=False, name="rebinding") as shop:
        with names.resolving():
            shop.cluster.restart()
        yield shop


@pytest.fixture(name="secret")
def fixture_secret(shop):
    made = Secret(shop.origin.port)
    yield made
    made.close()


def on(host, shop, path="small0.jpg"):
    return f"http://{host}:{shop.origin.port}/{path}"


def compress(shop, url):
    """True if the image could be fetched, by a press of its own, which has asked for no name yet."""
    try:
        return bool(shop.value(COMPRESS, url))
    except psycopg2.Error as error:
        assert error.pgcode == "IP008", error
        return False


@pytest.mark.parametrize("host", REBINDINGS)
def test_images(shop, names, secret, host):
    names.script(host, *REBINDINGS[host])
    fetched = [compress(shop, on(host, shop)) for _ in range(4)]
    assert names.asked(host) == 4
    assert fetched == [ALLOWED in answer for answer in (*REBINDINGS[host] * 4,)[:4]]
    assert secret.connections() == 0


@pytest.mark.parametrize("host", REBINDINGS)
def test_redirects(shop, names, secret, host):
    names.script(host, *REBINDINGS[host])
    for _ in range(2):
        compress(shop, shop.origin.url(f"redirect/a.jpg?to={on(host, shop)}"))
    assert names.asked(host) == 2
    assert secret.connections() == 0


def test_webhooks(shop, names, receiver):
    """Each delivery is a name of its own, so that none is remembered."""
    secret = Secret(receiver.port)
    requests = {}
    for number, (host, answers) in enumerate(REBINDINGS.items()):
        name = f"{number}.{host}"
        names.script(name, *answers)
        url = f"http://{name}:{receiver.port}/rebinding/{number}"
        requests[shop.submit_csv(one_product(shop.origin.url("small1.jpg")), url)] = answers[0]
    ended = "SELECT status FROM imgpress.webhook_deliveries WHERE request_id = %s AND ended_at NOTNULL"
    for request, addresses in requests.items():
        shop.finish(request)
        status = wait_until(lambda it=request: shop.value(ended, it), "the delivery has ended")
        assert ALLOWED not in addresses or status == "Delivered", addresses
    assert secret.connections() == 0
    secret.close()


def test_the_denied_server_is_there(shop, names, secret):
    """Otherwise the tests above would prove nothing."""
    names.script("opened.test", [DENIED])
    with shop.cluster.settings({SETTING: "127.0.0.0/8", "imgpress.fetch_timeout": "500ms"}):
        with pytest.raises(psycopg2.Error):
            shop.value(COMPRESS, on("opened.test", shop))
    assert secret.connections() == 1
