"""A drainer that processes a request of 1,000,000 images: its memory, and how long a small request
waits meanwhile."""

import statistics
import time
from contextlib import closing

from PIL import Image

from kit import rig
from harness.processes import own_memory_kib
from harness.waiting import wait_until
from pipeline import latency

WARM = 2000  # images before the first measurement of memory
NEWCOMERS = 20
SUBMIT = r"""
SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n' || string_agg(
    format(E'%%s,Product %%s,http://127.0.0.1:%%s/tiny.jpg?n=%%s\n', n, n, %s, n), ''))
FROM generate_series(1, %s) n
"""


def make_tiny(folder):
    Image.new("RGB", (32, 32), (200, 120, 40)).save(folder / "tiny.jpg", quality=90)


def processes(cluster):
    """{name: pid} of the drainer and its presses."""
    found = {"drainer": cluster.drainers()[0].pid}
    for role in ("fetcher", "codec"):
        for number, press in enumerate(cluster.presses(role), 1):
            found[f"{role} {number}"] = press.pid
    return found


def idle_overhead_ms(cluster, port):
    """Milliseconds from COMMIT to NOTIFY for one image on an idle system, without its download and
    compression."""
    wanted = [f"/tiny.jpg?idle={n}" for n in range(NEWCOMERS)]
    alone = []
    with cluster.session() as session:
        for path in wanted:
            begin = time.monotonic()
            session.execute(
                "SELECT imgpress.compress_image_url(%s)", (f"http://127.0.0.1:{port}{path}",)
            )
            alone.append(1000 * (time.monotonic() - begin))
    return statistics.median(latency(cluster, port, wanted)) - statistics.median(alone)


def rows(images, drained, folder):
    """(rows about memory, milliseconds for one image when idle, milliseconds for each small
    request)"""
    make_tiny(folder)
    with rig.cluster() as cluster, rig.origin(folder) as port, closing(cluster.connect()) as watcher:
        idle = idle_overhead_ms(cluster, port)
        cursor = watcher.cursor()
        cursor.execute(SUBMIT, (port, images))
        request = cursor.fetchone()[0]

        def done(count):
            cursor.execute("SELECT succeeded FROM imgpress.progress WHERE request_id = %s", (request,))
            return cursor.fetchone()[0] >= count

        wait_until(lambda: done(WARM), f"{WARM} images are done", 120, 0.1)
        pids = processes(cluster)
        before = {name: own_memory_kib(pid) for name, pid in pids.items()}
        beside = latency(cluster, port, [f"/tiny.jpg?beside={n}" for n in range(NEWCOMERS)])
        wait_until(lambda: done(WARM + drained), f"{drained} more images are done", 300, 0.1)
        memory = [
            {
                "process": name,
                f"KiB after {WARM:,} images": before[name],
                f"KiB after {WARM + drained:,}": own_memory_kib(pid),
            }
            for name, pid in pids.items()
        ]
    return memory, idle, beside
