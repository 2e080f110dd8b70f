"""nginx with docker/nginx.conf in front of a gateway."""

import re
import shutil

from ..cluster import CHECKOUT
from ..gateway import Client
from .server_process import ServerProcess


def nginx_program():
    """nginx, also if the PATH has no sbin; None if it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class Nginx(ServerProcess, Client):
    """with Nginx(gateway.port) as nginx: nginx.get("/healthz")

    `directives` replace values in the configuration file: {"client_body_timeout": "1s"}."""

    def __init__(self, gateway_port, directives=None):
        ServerProcess.__init__(self)
        Client.__init__(self, "127.0.0.1", self.port)
        self._directives = {
            "listen": f"127.0.0.1:{self.port} backlog=1024",
            "server": f"127.0.0.1:{gateway_port}",
            "worker_processes": "2",
            **(directives or {}),
        }

    def command(self):
        text = (CHECKOUT / "docker" / "nginx.conf").read_text(encoding="utf-8")
        for name, value in self._directives.items():
            text, found = re.subn(rf"(?m)^(\s*{name}) [^;{{]*;", rf"\g<1> {value};", text)
            assert found, f"docker/nginx.conf has no {name}"
        (self.home / "nginx.conf").write_text(text, encoding="utf-8")
        files = ["-c", str(self.home / "nginx.conf"), "-p", str(self.home)]
        return [nginx_program(), *files, "-g", "daemon off;"]
