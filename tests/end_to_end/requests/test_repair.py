"""Repairing a request: failed images are tried again, and URLs replaced by others."""

import threading

import pytest

from harness.catalogue import ERROR_TEXT, one_product, split_urls
from harness.waiting import wait_until

STATE = "SELECT status, run, reason FROM imgpress.progress WHERE request_id = %s"
REPLACE = "SELECT replaced, merged, not_found FROM imgpress.replace_urls(%s, %s, %s)"


def test_a_url_that_is_replaced_gets_its_output_in_the_same_place(shop):
    request = shop.submit("small0.jpg", "gone.jpg", "small1.jpg")
    (product,) = shop.finish(request)
    assert split_urls(product["output_image_urls"])[1] == ERROR_TEXT
    assert shop.sql(STATE, request) == [("Completed", 1, "1 of 3 images failed: http_status")]
    old, new = shop.origin.url("gone.jpg"), shop.origin.url("small2.jpg")
    assert shop.sql(REPLACE, request, [old], [new]) == [(1, 0, 0)]
    (product,) = shop.finish(request)
    assert split_urls(product["input_image_urls"])[1] == new
    outputs = split_urls(product["output_image_urls"])
    assert [url.rsplit("/", 1)[1] for url in outputs] == [
        f"small{number}_compressed.jpg" for number in (0, 2, 1)
    ]
    assert all(shop.fetch_output(url).status == 200 for url in outputs)
    assert shop.sql(STATE, request) == [("Completed", 2, None)]
    assert shop.sql("SELECT * FROM imgpress.check()") == []


def test_the_result_of_a_url_that_was_replaced_meanwhile_is_dropped(shop):
    gate = shop.origin.gate("replaced")
    request = shop.submit("held/replaced/small0.jpg")
    gate.wait_arrived()
    old, new = shop.origin.url("held/replaced/small0.jpg"), shop.origin.url("small1.jpg")
    assert shop.sql(REPLACE, request, [old], [new]) == [(1, 0, 0)]
    gate.open()
    (product,) = shop.finish(request)
    assert product["input_image_urls"] == new
    assert product["output_image_urls"].endswith("/small1_compressed.jpg")
    wait_until(
        lambda: shop.value("SELECT count(*) FROM imgpress_internal.leases") == 0, "the old lease has ended"
    )
    assert shop.row_counts(request) == [1, 1, 1, 1]
    assert shop.sql("SELECT * FROM imgpress.check()") == []


def test_a_product_shows_no_outputs_until_the_repair_has_ended(shop):
    gate = shop.origin.gate("repair")
    request = shop.submit("small0.jpg", "gone.jpg")
    shop.finish(request)
    new = shop.origin.url("held/repair/small1.jpg")
    shop.sql(REPLACE, request, [shop.origin.url("gone.jpg")], [new])
    gate.wait_arrived()
    (product,) = shop.products(request)
    assert product["output_image_urls"] == ""
    assert [it["image_no"] for it in shop.results(request)] == [1]
    gate.open()
    (product,) = shop.finish(request)
    assert len(split_urls(product["output_image_urls"])) == 2


def test_each_end_has_a_webhook_with_its_run(shop, receiver):
    endpoint = receiver.endpoint("/runs")
    gone = shop.origin.url("gone.jpg")
    request = shop.submit_csv(one_product(shop.origin.url("small0.jpg"), gone), endpoint.url)
    endpoint.wait(1)
    assert shop.value("SELECT imgpress.retry_failed(%s, error_code => 'timeout')", request) == 0
    assert shop.value("SELECT imgpress.retry_failed(%s, host => '127.0.0.1')", request) == 1
    endpoint.wait(2)
    shop.sql(REPLACE, request, [gone], [shop.origin.url("small1.jpg")])
    messages = endpoint.wait(3)
    assert [it.headers["webhook-id"] for it in messages] == [f"{request}.{n}" for n in (1, 2, 3)]
    reasons = [it.json()["data"]["reason"] for it in messages]
    assert reasons == ["1 of 2 images failed: http_status"] * 2 + [None]


