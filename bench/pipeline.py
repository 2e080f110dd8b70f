#!/usr/bin/python3
"""Compares the whole pipeline with Python workers that do the same.

    pipeline.py [--images N] [--rounds N]

1,000 photographs of about 119 kB come from a loopback origin that answers at once, and from one
that answers after 50 ms. The Python workers are in peers/pipeline_peer.py.
"""

import select
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from kit import photographs
from kit import report
from kit import rig
from peers import pipeline_peer
from kit.report import target

# 6 and 55 times the images/s of the stack that imgpress replaces, measured once on two cores. That
# stack is not run here.
TARGETS = {0: 6 * 170, 50: 55 * 17}
SINGLE_IMAGES = 40


def latency(cluster, port, wanted):
    """Milliseconds from COMMIT of a one-image request to its NOTIFY, on an idle system."""
    with closing(cluster.connect()) as sender, closing(cluster.connect()) as listener:
        listener.cursor().execute("LISTEN imgpress")
        times = []
        for path in wanted:
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
    """Images per second of imgpress and of the peer, which take turns, and the latency of single
    images."""
    wanted = rig.paths(options.images, count)
    few = wanted if delay_ms == 0 else wanted[: max(100, options.images // 10)]
    ours, theirs = [], []
    with rig.origin(folder, delay_ms) as port:
        rig.run_request(cluster, port, wanted[:50])  # warm-up
        for _ in range(options.rounds):
            ours.append(options.images / rig.run_request(cluster, port, wanted))
            theirs.append(len(few) / pipeline_peer.run(cluster.conninfo(), port, few))
        single = latency(cluster, port, wanted[:SINGLE_IMAGES])
    return {
        "delay": delay_ms,
        "ours": statistics.median(ours),
        "theirs": statistics.median(theirs),
        "ratio": statistics.median(a / b for a, b in zip(ours, theirs)),
        "single": statistics.median(single),
    }


def table_rows(results):
    return [
        {
            "origin answers after": f"{result['delay']} ms",
            "imgpress images/s": round(result["ours"]),
            "Pillow workers images/s": round(result["theirs"]),
            "ratio": f"{result['ratio']:.1f}",
            "one image, commit to NOTIFY": f"{result['single']:.1f} ms",
        }
        for result in results
    ]


def target_rows(results):
    rows = [
        target(
            f"photographs of 119 kB, origin answers after {result['delay']} ms",
            result["ours"], "at least", TARGETS[result["delay"]], "images/s", 0,
        )
        for result in results
    ]
    what = "one image on an idle system, with its fetch and codec"
    return rows + [target(what, results[0]["single"], "at most", 10, "ms", 1)]


def main():
    options = rig.options(__doc__, rounds=3)
    report.environment("pipeline")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = photographs.write_for_pipeline(folder)
        with rig.cluster() as cluster:
            cluster.query("CREATE TABLE peer_outputs (path text, bytes bytea)")
            results = [measure(cluster, options, folder, count, delay) for delay in TARGETS]
    report.publish_targets("pipeline", target_rows(results))
    report.publish("pipeline", table_rows(results))


if __name__ == "__main__":
    main()
