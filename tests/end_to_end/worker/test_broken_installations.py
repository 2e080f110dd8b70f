"""What a broken installation says: in imgpress.workers, in the notice at submit, and in the log."""

import contextlib
from datetime import timedelta

import psycopg2
import pytest

from harness.catalogue import REFUSED_URL, one_product
from harness.cluster import Cluster
from harness.images import jpeg
from harness.waiting import wait_until

HALTED = ("cannot start", "no extension", "no such database")
LONG = timedelta(seconds=3)
NEXT_TRY = "SELECT next_try FROM imgpress_internal.worker_state()"
UNFINISHED = "SELECT FROM imgpress.processing_requests WHERE status IN ('Pending', 'Processing')"
STATE = "SELECT state, reason, next_try_in FROM imgpress.workers WHERE database = %s"


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster():
    with Cluster({"imgpress.databases": "shop"}, name="broken") as made:
        made.query("CREATE EXTENSION imgpress")
        yield made


@contextlib.contextmanager
def configured(cluster, **settings):
    settings = {f"imgpress.{name}": value for name, value in settings.items()}
    cluster.configure(settings)
    try:
        yield
    finally:
        cluster.configure(dict.fromkeys(settings) | {"imgpress.databases": "shop"})
        wait_for_state(cluster, "shop", "idle")


def wait_for_state(cluster, database, state):
    """Returns reason and next try when imgpress.workers shows this state."""

    def look():
        rows = cluster.query(STATE, (database,))
        return [row for row in rows if row[0] == state and (row[2] or state not in HALTED)]

    ((_, reason, next_try_in),) = wait_until(look, f"{database} is {state!r}")
    return reason, next_try_in


def notices_of_submit(cluster, database="shop"):
    with cluster.session(database) as session:
        session.execute("SELECT imgpress.submit_csv(%s)", (one_product(REFUSED_URL),))
        return "".join(session.connection.notices)


def warnings(cluster, text):
    return [line for line in cluster.log_lines(text) if "WARNING" in line]


# --- the presses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/nonexistent/imgpress-press", "No such file or directory"),
        ("/dev", "Permission denied"),
        ("/bin/true", "keeps ending before it has done any work"),
    ],
)
def test_a_press_that_does_not_start(cluster, path, complaint):
    with configured(cluster, databases="", press_path=path):
        wait_until(lambda: not cluster.drainers(), "the worker has ended")
        cluster.configure({"imgpress.databases": "shop"})
        reason, next_try_in = wait_for_state(cluster, "shop", "cannot start")
        assert path in reason and complaint in reason
        assert next_try_in is not None
        wait_until(lambda: wait_for_state(cluster, "shop", "cannot start")[1] >= LONG, "long pauses")
        notice = notices_of_submit(cluster)
        assert f'database "shop": cannot start: {reason}; next try in' in notice
        assert len(warnings(cluster, path)) == 1
        assert cluster.log_lines("FATAL") == []


def test_the_request_is_processed_when_the_press_is_back(cluster):
    with configured(cluster, databases="", press_path="/nonexistent"):
        wait_until(lambda: not cluster.drainers(), "the worker has ended")
        cluster.configure({"imgpress.databases": "shop"})
        wait_for_state(cluster, "shop", "cannot start")
        csv = one_product(REFUSED_URL)
        request = cluster.scalar("SELECT imgpress.submit_csv(%s)", (csv,))
        cluster.configure({"imgpress.press_path": None})
        assert cluster.scalar("SELECT imgpress.wait(%s, '30 s')", (request,)) == "Completed"


# --- databases ----------------------------------------------------------------------------------


def test_a_database_that_does_not_exist(cluster):
    with configured(cluster, databases="shop, shpo"):
        reason, next_try_in = wait_for_state(cluster, "shpo", "no such database")
        assert "imgpress.databases" in reason and next_try_in is not None
        assert len(warnings(cluster, '"shpo"')) == 1


def test_a_database_that_is_closed(cluster):
    with configured(cluster, databases="shop, template0"):
        reason, _ = wait_for_state(cluster, "template0", "cannot start")
        assert "ALLOW_CONNECTIONS" in reason


def test_a_reload_makes_the_launcher_look_again(cluster, second):
    cluster.query("CREATE EXTENSION imgpress", database=second)
    allow = f"ALTER DATABASE {second} ALLOW_CONNECTIONS %s"
    cluster.query(allow % "false")
    with configured(cluster, databases=f"shop, {second}"):
        wait_for_state(cluster, second, "cannot start")
        cluster.query(allow % "true")
        cluster.query("SELECT pg_reload_conf()")
        wait_for_state(cluster, second, "idle")


def test_a_malformed_list_is_refused(cluster):
    with cluster.session() as session:
        session.connection.autocommit = True
        session.execute("LOAD 'imgpress'")
        with pytest.raises(psycopg2.errors.InvalidParameterValue, match="databases") as refused:
            session.execute("ALTER SYSTEM SET imgpress.databases = 'my shop, other'")
    assert "double quotes" in refused.value.diag.message_hint


