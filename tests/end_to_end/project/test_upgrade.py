"""ALTER EXTENSION imgpress UPDATE from 0.1.0: data and grants are kept, and the schema is the same
as after a new installation."""

import subprocess

import psycopg2
import pytest

from harness.catalogue import ERROR_TEXT
from harness.upgrade import version_0_1_0
from harness.upgrade.schema_objects import schema_objects
from harness.upgrade.version_0_1_0 import REQUESTS
from harness.waiting import wait_until

@pytest.fixture(scope="module", name="home")
def fixture_home(open_shop):
    with open_shop(preload=("imgpress",), name="upgrade") as made:
        yield made


@pytest.fixture(name="old")
def fixture_old(home, receiver):
    """A filled database at version 0.1.0, which no worker serves."""
    home.cluster.query("CREATE DATABASE old")
    home.cluster.query("CREATE EXTENSION imgpress VERSION '0.1.0'", database="old")
    home.endpoint = receiver.endpoint("/upgrade")
    yield version_0_1_0.fill(home.cluster, "old", home.origin.url(""), home.endpoint.url)
    home.cluster.configure({"imgpress.databases": None})
    home.cluster.query("DROP DATABASE old WITH (FORCE)")


class Again:
    """An empty database `again`, into which a dump of `old` can be restored."""

    def __init__(self, cluster, dump):
        self._environment = cluster.environment("old")
        self._dump = dump

    def restore(self, *options):
        """Dumps and restores; returns the messages of pg_restore. With the option -e it must
        succeed."""
        command = ["pg_dump", "-Fc", "-f", self._dump]
        subprocess.run(command, env=self._environment, check=True)
        command = ["pg_restore", "-d", "again", *options, self._dump]
        run = subprocess.run(command, env=self._environment, check="-e" in options, stderr=subprocess.PIPE)
        return run.stderr


@pytest.fixture(name="again")
def fixture_again(home, tmp_path):
    home.cluster.query("CREATE DATABASE again")
    yield Again(home.cluster, tmp_path / "dump")
    home.cluster.query("DROP DATABASE again WITH (FORCE)")


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


def test_schema_is_that_of_a_new_installation(home, old):
    update(old)
    fresh, updated = schema_objects(home.cluster, "shop"), schema_objects(home.cluster, "old")
    assert fresh.keys() ^ updated.keys() == set(), "only in one of them"
    different = {name for name in fresh if fresh[name] != updated[name]}
    assert {name: (fresh[name], updated[name]) for name in different} == {}


def test_data_is_kept(old):
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
    assert products(old, "failed")[:2] == [ERROR_TEXT] * 2
    assert old.sql("SELECT DISTINCT submitted_by FROM imgpress.processing_requests") == [("public",)]
    assert old.sql("SELECT FROM imgpress.images WHERE lease_token IS NOT NULL") == []
    assert old.sql("SELECT FROM imgpress_internal.leases") == []
    assert old.sql("SELECT * FROM imgpress.check()") == []


def test_output_urls_show_the_same_pictures(old):
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


def test_unfinished_work_goes_on(home, old):
    """Requests with nothing left to do are closed; unfinished images are processed by the worker,
    which has waited for the update."""
    home.cluster.configure({"imgpress.databases": "shop,old"})
    waits = 'in database "old": it has an earlier version'
    wait_until(lambda: home.cluster.log_lines(waits), "the worker logs that it waits")
    update(old)
    assert state(old, "ending") == ("Completed", 1, 1, 0, 100, 10)
    for name in ("working", "fresh", "retrying"):
        (status,) = old.sql("SELECT imgpress.wait(%s, '60 s')", REQUESTS[name])[0]
        assert status == "Completed"
        assert "Error" not in "".join(products(old, name))
    messages = [message.json() for message in home.endpoint.wait(2)]
    received = {message["type"]: message.get("data", {}).get("request_id") for message in messages}
    assert received == {"left": None, "request.completed": REQUESTS["ending"]}
    assert home.cluster.log_lines("imgpress_internal") == []
    assert old.sql("SELECT * FROM imgpress.check()") == []


@pytest.fixture(name="roles")
def fixture_roles(old):
    """Roles with different kinds of grants in the database at 0.1.0."""
    old.sql("CREATE ROLE dashboards LOGIN IN ROLE imgpress_user")
    old.sql("CREATE ROLE kiosk LOGIN")
    old.sql("GRANT USAGE ON SCHEMA imgpress TO kiosk")
    old.sql("GRANT SELECT ON imgpress.progress TO kiosk WITH GRANT OPTION")
    old.sql("GRANT SELECT ON imgpress.failures TO kiosk")
    old.sql("GRANT SELECT (request_id, position) ON imgpress.images TO kiosk")
    old.sql("GRANT EXECUTE ON FUNCTION imgpress.request_products(uuid) TO kiosk")
    yield
    old.sql("DROP OWNED BY kiosk, dashboards")
    old.sql("DROP ROLE kiosk, dashboards")


