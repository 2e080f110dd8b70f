#!/usr/bin/python3
"""Measures the whole pipeline against a stand-in for what it replaces, side by side in one run.

    pipeline.py [--images N] [--rounds N] [--origin PROGRAM] [--results FOLDER]

1,000 photographs of about 119 kB come from a loopback origin that answers at once, and from one that
answers after 50 ms. The peer is peer.py. Prints a table and writes it as CSV.
"""

import argparse
import csv
import io
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "demo")]

from PIL import Image  # noqa: E402

import peer  # noqa: E402
import pictures  # noqa: E402
from harness.cluster import Cluster  # noqa: E402

TARGET_BYTES = 119_000


def photographs(folder):
    """JPEGs of about TARGET_BYTES: crops of the optional corpus, else of the demo's pictures."""
    corpus = os.environ.get("IMGPRESS_CORPUS")
    if corpus:
        sources = sorted(Path(corpus, "photos").glob("*.jpg"))
    else:
        (folder / "sources").mkdir()
        pictures.make_pictures(folder / "sources")
        sources = sorted((folder / "sources").glob("*.jpg"))
    count = 0
    for source in sources:
        try:
            image = Image.open(source).convert("RGB")
        except OSError:  # the demo has a broken one
            continue
        for corner in ((0, 0), (40, 30), (80, 60)):
            crop = image.crop((*corner, corner[0] + 800, corner[1] + 600))
            if crop.width <= image.width - corner[0] and save_near_target(crop, folder, count):
                count += 1
    return count


def save_near_target(image, folder, number):
    """Takes the highest quality that is not over the target; False where none comes near."""
    for quality in range(97, 60, -2):
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality, subsampling=2)
        if data.tell() <= TARGET_BYTES * 1.05:
            break
    if data.tell() < TARGET_BYTES * 0.8:
        return False
    (folder / f"photo{number}.jpg").write_bytes(data.getvalue())
    return True


@contextmanager
def origin(program, folder, delay_ms):
    process = subprocess.Popen(
        [program, folder, str(delay_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def run_imgpress(cluster, port, paths):
    """Seconds from the end of the submission to the end of the request."""
    rows = "".join(f"{n},Product {n},http://127.0.0.1:{port}{p}\n" for n, p in enumerate(paths))
    with closing(cluster.connect()) as connection:
        cursor = connection.cursor()
        begin = time.monotonic()
        cursor.execute("SELECT imgpress.submit_csv(%s)", ("S. No.,Product Name,URLs\n" + rows,))
        request = cursor.fetchone()[0]
        cursor.execute("SELECT imgpress.wait(%s)", (request,))
        seconds = time.monotonic() - begin
        cursor.execute("SELECT done FROM imgpress.progress WHERE request_id = %s", (request,))
        if cursor.fetchone()[0] != len(paths):
            raise RuntimeError("imgpress did not finish every image")
        cursor.execute("SELECT imgpress.purge('0')")
    return seconds


def latency(cluster, port, paths):
    """Milliseconds from COMMIT of a one-image request to its NOTIFY, on an idle system."""
    with closing(cluster.connect()) as sender, closing(cluster.connect()) as listener:
        listener.cursor().execute("LISTEN imgpress")
        times = []
        for path in paths:
            url = f"http://127.0.0.1:{port}{path}"
            sender.cursor().execute(
                "SELECT imgpress.submit(ARRAY[(1, 'one', %s)::imgpress.product_input])", (url,)
            )
            begin = time.monotonic()
            select.select([listener], [], [], 30)
            times.append(1000 * (time.monotonic() - begin))
            listener.poll()
            listener.notifies.clear()
    return times


def measure(cluster, options, folder, count, delay_ms):
    """One row of the table: imgpress and the peer in turn, the medians of their rates."""
    paths = [f"/photo{n % count}.jpg?n={n}" for n in range(options.images)]
    ours, theirs = [], []
    with origin(options.origin, folder, delay_ms) as port:
        run_imgpress(cluster, port, paths[:50])  # starts everything that starts once
        for _ in range(options.rounds):
            ours.append(options.images / run_imgpress(cluster, port, paths))
            few = paths if delay_ms == 0 else paths[: max(100, options.images // 10)]
            theirs.append(len(few) / peer.run(cluster.conninfo(), port, few))
        single = latency(cluster, port, paths[:40])
    ratios = [a / b for a, b in zip(ours, theirs)]
    return {
        "origin answers after": f"{delay_ms} ms",
        "imgpress images/s": round(statistics.median(ours)),
        "Pillow workers images/s": round(statistics.median(theirs)),
        "ratio": round(statistics.median(ratios), 1),
        "one image, commit to NOTIFY": f"{statistics.median(single):.1f} ms",
    }


def report(rows, folder):
    folder.mkdir(exist_ok=True)
    with open(folder / "pipeline.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    print("| " + " | ".join(rows[0]) + " |\n|" + " --- |" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--origin", default=str(ROOT / "build/imgpress-bench-origin"))
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    settings = {"imgpress.databases": "shop", "imgpress.allowed_networks": "127.0.0.0/8"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = photographs(folder)
        with Cluster(settings, "shop", ("imgpress",), durable=True, name="bench") as cluster:
            cluster.query("CREATE EXTENSION imgpress")
            cluster.query("CREATE TABLE peer_outputs (path text, bytes bytea)")
            rows = [measure(cluster, options, folder, count, delay) for delay in (0, 50)]
    report(rows, options.results)


if __name__ == "__main__":
    main()
