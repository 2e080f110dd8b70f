"""The background workers: seen by name, told by a reload which databases to serve."""

from contextlib import closing

from harness.catalogue import one_product
from harness.waiting import wait_for_exit, wait_until


def test_names_in_ps_and_pg_stat_activity(shop):
    shop.finish(shop.submit_csv(one_product(shop.origin.url("small0.jpg"))))
    assert len(shop.cluster.launchers()) == 1
    (drainer,) = shop.cluster.drainers()
    assert drainer.title.endswith("imgpress worker shop")
    assert len(shop.cluster.presses("fetcher")) == 1
    assert shop.cluster.presses("codec")
    seen = dict(
        shop.sql(
            "SELECT pid, backend_type FROM pg_stat_activity WHERE backend_type LIKE 'imgpress%'"
        )
    )
    assert "worker" in seen[drainer.pid]
    assert any("launcher" in kind for kind in seen.values())
    assert shop.sql("SELECT database, pid FROM imgpress.workers") == [("shop", drainer.pid)]


def test_presses_are_confined(shop):
    """No environment, no descriptor of the server's, no way to new privileges."""
    shop.finish(shop.submit_csv(one_product(shop.origin.url("small0.jpg"))))
    for press in shop.cluster.presses():
        with open(f"/proc/{press.pid}/environ", "rb") as environ:
            assert environ.read() == b""
        with open(f"/proc/{press.pid}/status", encoding="utf-8") as status:
            assert "NoNewPrivs:\t1\n" in status.read()


def test_reload_starts_and_ends_a_drainer(shop):
    cluster = shop.cluster
    cluster.query("CREATE DATABASE second")
    cluster.query("CREATE EXTENSION imgpress", database="second")
    csv = one_product(shop.origin.url("small0.jpg"))
    request = cluster.scalar("SELECT imgpress.submit_csv(%s)", (csv,), "second")
    ask = "SELECT imgpress.request_status(%s)"
    assert cluster.scalar(ask, (request,), "second") == "Pending"

    cluster.configure({"imgpress.databases": "shop,second"})
    assert cluster.scalar("SELECT imgpress.wait(%s, '60 s')", (request,), "second") == "Completed"
    assert len(cluster.drainers()) == 2

    (drainer,) = [process for process in cluster.drainers() if "second" in process.title]
    cluster.configure({"imgpress.databases": None})
    assert wait_for_exit([drainer.pid]) == []
    cluster.query("DROP DATABASE second")
    shop.finish(shop.submit_csv(csv))


def test_drainer_idles_without_the_extension(shop):
    cluster = shop.cluster
    cluster.query("CREATE DATABASE bare")
    cluster.configure({"imgpress.databases": "shop,bare"})
    named = lambda: [
        process for process in cluster.drainers() if "bare" in process.title
    ]  # noqa: E731
    (drainer,) = wait_until(named, "a drainer of the database without the extension")
    shop.finish(shop.submit_csv(one_product(shop.origin.url("small0.jpg"))))
    assert drainer.alive()
    cluster.query("CREATE EXTENSION imgpress", database="bare")
    csv = one_product(shop.origin.url("small1.jpg"))
    request = cluster.scalar("SELECT imgpress.submit_csv(%s)", (csv,), "bare")
    assert cluster.scalar("SELECT imgpress.wait(%s, '60 s')", (request,), "bare") == "Completed"
    cluster.configure({"imgpress.databases": None})
    assert wait_for_exit([drainer.pid]) == []
    cluster.query("DROP DATABASE bare")


def test_a_submission_that_nobody_will_work_on_says_so(shop):
    cluster = shop.cluster
    cluster.query("CREATE DATABASE unserved")
    cluster.query("CREATE EXTENSION imgpress", database="unserved")
    csv = one_product("http://127.0.0.1:1/a.jpg")
    for database, expected in (("unserved", 1), ("shop", 0)):
        with closing(cluster.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT imgpress.submit_csv(%s)", (csv,))
            told = [notice for notice in connection.notices if "no imgpress worker is running" in notice]
        assert len(told) == expected
    cluster.query("DROP DATABASE unserved")
