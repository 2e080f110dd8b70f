"""Settings of a database or role, or left by a trigger, do not affect the drainer; it waits for a
missing role or database."""

import pytest

from harness import attack
from harness.attack import as_owner, compress, end_drainer_after, on_insert
from harness.cluster import major_version
from harness.waiting import PROMPT, wait_until

HOSTILE = {
    "search_path": "evil, pg_catalog",
    "row_security": "off",  # with it, statements on tables with row-level security fail
    "session_replication_role": "replica",  # which these tests let everybody set
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
if major_version() >= 17:
    HOSTILE["transaction_timeout"] = "1ms"
# The owner may set these: they change neither the meaning of a statement nor whether it succeeds.
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
    "debug_parallel_query" if major_version() >= 16 else "force_parallel_mode": "on",
    "work_mem": "64kB",
    "plpgsql.extra_errors": "all",
    "local_preload_libraries": "no_such_library",
    "restrict_nonsystem_relation_kind": "view, foreign-table",
}


@pytest.fixture(name="own")
def fixture_own(open_shop):
    with attack.shop_of_attacker(open_shop, name="settings") as made:
        yield made


def quoted(value):
    return ", ".join(f"'{part.strip()}'" for part in value.split(","))


def let_everybody_switch_off_triggers(shop):
    shop.sql("GRANT SET ON PARAMETER session_replication_role TO PUBLIC")


def note_settings(shop):
    """A statement that records the values of the hostile settings, and the table for it."""
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
    """In one session of the owner, because a second one would be affected."""
    with shop.cluster.session(user=attack.ATTACKER) as session:
        session.execute("DO 'BEGIN END'")  # loads PL/pgSQL, which defines its settings
        for name, value in {**HOSTILE, **HARMLESS}.items():
            session.execute(f"ALTER DATABASE shop SET {name} = {quoted(value)}")
            session.execute(f"ALTER ROLE ALL IN DATABASE shop SET {name} = {quoted(value)}")


def test_settings_of_the_database(own):
    let_everybody_switch_off_triggers(own)
    on_insert(own, note_settings(own))
    for name, value in HOSTILE.items():
        own.sql(f"ALTER ROLE imgpress_worker SET {name} = {quoted(value)}")
    csv = own.csv("small0.jpg")
    with own.cluster.session() as session:  # opened before the change
        end_drainer_after(own, set_for_database)
        session.execute("SELECT imgpress.submit_csv(%s)", (csv,))
        session.execute("SELECT imgpress.wait(%s, '15 s')", session.fetchone())
        assert session.fetchone() == ("Completed",)
        session.execute("SELECT DISTINCT name, value FROM evil.seen")
        assert_no_hostile_setting(session.fetchall())


def test_settings_left_by_a_trigger(own):
    """Such settings last as long as the drainer's session."""
    let_everybody_switch_off_triggers(own)
    on_insert(own, note_settings(own))
    sets = [f"SET {name} = {quoted(value)};" for name, value in {**HOSTILE, **HARMLESS}.items()]
    on_insert(own, " ".join(sets), late=True)
    for _ in range(3):
        compress(own)
    assert_no_hostile_setting(own.sql("SELECT DISTINCT name, value FROM evil.seen"))


def restrict_connections(shop):
    as_owner(shop, "REVOKE ALL ON DATABASE shop FROM PUBLIC")
    as_owner(shop, "ALTER DATABASE shop CONNECTION LIMIT 0")
    shop.sql("ALTER ROLE imgpress_worker NOLOGIN CONNECTION LIMIT 0 VALID UNTIL '2000-01-01'")


def test_restrictions_on_connections_do_not_stop_the_drainer(own):
    end_drainer_after(own, restrict_connections)
    compress(own)


def test_database_that_allows_no_connections(own):
    """The launcher starts no worker that would fail; work goes on when connections are allowed."""
    cluster = own.cluster
    allow = "ALTER DATABASE shop ALLOW_CONNECTIONS %s"
    end_drainer_after(own, lambda _: cluster.query(allow % "false", database="postgres"))
    messages = lambda: cluster.log_lines("it allows no connections")  # noqa: E731
    wait_until(messages, "the launcher logs the reason")
    cluster.query(allow % "true", database="postgres")
    compress(own)
    assert cluster.log_lines("not currently accepting connections") == []
    assert len(messages()) == 1


ABSENT = "role imgpress_worker does not exist"


def test_role_that_is_renamed(own):
    """The drainer logs once that it waits, and continues when the role is back."""
    (drainer,) = own.cluster.drainers()
    compress(own)
    messages = lambda: len(own.cluster.log_lines(ABSENT))  # noqa: E731
    before = messages()
    own.sql("ALTER ROLE imgpress_worker RENAME TO something_else")
    request = own.submit("small1.jpg")
    wait_until(lambda: messages() > before, "the drainer logs why it waits")
    assert own.status(request) == "Pending"
    own.sql("ALTER ROLE something_else RENAME TO imgpress_worker")
    own.submit("small2.jpg")  # wakes it
    own.finish(request, PROMPT)
    assert drainer.alive()
    assert messages() == before + 1


def test_role_that_is_dropped(own):
    """No worker is started without the role, and CREATE EXTENSION creates it again."""
    compress(own)
    (drainer,) = own.cluster.drainers()
    own.sql("DROP OWNED BY imgpress_worker")
    own.sql("DROP ROLE imgpress_worker")
    own.submit("small1.jpg")
    wait_until(lambda: own.cluster.log_lines(ABSENT), "the drainer logs its wait")
    assert drainer.alive()
    absent = '"shop" of imgpress.databases has no worker: role imgpress_worker does not exist'
    before = len(own.cluster.log_lines(absent))  # those from before CREATE EXTENSION
    own.cluster.terminate(drainer.pid)
    wait_until(lambda: len(own.cluster.log_lines(absent)) > before, "the launcher logs it too")
    assert own.cluster.drainers() == []
    own.sql("DROP EXTENSION imgpress")
    own.sql("CREATE EXTENSION imgpress")
    compress(own)


def test_role_that_is_a_superuser(own):
    compress(own)
    own.sql("ALTER ROLE imgpress_worker SUPERUSER")
    request = own.submit("small1.jpg")
    wait_until(lambda: own.cluster.log_lines("refuses to work as one"), "the drainer refuses")
    assert own.status(request) == "Pending"
    own.sql("ALTER ROLE imgpress_worker NOSUPERUSER")
    own.finish(request, PROMPT)


def test_no_worker_is_started_without_the_role(open_shop):
    """CREATE EXTENSION in any database creates the role, and the launcher then starts the
    worker."""
    with open_shop(gateway=False, preload=("imgpress",), extensions=(), name="bare") as shop:
        cluster = shop.cluster
        absent = '"shop" of imgpress.databases has no worker: role imgpress_worker does not exist'
        wait_until(lambda: cluster.log_lines(absent), "the launcher logs what is missing")
        assert cluster.drainers() == []
        cluster.query("CREATE EXTENSION imgpress")
        compress(shop)

        cluster.configure({"imgpress.databases": "shop,later"})
        missing = '"later" of imgpress.databases does not exist'
        wait_until(lambda: cluster.log_lines(missing), "the launcher logs what is missing")
        assert cluster.log_lines("FATAL") == []
        cluster.query("CREATE DATABASE later")
        cluster.query("CREATE EXTENSION imgpress", database="later")
        named = lambda: [it for it in cluster.drainers() if "later" in it.title]  # noqa: E731
        wait_until(named, "a drainer", PROMPT)
