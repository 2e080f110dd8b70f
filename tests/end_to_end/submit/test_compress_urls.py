"""compress_image_urls() and compress_images(): many images at a time, in an ordinary session."""

import contextlib
import os
import threading
import time

import psycopg2
import pytest
from PIL import Image

from harness.catalogue import REFUSED_URL
from harness.images import decode, encode, jpeg, painting
from harness.processes import kill
from harness.waiting import wait_for_exit

SLACK = 0.1  # seconds within which a cancel or timeout must take effect
ROUNDS = 3  # the fastest of these counts, because the machine may be busy

URLS = "SELECT * FROM imgpress.compress_image_urls(%s) ORDER BY position"
IMAGES = "SELECT * FROM imgpress.compress_images(%s::bytea[]) ORDER BY position"


def rows_of(cursor):
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


@pytest.fixture(name="session")
def fixture_session(shop):
    with shop.cluster.session() as made:
        yield made


def compress(session, statement, *parameters):
    session.execute(statement, parameters)
    return rows_of(session)


def test_each_row_is_what_the_single_function_returns(shop, session):
    urls = [shop.origin.url(name) for name in ("mug-front.jpg", "small1.jpg", "mug-front.jpg")]
    rows = compress(session, URLS, urls)
    assert [(row["position"], row["url"]) for row in rows] == list(enumerate(urls, 1))
    for row in rows:
        assert row["bytes"] == shop.value("SELECT imgpress.compress_image_url(%s)", row["url"])
        assert (row["error"], row["error_code"]) == (None, None)
        assert row["content_type"] == "image/jpeg"
        assert (row["width"], row["height"]) == decode(bytes(row["bytes"])).size
        assert row["source_bytes"] == len(shop.origin.content(row["url"].rsplit("/", 1)[1]))


def test_a_bad_url_is_an_error_in_its_row(shop, session):
    good, gone, page, loop = map(
        shop.origin.url, ("small1.jpg", "missing.jpg", "html/a.jpg", "redirect-loop/a.jpg")
    )
    urls = [gone, "", None, "ftp://a/b", REFUSED_URL, page, good, loop, "http://" + "x" * 100_000]
    rows = compress(session, URLS, urls)
    assert [row["url"] for row in rows] == urls
    assert [row["error_code"] for row in rows] == [
        "http_status", "bad_url", "bad_url", "bad_url", "connection", "not_an_image", None,
        "too_many_redirects", "bad_url",
    ]  # fmt: skip
    for row in rows:
        assert (row["bytes"] is None) == (row["error"] is not None)
    assert "404" in rows[0]["error"] and rows[2]["error"] == "the URL is empty or NULL"


def test_addresses_are_guarded(shop, session):
    """Also by presses that run since before the setting was changed."""
    (row,) = compress(session, URLS, [shop.origin.url("small0.jpg")])
    assert row["error"] is None
    with shop.cluster.settings({"imgpress.allowed_networks": ""}):
        url = shop.origin.url("small0.jpg?guarded-set")
        (row,) = compress(session, URLS, [url])
    assert row["error_code"] == "address_denied"
    assert shop.origin.ledger.total("/small0.jpg?guarded-set") == 0


def test_bytes(shop, session):
    good, other = jpeg(seed=1), encode(painting(), "PNG")
    with shop.cluster.settings({"imgpress.max_image_bytes": str(10_000_000)}):
        rows = compress(session, IMAGES, [good, b"text", None, b"\xff\xd8" * 5_000_001, other, b""])
    assert [row["error_code"] for row in rows] == [
        None, "not_an_image", None, "too_large", None, "not_an_image",
    ]  # fmt: skip
    for row, source in zip(rows, (good, None, None, None, other)):
        if source is not None:
            single = shop.value("SELECT imgpress.compress_image(%s)", source)
            assert row["bytes"] == single and row["source_bytes"] == len(source)
    assert set(list(rows[2].values())[1:]) == {None}, "NULL: neither an image nor an error"


def test_large_images_and_those_that_are_too_large(shop, session):
    """Each in the midst of small ones, which are not delayed or lost by it."""
    large = encode(Image.new("RGB", (7000, 6000), "navy"), "PNG", compress_level=1)
    small = jpeg(seed=3)
    with shop.cluster.settings({"imgpress.max_pixels": str(42_000_000)}):
        too_many = encode(Image.new("RGB", (7001, 6000), "navy"), "PNG", compress_level=1)
        sources = [small, large, too_many, large, small, b"\x89PNG\r\n\x1a\n" + b"x" * 99, small]
        rows = compress(session, IMAGES, sources)
    assert [row["error_code"] for row in rows] == [
        None, None, "too_many_pixels", None, None, "damaged_image", None,
    ]  # fmt: skip
    assert (rows[1]["width"], rows[1]["height"]) == (7000, 6000)


