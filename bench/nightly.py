#!/usr/bin/python3
"""A catalogue that is submitted every night, and whose pictures have not changed.

    nightly.py [--images N] [--rounds N]

Photographs of about 119 kB come from a loopback origin. They are submitted three times: the first
time they are new; the second time the origin answers 304; the third time (refresh => always) they
are downloaded, and have the same bytes. Disk is the growth of all tables and indexes of imgpress, the
free space in them not counted that a VACUUM leaves at their ends.
"""

import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from kit import photographs
from kit import report
from kit import rig
from kit.report import target

TIMES_AS_FAST = 5
BYTES_AN_IMAGE = 1000
NIGHTS = {"new": "changed", "not modified": "changed", "same bytes": "always"}
SIZE = """
    SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
    WHERE c.relnamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
      AND c.relkind = 'r'"""


def submit(cluster, csv, refresh):
    """Images per second, and bytes of disk for each image."""
    with closing(cluster.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute(SIZE)
        before = cursor.fetchone()[0]
        cursor.execute("SET imgpress.refresh = %s", (refresh,))
        begin = time.monotonic()
        cursor.execute("SELECT imgpress.submit_csv(%s)", (csv,))
        request = cursor.fetchone()[0]
        cursor.execute("SELECT imgpress.wait(%s)", (request,))
        seconds = time.monotonic() - begin
        cursor.execute("SELECT succeeded FROM imgpress.progress WHERE request_id = %s", (request,))
        images = cursor.fetchone()[0]
        if images != csv.count("\n") - 1:
            raise RuntimeError("imgpress did not finish every image")
        cursor.execute("VACUUM")
        cursor.execute(SIZE)
        return images / seconds, (cursor.fetchone()[0] - before) / images


def measure(cluster, options, port, count):
    """[(images per second, bytes an image) of each round], for each kind of night."""
    rows = (
        f"{n},Product {n},http://127.0.0.1:{port}{path}\n"
        for n, path in enumerate(rig.paths(options.images, count))
    )
    csv = "S. No.,Product Name,URLs\n" + "".join(rows)
    nights = {name: [] for name in NIGHTS}
    for _ in range(options.rounds):
        for name, refresh in NIGHTS.items():
            nights[name].append(submit(cluster, csv, refresh))
        cluster.query("SELECT imgpress.purge('0')")
        cluster.query("VACUUM")
    return nights


def table_rows(nights):
    return [
        {
            "submission": name,
            "images/s": round(statistics.median(rate for rate, _ in rounds)),
            "bytes of disk an image": round(statistics.median(size for _, size in rounds[:1])),
        }
        for name, rounds in nights.items()
    ]


def target_rows(nights):
    rates = zip(nights["new"], nights["not modified"])
    ratio = statistics.median(later / first for (first, _), (later, _) in rates)
    size = nights["not modified"][0][1]
    return [
        target("unchanged images, compared with new ones", ratio, "at least", TIMES_AS_FAST, "times", 1),
        target("disk for an unchanged image", size, "at most", BYTES_AN_IMAGE, "bytes", 0),
    ]


def main():
    options = rig.options(__doc__, rounds=3)
    report.environment("nightly")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = photographs.write_for_pipeline(folder)
        with rig.cluster() as cluster, rig.origin(folder) as port:
            nights = measure(cluster, options, port, count)
    report.publish_targets("nightly", target_rows(nights))
    report.publish("nightly", table_rows(nights))


if __name__ == "__main__":
    main()
