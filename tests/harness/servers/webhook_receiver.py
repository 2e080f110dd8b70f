"""A receiver of webhooks that records what it gets and answers as a test tells it."""

import json
import threading
import time
from dataclasses import dataclass, field

from .gate import Gate
from .http_server import Handler, HttpServer
from ..waiting import WaitTimeout


# As an answer: none ever comes.
HANG = object()


@dataclass
class Delivery:
    """One request as received; header names in lower case."""

    path: str
    headers: dict
    body: bytes
    received: float = field(default_factory=time.time)

    def json(self):
        return json.loads(self.body)


class Endpoint:
    """One path of the receiver, with its own answers and its own list of deliveries."""

    def __init__(self, url):
        self.url = url
        self._changed = threading.Condition()
        self._script = []
        self._deliveries = []

    def script(self, *answers):
        """The next answers: a status, (status, {header: value}), HANG, or a Gate that lets a 204
        through; then always 204."""
        with self._changed:
            self._script.extend(answers)

    def take(self, delivery):
        """Called by the receiver: records the delivery; returns the (status, headers) to answer."""
        with self._changed:
            answer = self._script.pop(0) if self._script else 204
            self._deliveries.append(delivery)
            self._changed.notify_all()
        return answer if isinstance(answer, tuple) else (answer, {})

    @property
    def deliveries(self):
        with self._changed:
            return list(self._deliveries)

    def wait(self, count=1, timeout=30.0):
        """Waits for this many deliveries; returns all so far."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._deliveries) >= count, timeout):
                raise WaitTimeout(f"{self.url} got {len(self._deliveries)} of {count} webhooks")
            return list(self._deliveries)


class _ReceiverHandler(Handler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        endpoint = self.server.owner.endpoint(self.path)
        status, extra = endpoint.take(Delivery(self.path, headers, body))
        if isinstance(status, Gate):
            status.pass_through()
            status = 204
        if status is HANG:
            self.server.owner.closing.wait()
            self.close_connection = True
        else:
            self.answer(status, b"", "text/plain", extra.items())

    do_GET = do_POST


class WebhookReceiver(HttpServer):
    """with WebhookReceiver() as receiver: endpoint = receiver.endpoint("/done")"""

    handler = _ReceiverHandler

    def __init__(self):
        super().__init__()
        self._endpoints = {}
        self._lock = threading.Lock()

    def endpoint(self, path):
        with self._lock:
            return self._endpoints.setdefault(path, Endpoint(self.url(path)))
