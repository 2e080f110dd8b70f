"""What becomes of an attachment when its table is changed, detached or dropped."""

import itertools

import psycopg2
import pytest

from harness.attach.quiet_shop import OWNER, quiet_shop

_names = (f"t{n}" for n in itertools.count(1))


@pytest.fixture(scope="module", name="shop")
def fixture_shop():
    with quiet_shop("ddl") as made:
        yield made


@pytest.fixture(name="table")
def fixture_table(shop):
    name = next(_names)
    shop.sql(f"CREATE TABLE {name} (id int PRIMARY KEY, url text, small text, why text, extra int)")
    shop.sql(f"INSERT INTO {name} VALUES (1, 'a')")
    yield name
    shop.keys()


def columns(shop, attachment):
    """What the process of the attachments reads."""
    row = shop.root(
        "SELECT c.relation::text, c.owner, c.key_columns::text[], c.url_column, c.output_column, "
        "c.error_column, c.state, c.reason, a.scan FROM imgpress_internal.attachment_columns(%s) c, "
        "imgpress_internal.attachments a WHERE a.id = %s",
        (attachment, attachment),
    )[0]
    names = ("relation", "owner", "key", "url", "output", "error", "state", "reason", "scan")
    return dict(zip(names, row))


def triggers(shop, table):
    return shop.root(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
        (f"shop.{table}",),
    )


def test_renamed_columns_are_followed(shop, table):
    mine = shop.attach(table, more=", 'why'")
    for old, new in (("id", "no"), ("url", "Photo URL"), ("small", "url"), ("why", "small")):
        shop.sql(f'ALTER TABLE {table} RENAME COLUMN {old} TO "{new}"')
    shop.sql(f"INSERT INTO {table} VALUES (2, 'b')")
    assert shop.keys() == ["2"]
    found = columns(shop, mine)
    names = [found[role] for role in ("key", "url", "output", "error")]
    assert names == [["no"], "Photo URL", "url", "small"]
    assert found["state"] == "active"
    stored = "SELECT url_column, output_column, error_column FROM imgpress_internal.attachments WHERE id = %s"
    assert shop.root(stored, (mine,)) == [("Photo URL", "url", "small")]


def test_a_renamed_table_and_schema_are_followed(shop, table):
    mine = shop.attach(table)
    shop.root(
        f"CREATE SCHEMA \"Other one\" AUTHORIZATION {OWNER}; ALTER TABLE shop.{table} RENAME TO \"T t\"; "
        'ALTER TABLE shop."T t" SET SCHEMA "Other one"; ALTER SCHEMA "Other one" RENAME TO other'
    )
    assert columns(shop, mine)["relation"] == 'other."T t"'
    shop.sql("INSERT INTO other.\"T t\" VALUES (2, 'b')")
    assert shop.keys() == ["2"]
    shop.sql('DROP TABLE other."T t"')
    assert shop.state(mine) == ("detached", 'table other."T t" is gone')


def test_added_and_dropped_columns_do_not_matter(shop, table):
    shop.sql(f"ALTER TABLE {table} DROP COLUMN extra, ADD COLUMN id2 int")
    mine = shop.attach(table)
    shop.sql(f"ALTER TABLE {table} DROP COLUMN id2, ADD COLUMN extra int DEFAULT 7")
    shop.sql(f"UPDATE {table} SET url = 'b'")
    assert (shop.keys(), shop.state(mine)) == (["1"], ("active", None))


@pytest.mark.parametrize("column", ["url", "id"])
def test_a_column_that_the_triggers_need(shop, table, column):
    mine = shop.attach(table)
    with pytest.raises(psycopg2.errors.DependentObjectsStillExist, match="imgpress_update_"):
        shop.sql(f"ALTER TABLE {table} DROP COLUMN {column}")
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match="used in a trigger"):
        shop.sql(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(99)")
    shop.sql(f"ALTER TABLE {table} DROP COLUMN {column} CASCADE")
    assert shop.state(mine) == ("detached", f'column "{column}" is gone')
    values = "small) VALUES ('x')" if column == "id" else "id) VALUES (2)"
    shop.sql(f"INSERT INTO {table} ({values}")  # the application goes on
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="is gone"):
        shop.sql(f"SELECT imgpress.reconcile('{table}')")


@pytest.mark.parametrize("column", ["small", "why"])
def test_a_column_that_is_written(shop, table, column):
    mine = shop.attach(table, more=", 'why'")
    shop.sql(f"ALTER TABLE {table} DROP COLUMN {column}")
    assert shop.state(mine) == ("detached", f'column "{column}" is gone')
    shop.sql(f"ALTER TABLE {table} ADD COLUMN {column} text")
    assert shop.state(mine)[0] == "detached", "another column of the same name is not the one"
    shop.sql(f"INSERT INTO {table} VALUES (2, 'b')")


