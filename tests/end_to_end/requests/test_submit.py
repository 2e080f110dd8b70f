"""SQL as the first-class interface: submit, watch, cancel, retry, purge, schedule."""

import contextlib
import re
import select
import time
import uuid

import psycopg2
import pytest

from harness.catalogue import ERROR_TEXT, catalogue, one_product, split_urls
from harness.cluster import installed_libraries
from harness.images import jpeg

CHILDREN = ("products", "images", "outputs")


def refused(shop, sqlstate, statement, *parameters, user="postgres"):
    with pytest.raises(psycopg2.Error) as raised:
        shop.cluster.query(statement, parameters or None, user=user)
    assert raised.value.pgcode == sqlstate, raised.value
    return str(raised.value)


def rows_of(shop, request):
    """How many rows each table holds for the request."""
    counts = [
        shop.value("SELECT count(*) FROM imgpress.processing_requests WHERE id = %s", request)
    ]
    for table in CHILDREN:
        counts.append(
            shop.value(f"SELECT count(*) FROM imgpress.{table} WHERE request_id = %s", request)
        )
    return counts


def small(shop, number=0):
    return shop.origin.url(f"small{number}.jpg")


def test_submit_a_query_over_own_tables(shop):
    shop.sql("CREATE TABLE goods (id int, name text, pictures text)")
    rows = [(1, "Mug", small(shop)), (2, "Vase", f"{small(shop, 1)},{small(shop, 2)}")]
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


def test_submit_array_checks_like_csv(shop):
    statement = "SELECT imgpress.submit(ARRAY[(1, '', 'nothing')::imgpress.product_input])"
    told = refused(shop, "22023", statement)
    assert "Product Name" in told and "Input Image Urls" in told
    refused(shop, "22023", "SELECT imgpress.submit('{}')")


def test_copy_into_csv_upload(shop, tmp_path):
    path = tmp_path / "sample.csv"
    path.write_text(
        catalogue([(1, "Mug", [small(shop), small(shop, 1)]), (2, "Vase", [small(shop, 2)])])
    )
    done = shop.cluster.psql("-c", f"\\copy imgpress.csv_upload FROM '{path}' CSV HEADER")
    request = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", done.stderr).group()
    assert [product["product_name"] for product in shop.finish(request)] == ["Mug", "Vase"]
    assert shop.sql("SELECT * FROM imgpress.csv_upload") == []


def test_copy_of_faults_stores_nothing(shop, tmp_path):
    path = tmp_path / "faulty.csv"
    path.write_text(catalogue([(1, "Mug", ["nothing"])]))
    before = shop.value("SELECT count(*) FROM imgpress.processing_requests")
    done = shop.cluster.psql(
        "-c", f"\\copy imgpress.csv_upload FROM '{path}' CSV HEADER", check=False
    )
    assert done.returncode != 0
    assert shop.value("SELECT count(*) FROM imgpress.processing_requests") == before


