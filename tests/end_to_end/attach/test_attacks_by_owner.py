"""Attacks by the owner of an attached table, whose code runs in a process of imgpress: triggers,
policies, domains. It must run as the owner and leave nothing behind.

The process connects as the superuser, as every background worker has to."""

import pytest

from harness.attach.kept_table import KEEPER, KeptTable, make_keeper, writers
from harness.waiting import wait_until

IDENTITY = "current_user || ',' || current_setting('is_superuser')"


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, name="attacks") as shop:
        make_keeper(shop)
        shop.sql(f"CREATE TABLE catalogue.log (what text, result text); "
                 f"ALTER TABLE catalogue.log OWNER TO {KEEPER}")
        # It tries a statement and logs what came of it.
        shop.cluster.query(
            "CREATE FUNCTION catalogue.try(statement text) RETURNS void LANGUAGE plpgsql AS $$ "
            "BEGIN EXECUTE statement; "
            f"INSERT INTO catalogue.log VALUES (statement, 'done as ' || {IDENTITY}); "
            "EXCEPTION WHEN OTHERS THEN "
            "INSERT INTO catalogue.log VALUES (statement, sqlstate); END $$",
            user=KEEPER,
        )
        yield shop


@pytest.fixture(name="log", autouse=True)
def fixture_log(own):
    own.sql("TRUNCATE catalogue.log")
    return lambda: dict(own.sql("SELECT what, result FROM catalogue.log"))


def add_trigger(table, body, timing="AFTER UPDATE", constraint="", result="new"):
    """A trigger of the table's owner; constraint: "CONSTRAINT" for one that can be deferred."""
    name = f"{table.name}_attack"
    table.owner(
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$body$ BEGIN {body}; RETURN {result}; END $body$"
    )
    deferred = "DEFERRABLE INITIALLY DEFERRED" if constraint else ""
    table.owner(
        f"CREATE {constraint} TRIGGER attack {timing} ON {table.name} {deferred} FOR EACH ROW "
        f"EXECUTE FUNCTION {name}()"
    )


def attacked(own, name, *statements, **how):
    """A table with a trigger that tries these statements; returns it when it has been written."""
    table = KeptTable(own, name)
    tries = "; ".join(f"PERFORM catalogue.try($a${statement}$a$)" for statement in statements)
    add_trigger(table, tries, **how)
    table.insert(1, table.url("small1.jpg"))
    table.wait_shown(1, "small1.jpg")
    return table


# Statement and the SQLSTATE with which it must fail.
FORBIDDEN = {
    "SET ROLE postgres": "42501",
    "SET LOCAL ROLE imgpress_owner": "42501",
    "RESET ROLE": "42501",
    "SET SESSION AUTHORIZATION postgres": "42501",
    "RESET SESSION AUTHORIZATION": "42501",
    "SET session_replication_role = replica": "42501",
    "ALTER ROLE keeper SUPERUSER": "42501",
    "CREATE ROLE mallory SUPERUSER": "42501",
    "COPY catalogue.log TO PROGRAM 'touch /tmp/imgpress-attacked'": "42501",
    "COPY catalogue.log FROM '/etc/passwd'": "42501",
    "SELECT pg_read_file('postgresql.conf')": "42501",
    "SELECT * FROM imgpress_internal.attachments": "42501",
    "SELECT imgpress_internal.next_attached_job()": "42501",
    "DELETE FROM imgpress.images": "42501",
    "SELECT pg_terminate_backend(pg_backend_pid())": "42501",
    "ALTER SYSTEM SET imgpress.databases = ''": "25001",
    "DISCARD ALL": "25001",
    "LISTEN imgpress": "0A000",
}


