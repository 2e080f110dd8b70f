"""schedule_refresh() and schedule_submit(): jobs of pg_cron that belong to whoever asked for them."""

import psycopg2
import pytest

from harness.cluster import Cluster, installed_libraries
from harness.waiting import wait_until

pytestmark = pytest.mark.skipif(
    not installed_libraries(["pg_cron"]), reason="pg_cron is not installed"
)

USER = "scheduler"
EVERY_MINUTE = "* * * * *"
RUNS = (
    "SELECT d.username, d.status, d.return_message FROM cron.job_run_details d "
    "JOIN cron.job j USING (jobid) WHERE j.jobname = %s AND d.status IN ('succeeded', 'failed')"
)
JOBS = "SELECT jobname, schedule, command, username, database FROM cron.job ORDER BY jobname"
QUERY = "SELECT id, photo FROM goods -- what is sold"


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    """A user of imgpress and of pg_cron with a table `goods`, which its own search_path finds."""
    with open_shop(gateway=False, extensions=("pg_cron", "imgpress"), name="cron") as made:
        made.sql(f"CREATE ROLE {USER} LOGIN IN ROLE imgpress_user")
        made.sql(f"CREATE SCHEMA market AUTHORIZATION {USER}")
        made.sql(f"ALTER ROLE {USER} SET search_path = market")
        made.sql(f"GRANT USAGE ON SCHEMA cron TO {USER}")
        as_user(made, "CREATE TABLE goods (id bigint PRIMARY KEY, photo text, small text)")
        url = made.origin.url("small0.jpg?goods")
        as_user(made, "INSERT INTO goods VALUES (9007199254740993, %s)", url)
        yield made


def as_user(shop, statement, *parameters):
    return shop.cluster.query(statement, parameters or None, user=USER)


def refused(shop, sqlstate, statement, *parameters, user=USER):
    """The message and the hint."""
    diag = shop.cluster.refused(sqlstate, statement, parameters or None, user=user).diag
    return diag.message_primary, diag.message_hint


@pytest.fixture(name="shop")
def fixture_shop(own):
    """Without jobs, at the beginning and at the end."""
    unschedule = "SELECT cron.unschedule(jobid) FROM cron.job"
    own.sql(unschedule)
    yield own
    own.sql(unschedule)


@pytest.fixture(scope="module", name="attached")
def fixture_attached(own):
    attach = "SELECT imgpress.attach('goods', key => 'id', url => 'photo', output => 'small')"
    as_user(own, attach)
    outputs = "SELECT count(small) FROM market.goods"
    wait_until(lambda: own.value(outputs) == 1, "the table has its output")


def test_jobs_run_as_who_asked_for_them(shop, attached):
    """Both jobs really fire, at the next full minute."""
    before = shop.origin.ledger.count("/small0.jpg?goods")
    as_user(shop, "SELECT imgpress.schedule_refresh('goods', %s)", EVERY_MINUTE)
    as_user(shop, "SELECT imgpress.schedule_submit('sold', %s, %s)", EVERY_MINUTE, QUERY)
    jobs = shop.sql(JOBS)
    assert [(name, user, database) for name, _, _, user, database in jobs] == [
        ("imgpress refresh market.goods", USER, "shop"),
        ("imgpress submit sold", USER, "shop"),
    ]
    for name, *_ in jobs:
        ((user, status, message),) = wait_until(
            lambda: shop.sql(RUNS, name),  # noqa: B023
            f"{name} has run",
            80,
        )
        assert (user, status) == (USER, "succeeded"), message
    submitted = (
        "SELECT id, priority FROM imgpress.processing_requests "
        "WHERE submitted_by = %s AND NOT standing AND key_type = 'bigint'"
    )
    ((request, priority),) = shop.sql(submitted, USER)
    shop.finish(request)
    assert priority == -10
    key = "SELECT key FROM imgpress.products WHERE request_id = %s"
    assert shop.value(key, request) == "9007199254740993"
    asked_again = lambda: shop.origin.ledger.count("/small0.jpg?goods") >= before + 2  # noqa: E731
    wait_until(asked_again, "the refresh and the submission have asked for the picture")


def test_scheduling_again_changes_the_job(shop, attached):
    for schedule in ("0 3 * * *", "30 4 * * 0"):
        name = as_user(shop, "SELECT imgpress.schedule_refresh('goods', %s)", schedule)[0][0]
        assert name == "imgpress refresh market.goods"
        as_user(shop, "SELECT imgpress.schedule_submit('a', %s, %s)", schedule, QUERY)
    refresh, submit = shop.sql(JOBS)
    command = "SELECT imgpress.reconcile('market.goods', refresh => true)"
    assert refresh[:3] == ("imgpress refresh market.goods", "30 4 * * 0", command)
    assert submit[1] == "30 4 * * 0"
    assert as_user(shop, "SELECT imgpress.unschedule('market.goods')") == [(refresh[0],)]
    assert as_user(shop, "SELECT imgpress.unschedule('a')") == [(submit[0],)]
    assert shop.sql(JOBS) == []


