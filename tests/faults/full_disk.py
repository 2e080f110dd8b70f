"""A disk that is full: the outputs lie on a small file system of their own."""

import os
import subprocess
import tempfile
from pathlib import Path

from fault import Fault
from harness.cluster import SERVER_ACCOUNT

SIZE = "96M"


class SmallDisk:
    """A tablespace on a small tmpfs, for a with block; needs root. Without, `mounted` is False."""

    def __init__(self, cluster):
        self._cluster = cluster
        self.folder = None
        self.mounted = False

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="imgpress-disk-", dir="/tmp"))
        options = f"size={SIZE},mode=700,uid={SERVER_ACCOUNT},gid={SERVER_ACCOUNT}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        self.mounted = (
            os.geteuid() == 0
            and subprocess.run(command, check=False, capture_output=True).returncode == 0
        )
        if self.mounted:
            (self.folder / "space").mkdir()
            subprocess.run(["chown", SERVER_ACCOUNT, self.folder / "space"], check=True)
            self._cluster.query(f"CREATE TABLESPACE small LOCATION '{self.folder}/space'")
            self._cluster.query("ALTER TABLE imgpress.outputs SET TABLESPACE small")
        return self

    def __exit__(self, *_exc):
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        self.folder.rmdir()

    def fill(self):
        with open(self.folder / "ballast", "wb") as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
                    ballast.flush()
            except OSError:
                pass  # it is full

    def clear(self):
        (self.folder / "ballast").unlink()


class FullDisk(Fault):
    name = "disk full"
    hold = (1.0, 3.0)

    def inject(self, world, rng):
        world.disk.fill()

    def end(self, world):
        world.disk.clear()
        return super().end(world)
