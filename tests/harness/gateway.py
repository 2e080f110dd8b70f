"""Runs the real imgpress-gateway, and calls it as a REST client."""

import contextlib
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

from .cluster import NotInstalled
from .processes import is_sanitized, peak_memory_kib, refuse_sanitizer_reports
from .waiting import WaitTimeout, wait_until

BOUNDARY = "imgpress-test-boundary"


# Below those that the kernel gives to outgoing connections, one of which could take a port between
# its choice and its use.
PORTS = range(20_000, 32_000)


def free_port(preferred=None):
    """An unused port of 127.0.0.1; the preferred one if it is free."""
    for port in ([preferred] if preferred else []) + random.sample(PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("127.0.0.1 has no free port")


def gateway_program():
    """The binary under test: $IMGPRESS_GATEWAY, or the installed one."""
    program = os.environ.get("IMGPRESS_GATEWAY") or shutil.which("imgpress-gateway")
    if program is None:
        raise NotInstalled("imgpress-gateway is not on the PATH: run `make install`")
    return program


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


# The codes of errors and their statuses, as docs/rest.md lists them.
CODES = {
    "bad_request": 400,
    "invalid_upload": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "cross_site": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "length_required": 411,
    "too_large": 413,
    "uri_too_long": 414,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "unknown_host": 421,
    "headers_too_large": 431,
    "internal_error": 500,
    "busy": 503,
    "database_unavailable": 503,
    "login_refused": 503,
    "extension_missing": 503,
}


def assert_error(answer, *codes):
    """The answer is an error with one of these codes, in the shape that every error has. Returns
    its JSON."""
    assert answer.headers["Content-Type"].startswith("application/json"), answer
    error = answer.json()
    assert error["code"] in codes, error
    assert answer.status == CODES[error["code"]]
    assert set(error) == {"error", "code", "hint"} | (
        {"details"} if answer.status == 400 else set()
    )
    assert error["error"] and isinstance(error["error"], str)
    assert error["hint"] is None or error["hint"]
    for detail in error.get("details", []):
        assert set(detail) == {"line", "column", "field", "message"} and detail["message"], detail
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (answer.status == 503) == ("Retry-After" in answer.headers)
    return error


def multipart(fields, file_name="products.csv", file_bytes=None):
    """(headers, body) of a multipart/form-data form; file_bytes None leaves the file out."""
    parts = []
    for name, value in fields.items():
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        parts.append(head.encode() + str(value).encode() + b"\r\n")
    if file_bytes is not None:
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"'
            "\r\nContent-Type: text/csv\r\n\r\n"
        )
        parts.append(head.encode() + file_bytes + b"\r\n")
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, body


def bearer(key):
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


