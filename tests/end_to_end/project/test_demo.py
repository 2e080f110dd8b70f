"""`make demo` and `make run`: what they show, and that they leave nothing behind."""

import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from harness.catalogue import ERROR_TEXT
from harness.cluster import CHECKOUT
from harness.waiting import wait_until

DEMO = CHECKOUT / "demo" / "demo.py"
MARK = "IMGPRESS_DEMO_TEST"


def marked_processes(mark):
    """Pids whose environment holds the mark: every process that the demo has started."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            environment = Path(f"/proc/{entry}/environ").read_bytes() if entry.isdigit() else b""
        except OSError:
            continue
        if mark.encode() in environment:
            found.append(int(entry))
    return found


def _heed_ctrl_c():
    """As at a terminal; a shell's job in the background, and its children, would ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(name="demo")
def fixture_demo(tmp_path):
    """Yields (a function that starts the demo with its output in a file, mark)."""
    mark = str(uuid.uuid4())
    environment = {**os.environ, MARK: mark, "TMPDIR": str(tmp_path)}
    started = []

    def start(*options):
        log = open(tmp_path / "log", "w+", encoding="utf-8")
        process = subprocess.Popen(
            [DEMO, *options], stdout=log, stderr=log, env=environment, preexec_fn=_heed_ctrl_c
        )
        started.append((process, log))
        return process, lambda: (tmp_path / "log").read_text(encoding="utf-8")

    yield start, mark
    for process, log in started:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        log.close()


def assert_nothing_left(mark, tmp_path):
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
        ERROR_TEXT,
        "times smaller",
        "imgpress.purge",
    ):
        assert shown in text, text
    assert "\r" not in text and "\033" not in text
    assert_nothing_left(mark, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stay_until_interrupted(demo, pictures, tmp_path, number):
    start, mark = demo
    process, output = start("--stay", "--pictures", pictures)
    wait_until(
        lambda: "until Ctrl-C" in output() or process.poll() is not None, "the demo is running", 90
    )
    assert marked_processes(mark), output()
    process.send_signal(number)
    assert process.wait(30) == 0, output()
    assert_nothing_left(mark, tmp_path)


def test_interrupted_at_its_start(demo, pictures, tmp_path):
    start, mark = demo
    process, output = start("--pictures", pictures)
    wait_until(lambda: "Starting PostgreSQL" in output(), "the demo has begun", 60)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130, output()
    assert_nothing_left(mark, tmp_path)