def test_a_dropped_table(shop, table):
    mine = shop.attach(table)
    shop.sql(f"DROP TABLE {table}")
    assert shop.state(mine) == ("detached", f"table shop.{table} is gone")
    assert shop.sql("SELECT imgpress.detach_all()")[0][0] >= 1
    for where in ("imgpress_internal.attachments", "imgpress.processing_requests"):
        assert shop.root(f"SELECT FROM {where} WHERE id = %s", (mine,)) == []


def test_a_dropped_table_is_detached_by_its_oid(shop, table):
    mine = shop.attach(table)
    [(oid,)] = shop.sql(f"SELECT '{table}'::regclass::oid")
    shop.sql(f"DROP TABLE {table}")
    shop.sql(f"SELECT imgpress.detach('{oid}')")
    assert shop.root("SELECT FROM imgpress_internal.attachments WHERE id = %s", (mine,)) == []


def test_dropped_and_created_again(shop, table):
    mine = shop.attach(table)
    shop.sql(f"DROP TABLE {table}; CREATE TABLE {table} (id int PRIMARY KEY, url text, small text)")
    assert shop.state(mine)[0] == "detached"
    again = shop.attach(table)
    assert again != mine and shop.state(again) == ("active", None)


def test_truncated(shop, table):
    mine = shop.attach(table)
    shop.sql(f"TRUNCATE {table}; INSERT INTO {table} VALUES (1, 'z')")
    assert shop.keys(mine) == [None, "1"]


def test_a_new_owner(shop, table):
    shop.root("CREATE ROLE heir LOGIN IN ROLE imgpress_user; GRANT USAGE ON SCHEMA shop TO heir")
    mine = shop.attach(table)
    shop.root(f"ALTER TABLE shop.{table} OWNER TO heir")
    assert columns(shop, mine)["owner"] == "heir"
    owner = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    assert shop.root(owner, (mine,)) == [("heir",)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        shop.sql(f"SELECT imgpress.detach('{table}')")
    assert shop.sql(f"SELECT imgpress.pause('shop.{table}')", user="heir") == [(1,)]
    assert shop.sql("SELECT state FROM imgpress.attachments", user="heir") == [("paused",)]


def test_partitions_that_come_and_go_make_a_scan_due(shop):
    shop.sql(
        "CREATE TABLE parts (id int PRIMARY KEY, url text, small text) PARTITION BY RANGE (id); "
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); "
        "CREATE TABLE parts_2 (LIKE parts INCLUDING ALL)"
    )
    mine = shop.attach("parts", more=", backfill => false")
    assert columns(shop, mine)["scan"] is None
    shop.sql("ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (100) TO (200)")
    columns(shop, mine)
    assert columns(shop, mine)["scan"] == "repair"
    shop.root("UPDATE imgpress_internal.attachments SET scan = NULL")
    columns(shop, mine)
    assert columns(shop, mine)["scan"] is None
    shop.sql("ALTER TABLE parts DETACH PARTITION parts_1")
    columns(shop, mine)
    assert columns(shop, mine)["scan"] == "repair"
    assert triggers(shop, "parts_1") == [] and len(triggers(shop, "parts_2")) == 3
    with pytest.raises(psycopg2.errors.DuplicateObject, match="of shop.parts is the output"):
        shop.attach("parts_2")
    shop.sql("SELECT imgpress.detach('parts')")
    assert triggers(shop, "parts_2") == triggers(shop, "parts") == []


def test_a_partition_that_is_truncated_makes_a_scan_due(shop):
    """It fires no trigger. Without a scan its rows would be taken for present for ever."""
    shop.sql(
        "CREATE TABLE years (id int PRIMARY KEY, url text, small text) PARTITION BY RANGE (id); "
        "CREATE TABLE years_1 PARTITION OF years FOR VALUES FROM (0) TO (100); "
        "CREATE TABLE years_2 PARTITION OF years FOR VALUES FROM (100) TO (200); "
        "INSERT INTO years VALUES (1, 'u'), (101, 'u')"
    )
    mine = shop.attach("years", more=", backfill => false")
    shop.sql("INSERT INTO years VALUES (2, 'u'); UPDATE years SET url = 'v'; DELETE FROM years_1")
    columns(shop, mine)
    assert columns(shop, mine)["scan"] is None, "these rows have fired triggers"
    shop.sql("TRUNCATE years_2")
    columns(shop, mine)
    assert columns(shop, mine)["scan"] == "repair"
    shop.root("UPDATE imgpress_internal.attachments SET scan = NULL")
    columns(shop, mine)
    assert columns(shop, mine)["scan"] is None
    shop.sql("SELECT imgpress.detach('years'); DROP TABLE years")


