"""Builds in the checkout that tests ask for.

Two builds must not run in one folder at the same time, and test processes run side by side."""

import fcntl
import subprocess

from .cluster import CHECKOUT

BUILD = CHECKOUT / "build"


def run_build(*command):
    """Runs a command that builds, after any other that a test has started."""
    with open(BUILD / "tests.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
