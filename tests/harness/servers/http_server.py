"""The threaded HTTP/1.1 server used by the image origin and the webhook receiver."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        """Prints no traceback: clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Keep-alive, no access log, one packet per small answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def answer(self, status, body=b"", content_type="application/octet-stream", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class HttpServer:
    """Runs a handler class on a free port of 127.0.0.1, for a with block.

    Its handlers reach this object as self.server.owner."""

    handler = Handler

    def __init__(self):
        self._server = _Server(("127.0.0.1", 0), self.handler)
        self._server.owner = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self.closing = threading.Event()

    @property
    def port(self):
        return self._server.server_address[1]

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def url(self, path):
        return f"{self.base}/{path.lstrip('/')}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
