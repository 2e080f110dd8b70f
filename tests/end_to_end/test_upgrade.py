"""ALTER EXTENSION imgpress UPDATE from 0.1.0: what people have is kept, and looks as if it had always
been so."""

import subprocess

import psycopg2
import pytest

from harness import version_0_1_0
from harness.version_0_1_0 import REQUESTS

CATALOGUE = """
WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname IN ('imgpress', 'imgpress_internal'))
SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'),
       (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(p.proacl) a), pg_get_userbyid(p.proowner)
FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'relation', c.oid::regclass::text, c.relkind::text || array_to_string(c.reloptions, ' '), obj_description(c.oid, 'pg_class'),
       (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(c.relacl) a), pg_get_userbyid(c.relowner)
FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'v', 'c', 'S')
UNION ALL
SELECT 'view', c.oid::regclass::text, pg_get_viewdef(c.oid), NULL, NULL, NULL
FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind = 'v'
UNION ALL
SELECT 'column', c.oid::regclass || '.' || a.attname, format_type(a.atttypid, a.atttypmod) || a.attnotnull || a.attstorage::text,
       col_description(c.oid, a.attnum), pg_get_expr(d.adbin, d.adrelid), NULL
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'v', 'c')
UNION ALL
SELECT 'constraint', o.conrelid::regclass || '.' || o.conname, pg_get_constraintdef(o.oid), NULL, NULL, NULL
FROM pg_constraint o WHERE o.connamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), NULL, NULL, NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'trigger', t.tgrelid::regclass || '.' || t.tgname, pg_get_triggerdef(t.oid), NULL, NULL, NULL
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace IN (SELECT oid FROM ours) AND NOT t.tgisinternal
UNION ALL
SELECT 'schema', n.nspname, NULL, obj_description(n.oid, 'pg_namespace'),
       (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(n.nspacl) a), NULL
FROM pg_namespace n WHERE n.oid IN (SELECT oid FROM ours)
UNION ALL
SELECT 'dumped', c::regclass::text, NULL, NULL, NULL, NULL FROM pg_extension e, unnest(e.extconfig) c WHERE e.extname = 'imgpress'
UNION ALL
SELECT 'member', pg_describe_object(d.classid, d.objid, 0), NULL, NULL, NULL, NULL
FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'imgpress' AND d.deptype = 'e'
"""


@pytest.fixture(scope="module", name="home")
def fixture_home(open_shop):
    with open_shop(preload=("imgpress",), name="upgrade") as made:
        yield made


@pytest.fixture(name="old")
def fixture_old(home, receiver):
    """A database at 0.1.0, filled; nobody works on it."""
    home.cluster.query("CREATE DATABASE old")
    home.cluster.query("CREATE EXTENSION imgpress VERSION '0.1.0'", database="old")
    home.endpoint = receiver.endpoint("/upgrade")
    yield version_0_1_0.fill(home.cluster, "old", home.origin.url(""), home.endpoint.url)
    home.cluster.configure({"imgpress.databases": None})
    home.cluster.query("DROP DATABASE old WITH (FORCE)")


def update(old):
    old.sql("ALTER EXTENSION imgpress UPDATE")


def products(old, name):
    rows = old.sql("SELECT output_image_urls FROM imgpress.request_products(%s)", REQUESTS[name])
    return [urls for (urls,) in rows]


def state(old, name):
    return old.sql(
        "SELECT status, images, succeeded, failed, source_bytes, output_bytes "
        "FROM imgpress.progress WHERE request_id = %s",
        REQUESTS[name],
    )[0]


def catalogue(cluster, database):
    return {row[:2]: row[2:] for row in cluster.query(CATALOGUE, database=database)}


def test_the_catalogue_is_that_of_a_fresh_one(home, old):
    update(old)
    fresh, updated = catalogue(home.cluster, "shop"), catalogue(home.cluster, "old")
    assert fresh.keys() == updated.keys()
    different = {name for name in fresh if fresh[name] != updated[name]}
    assert {name: (fresh[name], updated[name]) for name in different} == {}


def test_what_people_have_is_kept(old):
    update(old)
    assert state(old, "completed") == ("Completed", 2, 2, 0, 200, 20)
    assert state(old, "working") == ("Processing", 2, 1, 0, 100, 10)
    assert state(old, "cancelled") == ("Failed", 1, 1, 0, 100, 10)
    assert state(old, "failed") == ("Completed", 2, 1, 1, 100, 10)
    assert state(old, "fresh") == ("Pending", 2, 0, 0, 0, 0)
    assert state(old, "retrying") == ("Processing", 1, 0, 0, 0, 0)
    assert old.sql(
        "SELECT image_nos FROM imgpress.products WHERE request_id = %s ORDER BY product_no",
        REQUESTS["completed"],
    ) == [([1],), ([1],), ([3],), ([1],)]
    names = [url.rsplit("/", 2)[1:] for url in products(old, "completed")]
    assert names == [["1", "small1_compressed.jpg"]] * 2 + [
        ["3", "small3_compressed.jpg"],
        ["1", "small1_compressed.jpg"],
    ]
    assert products(old, "failed")[:2] == ["Error processing image"] * 2
    assert old.sql("SELECT FROM imgpress.images WHERE lease_token IS NOT NULL") == []
    assert old.sql("SELECT FROM imgpress_internal.leases") == []


