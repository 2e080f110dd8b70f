"""Webhooks, as their receiver sees them."""

import psycopg2
import pytest

from harness.catalogue import REFUSED_URL, one_product
from harness.servers import webhook_signature
from harness.servers.webhook_receiver import HANG
from harness.waiting import wait_until


def submit(shop, endpoint, *urls):
    return shop.submit_csv(one_product(*urls or [shop.origin.url("small0.jpg")]), endpoint.url)


def delivery(shop, request):
    """(status, attempts, last HTTP status, last error) of the request's webhook."""
    rows = shop.sql(
        "SELECT status, attempts, last_http_status, last_error FROM imgpress.webhook_deliveries "
        "WHERE request_id = %s",
        request,
    )
    assert len(rows) <= 1
    return rows[0] if rows else None


def wait_for_status(shop, request, status):
    return wait_until(
        lambda: (row := delivery(shop, request)) and row[0] == status and row,
        f"the webhook's delivery is {status}",
    )


@pytest.fixture(name="endpoint")
def fixture_endpoint(receiver, request):
    return receiver.endpoint("/" + request.node.name.replace("[", "-").replace("]", ""))


def test_signed_delivery(shop, endpoint):
    request = submit(shop, endpoint, shop.origin.url("small0.jpg"), shop.origin.url("missing.jpg"))
    (message,) = endpoint.wait(1)
    assert webhook_signature.verify(
        shop.value("SELECT imgpress.webhook_secret()"), message.headers, message.body
    )
    assert abs(int(message.headers["webhook-timestamp"]) - message.received) < 30
    assert message.headers["content-type"].startswith("application/json")
    assert request in message.body.decode() and "Completed" in message.body.decode()
    assert message.json()
    assert shop.status(request) == "Completed"
    assert wait_for_status(shop, request, "Delivered")[1] == 1


def test_rest_upload_with_webhook(shop, endpoint):
    answer = shop.gateway.upload(
        shop.csv("small0.jpg"), webhook_url=endpoint.url
    )
    assert answer.status == 202
    (message,) = endpoint.wait(1)
    assert answer.json()["request_id"] in message.body.decode()


def test_retries_have_the_same_id(shop, endpoint):
    endpoint.script(500, 503)
    request = submit(shop, endpoint)
    messages = endpoint.wait(3)
    assert len({message.headers["webhook-id"] for message in messages}) == 1
    assert len({message.body for message in messages}) == 1
    secret = shop.value("SELECT imgpress.webhook_secret()")
    assert all(webhook_signature.verify(secret, it.headers, it.body) for it in messages)
    assert wait_for_status(shop, request, "Delivered")[1:3] == (3, 204)
    assert len(endpoint.deliveries) == 3


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_a_failure(shop, receiver, endpoint, status):
    elsewhere = receiver.endpoint(f"/elsewhere-{status}")
    endpoint.script((status, {"Location": elsewhere.url}))
    request = submit(shop, endpoint)
    endpoint.wait(2)
    assert wait_for_status(shop, request, "Delivered")[1] == 2
    assert elsewhere.deliveries == []


def test_no_attempt_after_the_last_delay(shop, endpoint):
    endpoint.script(*[500] * 4)
    request = submit(shop, endpoint)
    row = wait_for_status(shop, request, "Failed")
    assert row[1:3] == (4, 500) and row[3]
    assert len(endpoint.deliveries) == 4
    assert shop.status(request) == "Completed"


def test_status_410_ends_the_attempts(shop, endpoint):
    endpoint.script(410)
    request = submit(shop, endpoint)
    assert wait_for_status(shop, request, "Failed")[1:3] == (1, 410)
    assert len(endpoint.deliveries) == 1


def test_retry_after_is_honoured(shop, endpoint):
    endpoint.script((429, {"Retry-After": "1"}))
    submit(shop, endpoint)
    first, second = endpoint.wait(2)
    assert second.received - first.received >= 0.9


def test_not_sent_on_rollback(shop, receiver, endpoint):
    with shop.cluster.session(autocommit=False) as session:
        csv = shop.csv("small0.jpg")
        session.execute("SELECT imgpress.submit_csv(%s, %s)", (csv, endpoint.url))
    later = receiver.endpoint("/after-rollback")
    submit(shop, later)
    later.wait(1)
    assert endpoint.deliveries == []


def test_sent_once_for_a_cancelled_request(shop, endpoint):
    gate = shop.origin.gate("webhook-cancel")
    request = submit(shop, endpoint, shop.origin.url("held/webhook-cancel/small0.jpg"))
    gate.wait_arrived()
    shop.value("SELECT imgpress.cancel(%s)", request)
    (message,) = endpoint.wait(1)
    assert "Failed" in message.body.decode()
    gate.open()
    wait_for_status(shop, request, "Delivered")


def test_private_receiver_is_denied_by_default(shop, endpoint):
    """Written as a name, which is looked up when the webhook is sent."""
    url = endpoint.url.replace("127.0.0.1", "localhost")
    with shop.cluster.settings({"imgpress.allowed_networks": ""}):
        request = shop.submit_csv(one_product(REFUSED_URL), url)
        shop.finish(request)
        row = wait_until(
            lambda: (row := delivery(shop, request)) and row[3] and row, "the error is recorded"
        )
    assert "imgpress.allowed_networks" in row[3] or "not allowed" in row[3] or "denied" in row[3]
    assert endpoint.deliveries == []


def test_hanging_receiver_does_not_delay_images(shop, endpoint):
    endpoint.script(HANG)
    shop.finish(submit(shop, endpoint))
    endpoint.wait(1)
    shop.finish(submit(shop, endpoint, shop.origin.url("small1.jpg")), 10)
    assert len(endpoint.wait(2)) == 2


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!" + "A" * 40, "whsec_" + "A" * 41, "A" * 44]
    + ["whsec_" + "A" * 400],
)
def test_malformed_secret_is_refused(shop, secret):
    """If it were stored, no message could be signed."""
    with pytest.raises(psycopg2.Error) as raised:
        shop.sql("INSERT INTO imgpress.webhook_secrets (secret) VALUES (%s)", secret)
    assert raised.value.pgcode in ("23514", "22023")


def test_very_long_url_is_refused(shop):
    url = "http://127.0.0.1/" + "x" * 200_000
    csv = shop.csv("small0.jpg")
    shop.refused("22023", "SELECT imgpress.submit_csv(%s, %s)", csv, url)


def test_delivery_of_a_worker_that_ended_is_made_by_the_next(shop, endpoint):
    endpoint.script(HANG)
    request = submit(shop, endpoint)
    endpoint.wait(1)
    (worker,) = shop.cluster.drainers()
    shop.cluster.terminate(worker.pid)
    first, second = endpoint.wait(2, timeout=15)  # the attempt alone could last 20 s
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    attempts = wait_for_status(shop, request, "Delivered")[1]
    assert attempts == 1, "what a worker gives back when it ends in order does not count"
    leases = (
        "SELECT FROM imgpress_internal.leases l JOIN imgpress.webhook_deliveries d "
        "ON d.id = ANY (l.delivery_ids) WHERE d.request_id = %s"
    )
    assert shop.sql(leases, request) == []
