"""A cluster whose postmaster inherits orphaned processes, as it does when it is process 1 of a
container."""

import ctypes
import os
import subprocess

from .cluster import SERVER_ACCOUNT, Cluster

PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _adopt_orphans():
    """Runs between fork and exec. The flag survives exec, and children do not inherit it."""
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class ReapingCluster(Cluster):
    """Starts the postmaster directly: as a child of pg_ctl or runuser it would not have the
    flag."""

    _process = None

    def start(self):
        command = [str(self._bin / "postgres"), "-D", str(self.data)]
        if os.geteuid() == 0:
            account = [f"--reuid={SERVER_ACCOUNT}", f"--regid={SERVER_ACCOUNT}", "--clear-groups"]
            command = ["setpriv", *account, *command]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=_adopt_orphans,
            )
        self.wait_ready()

    def stop(self, mode="fast"):
        super().stop(mode)
        self._process.wait()
