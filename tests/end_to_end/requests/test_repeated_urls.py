"""The same URL several times in a request: downloaded, compressed and stored once, shown in each
place."""

from harness.catalogue import ERROR_TEXT, catalogue, one_product, split_urls
from harness.waiting import wait_until

PLACES = 150


def submit_repeated(shop, url, count=PLACES):
    return shop.submit_csv(catalogue((n, f"SKU{n}", [url]) for n in range(count)))


def outputs_of(products):
    return [url for product in products for url in split_urls(product["output_image_urls"])]


def test_one_download_and_one_output_for_all(shop):
    url = shop.origin.url("small0.jpg?repeated")
    request = submit_repeated(shop, url)
    outputs = outputs_of(shop.finish(request))
    assert len(outputs) == PLACES
    assert len(set(outputs)) == 1
    assert shop.origin.ledger.count("/small0.jpg?repeated") == 1
    assert shop.fetch_output(outputs[0]).status == 200
    ((count, size),) = shop.sql(
        "SELECT count(*), sum(octet_length(bytes)) FROM imgpress.outputs WHERE request_id = %s",
        request,
    )
    progress = shop.progress(request)
    assert (progress["images"], progress["succeeded"], progress["output_bytes"]) == (1, count, size)
    assert count == 1


def test_repeated_urls_between_others_keep_their_places(shop):
    urls = [shop.origin.url(f"small{n}.jpg?mixed") for n in (3, 4, 3, 5, 4, 3)]
    (product,) = shop.finish(shop.submit_csv(one_product(*urls)))
    outputs = split_urls(product["output_image_urls"])
    names = [url.rsplit("/", 1)[1] for url in outputs]
    assert names == [f"small{n}_compressed.jpg" for n in (3, 4, 3, 5, 4, 3)]
    assert outputs[0] == outputs[2] == outputs[5]
    assert shop.origin.ledger.total("/small3.jpg?mixed") == 1
    assert shop.origin.ledger.total("/small4.jpg?mixed") == 1
    bodies = [shop.fetch_output(output).body for output in outputs]
    assert len(set(bodies)) == 3


def test_another_request_fetches_again(shop):
    url = shop.origin.url("small0.jpg?again")
    for times in (1, 2):
        shop.finish(shop.submit_csv(one_product(url, url)))
        assert shop.origin.ledger.count("/small0.jpg?again") == times


def test_failure_is_shown_in_each_place_and_listed_once(shop):
    request = submit_repeated(shop, shop.origin.url("status/404/repeated.jpg"), 5)
    assert outputs_of(shop.finish(request)) == [ERROR_TEXT] * 5
    assert shop.origin.ledger.count("/status/404/repeated.jpg") == 1
    (failure,) = shop.failures(request)
    assert (failure["image_no"], failure["product_name"]) == (1, "SKU0")
    assert (failure["error_code"], failure["attempts"]) == ("http_status", 1)
    assert shop.progress(request)["failed"] == 1


def test_retry_failed_repairs_all_places(shop):
    url = shop.origin.url("late-repeated.jpg")
    request = submit_repeated(shop, url, 5)
    assert outputs_of(shop.finish(request)) == [ERROR_TEXT] * 5
    shop.origin.add("late-repeated.jpg", shop.origin.content("small3.jpg"))
    assert shop.value("SELECT imgpress.retry_failed(%s)", request) == 1
    assert ERROR_TEXT not in outputs_of(shop.finish(request))
    assert shop.origin.ledger.count("/late-repeated.jpg") == 2


def test_cancel_during_the_download(shop):
    gate = shop.origin.gate("repeated")
    request = submit_repeated(shop, shop.origin.url("held/repeated/small0.jpg"), 5)
    gate.wait_arrived()
    assert shop.value("SELECT imgpress.cancel(%s)", request) == "Failed"
    gate.open()
    assert {failure["error_code"] for failure in shop.failures(request)} == {"cancelled"}
    assert shop.progress(request)["failed"] == 1


def test_webhook_counts_images(shop, receiver):
    url = shop.origin.url("small0.jpg?webhook-repeated")
    csv = catalogue((n, f"SKU{n}", [url]) for n in range(PLACES))
    endpoint = receiver.endpoint("/repeated")
    shop.submit_csv(csv, endpoint.url)
    (message,) = endpoint.wait()
    data = message.json()["data"]
    assert (data["products"], data["images"], data["succeeded"], data["failed"]) == (PLACES, 1, 1, 0)


def test_a_claim_stops_before_a_locked_image(shop):
    """An image is locked before it is claimed: the claim ends before it, and a later one
    continues."""
    urls = [shop.origin.url(f"small{n}.jpg?behind") for n in range(8)]
    with shop.cluster.session() as session, shop.cluster.session() as blocker:
        # Claims wait for this lock: the image is locked after it is visible and before it is claimed.
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE imgpress_internal.leases IN EXCLUSIVE MODE")
        session.execute("SELECT imgpress.submit_csv(%s)", (one_product(*urls),))
        (request,) = session.fetchone()
        session.execute("BEGIN")
        session.execute(
            "SELECT FROM imgpress.images WHERE request_id = %s AND image_no = 3 FOR UPDATE",
            (request,),
        )
        blocker.execute("COMMIT")
        done = "SELECT count(*) FROM imgpress.images WHERE request_id = %s AND status = 'Completed'"
        wait_until(lambda: shop.value(done, request) >= 2, "the images before it are finished")
        assert shop.value(
            "SELECT claimed_up_to FROM imgpress.processing_requests WHERE id = %s", request
        ) in (2, 8)
        session.execute("COMMIT")
    (product,) = shop.finish(request, 70)
    assert ERROR_TEXT not in product["output_image_urls"]