def test_arguments_and_quotes(shop):
    query = "SELECT id, photo FROM goods WHERE photo <> 'it''s $$ %s'"
    shop.cluster.query(
        "SELECT imgpress.schedule_submit('quoted', '0 4 * * *', %s, quality => 33, effort => 'fast', "
        "priority => -99, webhook_url => 'http://hooks.test/a''b')",
        (query,),
        user=USER,
    )
    (command,) = (job[2] for job in shop.sql(JOBS))
    ((request,),) = shop.cluster.query(command, user=USER)
    stored = "SELECT quality, effort, priority, webhook_url FROM imgpress.processing_requests WHERE id = %s"
    assert shop.sql(stored, request) == [(33, "fast", -99, "http://hooks.test/a'b")]
    shop.sql("SELECT imgpress.cancel(%s)", request)


@pytest.mark.parametrize(
    "sqlstate, query",
    [
        ("42P01", "SELECT id, photo FROM bads"),
        ("42601", "SELECT id, FROM goods"),
        ("22023", "SELECT id, photo FROM goods; SELECT 1"),
        ("22023", "CREATE TABLE made_by_a_check (id integer)"),
        ("22023", "INSERT INTO goods VALUES (1, 'http://a.test/1')"),
        ("22023", ""),
        ("22004", None),
        ("42501", "SELECT jobid, command FROM market.closed"),
        ("42804", "SELECT 1"),
        ("42804", "SELECT photo, id FROM goods"),
    ],
)
def test_a_wrong_query_is_refused_at_once(shop, sqlstate, query):
    shop.sql("CREATE TABLE IF NOT EXISTS market.closed (jobid bigint, command text)")
    refused(shop, sqlstate, "SELECT imgpress.schedule_submit('x', '0 4 * * *', %s)", query)
    assert shop.sql(JOBS) == []


def test_a_query_is_checked_as_the_job_will_run_it(shop):
    with shop.cluster.session(user=USER) as session:
        session.execute("SET search_path = cron")
        statement = "SELECT imgpress.schedule_submit('x', '0 4 * * *', 'SELECT jobid, command FROM job')"
        with pytest.raises(psycopg2.errors.UndefinedTable) as error:
            session.execute(statement)
    assert "with the search_path of a new session: market" in error.value.diag.context


@pytest.mark.parametrize(
    "prepare, query, what",
    [
        ("CREATE TEMP TABLE tonight (id int, photo text)", "TABLE tonight", "a temporary table"),
        (
            "CREATE TEMP TABLE tonight (id int)",
            "SELECT g.* FROM goods g WHERE g.id IN (SELECT t.id FROM tonight t)",
            "a temporary table",
        ),
        ("PREPARE sold AS SELECT id, photo FROM goods", "EXECUTE sold", "a prepared statement"),
        ("DECLARE sold CURSOR WITH HOLD FOR SELECT 1, ''", "FETCH ALL FROM sold", "a cursor"),
    ],
)
def test_a_query_of_what_only_the_session_has_is_refused(shop, prepare, query, what):
    with shop.cluster.session(user=USER) as session:
        session.execute(prepare)
        with pytest.raises(psycopg2.Error, match=f"uses {what} of this session") as error:
            session.execute("SELECT imgpress.schedule_submit('x', '0 4 * * *', %s)", (query,))
    assert error.value.pgcode == "22023"
    assert shop.sql(JOBS) == []


def test_a_query_that_writes_is_not_run_before_its_time(shop):
    query = "INSERT INTO goods VALUES (1, 'http://a.test/1') RETURNING id, photo"
    as_user(shop, "SELECT imgpress.schedule_submit('writes', '0 4 1 1 *', %s)", query)
    assert shop.value("SELECT count(*) FROM market.goods WHERE id = 1") == 0


@pytest.mark.parametrize(
    "sqlstate, arguments",
    [
        ("22023", "quality => 101"),
        ("22023", "webhook_url => 'ftp://a.test/'"),
        ("42501", "priority => 1"),
        ("22023", "priority => 1000"),
        ("22004", "name => NULL"),
        ("22023", "name => ' '"),
        ("22004", "schedule => NULL"),
        ("22023", "schedule => ''"),
        ("22023", "schedule => 'at noon'"),
        ("22023", "schedule => '0 25 * * *'"),
    ],
)
def test_wrong_arguments_are_refused_at_once(shop, sqlstate, arguments):
    given = {"name": "'x'", "schedule": "'0 4 * * *'", "query": "'SELECT 1, ''http://a/'''"}
    name, value = arguments.split(" => ")
    call = ", ".join(f"{it} => {given[it]}" for it in given if it != name)
    refused(shop, sqlstate, f"SELECT imgpress.schedule_submit({call}, {name} => {value})")
    assert shop.sql(JOBS) == []


