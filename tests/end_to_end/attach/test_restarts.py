"""Processes that are killed, servers that crash and tables that vanish while imgpress works on
them: in the end each row shows its own picture."""

import os
import signal

import psycopg2
import pytest

from harness.images import jpeg
from harness.attach.kept_table import KeptTable, make_keeper, writers
from harness.waiting import PROMPT, wait_until


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, name="restarts") as shop:
        make_keeper(shop)
        yield shop


def fill(table, rows):
    table.owner(
        f"INSERT INTO {table.name} (id, url) SELECT n, %s || n FROM generate_series(1, %s) n",
        table.url("small1.jpg?"),
        rows,
    )


def assert_right(table, rows):
    """Every row shows an image of its own, and nothing is left over."""
    table.wait_settled(timeout=90)
    own = table.shop
    assert own.value(f"SELECT count(DISTINCT small) FROM {table.name} WHERE err IS NULL") == rows
    assert table.counts() == (rows, rows, rows)
    matching = (
        f"SELECT count(*) FROM {table.name} t JOIN imgpress.products p "
        "ON p.request_id = %s AND p.key = t.id::text JOIN imgpress.images i "
        "ON i.request_id = p.request_id AND i.image_no = p.image_nos[1] AND i.url = t.url "
        "WHERE t.small LIKE '%%/' || i.image_no || '/%%'"
    )
    assert own.value(matching, table.id) == rows
    assert own.sql("SELECT * FROM imgpress.check()") == []


def hold_writes(table):
    """A trigger at which each write waits until the advisory lock 5 is free."""
    table.owner(
        "CREATE OR REPLACE FUNCTION catalogue.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "SET LOCAL lock_timeout = 0; PERFORM pg_advisory_xact_lock_shared(5); RETURN new; END $$"
    )
    table.owner(
        f"CREATE TRIGGER hold BEFORE UPDATE OF small ON {table.name} FOR EACH ROW "
        "EXECUTE FUNCTION catalogue.hold()"
    )


def wait_held(own):
    """Until a write waits at the trigger; returns the process."""
    held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return wait_until(lambda: own.value(held), "a write is held")


def test_process_is_terminated_in_the_middle_of_a_write(own):
    table = KeptTable(own, "terminated")
    hold_writes(table)
    with own.cluster.session() as gate:
        gate.execute("SELECT pg_advisory_lock(5)")
        fill(table, 40)
        pid = wait_held(own)
        own.cluster.terminate(pid)
    # For all that is known a trigger did it, so the table has to wait, unless somebody knows better.
    wait_until(lambda: "perhaps a trigger" in (table.state()["reason"] or ""), "the table waits")
    own.sql("SELECT imgpress.resume(%s)", table.name)
    assert_right(table, 40)
    assert writers(own) != [pid]


def test_process_is_killed_in_the_middle_of_a_write(own):
    """PostgreSQL then restarts all its processes."""
    table = KeptTable(own, "killed")
    hold_writes(table)
    with own.cluster.session() as gate:
        gate.execute("SELECT pg_advisory_lock(5)")
        fill(table, 40)
        pid = wait_held(own)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _alive(gate), "the session has lost its server")
    own.cluster.wait_ready()
    assert_right(table, 40)


def _alive(session):
    try:
        session.execute("SELECT 1")
        return True
    except psycopg2.Error:
        return False


