"""Acting on requests from SQL: cancel, retry, purge, schedule."""

import uuid

import pytest

from harness.catalogue import ERROR_TEXT, split_urls
from harness.cluster import installed_libraries




def test_unknown_and_malformed_ids(shop):
    for function in ("request_status", "request_products", "wait", "cancel", "retry_failed"):
        shop.refused("P0002", f"SELECT imgpress.{function}(%s)", str(uuid.uuid4()))
        shop.refused("22P02", f"SELECT imgpress.{function}(%s)", "not-a-uuid")


def test_cancel(shop):
    gate = shop.origin.gate("cancel")
    request = shop.submit("small0.jpg", "held/cancel/small1.jpg")
    gate.wait_arrived()
    assert shop.value("SELECT imgpress.cancel(%s)", request) == "Failed"
    assert shop.status(request) == "Failed" and shop.wait(request) == "Failed"
    gate.open()
    shop.finish(shop.submit("small0.jpg"))
    assert shop.status(request) == "Failed"
    assert split_urls(shop.products(request)[0]["output_image_urls"])[1] == ERROR_TEXT
    assert shop.failures(request)[-1]["error_code"] == "cancelled"
    assert (
        shop.value("SELECT reason FROM imgpress.progress WHERE request_id = %s", request)
        == "cancelled"
    )
    assert shop.value("SELECT imgpress.cancel(%s)", request) == "Failed"  # as before


def test_cancel_of_an_ended_request_changes_nothing(shop):
    request = shop.submit("small0.jpg")
    shop.finish(request)
    assert shop.value("SELECT imgpress.cancel(%s)", request) == "Completed"
    assert shop.status(request) == "Completed"


def test_retry_failed(shop):
    request = shop.submit("small0.jpg", "late.jpg")
    (product,) = shop.finish(request)
    assert split_urls(product["output_image_urls"])[1] == ERROR_TEXT
    shop.origin.add("late.jpg", shop.origin.content("small3.jpg"))
    assert shop.value("SELECT imgpress.retry_failed(%s)", request) == 1
    (product,) = shop.finish(request)
    assert split_urls(product["output_image_urls"])[1].endswith("/late_compressed.jpg")
    assert shop.failures(request) == []
    assert shop.value("SELECT imgpress.retry_failed(%s)", request) == 0
    assert shop.progress(request)["succeeded"] == 2


def test_purge_deletes_old_requests_with_all_their_rows(shop):
    gate = shop.origin.gate("purge")
    running = shop.submit("held/purge/small0.jpg")
    ended = shop.submit("small0.jpg")
    shop.finish(ended)
    shop.value("SELECT imgpress.purge('1 day')")
    assert shop.row_counts(ended) == [1, 1, 1, 1]
    assert shop.value("SELECT requests FROM imgpress.purge('0')") >= 1
    assert shop.row_counts(ended) == [0, 0, 0, 0]
    assert shop.row_counts(running) == [1, 1, 1, 0]
    gate.open()
    shop.finish(running)


@pytest.mark.skipif(not installed_libraries(["pg_cron"]), reason="pg_cron is not installed")
def test_schedule_maintenance(shop):
    for _ in range(2):  # the second call adds no further jobs
        shop.sql("SELECT * FROM imgpress.schedule_maintenance()")
    commands = [row[0] for row in shop.sql("SELECT command FROM cron.job ORDER BY command")]
    assert len(commands) == 2
    assert "imgpress.purge" in commands[0] and "imgpress.retry" in commands[1]
    for command in commands:
        shop.sql(command.replace("%", "%%"))


@pytest.mark.parametrize(
    "sqlstate, argument",
    [
        ("22023", "purge_older_than => NULL"),
        ("22023", "purge_older_than => '-1 day'"),
        ("22023", "retry_for => NULL"),
        ("22004", "purge_schedule => NULL"),
        ("22004", "retry_schedule => NULL"),
    ],
)
def test_maintenance_that_would_fail_is_not_scheduled(shop, sqlstate, argument):
    shop.refused(sqlstate, f"SELECT imgpress.schedule_maintenance({argument})")


def test_schedule_maintenance_without_pg_cron(shop):
    shop.cluster.query("CREATE DATABASE plain")
    shop.cluster.query("CREATE EXTENSION imgpress", database="plain")
    shop.cluster.refused("55000", "SELECT imgpress.schedule_maintenance()", database="plain")
    shop.cluster.query("DROP DATABASE plain")
