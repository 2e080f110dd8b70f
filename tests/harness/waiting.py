"""Waiting for a condition, with a time limit and a message."""

import os
import select
import signal
import threading
import time


# Programs that are slowed down, by sanitizers for example, get so many times the time.
PATIENCE = float(os.environ.get("IMGPRESS_PATIENCE") or 1)

# Without a wake-up the drainer looks for work only every 60 s; within this limit it was woken.
PROMPT = 15.0


class WaitTimeout(AssertionError):
    """The awaited condition did not come true in time."""


def wait_until(predicate, what, timeout=30.0, interval=0.02):
    """Returns the first truthy value of predicate().

    Only for conditions that send no event, such as a row or a process that appears."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise WaitTimeout(f"not within {timeout:g} s: {what}")
        time.sleep(interval)


def wait_for_exit(pids, timeout=20.0):
    """Waits until every process of pids has ended; returns those that are still alive.

    A pidfd reports the end of any process, not only of a child, and never means a later process
    with the same pid."""
    poller = select.poll()
    waiting = {}
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        waiting[fd] = pid
        poller.register(fd, select.POLLIN)
    deadline = time.monotonic() + timeout
    try:
        while waiting and time.monotonic() < deadline:
            for fd, _ in poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                poller.unregister(fd)
                os.close(fd)
                del waiting[fd]
        return sorted(waiting.values())
    finally:
        for fd in waiting:
            os.close(fd)


def raise_on_sigterm():
    """Makes SIGTERM act like Ctrl-C, so that context managers clean up."""

    def interrupt(_signum, _frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


class Sampling:
    """Calls a function again and again in a thread, for a with block."""

    def __init__(self, sample, pause=0.01):
        self._sample = sample
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._error = None

    def _run(self):
        try:
            while not self._over.wait(self._pause):
                self._sample()
        except Exception as error:  # pylint: disable=broad-except
            self._error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
