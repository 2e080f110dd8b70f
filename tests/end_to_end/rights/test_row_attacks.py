"""The owner of the database, who is a user of imgpress, tries to reach what is anna's."""

import subprocess

import psycopg2
import pytest

from harness.attack import ATTACKER
from harness.cluster import major_version, pg_config
from harness.waiting import wait_until

TABLES = ("processing_requests", "products", "images", "webhook_deliveries")
VIEWS = ("progress", "failures", "webhook_failures", "results", "outputs")
VIEWS += ("product_results", "latest")
# What would tell something about the request of the victim.
SECRETS = ("small0", "gone", "SKU1", "secret-hook")


def assert_nothing_told(texts, victim):
    said = " ".join(map(str, texts))
    assert [word for word in (*SECRETS, victim) if word in said] == []


@pytest.mark.parametrize("relation", TABLES + VIEWS)
def test_functions_in_a_condition_see_no_row_of_others(own, victim, mallory, relation):
    """Neither a function nor an operator gets such a row, however cheap it says it is."""
    mallory.execute(
        "CREATE TEMP TABLE heard (row_text text); "
        "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.000001 "
        "AS $$ BEGIN INSERT INTO heard VALUES ($1); RETURN true; END $$; "
        "CREATE FUNCTION pg_temp.leak(uuid, uuid) RETURNS boolean LANGUAGE plpgsql COST 0.000001 "
        "AS $$ BEGIN INSERT INTO heard VALUES ($1); RETURN true; END $$; "
        "CREATE OPERATOR pg_temp.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = pg_temp.leak)"
    )
    key = "id" if relation == "processing_requests" else "request_id"
    mallory.execute(
        f"SELECT FROM imgpress.{relation} r WHERE pg_temp.leak(r::text) "
        f"OR r.{key} OPERATOR(pg_temp.=) %s",
        (victim,),
    )
    mallory.execute(
        f"SELECT FROM imgpress.{relation} r "
        "JOIN imgpress.progress p ON pg_temp.leak(r::text || p::text)"
    )
    mallory.execute("SELECT * FROM heard")
    assert_nothing_told(mallory.fetchall(), victim)
    mallory.execute(f"EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM imgpress.{relation}")
    assert_nothing_told(mallory.fetchall(), victim)


def test_functions_in_a_condition_see_no_press_of_others(own, mallory):
    """Nor a key, whose view has a condition of its own as well."""
    own.cluster.query("SELECT imgpress.create_key('key of anna', '{read}')", user="anna")
    with own.cluster.session(user="anna") as anna:
        with pytest.raises(psycopg2.DatabaseError):  # it starts a press all the same
            anna.execute("SELECT imgpress.compress_image('no image')")
        mallory.execute(
            "CREATE TEMP TABLE overheard (number integer); "
            "CREATE FUNCTION pg_temp.listen(integer) RETURNS boolean LANGUAGE plpgsql COST 0.000001 "
            "AS $$ BEGIN INSERT INTO overheard VALUES ($1); RETURN true; END $$"
        )
        assert own.value("SELECT count(*) FROM imgpress.presses WHERE owner = 'session'") == 1
        mallory.execute("SELECT FROM imgpress.presses WHERE pg_temp.listen(pid)")
        mallory.execute("SELECT FROM imgpress.keys WHERE pg_temp.listen(id)")
        mallory.execute("SELECT * FROM overheard")
        assert mallory.fetchall() == []


def test_operators_and_objects_that_shadow_ours(own, victim, mallory):
    mallory.execute(
        "CREATE TEMP TABLE processing_requests (LIKE imgpress.processing_requests); "
        "CREATE FUNCTION pg_temp.may_see(name) RETURNS boolean LANGUAGE sql AS 'SELECT true'; "
        "CREATE FUNCTION pg_temp.caller() RETURNS name LANGUAGE sql AS 'SELECT name ''anna'''; "
        "CREATE FUNCTION pg_temp.always(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true'; "
        "CREATE OPERATOR pg_temp.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = pg_temp.always); "
        "SET search_path = pg_temp, imgpress, pg_catalog"
    )
    for relation in TABLES + VIEWS:
        mallory.execute(f"SELECT count(*) FROM imgpress.{relation}")
        assert mallory.fetchone() == (0,), relation
    with pytest.raises(psycopg2.errors.NoDataFound):
        mallory.execute("SELECT imgpress.request_status(%s)", (victim,))


