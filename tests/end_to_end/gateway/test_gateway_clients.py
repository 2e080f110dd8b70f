"""A client that is slow holds no connection of the database."""

import contextlib

import pytest

from harness.catalogue import HEADER_LINE, REFUSED_URL, catalogue
from harness.gateway import assert_error, multipart
from harness.shop import GATEWAY_LOGIN, GATEWAY_TIMEOUT
from harness.waiting import wait_until

CONNECTIONS = 2
SMALL = catalogue([(1, "SKU1", [REFUSED_URL])])

BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND datname = %s "
    "AND (state <> 'idle' OR xact_start IS NOT NULL)"
)


@pytest.fixture(scope="module", name="gateway")
def fixture_gateway(shop, unserved):
    """A gateway with few connections; accepted uploads stay Pending."""
    with shop.new_gateway("--connections", str(CONNECTIONS), database=unserved) as made:
        yield made


@pytest.fixture(name="busy")
def fixture_busy(shop, unserved):
    """A function that counts the gateway's sessions that run a statement or a transaction."""
    return lambda: shop.cluster.scalar(BUSY, (GATEWAY_LOGIN, unserved))


MIDDLE = HEADER_LINE + f"1,SKU,{REFUSED_URL}?{'x' * 200}\n" * 1000
FORM, BODY = multipart({}, file_bytes=MIDDLE.encode())
UPLOADS = {
    "form": (FORM, f"Content-Length: {len(BODY)}", BODY),
    "form in chunks": (
        FORM,
        "Transfer-Encoding: chunked",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    ),
    "plain": ({"Content-Type": "text/csv"}, f"Content-Length: {len(SMALL)}", SMALL.encode()),
}


@pytest.mark.parametrize("kind", UPLOADS)
def test_an_upload_holds_a_connection_only_when_it_is_complete(gateway, busy, kind):
    headers, framing, body = UPLOADS[kind]
    head = f"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: {headers['Content-Type']}\r\n"
    begun = f"{head}{framing}\r\n\r\n".encode() + body[:-10]
    with contextlib.ExitStack() as stack:
        hanging = [stack.enter_context(gateway.converse()) for _ in range(20)]
        for client in hanging:
            client.send(begun)
        for client in hanging:
            client.wait_until_read()
        assert busy() == 0
        for _ in range(5):
            assert gateway.upload(SMALL).status == 202
        assert busy() == 0
        for client in hanging:
            assert client.exchange(body[-10:]).status == 202


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_reader_of_products_holds_no_connection(gateway, large, busy, coding):
    status = large.path.replace("products", "status")
    with contextlib.ExitStack() as stack:
        for _ in range(2 * CONNECTIONS):
            stack.enter_context(gateway.begin_answer(large.path, f"Accept-Encoding: {coding}\r\n"))
        assert busy() == 0
        for _ in range(5):
            assert gateway.get(status).status == 200
            assert gateway.upload(SMALL).status == 202


@pytest.mark.parametrize("kind", ["upload", "products"])
def test_a_client_that_goes_away_leaves_nothing_behind(gateway, large, busy, kind):
    for _ in range(3 * CONNECTIONS):
        with gateway.converse() as client:
            if kind == "products":
                client.send(f"GET {large.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            else:
                head = f"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n"
                client.send(f"{head}Content-Type: {FORM['Content-Type']}\r\n\r\n".encode())
                client.send(BODY[: len(BODY) // 2])
    wait_until(lambda: busy() == 0, "no statement runs any more")
    assert gateway.get(large.path.replace("products", "status")).status == 200


def test_a_statement_timeout_of_the_role_is_obeyed(shop, unserved):
    """There is no other limit behind pgbouncer, which knows no session state."""
    shop.limit_statements("300ms")
    try:
        with shop.new_gateway(database=unserved) as gateway:
            request = gateway.upload(SMALL).json()["request_id"]
            with shop.cluster.session(unserved, autocommit=False) as session:
                session.execute("LOCK TABLE imgpress.processing_requests")
                for kind in ("status", "products"):
                    answer = gateway.get(f"/api/{kind}/{request}/")
                    assert_error(answer, "busy", "database_unavailable")
            assert gateway.get(f"/api/status/{request}/").status == 200
    finally:
        shop.limit_statements(GATEWAY_TIMEOUT)


def test_an_upload_that_waits_for_a_lock_leaves_no_session_behind(shop, unserved):
    """The longer limit of its transaction begins only when its parts are stored."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'"
    )
    shop.limit_statements("300ms")
    try:
        with shop.new_gateway(database=unserved) as gateway:
            with shop.cluster.session(unserved, autocommit=False) as session:
                session.execute("LOCK TABLE imgpress_internal.upload_parts")
                assert_error(gateway.upload(SMALL), "database_unavailable")
                assert shop.value(waiting, GATEWAY_LOGIN) == 0
            assert gateway.upload(SMALL).status == 202
    finally:
        shop.limit_statements(GATEWAY_TIMEOUT)


def test_no_state_of_the_session_is_used(shop, unserved, gateway):
    """Neither prepared statements nor settings, so that a pooler may hand connections around."""
    gateway.upload(SMALL)
    statements = (
        "SELECT query FROM pg_stat_activity WHERE usename = %s AND datname = %s "
        "AND query ~* '^ *(prepare|set session|set [a-z_]+ *(=|to))'"
    )
    assert shop.cluster.query(statements, (GATEWAY_LOGIN, unserved)) == []
