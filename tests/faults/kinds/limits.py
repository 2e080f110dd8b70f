"""Resources and rights that the drainer lacks for a while."""

import contextlib
import os
import subprocess

from faults.kinds.fault import Fault
from harness.cluster import as_server
from harness.processes import kill


class Limit(Fault):
    """A limit of the drainer is so low that it gets no more of something."""

    hold = (0.5, 2.0)

    def __init__(self, name, option):
        self.name = f"drainer: {name}"
        self._option = option
        self._pid = None
        self._usual = None

    def enough(self, pid):
        """The limit that only what the process has satisfies."""
        raise NotImplementedError

    def inject(self, world, rng):
        self._pid = world.drainer().pid
        self._usual = self._prlimit("", "--output=SOFT", "--noheadings").strip()
        self._prlimit(f"={self.enough(self._pid)}:")

    def end(self, world):
        with contextlib.suppress(subprocess.CalledProcessError):  # a new drainer runs
            self._prlimit(f"={self._usual}:")
        return super().end(world)

    def _prlimit(self, value, *options):
        # Only the same user, or a more privileged root than that of a container, may do it.
        command = ["prlimit", f"--pid={self._pid}", f"--{self._option}{value}", *options]
        return subprocess.check_output(
            as_server(command), stderr=subprocess.DEVNULL, cwd="/", text=True
        )


class NoDescriptors(Limit):
    def __init__(self):
        super().__init__("no descriptors", "nofile")

    def enough(self, pid):
        return len(os.listdir(f"/proc/{pid}/fd"))


class NoProcesses(Limit):
    """No press can be started, and those that run end."""

    def __init__(self):
        super().__init__("no processes", "nproc")

    def enough(self, pid):
        return 1

    def inject(self, world, rng):
        super().inject(world, rng)
        kill([press.pid for press in world.presses_of_drainer("")])


class Revoked(Fault):
    """A right that the worker needs is revoked, and granted again."""

    name = "REVOKE and GRANT"
    hold = (0.5, 3.0)
    alone = False
    RIGHTS = (
        "UPDATE ON imgpress.images",
        "INSERT ON imgpress_internal.blobs",
        "INSERT ON imgpress_internal.image_outputs",
        "INSERT ON imgpress_internal.leases",
        "USAGE ON SCHEMA imgpress_internal",
    )

    def __init__(self):
        self._right = ""

    def inject(self, world, rng):
        self._right = rng.choice(self.RIGHTS)
        world.cluster.query(f"REVOKE {self._right} FROM imgpress_worker")

    def end(self, world):
        world.cluster.query(f"GRANT {self._right} TO imgpress_worker")
        return super().end(world)


class Disallowed(Fault):
    """The database allows no connections for a while, and its worker is ended."""

    name = "ALTER DATABASE ALLOW_CONNECTIONS"
    cheap = False
    hold = (0.5, 3.0)

    def inject(self, world, rng):
        world.cluster.query("ALTER DATABASE shop ALLOW_CONNECTIONS false", database="postgres")
        world.cluster.terminate(world.drainer().pid)

    def end(self, world):
        world.cluster.query("ALTER DATABASE shop ALLOW_CONNECTIONS true", database="postgres")
        return super().end(world)


class Unlisted(Fault):
    """The database is taken off the list, and listed again."""

    name = "imgpress.databases without the database"
    cheap = False
    hold = (0.2, 2.0)

    def inject(self, world, rng):
        world.cluster.configure({"imgpress.databases": "side"})

    def end(self, world):
        world.cluster.configure({"imgpress.databases": None})
        return super().end(world)


class Cancelled(Fault):
    """pg_cancel_backend() again and again, on whatever the drainer does."""

    name = "drainer: cancelled again and again"

    def inject(self, world, rng):
        with world.cluster.session("postgres") as session:
            for _ in range(200):
                session.execute(
                    "SELECT pg_cancel_backend(pid), pg_sleep(0.005) FROM pg_stat_activity "
                    "WHERE backend_type LIKE 'imgpress worker%' AND datname = 'shop'"
                )


FAULTS = (
    NoDescriptors(),
    NoProcesses(),
    Revoked(),
    Disallowed(),
    Unlisted(),
    Cancelled(),
)
