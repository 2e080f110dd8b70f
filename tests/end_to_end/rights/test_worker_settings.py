"""What is set for a database or a role, or left by a trigger, neither changes what the drainer does
nor stops it; what it needs and does not find it waits for."""

from contextlib import closing

import pytest

from harness import attack
from harness.attack import PROMPT, as_owner, compress, end_drainer_after, on_insert
from harness.catalogue import one_product
from harness.waiting import wait_until

HOSTILE = {
    "search_path": "evil, pg_catalog",
    "row_security": "off",
    "session_replication_role": "replica",  # for once, everybody may
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "exit_on_error": "on",
    "enable_indexscan": "off",
    "enable_nestloop": "off",
    "enable_seqscan": "on",
    "jit": "on",
    "plan_cache_mode": "force_custom_plan",
    "max_parallel_workers_per_gather": "9",
}
# These are left to the owner: they change neither what a statement means nor whether it succeeds.
HARMLESS = {
    "client_encoding": "LATIN1",
    "bytea_output": "escape",
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "extra_float_digits": "-15",
    "backslash_quote": "off",
    "xmloption": "document",
    "quote_all_identifiers": "on",
    "check_function_bodies": "off",
    "default_text_search_config": "simple",
    "temp_tablespaces": "",
    "default_table_access_method": "heap",
    "debug_print_plan": "off",
    "force_parallel_mode": "on",
    "work_mem": "64kB",
    "plpgsql.extra_errors": "all",
    "local_preload_libraries": "no_such_library",
    "restrict_nonsystem_relation_kind": "view, foreign-table",
}


@pytest.fixture(name="own")
def fixture_own(open_shop):
    with attack.shop_of_stranger(open_shop, name="settings") as made:
        yield made


def quoted(value):
    return ", ".join(f"'{part.strip()}'" for part in value.split(","))


def make_it_matter(shop):
    """Row level security, as a later version may have it: `row_security = off` then makes every
    statement fail. And the right to switch off triggers."""
    shop.sql("GRANT SET ON PARAMETER session_replication_role TO PUBLIC")
    for table in (
        "imgpress_internal.leases",
        "imgpress.images",
        "imgpress.outputs",
        "imgpress.processing_requests",
    ):
        shop.sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        shop.sql(
            f"CREATE POLICY worker ON {table} TO imgpress_worker "
            "USING (true) WITH CHECK (true)"
        )


def note_settings(shop):
    """From now on a table tells which of the hostile settings a transaction has begun with."""
    names = ", ".join(f"'{name}'" for name in HOSTILE)
    shop.sql("CREATE TABLE evil.seen (name text, value text)")
    shop.sql("GRANT ALL ON evil.seen TO PUBLIC")
    return (
        "INSERT INTO evil.seen SELECT s, pg_catalog.current_setting(s) "
        f"FROM pg_catalog.unnest(ARRAY[{names}]) s;"
    )


def assert_no_hostile_setting(seen):
    assert len(seen) == len(HOSTILE), seen
    assert [(name, value) for name, value in seen if HOSTILE[name] == value] == []


