"""Full disks: the outputs and the write-ahead log lie on small file systems of their own."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2

from faults.kinds.fault import Fault
from harness.cluster import SERVER_ACCOUNT
from harness.waiting import wait_until


class SmallDisk:
    """A small tmpfs, for a with block. It takes root to mount it; without, `mounted` is False."""

    def __init__(self, size):
        self._size = size
        self._folder = None
        self.mounted = False

    def __enter__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="imgpress-disk-", dir="/tmp"))
        options = f"size={self._size},mode=700,uid={SERVER_ACCOUNT},gid={SERVER_ACCOUNT}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._folder)]
        done = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True)
        self.mounted = bool(done) and done.returncode == 0
        return self

    def __exit__(self, *_exc):
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=True)
        self._folder.rmdir()

    def make_folder(self, name):
        """A folder on it that belongs to PostgreSQL."""
        folder = self._folder / name
        folder.mkdir(mode=0o700)
        shutil.chown(folder, SERVER_ACCOUNT, SERVER_ACCOUNT)
        return folder

    def fill(self):
        with open(self._folder / "ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
            except OSError:
                pass  # it is full

    def clear(self):
        (self._folder / "ballast").unlink()


def use_small_disks(cluster, outputs, log):
    """Moves the table of outputs, and the write-ahead log."""
    if not (outputs.mounted and log.mounted):
        return
    cluster.query(f"CREATE TABLESPACE small LOCATION '{outputs.make_folder('space')}'")
    cluster.query("ALTER TABLE imgpress_internal.blobs SET TABLESPACE small")
    cluster.stop()
    usual, small = cluster.data / "pg_wal", log.make_folder("log") / "pg_wal"
    shutil.copytree(usual, small, copy_function=shutil.copy2)
    subprocess.run(["chown", "-R", f"{SERVER_ACCOUNT}:", small], check=True)
    shutil.rmtree(usual)
    usual.symlink_to(small)
    cluster.start()


class FullDisk(Fault):
    """No output can be stored."""

    name = "disk full: outputs"
    hold = (1.0, 3.0)
    alone = False
    needs_small_disks = True

    def inject(self, world, rng):
        world.cluster.query("VACUUM FULL imgpress_internal.blobs")  # no room is left in the table either
        world.disks["outputs"].fill()
        failing = "SELECT true FROM imgpress.workers WHERE database = 'shop' AND state = 'failing'"
        wait_until(lambda: world.cluster.scalar(failing), "the worker fails to store outputs")

    def end(self, world):
        world.disks["outputs"].clear()
        return super().end(world)


class FullLog(Fault):
    """PostgreSQL ends all sessions (PANIC), and cannot start again while the disk is full."""

    name = "disk full: write-ahead log"
    cheap = False
    needs_small_disks = True
    panics = True

    def inject(self, world, rng):
        world.disks["log"].fill()
        wait_until(lambda: self._has_stopped(world), "PostgreSQL has stopped")

    @staticmethod
    def _has_stopped(world):
        with contextlib.suppress(psycopg2.Error):
            world.cluster.query("CREATE TEMPORARY TABLE written (); SELECT pg_switch_wal()")
        return not world.cluster.running()

    def end(self, world):
        world.disks["log"].clear()
        world.cluster.start()
        return super().end(world)


FAULTS = (FullDisk(), FullLog())
