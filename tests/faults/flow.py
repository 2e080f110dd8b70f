"""Tells how soon images flow again after a fault."""

import contextlib
import threading
import time

import psycopg2

from harness.servers.ledger import Ledger

PATIENCE = 60.0
STORED = (
    "SELECT url, extract(epoch FROM ended_at)::float8 FROM imgpress.images "
    "WHERE ended_at > to_timestamp(%s) AND status = 'Completed' ORDER BY ended_at LIMIT 1000"
)


class TimedLedger(Ledger):
    """Also remembers when the origin was last asked for each path."""

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()
        self._begun = {}

    def begin(self, path):
        with self._lock:
            self._begun[path] = time.time()
        return super().begin(path)

    def begun(self, path):
        with self._lock:
            return self._begun.get(path, 0.0)


class Flow:
    """Images flow when one is stored whose download began after the fault.

    It has a connection of its own, so that it works while all others are taken."""

    def __init__(self, cluster, origin):
        self._cluster = cluster
        self._origin = origin
        self._connection = None

    def longest_silence(self, begin, end):
        """The longest time within these moments in which no image was stored."""
        sql = (
            "SELECT extract(epoch FROM ended_at)::float8 FROM imgpress.images WHERE status = "
            "'Completed' AND ended_at BETWEEN to_timestamp(%s) AND to_timestamp(%s) ORDER BY 1"
        )
        moments = [begin, *(moment for (moment,) in self._ask(sql, begin, end)), end]
        return max(after - before for before, after in zip(moments, moments[1:]))

    def wait(self, since):
        """The seconds from this moment until such an image was stored; None: none was in time."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                stored = self._first_stored(since)
            except psycopg2.Error:
                self.disconnect()  # the server is not ready yet
            else:
                if stored is not None:
                    return stored - since
            time.sleep(0.01)
        return None

    def _first_stored(self, since):
        for url, stored in self._ask(STORED, since):
            path = url.removeprefix(self._origin.base)
            if self._origin.ledger.begun(path) > since:
                return stored
        return None

    def _ask(self, sql, *parameters):
        if self._connection is None:
            self._connection = self._cluster.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def disconnect(self):
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None
