"""nginx with docker/nginx.conf in front of the gateway: it keeps slow and malformed clients away from
the gateway, whose threads they would hold."""

import contextlib
import re
import select
import socket
import subprocess
import threading
import time

import pytest
from contract_cases import ContractCases, call_at_once

from harness.catalogue import HEADER_LINE
from harness.cluster import CHECKOUT
from harness.gateway import Conversation, assert_error, free_port, gateway_program, multipart
from harness.servers.http_server import Handler, HttpServer
from harness.servers.nginx import Nginx, nginx_program
from harness.waiting import wait_until

pytestmark = pytest.mark.skipif(nginx_program() is None, reason="needs nginx")

QUICK = 1.0  # seconds for an answer while other clients hang
SHORT = {"client_header_timeout": "3s", "client_body_timeout": "1s"}
STALLED_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Drip: "
ESTABLISHED = "01"


@pytest.fixture(scope="module", name="client")
def fixture_client(shop):
    with Nginx(shop.gateway.port) as nginx:
        yield nginx


@pytest.fixture(scope="module", name="finished")
def fixture_finished(shop):
    request = shop.upload("small0.jpg")
    shop.finish(request)
    return request


@pytest.fixture(name="gateway")
def fixture_gateway(shop):
    """A gateway without other clients, whose connections can be counted."""
    with shop.new_gateway() as made:
        yield made


class TestContract(ContractCases):
    pass


# --- slow clients -----------------------------------------------------------------------------


