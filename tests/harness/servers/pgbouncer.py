"""PgBouncer in transaction mode in front of a cluster."""

import contextlib
import shutil

import psycopg2

from ..cluster import PORT, SERVER_ACCOUNT
from .server_process import ServerProcess


def pgbouncer_program():
    """pgbouncer, also if the PATH has no sbin; None if it is not installed."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class PgBouncer(ServerProcess):
    """with PgBouncer(cluster, "shop_gateway") as pooler: Gateway(pooler.conninfo())"""

    account = SERVER_ACCOUNT  # it refuses to run as root

    def __init__(self, cluster, login, pool_size=4):
        super().__init__()
        self._cluster = cluster
        self._login = login
        self._pool_size = pool_size

    def command(self):
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": self.home / "users",
            "pool_mode": "transaction",
            "default_pool_size": self._pool_size,
            # While PostgreSQL is away: how long statements wait, and how soon it is tried again.
            "query_wait_timeout": 5,
            "server_login_retry": 1,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        databases = f"[databases]\n* = host={self._cluster.socket_dir} port={PORT}\n"
        text = f"{databases}\n[pgbouncer]\n" + "\n".join(lines) + "\n"
        (self.home / "users").write_text(f'"{self._login}" ""\n', encoding="utf-8")
        (self.home / "pgbouncer.ini").write_text(text, encoding="utf-8")
        return [pgbouncer_program(), str(self.home / "pgbouncer.ini")]

    def conninfo(self):
        """For clients with this login."""
        address = f"host=127.0.0.1 port={self.port}"
        return f"{address} dbname={self._cluster.database} user={self._login}"

    def query(self, sql):
        """All rows of one statement, run through the pool."""
        with contextlib.closing(psycopg2.connect(self.conninfo())) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
