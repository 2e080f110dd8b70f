"""Shared by the benchmarks of the whole system: a durable cluster with a drainer, an origin that
needs little CPU time, and running a request."""

import argparse
import subprocess
import sys
import time
from contextlib import closing, contextmanager

from .report import BUILD, ROOT

sys.path[:0] = [str(ROOT / "tests")]

from harness.cluster import Cluster  # noqa: E402
from harness.shop import ALLOW_LOOPBACK  # noqa: E402

SETTINGS = {"imgpress.databases": "shop", **ALLOW_LOOPBACK}


def options(documentation, rounds):
    """The command line options of a benchmark that runs requests."""
    parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser.parse_args()


@contextmanager
def cluster(settings=None):
    """A private, durable PostgreSQL with imgpress running."""
    with Cluster(
        {**SETTINGS, **(settings or {})}, "shop", ("imgpress",), durable=True, name="bench"
    ) as made:
        made.query("CREATE EXTENSION imgpress")
        yield made


@contextmanager
def origin(folder, delay_ms=0):
    """Serves the files of a folder, each after this delay; yields the port."""
    process = subprocess.Popen(
        [BUILD / "imgpress-bench-origin", folder, str(delay_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def paths(images, count):
    """This many different paths for the origin's `count` pictures, so that no URL repeats."""
    return [f"/photo{n % count}.jpg?n={n}" for n in range(images)]


def run_request(database, port, wanted):
    """Seconds from the submission to the end of the request."""
    rows = "".join(f"{n},Product {n},http://127.0.0.1:{port}{p}\n" for n, p in enumerate(wanted))
    with closing(database.connect()) as connection:
        cursor = connection.cursor()
        begin = time.monotonic()
        cursor.execute("SELECT imgpress.submit_csv(%s)", ("S. No.,Product Name,URLs\n" + rows,))
        request = cursor.fetchone()[0]
        cursor.execute("SELECT imgpress.wait(%s)", (request,))
        seconds = time.monotonic() - begin
        cursor.execute("SELECT succeeded FROM imgpress.progress WHERE request_id = %s", (request,))
        if cursor.fetchone()[0] != len(wanted):
            raise RuntimeError("imgpress did not finish every image")
        cursor.execute("SELECT imgpress.purge('0')")
    return seconds
