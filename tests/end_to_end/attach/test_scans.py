"""Scans of an attached table: backfill, refresh, repair and clear, and what they find."""

import pytest

from harness.attach.kept_table import KEEPER, KeptTable, make_keeper
from harness.waiting import wait_until


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, name="scans") as shop:
        make_keeper(shop)
        yield shop


def fill(table, first, last, path="small1.jpg?"):
    table.owner(
        f"INSERT INTO {table.name} (id, url) SELECT n, %s || n FROM generate_series(%s, %s) n",
        table.url(path),
        first,
        last,
    )


def filled(own, name, rows, **options):
    """A table that has rows before it is attached."""
    table = KeptTable(own, name, attach=False)
    fill(table, 1, rows)
    table.attach(**options)
    return table


def shown(table):
    return table.shop.value(f"SELECT count(small) FROM {table.name}")


def silently(table, statement, *parameters):
    """Changes rows without any trigger, as a restore or a replica does."""
    with table.shop.cluster.session() as session:
        session.execute("SET session_replication_role = replica")
        session.execute(statement, parameters or None)


def test_backfill_in_portions(own):
    """More rows than a portion, keys that do not sort as their texts do, one row without a URL."""
    table = filled(own, "backfilled", 4500)
    table.insert(5000, None)
    table.wait_settled(timeout=120)
    assert shown(table) == 4500
    assert table.counts() == (4500, 4500, 4500)
    assert table.state()["scan_rows"] >= 4500
    assert table.row(5000) == (None, None)


def test_without_backfill_only_what_changes(own):
    table = filled(own, "unfilled", 3, backfill=False)
    table.change(2, table.url("small2.jpg"))
    table.wait_shown(2, "small2.jpg")
    table.wait_settled()
    assert shown(table) == 1


def test_repair_finds_what_no_trigger_saw(own):
    table = filled(own, "repaired", 5)
    table.wait_settled()
    silently(table, f"DELETE FROM {table.name} WHERE id IN (1, 5)")
    silently(table, f"UPDATE {table.name} SET url = %s WHERE id = 2", table.url("small2.jpg"))
    silently(table, f"UPDATE {table.name} SET url = NULL WHERE id = 3")
    silently(table, f"INSERT INTO {table.name} VALUES (9, %s)", table.url("small3.jpg"))
    table.owner("SELECT imgpress.reconcile(%s)", table.name)
    table.wait_shown(2, "small2.jpg")
    table.wait_shown(9, "small3.jpg")
    table.wait_settled()
    assert table.row(3) == (None, None)
    assert "small1_compressed" in table.row(4)[0]
    assert table.counts() == (4, 3, 3)


def test_truncate(own):
    table = filled(own, "truncated", 20)
    table.wait_settled()
    table.owner(f"TRUNCATE {table.name}")
    table.insert(1, table.url("small2.jpg"))
    table.wait_shown(1, "small2.jpg")
    wait_until(lambda: table.counts() == (1, 1, 1), "what belonged to the others is gone")
    table.wait_settled()


def test_a_key_that_becomes_an_equal_one(own):
    """Its row is known by the new text only: it is compressed and counted once."""
    table = KeptTable(own, "equal_keys", "id numeric PRIMARY KEY, url text, small text, err text")
    table.insert("1.00", table.url("small1.jpg"))
    table.wait_shown(1, "small1.jpg")
    table.wait_settled()
    table.owner(f"UPDATE {table.name} SET id = 1.0")
    rows = "SELECT array_agg(key) FROM imgpress_internal.attached_rows WHERE attachment_id = %s"
    wait_until(lambda: own.value(rows, table.id) == ["1.0"], "the former key is forgotten")
    table.wait_settled()
    assert table.counts() == (1, 1, 1)


def test_partition_that_is_attached(own):
    columns = "id int PRIMARY KEY, url text, small text, err text"
    table = KeptTable(own, "ranges", f"{columns}) PARTITION BY RANGE (id", attach=False)
    table.owner("CREATE TABLE catalogue.low PARTITION OF catalogue.ranges FOR VALUES FROM (0) TO (9)")
    table.attach()
    table.owner("CREATE TABLE catalogue.high (LIKE catalogue.ranges INCLUDING ALL)")
    table.owner("INSERT INTO catalogue.high VALUES (10, %s)", table.url("small1.jpg"))
    table.owner(
        "ALTER TABLE catalogue.ranges ATTACH PARTITION catalogue.high FOR VALUES FROM (9) TO (99)"
    )
    table.insert(1, table.url("small2.jpg"))  # wakes the process, which looks at the partitions
    table.wait_shown(1, "small2.jpg")
    table.wait_shown(10, "small1.jpg")


