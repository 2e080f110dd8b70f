"""Which rows the triggers of an attached table note, and how their keys are written."""

import psycopg2
import pytest

from harness.attach.quiet_shop import OWNER, quiet_shop

@pytest.fixture(scope="module", name="shop")
def fixture_shop():
    with quiet_shop("triggers") as made:
        made.sql("CREATE TABLE p (id int PRIMARY KEY, url text, small text, stock int DEFAULT 0)")
        made.attach("p")
        yield made


@pytest.fixture(autouse=True)
def _rows(shop):
    """Rows 1 to 3, of which the third has no URL."""
    shop.sql("DELETE FROM p; INSERT INTO p VALUES (1, 'a'), (2, 'b'), (3, NULL)")
    shop.keys()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("INSERT INTO p VALUES (4, 'x'), (5, 'y')", ["4", "5"]),
        ("INSERT INTO p VALUES (4, NULL)", []),
        ("UPDATE p SET url = url || '?'", ["1", "2"]),
        ("UPDATE p SET url = url", []),
        ("UPDATE p SET stock = stock + 1, small = 'z'", []),
        ("UPDATE p SET url = NULL WHERE id = 1", ["1"]),
        ("UPDATE p SET url = 'c' WHERE id = 3", ["3"]),
        ("UPDATE p SET id = 10 WHERE id = 1", ["1", "10"]),
        ("UPDATE p SET id = 30 WHERE id = 3", ["3", "30"]),
        ("DELETE FROM p", ["1", "2"]),
        ("TRUNCATE p", [None]),
        ("INSERT INTO p VALUES (1, 'c') ON CONFLICT DO NOTHING", []),
        ("INSERT INTO p VALUES (1, 'c') ON CONFLICT (id) DO UPDATE SET url = excluded.url", ["1"]),
        ("INSERT INTO p VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET url = excluded.url", []),
        (
            "MERGE INTO p USING (VALUES (1, 'c'), (2, 'b'), (9, 'z')) n (id, url) ON n.id = p.id "
            "WHEN MATCHED THEN UPDATE SET url = n.url "
            "WHEN NOT MATCHED THEN INSERT (id, url) VALUES (n.id, n.url)",
            ["1", "9"],
        ),
        ("WITH w AS (UPDATE p SET url = 'c' WHERE id = 2 RETURNING id) SELECT * FROM w", ["2"]),
    ],
)
def test_statements(shop, statement, expected):
    shop.sql(statement)
    assert sorted(shop.keys(), key=str) == sorted(expected, key=str)


def test_copy(shop):
    shop.cluster.psql(
        "-c", "\\copy shop.p (id, url) FROM stdin", stdin="7\tx\n8\t\\N\n9\ty\n", database="shop"
    )
    assert shop.keys() == ["7", "9"]


def test_a_trigger_of_the_user_sets_the_url(shop):
    shop.sql(
        "CREATE FUNCTION link() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "NEW.url := 'http://images.test/' || NEW.stock; RETURN NEW; END $$; "
        "CREATE TRIGGER link BEFORE INSERT OR UPDATE ON p FOR EACH ROW EXECUTE FUNCTION link()"
    )
    try:
        shop.sql("UPDATE p SET stock = 5 WHERE id = 3; INSERT INTO p (id, stock) VALUES (4, 1)")
        assert shop.keys() == ["3", "4"]
        shop.sql("UPDATE p SET small = 'z' WHERE id = 4")
        assert shop.keys() == []
    finally:
        shop.sql("DROP TRIGGER link ON p; DROP FUNCTION link()")


def test_a_generated_url(shop):
    shop.sql(
        "CREATE TABLE made (id int PRIMARY KEY, name text, small text, "
        "url text GENERATED ALWAYS AS ('http://images.test/' || name) STORED)"
    )
    shop.attach("made")
    shop.sql("INSERT INTO made (id, name) VALUES (1, 'a'), (2, NULL)")
    assert shop.keys() == ["1"]
    shop.sql("UPDATE made SET name = 'b'")
    assert shop.keys() == ["1", "2"]


def test_lists_and_json(shop):
    shop.sql(
        "CREATE TABLE lists (id int PRIMARY KEY, url text[], small text[], gallery jsonb, "
        "smalls jsonb); INSERT INTO lists VALUES (1, '{a}', NULL, '[\"a\"]')"
    )
    of_url = shop.attach("lists")
    of_gallery = shop.attach("lists", url="gallery", output="smalls")
    shop.sql("UPDATE lists SET url = url || '{b}'::text[]")
    assert (shop.keys(of_url), shop.keys(of_gallery)) == (["1"], [])
    shop.sql("UPDATE lists SET gallery = gallery || '[\"b\"]'")
    assert (shop.keys(of_url), shop.keys(of_gallery)) == ([], ["1"])
    shop.sql("UPDATE lists SET url = url, gallery = ' [ \"a\" , \"b\" ] '")
    assert shop.keys() == []


