"""The background workers: their names, their confinement, and the setting imgpress.databases."""

from harness.catalogue import REFUSED_URL, one_product
from harness.waiting import wait_for_exit, wait_until


def test_names_in_ps_and_pg_stat_activity(shop):
    shop.finish(shop.submit("small0.jpg"))
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
    """They have no environment and cannot gain privileges."""
    shop.finish(shop.submit("small0.jpg"))
    for press in shop.cluster.presses():
        with open(f"/proc/{press.pid}/environ", "rb") as environ:
            assert environ.read() == b""
        with open(f"/proc/{press.pid}/status", encoding="utf-8") as status:
            assert "NoNewPrivs:\t1\n" in status.read()


def test_reload_starts_and_ends_a_drainer(shop):
    cluster = shop.cluster
    cluster.query("CREATE DATABASE second")
    cluster.query("CREATE EXTENSION imgpress", database="second")
    csv = shop.csv("small0.jpg")
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


def test_drainer_waits_for_the_extension(shop):
    cluster = shop.cluster
    cluster.query("CREATE DATABASE bare")
    cluster.configure({"imgpress.databases": "shop,bare"})
    named = lambda: [
        process for process in cluster.drainers() if "bare" in process.title
    ]  # noqa: E731
    (drainer,) = wait_until(named, "a drainer of the database without the extension")
    shop.finish(shop.submit("small0.jpg"))
    assert drainer.alive()
    cluster.query("CREATE EXTENSION imgpress", database="bare")
    csv = shop.csv("small1.jpg")
    request = cluster.scalar("SELECT imgpress.submit_csv(%s)", (csv,), "bare")
    assert cluster.scalar("SELECT imgpress.wait(%s, '60 s')", (request,), "bare") == "Completed"
    cluster.configure({"imgpress.databases": None})
    assert wait_for_exit([drainer.pid]) == []
    cluster.query("DROP DATABASE bare")


def test_a_submission_without_a_worker_gives_a_notice(shop, unserved):
    for database, expected in ((unserved, True), ("shop", False)):
        with shop.cluster.session(database) as session:
            session.execute("SELECT imgpress.submit_csv(%s)", (one_product(REFUSED_URL),))
            notices = "".join(session.connection.notices)
        assert ("it is not in imgpress.databases" in notices) == expected