def test_scan_is_resumed_after_a_crash(own):
    """The server crashes while a backfill is under way: it goes on, nothing is done twice."""
    table = filled(own, "resumed", 5000)
    wait_until(lambda: shown(table) > 500, "the backfill is under way")
    own.cluster.kill()
    own.cluster.start()
    own.cluster.wait_ready()
    table.wait_settled(timeout=120)
    assert shown(table) == 5000
    assert table.counts() == (5000, 5000, 5000)
    wait_until(lambda: len(own.cluster.drainers()) == 1, "one worker")


def test_large_backlog_holds_the_scan_up(own):
    """A scan waits while many images wait, and goes on by itself."""
    table = filled(own, "held", 3, backfill=False)
    own.sql(
        "UPDATE imgpress.processing_requests SET image_count = image_count + 60000 WHERE id = %s",
        table.id,
    )
    table.owner("SELECT imgpress.reconcile(%s)", table.name)
    table.change(1, table.url("small2.jpg"))
    table.wait_shown(1, "small2.jpg")
    assert table.state()["scan"] == "repair" and shown(table) == 1
    own.sql(
        "UPDATE imgpress.processing_requests SET image_count = image_count - 60000 WHERE id = %s",
        table.id,
    )
    table.change(1, table.url("small3.jpg"))
    table.wait_settled()
    assert shown(table) == 3


def test_detach_clears_what_imgpress_wrote(own):
    """Also a row that is locked meanwhile; while a trigger waits for a lock, nothing happens."""
    table = filled(own, "cleared", 1200)
    table.wait_settled(timeout=60)
    table.owner(f"UPDATE {table.name} SET small = 'by hand' WHERE id = 7")
    table.owner(
        "CREATE FUNCTION catalogue.hold() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN new; END $$"
    )
    table.owner(
        f"CREATE TRIGGER hold BEFORE UPDATE ON {table.name} "
        "FOR EACH ROW EXECUTE FUNCTION catalogue.hold()"
    )
    with own.cluster.session(user=KEEPER, autocommit=False) as application:
        with own.cluster.session(user=KEEPER) as gate:
            gate.execute("SELECT pg_advisory_lock(7)")
            table.owner("SELECT imgpress.detach(%s, clear_outputs => true)", table.name)
            application.execute(f"SELECT FROM {table.name} WHERE id = 8 FOR UPDATE")
            assert shown(table) == 1200
        wait_until(lambda: shown(table) == 2, "all but one locked row and one of others")
        assert table.state() is not None
    wait_until(lambda: shown(table) == 1, "the locked one, too")
    wait_until(lambda: table.state() is None, "the attachment is forgotten")
    left = "SELECT count(*) FROM imgpress.outputs WHERE request_id = %s"
    assert own.value(left, table.id) == 0
    assert table.row(7)[0] == "by hand"


@pytest.mark.parametrize("rows", [20_000])
def test_scan_reads_by_the_index(own, rows):
    """No portion sorts or reads the whole table, although it was never analyzed."""
    table = KeptTable(own, "indexed", attach=False)
    table.owner(f"ALTER TABLE {table.name} SET (autovacuum_enabled = false)")
    table.owner(f"INSERT INTO {table.name} SELECT n, NULL FROM generate_series(1, {rows}) n")
    table.attach()
    table.wait_settled()
    counted = (
        "SELECT seq_scan, idx_scan, idx_tup_fetch FROM pg_stat_all_tables WHERE relid = %s::regclass"
    )
    before = own.sql(counted, table.name)[0]
    table.owner("SELECT imgpress.reconcile(%s)", table.name)
    table.wait_settled()

    def read_once():
        now = own.sql(counted, table.name)[0]
        return now[2] - before[2] >= rows and now

    sequential, scans, fetched = wait_until(read_once, "the statistics have arrived")
    assert sequential == before[0]
    assert fetched - before[2] <= rows + 10
    assert scans - before[1] <= rows / 10_000 + 2