def test_published_urls_show_the_same_pictures(old):
    pictures = "SELECT position, bytes FROM imgpress.outputs WHERE request_id = %s"
    before = {
        name: dict(old.sql(pictures, REQUESTS[name])) for name in ("completed", "ending", "cancelled")
    }
    update(old)
    for name, outputs in before.items():
        for number, bytes_before in outputs.items():
            rows = old.sql(
                "SELECT bytes FROM imgpress.output_image(%s, %s)", REQUESTS[name], number
            )
            assert [bytes(row[0]) for row in rows] == [bytes(bytes_before)], (name, number)


def test_work_goes_on(home, old):
    """A request that is over after the collapse says so; what was under way is done anew."""
    update(old)
    assert state(old, "ending") == ("Completed", 1, 1, 0, 100, 10)
    home.cluster.configure({"imgpress.databases": "shop,old"})
    for name in ("working", "fresh", "retrying"):
        (status,) = old.sql("SELECT imgpress.wait(%s, '60 s')", REQUESTS[name])[0]
        assert status == "Completed"
        assert "Error" not in "".join(products(old, name))
    messages = [message.json() for message in home.endpoint.wait(2)]
    told = {message["type"]: message.get("data", {}).get("request_id") for message in messages}
    assert told == {"left": None, "request.completed": REQUESTS["ending"]}


def test_grants_are_kept(home, old):
    old.sql("CREATE ROLE dashboards LOGIN IN ROLE imgpress_user")
    old.sql("CREATE ROLE kiosk LOGIN")
    old.sql("GRANT USAGE ON SCHEMA imgpress TO kiosk")
    old.sql("GRANT SELECT ON imgpress.progress TO kiosk WITH GRANT OPTION")
    old.sql("GRANT EXECUTE ON FUNCTION imgpress.request_products(uuid) TO kiosk")
    update(old)
    query = home.cluster.query
    assert query("SELECT count(*) FROM imgpress.progress", None, "old", "kiosk") == [(7,)]
    products_of = "SELECT count(*) FROM imgpress.request_products(%s)"
    assert query(products_of, (REQUESTS["fresh"],), "old", "kiosk") == [(3,)]
    assert query("SELECT count(*) FROM imgpress.results", None, "old", "dashboards") == [(6,)]
    old.sql("DROP OWNED BY kiosk, dashboards")
    old.sql("DROP ROLE kiosk, dashboards")


@pytest.mark.parametrize(
    "statement, name",
    [
        ("CREATE VIEW mine AS SELECT request_id FROM imgpress.progress", "view public.mine"),
        ("CREATE VIEW mine AS SELECT copy_of FROM imgpress.images", "view public.mine"),
        ("CREATE VIEW mine AS SELECT serial_number FROM imgpress.products", "view public.mine"),
        ("CREATE MATERIALIZED VIEW mine AS SELECT url FROM imgpress.results", "view public.mine"),
    ],
)
def test_what_depends_on_a_change_is_named_and_kept(old, statement, name):
    old.sql(statement)
    with pytest.raises(psycopg2.errors.DependentObjectsStillExist) as refusal:
        update(old)
    assert name in str(refusal.value)
    assert old.sql("SELECT count(*) >= 0 FROM mine") == [(True,)]
    assert old.sql("SELECT extversion FROM pg_extension WHERE extname = 'imgpress'") == [("0.1.0",)]


def test_views_of_what_stays_go_on(old):
    old.sql("CREATE VIEW mine AS SELECT request_id, url, status, position FROM imgpress.images")
    update(old)
    assert old.sql("SELECT count(*) FROM mine") == [(11,)]


def test_dump_and_restore_of_an_updated_database(home, old, tmp_path):
    update(old)
    environment = home.cluster.environment("old")
    dump = tmp_path / "dump"
    subprocess.run(["pg_dump", "-Fc", "-f", dump], env=environment, check=True)
    home.cluster.query("CREATE DATABASE again")
    subprocess.run(["pg_restore", "-d", "again", "-e", dump], env=environment, check=True)
    for table in (
        "imgpress.processing_requests", "imgpress.products", "imgpress.images", "imgpress.outputs",
        "imgpress.webhook_deliveries", "imgpress_internal.image_aliases",
    ):  # fmt: skip
        rows = f"SELECT array_agg(t::text ORDER BY t::text) FROM (SELECT * FROM {table}) t"
        columns = (
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute "
            f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
        )
        ((names,),) = old.sql(columns)
        rows = f"SELECT array_agg(t::text ORDER BY t::text) FROM (SELECT {names} FROM {table}) t"
        assert old.sql(rows) == home.cluster.query(rows, database="again"), table
    home.cluster.query("DROP DATABASE again")