def test_disabled_triggers(shop, table):
    mine = shop.attach(table)
    shop.sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    state, reason = shop.state(mine)
    assert state == "active" and "disabled" in reason and "reconcile()" in reason
    shop.sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    assert shop.state(mine) == ("active", None)


@pytest.mark.parametrize("kind", ["INSERT", "UPDATE", "DELETE"])
def test_a_dropped_trigger(shop, table, kind):
    mine = shop.attach(table)
    shop.sql(f"DROP TRIGGER imgpress_{kind.lower()}_{mine[:8]} ON {table}")
    assert shop.state(mine) == ("detached", f"its trigger for {kind} is gone")
    assert shop.attach(table) == mine, "attach() creates them again"
    assert shop.state(mine) == ("active", None) and len(triggers(shop, table)) == 4


def test_attached_again(shop, table):
    """The output URLs contain the id, so it stays the same."""
    mine = shop.attach(table, more=", backfill => false")
    assert shop.sql(f"SELECT imgpress.detach('{table}')") == [(1,)]
    assert triggers(shop, table) == []
    assert shop.state(mine) == ("detached", "imgpress.detach() was called")
    shop.sql(f"INSERT INTO {table} VALUES (2, 'b')")
    assert shop.keys() == []
    assert shop.attach(table) == mine and columns(shop, mine)["scan"] == "backfill"
    shop.sql(f"SELECT imgpress.detach('{table}')")
    assert columns(shop, mine)["scan"] is None
    assert shop.attach(table, more=", quality => 33") == mine
    assert columns(shop, mine)["scan"] == "refresh", "with other options all pictures are made anew"
    shop.sql(f"SELECT imgpress.detach('{table}')")
    shop.sql(f"ALTER TABLE {table} ADD COLUMN no serial UNIQUE")
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="another key") as refusal:
        shop.attach(table, key="no")
    assert "clear_outputs" in refusal.value.diag.message_hint


def test_clearing(shop, table):
    mine = shop.attach(table)
    shop.sql(f"SELECT imgpress.detach('{table}', clear_outputs => true)")
    assert columns(shop, mine)["scan"] == "clear"
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="are being cleared"):
        shop.attach(table)
    shop.sql(f"SELECT imgpress.detach('{table}')")  # does not call it off
    assert columns(shop, mine)["scan"] == "clear"
    shop.root("SELECT imgpress_internal.forget_attachment(%s)", (mine,))
    assert shop.attach(table) != mine


def test_steering(shop, table):
    mine = shop.attach(table, more=", backfill => false")
    assert shop.sql(f"SELECT imgpress.pause('{table}')") == [(1,)]
    assert shop.sql(f"SELECT imgpress.pause('{table}')") == [(0,)]
    assert shop.state(mine) == ("paused", f"{OWNER} called imgpress.pause()")
    shop.sql(f"UPDATE {table} SET url = 'b'")
    assert shop.keys() == ["1"], "changes are noted meanwhile"
    assert shop.sql(f"SELECT imgpress.resume('{table}')") == [(1,)]
    assert shop.sql(f"SELECT imgpress.resume('{table}')") == [(0,)]
    assert shop.sql(f"SELECT imgpress.reconcile('{table}', refresh => true)") == [(1,)]
    shop.sql(f"SELECT imgpress.reconcile('{table}')")
    assert columns(shop, mine)["scan"] == "refresh", "a repair is a part of it"
    for call in ("detach", "pause", "resume", "reconcile"):
        shop.cluster.refused("P0002", f"SELECT imgpress.{call}('pg_class')", user=OWNER)


def test_it_gives_up_where_somebody_holds_the_table(shop, table):
    with shop.session(autocommit=False) as writer:
        writer.execute(f"UPDATE {table} SET extra = 1")
        with pytest.raises(psycopg2.errors.LockNotAvailable) as refusal:
            shop.attach(table)
        assert "two seconds" in refusal.value.diag.context
    assert shop.root("SELECT FROM imgpress_internal.attachments WHERE table_name = %s", (f"shop.{table}",)) == []


def test_detach_gives_up_as_well(shop, table):
    """Whoever comes after a session that waits for the table's lock waits, too."""
    mine = shop.attach(table)
    with shop.session(autocommit=False) as reader:
        reader.execute(f"SELECT FROM {table}")
        for call in (f"detach('{table}')", "detach_all()"):
            with pytest.raises(psycopg2.errors.LockNotAvailable) as refusal:
                shop.sql(f"SELECT imgpress.{call}")
            assert "two seconds" in refusal.value.diag.context
    assert shop.state(mine) == ("active", None) and len(triggers(shop, table)) == 4


