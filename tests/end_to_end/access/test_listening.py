"""Where the gateway listens, and whom it then asks for a key."""

import socket

import pytest

from harness.gateway import Gateway, assert_error, bearer
from harness.shop import GATEWAY_LOGIN

PATH = "/api/status/00000000-0000-0000-0000-000000000001/"
WIDE = ("--listen", "0.0.0.0:{port}", "--allow-remote")


def own_address():
    """An address of this machine that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
        return None if address.startswith("127.") else address


def gateway_at(conninfo, *options):
    gateway = Gateway(conninfo)
    return Gateway(conninfo, gateway.port, [it.format(port=gateway.port) for it in options])


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "", "[::ffff:0.0.0.0]", "own"])
@pytest.mark.parametrize("more", [(), ("--no-keys",)], ids=str)
def test_other_machines_need_an_explicit_word(shop, host, more):
    host = (own_address() or "0.0.0.0") if host == "own" else host
    gateway = gateway_at(shop.cluster.conninfo(), "--listen", host + ":{port}", *more)
    said = gateway.refuse_to_start()
    assert "--allow-remote" in said and "--no-keys" in said
    assert "create_key" in said


def test_without_keys_it_does_not_serve_other_machines(shop):
    shop.create_gateway_login()
    gateway = gateway_at(shop.cluster.conninfo(user=GATEWAY_LOGIN), *WIDE)
    said = gateway.refuse_to_start()
    assert "create_key" in said and "--no-keys" in said


def test_allow_remote_needs_keys_on_localhost_too(shop):
    """A proxy on this machine may let others in."""
    shop.create_gateway_login()
    conninfo = shop.cluster.conninfo(user=GATEWAY_LOGIN)
    said = gateway_at(conninfo, "--allow-remote").refuse_to_start()
    assert "create_key" in said and "--no-keys" in said
    with gateway_at(conninfo, "--allow-remote", "--no-keys") as gateway:
        assert_error(gateway.get(PATH), "not_found")


def test_with_keys_it_serves_other_machines(shop, keyed, make_key):
    key = make_key()
    with gateway_at(shop.cluster.conninfo(keyed, GATEWAY_LOGIN), *WIDE) as gateway:
        assert_error(gateway.get(PATH), "unauthorized")
        assert_error(gateway.get(PATH, bearer(key)), "not_found")


def test_it_stays_closed_when_all_keys_are_gone(shop):
    shop.sql("CREATE DATABASE emptied")
    run = lambda statement: shop.cluster.query(statement, database="emptied")  # noqa: E731
    run("CREATE EXTENSION imgpress")
    run("SELECT imgpress.create_key('only one')")
    shop.create_gateway_login()
    with gateway_at(shop.cluster.conninfo("emptied", GATEWAY_LOGIN), *WIDE) as gateway:
        run("DELETE FROM imgpress_internal.keys")
        assert_error(gateway.get(PATH), "unauthorized")
        assert_error(gateway.upload("x"), "unauthorized")


def test_it_starts_closed_when_the_database_cannot_tell(shop):
    """It comes back by itself when the database does, but open to nobody."""
    shop.create_gateway_login()
    with gateway_at(shop.cluster.conninfo("created_later", GATEWAY_LOGIN), *WIDE) as gateway:
        assert_error(gateway.get(PATH), "login_refused", "database_unavailable")
        shop.sql("CREATE DATABASE created_later")
        shop.cluster.query("CREATE EXTENSION imgpress", database="created_later")
        gateway.said("connected to database")
        assert_error(gateway.get(PATH), "unauthorized")


def test_no_keys_said_aloud(shop):
    shop.create_gateway_login()
    with gateway_at(shop.cluster.conninfo(user=GATEWAY_LOGIN), *WIDE, "--no-keys") as gateway:
        assert_error(gateway.get(PATH), "not_found")
        gateway.said("everybody who can reach this address")
