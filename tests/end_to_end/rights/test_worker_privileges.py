"""The drainer has only the privileges of imgpress_worker, whatever the owner of its database and
triggers do."""

import psycopg2
import pytest

from harness import attack
from harness.attack import as_owner, assert_nothing_reached, compress, end_drainer_after, on_insert
from harness.waiting import wait_until


@pytest.fixture(name="own")
def fixture_own(open_shop):
    with attack.shop_of_attacker(open_shop, name="rights") as made:
        yield made


def test_search_path_of_the_database(own):
    """A search path that puts the attacker's operators before PostgreSQL's own."""
    as_owner(own, attack.twin_operators("evil"))
    end_drainer_after(
        own, lambda _: as_owner(own, "ALTER DATABASE shop SET search_path = evil, pg_catalog")
    )
    compress(own)
    assert_nothing_reached(own, [])


def test_search_path_set_by_a_trigger(own):
    as_owner(own, attack.twin_operators("evil"))
    on_insert(own, "SET search_path = evil, pg_catalog;", late=True)
    compress(own)
    compress(own)
    assert_nothing_reached(own, [])


def test_deferred_triggers(own):
    tables = ("imgpress_internal.leases", "imgpress_internal.image_outputs")
    for table in tables:
        on_insert(own, f"PERFORM evil.climb('late {table}');", table, late=True)
    compress(own)
    assert_nothing_reached(own, [f"late {table}" for table in tables])


def test_other_code_that_runs_at_commit(own):
    """A held cursor, and a deferred trigger that a trigger causes; also in the transaction after
    one that failed at its commit."""
    on_insert(
        own,
        "IF NOT EXISTS (SELECT FROM pg_cursors) THEN "
        "  EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT evil.climb(''held cursor'')'; "
        "END IF; "
        "PERFORM evil.bite('at once');",
        "imgpress_internal.image_outputs",
    )
    own.sql("CREATE SEQUENCE evil.turns")
    own.sql("GRANT ALL ON evil.turns TO PUBLIC")
    fail_once = "IF nextval('evil.turns') = 1 THEN RAISE 'not this time'; END IF;"
    on_insert(own, fail_once, "imgpress_internal.image_outputs", late=True)
    compress(own)
    compress(own)
    assert len(own.cluster.log_lines("WARNING:  not this time")) == 1
    assert_nothing_reached(own, ["at once", "at once, at commit", "held cursor"])


@pytest.mark.parametrize("name", ["role", "session_authorization"])
def test_role_set_by_the_owner(own, name):
    on_insert(own, "PERFORM evil.bite('at once');")
    end_drainer_after(
        own, lambda _: as_owner(own, f"ALTER DATABASE shop SET {name} = '{attack.ATTACKER}'")
    )
    wait_until(own.cluster.drainers, "another drainer")
    own.cluster.query(f"ALTER DATABASE shop RESET {name}", database="postgres")
    compress(own)
    assert_nothing_reached(own, ["at once", "at once, at commit"])


def test_temporary_objects_left_by_a_trigger(own):
    """Later transactions of the drainer in the same session do not use them, even if they have the
    names of its own objects."""
    as_owner(own, "GRANT CREATE ON SCHEMA evil TO PUBLIC")
    own.sql(
        "CREATE FUNCTION evil.key(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE "
        "AS $$ BEGIN PERFORM evil.climb('index'); RETURN 1; END $$"
    )
    on_insert(
        own,
        "IF to_regclass('pg_temp.brief') IS NULL THEN "
        "  CREATE TEMP TABLE brief (x integer) ON COMMIT DELETE ROWS; "
        "  CREATE INDEX ON brief (evil.key(x)); CREATE INDEX ON brief (evil.key(1)); "
        "  CREATE TEMP TABLE leases (LIKE imgpress_internal.leases); CREATE TEMP TABLE images (); "
        "  CREATE FUNCTION pg_temp.same(bigint, bigint) RETURNS boolean LANGUAGE sql "
        "    AS 'SELECT evil.bite(''temporary''); SELECT false'; "
        "  CREATE OPERATOR pg_temp.= "
        "    (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = pg_temp.same); "
        "  EXECUTE 'PREPARE held AS SELECT 1'; PERFORM pg_advisory_lock(1); "
        "END IF; "
        "INSERT INTO brief VALUES (1);",
    )
    for _ in range(3):
        compress(own)
    assert_nothing_reached(own, ["index"])


