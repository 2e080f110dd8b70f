"""What the gateway does when a client, PostgreSQL or a statement takes too long. Each case waits for
one of its time limits, so all of them begin together."""

import concurrent.futures
import contextlib
import signal
import socket
import time

import pytest

from harness.catalogue import REFUSED_URL, catalogue
from harness.gateway import Gateway, assert_error, multipart

CSV = catalogue((n, f"Slow {n}", [REFUSED_URL]) for n in range(500))
PLAIN = {"Content-Type": "text/csv"}
FORM, BODY = multipart({}, file_bytes=CSV.encode())

# Seconds.
BODY_LIMIT = 30.0
DISCARD_LIMIT = 5.0
DATABASE_LIMIT = 15.0
GRACE = 10.0
MARGIN = 8.0


@pytest.fixture(scope="module", name="outcome")
def fixture_outcome(shop, unserved, large):
    """A function that waits for the end of a case, and returns what it returned."""
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(shop.new_gateway(database=unserved))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(32))
        cases = {name: pool.submit(drip, gateway, *SLOW[name]) for name in SLOW}
        cases["silent server"] = pool.submit(ask_a_silent_server)
        cases["connections"] = pool.submit(use_all_connections, shop)
        for kind in ("answer", "upload"):
            new = shop.new_gateway(database=unserved)
            cases[kind] = pool.submit(end_during_exchange, new, kind, large)
        yield lambda name: cases[name].result()


# --- slow bodies ----------------------------------------------------------------------------------

LENGTH = "Content-Length: 100000"
CHUNKED = "Transfer-Encoding: chunked"

# Path, headers, framing, what is sent at once, and what is sent byte by byte.
SLOW = {
    "form": ("/api/upload/", FORM, LENGTH, b"", BODY),
    "chunked form": ("/api/upload/", FORM, CHUNKED, b"", BODY),
    "plain": ("/api/upload/", PLAIN, LENGTH, b"", CSV.encode()),
    "chunked plain": ("/api/upload/", PLAIN, CHUNKED, b"", CSV.encode()),
    "preamble": ("/api/upload/", FORM, LENGTH, b"", CSV.encode()),
    "head of a part": ("/api/upload/", FORM, LENGTH, BODY[:60], b"X-A: b\r\n" * 100),
    "epilogue": ("/api/upload/", FORM, CHUNKED, BODY, CSV.encode()),
    "unknown path": ("/api/nothing/", PLAIN, LENGTH, b"", CSV.encode()),
    "chunks for an unknown path": ("/api/nothing/", PLAIN, CHUNKED, b"", CSV.encode()),
    "wrong method": ("/healthz", PLAIN, LENGTH, b"", CSV.encode()),
}


def drip(gateway, path, headers, framing, at_once, slowly):
    """(answer, seconds, whether the connection was closed) of a body of ten bytes a second."""

    def framed(data):
        return b"%x\r\n%s\r\n" % (len(data), data) if framing == CHUNKED else data

    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {headers['Content-Type']}\r\n"
    start = time.monotonic()
    with gateway.converse() as conversation:
        conversation.send(f"{head}{framing}\r\n\r\n".encode())
        if at_once:
            conversation.send(framed(at_once))
        conversation.socket.settimeout(0.1)
        for byte in slowly[:600]:
            conversation.send(framed(bytes([byte])))
            if answered(conversation.socket):
                break
        conversation.socket.settimeout(2)
        return conversation.read(), time.monotonic() - start, conversation.ended()


def answered(connection):
    """Whether something can be read; waits a tenth of a second for it."""
    try:
        return connection.recv(1, socket.MSG_PEEK) is not None
    except TimeoutError:
        return False


@pytest.mark.parametrize("name", [name for name in SLOW if SLOW[name][0] == "/api/upload/"])
def test_a_slow_upload_is_408(shop, unserved, outcome, name):
    answer, seconds, closed = outcome(name)
    assert_error(answer, "timeout")
    assert BODY_LIMIT - 1 < seconds < BODY_LIMIT + MARGIN
    assert closed
    stored = "SELECT count(*) FROM imgpress.products WHERE product_name LIKE 'Slow %'"
    assert shop.cluster.scalar(stored, database=unserved) == 0


@pytest.mark.parametrize("name", [name for name in SLOW if SLOW[name][0] != "/api/upload/"])
def test_a_slow_body_that_is_discarded(outcome, name):
    """It has its answer, which was known before, without the end of the body."""
    answer, seconds, closed = outcome(name)
    assert_error(answer, "method_not_allowed" if name == "wrong method" else "not_found")
    assert seconds < DISCARD_LIMIT + MARGIN
    assert closed


# --- PostgreSQL -----------------------------------------------------------------------------------


def ask_a_silent_server():
    """(answer, seconds) of /healthz, and the answer of the page. The server accepts connections and
    is silent: a broken proxy, or a stopped virtual machine."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        conninfo = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=shop user=a"
        with Gateway(conninfo) as gateway:
            start = time.monotonic()
            answer = gateway.get("/healthz")
            return answer, time.monotonic() - start, gateway.get("/")


def test_a_server_that_never_answers(outcome):
    answer, seconds, page = outcome("silent server")
    assert_error(answer, "database_unavailable")
    print(f"healthz: {seconds:.1f} s")
    assert seconds < DATABASE_LIMIT
    assert page.status == 200


def use_all_connections(shop):
    """Statuses that are asked for while the only two connections of a gateway wait for a lock: the
    answer that comes during the lock, the others, and one afterwards."""
    request = shop.upload("small0.jpg")
    asking = f"GET /api/status/{request}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(shop.new_gateway("--connections", "2"))
        with shop.cluster.session(autocommit=False) as session:
            session.execute("LOCK TABLE imgpress.processing_requests")
            clients = [stack.enter_context(gateway.converse()) for _ in range(4)]
            for client in clients:
                client.send(asking)
            first = clients[0].read()
        others = [client.read() for client in clients[1:]]
        return first, others, gateway.get(f"/api/status/{request}/")


def test_all_connections_are_busy(outcome):
    """A client for which there is none in time gets 503, and afterwards all is as before."""
    first, others, later = outcome("connections")
    assert_error(first, "busy", "database_unavailable")
    for answer in others:
        assert answer.status == 200 or assert_error(answer, "busy", "database_unavailable")
    assert later.status == 200


# --- the end of the gateway -----------------------------------------------------------------------


def end_during_exchange(new, kind, large):
    """Seconds that a gateway takes to end while a client stands still in its answer or upload."""
    with new as gateway:
        with contextlib.ExitStack() as stack:
            if kind == "answer":
                stack.enter_context(gateway.begin_answer(large.path))
            else:
                conversation = stack.enter_context(gateway.converse())
                head = "POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
                conversation.send(f"{head}Content-Length: 1000\r\n\r\nx".encode())
                conversation.wait_until_read()
            gateway.signal(signal.SIGTERM)
            return gateway.ends_within(GRACE + MARGIN)


@pytest.mark.parametrize("kind", ["answer", "upload"])
def test_a_slow_client_does_not_hold_it_for_ever(outcome, kind):
    assert outcome(kind) > GRACE / 2, "it has waited for the client"