def set_for_database(shop):
    """All of it in one session of the owner's: the next one would suffer from it."""
    with closing(shop.cluster.connect(user=attack.STRANGER)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("DO 'BEGIN END'")  # makes the settings of PL/pgSQL known
            for name, value in {**HOSTILE, **HARMLESS}.items():
                cursor.execute(f"ALTER DATABASE shop SET {name} = {quoted(value)}")
                cursor.execute(f"ALTER ROLE ALL IN DATABASE shop SET {name} = {quoted(value)}")


def test_settings_of_the_database(own):
    make_it_matter(own)
    on_insert(own, note_settings(own))
    for name, value in HOSTILE.items():
        own.sql(f"ALTER ROLE imgpress_worker SET {name} = {quoted(value)}")
    csv = one_product(own.origin.url("small0.jpg"))
    with own.cluster.session() as session:  # as it was before
        end_drainer_after(own, set_for_database)
        session.execute("SELECT imgpress.submit_csv(%s)", (csv,))
        session.execute("SELECT imgpress.wait(%s, '15 s')", session.fetchone())
        assert session.fetchone() == ("Completed",)
        session.execute("SELECT DISTINCT name, value FROM evil.seen")
        assert_no_hostile_setting(session.fetchall())


def test_settings_that_a_trigger_leaves(own):
    """They last as long as the session; so would what they do to the drainer."""
    make_it_matter(own)
    on_insert(own, note_settings(own))
    sets = [f"SET {name} = {quoted(value)};" for name, value in {**HOSTILE, **HARMLESS}.items()]
    on_insert(own, " ".join(sets), late=True)
    for _ in range(3):
        compress(own)
    assert_no_hostile_setting(own.sql("SELECT DISTINCT name, value FROM evil.seen"))


def shut_doors(shop):
    as_owner(shop, "REVOKE ALL ON DATABASE shop FROM PUBLIC")
    as_owner(shop, "ALTER DATABASE shop CONNECTION LIMIT 0")
    shop.sql("ALTER ROLE imgpress_worker NOLOGIN CONNECTION LIMIT 0 VALID UNTIL '2000-01-01'")


def test_doors_that_are_shut_to_others(own):
    end_drainer_after(own, shut_doors)
    compress(own)


def test_database_that_is_shut(own):
    """No process is started in vain, time and again; when it opens, work goes on."""
    cluster = own.cluster
    shut = "ALTER DATABASE shop ALLOW_CONNECTIONS %s"
    end_drainer_after(own, lambda _: cluster.query(shut % "false", database="postgres"))
    told = lambda: cluster.log_lines('"shop": the database does not allow')  # noqa: E731
    wait_until(told, "the launcher says what is wrong")
    cluster.query(shut % "true", database="postgres")
    compress(own)
    assert cluster.log_lines("not currently accepting connections") == []
    assert len(told()) == 1


def test_role_that_is_renamed(own):
    """The drainer waits, says so once, and does not end; nobody else does its work meanwhile."""
    (drainer,) = own.cluster.drainers()
    compress(own)
    said = lambda: len(own.cluster.log_lines("the worker of database"))  # noqa: E731
    before = said()
    own.sql("ALTER ROLE imgpress_worker RENAME TO something_else")
    request = own.submit_csv(one_product(own.origin.url("small1.jpg")))
    wait_until(lambda: said() > before, "it says why it waits")
    assert own.status(request) == "Pending"
    own.sql("ALTER ROLE something_else RENAME TO imgpress_worker")
    own.submit_csv(one_product(own.origin.url("small2.jpg")))  # wakes it
    own.finish(request, PROMPT)
    assert drainer.alive()
    assert said() == before + 1


def test_role_that_is_dropped(own):
    """Nothing is started in vain, and CREATE EXTENSION mends it."""
    compress(own)
    (drainer,) = own.cluster.drainers()
    own.sql("DROP OWNED BY imgpress_worker")
    own.sql("DROP ROLE imgpress_worker")
    own.submit_csv(one_product(own.origin.url("small1.jpg")))
    wait_until(lambda: own.cluster.log_lines("the worker of database"), "it says why it waits")
    assert drainer.alive()
    own.value("SELECT pg_terminate_backend(%s)", drainer.pid)
    absent = '"shop": role imgpress_worker does not exist'
    before = len(own.cluster.log_lines(absent))  # from the time before CREATE EXTENSION
    wait_until(lambda: len(own.cluster.log_lines(absent)) > before, "the launcher says so too")
    assert own.cluster.drainers() == []
    own.sql("DROP EXTENSION imgpress")
    own.sql("CREATE EXTENSION imgpress")
    compress(own)


def test_role_that_is_a_superuser(own):
    compress(own)
    own.sql("ALTER ROLE imgpress_worker SUPERUSER")
    request = own.submit_csv(one_product(own.origin.url("small1.jpg")))
    wait_until(lambda: own.cluster.log_lines("refuses to work as one"), "it refuses")
    assert own.status(request) == "Pending"
    own.sql("ALTER ROLE imgpress_worker NOSUPERUSER")
    own.finish(request, PROMPT)


def test_nothing_is_started_without_the_role(open_shop):
    """No process enters a database in vain; CREATE EXTENSION, in any database, makes it start."""
    with open_shop(gateway=False, preload=("imgpress",), extensions=(), name="bare") as shop:
        cluster = shop.cluster
        absent = '"shop": role imgpress_worker does not exist'
        wait_until(lambda: cluster.log_lines(absent), "the launcher says what is missing")
        assert cluster.drainers() == []
        cluster.query("CREATE EXTENSION imgpress")
        compress(shop)

        cluster.configure({"imgpress.databases": "shop,later"})
        missing = '"later": the database does not exist'
        wait_until(lambda: cluster.log_lines(missing), "the launcher says what is missing")
        assert cluster.log_lines("FATAL") == []
        cluster.query("CREATE DATABASE later")
        cluster.query("CREATE EXTENSION imgpress", database="later")
        named = lambda: [it for it in cluster.drainers() if "later" in it.title]  # noqa: E731
        wait_until(named, "a drainer", PROMPT)
