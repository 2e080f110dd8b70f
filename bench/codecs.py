#!/usr/bin/python3
"""Measures whether eight codecs always have work, although the drainer pauses for each commit.

    codecs.py [--images N] [--rounds N]

imgpress-bench-press takes the place of the codecs: it sleeps 3.1 ms for each image instead of using
a core, so that the rest of the pipeline can be measured on any machine. The pictures have 9 kB, so
that two cores can supply eight codecs. A second row has slow commits, as with a disk behind a
network.
"""

import statistics
import tempfile
from pathlib import Path

from kit import photographs
from kit import report
from kit import rig
from kit.report import BUILD

CODECS = 8
WORK_SECONDS = 0.0031
SLOW_COMMIT_MS = 20

DELAY_COMMITS = f"""
CREATE FUNCTION wait_for_the_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep({SLOW_COMMIT_MS / 1000}); RETURN NULL; END $$;
CREATE TRIGGER wait_for_the_disk AFTER INSERT ON imgpress_internal.image_outputs
    FOR EACH STATEMENT EXECUTE FUNCTION wait_for_the_disk();
"""


def measure(cluster, port, wanted, rounds):
    """Images a second."""
    rig.run_request(cluster, port, wanted[:50])  # warm-up
    rates = [len(wanted) / rig.run_request(cluster, port, wanted) for _ in range(rounds)]
    return statistics.median(rates)


def table_row(commit, rate):
    most = CODECS / WORK_SECONDS
    return {
        "a commit": commit,
        "images/s": round(rate),
        "without any wait": round(most),
        "codecs at work": f"{100 * rate / most:.0f} %",
    }


def main():
    options = rig.options(__doc__, rounds=5)
    report.environment("codecs")
    settings = {
        "imgpress.press_path": BUILD / "imgpress-bench-press",
        "imgpress.codecs": CODECS,
    }
    with tempfile.TemporaryDirectory() as name:
        wanted = rig.paths(options.images, photographs.write_small(Path(name)))
        with rig.cluster(settings) as cluster, rig.origin(Path(name)) as port:
            rows = [table_row("as it is here", measure(cluster, port, wanted, options.rounds))]
            cluster.query(DELAY_COMMITS)
            slow = measure(cluster, port, wanted, options.rounds)
            rows.append(table_row(f"{SLOW_COMMIT_MS} ms more", slow))
    report.publish("codecs", rows)


if __name__ == "__main__":
    main()