def upload_request(nginx):
    """(head, body) of an upload of about a kilobyte."""
    headers, body = multipart({}, file_bytes=HEADER_LINE.encode() + b"x" * 1000)
    lines = [
        "POST /api/upload/ HTTP/1.1",
        f"Host: 127.0.0.1:{nginx.port}",
        f"Content-Type: {headers['Content-Type']}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n", body


class Drip:
    """Many clients that send the same beginning, and then one byte each every 100 ms or nothing."""

    def __init__(self, port, count, first, byte=b"x"):
        self._byte = byte
        self._ended = threading.Event()
        self.clients = []
        self.closed = 0
        for _ in range(count):
            self.clients.append(socket.create_connection(("127.0.0.1", port)))
            self.clients[-1].sendall(first)
        self._thread = threading.Thread(target=self._drip)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._ended.set()
        self._thread.join()
        for client in self.clients:
            client.close()

    def _drip(self):
        poller = select.poll()
        alive = {client.fileno(): client for client in self.clients}
        for number in alive:
            poller.register(number, select.POLLIN | select.POLLRDHUP)
        while not self._ended.wait(0.1):
            for number, _ in poller.poll(0):
                poller.unregister(number)
                del alive[number]
            self.closed = len(self.clients) - len(alive)
            for client in alive.values():
                with contextlib.suppress(ConnectionError):
                    client.send(self._byte)


def connections_to(port):
    """How many connections to this port of 127.0.0.1 are open."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in list(table)[1:]]
    wanted = f"0100007F:{port:04X}"
    return sum(row[2] == wanted and row[3] == ESTABLISHED for row in rows)


def assert_undisturbed(nginx, gateway, request):
    """Others are answered quickly, and the gateway has only their connections."""
    for _ in range(5):
        start = time.monotonic()
        answer = nginx.get(f"/api/status/{request}/")
        assert answer.status == 200
        assert time.monotonic() - start < QUICK
        assert connections_to(gateway.port) <= 2, "one for each worker process of nginx"


def test_500_clients_that_drip_a_head(gateway, finished):
    with Nginx(gateway.port, SHORT) as nginx:
        with Drip(nginx.port, 500, STALLED_HEAD) as drip:
            assert_undisturbed(nginx, gateway, finished)
            wait_until(lambda: drip.closed == 500, "nginx closes their connections", 15)
        assert_undisturbed(nginx, gateway, finished)


def test_200_clients_that_drip_a_body(gateway, finished):
    with Nginx(gateway.port, SHORT) as nginx:
        head, body = upload_request(nginx)
        with Drip(nginx.port, 200, head + body[:50]) as drip:
            assert_undisturbed(nginx, gateway, finished)
            assert drip.closed == 0
        with Drip(nginx.port, 200, head + body[:50], byte=b"") as silent:
            assert_undisturbed(nginx, gateway, finished)
            wait_until(lambda: silent.closed == 200, "nginx closes their connections", 15)


def test_clients_that_do_not_read_their_answers(shop, gateway, finished):
    """nginx takes over their answers, and then closes its idle connections to the gateway."""
    name = "x" * 500
    rows = "".join(f"{n},{name},http://127.0.0.1:9/a.jpg\n" for n in range(20_000))
    idle = {"keepalive_timeout": "1s"}
    with Nginx(gateway.port, idle) as nginx, contextlib.ExitStack() as stack:
        request = nginx.upload(HEADER_LINE + rows).json()["request_id"]
        shop.finish(request)
        get = f"GET /api/products/{request}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        clients = [stack.enter_context(nginx.connect(receive_buffer=4096)) for _ in range(10)]
        for client in clients:
            client.sendall(get)
        for client in clients:
            assert client.recv(1), "the gateway has begun to answer"
        # Sooner than the gateway itself gives up a client that does not read.
        wait_until(lambda: connections_to(gateway.port) == 0, "the gateway is done", 8)
        assert_undisturbed(nginx, gateway, finished)


@pytest.mark.parametrize(
    "piece",
    [b"X: " + b"a" * 1000 + b"\r\n", b"X" * 1000, b"X: a\r\n" * 100],
    ids=["large headers", "one header", "small headers"],
)
def test_an_endless_head(shop, client, piece):
    with client.converse() as conversation:
        conversation.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + piece * 1000)
        assert_error(conversation.read(), "headers_too_large")
        assert conversation.ended()
    assert shop.gateway.alive()


@pytest.mark.parametrize(
    "begin, piece, end",
    [
        (b"%x;", b"x" * 1000, b"\r\n%s\r\n0\r\n\r\n"),
        (b"%x\r\n%s\r\n0\r\n", b"X: a\r\n" * 100, b"\r\n"),
    ],
    ids=["extension of a chunk", "trailer"],
)
def test_what_is_between_chunks_is_not_passed_on(gateway, begin, piece, end):
    """Version 0.11 of the gateway's library would keep an extension in memory, 0.18 a trailer."""
    csv = HEADER_LINE.encode() + b"1,SKU,http://127.0.0.1:9/a.jpg\n"
    body = [begin, *[piece] * 10_000, end]
    filled = b"".join(body).replace(b"%x", b"%x" % len(csv)).replace(b"%s", csv)
    head = b"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
    assert gateway.get("/healthz").status == 200
    before = gateway.peak_memory_kib()
    with Nginx(gateway.port) as nginx, nginx.converse() as conversation:
        conversation.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + filled)
        answer = conversation.read()
        assert answer.status == 202 or assert_error(answer, "bad_request")
    assert gateway.peak_memory_kib() - before < 4 * 1024


