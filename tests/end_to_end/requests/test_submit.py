"""Submitting requests from SQL."""

import time
import uuid

from harness.catalogue import split_urls


def test_submit_a_query(shop):
    shop.sql("CREATE TABLE goods (id int, name text, pictures text)")
    one, two, three = (shop.origin.url(f"small{n}.jpg") for n in range(3))
    rows = [(1, "Mug", one), (2, "Vase", f"{two},{three}")]
    for row in rows:
        shop.sql("INSERT INTO goods VALUES (%s, %s, %s)", *row)
    request = shop.value(
        "SELECT imgpress.submit(array_agg((id, name, pictures)::imgpress.product_input "
        "ORDER BY id)) FROM goods"
    )
    products = shop.finish(request)
    assert [tuple(product.values())[:3] for product in products] == rows
    assert [len(split_urls(product["output_image_urls"])) for product in products] == [1, 2]
    shop.sql("DROP TABLE goods")


def test_submit_checks_its_input_like_a_csv(shop):
    statement = "SELECT imgpress.submit(ARRAY[(1, '', 'nothing')::imgpress.product_input])"
    error = shop.refused("22023", statement)
    assert "Product Name" in error and "Input Image Urls" in error
    shop.refused("22023", "SELECT imgpress.submit('{}')")


def test_rollback_leaves_nothing(shop):
    with shop.cluster.session(autocommit=False) as session:
        session.execute("SELECT imgpress.submit_csv(%s)", (shop.csv("small0.jpg?rollback"),))
        (request,) = session.fetchone()
    assert shop.row_counts(request) == [0, 0, 0, 0]
    shop.finish(shop.submit("small0.jpg"))  # a later request is finished
    assert shop.origin.ledger.count("/small0.jpg?rollback") == 0


def test_commit_wakes_the_drainer_at_once(shop):
    """The fastest of five, because the machine may be busy."""
    latencies = []
    for _ in range(5):
        begin = time.monotonic()
        shop.finish(shop.submit("small0.jpg"))
        latencies.append(time.monotonic() - begin)
    assert min(latencies) < 0.25


def test_same_request_id_twice(shop):
    request = str(uuid.uuid4())
    statement = "SELECT imgpress.submit_csv(%s, request_id => %s)"
    first, second = shop.csv("small0.jpg"), shop.csv("small0.jpg", "small1.jpg")
    assert shop.value(statement, first, request) == request
    assert shop.value(statement, second, request) == request
    assert len(shop.finish(request)) == 1
    assert shop.value(statement, first, request) == request
    assert shop.row_counts(request) == [1, 1, 1, 1]


def test_bad_parameters(shop):
    csv = shop.csv("small0.jpg")
    for quality in (0, 101, -1):
        shop.refused("22023", "SELECT imgpress.submit_csv(%s, NULL, %s)", csv, quality)
    shop.refused("22023", "SELECT imgpress.submit_csv(%s, %s)", csv, "ftp://127.0.0.1/done")
    error = shop.refused("22023", "SELECT imgpress.submit_csv(%s, effort => 'turbo')", csv)
    assert '"turbo"' in error and "fast, balanced or small" in error


def test_simulated_output_urls(shop):
    with shop.cluster.settings({"imgpress.output_url_style": "simulated"}):
        request = shop.submit("small0.jpg")
        assert shop.finish(request)[0]["output_image_urls"] == shop.origin.url(
            "small0_compressed.jpg"
        )