SHADOWING = {
    "search_path": "evil, pg_temp, pg_catalog",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "standard_conforming_strings": "off",
    "row_security": "off",
    "IntervalStyle": "sql_standard",
    "DateStyle": "German",
}

CALLS = (
    "submit(ARRAY[(1, 'a', '{http://127.0.0.1:1/}')::imgpress.product_input])",
    "wait(%s, '15 s')",
    "request_status(%s)",
    "request_products(%s)",
    "output_image(%s, 1)",
    "output_etag(%s, 1)",
    "retry_failed(%s)",
    "cancel(%s)",
    "retry_recent()",
    "purge('1 day')",
    "webhook_secret()",
    "check()",
    "csv_faults('nothing')",
    "workers",
    "presses",
)
# They read the tables as imgpress_views, to which row-level security applies.
VIEWS_OF_REQUESTS = ("results", "progress", "failures", "webhook_failures")
VIEWS_OF_REQUESTS += ("product_results", "latest")


def test_security_definer_functions(own):
    """They run nothing of the attacker's, even in a session that shadows everything that it can."""
    as_owner(own, attack.twin_operators("evil"))
    as_owner(own, "CREATE TYPE evil.uuid AS ENUM (); CREATE DOMAIN evil.text AS integer")
    own.sql(f"GRANT imgpress_user, imgpress_admin TO {attack.ATTACKER}")
    csv = own.csv("small0.jpg", "gone.jpg")
    with own.cluster.session(user=attack.ATTACKER) as session:
        session.execute("CREATE TEMP TABLE images (); CREATE TEMP TABLE pg_extension ()")
        for name, value in SHADOWING.items():
            session.execute(f"SET {name} = {value}")
        session.execute("SELECT imgpress.submit_csv(%s)", (csv,))
        request = session.fetchone()
        for call in CALLS:
            session.execute(f"SELECT * FROM imgpress.{call}", request if "%s" in call else None)
        for view in VIEWS_OF_REQUESTS:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
                session.execute(f"SELECT * FROM imgpress.{view}")
        session.execute("SET row_security = on")
        for view in VIEWS_OF_REQUESTS:
            session.execute(f"SELECT * FROM imgpress.{view}")
        session.execute("INSERT INTO imgpress.csv_upload VALUES (1, 'a', 'http://a.test/')")
    assert_nothing_reached(own, [])


def test_trigger_in_a_security_definer_function(own):
    """A role that was granted TRIGGER by mistake gains the privileges of imgpress_owner and no
    more."""
    own.sql(f"GRANT TRIGGER ON imgpress.processing_requests TO {attack.ATTACKER}")
    own.sql(f"GRANT imgpress_user TO {attack.ATTACKER}")
    own.sql("CREATE ROLE customer LOGIN IN ROLE imgpress_user")
    as_owner(
        own,
        "CREATE TRIGGER at_once AFTER INSERT ON imgpress.processing_requests "
        "FOR EACH ROW EXECUTE FUNCTION evil.at_commit('submission')",
    )
    csv = (own.csv("small0.jpg"),)
    own.cluster.query("SELECT imgpress.submit_csv(%s)", csv, user="customer")
    assert {who for _, who, _ in attack.loot(own.cluster)} == {"imgpress_owner"}
    assert attack.times_superuser(own.cluster) == 0
    assert attack.superusers(own.cluster) == ["postgres"]
