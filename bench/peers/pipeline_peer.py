"""A best case of what imgpress replaces: one worker process per core that downloads over a kept
connection, compresses with Pillow and stores into PostgreSQL. It has no framework, broker or ORM,
so a real stack of this kind is slower."""

import http.client
import io
import multiprocessing
import os
import time

import psycopg2
from PIL import Image


def work(conninfo, port, paths, results):
    """Processes paths until none is left; commits each image, as a task queue would."""
    database = psycopg2.connect(conninfo)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    done = 0
    while True:
        path = paths.get()
        if path is None:
            break
        connection.request("GET", path)
        source = connection.getresponse().read()
        output = io.BytesIO()
        Image.open(io.BytesIO(source)).convert("RGB").save(output, "JPEG", quality=50)
        with database, database.cursor() as cursor:
            cursor.execute(
                "INSERT INTO peer_outputs VALUES (%s, %s)", (path, psycopg2.Binary(output.getvalue()))
            )
        done += 1
    results.put(done)


def run(conninfo, port, paths):
    """Seconds for all paths with one worker per core, without the start of the workers."""
    context = multiprocessing.get_context("fork")
    queue, results = context.Queue(), context.Queue()
    workers = [
        context.Process(target=work, args=(conninfo, port, queue, results))
        for _ in range(os.cpu_count())
    ]
    for worker in workers:
        worker.start()
    begin = time.monotonic()
    for path in paths:
        queue.put(path)
    for _ in workers:
        queue.put(None)
    done = sum(results.get() for _ in workers)
    seconds = time.monotonic() - begin
    for worker in workers:
        worker.join()
    if done != len(paths):
        raise RuntimeError(f"the peer finished {done} of {len(paths)} images")
    return seconds