def test_rollback_leaves_nothing(shop):
    url = shop.origin.url("small0.jpg?rollback")
    with contextlib.closing(shop.cluster.connect(autocommit=False)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT imgpress.submit_csv(%s)", (one_product(url),))
            request = cursor.fetchone()[0]
        connection.rollback()
    assert rows_of(shop, request) == [0, 0, 0, 0]
    shop.finish(shop.submit_csv(one_product(small(shop))))  # a later request is through
    assert shop.origin.ledger.count("/small0.jpg?rollback") == 0


def test_commit_wakes_the_drainer_at_once(shop):
    """The best of five, so that a busy machine does not pass for polling."""
    latencies = []
    for _ in range(5):
        begin = time.monotonic()
        shop.finish(shop.submit_csv(one_product(small(shop))))
        latencies.append(time.monotonic() - begin)
    assert min(latencies) < 0.25


def test_same_request_id_is_the_same_request(shop):
    request = str(uuid.uuid4())
    statement = "SELECT imgpress.submit_csv(%s, request_id => %s)"
    first, second = one_product(small(shop)), one_product(small(shop), small(shop, 1))
    assert shop.value(statement, first, request) == request
    assert shop.value(statement, second, request) == request
    assert len(shop.finish(request)) == 1
    assert shop.value(statement, first, request) == request
    assert rows_of(shop, request) == [1, 1, 1, 1]


def test_wait_gives_up_at_its_timeout(shop):
    gate = shop.origin.gate("wait")
    request = shop.submit_csv(one_product(shop.origin.url("held/wait/small0.jpg")))
    gate.wait_arrived()
    begin = time.monotonic()
    assert shop.wait(request, 0.3) == "Processing"
    assert 0.3 <= time.monotonic() - begin < 3.0
    gate.open()
    assert shop.wait(request) == "Completed"
    assert shop.wait(request, 0) == "Completed"


def test_unknown_and_malformed_ids(shop):
    for function in ("request_status", "request_products", "wait", "cancel", "retry_failed"):
        refused(shop, "P0002", f"SELECT imgpress.{function}(%s)", str(uuid.uuid4()))
        refused(shop, "22P02", f"SELECT imgpress.{function}(%s)", "not-a-uuid")


def test_bad_parameters(shop):
    csv = one_product(small(shop))
    for quality in (0, 101, -1):
        refused(shop, "22023", "SELECT imgpress.submit_csv(%s, NULL, %s)", csv, quality)
    refused(shop, "22023", "SELECT imgpress.submit_csv(%s, %s)", csv, "ftp://127.0.0.1/done")
    told = refused(shop, "22023", "SELECT imgpress.submit_csv(%s, effort => 'turbo')", csv)
    assert '"turbo"' in told and "fast, balanced or small" in told


def test_cancel(shop):
    gate = shop.origin.gate("cancel")
    request = shop.submit_csv(one_product(small(shop), shop.origin.url("held/cancel/small1.jpg")))
    gate.wait_arrived()
    assert shop.value("SELECT imgpress.cancel(%s)", request) == "Failed"
    assert shop.status(request) == "Failed" and shop.wait(request) == "Failed"
    gate.open()
    shop.finish(shop.submit_csv(one_product(small(shop))))
    assert shop.status(request) == "Failed"
    assert split_urls(shop.products(request)[0]["output_image_urls"])[1] == ERROR_TEXT
    assert shop.failures(request)[-1]["error_code"] == "cancelled"
    assert (
        shop.value("SELECT reason FROM imgpress.progress WHERE request_id = %s", request)
        == "cancelled"
    )
    assert shop.value("SELECT imgpress.cancel(%s)", request) == "Failed"  # again: no harm


def test_cancel_of_an_ended_request_changes_nothing(shop):
    request = shop.submit_csv(one_product(small(shop)))
    shop.finish(request)
    assert shop.value("SELECT imgpress.cancel(%s)", request) == "Completed"
    assert shop.status(request) == "Completed"


def test_retry_failed(shop):
    request = shop.submit_csv(one_product(small(shop), shop.origin.url("late.jpg")))
    (product,) = shop.finish(request)
    assert split_urls(product["output_image_urls"])[1] == ERROR_TEXT
    shop.origin.add("late.jpg", shop.origin.content("small3.jpg"))
    assert shop.value("SELECT imgpress.retry_failed(%s)", request) == 1
    (product,) = shop.finish(request)
    assert split_urls(product["output_image_urls"])[1].endswith("/late_compressed.jpg")
    assert shop.failures(request) == []
    assert shop.value("SELECT imgpress.retry_failed(%s)", request) == 0
    assert shop.progress(request)["succeeded"] == 2


def test_purge_takes_old_requests_with_all_that_is_theirs(shop):
    gate = shop.origin.gate("purge")
    running = shop.submit_csv(one_product(shop.origin.url("held/purge/small0.jpg")))
    ended = shop.submit_csv(one_product(small(shop)))
    shop.finish(ended)
    shop.value("SELECT imgpress.purge('1 day')")
    assert rows_of(shop, ended) == [1, 1, 1, 1]
    assert shop.value("SELECT imgpress.purge('0')") >= 1
    assert rows_of(shop, ended) == [0, 0, 0, 0]
    assert rows_of(shop, running) == [1, 1, 1, 0]
    gate.open()
    shop.finish(running)


def test_notify_when_a_request_ends(shop):
    with contextlib.closing(shop.cluster.connect()) as listener:
        with listener.cursor() as cursor:
            cursor.execute("LISTEN imgpress")
        request = shop.submit_csv(one_product(small(shop)))
        deadline = time.monotonic() + 20
        heard = []
        while not any(request in payload for payload in heard):
            assert select.select([listener], [], [], max(0, deadline - time.monotonic()))[0], heard
            listener.poll()
            heard += [listener.notifies.pop(0).payload for _ in list(listener.notifies)]
        assert shop.status(request) == "Completed"


def test_views(shop):
    request = shop.submit_csv(one_product(small(shop), shop.origin.url("none.jpg"), name="Mug"))
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
    assert (result["product_name"], result["image_no"], result["url"]) == ("Mug", 1, small(shop))
    assert result["output_url"] == split_urls(shop.products(request)[0]["output_image_urls"])[0]
    assert (result["source_bytes"], result["output_bytes"]) == (
        progress["source_bytes"],
        progress["output_bytes"],
    )
    assert (result["kept_source"], result["warning"]) == (False, None)


def test_a_kept_source_shows_in_the_results(shop):
    once = shop.value("SELECT imgpress.compress_image(%s)", jpeg(300, 200))
    shop.origin.add("once.jpg", bytes(once))
    request = shop.submit_csv(one_product(shop.origin.url("once.jpg")))
    shop.finish(request)
    (result,) = shop.results(request)
    assert (result["kept_source"], result["content_type"]) == (True, "image/jpeg")
    assert result["output_bytes"] == result["source_bytes"] == len(once)


def test_simulated_output_urls(shop):
    with shop.cluster.settings({"imgpress.output_url_style": "simulated"}):
        request = shop.submit_csv(one_product(small(shop)))
        assert shop.finish(request)[0]["output_image_urls"] == shop.origin.url(
            "small0_compressed.jpg"
        )


def test_rights(shop):
    shop.sql("CREATE ROLE nobody LOGIN")
    shop.sql("CREATE ROLE clerk LOGIN IN ROLE imgpress_user")
    csv = one_product(small(shop))
    refused(shop, "42501", "SELECT imgpress.submit_csv(%s)", csv, user="nobody")
    refused(shop, "42501", "SELECT imgpress.compress_image_url(%s)", small(shop), user="nobody")
    request = shop.cluster.scalar("SELECT imgpress.submit_csv(%s)", (csv,), user="clerk")
    assert (
        shop.cluster.scalar("SELECT imgpress.wait(%s, '30 s')", (request,), user="clerk")
        == "Completed"
    )
    assert shop.cluster.scalar("SELECT count(*) FROM imgpress.progress", user="clerk") >= 1
    refused(shop, "42501", "SELECT imgpress.purge('0')", user="clerk")
    refused(shop, "42501", "SELECT * FROM imgpress.processing_requests", user="shop_gateway")
    refused(shop, "42501", "SELECT imgpress.cancel(%s)", request, user="shop_gateway")
    shop.sql("DROP ROLE nobody, clerk")


@pytest.mark.skipif(not installed_libraries(["pg_cron"]), reason="pg_cron is not installed")
def test_schedule_maintenance(shop):
    for _ in range(2):  # twice registers nothing twice
        shop.sql("SELECT * FROM imgpress.schedule_maintenance()")
    commands = [row[0] for row in shop.sql("SELECT command FROM cron.job ORDER BY command")]
    assert len(commands) == 2
    assert "imgpress.purge" in commands[0] and "imgpress.retry" in commands[1]
    for command in commands:
        shop.sql(command.replace("%", "%%"))


def test_schedule_maintenance_without_pg_cron(shop):
    shop.cluster.query("CREATE DATABASE plain")
    shop.cluster.query("CREATE EXTENSION imgpress", database="plain")
    with pytest.raises(psycopg2.Error) as raised:
        shop.cluster.query("SELECT imgpress.schedule_maintenance()", database="plain")
    assert raised.value.pgcode == "55000"
    shop.cluster.query("DROP DATABASE plain")
