"""`make demo` and `make run` as their user sees them: right, quick, and gone without a trace."""

import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from harness.cluster import CHECKOUT
from harness.waiting import wait_until

DEMO = CHECKOUT / "demo" / "demo.py"
MARK = "IMGPRESS_DEMO_TEST"


def marked_processes(mark):
    """Pids whose environment holds the mark: all that the demo started, wherever it drifted."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            environment = Path(f"/proc/{entry}/environ").read_bytes() if entry.isdigit() else b""
        except OSError:
            continue
        if mark.encode() in environment:
            found.append(int(entry))
    return found


@pytest.fixture(name="demo")
def fixture_demo(tmp_path):
    """Starts the demo with its output in a file; yields (start, mark), and leaves none running."""
    mark = str(uuid.uuid4())
    environment = {**os.environ, MARK: mark, "TMPDIR": str(tmp_path)}
    started = []

    def start(*options):
        log = open(tmp_path / "log", "w+", encoding="utf-8")
        process = subprocess.Popen([DEMO, *options], stdout=log, stderr=log, env=environment)
        started.append((process, log))
        return process, lambda: (tmp_path / "log").read_text(encoding="utf-8")

    yield start, mark
    for process, log in started:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        log.close()


def assert_no_trace(mark, tmp_path):
    assert marked_processes(mark) == []
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert list(CHECKOUT.glob(".run/demo-*")) == []


def test_demo(demo, tmp_path):
    start, mark = demo
    process, output = start()
    assert process.wait(90) == 0, output()
    text = output()
    for shown in (
        '"request_id"',
        '"output_image_urls"',
        "Error processing image",
        "times smaller",
        "imgpress.purge",
    ):
        assert shown in text, text
    assert "\r" not in text and "\033" not in text
    assert_no_trace(mark, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stay_until_interrupted(demo, tmp_path, number):
    start, mark = demo
    process, output = start("--stay")
    wait_until(
        lambda: "until Ctrl-C" in output() or process.poll() is not None, "the demo is up", 90
    )
    assert marked_processes(mark), output()
    process.send_signal(number)
    assert process.wait(30) == 0, output()
    assert_no_trace(mark, tmp_path)


def test_interrupted_in_the_middle(demo, tmp_path):
    start, mark = demo
    process, output = start()
    wait_until(lambda: "Starting PostgreSQL" in output(), "the demo has begun", 60)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130, output()
    assert_no_trace(mark, tmp_path)