@pytest.mark.parametrize("constraint", ["", "CONSTRAINT"])
def test_nothing_more_than_the_owner_may(own, log, constraint):
    """At once and deferred to the commit."""
    attacked(own, f"forbidden{len(constraint)}", *FORBIDDEN, constraint=constraint)
    wait_until(lambda: len(log()) == len(FORBIDDEN), "everything was tried")
    results = log()
    for statement, sqlstate in FORBIDDEN.items():
        assert results[statement] in (sqlstate, "42501"), (statement, results[statement])
    assert own.value("SELECT rolsuper FROM pg_roles WHERE rolname = %s", KEEPER) is False


def test_deferred_again_and_again(own, log):
    """A deferred trigger queues another one, while the transaction commits."""
    table = KeptTable(own, "requeued")
    table.owner("CREATE TABLE catalogue.hop (n int)")
    table.owner(
        "CREATE FUNCTION catalogue.hop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM catalogue.try('SET ROLE postgres'); "
        f"INSERT INTO catalogue.log VALUES ('hop ' || new.n, {IDENTITY}); "
        "SET CONSTRAINTS ALL DEFERRED; "
        "IF new.n < 3 THEN INSERT INTO catalogue.hop VALUES (new.n + 1); END IF; "
        "RETURN new; END $$"
    )
    table.owner(
        "CREATE CONSTRAINT TRIGGER hop AFTER INSERT ON catalogue.hop DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION catalogue.hop()"
    )
    add_trigger(table, "INSERT INTO catalogue.hop VALUES (1)", constraint="CONSTRAINT")
    table.insert(1, table.url("small1.jpg"))
    table.wait_shown(1, "small1.jpg")
    wait_until(lambda: "hop 3" in log(), "the last one has run")
    assert log()["hop 3"] == f"{KEEPER},off"
    assert log()["SET ROLE postgres"] == "42501"


def test_caller_of_imgpress_is_the_owner(own, log):
    """What a trigger submits belongs to the owner, and it sees what the owner sees."""
    secret = own.submit("small5.jpg")
    own.finish(secret)
    url = own.origin.url("small6.jpg")
    attacked(
        own,
        "calling",
        f"SELECT imgpress.submit_csv('serial number,product name,urls' || chr(10) || '1,a,{url}')",
        f"SELECT imgpress.request_status('{secret}')",
        f"SELECT imgpress.cancel('{secret}')",
        "SELECT imgpress.purge('0')",
        f"DO 'BEGIN IF EXISTS (SELECT FROM imgpress.processing_requests WHERE id = ''{secret}'') "
        "THEN RAISE unique_violation; END IF; END'",
    )
    results = log()
    assert list(results.values())[0] == f"done as {KEEPER},off"
    assert set(list(results.values())[1:]) == {"P0002", "42501", f"done as {KEEPER},off"}
    submitted = "SELECT DISTINCT submitted_by FROM imgpress.processing_requests WHERE NOT standing"
    assert {who for (who,) in own.sql(submitted)} == {KEEPER, "postgres"}


LEFT_BEHIND = (
    "SET search_path = catalogue, pg_temp, pg_catalog",
    "SET row_security = off",
    "SET lock_timeout = 0",
    "SET statement_timeout = 1",
    "SET default_transaction_read_only = on",
    "SET application_name = 'somebody else'",
    "SET imgpress.quality = 1",
    "SET my.own = 'x'",
    "CREATE TEMP TABLE images (request_id uuid)",
    "CREATE TEMP TABLE leases AS SELECT 1 AS token",
    "CREATE TEMP TABLE processing_requests AS SELECT 1 AS id",
    "CREATE TEMP TABLE attached_rows AS SELECT 1 AS key",
    "CREATE FUNCTION pg_temp.lock_tables() RETURNS void LANGUAGE sql AS 'SELECT'",
    "SELECT pg_advisory_lock(4711)",
    "SELECT pg_advisory_lock_shared(4712)",
    "PREPARE mine AS SELECT 1",
    "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
    "CREATE TEMP SEQUENCE s",
    "SELECT nextval('pg_temp.s')",
    "SET exit_on_error = on",
)


