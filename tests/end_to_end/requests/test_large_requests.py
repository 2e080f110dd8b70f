"""Large requests: complete, fair to small ones, and cheap for the gateway's memory."""

import tempfile

import pytest

from harness.catalogue import HEADER, catalogue, one_product, split_urls

GATEWAY_LIMIT_KIB = 64 * 1024


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


def test_small_request_overtakes_a_large_one(shop):
    """The origin holds the large request's images, so that its end is in the test's hands."""
    gate = shop.origin.gate("fair")
    many = 3000
    held = [(n, "large", [shop.origin.url(f"held/fair/small{n % 10}.jpg?{n}")]) for n in range(many)]
    large = shop.submit_csv(catalogue(held))
    gate.wait_arrived(10)
    small = shop.submit_csv(one_product(shop.origin.url("small0.jpg")))
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


@pytest.fixture(scope="module", name="idle")
def fixture_idle(shop):
    """A database that no drainer serves: what is submitted there stays as it is."""
    shop.cluster.query("CREATE DATABASE idle")
    shop.cluster.query("CREATE EXTENSION imgpress", database="idle")
    # The planner then believes that the tables are small, as it does in a young installation.
    shop.cluster.query("ANALYZE", database="idle")
    yield "idle"
    shop.cluster.query("DROP DATABASE idle WITH (FORCE)")


def test_a_large_request_behind_many_small_ones(shop, idle):
    """Statistics of many small requests tell the planner that a request is a row or two: what reads
    the large one must look its rows up by their numbers all the same. Else this takes minutes."""
    query = shop.cluster.query
    small = "SELECT count(imgpress.submit_csv(%s || g)) FROM generate_series(1, 3000) g"
    query(small, (one_product("http://a.test/").rstrip(),), idle)
    query("ANALYZE", database=idle)
    products = [(n, "a", [f"http://a.test/{n}/{i}" for i in range(4)]) for n in range(10_000)]
    ((large,),) = query("SELECT imgpress.submit_csv(%s)", (catalogue(products),), idle)
    query(
        "UPDATE imgpress.images SET status = 'Failed', ended_at = now(), error_code = 'timeout', "
        "error = 'timed out' WHERE request_id = %s",
        (large,), idle,
    )  # fmt: skip
    for statement, rows in (
        ("SELECT count(*) FROM imgpress.request_products(%s)", 10_000),
        ("SELECT count(url) FROM imgpress.failures WHERE request_id = %s", 40_000),
    ):
        limited = f"SET LOCAL statement_timeout = '15s'; {statement}"
        assert query(limited, (large,), idle) == [(rows,)], statement
    query("DELETE FROM imgpress.processing_requests", database=idle)


def write_large_csv(file, products):
    """More than 500 bytes for each product: 100,000 of them are over 50 MB."""
    tail = "x" * 460
    file.write((",".join(HEADER) + "\n").encode())
    for number in range(products):
        file.write(
            f"{number},Product {number},http://images.example/{number}/{tail}.jpg\n".encode()
        )


def test_gateway_streams_both_ways(shop, idle):
    products = 100_000
    with tempfile.TemporaryFile() as file, shop.new_gateway(database=idle) as gateway:
        write_large_csv(file, products)
        file.seek(0)
        content = file.read()
        assert len(content) > 50_000_000
        answer = gateway.upload(content)
        assert answer.status == 202, answer.body
        after_upload = gateway.peak_memory_kib()
        status, size = gateway.measure(f"/api/products/{answer.json()['request_id']}/")
        assert status == 200 and size > len(content)
        after_answer = gateway.peak_memory_kib()
    assert after_upload < GATEWAY_LIMIT_KIB
    assert after_answer < GATEWAY_LIMIT_KIB


def test_two_hundred_urls_of_one_product(shop):
    urls = [shop.origin.url(f"small{n % 10}.jpg?n={n}") for n in range(200)]
    (product,) = shop.finish(shop.submit_csv(one_product(*urls)))
    outputs = split_urls(product["output_image_urls"])
    image_nos = [int(output.rsplit("/", 2)[1]) for output in outputs]
    assert image_nos == list(range(1, 201))