def test_a_cancelled_request_is_reopened_only_by_its_id(shop):
    gate = shop.origin.gate("reopened")
    request = shop.submit("held/reopened/small0.jpg")
    gate.wait_arrived()
    shop.value("SELECT imgpress.cancel(%s)", request)
    gate.open()
    shop.value("SELECT imgpress.retry_failed()")
    assert shop.status(request) == "Failed"
    assert shop.value("SELECT imgpress.retry_failed(%s)", request) == 1
    shop.finish(request)
    assert shop.sql(STATE, request) == [("Completed", 2, None)]


def test_wait_waits_for_the_newest_run(shop):
    """It began in the first run: the retry comes before it has seen the end of that."""
    gates = [shop.origin.gate(name) for name in ("first-run", "second-run")]
    request = shop.submit("held/first-run/small0.jpg")
    gates[0].wait_arrived()
    ended = []

    def wait():
        with shop.cluster.session() as session:
            session.execute("SELECT imgpress.wait(%s, '30 s')", (request,))
            ended.extend(session.fetchall())

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(
        lambda: shop.sql(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT imgpress.wait%%' "
            "AND wait_event_type = 'Extension'"
        ),
        "the session waits",
    )
    old = shop.origin.url("held/first-run/small0.jpg")
    new = shop.origin.url("held/second-run/small1.jpg")
    with shop.cluster.session(autocommit=False) as session:  # an end and a new run in one COMMIT
        session.execute("SELECT imgpress.cancel(%s)", (request,))
        session.execute("SELECT imgpress.replace_url(%s, %s, %s)", (request, old, new))
        session.execute("COMMIT")
    gates[0].open()
    gates[1].wait_arrived()
    assert thread.is_alive() and not ended
    gates[1].open()
    thread.join(30)
    assert not thread.is_alive() and ended == [("Completed",)]
    assert shop.sql(STATE, request) == [("Completed", 2, None)]


def test_rest_tells_that_all_images_have_failed(shop):
    request = shop.upload("gone.jpg", "gone2.jpg")
    shop.finish(request)
    status = shop.gateway.get(f"/api/status/{request}/").json()
    assert status["status"] == "Completed"
    assert status["reason"] == "2 of 2 images failed: http_status"


@pytest.fixture(name="clerk")
def fixture_clerk(shop):
    shop.sql("CREATE ROLE clerk LOGIN IN ROLE imgpress_user")
    yield "clerk"
    shop.sql("DROP ROLE clerk")


@pytest.mark.parametrize("call", ["replace_url(%s, 'http://a/', 'http://b/')", "retry_failed(%s)"])
def test_requests_of_others_are_not_there(shop, clerk, call):
    request = shop.submit("small0.jpg")
    shop.finish(request)
    shop.refused("P0002", f"SELECT imgpress.{call}", request, user=clerk)


def test_ten_thousand_pairs(shop):
    """They take about as long as it takes to submit them; not the square of it."""
    urls = [f"http://127.0.0.1:9/{number}.jpg" for number in range(10_000)]
    new = [url.replace(".jpg", ".png") for url in urls]
    with shop.cluster.session(autocommit=False) as session:  # rolled back, so that none is tried

        def ask(statement, *parameters):
            session.execute(statement, parameters)
            return session.fetchall()

        ((request,),) = ask(
            "SELECT imgpress.submit(array_agg((n, 'P', ARRAY[u])::imgpress.product_input)) "
            "FROM unnest(%s) WITH ORDINALITY AS t(u, n)",
            urls,
        )
        session.execute("SET LOCAL statement_timeout = '10s'")
        assert ask(REPLACE, request, urls, new) == [(10_000, 0, 0)]
        assert ask(REPLACE, request, new[1:], [new[0]] * 9_999) == [(0, 9_999, 0)]
        assert ask(
            "SELECT count(*), min(image_nos), max(image_nos) FROM imgpress.products "
            "WHERE request_id = %s",
            request,
        ) == [(10_000, [10_001], [10_001])]
