#!/usr/bin/python3
"""Compares submit_csv() with a plain COPY of the rows that it stores, into the same tables.

    submission.py [--images N] [--rounds N]

Both read from the server: the CSV from a table, the rows from files. They take turns, each on empty
tables after a checkpoint.
"""

import argparse
import statistics
import time

from kit import report
from kit import rig
from kit.report import target

CSV = r"""
CREATE TABLE source AS SELECT E'S. No.,Product Name,URLs\n' || string_agg(
    format(E'%%s,Product %%s,http://images.example/catalogue/%%s/photo.jpg?n=%%s\n', n, n, n %% 977, n), '') AS csv
FROM generate_series(1, %s) n
"""
TABLES = {
    "products": "request_id, product_no, serial_number, product_name, image_nos",
    "images": "request_id, image_no, first_product_no, url",
}


def seconds(session, *statements):
    begin = time.monotonic()
    for statement in statements:
        session.execute(statement)
    return time.monotonic() - begin


def empty(session):
    session.execute(
        "TRUNCATE imgpress.processing_requests, imgpress.products, imgpress.images; CHECKPOINT"
    )


def rows(images, rounds):
    """One row: the median seconds of both, and the median of the ratios."""
    with rig.cluster({"imgpress.databases": "none"}) as cluster, cluster.session() as session:
        session.execute("SET client_min_messages = warning")
        session.execute(CSV, (images,))
        session.execute("SELECT imgpress.submit_csv(csv) FROM source")
        copies = []
        for table, columns in TABLES.items():
            path = cluster.home / table
            session.execute(f"COPY imgpress.{table} ({columns}) TO '{path}'")
            copies.append(f"COPY imgpress.{table} ({columns}) FROM '{path}'")
        submitted, copied = [], []
        for _ in range(rounds):
            empty(session)
            copied.append(seconds(session, "BEGIN", *copies, "COMMIT"))
            empty(session)
            submitted.append(seconds(session, "SELECT imgpress.submit_csv(csv) FROM source"))
    return [
        {
            "images": images,
            "COPY s": round(statistics.median(copied), 2),
            "submit_csv s": round(statistics.median(submitted), 2),
            "ratio": round(statistics.median(a / b for a, b in zip(submitted, copied)), 2),
        }
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    report.environment("submit")
    measured = rows(options.images, options.rounds)
    report.publish("submit", measured)
    what = f"submit_csv of {options.images:,} URLs to COPY of the same rows"
    report.publish_targets("submit", [target(what, measured[0]["ratio"], "at most", 3, "times")])


if __name__ == "__main__":
    main()