def test_nothing_is_left_behind(own, log):
    """Settings, temporary objects, locks: the process goes on as before, for other tables, too."""
    other = KeptTable(own, "after")
    table = attacked(own, "leaving", *LEFT_BEHIND)
    assert {what: it for what, it in log().items() if "done" not in it} == {}
    (writer,) = writers(own)
    # What the next table's owner finds in the session.
    found = {
        "search_path": "current_setting('search_path')",
        "timeouts": "current_setting('lock_timeout') || current_setting('statement_timeout')",
        "name": "current_setting('application_name')",
        "own": "coalesce(current_setting('my.own', true), '')",
        "settings": "current_setting('row_security') || current_setting('exit_on_error')",
        "prepared": "(SELECT count(*)::text FROM pg_prepared_statements)",
        "cursors": "(SELECT count(*)::text FROM pg_cursors WHERE is_holdable)",
        "listens": "(SELECT count(*)::text FROM pg_listening_channels())",
        "temporary": "(SELECT count(*)::text FROM pg_class "
        "WHERE relpersistence = 't' AND relnamespace = pg_my_temp_schema())",
        "locks": "(SELECT count(*)::text FROM pg_locks "
        "WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
        "pid": "pg_backend_pid()::text",
    }
    looks = "; ".join(
        f"INSERT INTO catalogue.log VALUES ('{name}', {what})" for name, what in found.items()
    )
    add_trigger(other, looks)
    other.insert(1, other.url("small2.jpg"))
    other.wait_shown(1, "small2.jpg")
    results = log()
    assert results["pid"] == str(writer), "the same process"
    assert results["search_path"] == '"$user", public'
    assert results["timeouts"] == "200ms0"
    assert results["name"] == "imgpress attachments"
    assert results["own"] == ""
    assert results["settings"] == "onoff"
    for name in ("prepared", "cursors", "listens", "temporary", "locks"):
        assert results[name] == "0", name
    table.change(1, table.url("small3.jpg"))
    table.wait_shown(1, "small3.jpg")
    other.wait_settled()
    assert own.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


def test_search_path_is_the_owners(own, log):
    """Triggers find the tables that they find in the owner's sessions."""
    own.sql(f"ALTER ROLE {KEEPER} IN DATABASE shop SET search_path = catalogue")
    try:
        table = KeptTable(own, "pathed")
        add_trigger(table, "INSERT INTO log VALUES ('found', 'yes')")
        table.insert(1, table.url("small1.jpg"))
        table.wait_shown(1, "small1.jpg")
        assert log() == {"found": "yes"}
    finally:
        own.sql(f"ALTER ROLE {KEEPER} IN DATABASE shop RESET search_path")


def test_operators_of_others_in_the_path(own):
    """Somebody else's operators and functions in a schema of the path are not used."""
    own.sql("CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory")
    table = KeptTable(own, "tricked", "id varchar PRIMARY KEY, url text, small text, err text")
    trap = (
        "CREATE FUNCTION public.trap({0}, {0}) RETURNS boolean LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO public.caught VALUES (current_setting('application_name')); RETURN true; END $$"
    )
    as_mallory = lambda statement: own.cluster.query(statement, user="mallory")
    as_mallory("CREATE TABLE public.caught (who text)")
    as_mallory("GRANT INSERT ON public.caught TO PUBLIC")
    for kind in ("varchar", "text"):
        as_mallory(trap.format(kind))
        for sign in ("=", ">", "<>", "<"):
            as_mallory(
                f"CREATE OPERATOR public.{sign} (leftarg = {kind}, rightarg = {kind}, "
                f"function = public.trap)"
            )
    for name in ("unnest(varchar[])", "sha256(text)", "text(varchar)"):
        as_mallory(
            f"CREATE FUNCTION public.{name} RETURNS text LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO public.caught VALUES (current_setting('application_name')); RETURN 'x'; END $$"
        )
    own.sql(f"ALTER ROLE {KEEPER} SET search_path = public, pg_catalog")
    try:
        own.sql(f"INSERT INTO {table.name} VALUES ('a', %s)", table.url("small1.jpg"))
        table.wait_shown("a", "small1.jpg")
        own.sql("SELECT imgpress.reconcile(%s, refresh => true)", table.name)
        table.wait_settled()
        caught = {who for (who,) in own.sql("SELECT who FROM public.caught")}
        assert caught, "the trap works: the statements of this test have run into it"
        assert "imgpress attachments" not in caught
    finally:
        own.sql(f"ALTER ROLE {KEEPER} RESET search_path")
        own.sql("DROP OWNED BY mallory")


