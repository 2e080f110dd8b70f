"""submit_query(): from the rows of a query to outputs under the caller's keys, with the caller's rights."""

import contextlib
import threading
import time
import uuid

import psycopg2
import pytest

from harness.waiting import wait_until

SLACK = 0.1  # seconds within which a cancel or timeout must take effect
MANY = "SELECT g, 'http://images.test/' || g || '.jpg' FROM generate_series(1, {}) g"


def test_from_a_table_to_outputs(shop):
    one, two = (shop.origin.url(f"small{n}.jpg") for n in range(2))
    shop.sql("CREATE TABLE keyed (sku text, title text, gallery jsonb)")
    gallery = f'[{{"src": "{one}"}}, null, "{two}"]'
    shop.sql("INSERT INTO keyed VALUES ('SKU-1', 'Mug', %s), ('SKU-2', NULL, %s)", gallery, f'"{one}"')
    request = shop.value("SELECT imgpress.submit_query('TABLE keyed')")
    shop.sql("DROP TABLE keyed")
    products = shop.finish(request)
    assert [(it["serial_number"], it["product_name"]) for it in products] == [
        (1, "Mug"),
        (2, "SKU-2"),
    ]
    assert shop.urls_by_key(request) == {"SKU-1": [one, "", two], "SKU-2": [one]}
    ((first,), (second,)) = shop.sql("SELECT output_urls FROM imgpress.request_products(%s)", request)
    assert [bool(url) for url in first] == [True, False, True] and second == [first[0]]


@pytest.fixture(scope="module", name="roles")
def fixture_roles(shop):
    shop.sql("CREATE ROLE rose LOGIN IN ROLE imgpress_user")
    shop.sql("CREATE ROLE mallet LOGIN IN ROLE imgpress_user, rose")
    shop.sql("CREATE ROLE reed LOGIN IN ROLE imgpress_reader")
    shop.sql("CREATE SCHEMA own; GRANT ALL ON SCHEMA own TO rose, mallet")
    shop.sql("CREATE TABLE own.goods (id int, owner name, photo text)")
    shop.sql(
        "INSERT INTO own.goods VALUES (1, 'rose', 'http://a.test/1'), (2, 'mallet', 'http://a.test/2')"
    )
    shop.sql("ALTER TABLE own.goods ENABLE ROW LEVEL SECURITY")
    shop.sql("CREATE POLICY own ON own.goods USING (owner = current_user)")
    shop.sql("GRANT SELECT ON own.goods TO rose, mallet")
    shop.sql("CREATE TABLE own.secret AS SELECT 1 AS id, 'http://a.test/secret' AS photo")
    yield
    shop.sql("DROP SCHEMA own CASCADE")
    shop.sql("DROP OWNED BY mallet, rose")
    shop.sql("DROP ROLE mallet, rose, reed")


def test_the_query_has_the_rights_of_the_caller(shop, roles):
    submit = "SELECT imgpress.submit_query(%s)"
    request = shop.cluster.scalar(submit, ("SELECT id, photo FROM own.goods",), user="rose")
    assert shop.urls_by_key(request) == {"1": ["http://a.test/1"]}, "row-level security"
    owner = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    assert shop.value(owner, request) == "rose"
    for query in (
        "SELECT id, photo FROM own.secret",
        "SELECT id, url FROM imgpress_internal.leases, imgpress.images",
        "SELECT 1, pg_catalog.pg_read_file('postgresql.conf')",
        "SELECT key, secret FROM imgpress.webhook_secrets, imgpress.products",
    ):
        with pytest.raises(psycopg2.Error) as raised:
            shop.cluster.query(submit, (query,), user="rose")
        assert raised.value.pgcode in ("42501", "42703"), query
    shop.refused("42501", submit, "SELECT 1, 'http://a.test/1'", user="reed")


def test_what_the_query_creates_belongs_to_the_caller(shop, roles):
    """It runs as the caller to its end, also in the second portion, after functions of imgpress's
    owner have run."""
    shop.sql(
        "CREATE FUNCTION own.who(n int) RETURNS text LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN 'http://a.test/' || current_user || '/' || session_user; END $$"
    )
    request = shop.cluster.scalar(
        "SELECT imgpress.submit_query('SELECT g, own.who(g) FROM generate_series(1, 10050) g')",
        user="rose",
    )
    urls = shop.sql("SELECT DISTINCT url FROM imgpress.images WHERE request_id = %s", request)
    assert urls == [("http://a.test/rose/rose",)]


