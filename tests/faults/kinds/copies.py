"""Copies that are made while images are being processed: a dump, and a standby."""

import subprocess

from faults.kinds.fault import Fault
from harness.cluster import SUPERUSER, Cluster
from harness.waiting import wait_until

CHECK = "SELECT * FROM imgpress.check()"


class DumpAndRestore(Fault):
    """pg_dump, restored into a database that no worker serves."""

    name = "pg_dump and restore"
    work_goes_on = True
    cheap = False

    def inject(self, world, rng):
        cluster = world.cluster
        environment = cluster.environment()
        dump = cluster.home / "dump"
        programs = {"env": environment, "check": True, "capture_output": True, "text": True}
        subprocess.run(["pg_dump", "-Fc", "-f", dump, "shop"], **programs)
        cluster.query("CREATE DATABASE restored", database="postgres")
        subprocess.run(["pg_restore", "-e", "-j", "2", "-d", "restored", dump], **programs)
        dump.unlink()
        world.violations(f"{self.name}: ", cluster.query(CHECK, database="restored"))

    def end(self, world):
        world.cluster.query("DROP DATABASE restored", database="postgres")
        return super().end(world)


class Standby(Cluster):
    """A copy by pg_basebackup that follows the original; it processes nothing itself."""

    def __init__(self, original):
        # Otherwise a VACUUM of the original could cancel check().
        settings = {"imgpress.databases": "", "max_standby_streaming_delay": "-1"}
        super().__init__(settings, preload=("imgpress",), name="standby")
        self._original = original

    def _make_data(self):
        source = ["-h", self._original.socket_dir, "-p", self._original.port, "-U", SUPERUSER]
        spaces = self._original.query(
            "SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'small'"
        )
        moved = [f"--tablespace-mapping={place}={self.home / name}" for name, place in spaces]
        options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", *moved]
        self._run("pg_basebackup", ["-D", self.data, *source, *options])


class PromotedStandby(Fault):
    """check() is run on the standby before and after its promotion."""

    name = "pg_basebackup and promote"
    work_goes_on = True
    cheap = False

    def inject(self, world, rng):
        with Standby(world.cluster) as standby:
            world.violations("standby: ", standby.query(CHECK))
            standby.query("SELECT pg_promote()")
            recovering = "SELECT pg_is_in_recovery()"
            wait_until(lambda: not standby.scalar(recovering), "the standby is promoted")
            world.violations("promoted standby: ", standby.query(CHECK))


FAULTS = (DumpAndRestore(), PromotedStandby())
