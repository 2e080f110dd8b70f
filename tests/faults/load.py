"""Keeps a few hundred images waiting, submitted in the ways that users have."""

import contextlib
import threading
import uuid

import psycopg2

from harness.catalogue import catalogue
from harness.waiting import wait_until
from faults.webhooks import ENDPOINTS, SHARES

# How many images wait, at least; and while as little as possible is submitted.
WAITING = 400
WAITING_QUIETLY = 100
PRODUCTS = 20  # of a request, with two images each
BACKLOG = "SELECT coalesce(sum(image_count - succeeded_count - failed_count), 0)::integer"
BACKLOG += " FROM imgpress.processing_requests WHERE ended_at IS NULL"


class Load(threading.Thread):
    """Submits requests while few images wait, until close()."""

    def __init__(self, world, urls, rng):
        super().__init__(daemon=True)
        self.acknowledged = set()  # requests whose submission was answered
        self._unanswered = []
        self._world = world
        self._urls = urls
        self._rng = rng
        self._count = 0
        self._changed = threading.Condition()
        self._wanted = "stopped"
        self._least = WAITING
        self._submitting = False
        self._connection = None

    # --- from the thread that injects faults --------------------------------------------------

    def resume(self):
        self._want("running")

    def close(self):
        self._want("closed")
        self.join(30.0)

    @contextlib.contextmanager
    def paused(self, resume=True):
        """Nothing is submitted during the block, and no connection is open."""
        self._want("stopped")
        with self._changed:
            self._changed.wait_for(lambda: not self._submitting)
        self._disconnect()
        try:
            yield
        finally:
            if resume:
                self.resume()

    @contextlib.contextmanager
    def quiet(self):
        """Nothing is submitted during the block as long as images wait, so that no submission
        wakes a worker that should have woken by itself."""
        enough = f"SELECT ({BACKLOG}) >= {WAITING}"
        wait_until(lambda: self._world.cluster.scalar(enough), "enough images wait")
        self._least = WAITING_QUIETLY
        try:
            yield
        finally:
            self._least = WAITING

    def _want(self, state):
        with self._changed:
            self._wanted = state
            self._changed.notify_all()

    # --- the thread ---------------------------------------------------------------------------

    def run(self):
        while self._begin():
            try:
                if self._ask(BACKLOG)[0] < self._least:
                    self._submit()
                    continue
            except (psycopg2.Error, OSError):
                self._disconnect()  # a fault is being injected
            finally:
                self._end()
            with self._changed:
                self._changed.wait_for(lambda: self._wanted != "running", 0.05)

    def _begin(self):
        with self._changed:
            self._changed.wait_for(lambda: self._wanted != "stopped")
            self._submitting = self._wanted == "running"
            return self._submitting

    def _end(self):
        with self._changed:
            self._submitting = False
            self._changed.notify_all()

    def _ask(self, sql, parameters=None):
        if self._connection is None:
            self._connection = self._world.cluster.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchone()

    def _disconnect(self):
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    def _submit(self):
        """Of four requests, one is uploaded, and one is submitted twice at the same time."""
        if self._unanswered:
            self._submit_sql(*self._unanswered[0])
            self._unanswered.pop(0)
            return
        self._count += 1
        csv, hook = self._next_request()
        if self._count % 4 == 0:
            self._upload(csv, hook)
            return
        request = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        self._unanswered.append((csv, hook, request))
        if self._count % 4 == 1:
            twin = threading.Thread(target=self._submit_twin, args=(csv, hook, request))
            twin.start()
            try:
                self._submit_sql(csv, hook, request)
            finally:
                twin.join()
        else:
            self._submit_sql(csv, hook, request)
        self._unanswered.pop()

    def _next_request(self):
        rare = 1 if self._count % 8 == 2 else 0
        urls = self._urls.urls(2 * PRODUCTS - 4 - rare, 4, rare)
        pairs = zip(urls[::2], urls[1::2])
        csv = catalogue([(number, f"SKU{number}", pair) for number, pair in enumerate(pairs)])
        (kind,) = self._rng.choices(list(ENDPOINTS), SHARES)
        return csv, self._world.receiver.endpoint(kind)

    def _submit_sql(self, csv, hook, request):
        sql = "SELECT imgpress.submit_csv(%s, %s, request_id => %s)"
        self._ask(sql, (csv, hook, request))
        self.acknowledged.add(request)

    def _submit_twin(self, csv, hook, request):
        with contextlib.suppress(psycopg2.Error):
            sql = "SELECT imgpress.submit_csv(%s, %s, request_id => %s)"
            self._world.cluster.query(sql, (csv, hook, request))

    def _upload(self, csv, hook):
        answer = self._world.upload(csv, hook)
        if answer is not None and answer.status == 202:
            self.acknowledged.add(answer.json()["request_id"])