def test_forced_row_security(shop, table):
    """A row that the owner does not see would be taken for one that is gone."""
    mine = shop.attach(table)
    shop.sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    assert shop.state(mine) == ("active", None)
    shop.sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    assert shop.state(mine)[0] == "paused" and "row security" in shop.state(mine)[1]
    workable = "SELECT imgpress_internal.workable_attachments('infinity')"
    assert (mine,) not in shop.root(workable), "the process does not read it"
    shop.sql(f"SELECT imgpress.detach('{table}'); CREATE POLICY part ON {table} USING (id > 1)")
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as refusal:
        shop.attach(table)
    assert f"TO {OWNER} USING (true)" in refusal.value.diag.message_hint
    shop.sql(f"CREATE POLICY owner ON {table} TO {OWNER} USING (true)")
    assert shop.attach(table) == mine and shop.state(mine) == ("active", None)
    assert (mine,) in shop.root(workable)
    shop.sql(f"CREATE POLICY less ON {table} AS RESTRICTIVE USING (id > 1)")
    assert shop.state(mine)[0] == "paused"


def test_policies_are_looked_at_without_a_lock(shop, table):
    """A migration that holds the table, or one that its policy asks, does not hold up the work on
    other tables."""
    shop.sql(f"CREATE TABLE {table}_allowed (id int)")
    mine = shop.attach(table)
    shop.sql(
        f"CREATE POLICY allowed ON {table} USING (EXISTS (SELECT FROM {table}_allowed)); "
        f"CREATE POLICY own ON {table} TO {OWNER} USING (id > 0); "
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    with shop.session(autocommit=False) as migration:
        migration.execute(f"LOCK TABLE {table}, {table}_allowed")
        with shop.session(user="postgres") as session:
            session.execute("SET lock_timeout = '1ms'")
            session.execute("SELECT FROM imgpress.attachments")
            session.execute("SELECT imgpress_internal.look_after_attachments()")
            session.execute("SELECT state FROM imgpress.attachments WHERE request_id = %s", (mine,))
            assert session.fetchall() == [("paused",)]


def test_its_request_cannot_be_cancelled(shop, table):
    mine = shop.attach(table)
    refusal = shop.cluster.refused("55000", f"SELECT imgpress.cancel('{mine}')", user=OWNER)
    assert "pause()" in refusal.diag.message_hint
    assert shop.root("SELECT imgpress.retry_failed(), (imgpress.purge('0')).requests") == [(0, 0)]
    assert shop.state(mine) == ("active", None)


def test_two_at_once(shop, table):
    attach = f"SELECT imgpress.attach('{table}', 'id', 'url', 'small')"
    with shop.session(autocommit=False) as first:
        first.execute(attach)
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            shop.sql(attach)
        first.connection.commit()
    with pytest.raises(psycopg2.errors.DuplicateObject):
        shop.sql(attach)


def test_drop_extension(shop, table):
    shop.attach(table)
    with pytest.raises(psycopg2.errors.DependentObjectsStillExist) as refusal:
        shop.root("DROP EXTENSION imgpress")
    assert "imgpress.attachment_trigger()" in refusal.value.diag.message_detail
    with shop.session(user="postgres", autocommit=False) as session:
        session.execute("SELECT imgpress.detach_all(); DROP EXTENSION imgpress")
        session.execute(f"INSERT INTO shop.{table} VALUES (2, 'b')")
        session.connection.rollback()
    with shop.session(user="postgres", autocommit=False) as session:
        session.execute("DROP EXTENSION imgpress CASCADE")
        session.execute(f"INSERT INTO shop.{table} VALUES (2, 'b')")
        session.connection.rollback()
    shop.sql(f"INSERT INTO {table} VALUES (2, 'b')")
    assert shop.keys() == ["2"]


def test_publications(shop):
    shop.root("CREATE PUBLICATION everything FOR ALL TABLES")
    try:
        shop.sql("CREATE TABLE sent (id int NOT NULL UNIQUE, url text, small text)")
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as refusal:
            shop.attach("sent")
        assert "ALTER TABLE shop.sent REPLICA IDENTITY" in refusal.value.diag.message_hint
        shop.sql("ALTER TABLE sent REPLICA IDENTITY USING INDEX sent_id_key")
        shop.attach("sent")
        shop.sql(
            "CREATE TABLE split (id int NOT NULL, url text, small text, UNIQUE (id)) "
            "PARTITION BY RANGE (id); "
            "CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (9)"
        )
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="split_1 is published"):
            shop.attach("split")
        shop.sql("ALTER TABLE split_1 REPLICA IDENTITY FULL")
        shop.attach("split")
    finally:
        shop.root("DROP PUBLICATION everything")