def test_options(shop, session):
    source = jpeg(600, 400, quality=98)
    statement = (
        "SELECT bytes, imgpress.compress_image(%s, %s, %s) "
        "FROM imgpress.compress_images(%s::bytea[], %s, %s)"
    )
    results = set()
    for options in ((20, "small"), (20, "fast"), (90, "fast")):
        session.execute(statement, (source, *options, [source], *options))
        several, one = map(bytes, session.fetchone())
        assert several == one
        results.add(one)
    assert len(results) == 3
    shop.refused("22023", URLS.replace("(%s)", "('{http://a/1}', 0)"))
    shop.refused("22023", IMAGES.replace("(%s::bytea[])", "('{}'::bytea[], effort => 'turbo')"))


def test_nothing(session):
    for array in ([], None):
        assert compress(session, URLS.replace("%s", "%s::text[]"), array) == []
        assert compress(session, IMAGES, array) == []


def test_downloads_run_at_the_same_time(shop, session):
    gate = shop.origin.gate("set")
    urls = [shop.origin.url(f"held/set/small{n}.jpg") for n in range(6)]
    thread = threading.Thread(target=session.execute, args=(URLS, (urls,)))
    thread.start()
    gate.wait_arrived(2)
    gate.open()
    thread.join()
    assert len([row for row in rows_of(session) if row["bytes"] is not None]) == 6


def test_rows_come_as_the_images_end(shop):
    """In the select list, where PostgreSQL takes them one by one."""
    gate = shop.origin.gate("first-of-a-set")
    held, quick = shop.origin.url("held/first-of-a-set/small0.jpg"), shop.origin.url("small1.jpg")
    with shop.cluster.session(autocommit=False) as session:
        session.execute(
            "DECLARE c CURSOR FOR SELECT (r).position FROM "
            "(SELECT imgpress.compress_image_urls(%s) AS r OFFSET 0) s",
            ([held, quick],),
        )
        session.execute("FETCH 1 FROM c")
        assert session.fetchall() == [(2,)]
        gate.open()
        session.execute("FETCH 2 FROM c")
        assert session.fetchall() == [(1,)]


def presses_of(shop, session):
    backend = session.connection.info.backend_pid
    return {press.pid for press in shop.cluster.presses() if press.parent == backend}


def test_presses_are_kept_for_the_next_call_and_end_with_the_session(shop):
    with shop.cluster.settings({"imgpress.codecs": "2"}), shop.cluster.session() as session:
        compress(session, IMAGES, [jpeg()] * 5)
        first = presses_of(shop, session)
        assert len(first) == 3, "two codecs and a fetcher"
        compress(session, URLS, [shop.origin.url("small1.jpg")] * 2)
        assert presses_of(shop, session) == first
    assert wait_for_exit(first) == []


def test_presses_end_with_a_session_that_is_terminated(shop):
    path = "/hang/set-terminated.jpg"
    with shop.cluster.session() as session:
        backend = session.connection.info.backend_pid
        expected = shop.origin.ledger.total(path) + 2

        def terminate():
            shop.origin.ledger.wait_total(path, expected)
            pids.extend(presses_of(shop, session))
            shop.cluster.query("SELECT pg_terminate_backend(%s)", (backend,))

        pids = []
        thread = threading.Thread(target=terminate)
        thread.start()
        with pytest.raises(psycopg2.OperationalError):
            session.execute(URLS, ([shop.origin.url(path)] * 3,))
        thread.join()
    assert pids and wait_for_exit(pids) == []


def test_two_sets_in_one_query(shop, session):
    urls = [shop.origin.url(f"small{n}.jpg") for n in range(5)]
    session.execute(
        "SELECT (imgpress.compress_image_urls(%s)).position, "
        "(imgpress.compress_images(%s::bytea[])).position",
        (urls, [jpeg(seed=n) for n in range(5)]),
    )
    ones, others = zip(*session.fetchall())
    assert sorted(ones) == sorted(others) == [1, 2, 3, 4, 5]


def test_a_query_that_stops_early(shop):
    """Its presses have work that nobody wants any more, and end."""
    url = shop.origin.url("hang/set-limit.jpg")
    with shop.cluster.session() as session:
        session.execute(
            "SELECT (imgpress.compress_image_urls(%s)).position LIMIT 1",
            ([shop.origin.url("small1.jpg"), url],),
        )
        assert session.fetchall() == [(1,)]
        assert presses_of(shop, session) == set()
        assert [row["error"] for row in compress(session, URLS, [shop.origin.url("small2.jpg")])] == [
            None
        ]