def test_keys_do_not_depend_on_settings(shop):
    """Each key is written in the same way, whatever the session has set, and can be read back."""
    shop.sql("CREATE TYPE size AS ENUM ('small', 'LARGE one')")
    shop.sql("CREATE DOMAIN code AS text CHECK (value <> '')")
    shop.sql(
        'CREATE TABLE odd ("Id" uuid, at timestamptz, day date, span interval, raw bytea, size size, '
        'code code, weight float8, price numeric, list int[], url text, small text, '
        'PRIMARY KEY ("Id", at, day, span, raw, size, code, weight, price, list))'
    )
    columns = ["Id", "at", "day", "span", "raw", "size", "code", "weight", "price", "list"]
    shop.attach("odd", columns)
    row = (
        "'{id}', '2026-03-04 05:06:07.89+02', '2026-03-04', '1 year 2 days 03:04', '\\x00ff', "
        "'LARGE one', 'a\"b,{{c}}\\d', 0.1::float8 + 0.2, 1.50, '{{1,NULL}}', 'u'"
    )
    settings = (
        "SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'; "
        "SET extra_float_digits = -15; SET TimeZone = 'Asia/Kathmandu'; "
    )
    ids = [f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2)]
    shop.sql(f"INSERT INTO odd VALUES ({row.format(id=ids[0])})")
    with shop.session() as session:
        session.execute(settings + f"INSERT INTO odd VALUES ({row.format(id=ids[1])})")
        session.execute("SHOW DateStyle")
        assert session.fetchone() == ("German, DMY",), "the session's settings are as before"
        session.execute("SELECT now()::text, '\\x00ff'::bytea::text")
        assert session.fetchone()[1] == "\\000\\377"
    plain, odd = shop.keys()
    assert odd == plain.replace(ids[0], ids[1])
    elements = shop.sql("SELECT %s::text[]", (plain,))[0][0]
    assert elements == [
        ids[0],
        "2026-03-04 03:06:07.89+00",
        "2026-03-04",
        "1 year 2 days 03:04:00",
        "\\x00ff",
        "LARGE one",
        'a"b,{c}\\d',
        "0.30000000000000004",
        "1.50",
        "{1,NULL}",
    ]
    shop.sql("UPDATE odd SET price = 1.5")  # an equal number, but another text
    assert len(shop.keys()) == 4, "old and new key of both rows"


@pytest.mark.parametrize(
    ("type_name", "value", "other"),
    [
        ("name", "a", "b"),
        ('"char"', "a", "b"),
        ("char(5)", "a", "b"),
        ("inet", "10.0.0.1", "10.0.0.2"),
        ("int4range", "[1,3)", "[2,3)"),
        ("bool", "true", "false"),
        ("timetz", "05:06:07+02", "05:06:07+03"),
        ("jsonb", '{"a": 1}', '{"a": 2}'),
        ("uuid[]", "{}", "{00000000-0000-0000-0000-000000000000}"),
        ("shop.pair", "(1,a)", "(1,b)"),
    ],
)
def test_types_of_keys(shop, type_name, value, other):
    if type_name == "shop.pair":
        shop.sql("CREATE TYPE shop.pair AS (a int, b text)")
    shop.sql(f"CREATE TABLE typed (id {type_name} PRIMARY KEY, url text, small text)")
    shop.attach("typed")
    shop.sql(f"INSERT INTO typed VALUES (%s::{type_name}, 'u')", (value,))
    shop.sql(f"UPDATE typed SET id = %s::{type_name}", (other,))
    written = f"SELECT format('%%s', %s::{type_name})"  # by the type's output function
    texts = [shop.sql(written, (it,))[0][0] for it in (value, value, other)]
    assert shop.keys() == texts
    shop.sql("DROP TABLE typed")