def test_the_search_path_of_the_caller_is_for_the_query_only(shop, roles):
    """Operators and functions that imgpress might use itself, in front of those of PostgreSQL."""
    with shop.cluster.session(user="mallet") as session:
        session.execute(
            "CREATE TABLE own.calls (who text, what text); "
            "CREATE FUNCTION own.spy(what text) RETURNS void LANGUAGE sql AS "
            "$$ INSERT INTO own.calls VALUES (current_user, what) $$; "
            "CREATE FUNCTION own.same(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM own.spy('='); RETURN true; END $$; "
            "CREATE OPERATOR own.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = own.same); "
            "CREATE FUNCTION own.coalesce_id(uuid) RETURNS uuid LANGUAGE sql AS 'SELECT $1'; "
            "CREATE FUNCTION own.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM own.spy('unnest'); RETURN; END $$; "
            "CREATE FUNCTION own.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM own.spy('uuid'); RETURN NULL; END $$; "
            "CREATE TABLE own.processing_requests (id uuid); CREATE TABLE own.products (id uuid)"
        )
        session.execute("SET search_path = own, pg_catalog")
        session.execute("SELECT imgpress.submit_query('SELECT id, photo FROM goods')")
        (request,) = session.fetchone()
        session.execute("SELECT DISTINCT who FROM own.calls")
        assert {who for (who,) in session.fetchall()} <= {"mallet"}
        session.execute("SHOW search_path")
        assert session.fetchone() == ("own, pg_catalog",)
        session.execute("DROP OPERATOR own.= (uuid, uuid)")
    assert shop.urls_by_key(request) == {"2": ["http://a.test/2"]}
    assert shop.sql("SELECT count(*) FROM own.calls WHERE who = 'imgpress_owner'") == [(0,)]


@pytest.mark.parametrize(
    "setting, value, state",
    [
        ("role", "rose", "55000"),
        ("search_path", "own", None),
        ("row_security", "off", None),
        ("DateStyle", "German", None),
        ("transaction_read_only", "on", "25006"),
        ("imgpress.acting_role", "rose", "55P02"),
    ],
)
def test_a_query_that_changes_a_setting(shop, roles, setting, value, state):
    """It may do what its caller may do at any time; the request stays the caller's, or fails."""
    query = (
        f"SELECT g, 'http://a.test/1' || left(set_config('{setting}', '{value}', true), 0) "
        "FROM generate_series(1, 10050) g"
    )
    before = shop.value("SELECT count(*) FROM imgpress.processing_requests")
    with shop.cluster.session(user="mallet", autocommit=False) as session:
        if state is not None:
            with pytest.raises(psycopg2.Error) as raised:
                session.execute("SELECT imgpress.submit_query(%s)", (query,))
            assert raised.value.pgcode == state
            session.connection.rollback()
            assert shop.value("SELECT count(*) FROM imgpress.processing_requests") == before
            return
        session.execute("SELECT imgpress.submit_query(%s)", (query,))
        (request,) = session.fetchone()
        session.connection.commit()
    stored = "SELECT submitted_by, product_count FROM imgpress.processing_requests WHERE id = %s"
    assert shop.sql(stored, request) == [("mallet", 10050)]


def test_a_query_that_meddles_with_its_own_cursor_or_request(shop, roles):
    """CLOSE ALL, the same request within the request, and statements of the same name."""
    own = str(uuid.uuid4())
    with shop.cluster.session(user="mallet") as session:
        session.execute(
            "CREATE FUNCTION own.meddle(id uuid) RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
            "BEGIN EXECUTE 'CLOSE ALL'; EXCEPTION WHEN OTHERS THEN NULL; END; "
            "PERFORM imgpress.submit_query('SELECT 7, ''http://a.test/inner''', request_id => id); "
            "RETURN 'http://a.test/outer'; END $$"
        )
        session.execute(
            "SELECT imgpress.submit_query(format('SELECT g, own.meddle(%%L) "
            "FROM generate_series(1, 300) g', %s), request_id => %s)",
            (own, own),
        )
    assert shop.urls_by_key(own) == {str(n): ["http://a.test/outer"] for n in range(1, 301)}