def test_plans_that_were_made_for_another_role(own, victim):
    for user_first in ("anna", ATTACKER):
        other = ATTACKER if user_first == "anna" else "anna"
        with own.cluster.session() as session:
            session.execute("SET plan_cache_mode = force_generic_plan")
            session.execute(f"SET ROLE {user_first}")
            for number, relation in enumerate(TABLES + VIEWS):
                session.execute(f"PREPARE q{number} AS SELECT count(*) FROM imgpress.{relation}")
                counts = {}
                for user in (user_first, other, user_first):
                    session.execute(f"SET ROLE {user}")
                    session.execute(f"EXECUTE q{number}")
                    counts[user] = session.fetchone()[0]
                assert counts["anna"] > 0 and counts[ATTACKER] == 0, relation


def test_parallel_workers(own, victim, mallory):
    """A worker of a parallel plan knows whom it works for."""
    name = "debug_parallel_query" if major_version() >= 16 else "force_parallel_mode"
    with own.cluster.session(user="anna") as anna:
        for session, sees in ((anna, True), (mallory, False)):
            session.execute(
                f"SET {name} = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0"
            )
            session.execute("SET min_parallel_table_scan_size = 0")
            for relation in TABLES + VIEWS:
                session.execute(f"SELECT count(*) FROM imgpress.{relation}")
                assert (session.fetchone()[0] > 0) == sees, relation


@pytest.mark.parametrize("whom", [f"ROLE {ATTACKER}", "DATABASE shop", "ROLE ALL IN DATABASE shop"])
def test_row_security_off(own, victim, whom):
    """Whoever would then see all rows sees an error; functions and the worker go on."""
    own.cluster.query(f"ALTER {whom} SET row_security = off", user=ATTACKER)
    try:
        for relation in TABLES + VIEWS:
            own.refused("42501", f"SELECT FROM imgpress.{relation}", user=ATTACKER)
        own.refused("P0002", "SELECT imgpress.request_status(%s)", victim, user=ATTACKER)
        submit = "SELECT imgpress.submit_csv(%s)"
        request = own.cluster.scalar(submit, (own.csv("small1.jpg"),), user="anna")
        assert (
            own.cluster.scalar("SELECT imgpress.wait(%s)", (request,), user="anna") == "Completed"
        )
    finally:
        own.sql(f"ALTER {whom} RESET row_security")


def test_settings(own):
    """Users may set the options of requests, and nothing else of imgpress."""
    names = own.sql("SELECT name, context, setting FROM pg_settings WHERE name LIKE 'imgpress.%%'")
    assert len(names) > 20
    free = {"imgpress.quality", "imgpress.effort", "imgpress.accept_truncated"}
    free |= {"imgpress.priority", "imgpress.refresh"}
    for name, context, value in (*names, ("imgpress.acting_role", "internal", "anna")):
        assert (context == "user") == (name in free), name
        if name in free:
            continue
        for statement in (
            f"SET {name} = '{value}'",
            f"SELECT set_config('{name}', '{value}', true)",
            f"ALTER ROLE {ATTACKER} SET {name} = '{value}'",
            f"ALTER DATABASE shop SET {name} = '{value}'",
            f"CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql SET {name} = '{value}' "
            "AS 'SELECT 1'",
        ):
            with pytest.raises(
                (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.CantChangeRuntimeParam)
            ):
                own.cluster.query(statement, user=ATTACKER)


