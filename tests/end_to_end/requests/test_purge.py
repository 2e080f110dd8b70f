"""What goes with purge() and DROP EXTENSION, and what is said about it."""

import pytest

from harness.catalogue import one_product
from harness.waiting import wait_until

PURGE = "SELECT requests, images, bytes, kept_for_webhooks FROM imgpress.purge('0', %s)"


@pytest.fixture(name="own")
def fixture_own(open_shop):
    with open_shop() as own:
        yield own


def test_a_dry_run_says_what_a_purge_deletes(own):
    requests = [own.upload("small0.jpg", "small1.jpg", "gone.jpg"), own.upload("small2.jpg")]
    outputs = [product["output_image_urls"] for it in requests for product in own.finish(it)]
    size = own.value("SELECT sum(octet_length(bytes)) FROM imgpress.outputs")
    assert own.sql(PURGE, True) == [(2, 4, size, 0)]
    assert own.row_counts(requests[0]) == [1, 1, 3, 2]
    assert own.fetch_output(outputs[1]).status == 200
    assert own.sql(PURGE, False) == [(2, 4, size, 0)]
    assert own.row_counts(requests[0]) == [0, 0, 0, 0]
    assert own.fetch_output(outputs[1]).status == 404
    assert own.sql(PURGE, True) == [(0, 0, 0, 0)]


def test_requests_are_kept_until_their_webhook_is_delivered(own, receiver):
    endpoint = receiver.endpoint("/purge")
    endpoint.script(500)
    csv = one_product(own.origin.url("small0.jpg"))
    with own.cluster.settings({"imgpress.webhook_retry_delays": "1000"}):
        request = own.submit_csv(csv, endpoint.url)
        endpoint.wait(1)
        with own.cluster.session() as session:
            session.execute(PURGE, (False,))
            assert session.fetchall() == [(0, 0, 0, 1)]
            (notice,) = session.connection.notices
        assert "1 request is kept: a webhook message is not delivered yet" in notice
        assert own.row_counts(request) == [1, 1, 1, 1]
    own.sql("UPDATE imgpress.webhook_deliveries SET next_attempt_at = now() WHERE lease_token IS NULL")
    own.sql("SELECT imgpress_internal.wake_drainer()")
    endpoint.wait(2)
    wait_until(lambda: own.sql(PURGE, False)[0][0] == 1, "the request is purged")
    assert own.row_counts(request) == [0, 0, 0, 0]


def test_drop_extension_tells_how_much_goes_with_it(own):
    own.finish(own.submit("small0.jpg", "small1.jpg", "gone.jpg"))
    size = own.value("SELECT pg_size_pretty(sum(octet_length(bytes))) FROM imgpress.outputs")
    with own.cluster.session(autocommit=False) as session:
        session.execute("DROP EXTENSION imgpress")
        (notice,) = session.connection.notices
        assert f"its outputs: 2 images of {size} altogether" in notice
        session.connection.rollback()
        # The recipe in the hint runs as it is.
        recipe = notice[notice.index("CREATE TABLE my_outputs") :]
        session.execute(recipe)
        session.execute("SELECT count(*), min(length(bytes)) > 0 FROM my_outputs")
        assert session.fetchall() == [(2, True)]
        del session.connection.notices[:]
        session.execute("DROP EXTENSION imgpress")
        session.execute("SELECT count(*) FROM my_outputs")
        assert session.fetchall() == [(2,)]


def test_drop_extension_says_nothing_where_nothing_is_lost(own):
    own.sql("CREATE DATABASE empty")
    own.cluster.query("CREATE EXTENSION imgpress", database="empty")
    with own.cluster.session("empty") as session:
        session.execute("DROP EXTENSION imgpress")
        assert session.connection.notices == []