def test_types_that_call_different_texts_equal(shop):
    shop.root("CREATE EXTENSION citext")
    shop.sql("CREATE TABLE folded (id citext PRIMARY KEY, url text, small text)")
    shop.attach("folded")
    shop.sql("INSERT INTO folded VALUES ('a', 'u')")
    shop.sql("UPDATE folded SET id = 'A'")
    assert shop.keys() == ["a", "a", "A"]
    shop.root(
        "CREATE COLLATION public.nocase (provider = icu, locale = 'und-u-ks-level2', "
        "deterministic = false)"
    )
    shop.sql("CREATE TABLE nocase (id int PRIMARY KEY, url text COLLATE nocase, small text)")
    shop.attach("nocase")
    shop.sql("INSERT INTO nocase VALUES (1, 'u'); UPDATE nocase SET url = 'U'")
    assert shop.keys() == ["1", "1"]


def test_savepoints(shop):
    with shop.session(autocommit=False) as session:
        session.execute("INSERT INTO p VALUES (10, 'x'); SAVEPOINT a; INSERT INTO p VALUES (11, 'x')")
        session.execute("SAVEPOINT b; INSERT INTO p VALUES (12, 'x'); ROLLBACK TO b")
        session.execute("SAVEPOINT c; INSERT INTO p VALUES (13, 'x'); RELEASE c; RELEASE a")
        session.execute("SAVEPOINT d; SAVEPOINT e; INSERT INTO p VALUES (14, 'x'); RELEASE e")
        session.execute("ROLLBACK TO d; INSERT INTO p VALUES (15, 'x')")
        session.connection.commit()
    assert shop.keys() == ["10", "11", "13", "15"]


def test_exception_blocks(shop):
    shop.sql(
        "DO $$ BEGIN FOR n IN 100..400 LOOP BEGIN INSERT INTO p VALUES (n, 'x'); "
        "IF n % 3 = 0 THEN RAISE division_by_zero; END IF; "
        "EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$"
    )
    assert shop.keys() == [str(n) for n in range(100, 401) if n % 3]


def test_portions(shop):
    """10,000 keys are written at once, and what a savepoint has written goes with it."""
    shop.sql("INSERT INTO p SELECT n, 'x' FROM generate_series(1001, 26000) n")
    sizes = "SELECT cardinality(keys) FROM imgpress_internal.attached_keys ORDER BY 1"
    assert shop.root(sizes) == [(5000,), (10000,), (10000,)]
    assert len(set(shop.keys())) == 25000
    with shop.session(autocommit=False) as session:
        session.execute("UPDATE p SET url = 'y' WHERE id BETWEEN 1001 AND 10999")
        session.execute("SAVEPOINT a; UPDATE p SET url = 'z' WHERE id > 11000")
        session.execute("ROLLBACK TO a; UPDATE p SET url = 'z' WHERE id = 11000; COMMIT")
    assert sorted(map(int, shop.keys())) == list(range(1001, 11001))


def test_long_keys(shop):
    """A portion is bounded by its bytes as well."""
    shop.sql("CREATE TABLE long (id text PRIMARY KEY, url text, small text)")
    shop.attach("long")
    shop.sql("INSERT INTO long SELECT n || repeat('ä', 1200), 'u' FROM generate_series(1, 2000) n")
    largest = "SELECT max(octet_length(keys::text)) < 1100000, count(*) FROM imgpress_internal.attached_keys"
    assert shop.root(largest) == [(True, 5)]
    assert shop.keys() == [f"{n}{'ä' * 1200}" for n in range(1, 2001)]


def test_rollback(shop):
    with shop.session(autocommit=False) as session:
        session.execute("UPDATE p SET url = 'z'")
        session.connection.rollback()
        session.execute("UPDATE p SET url = 'y' WHERE id = 1")
        session.connection.commit()
    assert shop.keys() == ["1"]


def test_prepared_transactions(shop):
    for row, name in ((1, "kept"), (2, "dropped")):
        with shop.session() as session:
            session.execute(f"BEGIN; UPDATE p SET url = '{name}' WHERE id = {row}")
            session.execute(f"PREPARE TRANSACTION '{name}'")
    before = shop.keys()
    shop.sql("COMMIT PREPARED 'kept'")
    shop.sql("ROLLBACK PREPARED 'dropped'")
    assert (before, shop.keys()) == ([], ["1"])


def test_rows_that_a_deferred_trigger_writes_at_commit(shop):
    shop.sql(
        "CREATE TABLE log (id int PRIMARY KEY); "
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO p VALUES (NEW.id, 'late'); RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION late()"
    )
    shop.sql("INSERT INTO log VALUES (77)")
    assert shop.keys() == ["77"]


