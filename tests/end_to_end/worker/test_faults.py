"""A short run of tests/faults: each fault that is cheap, once, in the order of a fixed seed."""

import subprocess
import sys

from harness.cluster import CHECKOUT


def test_nothing_is_lost_when_everything_breaks():
    command = [sys.executable, CHECKOUT / "tests" / "faults" / "run.py", "--short", "--seed", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as run:
        try:
            said, _ = run.communicate()
        except BaseException:
            run.terminate()  # it then stops what it has started
            raise
    assert run.returncode == 0, said
    assert "0 violations" in said
