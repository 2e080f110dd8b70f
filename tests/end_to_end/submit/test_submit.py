"""Submitting requests from SQL."""

import time
import uuid

from harness.catalogue import ERROR_TEXT, split_urls


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


def test_outputs_line_up_with_an_array(shop):
    """An element that is NULL or empty keeps its place: it fails, and its output URL is NULL."""
    one, two = (shop.origin.url(f"small{n}.jpg") for n in range(2))
    photos = [[one, None, "", two], [None, one], [two]]
    shop.sql("CREATE TABLE goods (id int GENERATED ALWAYS AS IDENTITY, photos text[])")
    for urls in photos:
        shop.sql("INSERT INTO goods (photos) VALUES (%s)", urls)
    request = shop.value(
        "SELECT imgpress.submit(array_agg((id, 'Mug', photos)::imgpress.product_input "
        "ORDER BY id)) FROM goods"
    )
    shop.sql("DROP TABLE goods")
    products = shop.finish(request)
    assert [product["input_image_urls"] for product in products] == [
        ",".join(url or "" for url in urls) for urls in photos
    ]
    rows = shop.sql("SELECT output_urls FROM imgpress.request_products(%s)", request)
    outputs = [urls for (urls,) in rows]
    assert [list(map(bool, urls)) for urls in outputs] == [list(map(bool, urls)) for urls in photos]
    assert outputs[0][3] == outputs[2][0]
    for product, urls in zip(products, outputs):
        assert split_urls(product["output_image_urls"]) == [url or ERROR_TEXT for url in urls]
    (failure,) = shop.failures(request)
    assert (failure["error_code"], failure["error"]) == ("bad_url", "the URL is empty or NULL")
    assert (failure["url"], failure["image_no"], failure["attempts"]) == ("", 2, 1)
    assert shop.progress(request)["images"] == 3


def test_an_array_without_a_url_is_a_fault(shop):
    for array in ("ARRAY[NULL, '']::text[]", "'{}'::text[]", "NULL::text[]"):
        product = f"(1, 'Mug', {array})::imgpress.product_input"
        error = shop.refused("22023", f"SELECT imgpress.submit(ARRAY[{product}])")
        assert "product 1, Input Image Urls: no image URL" in error


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
    """None of the drainer's pauses, of 0.1 s and more, lies between a commit and the result. The
    fastest of twenty, because the machine may be busy."""
    latencies = []
    with shop.cluster.session() as session:
        for _ in range(20):
            begin = time.monotonic()
            session.execute("SELECT imgpress.submit_csv(%s)", (shop.csv("small0.jpg"),))
            (request,) = session.fetchone()
            session.execute("SELECT imgpress.wait(%s, interval '60 s')", (request,))
            assert session.fetchone() == ("Completed",)
            latencies.append(time.monotonic() - begin)
    assert min(latencies) < 0.1


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