@pytest.mark.parametrize(
    "header", [b"Content-Length: %35", b"Content-Length: 5%00", b"Transfer-Encoding: chu%6eked"]
)
def test_encoded_headers_are_refused(client, header):
    """The gateway's library decodes them."""
    with client.converse() as conversation:
        conversation.send(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\nhello")
        assert_error(conversation.read(), "bad_request")
        assert conversation.ended()


def test_clients_of_one_address_are_limited(gateway, finished):
    limit = 20
    with Nginx(gateway.port, {"limit_conn": f"addresses {limit}"}) as nginx:
        head, body = upload_request(nginx)
        head = head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        with contextlib.ExitStack() as stack:
            source = ("127.0.0.2", 0)
            address = ("127.0.0.1", nginx.port)
            for _ in range(limit + 1):
                connection = socket.create_connection(address, source_address=source)
                conversation = stack.enter_context(Conversation(connection))
                # It says that nginx has counted the client. Even one that is refused gets it.
                assert conversation.exchange(head).status == 100
            assert_error(conversation.read(), "busy")
            assert_undisturbed(nginx, gateway, finished)


# --- what nginx passes on ---------------------------------------------------------------------


class _EchoHandler(Handler):
    """Answers with the head that it received."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, f"{self.requestline}\n{self.headers}".encode())


class _Echo(HttpServer):
    handler = _EchoHandler


def test_what_the_gateway_receives():
    with _Echo() as echo, Nginx(echo.port) as nginx:
        headers = {"Host": "shop.example", "Content-Type": "text/csv"}
        answer = nginx.request("POST", "/a%2Fb//c?x=1", iter([b"abc", b"de"]), headers)
        line, *lines = answer.body.decode().splitlines()
        received = dict(header.split(": ", 1) for header in lines if header)
        assert line == "POST /a%2Fb//c?x=1 HTTP/1.1"
        assert received["Host"] == "shop.example" and received["X-Forwarded-Proto"] == "http"
        assert received["Content-Length"] == "5" and "Transfer-Encoding" not in received


def test_chunked_uploads(shop, client):
    headers, body = multipart({"quality": 40}, file_bytes=shop.csv("small0.jpg").encode())
    pieces = (body[at : at + 50] for at in range(0, len(body), 50))
    answer = client.request("POST", "/api/upload/", pieces, headers)
    assert answer.status == 202, answer.body
    shop.finish(answer.json()["request_id"])


def test_a_plain_csv(shop, client):
    headers = {"Content-Type": "text/csv"}
    csv = shop.csv("small0.jpg").encode()
    answer = client.request("POST", "/api/upload/?quality=40", csv, headers)
    assert answer.status == 202, answer.body
    shop.finish(answer.json()["request_id"])


def test_curl_with_a_large_form(shop, client, tmp_path):
    """curl sends `Expect: 100-continue` with it."""
    path = tmp_path / "large.csv"
    url = shop.origin.url("small0.jpg")
    path.write_text(HEADER_LINE + "".join(f"{n},{'x' * 400},{url}\n" for n in range(5000)))
    command = ["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"]
    command += ["-F", f"file=@{path}", f"http://127.0.0.1:{client.port}/api/upload/"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "202"


def directive(name, unit):
    """The number of a directive in docker/nginx.conf, its first if there are several."""
    text = (CHECKOUT / "docker" / "nginx.conf").read_text(encoding="utf-8")
    return int(re.search(rf"^\s*{name} (\d+){unit};", text, re.MULTILINE).group(1))


def test_it_fits_the_gateways_limits(shop):
    """A file of --max-upload-bytes fits with its form, and nginx closes an idle connection first."""
    usage = subprocess.check_output([gateway_program(), "--help"], text=True)
    most = int(re.search(r"--max-upload-bytes.*?\(default (\d+);", usage, re.DOTALL).group(1))
    assert directive("client_max_body_size", "m") << 20 == most + (1 << 20)
    idle = re.fullmatch(r"timeout=(\d+).*", shop.gateway.get("/healthz").headers["Keep-Alive"])
    assert directive("keepalive_timeout", "s") < int(idle.group(1))


# --- nginx's own errors -----------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_over_the_limit(shop, chunked):
    headers, body = multipart({}, file_bytes=b"x" * 10_000)
    with Nginx(shop.gateway.port, {"client_max_body_size": "8k"}) as nginx:
        answer = nginx.request("POST", "/api/upload/", iter([body]) if chunked else body, headers)
        assert_error(answer, "too_large")


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"GET\r\n\r\n", "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\n", "bad_request"),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "bad_request",
        ),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", "bad_request"),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", "uri_too_long"),
        (b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", "method_not_allowed"),
    ],
)
def test_a_malformed_request(client, head, code):
    answer = client.raw(head)
    assert_error(answer, code)
    assert answer.headers["Connection"] == "close"


def test_the_gateway_is_down():
    with Nginx(free_port()) as nginx:
        for answer in (nginx.get("/healthz"), nginx.upload("")):
            assert_error(answer, "busy")


def test_64_uploads_at_once(shop, client):
    csv = shop.csv("small0.jpg")
    answers = call_at_once([lambda: client.upload(csv)] * 64)
    assert {answer.status for answer in answers} == {202}
    for answer in answers:
        shop.finish(answer.json()["request_id"])
