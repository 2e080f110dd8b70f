"""A pause ends soon after what caused it, whether or not anybody submits anything."""

import contextlib
import os
import shutil

import pytest

from harness.waiting import wait_until

AT_ONCE = 3.0  # seconds, when something wakes the launcher or the worker
LONGEST = 8.0  # when nothing does: a pause is 5 s at most

IDLE = "SELECT count(*) FROM imgpress.workers WHERE database = 'shop' AND state = 'idle'"
REASON = "SELECT reason FROM imgpress.workers WHERE database = 'shop' AND pid IS NULL"


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, preload=("imgpress",), name="pauses") as made:
        made.finish(made.submit("small0.jpg"))
        # From here imgpress.workers can be seen while `shop` cannot be connected to.
        made.cluster.query("CREATE DATABASE watch")
        made.cluster.query("CREATE EXTENSION imgpress", database="watch")
        yield made


def watch(shop, statement):
    return shop.cluster.scalar(statement, database="watch")


def wait_until_idle(shop, timeout):
    wait_until(lambda: watch(shop, IDLE), "the worker is idle", timeout)


def longest_pause(shop):
    return watch(
        shop,
        "SELECT next_try_in >= '4 s' FROM imgpress.workers WHERE database = 'shop' AND pid IS NULL",
    )


def test_rename_of_the_database_and_back(own):
    own.cluster.query("ALTER DATABASE shop RENAME TO elsewhere", database="watch")
    state = "SELECT state FROM imgpress.workers WHERE database = 'shop'"
    wait_until(lambda: watch(own, state) == "no such database", "the launcher misses it", LONGEST)
    wait_until(lambda: longest_pause(own), "the pause has its full length", LONGEST)
    own.cluster.query("ALTER DATABASE elsewhere RENAME TO shop", database="watch")
    wait_until_idle(own, AT_ONCE)


def test_rename_in_a_long_transaction(own):
    """The worker must not be started before the commit: it could not connect."""
    with own.cluster.session(database="watch") as session:
        session.execute("BEGIN")
        session.execute("ALTER DATABASE shop RENAME TO elsewhere")
        session.execute("ALTER DATABASE elsewhere RENAME TO shop")
        assert own.cluster.drainers() == []
        session.execute("COMMIT")
    wait_until_idle(own, AT_ONCE)
    assert own.cluster.log_lines("FATAL:  database") == []


def test_many_ends_in_a_row(own):
    for _ in range(6):
        (drainer,) = wait_until(own.cluster.drainers, "a worker", AT_ONCE)
        own.cluster.terminate(drainer.pid)
    wait_until_idle(own, AT_ONCE)


def test_role_that_is_renamed_back(own):
    own.cluster.query("ALTER ROLE imgpress_worker RENAME TO renamed", database="watch")
    try:
        own.cluster.terminate(own.cluster.drainers()[0].pid)
        wait_until(lambda: longest_pause(own), "the launcher misses the role", LONGEST)
    finally:
        own.cluster.query("ALTER ROLE renamed RENAME TO imgpress_worker", database="watch")
    wait_until_idle(own, AT_ONCE)


def test_database_whose_drop_was_interrupted(own):
    """PostgreSQL marks it so; nobody can connect to it."""
    set_limit = "UPDATE pg_database SET datconnlimit = %s WHERE datname = 'shop'"
    own.cluster.query(set_limit, (-2,), database="watch")
    try:
        own.cluster.terminate(own.cluster.drainers()[0].pid)
        wait_until(lambda: "drop it again" in (watch(own, REASON) or ""), "the reason")
    finally:
        own.cluster.query(set_limit, (-1,), database="watch")
    wait_until_idle(own, LONGEST)


@contextlib.contextmanager
def broken_press(shop):
    """For a with block the press is a program that ends at once; yields its path."""
    path = shop.cluster.home / "press"
    path.unlink(missing_ok=True)  # a program that runs cannot be written to
    shutil.copy("/bin/false", path)
    with shop.cluster.settings({"imgpress.press_path": path}):
        shop.cluster.terminate(shop.cluster.drainers()[0].pid)
        waits = "SELECT next_try_in >= '4 s' FROM imgpress.workers WHERE state = 'cannot start'"
        wait_until(lambda: shop.value(waits), "the pause has its full length")
        yield path


def test_press_that_is_repaired(own):
    """In place, so that nothing announces it. After 10 s the presses count as healthy: the log says
    so, and the next failure is new."""
    press = os.readlink(f"/proc/{own.cluster.presses('fetch')[0].pid}/exe")
    request, gate = own.submit_held("repaired")
    with broken_press(own) as path:
        replacement = path.with_suffix(".new")
        shutil.copy(press, replacement)
        replacement.rename(path)
        gate.wait_arrived(2, LONGEST)
        gate.open()
        own.assert_finished_once(request)
        again = lambda: own.cluster.log_lines("imgpress works again in database")  # noqa: E731
        assert again() == []
        # A pause ends, or a submission makes the worker turn.
        wait_until(lambda: own.finish(own.submit("small1.jpg")) and again(), "it works again", 20)
        assert own.sql("SELECT max(interruptions) FROM imgpress.images") == [(0,)]


def test_reload_after_a_repair(own):
    with broken_press(own):
        pass  # the setting is reset, which is a reload
    wait_until_idle(own, AT_ONCE)


def test_a_wrong_name_touches_no_other_database(own):
    (drainer,) = own.cluster.drainers()
    with own.cluster.settings({"imgpress.databases": "shop, shpo"}):
        state = "SELECT state FROM imgpress.workers WHERE database = 'shpo'"
        wait_until(lambda: watch(own, state) == "no such database", "the row of the wrong name")
        own.assert_finished_once(own.submit("small2.jpg"), AT_ONCE)
        assert drainer.alive()
        own.cluster.query("CREATE DATABASE shpo", database="watch")
        wait_until(lambda: watch(own, state) == "no extension", "its worker", AT_ONCE)
        own.cluster.query("CREATE EXTENSION imgpress", database="shpo")
        wait_until(lambda: watch(own, state) == "idle", "it works", AT_ONCE)
        own.cluster.query("DROP DATABASE shpo", database="watch")
    assert drainer.alive()