def test_the_machinery_is_closed(shop, roles):
    """Its functions write what they are told, so nobody calls them but imgpress itself."""
    request = shop.cluster.scalar(
        "SELECT imgpress.submit_query('SELECT 1, ''http://a.test/1''')", user="rose"
    )
    calls = (
        "store_products(%s::uuid, 2, '{x}', '{x}', '{{1}}', '{}', '{}', '{}')",
        "seal_request(%s::uuid, 1, 1, 1, 'text')",
        "open_request(%s::uuid, NULL, '{}', 5)",
        "check_open(%s::uuid)",
    )
    for call in calls:
        statement = f"SELECT imgpress_internal.{call}"
        for user in ("rose", "shop_gateway"):
            shop.refused("42501", statement, request, user=user)
    for call in (calls[0], calls[1], calls[3]):
        shop.refused("55000", f"SELECT imgpress_internal.{call}", request)


def test_priority_above_0_is_for_admins(shop, roles):
    submit = "SELECT imgpress.submit_query('SELECT 1, ''http://a.test/1''', priority => %s)"
    shop.refused("42501", submit, 1, user="rose")
    assert shop.cluster.scalar(submit, (-100,), user="rose")
    assert shop.value(submit, 100)


def test_an_id_of_somebody_else(shop, roles):
    submit = "SELECT imgpress.submit_query('SELECT 1, ''http://a.test/1''', request_id => %s)"
    own = str(uuid.uuid4())
    assert shop.value(submit, own) == own
    error = shop.refused("23505", submit, own, user="rose")
    assert "not unique" in error


def test_the_same_request_twice_at_the_same_time(shop, unserved):
    """The second waits for the first, and returns its id."""
    own = str(uuid.uuid4())
    submit = "SELECT imgpress.submit_query(%s, request_id => %s)"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(shop.cluster.session(unserved, autocommit=False))
        second = stack.enter_context(shop.cluster.session(unserved))
        first.execute(submit, (MANY.format(20_000), own))
        pid = second.connection.info.backend_pid
        thread = threading.Thread(target=second.execute, args=(submit, (MANY.format(5), own)))
        thread.start()
        waits = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: shop.value(waits, pid), "the second one waits")
        first.connection.commit()
        thread.join()
        assert second.fetchone() == (own,)
    count = "SELECT product_count FROM imgpress.processing_requests WHERE id = %s"
    assert shop.cluster.scalar(count, (own,), unserved) == 20_000


def interrupted(session, query, act):
    session.execute("SET statement_timeout = 0")
    begin = act()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        session.execute("SELECT imgpress.submit_query(%s)", (query,))
    return time.monotonic() - begin()


@pytest.mark.parametrize("query", [MANY.format(50_000_000), "SELECT 1, pg_sleep(60)::text"])
def test_statement_timeout_and_cancel(shop, unserved, query):
    with shop.cluster.session(unserved) as session:

        def timeout():
            session.execute("SET statement_timeout = '300ms'")
            begin = time.monotonic() + 0.3
            return lambda: begin

        def cancel():
            sent = []

            def send():
                sent.append(time.monotonic())
                session.connection.cancel()

            threading.Timer(0.3, send).start()
            return lambda: sent[0]

        for act in (timeout, cancel):
            assert min(interrupted(session, query, act) for _ in range(3)) < SLACK
        session.execute("SELECT count(*) FROM imgpress.processing_requests WHERE product_count = 0")
        assert session.fetchone() == (0,)


def private_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def peak_kb(cluster, database, query):
    """How much more private memory than before its backend uses while a query is submitted."""
    with cluster.session(database) as session:
        pid = session.connection.info.backend_pid
        session.execute("SELECT imgpress.submit_query('SELECT 1, ''http://a.test/1''')")
        before = most = private_kb(pid)
        done = threading.Event()
        thread = threading.Thread(
            target=lambda: (session.execute("SELECT imgpress.submit_query(%s)", (query,)), done.set())
        )
        thread.start()
        while not done.wait(0.005):
            most = max(most, private_kb(pid))
        thread.join()
    return most - before


def test_memory_is_bounded(shop, unserved):
    """300 MB of rows, and 300 MB in rows of 3 MB each."""
    urls = "'http://images.test/' || g"
    wide = f"SELECT g, repeat('n', 1000), {urls} FROM generate_series(1, 300000) g"
    assert peak_kb(shop.cluster, unserved, wide) < 100_000
    lists = (
        "SELECT g, (SELECT array_agg('http://images.test/' || repeat('x', 3000) || n) "
        "FROM generate_series(1, 1000) n) FROM generate_series(1, 100) g"
    )
    assert peak_kb(shop.cluster, unserved, lists) < 100_000
    shop.cluster.query("DELETE FROM imgpress.processing_requests", database=unserved)
