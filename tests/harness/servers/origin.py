"""An HTTP origin of images that misbehaves as the path says.

    /a.jpg                          the file a.jpg of the folder, or 404
    /held/GATE/a.jpg                the same, when origin.gate("GATE") lets it through
    /versioned/a.jpg                the same with an ETag, or 304; date=D: with Last-Modified instead;
                                    gate=GATE: when this gate lets the request through
    /slow/a.jpg?ms=50               the same after this delay
    /drip/a.jpg?ms=50&bytes=1       the same, one byte (or so many) every 50 ms; with length=no chunked
    /encoded/gzip/a.jpg             the same, whose bytes are said to be encoded like this
    /truncated/a.jpg                half of it, with the Content-Length of the whole file
    /flaky/a.jpg?fail=2             503 (or status=N) this many times, then the file
    /hang/a.jpg                     no answer until the origin closes
    /stall/a.jpg                    half of it, then nothing until the origin closes
    /reset/a.jpg                    the connection is reset before an answer
    /garbage/a.jpg                  bytes that are no HTTP
    /slow-headers/a.jpg?ms=50       the head, one byte every 50 ms
    /endless/a.jpg                  chunks without end
    /html/a.jpg, /empty/a.jpg       a web page, or an empty body, with the content type of an image
    /large/a.jpg?bytes=N&length=no  N bytes, with or without Content-Length
    /status/503/a.jpg?retry_after=1 this status, with Retry-After
    /redirect/a.jpg?to=URL          302 to the URL
    /redirect-loop/a.jpg            302 to itself
    /redirect-private/a.jpg         302 to an address inside a private network
"""

import hashlib
import mimetypes
import socket
import struct
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from .gate import Gate
from .http_server import Handler, HttpServer
from .ledger import Ledger

PAGE = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body>No image here.</body></html>"
PRIVATE_TARGET = "http://10.0.0.1/inside.jpg"
CHUNK = 65536


def _content_type(name):
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


