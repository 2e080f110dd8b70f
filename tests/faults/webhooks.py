"""A receiver of webhooks whose paths say what it does, and that remembers each message."""

import hashlib
import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field

from harness.servers.http_server import Handler, HttpServer

# What an endpoint does, and how the deliveries to it must end.
ENDPOINTS = {
    "up": "Delivered",
    "slow": "Delivered",  # answers after half a second
    "flaky": "Delivered",  # answers with 503 at the first attempt
    "hang": "Delivered",  # does not answer at the first attempt
    "gone": "Failed",  # answers with 410
    "down": "Failed",  # refuses connections
}
SHARES = (8, 1, 3, 1, 1, 1)  # of the endpoints in the load
CLOSED_PORT = "http://127.0.0.1:9"


@dataclass
class Message:
    """All attempts to deliver the message with one webhook-id."""

    request_id: str = ""
    bodies: set = field(default_factory=set)
    attempts: int = 0
    accepted: int = 0


class _Handler(Handler):
    def do_POST(self):
        owner = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        kind = self.path.strip("/").partition("/")[0]
        status = owner.answer_to(kind, self.headers["webhook-id"], body)
        if status is None:
            owner.closing.wait()
            self.close_connection = True
        else:
            self.answer(status, b"", "text/plain")


class Receiver(HttpServer):
    """with Receiver() as receiver: receiver.endpoint("flaky")"""

    handler = _Handler

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()
        self._messages = defaultdict(Message)

    def endpoint(self, kind):
        return f"{CLOSED_PORT}/{kind}" if kind == "down" else self.url(kind)

    @staticmethod
    def expectation(url):
        """How the delivery to an endpoint must end."""
        return ENDPOINTS[url.rsplit("/", 1)[1]]

    def answer_to(self, kind, message_id, body):
        """The status to answer with; None: no answer."""
        if kind == "slow":
            self.closing.wait(0.5)
        with self._lock:
            message = self._messages[message_id]
            message.attempts += 1
            message.request_id = json.loads(body)["data"]["request_id"]
            message.bodies.add(hashlib.sha256(body).digest())
            status = 410 if kind == "gone" else 204
            if message.attempts == 1:
                status = {"flaky": 503, "hang": None}.get(kind, status)
            if status == 204:
                message.accepted += 1
        return status

    def messages(self):
        """What was received, by webhook-id."""
        with self._lock:
            return dict(self._messages)