def test_a_snapshot_from_before_the_table_was_attached(shop):
    shop.sql("CREATE TABLE fresh (id int PRIMARY KEY, url text, small text)")
    with shop.session(autocommit=False) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        shop.attach("fresh")
        session.execute("INSERT INTO fresh VALUES (1, 'u')")
        session.connection.commit()
    assert shop.keys() == ["1"]


def test_attached_and_detached_in_the_same_transaction(shop):
    shop.sql("CREATE TABLE brief (id int PRIMARY KEY, url text, small text)")
    attach = "SELECT imgpress.attach('brief', 'id', 'url', 'small')"
    with shop.session(autocommit=False) as session:
        session.execute(f"SAVEPOINT a; {attach}; INSERT INTO brief VALUES (1, 'u'); ROLLBACK TO a")
        session.execute(f"INSERT INTO brief VALUES (2, 'u'); {attach}")
        session.execute("INSERT INTO brief VALUES (3, 'u'); SELECT imgpress.detach('brief')")
        session.execute("INSERT INTO brief VALUES (4, 'u')")
        session.connection.commit()
    assert shop.keys() == ["3"]


def test_whoever_may_write_the_table_can(shop):
    """Also without any right on imgpress, and in the maintenance of a foreign key."""
    shop.root("CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA shop TO clerk")
    shop.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON p TO clerk")
    shop.sql("INSERT INTO shop.p VALUES (5, 'x')", user="clerk")
    shop.sql("CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1)")
    shop.sql(
        "CREATE TABLE children (id int PRIMARY KEY REFERENCES parents ON UPDATE CASCADE "
        "ON DELETE CASCADE, url text, small text); INSERT INTO children VALUES (1, 'u')"
    )
    shop.attach("children")
    shop.sql("UPDATE parents SET id = 2")
    shop.sql("DELETE FROM parents")
    assert shop.keys() == ["5", "1", "2", "2"]


def test_writers_do_not_wait_for_each_other(shop):
    with shop.session(autocommit=False) as one, shop.session(autocommit=False) as other:
        one.execute("UPDATE p SET url = 'x' WHERE id = 1; SET lock_timeout = '1ms'")
        other.execute("UPDATE p SET url = 'x' WHERE id = 2; SET lock_timeout = '1ms'")
        other.connection.commit()
        one.connection.commit()
    assert sorted(shop.keys()) == ["1", "2"]


def test_replica_role(shop):
    """A session that applies changes of elsewhere: only where the attachment is for that, too."""
    shop.sql("CREATE TABLE twice (id int PRIMARY KEY, url text, small text, other text)")
    plain = shop.attach("twice")
    always = shop.attach("twice", output="other", more=", replicated => true")
    shop.root("SET session_replication_role = replica; INSERT INTO shop.twice VALUES (1, 'u')")
    assert (shop.keys(plain), shop.keys(always)) == ([], ["1"])


def test_partitions(shop):
    shop.sql(
        "CREATE TABLE parts (region text, id int, url text, small text, PRIMARY KEY (region, id)) "
        "PARTITION BY LIST (region); "
        "CREATE TABLE north PARTITION OF parts FOR VALUES IN ('n') PARTITION BY RANGE (id); "
        "CREATE TABLE north_1 PARTITION OF north FOR VALUES FROM (0) TO (100)"
    )
    attachment = shop.attach("parts", ["region", "id"])
    # Its columns have other numbers than those of the whole.
    shop.sql(
        "CREATE TABLE south (gone int, small text, url text, id int NOT NULL, region text NOT NULL); "
        "ALTER TABLE south DROP COLUMN gone; INSERT INTO south VALUES (NULL, 'u', 7, 's'); "
        "ALTER TABLE parts ATTACH PARTITION south FOR VALUES IN ('s')"
    )
    assert shop.keys() == [], "rows of a partition that is attached fire no trigger"
    shop.sql("INSERT INTO parts VALUES ('n', 1, 'u'), ('s', 2, 'u')")
    shop.sql("INSERT INTO north_1 VALUES ('n', 3, 'u'); INSERT INTO south VALUES (NULL, 'u', 4, 's')")
    assert shop.keys() == ["{n,1}", "{s,2}", "{n,3}", "{s,4}"]
    shop.sql("UPDATE parts SET region = 's' WHERE id = 1")
    assert sorted(shop.keys()) == ["{n,1}", "{s,1}"]
    shop.sql("CREATE TABLE west PARTITION OF parts FOR VALUES IN ('w')")
    shop.sql("INSERT INTO west VALUES ('w', 5, 'u')")
    assert shop.keys() == ["{w,5}"]
    shop.sql("ALTER TABLE parts DETACH PARTITION west; INSERT INTO west VALUES ('w', 6, 'u')")
    assert shop.keys() == [], "a former partition is no part any more"
    assert shop.state(attachment) == ("active", None)