class _OriginHandler(Handler):
    """The first part of the path names the behaviour; any other path is a file."""

    def do_GET(self):
        origin = self.server.owner
        number = origin.ledger.begin(self.path)
        try:
            self._dispatch(origin, number)
        finally:
            origin.ledger.end()

    def _dispatch(self, origin, number):
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = unquote(parts.path).lstrip("/")
        first, _, rest = path.partition("/")
        special = getattr(self, "_serve_" + first.replace("-", "_"), None) if rest else None
        if special is not None:
            special(origin, rest, query, number)
        else:
            self._serve_file(origin, path)

    def _serve_file(self, origin, name):
        content = origin.content(name)
        if content is None:
            self.answer(404, b"no such image\n", "text/plain")
        else:
            self.answer(200, content, _content_type(name))

    def _serve_held(self, origin, rest, _query, _number):
        gate, _, name = rest.partition("/")
        origin.gate(gate).pass_through()
        self._serve_file(origin, name)

    def _serve_versioned(self, origin, name, query, _number):
        if "gate" in query:
            origin.gate(query["gate"]).pass_through()
        content = origin.content(name)
        if "date" in query:
            version, header, condition = query["date"], "Last-Modified", "If-Modified-Since"
        else:
            version = f'"{hashlib.sha256(content).hexdigest()}"'
            header, condition = "ETag", "If-None-Match"
        asked = self.headers.get(condition)
        origin.conditions.append((self.path, asked is not None))
        if asked == version:
            self.send_response(304)
            self.send_header(header, version)
            self.end_headers()
        else:
            self.answer(200, content, _content_type(name), [(header, version)])

    def _serve_slow(self, origin, name, query, _number):
        time.sleep(int(query.get("ms", "50")) / 1000)
        self._serve_file(origin, name)

    def _serve_drip(self, origin, name, query, _number):
        content = origin.content(name)
        step = int(query.get("bytes", "1"))
        known = query.get("length", "yes") == "yes"
        self._start(200, _content_type(name), len(content) if known else None)
        for index in range(0, len(content), step):
            self._write_piece(content[index : index + step], known)
            self.wfile.flush()
            if origin.closing.wait(int(query.get("ms", "50")) / 1000):
                break
        if not known:
            self._write_piece(b"", known)
        self.close_connection = True

    def _serve_encoded(self, origin, rest, _query, _number):
        encoding, _, name = rest.partition("/")
        content = origin.content(name)
        self.answer(200, content, _content_type(name), [("Content-Encoding", encoding)])

    def _serve_truncated(self, origin, name, _query, _number):
        content = origin.content(name)
        self._start(200, _content_type(name), len(content))
        self.wfile.write(content[: len(content) // 2])
        self.close_connection = True

    def _serve_flaky(self, origin, name, query, number):
        if number <= int(query.get("fail", "1")):
            self._refuse(int(query.get("status", "503")), query)
        else:
            self._serve_file(origin, name)

    def _serve_hang(self, origin, _name, _query, _number):
        origin.closing.wait()
        self.close_connection = True

    def _serve_stall(self, origin, name, _query, _number):
        content = origin.content(name)
        self._start(200, _content_type(name), len(content))
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        origin.closing.wait()
        self.close_connection = True

    def _serve_reset(self, _origin, _name, _query, _number):
        # With a linger time of 0, close() sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _serve_garbage(self, _origin, _name, _query, _number):
        self.wfile.write(bytes(range(256)) * 4)
        self.close_connection = True

    def _serve_slow_headers(self, origin, name, query, _number):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Filler: " + name.encode() * 100
        for byte in head:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if origin.closing.wait(int(query.get("ms", "50")) / 1000):
                break
        self.close_connection = True

    def _serve_endless(self, origin, _name, _query, _number):
        self._start(200, "image/jpeg", None)
        while not origin.closing.is_set():
            self.wfile.write(b"%x\r\n%s\r\n" % (CHUNK, bytes(CHUNK)))

    def _serve_html(self, _origin, _name, _query, _number):
        self.answer(200, PAGE, "image/jpeg")

    def _serve_empty(self, _origin, _name, _query, _number):
        self.answer(200, b"", "image/jpeg")

    def _serve_large(self, _origin, _name, query, _number):
        left = int(query.get("bytes", "1000000"))
        known = query.get("length", "yes") == "yes"
        self._start(200, "image/jpeg", left if known else None)
        # It begins like a JPEG, so that only its size is wrong.
        piece = b"\xff\xd8\xff\xe0" + bytes(CHUNK - 4)
        while left > 0:
            piece = piece[:left]
            self._write_piece(piece, known)
            left -= len(piece)
            piece = bytes(CHUNK)
        if not known:
            self._write_piece(b"", known)

    def _write_piece(self, piece, known):
        """A part of the body, as a chunk if its length is not known; an empty chunk ends it."""
        self.wfile.write(piece if known else b"%x\r\n%s\r\n" % (len(piece), piece))

    def _serve_status(self, _origin, rest, query, _number):
        self._refuse(int(rest.partition("/")[0]), query)

    def _refuse(self, status, query):
        headers = [("Retry-After", query["retry_after"])] if "retry_after" in query else []
        self.answer(status, b"as asked\n", "text/plain", headers)

    def _serve_redirect(self, _origin, _name, query, _number):
        self._redirect(query["to"])

    def _serve_redirect_loop(self, _origin, _name, _query, _number):
        self._redirect(self.path)

    def _serve_redirect_private(self, _origin, _name, _query, _number):
        self._redirect(PRIVATE_TARGET)

    def _redirect(self, target):
        self.answer(302, b"", "text/plain", [("Location", target)])

    def _start(self, status, content_type, length):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()


class Origin(HttpServer):
    """with Origin(folder) as origin: origin.url("a.jpg")"""

    handler = _OriginHandler

    def __init__(self, folder):
        super().__init__()
        self.ledger = Ledger()
        self.conditions = []  # (path, whether it was asked with a validator) of /versioned/
        self._folder = Path(folder).resolve()
        self._contents = {}
        self._gates = {}
        self._lock = threading.Lock()

    def content(self, name):
        """The bytes of a file of the folder (read once), or None."""
        if name not in self._contents:
            path = (self._folder / name).resolve()
            inside = path.is_relative_to(self._folder) and path.is_file()
            self._contents[name] = path.read_bytes() if inside else None
        return self._contents[name]

    def add(self, name, content):
        """Serves these bytes under the name, without a file."""
        self._contents[name] = content

    def gate(self, name):
        """The gate with this name; a new one is closed."""
        with self._lock:
            return self._gates.setdefault(name, Gate())

    def close(self):
        for gate in list(self._gates.values()):
            gate.open()
        super().close()