def check_kiosk(query, database):
    assert query("SELECT count(*) FROM imgpress.progress", None, database, "kiosk") == [(7,)]
    assert query("SELECT count(hint) >= 0 FROM imgpress.failures", None, database, "kiosk")
    products_of = "SELECT count(*) FROM imgpress.request_products(%s)"
    assert query(products_of, (REQUESTS["fresh"],), database, "kiosk") == [(3,)]
    images = "SELECT count(image_no) FROM imgpress.images WHERE request_id = %s"
    assert query(images, (REQUESTS["fresh"],), database, "kiosk") == [(2,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query("SELECT url FROM imgpress.images", None, database, "kiosk")


def test_grants_are_kept(home, old, roles):
    update(old)
    check_kiosk(home.cluster.query, "old")
    results = "SELECT count(*) FROM imgpress.results"
    assert home.cluster.query(results, None, "old", "dashboards") == [(6,)]


def test_a_new_request_is_for_its_owner_only(home, old, roles):
    """Whoever saw the old ones still sees these, and no others."""
    update(old)
    submit = "SELECT imgpress.submit('{\"(1,a,http://a.test/1.jpg)\"}')"
    new = home.cluster.scalar(submit, None, "old", "dashboards")
    check_kiosk(home.cluster.query, "old")
    count = "SELECT count(*), count(*) FILTER (WHERE request_id = %s) FROM imgpress.progress"
    assert home.cluster.query(count, (new,), "old", "dashboards") == [(8, 1)]
    of_new = "SELECT count(*) FROM imgpress.images WHERE request_id = %s"
    assert home.cluster.query(of_new.replace("*", "image_no"), (new,), "old", "kiosk") == [(0,)]


@pytest.fixture(name="odd_grants")
def fixture_odd_grants(old):
    """Grants passed on, to imgpress's own roles, to a role with a similar name, on sequences."""
    old.sql("CREATE ROLE imgpress_dash LOGIN")
    old.sql("CREATE ROLE other LOGIN")
    old.sql("GRANT USAGE ON SCHEMA imgpress TO imgpress_dash, other")
    old.sql("GRANT SELECT ON imgpress.images, imgpress.progress TO imgpress_dash WITH GRANT OPTION")
    old.sql(
        "SET ROLE imgpress_dash; GRANT SELECT ON imgpress.images, imgpress.progress TO other"
    )
    old.sql("GRANT SELECT (request_id, product_no) ON imgpress.products TO other")
    old.sql("GRANT SELECT (id, copy_count) ON imgpress.processing_requests TO other")
    old.sql("GRANT EXECUTE ON FUNCTION imgpress.purge(interval) TO imgpress_user")
    old.sql("GRANT SELECT ON imgpress.progress TO imgpress_gateway")
    old.sql("GRANT SELECT ON ALL SEQUENCES IN SCHEMA imgpress TO other")
    yield
    old.sql("DROP OWNED BY imgpress_dash, other CASCADE")
    old.sql("DROP ROLE imgpress_dash, other")


ODD_GRANTS = """
SELECT has_table_privilege('imgpress_dash', 'imgpress.images', 'SELECT WITH GRANT OPTION'),
       has_table_privilege('imgpress_dash', 'imgpress.progress', 'SELECT'),
       has_table_privilege('other', 'imgpress.images', 'SELECT'),
       has_table_privilege('other', 'imgpress.progress', 'SELECT'),
       has_column_privilege('other', 'imgpress.products', 'product_no', 'SELECT'),
       has_column_privilege('other', 'imgpress.processing_requests', 'id', 'SELECT'),
       (SELECT has_function_privilege('imgpress_user', p.oid, 'EXECUTE') FROM pg_proc p
        WHERE p.oid::regproc::text = 'imgpress.purge'),
       has_table_privilege('imgpress_gateway', 'imgpress.progress', 'SELECT'),
       has_sequence_privilege('other', 'imgpress.webhook_deliveries_id_seq', 'SELECT'),
       NOT has_column_privilege('other', 'imgpress.products', 'product_name', 'SELECT'),
       NOT (SELECT has_function_privilege('imgpress_gateway', p.oid, 'EXECUTE') FROM pg_proc p
        WHERE p.oid::regproc::text = 'imgpress.purge')
"""


def test_unusual_grants_are_kept_also_in_a_dump(home, old, odd_grants, again):
    assert old.sql(ODD_GRANTS) == [(True,) * 11]
    update(old)
    assert old.sql(ODD_GRANTS) == [(True,) * 11]
    again.restore("-e")
    assert home.cluster.query(ODD_GRANTS, database="again") == [(True,) * 11]


def test_objects_of_others_in_the_schema_are_kept(old, roles):
    old.sql("CREATE FUNCTION imgpress.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    old.sql("CREATE FUNCTION imgpress.submit(int) RETURNS int LANGUAGE sql AS 'SELECT 2'")
    old.sql("CREATE TABLE imgpress.notes (a int)")
    old.sql("CREATE PROCEDURE imgpress.proc() LANGUAGE sql AS ''")
    old.sql("CREATE VIEW imgpress.constant AS SELECT 1")
    old.sql("GRANT EXECUTE ON FUNCTION imgpress.submit(int) TO kiosk")
    old.sql("GRANT SELECT ON imgpress.notes TO kiosk")
    update(old)
    assert old.sql(
        "SELECT imgpress.mine(), imgpress.submit(1), has_table_privilege('kiosk', 'imgpress.notes', 'SELECT'), "
        "relowner::regrole::text FROM pg_class WHERE oid = 'imgpress.notes'::regclass"
    ) == [(1, 2, True, "postgres")]  # fmt: skip
    assert old.sql(
        "SELECT p.proname, oidvectortypes(p.proargtypes) FROM pg_proc p, aclexplode(p.proacl) a "
        "WHERE a.grantee = 'kiosk'::regrole ORDER BY 1"
    ) == [("error_hint", "text, text"), ("request_products", "uuid"), ("submit", "integer")]


def test_triggers_work_later_in_the_same_transaction(old):
    old.sql("CREATE TABLE mine (id uuid REFERENCES imgpress.processing_requests)")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        old.sql("ALTER EXTENSION imgpress UPDATE; INSERT INTO mine VALUES (gen_random_uuid())")
    old.sql("ALTER EXTENSION imgpress UPDATE; DELETE FROM imgpress.processing_requests")
    assert old.sql("SELECT FROM imgpress.outputs") == []


def test_default_privileges_do_not_apply_to_new_objects(old, roles):
    old.sql("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO kiosk")
    old.sql("ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO kiosk")
    update(old)
    assert old.sql(
        "SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a WHERE c.relname IN "
        "('image_aliases', 'workers', 'results') AND a.grantee = 'kiosk'::regrole"
    ) == [], "a grant on a new table or view"  # fmt: skip
    assert old.sql(
        "SELECT p.proname FROM pg_proc p, aclexplode(p.proacl) a WHERE a.grantee = 'kiosk'::regrole "
        "ORDER BY 1"
    ) == [("error_hint",), ("request_products",)]


def test_before_the_update_submissions_are_refused(old):
    """The library is the new one, the SQL functions are the old ones until ALTER EXTENSION."""
    for statement in (
        "SELECT imgpress.submit_csv(E'S. No.,Product Name,Input Image Urls\n1,a,http://a.test/1.jpg')",
        f"SELECT * FROM imgpress.request_products('{REQUESTS['completed']}')",
        "SELECT * FROM imgpress.results",
    ):
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as refusal:
            old.sql(statement)
        assert "ALTER EXTENSION imgpress UPDATE" in refusal.value.diag.message_hint
    for unchanged in (
        "SELECT count(*) FROM imgpress.csv_faults('a')",
        "SELECT count(*) FROM imgpress.csv_faults('a'::bytea)",
        "SELECT imgpress.csv_text('a')",
        "SELECT count(*) FROM imgpress.workers",
        f"SELECT imgpress.wait('{REQUESTS['completed']}')",
    ):
        assert len(old.sql(unchanged)) == 1
    update(old)
    assert state(old, "completed") == ("Completed", 2, 2, 0, 200, 20)


def test_an_image_whose_output_was_deleted(old):
    old.sql("DELETE FROM imgpress.outputs WHERE request_id = %s AND position = 3", REQUESTS["completed"])
    update(old)
    assert state(old, "completed")[:4] == ("Completed", 2, 2, 0)
    assert products(old, "completed")[2].endswith("/small3_compressed.jpg")


def test_the_output_of_a_repetition_replaces_a_deleted_one(old):
    completed = REQUESTS["completed"]
    old.sql("DELETE FROM imgpress.outputs WHERE request_id = %s AND position = 1", completed)
    update(old)
    for number in (1, 2, 4):
        assert old.sql("SELECT length(bytes) FROM imgpress.output_image(%s, %s)", completed, number)


@pytest.mark.parametrize(
    "statement, name",
    [
        ("CREATE VIEW mine AS SELECT request_id FROM imgpress.progress", "view public.mine"),
        ("CREATE VIEW mine AS SELECT copy_of FROM imgpress.images", "view public.mine"),
        ("CREATE VIEW mine AS SELECT serial_number FROM imgpress.products", "view public.mine"),
        ("CREATE MATERIALIZED VIEW mine AS SELECT url FROM imgpress.results", "view public.mine"),
        ("CREATE VIEW mine AS SELECT * FROM imgpress.copies_due", "view public.mine"),
        ("CREATE VIEW mine AS SELECT request_id FROM imgpress.outputs", "view public.mine"),
        ("CREATE INDEX mine ON imgpress.outputs (created_at)", "index imgpress.mine"),
        (
            f"CREATE VIEW mine AS SELECT * FROM imgpress.request_products('{REQUESTS['fresh']}')",
            "view public.mine",
        ),
        ("CREATE TABLE mine (product imgpress.product_input)", "column product of table public.mine"),
        (
            "CREATE TABLE mine (request_id uuid, position int, "
            "FOREIGN KEY (request_id, position) REFERENCES imgpress.images)",
            "constraint mine_request_id_position_fkey on table public.mine",
        ),
        ("CREATE TABLE mine () INHERITS (imgpress.images)", "table public.mine"),
        ("CREATE TABLE mine (image imgpress.images)", "column image of table public.mine"),
        ("CREATE INDEX mine ON imgpress.images (request_id, copy_of)", "index imgpress.mine"),
        (
            "CREATE INDEX mine ON imgpress.processing_requests (created_at) WHERE copy_count > 0",
            "index imgpress.mine",
        ),
        ("CREATE STATISTICS mine ON copy_of, position FROM imgpress.images", "object public.mine"),
        (
            "CREATE RULE mine AS ON DELETE TO imgpress.progress DO INSTEAD NOTHING",
            "rule mine on view imgpress.progress",
        ),
        (
            "CREATE RULE mine AS ON DELETE TO imgpress.images WHERE OLD.copy_of IS NOT NULL "
            "DO ALSO NOTHING",
            "rule mine on table imgpress.images",
        ),
        (
            "CREATE TRIGGER submit BEFORE UPDATE OF copy_of ON imgpress.images "
            "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger submit on table imgpress.images",
        ),
    ],
)
def test_objects_that_depend_on_a_change_stop_the_update(old, statement, name):
    old.sql(statement)
    with pytest.raises(psycopg2.errors.DependentObjectsStillExist) as refusal:
        update(old)
    assert name in str(refusal.value)
    assert old.sql("SELECT obj_description('imgpress.images'::regclass) IS NOT NULL") == [(True,)]
    assert old.sql("SELECT extversion FROM pg_extension WHERE extname = 'imgpress'") == [("0.1.0",)]


def test_views_of_unchanged_columns_are_kept(old):
    old.sql("CREATE VIEW mine AS SELECT request_id, url, status, position FROM imgpress.images")
    update(old)
    assert old.sql("SELECT count(*) FROM mine") == [(11,)]


def test_dump_and_restore_of_an_updated_database(home, old, roles, again):
    update(old)
    again.restore("-e")
    for table in (
        "imgpress.processing_requests", "imgpress.products", "imgpress.images", "imgpress.outputs",
        "imgpress.webhook_deliveries", "imgpress_internal.image_aliases", "imgpress_internal.blobs",
        "imgpress_internal.image_outputs",
    ):  # fmt: skip
        rows = f"SELECT array_agg(t::text ORDER BY t::text) FROM (SELECT * FROM {table}) t"
        columns = (
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute "
            f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
        )
        ((names,),) = old.sql(columns)
        rows = f"SELECT array_agg(t::text ORDER BY t::text) FROM (SELECT {names} FROM {table}) t"
        assert old.sql(rows) == home.cluster.query(rows, database="again"), table
    check_kiosk(home.cluster.query, "again")


def test_a_dump_of_0_1_0_is_restored_and_updated(home, old, again):
    home.cluster.query("CREATE EXTENSION imgpress VERSION '0.1.0'", database="again")
    said = again.restore()
    assert b'schema "imgpress" already exists' in said
    assert b"errors ignored on restore: 1" in said
    home.cluster.query("ALTER EXTENSION imgpress UPDATE", database="again")
    progress = (
        "SELECT request_id, status, run, images, succeeded, failed, source_bytes, output_bytes "
        "FROM imgpress.progress ORDER BY request_id"
    )
    update(old)
    assert home.cluster.query(progress, database="again") == old.sql(progress)