def test_many_partitions_in_one_statement(shop):
    shop.sql("CREATE TABLE many (id int PRIMARY KEY, url text, small text) PARTITION BY HASH (id)")
    for n in range(40):
        shop.sql(f"CREATE TABLE m{n} PARTITION OF many FOR VALUES WITH (MODULUS 40, REMAINDER {n})")
    shop.attach("many")
    shop.sql("INSERT INTO many SELECT n, 'u' FROM generate_series(1, 2000) n")
    assert sorted(map(int, shop.keys())) == list(range(1, 2001))


FORGED = """
CREATE TABLE forged (id int PRIMARY KEY, url text, small text);
CREATE TRIGGER forged {when} ON forged {level} EXECUTE FUNCTION imgpress.attachment_trigger({arguments})
"""


@pytest.mark.parametrize(
    ("when", "level", "arguments", "sqlstate", "message"),
    [
        ("AFTER INSERT", "FOR EACH ROW", "'{id}'", "55000", "an attachment of another table"),
        ("AFTER TRUNCATE", "FOR EACH STATEMENT", "'{id}'", "55000", "of another table"),
        ("AFTER INSERT", "FOR EACH ROW", "'{nobody}'", "55000", "does not exist"),
        ("AFTER INSERT", "FOR EACH ROW", "'no uuid'", "22P02", "uuid"),
        ("AFTER INSERT", "FOR EACH ROW", "''", "22P02", "uuid"),
        ("AFTER INSERT", "FOR EACH ROW", "", "39P01", "imgpress.attach"),
        ("AFTER INSERT", "FOR EACH ROW", "'{id}', '{id}'", "39P01", "imgpress.attach"),
        ("BEFORE INSERT", "FOR EACH ROW", "'{id}'", "39P01", "imgpress.attach"),
        ("AFTER INSERT", "FOR EACH STATEMENT", "'{id}'", "39P01", "imgpress.attach"),
    ],
)
def test_forged_arguments(shop, when, level, arguments, sqlstate, message):
    """Whoever owns a table may put the trigger on it, with any arguments."""
    [(mine,)] = shop.root("SELECT request_id FROM imgpress.attachments WHERE relation = 'shop.p'::regclass")
    arguments = arguments.format(id=mine, nobody="00000000-0000-0000-0000-000000000000")
    shop.sql(FORGED.format(when=when, level=level, arguments=arguments))
    try:
        with pytest.raises(psycopg2.Error) as refusal:
            shop.sql("INSERT INTO forged VALUES (1, 'u'); TRUNCATE forged")
        assert refusal.value.pgcode == sqlstate and message in str(refusal.value)
        assert refusal.value.diag.message_hint or sqlstate == "22P02"
        assert shop.keys() == []
        shop.sql("DROP TRIGGER forged ON forged; INSERT INTO forged VALUES (1, 'u')")
    finally:
        shop.sql("DROP TABLE forged")


def test_a_trigger_that_gets_other_arguments_in_the_same_transaction(shop):
    shop.sql("CREATE TABLE turned (id int PRIMARY KEY, url text, small text)")
    mine = shop.attach("turned")
    [(other,)] = shop.root("SELECT request_id FROM imgpress.attachments WHERE relation = 'shop.p'::regclass")
    with shop.session(autocommit=False) as session:
        session.execute("INSERT INTO turned VALUES (1, 'u')")
        session.execute(
            f"CREATE OR REPLACE TRIGGER imgpress_insert_{mine[:8]} AFTER INSERT ON turned "
            f"FOR EACH ROW EXECUTE FUNCTION imgpress.attachment_trigger('{other}')"
        )
        with pytest.raises(psycopg2.Error, match="an attachment of another table"):
            session.execute("INSERT INTO turned VALUES (2, 'u')")
    assert shop.keys() == []


def test_called_as_a_function(shop):
    shop.cluster.refused("39P01", "SELECT imgpress.attachment_trigger()", user=OWNER)


def test_a_lost_connection_loses_nothing_of_others(shop):
    with shop.session(autocommit=False) as session:
        session.execute("UPDATE p SET url = 'x' WHERE id = 1")
        pid = session.connection.info.backend_pid
        shop.cluster.terminate(pid)
    shop.sql("UPDATE p SET url = 'y' WHERE id = 2")
    assert shop.keys() == ["2"]
