"""The server as a whole: restarts, crashes, reloads, connections."""

import contextlib

import psycopg2

from faults.kinds.fault import Fault
from harness.processes import kill
from harness.waiting import wait_for_exit


class Restart(Fault):
    """With the load going on, whose connections are broken."""

    def __init__(self, mode):
        self.name = f"server: {mode} restart"
        self.cheap = mode == "immediate"
        self._mode = mode

    def inject(self, world, rng):
        world.cluster.stop(self._mode)  # fails if a process outlives the server

    def end(self, world):
        world.cluster.start()
        return super().end(world)


class KillPostmaster(Fault):
    name = "server: kill -9 of the postmaster"

    def inject(self, world, rng):
        world.cluster.kill()  # fails if a process outlives the postmaster

    def end(self, world):
        world.cluster.start()
        return super().end(world)


class KillBackend(Fault):
    """kill -9 of an ordinary session, so that PostgreSQL ends all others and starts anew."""

    name = "server: kill -9 of a session"
    cheap = False

    def inject(self, world, rng):
        with contextlib.closing(world.cluster.connect()) as victim:
            with contextlib.closing(world.cluster.connect()) as witness:
                kill([victim.info.backend_pid])
                left = wait_for_exit([witness.info.backend_pid])
        assert left == [], "PostgreSQL did not notice that a session was killed"

    def end(self, world):
        world.cluster.wait_ready()
        return super().end(world)


class ReloadStorm(Fault):
    """Many reloads, which change settings to and fro."""

    name = "server: reload storm"

    def inject(self, world, rng):
        with world.cluster.session("postgres") as session:
            for _ in range(40):
                codecs, connections = rng.randint(1, 3), rng.randint(4, 12)
                session.execute(f"ALTER SYSTEM SET imgpress.codecs = {codecs}")
                session.execute(f"ALTER SYSTEM SET imgpress.connections_per_host = {connections}")
                session.execute("SELECT pg_reload_conf()")

    def end(self, world):
        names = ("imgpress.codecs", "imgpress.connections_per_host")
        world.cluster.configure(dict.fromkeys(names))
        return super().end(world)


class BrokenPress(Fault):
    """Presses that end at once, as with a damaged installation, while requests are submitted."""

    name = "server: broken press"
    hold = (1.0, 4.0)

    def inject(self, world, rng):
        world.cluster.configure({"imgpress.press_path": "/bin/false"})
        kill([press.pid for press in world.presses_of_drainer("")])

    def end(self, world):
        world.cluster.configure({"imgpress.press_path": None})
        return super().end(world)


class NoConnection(Fault):
    """All connections are taken; the workers need none."""

    name = "server: connections exhausted"
    work_goes_on = True
    hold = (0.5, 2.0)
    alone = False

    def __init__(self):
        self._taken = []

    def inject(self, world, rng):
        with contextlib.suppress(psycopg2.OperationalError):
            while True:
                self._taken.append(world.cluster.connect("postgres"))

    def end(self, world):
        for connection in self._taken:
            connection.close()
        self._taken.clear()
        return super().end(world)


FAULTS = (
    Restart("fast"),
    Restart("immediate"),
    KillPostmaster(),
    KillBackend(),
    ReloadStorm(),
    BrokenPress(),
    NoConnection(),
)
