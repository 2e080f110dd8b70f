"""A server whose every transfer hangs, in a phase of the caller's choice."""

import contextlib
import socket
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
DRIP_PAUSE = 0.5  # seconds between two bytes

# What is sent on a connection before nothing follows. connect: it is not even accepted.
PHASES = {
    "connect": None,
    "tls": b"",  # the client's hello is not answered
    "request": b"",  # the request is not answered
    "headers": HEAD,
    "body": HEAD + b"Content-Length: 100000\r\n\r\n\xff\xd8\xff\xe0",
    "drip": HEAD + b"Content-Length: 100000\r\n\r\n",
}


class TarPit:
    """with TarPit("body") as pit: pit.url("a.jpg")"""

    def __init__(self, phase):
        self.phase = phase
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._connections = []
        self._closing = threading.Event()
        self._threads = []

    def url(self, name):
        scheme = "https" if self.phase == "tls" else "http"
        return f"{scheme}://127.0.0.1:{self.address[1]}/{name}"

    def __enter__(self):
        if self.phase == "connect":
            # Further connections find the queue full: their first packets are dropped.
            self._listener.listen(0)
            self._connections = [self._connect() for _ in range(3)]
        else:
            self._listener.listen(1024)
            self._start(self._accept_all)
            if self.phase == "drip":
                self._start(self._drip)
        return self

    def __exit__(self, *_exc):
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
        for connection in self._connections:
            connection.close()

    def _start(self, function):
        self._threads.append(threading.Thread(target=function, daemon=True))
        self._threads[-1].start()

    def _connect(self):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(self.address)
        return connection

    def _accept_all(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                connection.sendall(PHASES[self.phase])

    def _drip(self):
        while not self._closing.wait(DRIP_PAUSE):
            for connection in list(self._connections):
                with contextlib.suppress(OSError):
                    connection.send(b"\0")