def test_domains_run_as_the_owner(own, log):
    """A check of a domain is code, too; as policies would be, but a table whose owner they concern
    cannot be attached."""
    table = KeptTable(own, "checked_keys", attach=False)
    table.owner(
        "CREATE FUNCTION catalogue.look(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
        f"INSERT INTO catalogue.log VALUES (what, {IDENTITY}); "
        "PERFORM catalogue.try('SET ROLE postgres'); RETURN true; END $$"
    )
    table.owner("CREATE DOMAIN catalogue.checked AS int CHECK (catalogue.look('domain'))")
    table.owner(f"ALTER TABLE {table.name} ALTER id TYPE catalogue.checked")
    table.attach()
    table.insert(1, table.url("small1.jpg"))
    own.sql("TRUNCATE catalogue.log")
    table.change(1, table.url("small2.jpg"))
    table.wait_shown(1, "small2.jpg")
    table.wait_settled()
    results = log()
    assert results["domain"] == f"{KEEPER},off"
    assert results["SET ROLE postgres"] == "42501"


def paused(table):
    """Waits until the table's trouble is visible; returns the reason."""
    return wait_until(lambda: table.state()["state"] == "failing" and table.state()["reason"], "why")


def test_error_in_a_trigger_stops_this_table_only(own):
    table = KeptTable(own, "raising")
    other = KeptTable(own, "unharmed")
    add_trigger(table, "RAISE EXCEPTION 'not today'")
    table.owner(
        f"INSERT INTO {table.name} (id, url) SELECT n, %s || n FROM generate_series(1, 20) n",
        table.url("small1.jpg?"),
    )
    assert "not today" in paused(table)
    for number in range(5):
        other.insert(number, other.url("small2.jpg"))
        other.wait_shown(number, "small2.jpg")
    assert table.row(1) == (None, None)
    table.owner(f"DROP TRIGGER attack ON {table.name}")
    table.owner("SELECT imgpress.resume(%s)", table.name)
    table.wait_settled(timeout=60)
    assert own.value(f"SELECT count(small) FROM {table.name}") == 20
    assert table.state()["state"] == "active"


def test_one_row_that_fails_does_not_hold_up_the_others(own):
    table = KeptTable(own, "oneraises")
    add_trigger(table, "IF new.id = 7 THEN RAISE EXCEPTION 'not this one'; END IF")
    table.owner(
        f"INSERT INTO {table.name} (id, url) SELECT n, %s || n FROM generate_series(1, 50) n",
        table.url("small1.jpg?"),
    )
    count = f"SELECT count(small) FROM {table.name}"
    wait_until(lambda: own.value(count) == 49, "all others", timeout=60)
    reasons = "SELECT reason FROM imgpress_internal.attached_rows WHERE state = 'waiting' AND key = '7'"
    assert "not this one" in own.value(f"{reasons} AND attachment_id = %s", table.id)


