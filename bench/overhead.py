#!/usr/bin/python3
"""Compares the pipeline's CPU time with that of its three unavoidable steps, each measured alone.

    overhead.py [--images N] [--rounds N]

CPU time per image of
  fetch    libcurl alone, one kept connection, the same files from the same origin (bench/programs/fetch.cpp)
  codec    the codec alone, in memory, on every core at once, as the pipeline runs it
  insert   the same outputs into a table like imgpress_internal.blobs, 64 a transaction, within the server
compared with that of the fetcher, the codecs and the drainer while they process a request. Neither
side includes the origin, the submission, or PostgreSQL's checkpointer and writers.
"""

import os
import statistics
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

from kit import photographs
from kit import report
from kit import rig
from harness.processes import cpu_seconds
from kit.report import BUILD, target

CODEC_ROUNDS = 40
INSERT_BATCH = 64


def codec_alone(folder, outputs):
    """Milliseconds of CPU per image, with as many codecs at once as there are cores."""
    command = [BUILD / "imgpress-bench-codec", "--rounds", str(CODEC_ROUNDS), folder, outputs]
    codecs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count())
    ]
    rounds = [line.split() for codec in codecs for line in codec.communicate()[0].splitlines()]
    return 1000 * sum(float(cpu) for _, cpu, _ in rounds) / sum(int(n) for n, _, _ in rounds)


def fetch_alone(port, wanted):
    """Milliseconds of CPU per image."""
    urls = "".join(f"http://127.0.0.1:{port}{path}\n" for path in wanted)
    answer = subprocess.run(
        [BUILD / "imgpress-bench-fetch"], input=urls, capture_output=True, text=True, check=True
    ).stdout.split()
    return 1000 * float(answer[1]) / int(answer[0])


def load_samples(cluster, outputs):
    """Loads the outputs into one table, and creates another to insert them into."""
    cluster.query("CREATE TABLE samples (n integer, bytes bytea)")
    cluster.query("ALTER TABLE samples ALTER COLUMN bytes SET STORAGE EXTERNAL")
    cluster.query("CREATE TABLE bare_outputs (LIKE imgpress_internal.blobs INCLUDING ALL)")
    for n, path in enumerate(sorted(outputs.iterdir())):
        cluster.query("INSERT INTO samples VALUES (%s, %s)", (n, path.read_bytes()))


def insert_alone(cluster, images):
    """Milliseconds of the server process's CPU per image. A statement reads every sample once, into
    memory, and inserts copies of them from there."""
    statement = """
        WITH sample AS MATERIALIZED (SELECT n, bytes || '' AS bytes FROM samples)
        INSERT INTO bare_outputs (output_format, content_type, etag, width, height, source_bytes,
                                  kept_source, bytes)
        SELECT 'jpeg', 'image/jpeg', md5(p::text), 800, 600, 119000, false, bytes
        FROM generate_series(%s, %s) p JOIN sample ON n = p %% (SELECT count(*) FROM samples)"""
    with closing(cluster.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("TRUNCATE bare_outputs")
        pid = connection.info.backend_pid
        before = cpu_seconds(pid)
        for first in range(0, images, INSERT_BATCH):
            cursor.execute(statement, (first, min(first + INSERT_BATCH, images) - 1))
        return 1000 * (cpu_seconds(pid) - before) / images


def pids(cluster):
    return {
        "fetch": [process.pid for process in cluster.presses("fetch")],
        "codec": [process.pid for process in cluster.presses("codec")],
        "insert": [process.pid for process in cluster.drainers()],
    }


def pipeline(cluster, port, wanted):
    """Milliseconds of CPU per image of the fetcher, the codecs and the drainer, and images/s."""
    workers = pids(cluster)
    before = {step: sum(map(cpu_seconds, of)) for step, of in workers.items()}
    seconds = rig.run_request(cluster, port, wanted)
    if pids(cluster) != workers:
        raise RuntimeError("a press was replaced during the measurement")
    used = {step: sum(map(cpu_seconds, of)) - before[step] for step, of in workers.items()}
    return {step: 1000 * cpu / len(wanted) for step, cpu in used.items()}, len(wanted) / seconds


def measure(cluster, options, folder, count):
    """Per round: the steps alone, the steps in the pipeline, images/s."""
    wanted = rig.paths(options.images, count)
    outputs = folder.with_name("outputs")
    outputs.mkdir()
    rounds = []
    with rig.origin(folder) as port:
        rig.run_request(cluster, port, wanted[:200])  # warm-up
        for _ in range(options.rounds):
            codec = codec_alone(folder, outputs)
            if not rounds:
                load_samples(cluster, outputs)
            alone = {
                "fetch": fetch_alone(port, wanted),
                "codec": codec,
                "insert": insert_alone(cluster, options.images),
            }
            rounds.append((alone, *pipeline(cluster, port, wanted)))
    return rounds


def table_rows(rounds):
    rows = []
    for step, worker in (("fetch", "fetcher"), ("codec", "codecs"), ("insert", "drainer")):
        apart, within = (statistics.median(each[i][step] for each in rounds) for i in (0, 1))
        rows.append({"step": step, "apart": apart, "in the pipeline": within, "by": worker})
    sums = [statistics.median(sum(each[i].values()) for each in rounds) for i in (0, 1)]
    rows.append({"step": "sum", "apart": sums[0], "in the pipeline": sums[1], "by": ""})
    for row in rows:
        row.update({key: f"{row[key]:.2f} ms" for key in ("apart", "in the pipeline")})
    return rows


def target_rows(rounds):
    extra = [sum(within.values()) / sum(alone.values()) - 1 for alone, within, _ in rounds]
    return [
        target(
            "pipeline on top of fetch + codec + insert, CPU",
            100 * statistics.median(extra), "at most", 25, "%", 1,
        )
    ]


def main():
    options = rig.options(__doc__, rounds=5)
    report.environment("overhead")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "photographs")
        folder.mkdir()
        count = photographs.write_for_pipeline(folder)
        with rig.cluster() as cluster:
            rounds = measure(cluster, options, folder, count)
    report.publish_targets("overhead", target_rows(rounds))
    report.publish("overhead", table_rows(rounds))
    rate = statistics.median(rate for _, _, rate in rounds)
    print(f"The pipeline did {rate:.0f} images/s meanwhile.")


if __name__ == "__main__":
    main()
