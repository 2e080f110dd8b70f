"""Gates: a test holds back an origin's answers until it has done something else."""

import threading

from ..waiting import WaitTimeout


class Gate:
    """Requests wait at the gate until the test lets some or all of them through."""

    def __init__(self):
        self._changed = threading.Condition()
        self._permits = 0
        self._open = False
        self._waiting = 0
        self._arrived = 0
        self._passed = 0

    def pass_through(self):
        """Called by the origin's threads: returns when the request may be answered."""
        with self._changed:
            self._arrived += 1
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._open or self._permits > 0)
            self._waiting -= 1
            self._passed += 1
            if not self._open:
                self._permits -= 1
            self._changed.notify_all()

    def release(self, count):
        """Lets this many requests through, now or when they arrive."""
        with self._changed:
            self._permits += count
            self._changed.notify_all()

    def open(self):
        """Lets everything through from now on."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def wait_arrived(self, count=1, timeout=30.0):
        """Waits until this many requests have arrived, including those that were let through."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._arrived >= count, timeout):
                raise WaitTimeout(f"{self._arrived} of {count} requests arrived at the gate")

    @property
    def waiting(self):
        with self._changed:
            return self._waiting

    @property
    def passed(self):
        with self._changed:
            return self._passed
