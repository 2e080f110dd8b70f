"""A private PostgreSQL cluster: created, started and removed without touching any other.

It listens only on a Unix socket in a directory of mode 0700, so that `trust` is safe. PostgreSQL
refuses to run as root; root runs it as the user postgres.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg2
import psycopg2.extensions
import psycopg2.extras

from . import processes
from .waiting import wait_for_exit, wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
SUPERUSER = "postgres"
SERVER_ACCOUNT = "postgres"
PORT = 5432  # part of the socket's name; no TCP port is used unless the settings say so
PRELOAD = ("pg_cron", "imgpress")
LOG_LINES = 200

# Otherwise Ctrl-C and the time limit of a test would not interrupt a libpq call.
psycopg2.extensions.set_wait_callback(psycopg2.extras.wait_select)


class ClusterError(RuntimeError):
    """PostgreSQL could not be created, started or stopped; the message holds the end of its log."""


class NotInstalled(ClusterError):
    """PostgreSQL or imgpress is missing; the message says how to install it."""


def pg_config(option):
    try:
        return subprocess.check_output(["pg_config", option], text=True).strip()
    except FileNotFoundError:
        raise NotInstalled("pg_config is not on the PATH: run `make deps`") from None


def major_version():
    return int(re.search(r"[0-9]+", pg_config("--version")).group())


def installed_libraries(names):
    """The names whose library is installed: pg_cron is optional."""
    folder = Path(pg_config("--pkglibdir"))
    return [name for name in names if (folder / f"{name}.so").exists()]


def _check_installation(programs, preload):
    """Before a test needs PostgreSQL or imgpress: what it would say is harder to understand."""
    if not (programs / "initdb").exists():
        raise NotInstalled(f"{programs} has no server of PostgreSQL: run `make deps`")
    if "imgpress" in preload and not installed_libraries(["imgpress"]):
        raise NotInstalled(f"{pg_config('--pkglibdir')} has no imgpress: run `make install`")


def as_server(command):
    """The command as the account that runs PostgreSQL."""
    if os.geteuid() != 0:
        return command
    return ["runuser", "-u", SERVER_ACCOUNT, "--", *command]


def _own_by_server(path):
    if os.geteuid() == 0:
        account = pwd.getpwnam(SERVER_ACCOUNT)
        os.chown(path, account.pw_uid, account.pw_gid)


def _server_can_enter(path):
    return subprocess.run(as_server(["test", "-w", str(path)]), cwd="/").returncode == 0


@contextlib.contextmanager
def _uninterrupted():
    """Delays Ctrl-C until a new directory is recorded and can be removed. Call it from the main
    thread, where Python runs all signal handlers."""
    came = []
    usual = {
        number: signal.signal(number, lambda *_: came.append(True))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def _make_home(name):
    """A directory for the cluster below the checkout, or below /var/tmp if the server's account
    cannot enter the checkout (because it is in root's home, for example)."""
    for parent in (CHECKOUT / ".run", Path("/var/tmp")):
        try:
            parent.mkdir(exist_ok=True)
            home = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
        except PermissionError:
            continue
        _own_by_server(home)
        if _server_can_enter(home):
            return home
        home.rmdir()
    raise ClusterError(f"the user {SERVER_ACCOUNT} can write neither below {CHECKOUT} nor /var/tmp")


def _setting_line(name, value):
    quoted = str(value).replace("'", "''")
    return f"{name} = '{quoted}'\n"


def _run_to_the_end(command, stdin, output):
    """Returns the command's exit status. Ctrl-C does not reach the command and takes effect only
    after it, because a half-created cluster could not be removed."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        text=True,
        cwd="/",
        start_new_session=True,
    )
    try:
        process.communicate(stdin or "")
    finally:
        process.wait()
    return process.returncode


class Cluster:
    """with Cluster(settings={...}) as cluster: cluster.query("SELECT 1")"""

    def __init__(
        self,
        settings=None,
        database="shop",
        preload=PRELOAD,
        durable=False,
        name="cluster",
    ):
        self.database = database
        self.preload = installed_libraries(preload)
        self.home = None
        self.socket_dir = None
        self._settings = dict(settings or {})
        self.port = self._settings.get("port", PORT)
        self._durable = durable
        self._log_lines = []
        self.name = name
        self._bin = Path(pg_config("--bindir"))
        _check_installation(self._bin, preload)

    # --- creating, starting, stopping ---------------------------------------------------------

    def __enter__(self):
        try:
            self._create()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_exc):
        self.remove()

    @property
    def data(self):
        return self.home / "data"

    @property
    def log(self):
        return self.home / "postgresql.log"

    def log_tail(self, lines=40):
        """The end of the server's log, also after the cluster was removed."""
        if self.home is not None and self.log.exists():
            self._log_lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(self._log_lines[-lines:])

    def log_lines(self, text):
        """The lines of the server's log that hold this text."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if text in line]

    def _create(self):
        with _uninterrupted():
            self.home = _make_home(self.name)
            # Not below home, whose path may be too long: a socket's path is limited to 107 bytes.
            self.socket_dir = Path(tempfile.mkdtemp(prefix="imgpress-", dir="/tmp"))
        _own_by_server(self.socket_dir)
        self._make_data()
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            for name, value in self._all_settings().items():
                conf.write(_setting_line(name, value))

    def _make_data(self):
        self._run(
            "initdb",
            ["-D", self.data, "-U", SUPERUSER, "--auth=trust", "--no-sync"]
            + ["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"],
        )
        # In single-user mode, so that the database exists before any worker starts.
        if self.database != "postgres":
            self._run(
                "postgres",
                ["--single", "-F", "-D", self.data, "postgres"],
                stdin=f'CREATE DATABASE "{self.database}"\n',
            )

    def _all_settings(self):
        settings = {
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": self.socket_dir,
            "shared_preload_libraries": ",".join(self.preload),
            "max_connections": 60,
            "max_worker_processes": 16,
        }
        if "pg_cron" in self.preload:
            settings["cron.database_name"] = self.database
            # Otherwise its jobs would need a TCP connection.
            settings["cron.use_background_workers"] = "on"
        if not self._durable:
            settings.update(fsync="off", full_page_writes="off")
        if "imgpress" in self.preload and "IMGPRESS_PRESS" in os.environ:
            settings["imgpress.press_path"] = os.environ["IMGPRESS_PRESS"]
        settings.update(self._settings)
        return settings

    def _run(self, program, arguments, stdin=None):
        command = as_server([str(self._bin / program), *map(str, arguments)])
        with tempfile.TemporaryFile("w+") as output:
            # A file, because the server would inherit a pipe and keep it open.
            status = _run_to_the_end(command, stdin, output)
            output.seek(0)
            said = output.read()
        if status != 0:
            raise ClusterError(f"{program} failed:\n{said}\n{self.log_tail()}")
        return said

    def _pg_ctl(self, *arguments):
        return self._run("pg_ctl", ["-D", self.data, "-w", "-t", "60", "-s", *arguments])

    def start(self):
        self._pg_ctl("-l", self.log, "start")

    def stop(self, mode="fast"):
        """Stops the cluster and waits for all its processes; mode: smart, fast or immediate."""
        family = [process.pid for process in self.family()]
        self._pg_ctl("-m", mode, "stop")
        left = wait_for_exit(family)
        if left:
            raise ClusterError(f"processes {left} outlived the {mode} stop")

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def kill(self):
        """kill -9 of the postmaster; returns when all its processes are gone."""
        postmaster = self.postmaster()
        os.kill(postmaster, signal.SIGSTOP)  # so that it starts none that is not in the family
        wait_until(lambda: processes.read_process(postmaster).state == "T", "the postmaster stands still")
        family = [process.pid for process in self.family()]
        os.kill(postmaster, signal.SIGKILL)
        left = wait_for_exit([postmaster, *family])
        if left:
            raise ClusterError(f"processes {left} outlived the postmaster")
        # In a container without init the dead postmaster stays a zombie, and its pid seems to be
        # alive.
        for lock in (self.data / "postmaster.pid", self.socket_dir / f".s.PGSQL.{self.port}.lock"):
            lock.unlink()

    def running(self):
        return self.home is not None and self.postmaster() is not None

    def remove(self):
        """Stops the cluster's own processes and removes its files. Safe to call twice."""
        if self.running():
            try:
                self.stop("fast")
            except ClusterError:
                self._kill_family()
            except BaseException:
                self._kill_family()
                raise
        self._remove_files()

    def _remove_files(self):
        self.log_tail()
        log = self.log.read_text(errors="replace") if self.home and self.log.exists() else ""
        for folder in (self.home, self.socket_dir):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            (CHECKOUT / ".run").rmdir()  # only when no other cluster lives there
        self.home = None
        self.socket_dir = None
        processes.refuse_sanitizer_reports(log)  # of presses

    def _kill_family(self):
        doomed = [process.pid for process in self.family()]
        if self.postmaster() is not None:
            doomed.insert(0, self.postmaster())
        processes.kill(doomed)

    # --- processes ----------------------------------------------------------------------------

    def postmaster(self):
        """The postmaster's pid, or None when it does not run."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None
        process = processes.read_process(pid)
        return pid if process is not None and process.state not in "ZX" else None

    def family(self):
        """Every process below the postmaster: backends, workers and their presses."""
        postmaster = self.postmaster()
        return [] if postmaster is None else processes.descendants(postmaster)

    def launchers(self):
        return self._workers("imgpress launcher")

    def drainers(self):
        return self._workers("imgpress worker")

    def _workers(self, title):
        """Children of the postmaster only: between fork and exec a press has its drainer's
        title."""
        parent = self.postmaster()
        return [it for it in self.family() if title in it.title and it.parent == parent]

    def presses(self, role=""):
        """The presses of this cluster; role: "fetch" or "codec" for one kind."""
        return [process for process in self.family() if process.is_press(role)]

    # --- clients ------------------------------------------------------------------------------

    def conninfo(self, database=None, user=SUPERUSER):
        return psycopg2.extensions.make_dsn(
            host=self.socket_dir, port=self.port, dbname=database or self.database, user=user
        )

    def environment(self, database=None):
        """The environment in which libpq clients such as psql and pg_prove find the cluster."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        clean.update(
            PGHOST=str(self.socket_dir),
            PGPORT=str(self.port),
            PGUSER=SUPERUSER,
            PGDATABASE=database or self.database,
        )
        return clean

    def connect(self, database=None, user=SUPERUSER, autocommit=True):
        connection = psycopg2.connect(self.conninfo(database, user))
        connection.autocommit = autocommit
        return connection

    @contextlib.contextmanager
    def session(self, database=None, user=SUPERUSER, autocommit=True):
        """A cursor of a new connection, for a with block. Without autocommit what is not committed
        by its end is rolled back."""
        with contextlib.closing(self.connect(database, user, autocommit)) as connection:
            with connection.cursor() as cursor:
                yield cursor

    def query(self, sql, parameters=None, database=None, user=SUPERUSER):
        """All rows (as tuples) of one statement in a new connection; [] if it returns none."""
        with self.session(database, user) as session:
            session.execute(sql, parameters)
            # () describes rows without columns, as of SELECT FROM.
            return session.fetchall() if session.description is not None else []

    def scalar(self, sql, parameters=None, database=None, user=SUPERUSER):
        rows = self.query(sql, parameters, database, user)
        return rows[0][0] if rows else None

    def refused(self, sqlstate, sql, parameters=None, database=None, user=SUPERUSER):
        """Runs a statement that must fail with this SQLSTATE; returns the error."""
        try:
            self.query(sql, parameters, database, user)
        except psycopg2.Error as error:
            assert error.pgcode == sqlstate, f"{error.pgcode} instead of {sqlstate}: {error}"
            assert str(error).strip(), "the error has no message"
            return error
        raise AssertionError(f"no error: {sql}")

    def terminate(self, *pids):
        """Terminates backends or workers and waits for their end."""
        self.query("SELECT pg_terminate_backend(p) FROM unnest(%s) p", (list(pids),), "postgres")
        left = wait_for_exit(pids)
        assert left == [], f"still running after pg_terminate_backend(): {left}"

    def psql(self, *arguments, stdin=None, database=None, check=True):
        """Runs psql without a .psqlrc; returns the finished process."""
        command = [str(self._bin / "psql"), "-X", "-v", "ON_ERROR_STOP=1", *arguments]
        return subprocess.run(
            command,
            input=stdin,
            text=True,
            capture_output=True,
            env=self.environment(database),
            check=check,
        )

    def wait_ready(self, timeout=60.0):
        """Waits until connections are accepted, for example after a backend has crashed."""

        def answers():
            try:
                return self.scalar("SELECT true", database="postgres")
            except psycopg2.OperationalError:
                return False

        wait_until(answers, "PostgreSQL accepts connections", timeout)

    # --- settings -----------------------------------------------------------------------------

    def configure(self, settings):
        """Changes settings of the running cluster (None resets one); returns when they are in
        force."""
        with self.session("postgres") as session:
            for name, value in settings.items():
                if value is None:
                    session.execute(f"ALTER SYSTEM RESET {name}")
                else:
                    session.execute(f"ALTER SYSTEM SET {name} = %s", (str(value),))
            session.execute("SELECT pg_conf_load_time()")
            before = session.fetchone()[0]
            session.execute("SELECT pg_reload_conf()")
        wait_until(
            lambda: self.scalar("SELECT pg_conf_load_time() > %s", (before,), "postgres"),
            "PostgreSQL has reloaded its settings",
        )

    @contextlib.contextmanager
    def settings(self, settings):
        """Changes settings for a with block."""
        self.configure(settings)
        try:
            yield
        finally:
            self.configure(dict.fromkeys(settings))
