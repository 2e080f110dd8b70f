"""Tables of results: printed as in docs/performance.md, and written to results/ as Markdown (for
publish.py) and CSV (for plot.py, and to compare two runs).

A table is a list of rows; a row is a dict {column: value}. target() makes a row of targets.
"""

import csv
import os
import platform
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
BUILD = ROOT / "build"
BUSY = 0.1  # share of all cores; an idle system stays below it


def target(what, measured, bound, wanted, unit, digits=2, each=()):
    """One row of a table of targets. The bound is "at least" or "at most". The rounded figure
    decides, because smaller differences are noise. If it is a mean, `each` holds the single values:
    the worst is shown too, and the target may be met only "on average"."""
    sign, worst = (1, min) if bound == "at least" else (-1, max)
    shown = [round(value, digits) + 0.0 for value in (measured, worst(each, default=measured))]
    met = [sign * value >= sign * wanted for value in shown]
    return {
        "what": what,
        "bound": bound,
        "target": wanted,
        "unit": unit,
        "measured": f"{shown[0]:.{digits}f}",
        "worst": f"{shown[1]:.{digits}f}" if each else "",
        "met": "no" if not met[0] else "yes" if met[1] else "on average",
    }


def publish_targets(name, rows):
    """Writes rows of target() to results/NAME-targets.csv, and prints them with fewer columns."""
    shown = [
        {
            "what": row["what"],
            "target": f"{row['bound']} {row['target']:,} {row['unit']}".strip(),
            "measured": f"{row['measured']} {row['unit']}".strip(),
            "worst": row["worst"],
            "met": row["met"] if row["met"] == "yes" else f"**{row['met']}**",
        }
        for row in rows
    ]
    if not any(row["worst"] for row in rows):
        for row in shown:
            del row["worst"]
    _write_csv(f"{name}-targets", rows)
    _write_markdown(f"{name}-targets", shown)


def publish(name, rows):
    """Writes any other table to results/NAME.csv, and prints it."""
    _write_csv(name, rows)
    _write_markdown(name, rows)


def _busy_share(seconds=2):
    """The share of the cores that other programs use. (The load average would include the benchmark
    before this one.)"""

    def ticks():
        with open("/proc/stat", encoding="utf-8") as file:
            user, nice, system, idle, waiting, *others = map(int, file.readline().split()[1:9])
        return idle + waiting, user + nice + system + idle + waiting + sum(others)

    idle, total = ticks()
    time.sleep(seconds)
    idle_later, total_later = ticks()
    return 1 - (idle_later - idle) / max(1, total_later - total)


def environment(name, *programs):
    """Writes and prints what the figures depend on: the machine, and versions of programs such as
    "libvips 8.14.1". Call it before the work begins, because it checks whether the machine is
    busy."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    cores = f"{len(os.sched_getaffinity(0))} cores of {models[0] if models else platform.machine()}"
    busy = _busy_share()
    if busy > BUSY:
        programs += (f"**{busy:.0%} busy with other work: ratios hold, rates are too low**",)
    _write_text(f"{name}-about", ", ".join((cores, *programs)) + "\n")


def _write_csv(name, rows):
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def _write_markdown(name, rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    _write_text(name, "\n".join(lines) + "\n")


def _write_text(name, text):
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
