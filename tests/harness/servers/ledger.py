"""Counts the requests to an origin."""

import threading
from collections import Counter

from ..waiting import WaitTimeout


class Ledger:
    """Requests by path (with query), and the most that were open at the same time."""

    def __init__(self):
        self._changed = threading.Condition()
        self._counts = Counter()
        self._under_way = 0
        self._peak = 0

    def begin(self, path):
        """Counts a request; returns how many there have been to this path, including this one."""
        with self._changed:
            self._counts[path] += 1
            self._under_way += 1
            self._peak = max(self._peak, self._under_way)
            self._changed.notify_all()
            return self._counts[path]

    def end(self):
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def count(self, path):
        with self._changed:
            return self._counts[path]

    def total(self, prefix="/"):
        with self._changed:
            return self._total(prefix)

    def _total(self, prefix):
        return sum(count for path, count in self._counts.items() if path.startswith(prefix))

    @property
    def peak(self):
        with self._changed:
            return self._peak

    def reset_peak(self):
        with self._changed:
            self._peak = self._under_way

    def wait_total(self, prefix, count, timeout=30.0):
        """Waits until this many requests to paths with this prefix have begun."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._total(prefix) >= count, timeout):
                raise WaitTimeout(f"{self._total(prefix)} of {count} requests to {prefix}* began")