@pytest.mark.parametrize(
    "sqlstate, arguments",
    [
        ("P0002", "NULL"),
        ("42P01", "'no_such_table'"),
        ("P0002", "'other_goods'"),
        ("22004", "'goods', NULL"),
        ("22023", "'goods', 'at noon'"),
    ],
)
def test_wrong_arguments_of_a_refresh_are_refused_at_once(shop, attached, sqlstate, arguments):
    as_user(shop, "CREATE TABLE IF NOT EXISTS other_goods (id bigint PRIMARY KEY, photo text)")
    refused(shop, sqlstate, f"SELECT imgpress.schedule_refresh({arguments})")
    assert shop.sql(JOBS) == []


def test_columns_that_a_job_will_not_use_are_named(shop):
    with shop.cluster.session(user=USER) as session:
        query = "SELECT id, 1, 2 AS stock, photo FROM goods"
        session.execute("SELECT imgpress.schedule_submit('x', '0 4 * * *', %s)", (query,))
        assert '1 column of the query is not used: "stock"' in session.connection.notices[-1]


def test_others_neither_see_nor_end_a_job(shop, attached):
    shop.sql("CREATE ROLE other_scheduler LOGIN IN ROLE imgpress_user")
    shop.sql("GRANT USAGE ON SCHEMA cron TO other_scheduler")
    as_user(shop, "SELECT imgpress.schedule_refresh('goods')")
    as_user(shop, "SELECT imgpress.schedule_submit('mine', '0 4 * * *', %s)", QUERY)
    statement = "SELECT imgpress.unschedule('mine')"
    message, hint = refused(shop, "P0002", statement, user="other_scheduler")
    assert message == 'you have scheduled nothing that is named "mine"'
    assert hint == "What you have scheduled: nothing."
    statement = "SELECT imgpress.schedule_refresh('market.goods')"
    refused(shop, "42501", statement, user="other_scheduler")
    _, hint = refused(shop, "P0002", "SELECT imgpress.unschedule('other')")
    assert hint == "What you have scheduled: market.goods, mine."
    assert len(shop.sql(JOBS)) == 2
    shop.sql("DROP OWNED BY other_scheduler")
    shop.sql("DROP ROLE other_scheduler")


def test_what_is_missing_is_said(shop, attached):
    shop.sql(f"REVOKE USAGE ON SCHEMA cron FROM {USER}")
    message, hint = refused(shop, "42501", "SELECT imgpress.schedule_refresh('goods')")
    assert message == f'role "{USER}" may not use pg_cron'
    shop.sql(hint.split(": ", 1)[1])  # the remedy
    as_user(shop, "SELECT imgpress.schedule_refresh('goods')")
    shop.sql("CREATE ROLE team_without_login IN ROLE imgpress_user")
    shop.sql("GRANT USAGE ON SCHEMA cron TO team_without_login")
    shop.sql(f"GRANT team_without_login TO {USER}")
    with shop.cluster.session(user=USER) as session:
        session.execute("SET ROLE team_without_login")
        with pytest.raises(psycopg2.Error, match="cannot log in, so pg_cron could not run a job"):
            session.execute("SELECT imgpress.schedule_submit('x', '0 4 * * *', 'SELECT 1, 2')")
    shop.sql("DROP OWNED BY team_without_login")
    shop.sql("DROP ROLE team_without_login")
    shop.cluster.query("CREATE DATABASE elsewhere")
    shop.cluster.query("CREATE EXTENSION imgpress", database="elsewhere")
    error = shop.cluster.refused("55000", "SELECT imgpress.unschedule('x')", database="elsewhere")
    assert 'pg_cron keeps its jobs in database "shop", not in "elsewhere"' in str(error)
    shop.cluster.query("DROP DATABASE elsewhere")


def test_a_long_name_is_refused_or_shortened(shop):
    long = "n" * 60
    refused(shop, "42622", "SELECT imgpress.schedule_submit(%s, '0 4 * * *', %s)", long, QUERY)
    as_user(shop, f"CREATE TABLE {long} (id bigint PRIMARY KEY, photo text, small text)")
    as_user(shop, f"SELECT imgpress.attach('{long}', key => 'id', url => 'photo', output => 'small')")
    ((name,),) = as_user(shop, f"SELECT imgpress.schedule_refresh('{long}')")
    assert as_user(shop, "SELECT imgpress.unschedule(%s)", name.split()[-1]) == [(name,)]
    as_user(shop, f"SELECT imgpress.detach('{long}')")
    as_user(shop, f"DROP TABLE {long}")


def test_without_pg_cron():
    with Cluster(preload=("imgpress",), name="no-cron") as bare:
        bare.query("CREATE EXTENSION imgpress")
        statement = "SELECT imgpress.schedule_submit('a', '0 4 * * *', 'SELECT 1')"
        error = bare.refused("55000", statement)
        assert 'pg_cron is not installed in database "shop"' in str(error)
        assert "cron.database_name = 'shop', restart PostgreSQL" in error.diag.message_hint
        bare.query("CREATE ROLE user_of_imgpress LOGIN IN ROLE imgpress_user")
        assert bare.refused("55000", statement, user="user_of_imgpress").diag.message_hint