def test_without_a_slot_for_a_worker():
    settings = {"imgpress.databases": "shop", "max_worker_processes": 2}
    # The launcher and PostgreSQL's own logical replication launcher take both.
    with Cluster(settings, preload=("imgpress",), name="slots") as cluster:
        cluster.query("CREATE EXTENSION imgpress")
        reason, next_try_in = wait_for_state(cluster, "shop", "cannot start")
        assert "max_worker_processes" in reason and next_try_in is not None
        next_try = lambda: cluster.scalar(NEXT_TRY)  # noqa: E731
        for _ in range(2):
            before = next_try()
            assert "max_worker_processes" in notices_of_submit(cluster)  # and the launcher tries again
            wait_until(lambda: next_try() > before, "another attempt")
        assert len(warnings(cluster, "max_worker_processes")) == 1


def test_without_a_slot_for_the_launcher():
    settings = {"imgpress.databases": "shop", "max_worker_processes": 1}
    # PostgreSQL's own logical replication launcher takes the slot.
    with Cluster(settings, preload=("imgpress",), name="slots") as cluster:
        cluster.query("CREATE EXTENSION imgpress")
        assert cluster.launchers() == []
        assert "launcher of imgpress does not run" in notices_of_submit(cluster)


# --- the extension ------------------------------------------------------------------------------


@pytest.fixture(name="second")
def fixture_second(cluster):
    cluster.query("CREATE DATABASE second")
    yield "second"
    cluster.query("DROP DATABASE second")


def test_a_database_without_the_extension(cluster, second):
    with configured(cluster, databases=f"shop, {second}"):
        reason, _ = wait_for_state(cluster, second, "no extension")
        assert "CREATE EXTENSION imgpress" in reason
        cluster.query("CREATE EXTENSION imgpress", database=second)
        wait_for_state(cluster, second, "idle")
        cluster.query("DROP EXTENSION imgpress", database=second)
        wait_for_state(cluster, second, "no extension")


def test_a_database_with_an_earlier_version(cluster, second):
    cluster.query("CREATE EXTENSION imgpress VERSION '0.1.0'", database=second)
    with configured(cluster, databases=f"shop, {second}"):
        reason, _ = wait_for_state(cluster, second, "no extension")
        assert "ALTER EXTENSION imgpress UPDATE" in reason
        cluster.query("ALTER EXTENSION imgpress UPDATE", database=second)
        wait_for_state(cluster, second, "idle")


def test_without_the_role_of_the_worker(cluster):
    cluster.query("ALTER ROLE imgpress_worker RENAME TO renamed")
    try:
        with configured(cluster, databases=""):
            wait_until(lambda: not cluster.drainers(), "the worker has ended")
            cluster.configure({"imgpress.databases": "shop"})
            reason, _ = wait_for_state(cluster, "shop", "no extension")
            assert "CREATE EXTENSION imgpress" in reason
            cluster.query("ALTER ROLE renamed RENAME TO imgpress_worker")
            notices_of_submit(cluster)  # also wakes the launcher
    finally:
        with contextlib.suppress(psycopg2.errors.UndefinedObject):
            cluster.query("ALTER ROLE renamed RENAME TO imgpress_worker")


def test_a_role_that_is_a_superuser(cluster):
    cluster.query("ALTER ROLE imgpress_worker SUPERUSER")
    try:
        notices_of_submit(cluster)
        complaint = "ALTER ROLE imgpress_worker NOSUPERUSER"
        told = lambda: complaint in (cluster.query(STATE, ("shop",))[0][1] or "")  # noqa: E731
        wait_until(told, "the reason")
        assert f"failing: {cluster.query(STATE, ('shop',))[0][1]}" in notices_of_submit(cluster)
        assert len(warnings(cluster, complaint)) <= 2  # claiming images, claiming webhooks
    finally:
        cluster.query("ALTER ROLE imgpress_worker NOSUPERUSER")
    assert cluster.scalar("SELECT imgpress.wait(id) FROM imgpress.processing_requests LIMIT 1")