REFUSED = (
    "SELECT * FROM imgpress.webhook_secrets",
    "SELECT imgpress.webhook_secret()",
    "SELECT imgpress.purge('0')",
    "SELECT imgpress.retry_recent()",
    "SELECT imgpress_internal.act_as('anna')",
    "SELECT imgpress_internal.find_request('{id}')",
    "SELECT imgpress_internal.store_request(NULL, '{{}}', NULL, NULL, '{{}}')",
    "SELECT * FROM imgpress_internal.leases",
    "SELECT nextval('imgpress.webhook_deliveries_id_seq')",
    "SELECT currval('imgpress.webhook_deliveries_id_seq')",
    "SELECT last_value FROM imgpress.webhook_deliveries_id_seq",
    "SELECT FROM imgpress.processing_requests FOR KEY SHARE",
    "SELECT FROM imgpress.progress FOR UPDATE",
    "LOCK TABLE imgpress.images IN ROW SHARE MODE",
    "LOCK TABLE imgpress.progress",
    "UPDATE imgpress.processing_requests SET submitted_by = current_user",
    "DELETE FROM imgpress.processing_requests",
    "INSERT INTO imgpress.processing_requests (options) VALUES ('{{}}')",
    "UPDATE imgpress.progress SET status = 'Failed'",
    "COPY imgpress.products FROM STDIN",
    "CREATE TABLE mine (id uuid REFERENCES imgpress.processing_requests)",
    "CREATE TABLE mine () INHERITS (imgpress.images)",
    "CREATE TRIGGER mine BEFORE INSERT ON imgpress.processing_requests "
    "FOR EACH ROW EXECUTE FUNCTION evil.at_commit()",
    "CREATE TRIGGER mine INSTEAD OF INSERT ON imgpress.csv_upload "
    "FOR EACH ROW EXECUTE FUNCTION evil.at_commit()",
    "CREATE TABLE mine (a int); CREATE TRIGGER mine AFTER INSERT ON mine "
    "FOR EACH STATEMENT EXECUTE FUNCTION imgpress_internal.submit_csv_upload()",
    "CREATE RULE mine AS ON INSERT TO imgpress.csv_upload DO ALSO SELECT 1",
    "CREATE POLICY mine ON imgpress.images USING (true)",
    "DROP POLICY what_it_may_see ON imgpress.images",
    "ALTER TABLE imgpress.images DISABLE ROW LEVEL SECURITY",
    "ALTER VIEW imgpress.progress SET (security_invoker = false)",
    "ALTER FUNCTION imgpress.request_status(uuid) SECURITY INVOKER",
    "CREATE OR REPLACE FUNCTION imgpress_internal.may_see(name) RETURNS boolean LANGUAGE sql "
    "AS 'SELECT true'",
    "CREATE FUNCTION imgpress.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE STATISTICS mine ON request_id, status FROM imgpress.images",
    "CREATE INDEX ON imgpress.images ((evil.climb(url)))",
    "CREATE PUBLICATION mine FOR TABLE imgpress.images",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION evil.at_commit()",
    "SET ROLE anna",
    "SET ROLE imgpress_owner",
    "SET SESSION AUTHORIZATION anna",
    "GRANT imgpress_admin TO mallory",
    "ALTER EXTENSION imgpress UPDATE",
    "ALTER SCHEMA imgpress RENAME TO theirs",
    "DROP OWNED BY anna",
)


@pytest.mark.parametrize("statement", REFUSED, ids=lambda it: it[:60])
def test_refused_statements(own, victim, statement):
    with own.cluster.session(user=ATTACKER, autocommit=False) as session:
        with pytest.raises(
            (
                psycopg2.errors.InsufficientPrivilege,
                psycopg2.errors.ObjectNotInPrerequisiteState,
                psycopg2.errors.WrongObjectType,
            )
        ):
            session.execute(statement.format(id=victim))
        session.connection.rollback()


def test_statistics(own, victim, mallory):
    """PostgreSQL hides the values of a table with row-level security."""
    own.sql("ANALYZE")
    mallory.execute("SELECT * FROM pg_stats WHERE schemaname LIKE 'imgpress%'")
    assert_nothing_told(mallory.fetchall(), victim)
    mallory.execute("SELECT * FROM pg_stats_ext; SELECT * FROM pg_stat_activity")
    assert_nothing_told(mallory.fetchall(), victim)


