"""A DNS server whose answers a test tells, and programs that ask it instead of the machine's own."""

import contextlib
import itertools
import os
import socket
import struct
import tempfile
import threading

from .mounts import lying_over

PORT = 53  # resolv.conf cannot name another
TYPE_A = 1


def _question(query):
    """(name, type, the bytes of the question) of a query with one question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
        at += 1 + query[at]
    (kind,) = struct.unpack_from("!H", query, at + 1)
    return ".".join(labels).lower(), kind, query[12 : at + 5]


class NameServer:
    """with NameServer() as names: names.script("a.test", ["127.0.0.1"], ["127.0.0.2"])

    Needs root, for port 53 and for the mount namespace of resolving()."""

    def __init__(self):
        # Not the address of another test run at the same time.
        self.address = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, PORT))
        self._scripts = {}
        self._asked = {}
        self._hanging = set()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._socket.sendto(b"", (self.address, PORT))  # ends the thread
        self._thread.join()
        self._socket.close()

    def script(self, name, *answers):
        """The addresses of the first answer about this name, of the second and so on; then it
        begins anew."""
        self._asked[name] = 0
        self._scripts[name] = itertools.cycle(answers)

    def hang(self, name):
        """Questions about this name get no answer."""
        self._hanging.add(name)

    def asked(self, name):
        """How many times this name was asked for."""
        return self._asked[name]

    def _serve(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            if _question(query)[0] not in self._hanging:
                self._socket.sendto(self._answer(query), client)

    def _answer(self, query):
        name, kind, question = _question(query)
        addresses = []
        if kind == TYPE_A and name in self._scripts:
            self._asked[name] += 1
            addresses = next(self._scripts[name])
        # Recursion was wanted and is available; code 3 is "no such name".
        flags = 0x8180 if name in self._scripts else 0x8183
        answer = query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0) + question
        for address in addresses:
            # A pointer to the name, type A, class IN, to be kept for 0 seconds.
            answer += struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, 0, 4) + socket.inet_aton(address)
        return answer

    @contextlib.contextmanager
    def resolving(self):
        """Programs that are started in the with block, but no threads, ask this server for names,
        from then on: to them its resolv.conf lies over that of the machine."""
        with tempfile.NamedTemporaryFile("w", prefix="resolv-") as file:
            file.write(f"nameserver {self.address}\n")
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            with lying_over("/etc/resolv.conf", file.name):
                yield