def test_cancel_while_origins_hang(shop, session):
    path = "/hang/set-cancel.jpg"
    sent = []

    def cancel(expected):
        shop.origin.ledger.wait_total(path, expected)
        sent.append(time.monotonic())
        session.connection.cancel()

    def once():
        expected = shop.origin.ledger.total(path) + 2
        thread = threading.Thread(target=cancel, args=(expected,))
        thread.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            session.execute(URLS, ([shop.origin.url(path)] * 4,))
        took = time.monotonic() - sent[-1]
        thread.join()
        assert presses_of(shop, session) == set()
        assert compress(session, IMAGES, [jpeg()])[0]["error"] is None
        return took

    assert min(once() for _ in range(ROUNDS)) < SLACK


def test_statement_timeout_while_codecs_work(shop, session):
    # Few bytes and many pixels: the time is spent in the codecs, not on copies of the bytes.
    large = encode(Image.new("RGB", (8000, 6000), "teal"), "PNG")
    session.execute("CREATE TEMPORARY TABLE large (image bytea)")
    session.execute("INSERT INTO large VALUES (%s)", (large,))
    every = "SELECT array_agg(image) FROM large, generate_series(1, 8)"

    def once():
        compress(session, IMAGES, [jpeg()])
        session.execute("SET statement_timeout = '150ms'")
        begin = time.monotonic()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            session.execute(f"SELECT position FROM imgpress.compress_images(({every}))")
        took = time.monotonic() - begin
        session.execute("SET statement_timeout = 0")
        assert presses_of(shop, session) == set()
        return took

    assert min(once() for _ in range(ROUNDS)) < 0.15 + SLACK


def test_an_error_that_is_caught_ends_the_presses(shop, session):
    """In a block with EXCEPTION the transaction goes on."""
    session.execute(
        "CREATE FUNCTION pg_temp.impatient(url text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM 1 / ((r).position - 1) FROM (SELECT imgpress.compress_image_urls(ARRAY[url, url]) AS r "
        "OFFSET 0) s; RETURN 'all'; EXCEPTION WHEN division_by_zero THEN RETURN 'caught'; END $$"
    )
    session.execute("SELECT pg_temp.impatient(%s)", (shop.origin.url("small1.jpg"),))
    assert session.fetchone() == ("caught",)
    session.execute("SELECT 1")
    assert presses_of(shop, session) == set()


@pytest.mark.parametrize("role", ["fetcher", "codec"])
def test_a_press_that_has_died_since_the_last_call(shop, session, role):
    urls = [shop.origin.url(f"small{n}.jpg") for n in range(3)]
    compress(session, URLS, urls)
    mine = presses_of(shop, session)
    died = [press.pid for press in shop.cluster.presses(role) if press.pid in mine]
    assert died
    kill(died)
    assert [row["error"] for row in compress(session, URLS, urls)] == [None] * 3


def test_a_fetcher_that_dies_while_it_downloads(shop, session):
    """Its downloads begin again."""
    gate = shop.origin.gate("set-killed")
    urls = [shop.origin.url("held/set-killed/small0.jpg"), shop.origin.url("small1.jpg")]
    thread = threading.Thread(target=session.execute, args=(URLS, (urls,)))
    thread.start()
    gate.wait_arrived(1)
    mine = presses_of(shop, session)
    (fetcher,) = [press.pid for press in shop.cluster.presses("fetcher") if press.pid in mine]
    kill([fetcher])
    gate.open()
    thread.join()
    assert [row["error"] for row in rows_of(session)] == [None, None]


def test_a_host_that_wants_a_pause_is_asked_again_by_the_next_call(shop, session):
    limited = shop.origin.url("status/429?retry-after=60")
    (row,) = compress(session, URLS, [limited])
    assert row["error_code"] == "http_status"
    (row,) = compress(session, URLS, [shop.origin.url("small1.jpg")])
    assert row["error"] is None


def private_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def test_memory_is_bounded(shop, session):
    """100 sources of 700 kB, whose outputs are nearly as large: they are not held all at once."""
    noise = os.urandom(720 * 480 * 3)
    picture = encode(Image.frombytes("RGB", (720, 480), noise), "JPEG", quality=95)
    shop.origin.add("noise.jpg", picture)
    pid = session.connection.info.backend_pid
    most, done = [private_kb(pid)], threading.Event()

    def watch():
        while not done.wait(0.01):
            most[0] = max(most[0], private_kb(pid))

    before = private_kb(pid)
    watcher = threading.Thread(target=watch)
    watcher.start()
    with contextlib.ExitStack() as stack:
        stack.callback(watcher.join)
        stack.callback(done.set)
        session.execute("SET work_mem = '1MB'")
        session.execute(
            "SELECT count(bytes), sum(octet_length(bytes)) FROM imgpress.compress_image_urls("
            "(SELECT array_agg(%s || '?' || g) FROM generate_series(1, 100) g), 90)",
            (shop.origin.url("noise.jpg"),),
        )
    count, total = session.fetchone()
    assert count == 100 and total > 20_000_000
    assert (most[0] - before) * 1024 < total / 2
