"""A server program that listens on a free port of 127.0.0.1 and has a directory of its own."""

import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from ..gateway import free_port
from ..waiting import WaitTimeout, wait_until


class ServerProcess:
    """Runs a program that stays in the foreground, for a with block.

    Subclasses write its files into self.home and return its command."""

    account = None  # the program is run as this user if the tests are run as root

    def __init__(self):
        self.port = free_port()
        self.home = None
        self._process = None

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        self.home = Path(tempfile.mkdtemp(prefix="imgpress-", dir="/tmp"))
        self.home.chmod(0o755)  # the program may run as another user
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self):
        command = self.command()
        user = {}
        if self.account and self.home.owner() == "root":
            shutil.chown(self.home, self.account)
            user = {"user": self.account, "group": pwd.getpwnam(self.account).pw_gid}
            user["extra_groups"] = []
        with open(self.home / "output", "wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
                **user,
            )
        wait_until(self._listens, f"{command[0]} listens")

    def _listens(self):
        if self._process.poll() is not None:
            raise WaitTimeout(f"it ended at its start: {self.output()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def output(self):
        return (self.home / "output").read_text(errors="replace")

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(15.0)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None
        shutil.rmtree(self.home, ignore_errors=True)
