"""The system that faults are injected into: shop, hostile origin, webhook receiver and load."""

import contextlib
import random
import tempfile
import time

from faults.expectations import PICTURES, Catalogue
from faults.flow import Flow, TimedLedger
from faults.kinds.full_disk import SmallDisk, use_small_disks
from harness.images import jpeg
from harness.servers.origin import Origin
from harness.shop import ALLOW_LOOPBACK, Shop
from harness.waiting import wait_until
from faults.load import Load
from faults.webhooks import Receiver

# The second is dropped as an extension, the third as a database.
DATABASES = ("shop", "side", "doomed")

SETTINGS = {
    **ALLOW_LOOPBACK,
    "imgpress.databases": ", ".join(DATABASES),
    "imgpress.retry_base_delay": "100ms",
    "imgpress.retry_max_delay": "1s",
    "imgpress.max_attempts": "3",
    "imgpress.connect_timeout": "2s",
    "imgpress.fetch_timeout": "1s",
    "imgpress.max_image_bytes": "1MB",
    "imgpress.connections_per_host": "8",
    "imgpress.webhook_timeout": "1s",
    "imgpress.webhook_retry_delays": "0.1, 0.2, 0.5, 0.5, 0.5, 1",
    "autovacuum_naptime": "5s",
    "max_wal_senders": "4",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
}


def _origin(folder):
    made = Origin(folder)
    for number in range(PICTURES):
        made.add(f"small{number}.jpg", jpeg(seed=number))
    return made


# What lies there, and their sizes.
SMALL_DISKS = {"outputs": "96M", "log": "192M"}


class World:
    """with World(seed) as world: everything runs, and nothing is submitted yet."""

    def __init__(self, seed):
        self._seed = seed
        self._stack = contextlib.ExitStack()
        self._presses = {}
        self.purged = set()  # ids of requests
        self.fault_times = []  # when each was injected
        self.locked_leases = set()  # tokens of those that were locked when they may have ended
        self.problems = []
        self.usual_descriptors = {}
        self._log_read = 0
        self.shop = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.disks = {
                name: stack.enter_context(SmallDisk(size)) for name, size in SMALL_DISKS.items()
            }
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self.shop = Shop(folder, SETTINGS, preload=("imgpress",), name="faults")
            rng = random.Random(f"{self._seed} load")
            self.urls = Catalogue(lambda: stack.enter_context(_origin(folder)), rng)
            self.origin = self.urls.origin
            self.origin.ledger = TimedLedger()
            self.receiver = stack.enter_context(Receiver())
            stack.enter_context(self.shop)
            stack.callback(lambda: self.shop.gateway.stop())
            self.cluster = self.shop.cluster
            use_small_disks(self.cluster, **self.disks)
            for database in DATABASES[1:]:
                self.create_database(database)
            self.flow = Flow(self.cluster, self.origin)
            self.load = Load(self, self.urls, rng)
            self.load.start()
            stack.callback(self.load.close)
            stack.callback(self.flow.disconnect)
            self._stack = stack.pop_all()
        return self

    @property
    def has_small_disks(self):
        return all(disk.mounted for disk in self.disks.values())

    def __exit__(self, *exc):
        self._stack.__exit__(*exc)

    def create_database(self, name):
        self.cluster.query(f"CREATE DATABASE {name}", database="postgres")
        self.cluster.query("CREATE EXTENSION imgpress", database=name)

    # --- the gateway --------------------------------------------------------------------------

    @property
    def gateway(self):
        return self.shop.gateway

    def restart_gateway(self):
        self.gateway.stop()
        self.shop.gateway = self.shop.new_gateway(port=self.shop.port)
        self.shop.gateway.__enter__()

    def upload(self, csv, webhook_url):
        """Uploads a CSV as a client would; returns the answer, or None if there was none."""
        try:
            return self.gateway.upload(csv, webhook_url=webhook_url)
        except OSError:
            return None

    def gateway_answers(self):
        try:
            return self.gateway.get("/healthz").status == 200
        except OSError:
            return False

    # --- processes ----------------------------------------------------------------------------

    def note_presses(self):
        """Remembers all presses of this cluster, so that orphans are recognised later."""
        for press in self.cluster.presses():
            self._presses[press.pid] = press

    def orphans(self):
        """Presses that are alive, but belong to no living process of the cluster."""
        family = {process.pid for process in self.cluster.family()}
        alive = [press for press in self._presses.values() if press.alive()]
        self._presses = {press.pid: press for press in alive}
        return [press for press in alive if press.pid not in family]

    def drainer(self):
        """The drainer of the shop."""
        found = lambda: [it for it in self.cluster.drainers() if "shop" in it.title]  # noqa: E731
        return wait_until(found, "the drainer runs")[0]

    def presses_of_drainer(self, role):
        """The drainer's presses of this role; waits until there are some."""

        def found():
            drainer = self.drainer()
            return [it for it in self.cluster.presses(role) if it.parent == drainer.pid]

        return wait_until(found, f"a {role} runs")

    # --- rows ---------------------------------------------------------------------------------

    def purge(self):
        """Purges what has ended, and remembers which requests that were."""
        ids = "SELECT id::text FROM imgpress.processing_requests"
        with self.cluster.session(autocommit=False) as session:
            session.execute(ids)
            before = {request for (request,) in session.fetchall()}
            session.execute("SELECT imgpress.purge('2 seconds')")
            session.execute(ids)
            left = {request for (request,) in session.fetchall()}
            self.purged |= before - left
            session.connection.commit()

    def note_fault(self):
        """Remembers that a fault begins now, and returns the time."""
        self.fault_times.append(time.time())
        return self.fault_times[-1]

    def new_log_lines(self):
        """The lines of the server's log since the last call."""
        with open(self.cluster.log, encoding="utf-8", errors="replace") as log:
            log.seek(self._log_read)
            lines = log.readlines()
            self._log_read = log.tell()
        return lines

    def violations(self, where, rows):
        """Remembers what imgpress.check() has returned."""
        self.problems += [f"{where}{' '.join(map(str, row))}" for row in rows]
