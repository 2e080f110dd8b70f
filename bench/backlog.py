#!/usr/bin/python3
"""Measures the cost of a long queue: time in SQL for each image, memory of the processes, and how
long a small request waits behind a large one.

    backlog.py [--images N] [--drained N]

results/queue.csv has all measurements; the printed table shows the worst of each kind.
"""

import argparse
import tempfile
from pathlib import Path

import deep_queue
import queue_costs
from kit import report
from kit import rig
from kit.report import target

# Keeps the drainer out of the databases that are measured.
UNDRAINED = {"imgpress.databases": "none"}


def cost_targets(costs, images):
    """One target for each operation, for the worst place in the worst queue. The list of products
    has none: it is asked for once, and a million rows are sorted on disk."""
    for operation, slots in dict.fromkeys((row["operation"], row["slots"]) for row in costs):
        if operation == "products":
            continue
        ratios = [
            row["ratio"] for row in costs if (row["operation"], row["slots"]) == (operation, slots)
        ]
        label = f"{operation}, {slots} slots" if slots else operation
        what = f"{label}: with {images:,} images to with {queue_costs.SHORT:,}"
        yield target(what, max(ratios), "at most", 1.2, "times")


def memory_targets(memory):
    for row in memory:
        before, after = list(row.values())[1:]
        what = f"own memory of {row['process']}, late to early"
        yield target(what, after / before, "at most", 1.05, "times")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--drained", type=int, default=20_000)
    options = parser.parse_args()
    report.environment("queue")
    with rig.cluster(UNDRAINED) as cluster:
        costs = queue_costs.rows(cluster, options.images)
    report.publish("queue", costs)
    with tempfile.TemporaryDirectory() as name:
        memory, idle, beside = deep_queue.rows(options.images, options.drained, Path(name))
    report.publish("queue-memory", memory)
    rows = [*cost_targets(costs, options.images), *memory_targets(memory)]
    rows.append(
        target("one image on an idle system, beyond fetch and codec", idle, "at most", 10, "ms", 1)
    )
    rows.append(
        target(
            f"one image behind {options.images:,} others, the slowest of {len(beside)}",
            max(beside) / 1000,
            "at most",
            1,
            "s",
        )
    )
    report.publish_targets("queue", rows)


if __name__ == "__main__":
    main()