@pytest.mark.parametrize("result", ["NULL", "new"])
def test_trigger_that_refuses_or_deletes(own, result):
    """It returns NULL, or deletes the row itself: nothing else suffers."""
    table = KeptTable(own, f"refusing{result}")
    table.insert(2, table.url("small2.jpg"))
    table.wait_shown(2, "small2.jpg")
    if result == "NULL":
        add_trigger(table, "NULL", "BEFORE UPDATE OF small", result="NULL")
    else:
        add_trigger(table, f"DELETE FROM {table.name} WHERE id = new.id AND id = 1")
    table.insert(1, table.url("small1.jpg"))
    reason = "SELECT reason FROM imgpress_internal.attached_rows WHERE key = '1' AND attachment_id = %s"
    if result == "NULL":
        wait_until(lambda: "did not let it" in (own.value(reason, table.id) or ""), "refused")
        table.owner(f"DROP TRIGGER attack ON {table.name}")
        table.wait_shown(1, "small1.jpg")
    else:
        wait_until(lambda: table.row(1) is None, "the row is gone")
        wait_until(lambda: table.counts() == (1, 1, 1), "and its image")
    table.wait_settled()


def test_error_at_commit(own):
    """A deferred trigger raises when the transaction commits: nothing was written."""
    table = KeptTable(own, "late")
    add_trigger(table, "RAISE EXCEPTION 'too late'", constraint="CONSTRAINT")
    table.insert(1, table.url("small1.jpg"))
    wait_until(
        lambda: own.value(
            "SELECT reason FROM imgpress_internal.attached_rows WHERE attachment_id = %s", table.id
        )
        == "too late",
        "the reason is visible",
    )
    assert table.row(1) == (None, None)
    table.owner(f"DROP TRIGGER attack ON {table.name}")
    table.wait_shown(1, "small1.jpg")


def test_fatal_error_in_a_trigger(own):
    """exit_on_error makes an error end the process: the next one knows whose fault it was."""
    table = KeptTable(own, "fatal")
    other = KeptTable(own, "bystander")
    add_trigger(table, "PERFORM set_config('exit_on_error', 'on', false); RAISE EXCEPTION 'die'")
    table.insert(1, table.url("small1.jpg"))
    assert "ended while it ran code of this table" in paused(table)
    other.insert(1, other.url("small2.jpg"))
    other.wait_shown(1, "small2.jpg")
    table.owner(f"DROP TRIGGER attack ON {table.name}")
    table.owner("SELECT imgpress.resume(%s)", table.name)
    table.wait_shown(1, "small1.jpg")


def test_trigger_that_sleeps_for_ever(own):
    """Even where it catches the error of the time limit."""
    table = KeptTable(own, "sleeping")
    other = KeptTable(own, "awake")
    add_trigger(
        table,
        "LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP",
    )
    table.insert(1, table.url("small1.jpg"))
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    wait_until(lambda: own.value(asleep) == 1, "it sleeps")
    other.insert(1, other.url("small2.jpg"))
    other.wait_shown(1, "small2.jpg", timeout=60)
    assert "ended while it ran code" in paused(table)
    assert own.value(asleep) == 0


def test_table_of_a_superuser(own):
    """Its triggers run as the superuser who owns it, but cannot become anybody else."""
    own.sql("CREATE TABLE public.roots (id int PRIMARY KEY, url text, small text, err text)")
    own.sql("CREATE TABLE public.roots_log (result text)")
    own.sql(
        "CREATE FUNCTION public.roots_try() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "SET ROLE keeper; RETURN new; EXCEPTION WHEN insufficient_privilege THEN "
        f"INSERT INTO public.roots_log VALUES ({IDENTITY}); RETURN new; END $$"
    )
    own.sql(
        "CREATE TRIGGER roots AFTER UPDATE ON public.roots FOR EACH ROW "
        "EXECUTE FUNCTION public.roots_try()"
    )
    own.sql("SELECT imgpress.attach('public.roots', 'id', 'url', 'small')")
    own.sql("INSERT INTO public.roots VALUES (1, %s)", own.origin.url("small1.jpg"))
    wait_until(lambda: own.value("SELECT small FROM public.roots"), "it is written")
    assert own.value("SELECT result FROM public.roots_log") == "postgres,on"
