"""Runs the real imgpress-gateway, and calls it as a REST client."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass

from .processes import peak_memory_kib
from .waiting import WaitTimeout

BOUNDARY = "imgpress-test-boundary"


def free_port(preferred=0):
    """An unused port of 127.0.0.1; the preferred one if it is free."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise RuntimeError("127.0.0.1 has no free port")


def gateway_program():
    """The binary under test: $IMGPRESS_GATEWAY, or the installed one."""
    program = os.environ.get("IMGPRESS_GATEWAY") or shutil.which("imgpress-gateway")
    if program is None:
        raise RuntimeError("imgpress-gateway is not on the PATH: run make install")
    return program


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


def assert_error(answer, *statuses):
    """The answer has one of these statuses, and is JSON with the field "error"."""
    assert answer.status in statuses, answer.body
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["error"]


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


def read_answer(connection, method="GET"):
    """The next answer on a socket."""
    answer = http.client.HTTPResponse(connection, method=method)
    try:
        answer.begin()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        answer.close()


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

    def connect(self):
        """A socket, to send what no proper client sends."""
        return socket.create_connection(self._address, timeout=self._timeout)

    def raw(self, request):
        """Sends these bytes unchanged on a new connection; returns the answer."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_answer(connection)

    def upload(self, csv, path="/api/upload/", **fields):
        """Posts the CSV (str or bytes; None for a form without a file) with further fields."""
        content = csv.encode() if isinstance(csv, str) else csv
        headers, body = multipart(fields, file_bytes=content)
        return self.request("POST", path, body, headers)

    def measure(self, path):
        """Reads an answer piece by piece without keeping it; returns (status, length)."""
        connection = http.client.HTTPConnection(*self._address, timeout=self._timeout)
        try:
            connection.request("GET", path)
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

    @property
    def pid(self):
        return self._process.pid

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def peak_memory_kib(self):
        return peak_memory_kib(self.pid)
