"""Large requests are completed, and do not delay small ones."""

from harness.catalogue import catalogue, one_product, split_urls


def test_request_of_5000_products(shop):
    urls = [shop.origin.url(f"small{n % 10}.jpg?{n}") for n in range(5000)]
    products = [(number, f"SKU{number}", [url]) for number, url in enumerate(urls)]
    request = shop.gateway.upload(catalogue(products)).json()["request_id"]
    answer = shop.finish(request, 120)
    assert [product["serial_number"] for product in answer] == list(range(5000))
    assert all(
        product["output_image_urls"].endswith(f"/small{number % 10}_compressed.jpg")
        for number, product in enumerate(answer)
    )
    assert shop.progress(request)["succeeded"] == 5000
    over_rest = shop.gateway.get(f"/api/products/{request}/").json()["products"]
    assert over_rest == answer


def test_small_request_does_not_wait_for_a_large_one(shop):
    """The origin holds back the large request's images, so that it cannot end too early."""
    gate = shop.origin.gate("fair")
    many = 3000
    held = [(n, "large", [shop.origin.url(f"held/fair/small{n % 10}.jpg?{n}")]) for n in range(many)]
    large = shop.submit_csv(catalogue(held))
    gate.wait_arrived(10)
    small = shop.submit("small0.jpg")
    status = shop.wait(small, 0.3)
    while status != "Completed" and gate.passed < many // 3:
        gate.release(20)
        status = shop.wait(small, 0.3)
    assert status == "Completed"
    assert shop.status(large) == "Processing"
    assert shop.progress(large)["succeeded"] < many // 3
    gate.open()
    products = shop.finish(large, 120)
    assert len(products) == many
    assert shop.progress(large)["succeeded"] == many


def test_a_large_request_behind_many_small_ones(shop, unserved):
    """After many small requests the statistics say that a request has a row or two. Queries about a
    large one must use the index all the same; otherwise they take minutes."""
    query = shop.cluster.query
    small = "SELECT count(imgpress.submit_csv(%s || g)) FROM generate_series(1, 3000) g"
    query(small, (one_product("http://a.test/").rstrip(),), unserved)
    query("ANALYZE", database=unserved)
    products = [(n, "a", [f"http://a.test/{n}/{i}" for i in range(4)]) for n in range(10_000)]
    ((large,),) = query("SELECT imgpress.submit_csv(%s)", (catalogue(products),), unserved)
    query(
        "UPDATE imgpress.images SET status = 'Failed', ended_at = now(), error_code = 'timeout', "
        "error = 'timed out' WHERE request_id = %s",
        (large,), unserved,
    )  # fmt: skip
    for statement, rows in (
        ("SELECT count(*) FROM imgpress.request_products(%s)", 10_000),
        ("SELECT count(url) FROM imgpress.failures WHERE request_id = %s", 40_000),
    ):
        limited = f"SET LOCAL statement_timeout = '15s'; {statement}"
        assert query(limited, (large,), unserved) == [(rows,)], statement
    query("DELETE FROM imgpress.processing_requests", database=unserved)


def test_two_hundred_urls_of_one_product(shop):
    urls = [shop.origin.url(f"small{n % 10}.jpg?n={n}") for n in range(200)]
    (product,) = shop.finish(shop.submit_csv(one_product(*urls)))
    outputs = split_urls(product["output_image_urls"])
    image_nos = [int(output.rsplit("/", 2)[1]) for output in outputs]
    assert image_nos == list(range(1, 201))
