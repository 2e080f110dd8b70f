"""pg_dump takes attachments along; in the restored database they work again."""

import subprocess

import psycopg2
import pytest

from harness.attach.quiet_shop import QuietShop, quiet_shop
from harness.waiting import wait_until

TABLES = """
CREATE TABLE dropped_before (gone int, gone_too int, id int PRIMARY KEY, url text, small text);
ALTER TABLE dropped_before DROP COLUMN gone, DROP COLUMN gone_too;
CREATE TABLE "Split" (tenant text, id int, "the URL" text, small text, PRIMARY KEY (tenant, id))
    PARTITION BY LIST (tenant);
CREATE TABLE split_a PARTITION OF "Split" FOR VALUES IN ('a');
INSERT INTO dropped_before VALUES (1, 'a', 'made before');
INSERT INTO "Split" VALUES ('a', 1, 'u');
"""


@pytest.fixture(scope="module", name="shop")
def fixture_shop():
    with quiet_shop("attachdump") as made:
        made.sql(TABLES)
        yield made


@pytest.fixture(scope="module", name="attached")
def fixture_attached(shop):
    """The ids of two attachments; a column of the second was renamed since."""
    plain = shop.attach("dropped_before", more=", replicated => true")
    split = shop.attach('"Split"', ["tenant", "id"], "the URL")
    shop.sql('ALTER TABLE "Split" RENAME COLUMN small TO "Small One"')
    shop.root("SELECT imgpress_internal.attachment_columns(%s)", (split,))  # as the worker does
    shop.root(
        "INSERT INTO imgpress_internal.attached_rows (attachment_id, key, product_no, state) "
        "VALUES (%s, '1', 1, 'done')",
        (plain,),
    )
    shop.sql("INSERT INTO dropped_before VALUES (2, 'waits')")
    return plain, split


@pytest.fixture(name="copy")
def fixture_copy(shop, tmp_path):
    """Dumps the database, restores it as another one, and returns that."""

    def copy(*options, restore=("-e",)):
        environment = shop.cluster.environment()
        dump = tmp_path / "dump"
        subprocess.run(["pg_dump", "-Fc", *options, "-f", dump], env=environment, check=True)
        command = ["pg_restore", "-d", "copy", *restore, dump]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return QuietShop(shop.cluster, "copy")

    shop.cluster.query("CREATE DATABASE copy", database="postgres")
    yield copy
    shop.cluster.query("DROP DATABASE copy WITH (FORCE)", database="postgres")


@pytest.mark.parametrize("parallel", [(), ("-j", "3")], ids=["", "parallel"])
def test_a_whole_database(shop, attached, copy, parallel):
    plain, split = attached
    again = copy(restore=("-e", *parallel))
    assert again.keys() == ["2"], "restoring fires no trigger, and what waited still waits"
    rows = "SELECT key, product_no, state FROM imgpress_internal.attached_rows"
    assert again.root(rows) == [("1", 1, "done")]
    assert again.state(plain) == again.state(split) == ("active", None)
    again.sql("INSERT INTO shop.dropped_before VALUES (3, 'c')")
    again.sql("INSERT INTO shop.\"Split\" VALUES ('a', 2, 'c')")
    assert again.keys() == ["3", "{a,2}"], "also before the columns were looked up"
    names = "SELECT c.output_column, c.key_columns::text[] FROM imgpress_internal.attachment_columns(%s) c"
    assert again.root(names, (plain,)) == [("small", ["id"])]
    assert again.root(names, (split,)) == [("Small One", ["tenant", "id"])]
    again.root("SET session_replication_role = replica; INSERT INTO shop.dropped_before VALUES (4, 'd')")
    again.sql("ALTER TABLE shop.dropped_before RENAME COLUMN id TO no")
    again.sql("UPDATE shop.dropped_before SET url = 'e' WHERE no = 3")
    assert again.keys() == ["4", "3"]
    assert again.sql("SELECT imgpress.detach('shop.dropped_before')") == [(1,)]
    assert shop.state(plain) == ("active", None)