def test_views_over_ours(own, victim, mallory):
    """A view of somebody else shows no more than its reader, and its owner, may see."""
    own.sql("CREATE SCHEMA shared; GRANT ALL ON SCHEMA shared TO PUBLIC")
    for owner in ("anna", "postgres"):
        for relation in TABLES + VIEWS:
            name = f"shared.{owner}_{relation}"
            own.cluster.query(
                f"CREATE VIEW {name} AS SELECT * FROM imgpress.{relation}", user=owner
            )
            own.cluster.query(f"GRANT SELECT ON {name} TO PUBLIC", user=owner)
            mallory.execute(f"SELECT * FROM {name}")
            if owner == "postgres" and relation in TABLES:
                continue  # row-level security does not apply to the owner of this view
            assert_nothing_told(mallory.fetchall(), victim)


def test_copy(own, victim):
    said = own.cluster.psql(
        *(
            it
            for name in TABLES + VIEWS
            for it in ("-c", f"COPY (TABLE imgpress.{name}) TO STDOUT")
        ),
        *(it for name in TABLES for it in ("-c", f"COPY imgpress.{name} TO STDOUT")),
        "-U",
        ATTACKER,
    ).stdout
    assert_nothing_told([said], victim)


def test_pg_dump(own, victim):
    """Of a superuser it holds everything, also the secrets; of a user it says that it can't."""

    def dump(user, *options):
        command = [f"{pg_config('--bindir')}/pg_dump", "-U", user, *options]
        environment = own.cluster.environment()
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    own.sql("SELECT imgpress.webhook_secret()")
    everything = dump("postgres").stdout
    assert all(it in everything for it in (*SECRETS, victim, "whsec_"))
    table = ("-t", "imgpress.processing_requests")
    refusal = dump(ATTACKER, *table)
    assert refusal.returncode != 0 and "row-level security" in refusal.stderr
    assert_nothing_told([refusal.stdout], victim)
    own_rows = dump(ATTACKER, *table, "--enable-row-security")
    assert own_rows.returncode == 0 and "COPY" in own_rows.stdout
    assert_nothing_told([own_rows.stdout], victim)


def test_what_a_notice_tells(own, victim):
    """Everybody may LISTEN: the id and the status of a request, and nothing else."""
    with own.cluster.session(user=ATTACKER) as session:
        session.execute("LISTEN imgpress")
        submit = "SELECT imgpress.submit_csv(%s)"
        request = own.cluster.scalar(submit, (own.csv("small2.jpg"),), user="anna")
        assert (
            own.cluster.scalar("SELECT imgpress.wait(%s)", (request,), user="anna") == "Completed"
        )
        session.execute("SELECT 1")
        payloads = [it.payload for it in session.connection.notifies]
    assert f'{{"request_id" : "{request}", "status" : "Completed"}}' in payloads


def test_errors_of_the_worker(own):
    """They may quote the row that met them."""
    own.sql(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'refused: %', NEW.url; END $$; "
        "CREATE TRIGGER refuse BEFORE UPDATE ON imgpress.images FOR EACH ROW "
        "EXECUTE FUNCTION public.refuse()"
    )
    submit = "SELECT imgpress.submit_csv(%s)"
    reason = "SELECT state, reason FROM imgpress.workers"
    try:
        request = own.cluster.scalar(submit, (own.csv("small3.jpg"),), user="anna")
        (_, told), *_ = wait_until(
            lambda: [row for row in own.sql(reason) if row[0] == "failing"], "the worker fails"
        )
        assert "small3" in told
        with own.cluster.session(user=ATTACKER) as session:
            session.execute(reason)
            assert session.fetchone() == ("failing", None)
            session.execute(submit, (own.csv("small4.jpg"),))
            (notice,) = session.connection.notices
            assert "failing" in notice and "small3" not in notice and "administrators" in notice
    finally:
        own.sql("DROP TRIGGER refuse ON imgpress.images")
    assert own.wait(request) == "Completed"
