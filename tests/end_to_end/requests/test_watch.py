"""Watching requests from SQL: wait(), NOTIFY and the views."""

import select
import time

from harness.catalogue import one_product, split_urls
from harness.images import jpeg




def test_wait_returns_at_its_timeout(shop):
    gate = shop.origin.gate("wait")
    request = shop.submit("held/wait/small0.jpg")
    gate.wait_arrived()
    begin = time.monotonic()
    assert shop.wait(request, 0.3) == "Processing"
    assert 0.3 <= time.monotonic() - begin < 3.0
    gate.open()
    assert shop.wait(request) == "Completed"
    assert shop.wait(request, 0) == "Completed"


def test_notify_when_a_request_ends(shop):
    with shop.cluster.session() as session:
        session.execute("LISTEN imgpress")
        listener = session.connection
        request = shop.submit("small0.jpg")
        deadline = time.monotonic() + 20
        heard = []
        while not any(request in payload for payload in heard):
            assert select.select([listener], [], [], max(0, deadline - time.monotonic()))[0], heard
            listener.poll()
            heard += [listener.notifies.pop(0).payload for _ in list(listener.notifies)]
        assert shop.status(request) == "Completed"


def test_views(shop):
    urls = [shop.origin.url("small0.jpg"), shop.origin.url("none.jpg")]
    request = shop.submit_csv(one_product(*urls, name="Mug"))
    shop.finish(request)
    progress = shop.progress(request)
    assert (progress["images"], progress["succeeded"], progress["failed"]) == (2, 1, 1)
    assert progress["source_bytes"] >= len(shop.origin.content("small0.jpg"))
    assert 0 < progress["output_bytes"] <= progress["source_bytes"]
    assert shop.value("SELECT percent FROM imgpress.progress WHERE request_id = %s", request) == 100
    (failure,) = shop.failures(request)
    assert (failure["product_name"], failure["image_no"], failure["attempts"]) == ("Mug", 2, 1)
    assert "404" in failure["error"] and failure["error_code"] == "http_status"
    (result,) = shop.results(request)
    assert (result["product_name"], result["image_no"], result["url"]) == ("Mug", 1, urls[0])
    assert result["output_url"] == split_urls(shop.products(request)[0]["output_image_urls"])[0]
    assert (result["source_bytes"], result["output_bytes"]) == (
        progress["source_bytes"],
        progress["output_bytes"],
    )
    assert (result["kept_source"], result["warning"]) == (False, None)


def test_results_show_a_kept_source(shop):
    once = shop.value("SELECT imgpress.compress_image(%s)", jpeg(300, 200))
    shop.origin.add("once.jpg", bytes(once))
    request = shop.submit("once.jpg")
    shop.finish(request)
    (result,) = shop.results(request)
    assert (result["kept_source"], result["content_type"]) == (True, "image/jpeg")
    assert result["output_bytes"] == result["source_bytes"] == len(once)