@pytest.mark.parametrize("rows", [600])
def test_server_crashes_again_and_again(own, rows):
    """At any moment of reading, loading and writing."""
    table = KeptTable(own, "crashing")
    fill(table, rows)
    for done in (1, rows // 3, rows // 2):
        count = f"SELECT count(small) FROM {table.name}"
        wait_until(lambda: own.value(count) >= done, f"{done} rows are written", timeout=60)
        table.change(done, table.url(f"small2.jpg?{done}"))
        own.cluster.kill()
        own.cluster.start()
        own.cluster.wait_ready()
    assert_right(table, rows)


def test_drainer_ends_and_comes_back(own):
    table = KeptTable(own, "drained")
    fill(table, 30)
    own.cluster.terminate(*[process.pid for process in own.cluster.drainers()])
    assert_right(table, 30)


@pytest.mark.parametrize("statement", ["DROP TABLE {}", "ALTER TABLE {} DROP COLUMN small CASCADE"])
def test_table_or_column_is_dropped_while_it_is_written(own, statement):
    table = KeptTable(own, f"dropped{len(statement)}")
    other = KeptTable(own, f"staying{len(statement)}")
    hold_writes(table)
    with own.cluster.session() as gate:
        gate.execute("SELECT pg_advisory_lock(5)")
        fill(table, 20)
        pid = wait_held(own)
        with own.cluster.session() as dropper:
            dropper.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg2.Error, match="lock timeout"):
                dropper.execute(statement.format(table.name))
    own.sql(statement.format(table.name))
    other.insert(1, other.url("small2.jpg"))
    other.wait_shown(1, "small2.jpg")
    state = table.state()
    assert state["state"] == "detached" and "gone" in state["reason"]
    assert writers(own) == [pid], "the same process goes on"
    keys = "SELECT count(*) FROM imgpress_internal.attached_ends WHERE attachment_id = %s"
    wait_until(lambda: own.value(keys, table.id) == 0, "nothing is queued for it any more")


def test_owner_changes(own):
    """The table is given to somebody else: the next write runs as the new owner."""
    table = KeptTable(own, "given")
    table.insert(1, table.url("small1.jpg"))
    table.wait_shown(1, "small1.jpg")
    own.sql("CREATE ROLE heir LOGIN IN ROLE imgpress_user; GRANT USAGE ON SCHEMA catalogue TO heir")
    own.sql(f"ALTER TABLE {table.name} ADD writer name, OWNER TO heir")
    own.sql(
        "CREATE FUNCTION public.sign() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN new.writer := current_user; RETURN new; END $$"
    )
    own.sql(
        f"CREATE TRIGGER sign BEFORE UPDATE OF small ON {table.name} FOR EACH ROW "
        "EXECUTE FUNCTION public.sign()"
    )
    own.sql(f"UPDATE {table.name} SET url = %s", table.url("small2.jpg"))
    table.wait_shown(1, "small2.jpg")
    assert own.value(f"SELECT writer FROM {table.name}") == "heir"
    owner = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    assert own.value(owner, table.id) == "heir"


def test_extension_is_dropped_while_it_works(open_shop):
    with open_shop(gateway=False, name="undone") as shop:
        make_keeper(shop)
        table = KeptTable(shop, "p")
        fill(table, 200)
        wait_until(lambda: shop.value(f"SELECT count(small) FROM {table.name}") > 0, "some")
        shop.sql("SELECT imgpress.detach_all()")
        shop.sql("DROP EXTENSION imgpress CASCADE")
        wait_until(lambda: writers(shop) == [], "its process has gone", PROMPT)
        shop.origin.add("later.jpg", jpeg(seed=5))
        shop.sql("CREATE EXTENSION imgpress")
        again = KeptTable(shop, "q")
        again.insert(1, again.url("later.jpg"))
        again.wait_shown(1, "later.jpg", timeout=30)


def test_no_process_can_be_started(open_shop):
    """max_worker_processes leaves no place: imgpress.workers says so, and requests go on."""
    settings = {"max_worker_processes": "3", "imgpress.allowed_networks": "127.0.0.0/8"}
    with open_shop(settings=settings, gateway=False, preload=("imgpress",), name="noplace") as shop:
        make_keeper(shop)
        table = KeptTable(shop, "p")
        table.insert(1, table.url("small1.jpg"))
        reason = "SELECT reason FROM imgpress.workers"
        wait_until(
            lambda: "max_worker_processes" in (shop.value(reason) or ""), "the reason is told"
        )
        shop.finish(shop.submit("small2.jpg"))
        assert table.row(1) == (None, None)
