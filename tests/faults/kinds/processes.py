"""Processes that are killed, stopped or asked to end."""

import contextlib
import os
import signal
import time

from faults.kinds.fault import Fault
from harness.processes import kill
from harness.waiting import wait_for_exit, wait_until

ROLES = {
    "codec": lambda world: world.presses_of_drainer("codec"),
    "fetcher": lambda world: world.presses_of_drainer("fetcher"),
    "drainer": lambda world: [world.drainer()],
    "launcher": lambda world: wait_until(world.cluster.launchers, "the launcher runs"),
}


class RoleFault(Fault):
    """A fault of one process of a role, which the seed chooses."""

    def __init__(self, name, role):
        self.name = f"{role}: {name}"
        self.role = role
        self.victim = None

    def choose(self, world, rng):
        found = sorted(ROLES[self.role](world), key=lambda process: process.pid)
        self.victim = rng.choice(found)
        return self.victim.pid


class KillPress(RoleFault):
    """kill -9 of a codec or a fetcher."""

    def __init__(self, role):
        super().__init__("kill -9", role)

    def inject(self, world, rng):
        kill([self.choose(world, rng)])


class KillWorker(RoleFault):
    """kill -9 of a process of PostgreSQL, which then ends all its sessions and starts anew."""

    def __init__(self, role):
        super().__init__("kill -9", role)

    def inject(self, world, rng):
        victim = self.choose(world, rng)
        with contextlib.closing(world.cluster.connect()) as witness:
            kill([victim])
            left = wait_for_exit([witness.info.backend_pid])
        assert left == [], "PostgreSQL did not notice that a process was killed"

    def end(self, world):
        world.cluster.wait_ready()
        return super().end(world)


class TerminateWorkers(RoleFault):
    """SIGTERM to a drainer or the launcher, several times in a row."""

    def __init__(self, role):
        super().__init__("SIGTERM", role)

    def inject(self, world, rng):
        for _ in range(rng.choice((1, 1, 2, 6))):
            pid = self.choose(world, rng)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            left = wait_for_exit([pid])
            assert left == [], f"the {self.role} ignores SIGTERM"


class Pause(RoleFault):
    """SIGSTOP, and SIGCONT a little later."""

    hold = (0.2, 2.0)

    def __init__(self, role):
        super().__init__("SIGSTOP for a while", role)

    def inject(self, world, rng):
        os.kill(self.choose(world, rng), signal.SIGSTOP)

    def end(self, world):
        with contextlib.suppress(ProcessLookupError):  # its owner has replaced it
            os.kill(self.victim.pid, signal.SIGCONT)
        return super().end(world)


class Freeze(RoleFault):
    """SIGSTOP for good of a codec or a fetcher, which its owner must notice and replace."""

    PATIENCE = 10.0

    def __init__(self, role):
        super().__init__("SIGSTOP for good", role)
        self._begun = None

    def inject(self, world, rng):
        self._begun = time.time()
        os.kill(self.choose(world, rng), signal.SIGSTOP)

    def end(self, world):
        return self._begun

    def recovered(self, world, since):
        left = wait_for_exit([self.victim.pid], self.PATIENCE)
        if left:
            kill(left)
            return None
        gone = time.time() - since
        flows = world.flow.wait(since)
        return None if flows is None else max(gone, flows)


class GatewayFault(Fault):
    """Recovered when the gateway answers."""

    def recovered(self, world, since):
        wait_until(world.gateway_answers, "the gateway answers")
        return time.time() - since


class KillGateway(GatewayFault):
    """kill -9 of the gateway; as under systemd, another is started at once."""

    name = "gateway: kill -9"

    def inject(self, world, rng):
        world.gateway.signal(signal.SIGKILL)
        world.gateway.wait(10.0)

    def end(self, world):
        since = time.time()
        world.restart_gateway()
        return since


class PauseGateway(GatewayFault):
    name = "gateway: SIGSTOP for a while"
    hold = (0.2, 2.0)

    def inject(self, world, rng):
        world.gateway.signal(signal.SIGSTOP)

    def end(self, world):
        world.gateway.signal(signal.SIGCONT)
        return super().end(world)


PRESSES = (KillPress("codec"), KillPress("fetcher"))
PRESSES_AND_DRAINER = (*PRESSES, TerminateWorkers("drainer"))

FAULTS = (
    *PRESSES_AND_DRAINER,
    KillWorker("drainer"),
    KillWorker("launcher"),
    TerminateWorkers("launcher"),
    Pause("codec"),
    Pause("fetcher"),
    Pause("drainer"),
    Pause("launcher"),
    Freeze("codec"),
    Freeze("fetcher"),
    KillGateway(),
    PauseGateway(),
)
