"""The same URL more than once in a request: fetched and compressed once, and every place has it."""

import contextlib
import os
import signal

import pytest

from harness.catalogue import ERROR_TEXT, catalogue, one_product, split_urls
from harness.waiting import wait_for_exit, wait_until

COPIES = 150  # more than what ends in one transaction


def submit_repeated(shop, url, count=COPIES):
    return shop.submit_csv(catalogue((n, f"SKU{n}", [url]) for n in range(count)))


def outputs_of(shop, products):
    return [url for product in products for url in split_urls(product["output_image_urls"])]


def assert_counters_match_outputs(shop, request):
    sums = (
        "SELECT count(*), sum(o.source_bytes), sum(octet_length(o.bytes)), count(DISTINCT o.bytes) "
        "FROM imgpress.outputs o WHERE o.request_id = %s"
    )
    ((count, bytes_in, bytes_out, different),) = shop.sql(sums, request)
    progress = shop.progress(request)
    assert (progress["done"], progress["bytes_in"], progress["bytes_out"]) == (
        count,
        bytes_in,
        bytes_out,
    )
    return count, different


def test_one_fetch_serves_all(shop):
    url = shop.origin.url("small0.jpg?copies")
    request = submit_repeated(shop, url)
    outputs = outputs_of(shop, shop.finish(request))
    assert shop.origin.ledger.count("/small0.jpg?copies") == 1
    assert len(set(outputs)) == COPIES, "each place keeps a URL of its own"
    assert assert_counters_match_outputs(shop, request) == (COPIES, 1)
    first, last = shop.fetch_output(outputs[0]), shop.fetch_output(outputs[-1])
    assert first.status == last.status == 200
    assert first.body == last.body


def test_copies_among_others_keep_their_places(shop):
    urls = [shop.origin.url(f"small{n}.jpg?mixed") for n in (3, 4, 3, 5, 4, 3)]
    (product,) = shop.finish(shop.submit_csv(one_product(*urls)))
    names = [url.rsplit("/", 1)[1] for url in split_urls(product["output_image_urls"])]
    assert names == [f"small{n}_compressed.jpg" for n in (3, 4, 3, 5, 4, 3)]
    assert shop.origin.ledger.total("/small3.jpg?mixed") == 1
    assert shop.origin.ledger.total("/small4.jpg?mixed") == 1


def test_another_request_fetches_again(shop):
    url = shop.origin.url("small0.jpg?again")
    for times in (1, 2):
        shop.finish(shop.submit_csv(one_product(url, url)))
        assert shop.origin.ledger.count("/small0.jpg?again") == times


def test_failure_is_shared(shop):
    request = submit_repeated(shop, shop.origin.url("status/404/copies.jpg"), 5)
    assert outputs_of(shop, shop.finish(request)) == [ERROR_TEXT] * 5
    assert shop.origin.ledger.count("/status/404/copies.jpg") == 1
    failures = shop.failures(request)
    assert [failure["position"] for failure in failures] == [1, 2, 3, 4, 5]
    assert {failure["error_code"] for failure in failures} == {"http_status"}
    assert {failure["attempts"] for failure in failures} == {1}
    assert shop.progress(request)["failed"] == 5


def test_transient_error_is_retried_once_for_all(shop):
    path = "flaky/small0.jpg?fail=1&copies"
    request = submit_repeated(shop, shop.origin.url(path), 5)
    assert ERROR_TEXT not in outputs_of(shop, shop.finish(request))
    assert shop.origin.ledger.count(f"/{path}") == 2


def test_retry_failed_takes_copies_along(shop):
    url = shop.origin.url("late-copies.jpg")
    request = submit_repeated(shop, url, 5)
    assert outputs_of(shop, shop.finish(request)) == [ERROR_TEXT] * 5
    shop.origin.add("late-copies.jpg", shop.origin.content("small3.jpg"))
    assert shop.value("SELECT imgpress.retry_failed(%s)", request) == 5
    assert ERROR_TEXT not in outputs_of(shop, shop.finish(request))
    assert shop.origin.ledger.count("/late-copies.jpg") == 2
    assert assert_counters_match_outputs(shop, request) == (5, 1)


def test_cancel_ends_copies_of_what_is_under_way(shop):
    gate = shop.origin.gate("copies")
    request = submit_repeated(shop, shop.origin.url("held/copies/small0.jpg"), 5)
    gate.wait_arrived()
    assert shop.value("SELECT imgpress.cancel(%s)", request) == "Failed"
    gate.open()
    assert {failure["error_code"] for failure in shop.failures(request)} == {"cancelled"}
    assert shop.progress(request)["failed"] == 5


def test_webhook_counts_copies(shop, receiver):
    url = shop.origin.url("small0.jpg?webhook-copies")
    csv = catalogue((n, f"SKU{n}", [url]) for n in range(COPIES))
    endpoint = receiver.endpoint("/copies")
    shop.submit_csv(csv, endpoint.url)
    (message,) = endpoint.wait()
    data = message.json()["data"]
    assert (data["images"], data["succeeded"], data["failed"]) == (COPIES, COPIES, 0)


@pytest.fixture(name="held_portion")
def fixture_held_portion(open_shop):
    """A shop of its own whose drainer is stopped by a lock between two portions of copies."""
    with open_shop(gateway=False, name="copies") as own:
        own.sql(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'"
        )
        own.sql(
            "CREATE TRIGGER hold BEFORE INSERT ON imgpress.outputs FOR EACH ROW "
            f"WHEN (NEW.position = {COPIES}) EXECUTE FUNCTION hold()"
        )
        with contextlib.closing(own.cluster.connect()) as holder:
            holder.cursor().execute("SELECT pg_advisory_lock(1)")
            request = submit_repeated(own, own.origin.url("small0.jpg"))
            waiting = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            wait_until(lambda: own.value(waiting), "the last portion waits for the lock")
            yield own, request


def test_crash_between_two_portions(held_portion):
    own, request = held_portion
    assert 0 < own.progress(request)["done"] < COPIES
    assert own.status(request) == "Processing"
    drainers = own.cluster.drainers()
    for drainer in drainers:
        os.kill(drainer.pid, signal.SIGKILL)
    assert wait_for_exit([drainer.pid for drainer in drainers]) == []
    own.cluster.wait_ready()  # the crash has ended the session that held the lock as well
    assert len(own.finish(request)) == COPIES
    assert assert_counters_match_outputs(own, request) == (COPIES, 1)
    assert own.origin.ledger.count("/small0.jpg") == 1


def test_small_request_does_not_wait_for_a_crowd(shop):
    crowd = submit_repeated(shop, shop.origin.url("small0.jpg?crowd"), 20_000)
    wait_until(lambda: shop.progress(crowd)["done"] > 0, "the crowd begins to end")
    shop.finish(shop.submit_csv(one_product(shop.origin.url("small1.jpg?beside"))))
    assert shop.wait(submit_repeated(shop, shop.origin.url("small2.jpg?beside"), 2), 30) == "Completed"
    assert shop.status(crowd) == "Processing"
    assert shop.wait(crowd, 90) == "Completed"
    assert shop.progress(crowd)["done"] == 20_000
