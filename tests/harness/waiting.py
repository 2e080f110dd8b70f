"""Waiting for a condition, with a time limit and a message."""

import os
import select
import signal
import time


# Without a wake-up the drainer looks for work only every 60 s; within this limit it was woken.
PROMPT = 15.0


class WaitTimeout(AssertionError):
    """The awaited condition did not come true in time."""


def wait_until(predicate, what, timeout=30.0, interval=0.02):
    """Returns the first truthy value of predicate().

    Only for conditions that send no event, such as a row or a process that appears."""
    deadline = time.monotonic() + timeout
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