class Conversation:
    """A connection on which a test sends any bytes, and reads the answers one by one."""

    def __init__(self, connection):
        self.socket = connection
        self._stream = connection.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        self._stream.close()
        self.socket.close()

    def send(self, request):
        """Sends as much as the gateway takes before it closes the connection."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(request)

    def read(self, method="GET"):
        """The next answer, which has a length of its own, or None if there is no other."""
        line = self._read_line()
        if not line:
            return None
        version, status = line.split(None, 2)[:2]
        assert version == b"HTTP/1.1", line
        headers = http.client.parse_headers(self._stream)
        assert "Transfer-Encoding" not in headers
        status = int(status)
        if status in (100, 304) or method == "HEAD":
            return Response(status, headers, b"")
        (length,) = headers.get_all("Content-Length")
        return Response(status, headers, self._stream.read(int(length)))

    def _read_line(self):
        try:
            return self._stream.readline()
        except ConnectionResetError:
            return b""

    def exchange(self, request, method="GET"):
        self.send(request)
        return self.read(method)

    def wait_until_read(self):
        """Waits until the gateway has read everything that was sent, or has closed the connection."""
        try:
            ends = [self.socket.getpeername()[1], self.socket.getsockname()[1]]
        except OSError:
            return  # closed

        def unread():
            with open("/proc/net/tcp", encoding="ascii") as table:
                for fields in map(str.split, list(table)[1:]):
                    if [int(end.split(":")[1], 16) for end in fields[1:3]] == ends:
                        return int(fields[4].split(":")[1], 16)
            return 0

        wait_until(lambda: unread() == 0, "the gateway has read what was sent")

    def ended(self):
        """Whether the gateway has closed the connection; waits for it, or for another answer."""
        try:
            return self._stream.peek(1) == b""
        except ConnectionResetError:
            return True


class Client:
    """HTTP calls to one host, each on a new connection so that tests do not share any."""

    def __init__(self, host, port, timeout=60.0):
        self._address = (host, port)
        self._timeout = timeout

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(*self._address, timeout=self._timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def connect(self, receive_buffer=None):
        """A socket, to send what no proper client sends. With a small receive buffer a client that
        does not read is noticed early."""
        connection = socket.socket()
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(self._timeout)
        connection.connect(self._address)
        return connection

    def converse(self, receive_buffer=None):
        return Conversation(self.connect(receive_buffer))

    def begin_answer(self, path, headers=""):
        """A conversation with a client that has received the beginning of a large answer, and reads
        no further."""
        conversation = self.converse(receive_buffer=4096)
        conversation.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        assert conversation.socket.recv(1, socket.MSG_PEEK), "the answer has begun"
        return conversation

    def raw(self, request):
        """Sends these bytes unchanged on a new connection; returns the answer."""
        with self.converse() as conversation:
            return conversation.exchange(request)

    def upload(self, csv, path="/api/upload/", headers=None, **fields):
        """Posts the CSV (str or bytes; None for a form without a file) with further fields."""
        content = csv.encode() if isinstance(csv, str) else csv
        own, body = multipart(fields, file_bytes=content)
        return self.request("POST", path, body, own | (headers or {}))

    def measure(self, path, headers=None):
        """Reads an answer piece by piece without keeping it; returns (status, length)."""
        connection = http.client.HTTPConnection(*self._address, timeout=self._timeout)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            total = 0
            while piece := answer.read(1 << 20):
                total += len(piece)
            return answer.status, total
        finally:
            connection.close()


class Gateway(Client):
    """with Gateway(conninfo, port) as gateway: gateway.get("/healthz")"""

    def __init__(self, conninfo, port=None, options=()):
        self.port = port or free_port()
        super().__init__("127.0.0.1", self.port)
        self.base = f"http://127.0.0.1:{self.port}"
        self.output = []
        self._command = [
            gateway_program(),
            *("--listen", f"127.0.0.1:{self.port}", "--database", conninfo, *options),
        ]
        self._process = None
        self._ready = threading.Event()
        self._reader = None

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            # Ctrl-C at a terminal must reach only the harness, which then stops the gateway.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        if not self._ready.wait(30.0) or not self._answers():
            self.stop()
            raise WaitTimeout("imgpress-gateway did not get ready: " + "\n".join(self.output))
        return self

    def refuse_to_start(self):
        """Runs the program, which must end with an error by itself; returns what it says."""
        ended = subprocess.run(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 1, ended
        return ended.stdout

    def _answers(self):
        try:
            return self.get("/healthz").status in (200, 503)
        except OSError:
            return False

    def __exit__(self, *_exc):
        self.stop()

    def _read_output(self):
        """Collects the gateway's output; the line that names its port says that it is ready."""
        for line in self._process.stdout:
            self.output.append(line.rstrip("\n"))
            if str(self.port) in line:
                self._ready.set()
        self._ready.set()  # it has ended, and __enter__ need not wait any longer

    def stop(self):
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15.0)
        except subprocess.TimeoutExpired:
            self.output.append("(killed: it did not end within 15 s of SIGTERM)")
        finally:
            self._process.kill()
            self._process.wait()
        self._reader.join(5.0)
        self._process.stdout.close()
        self._process = None
        refuse_sanitizer_reports("\n".join(self.output))

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, timeout):
        """The exit status, once the process has ended by itself."""
        status = self._process.wait(timeout)
        self._reader.join(5.0)
        return status

    def ends_within(self, seconds):
        """Waits for an exit status of 0; returns how long it took."""
        start = time.monotonic()
        assert self.wait(seconds) == 0
        return time.monotonic() - start

    def said(self, text):
        """Waits for a line of output that holds this text; returns it."""
        lines = lambda: [line for line in self.output if text in line]  # noqa: E731
        return wait_until(lines, f"the gateway says: {text}")[0]

    @property
    def pid(self):
        return self._process.pid

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def peak_memory_kib(self):
        """0 for a program with a sanitizer, which takes several times the memory for itself: a test
        goes on, but its limits of memory mean nothing."""
        return 0 if is_sanitized(self.pid) else peak_memory_kib(self.pid)
