"""What other sessions do to the database: locks, old snapshots, rewrites, renames, drops."""

import contextlib
import time

import psycopg2

from faults.kinds.fault import Fault
from harness.catalogue import one_product
from harness.waiting import wait_until

LEASES = "imgpress_internal.leases"
TABLES = (
    "imgpress.processing_requests",
    "imgpress.products",
    "imgpress.images",
    "imgpress_internal.image_outputs",
    "imgpress_internal.blobs",
    "imgpress_internal.sources",
    "imgpress.webhook_deliveries",
    LEASES,
)
TABLE_LOCKS = ("SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
ROW_LOCKS = ("UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE")


class OpenTransaction(Fault):
    """A session that leaves its transaction open."""

    isolation = "READ COMMITTED"
    alone = False

    def __init__(self):
        self._connection = None

    def statements(self, rng):
        raise NotImplementedError

    def note(self, world, statement, session):
        """Called after each statement."""

    def inject(self, world, rng):
        self._connection = world.cluster.connect()
        with self._connection.cursor() as session:
            session.execute(f"BEGIN ISOLATION LEVEL {self.isolation}")
            for statement in self.statements(rng):
                session.execute(statement)
                self.note(world, statement, session)

    def end(self, world):
        self._connection.close()
        return super().end(world)


class LockRows(OpenTransaction):
    """A few rows of unfinished work: all others must go on."""

    name = "locks on rows"
    work_goes_on = True
    hold = (1.0, 3.0)

    def statements(self, rng):
        mode = rng.choice(ROW_LOCKS)
        yield f"SELECT setseed({rng.random()})"
        for table, unfinished in (
            ("imgpress.processing_requests", "ended_at IS NULL"),
            ("imgpress.images", "ended_at IS NULL"),
            ("imgpress.webhook_deliveries", "ended_at IS NULL"),
            (LEASES, "true"),
        ):
            few = f"SELECT ctid FROM {table} WHERE {unfinished} ORDER BY random() LIMIT 2"
            rows = f"SELECT t.* FROM {table} t WHERE ctid = ANY (ARRAY({few}))"
            yield f"{rows} FOR {mode} SKIP LOCKED"

    def note(self, world, statement, session):
        if LEASES in statement:
            world.locked_leases |= {token for token, *_ in session.fetchall()}


class LockTable(OpenTransaction):
    name = "lock on a table"
    hold = (0.5, 2.0)

    def statements(self, rng):
        yield f"LOCK TABLE {rng.choice(TABLES)} IN {rng.choice(TABLE_LOCKS)} MODE"


class OldSnapshot(OpenTransaction):
    name = "old snapshot"
    work_goes_on = True
    isolation = "REPEATABLE READ"
    hold = (1.0, 4.0)

    def statements(self, rng):
        yield "SELECT count(*) FROM imgpress.images"


class Rewrite(Fault):
    """A statement that locks a table and writes it anew."""

    def __init__(self, name, statement):
        self.name = name
        self._statement = statement

    def inject(self, world, rng):
        world.cluster.query(self._statement.format(rng.choice(TABLES)))


class RenameDatabase(Fault):
    """To another name and back, after all its sessions were ended."""

    name = "ALTER DATABASE RENAME and back"
    hold = (0.5, 3.0)

    def __init__(self):
        self._pause = contextlib.ExitStack()

    def inject(self, world, rng):
        self._pause.enter_context(world.load.paused())
        world.flow.disconnect()
        self._rename(world, "shop", "kiosk")

    def end(self, world):
        self._rename(world, "kiosk", "shop")
        since = super().end(world)
        self._pause.close()
        return since

    @staticmethod
    def _rename(world, old, new):
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"

        def renamed():
            with world.cluster.session("postgres") as session:
                session.execute(others, (old,))
                with contextlib.suppress(psycopg2.errors.ObjectInUse):
                    session.execute(f"ALTER DATABASE {old} RENAME TO {new}")
                    return True
            return False

        wait_until(renamed, f"database {old} can be renamed", 30.0)


class Drop(Fault):
    """Another database's extension, or that database, while its worker is busy."""

    work_goes_on = True
    LIMIT = 5.0

    def __init__(self, name, database, statement, in_database):
        self.name = name
        self.cheap = in_database != "postgres"
        self._database = database
        self._statement = statement
        self._in_database = in_database

    def inject(self, world, rng):
        gate = f"{self.name} {time.monotonic()}".replace(" ", "-")
        paths = [f"held/{gate}/small1.jpg", *(f"small2.jpg?{n}" for n in range(40))]
        csv = one_product(*map(world.origin.url, paths))
        world.cluster.query("SELECT imgpress.submit_csv(%s)", (csv,), self._database)
        world.origin.gate(gate).wait_arrived()
        began = time.monotonic()
        world.cluster.query(self._statement, database=self._in_database)
        took = time.monotonic() - began
        world.origin.gate(gate).open()
        assert took < self.LIMIT, f"{self._statement} took {took:.1f} s"

    def end(self, world):
        if self._in_database == "postgres":
            world.create_database(self._database)
        else:
            world.cluster.query("CREATE EXTENSION imgpress", database=self._database)
        return super().end(world)


FAULTS = (
    LockRows(),
    LockTable(),
    OldSnapshot(),
    Rewrite("VACUUM FULL", "VACUUM FULL {}"),
    Rewrite("REINDEX", "REINDEX TABLE {}"),
    RenameDatabase(),
    Drop("DROP EXTENSION", "side", "DROP EXTENSION imgpress", "side"),
    Drop("DROP DATABASE", "doomed", "DROP DATABASE doomed", "postgres"),
)
