"""The process tree of one cluster, read from /proc."""

import contextlib
import os
import re
import signal
from dataclasses import dataclass

from .waiting import wait_for_exit


@dataclass(frozen=True)
class Process:
    """A process as read from /proc. Its start time distinguishes it from a later process with the
    same pid."""

    pid: int
    parent: int
    start: int
    state: str
    title: str

    def alive(self):
        now = read_process(self.pid)
        return now is not None and now.start == self.start and now.state not in "ZX"

    def is_press(self, role=""):
        return "imgpress-press" in self.title and role in self.title


def read_process(pid):
    """The process with this pid, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            text = stat.read()
        with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            title = cmdline.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may itself contain spaces and parentheses.
    fields = text[text.rindex(")") + 2 :].split()
    return Process(int(pid), int(fields[1]), int(fields[19]), fields[0], title)


def descendants(ancestor):
    """Every living process below the given pid."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            process = read_process(int(entry))
            if process is not None and process.state not in "ZX":
                children.setdefault(process.parent, []).append(process)
    found, queue = [], [ancestor]
    while queue:
        below = children.get(queue.pop(), [])
        found.extend(below)
        queue.extend(process.pid for process in below)
    return found


def kill(pids):
    """kill -9; returns when all of them have ended, some perhaps before."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    left = wait_for_exit(pids)
    assert left == [], f"still running after kill -9: {left}"


def cpu_seconds(pid):
    """The CPU time that the process has used so far, in user and kernel mode."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        text = stat.read()
    fields = text[text.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# What AddressSanitizer and UndefinedBehaviorSanitizer write before they end a program.
_REPORTS = re.compile(r"ERROR: (Address|Leak)Sanitizer|: runtime error: |Sanitizer:DEADLYSIGNAL")
_REPORT_LINES = 60


def refuse_sanitizer_reports(log):
    """Fails if a program with sanitizers has found a mistake of its own; log: what it has written."""
    if found := _REPORTS.search(log):
        report = log[log.rfind("\n", 0, found.start()) + 1 :].splitlines()[:_REPORT_LINES]
        raise AssertionError("\n".join(["a sanitizer has found a mistake:", *report]))


def is_sanitized(pid):
    """True if the program has AddressSanitizer."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        return "/libasan." in maps.read()


def _status_kib(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    raise RuntimeError(f"/proc/{pid}/status has no {name}")


def peak_memory_kib(pid):
    """The most memory that the process ever had resident."""
    return _status_kib(pid, "VmHWM")


def own_memory_kib(pid):
    """The private resident memory of the process, without files and shared buffers."""
    return _status_kib(pid, "RssAnon")


def _sealed_sizes(pids):
    sizes = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    if os.readlink(entry.path).startswith("/memfd:imgpress"):
                        status = os.stat(entry.path)
                        sizes[status.st_ino] = status.st_size
    return sizes


def sealed_memory(pids):
    """The bytes of image data (memfds) that the processes hold at one moment, as far as they are
    found both before and after it: while the processes are looked at, images come and go. Memory
    that several of them share counts once."""
    before, after = _sealed_sizes(pids), _sealed_sizes(pids)
    return sum(min(before[inode], after[inode]) for inode in before.keys() & after.keys())