def test_an_error_that_repeats_is_logged_once(cluster):
    """A trigger counts the attempts in a sequence, which no rollback resets."""
    # The end of an image that is being processed would be refused too: another activity, another line.
    wait_until(lambda: not cluster.query(UNFINISHED), "earlier requests have ended")
    cluster.query("CREATE SEQUENCE attempts; GRANT ALL ON SEQUENCE attempts TO PUBLIC")
    cluster.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM nextval('public.attempts'); RAISE 'refused: %', repeat('ä', 300); END$$"
    )
    cluster.query(
        "CREATE TRIGGER refuse BEFORE UPDATE ON imgpress.images FOR EACH ROW "
        "EXECUTE FUNCTION refuse()"
    )
    try:
        before = cluster.scalar("SELECT last_value FROM attempts")
        notices_of_submit(cluster)
        wait_until(
            lambda: cluster.scalar("SELECT last_value FROM attempts") >= before + 3, "attempts"
        )
        reason, _ = wait_for_state(cluster, "shop", "failing")
        assert reason.startswith("refused: ääää")
        lines = warnings(cluster, "refused:")
        assert len(lines) == 1, cluster.log_tail(300)
        context = 'imgpress worker of database "shop", claiming images'
        assert cluster.log_lines(context)
        cluster.query("CREATE DATABASE other")
        cluster.query("CREATE EXTENSION imgpress", database="other")
        cluster.query("CREATE ROLE nosy LOGIN IN ROLE imgpress_user")
        seen = cluster.query("SELECT reason FROM imgpress.workers", None, "other", "nosy")
        assert seen == [(None,)], "an error of another database, which may quote values"
    finally:
        cluster.query("DROP FUNCTION refuse() CASCADE")
        cluster.query("DROP SEQUENCE attempts")
    wait_for_state(cluster, "shop", "idle")


# --- setting up ---------------------------------------------------------------------------------


def test_create_extension_prints_what_is_missing():
    with Cluster(preload=("pg_cron",), name="setup") as cluster:
        cluster.query('CREATE DATABASE "My Shop"')
        with cluster.session("My Shop") as session:
            session.execute("CREATE EXTENSION imgpress")
            (warning,) = session.connection.notices
        assert "not in shared_preload_libraries" in warning
        statements = [line for line in warning.splitlines() if line.endswith(";")]
        with cluster.session("My Shop") as session:
            session.connection.autocommit = True
            session.execute("SELECT statement || ';' FROM imgpress.setup")
            assert [row for (row,) in session.fetchall()] == statements
            for statement in statements:
                session.execute(statement)
        wait_until(
            lambda: not cluster.query("SELECT FROM imgpress.setup", database="My Shop"),
            "the settings are in force",
        )
        cluster.restart()
        preloaded = cluster.scalar("SHOW shared_preload_libraries")
        assert [name.strip() for name in preloaded.split(",")] == [*cluster.preload, "imgpress"]
        wait_until(lambda: cluster.drainers(), "a worker")
        assert "has to wait" not in notices_of_submit(cluster, "My Shop")

        with cluster.session() as session:
            session.execute("CREATE EXTENSION imgpress")
            (warning,) = session.connection.notices
            session.execute("SELECT statement FROM imgpress.setup")
            (change,), (reload,) = session.fetchall()
        assert "it is not in imgpress.databases" in warning and change in warning
        assert change == """ALTER SYSTEM SET imgpress.databases = '"My Shop", shop'"""
        assert reload == "SELECT pg_reload_conf()"


def test_nothing_to_set_up(cluster):
    assert cluster.query("SELECT * FROM imgpress.setup") == []
    cluster.query("CREATE ROLE clerk LOGIN IN ROLE imgpress_user")
    cluster.refused("42501", "SELECT * FROM imgpress.setup", user="clerk")


# --- the log ------------------------------------------------------------------------------------


def lines_about_imgpress(cluster):
    return [line.split("  ", 1)[1] for line in cluster.log_lines("imgpress") if "  imgpress" in line]


def test_the_log_is_quiet(shop):
    works = lambda: shop.cluster.log_lines('works in database "shop" with')  # noqa: E731
    started = wait_until(works, "the line about the start")
    assert all("codecs, confined by no_new_privs" in line for line in started)
    before = lines_about_imgpress(shop.cluster)
    shop.finish(shop.submit("small0.jpg", "missing.jpg"))
    assert lines_about_imgpress(shop.cluster) == before

    shop.cluster.configure({"imgpress.databases": ""})
    wait_until(lambda: not shop.cluster.drainers(), "the worker has ended")
    (line,) = lines_about_imgpress(shop.cluster)[len(before) :]
    assert line.startswith('imgpress: database "shop" is not in imgpress.databases any more')
    assert [line for line in shop.cluster.log_lines("imgpress worker") if "exit" in line] == []
    shop.cluster.configure({"imgpress.databases": None})


def test_a_line_for_each_image_at_debug1(shop):
    shop.cluster.configure({"log_min_messages": "debug1"})
    try:
        shop.origin.add("never-seen.jpg", jpeg(seed=311))
        request = shop.submit("never-seen.jpg", "missing.jpg")
        shop.finish(request)
        lines = shop.cluster.log_lines(f"of request {request}")
        # The one that fails may end first.
        first, second = sorted(lines, key=lambda line: line.partition("imgpress: ")[2])
        assert "image 1" in first and "bytes became" in first
        assert "image 2" in second and "Failed, http_status" in second
    finally:
        shop.cluster.configure({"log_min_messages": None})
