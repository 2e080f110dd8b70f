"""What an attached table costs the statements that change it, against the same table unattached.

The reference table is a shop's: uuid key, foreign key, unique SKU, jsonb, four indexes. The narrow one
has a key and a URL. Each statement is a transaction of its own; the two tables take turns. Times are
the CPU time of the session's process, COMMIT included: waiting for the disk would make the difference
look smaller, and other programs on the machine make it look like anything. A figure is the lower
quartile over the rounds.
"""

import argparse
import sys
from contextlib import closing

from kit.report import ROOT, environment, publish, publish_targets, target

sys.path[:0] = [str(ROOT / "tests")]

from harness.cluster import Cluster  # noqa: E402

REFERENCE = """
CREATE TABLE {name} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), category_id int NOT NULL REFERENCES categories,
    sku text NOT NULL UNIQUE, title text NOT NULL, price numeric(10, 2) NOT NULL, attributes jsonb NOT NULL,
    photo_url text, photo_small_url text, photo_error text, updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON {name} (category_id);
CREATE INDEX ON {name} (updated_at)
"""
NARROW = "CREATE TABLE {name} (id bigint PRIMARY KEY, photo_url text, photo_small_url text)"

INSERT_REFERENCE = """
INSERT INTO {name} (category_id, sku, title, price, attributes, photo_url)
SELECT n % 100 + 1, 'SKU-' || n, 'Product ' || n, n % 1000, jsonb_build_object('colour', 'red', 'size', n),
       'https://images.example/photos/' || n || '.jpg'
FROM generate_series({first}, {last}) n
"""
INSERT_NARROW = """
INSERT INTO {name} SELECT n, 'https://images.example/photos/' || n || '.jpg'
FROM generate_series({first}, {last}) n
"""
STATEMENTS = {
    "change of another column": "UPDATE {name} SET {other} WHERE {rows}",
    "change of the URL": "UPDATE {name} SET photo_url = photo_url || '?' WHERE {rows}",
    "DELETE": "DELETE FROM {name} WHERE {rows}",
}
SIZES = {1: 400, 1000: 40, 100_000: 5}  # rows: rounds


class Pair:
    """The same table twice: unattached and attached."""

    def __init__(self, connection, kind):
        self.kind = kind
        self.tables = [f"{kind}_plain", f"{kind}_attached"]
        self.cursor = connection.cursor()
        self.pid = connection.info.backend_pid
        self.last = 0
        for table in self.tables:
            self.cursor.execute((REFERENCE if kind == "reference" else NARROW).format(name=table))
        self.cursor.execute(
            f"SELECT imgpress.attach('{self.tables[1]}', 'id', 'photo_url', 'photo_small_url')"
        )
        self.insert = INSERT_REFERENCE if kind == "reference" else INSERT_NARROW

    def rows(self, first, last):
        if self.kind == "narrow":
            return f"id BETWEEN {first} AND {last}"
        return f"sku = ANY (ARRAY(SELECT 'SKU-' || n FROM generate_series({first}, {last}) n))"

    def cpu_milliseconds(self):
        with open(f"/proc/{self.pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e6

    def milliseconds(self, statement):
        begin = self.cpu_milliseconds()
        self.cursor.execute(statement)
        return self.cpu_milliseconds() - begin

    def run(self, statement, which, first, last):
        other = "price = price + 1" if self.kind == "reference" else "photo_small_url = NULL"
        names = {"name": self.tables[which], "first": first, "last": last, "other": other}
        return self.milliseconds(statement.format(**names, rows=self.rows(first, last)))

    def measure(self, size, rounds):
        """{statement: ([milliseconds unattached], [attached])}"""
        times = {}
        self.cursor.execute("ANALYZE")
        for round_no in range(rounds + 1):
            first, last = self.last + 1, self.last + size
            self.last = last
            for what, statement in {"INSERT": self.insert, **STATEMENTS}.items():
                for which in (0, 1) if round_no % 2 else (1, 0):
                    took = self.run(statement, which, first, last)
                    if round_no > 0:  # the first one warms up
                        times.setdefault(what, ([], []))[which].append(took)
            if size > 1:
                self.cursor.execute("TRUNCATE imgpress_internal.attached_keys")
                self.cursor.execute("VACUUM " + ", ".join(self.tables))
        return times


def quartile(values):
    return sorted(values)[len(values) // 4]


def row(kind, what, size, one, other):
    return {
        "table": kind,
        "statement": what,
        "rows": f"{size:,}",
        "unattached, ms": f"{one:.3f}",
        "attached, ms": f"{other:.3f}",
        "more": f"{100 * (other / one - 1):.0f} %",
        "µs a row": f"{1000 * (other - one) / size:.1f}",
    }


def measure_all(connection, share):
    """{(kind of table, statement, rows): (milliseconds unattached, attached)}"""
    figures = {}
    for kind in ("reference", "narrow"):
        pair = Pair(connection, kind)
        for size, rounds in SIZES.items():
            for what, times in pair.measure(size, max(3, int(rounds * share))).items():
                figures[kind, what, size] = tuple(map(quartile, times))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the rounds")
    arguments = parser.parse_args()
    environment("attach")
    settings = {"autovacuum": "off", "max_wal_size": "4GB", "shared_buffers": "256MB"}
    with Cluster(settings, "shop", ("imgpress",), name="bench") as cluster:
        cluster.query("CREATE EXTENSION imgpress")
        cluster.query("CREATE TABLE categories (id int PRIMARY KEY)")
        cluster.query("INSERT INTO categories SELECT generate_series(1, 100)")
        with closing(cluster.connect()) as connection:
            figures = measure_all(connection, arguments.share)
    publish("attach", [row(*which, *times) for which, times in figures.items()])
    report_targets(figures)


def report_targets(figures):
    def more(what):
        plain, attached = figures["reference", what, 1000]
        return 100 * (attached / plain - 1)

    def added(kind, what, size):
        plain, attached = figures[kind, what, size]
        return attached - plain

    changes = ("INSERT", "change of the URL")
    a_row = max(1000 * added(k, w, 1000) / 1000 for k in ("reference", "narrow") for w in changes)
    a_statement = max(added(k, w, 1) for k in ("reference", "narrow") for w in changes)
    publish_targets(
        "attach",
        [
            target("INSERT of 1,000 rows: more", more("INSERT"), "at most", 25, "%", 0),
            target("change of 1,000 URLs", more("change of the URL"), "at most", 20, "%", 0),
            target("change of another column", more("change of another column"), "at most", 5, "%", 0),
            target("a row", a_row, "at most", 5, "µs", 1),
            target("a statement of one row", a_statement, "at most", 0.15, "ms", 3),
        ],
    )


if __name__ == "__main__":
    main()