def test_a_dump_just_after_columns_were_renamed(shop, copy):
    """No process has noted the new names yet: the triggers of the restored table tell them."""
    shop.sql("CREATE TABLE renamed (gone int, a int, b int, url text, small text, PRIMARY KEY (b, a))")
    shop.sql("ALTER TABLE renamed DROP COLUMN gone")
    mine = shop.attach("renamed", ["b", "a"])
    for old, new in (("url", "b2"), ("a", "url"), ("b", "the first")):
        shop.sql(f'ALTER TABLE renamed RENAME COLUMN {old} TO "{new}"')
    again = copy()
    assert again.state(mine) == ("active", None)
    names = "SELECT c.url_column, c.key_columns::text[] FROM imgpress_internal.attachment_columns(%s) c"
    assert again.root(names, (mine,)) == [("b2", ["the first", "url"])]
    again.keys()
    again.sql("INSERT INTO shop.renamed VALUES (1, 2, 'c')")
    assert again.keys() == ["{2,1}"]
    shop.sql("SELECT imgpress.detach('renamed')")


def test_a_dump_of_the_table_alone(shop, attached, copy):
    """Its triggers name an attachment that this database has not: the error says what to do."""
    shop.cluster.query("CREATE EXTENSION imgpress", database="copy")
    shop.cluster.query("CREATE SCHEMA shop; GRANT ALL ON SCHEMA shop TO PUBLIC", database="copy")
    again = copy("-t", "shop.dropped_before")
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as refusal:
        again.sql("INSERT INTO shop.dropped_before VALUES (3, 'c')")
    assert "does not exist" in str(refusal.value)
    again.sql(refusal.value.diag.message_hint.split(": ", 1)[1])
    again.sql("INSERT INTO shop.dropped_before VALUES (3, 'c')")


def test_a_dropped_table_does_not_stop_a_restore(shop, attached, copy):
    shop.sql("CREATE TABLE brief (id int PRIMARY KEY, url text, small text)")
    mine = shop.attach("brief")
    shop.sql("DROP TABLE brief")
    again = copy()
    assert again.state(mine) == ("detached", "table shop.brief is gone")
    assert again.state(attached[0]) == ("active", None)
    again.root("SELECT imgpress.detach_all()")
    shop.sql("SELECT imgpress_internal.forget_attachment(%s)", (mine,), user="postgres")


def test_a_restored_database_goes_on(open_shop, tmp_path):
    """What had an output keeps it, under the same URL; what changes gets a new one."""
    with open_shop(gateway=False, name="restored") as shop:
        cluster = shop.cluster
        cluster.query("CREATE TABLE kept (id int PRIMARY KEY, url text, small text)")
        cluster.query("INSERT INTO kept VALUES (1, %s)", (shop.origin.url("small0.jpg"),))
        cluster.query("SELECT imgpress.attach('kept', 'id', 'url', 'small')")
        output = "SELECT small FROM kept WHERE id = %s"
        wait_until(lambda: cluster.scalar(output, (1,)), "an output before the dump")
        environment = cluster.environment()
        subprocess.run(["pg_dump", "-Fc", "-f", tmp_path / "dump"], env=environment, check=True)
        cluster.query("CREATE DATABASE copy", database="postgres")
        restore = ["pg_restore", "-e", "-d", "copy", tmp_path / "dump"]
        subprocess.run(restore, env=environment, check=True)
        cluster.configure({"imgpress.databases": "shop, copy"})
        url = shop.origin.url("small1.jpg")
        cluster.query("INSERT INTO kept VALUES (2, %s)", (url,), database="copy")
        wait_until(lambda: cluster.scalar(output, (2,), database="copy"), "an output in the copy")
        before, after = (cluster.scalar(output, (1,), database=name) for name in ("shop", "copy"))
        assert before == after
        rows = "SELECT done, waiting FROM imgpress.attachments"
        wait_until(lambda: cluster.query(rows, database="copy") == [(2, 0)], "both rows are done")
        assert cluster.query(rows) == [(1, 0)]
