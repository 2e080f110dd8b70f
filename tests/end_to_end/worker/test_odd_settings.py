"""Unusual settings, neighbours and input that must not stop the work."""

import time
import uuid

import psycopg2
import pytest

from harness.catalogue import one_product
from harness.processes import cpu_seconds
from harness.shop import TEST_SETTINGS
from harness.waiting import wait_for_exit, wait_until
from harness.servers.webhook_receiver import HANG

PROMPT = 15  # seconds; what nobody wakes the drainer for would take up to 60
HANGING = 48  # more than the drainer delivers at a time
AT_A_TIME = 16


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    settings = {
        **TEST_SETTINGS,
        "max_prepared_transactions": 5,
        "imgpress.webhook_timeout": "1s",
        "imgpress.webhook_retry_delays": "600",
    }
    with open_shop(settings=settings, gateway=False, preload=("imgpress",), name="odd") as made:
        made.finish(submit(made))
        yield made


def submit(shop, path="small0.jpg", webhook_url=None):
    return shop.submit_csv(one_product(shop.origin.url(path)), webhook_url)


def test_read_only_and_serializable_by_default(own, receiver):
    """For the drainer that was there before as for the one that starts under these settings."""
    endpoint = receiver.endpoint("/read-only")
    csv = one_product(own.origin.url("small1.jpg"))
    unusual = {
        "default_transaction_read_only": "on",
        "default_transaction_isolation": "serializable",
    }

    def check():
        with own.cluster.session() as session:
            session.execute("SET default_transaction_read_only = off")
            session.execute("SELECT imgpress.submit_csv(%s, %s)", (csv, endpoint.url))
            request = session.fetchone()[0]
        wait_until(lambda: own.status(request) == "Completed", "the request is done", PROMPT)

    with own.cluster.settings(unusual):
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            own.submit_csv(csv)
        check()
        (drainer,) = own.cluster.drainers()
        own.value("SELECT pg_terminate_backend(%s)", drainer.pid)
        assert wait_for_exit([drainer.pid]) == []
        check()
        endpoint.wait(2)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!" + "A" * 40, "whsec_" + "A" * 41, "A" * 44]
    + ["whsec_" + "A" * 400],
)
def test_malformed_webhook_secret_is_refused(own, secret):
    """Stored, it would make the signing of every message fail."""
    with pytest.raises(psycopg2.Error) as raised:
        own.sql("INSERT INTO imgpress.webhook_secrets (secret) VALUES (%s)", secret)
    assert raised.value.pgcode in ("23514", "22023")


def test_endless_webhook_url_is_refused(own):
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        submit(own, webhook_url="http://127.0.0.1/" + "x" * 200_000)


def test_many_hanging_webhooks_cost_neither_images_nor_cpu_time(own, receiver):
    endpoint = receiver.endpoint("/hangs")
    endpoint.script(*[HANG] * HANGING)
    requests = [submit(own, webhook_url=endpoint.url) for _ in range(HANGING)]
    endpoint.wait(AT_A_TIME)
    for request in [*requests, submit(own, "small1.jpg")]:
        own.finish(request, PROMPT)

    # As long as this one waits for its turn, there is always one due that cannot be sent.
    last = receiver.endpoint("/waits-for-hanging-ones")
    (drainer,) = own.cluster.drainers()
    used, begin = cpu_seconds(drainer.pid), time.monotonic()
    submit(own, webhook_url=last.url)
    last.wait()
    used, passed = cpu_seconds(drainer.pid) - used, time.monotonic() - begin
    assert used < 0.1 + passed / 4, f"{used} s of CPU time in {passed} s of waiting"


@pytest.mark.parametrize(
    "preparation",
    [
        "CREATE ROLE stranger; CREATE SCHEMA imgpress AUTHORIZATION stranger",
        "CREATE SCHEMA imgpress; CREATE FUNCTION imgpress.announce_end(uuid) RETURNS void "
        "LANGUAGE sql AS ''",
        "CREATE SCHEMA imgpress; CREATE TABLE imgpress.outputs ()",
    ],
    ids=["somebody else's", "with a function", "with a table"],
)
def test_schema_that_is_there_already(own, preparation):
    with own.cluster.session(database="postgres") as session:
        session.execute(f"BEGIN; {preparation}")
        with pytest.raises(psycopg2.errors.DuplicateSchema) as raised:
            session.execute("CREATE EXTENSION imgpress")
        assert raised.value.diag.message_hint
        session.execute("ROLLBACK")


def test_database_serves_as_a_template(own):
    own.finish(submit(own))
    (drainer,) = own.cluster.drainers()
    with own.cluster.session(database="postgres") as session:
        session.execute("CREATE DATABASE copy TEMPLATE shop")
        assert not drainer.alive()
        wait_until(own.cluster.drainers, "the drainer is back", PROMPT)
        session.execute("DROP DATABASE copy")
    own.finish(submit(own), PROMPT)


def test_prepared_transaction(own):
    """It holds up nobody. COMMIT PREPARED wakes nobody either; whoever submits next does."""
    prepared = str(uuid.uuid4())
    csv = one_product(own.origin.url("small1.jpg"))
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute("SELECT imgpress.submit_csv(%s, request_id => %s)", (csv, prepared))
        session.execute("PREPARE TRANSACTION 'submission'")
        own.finish(submit(own), PROMPT)
        session.execute("COMMIT PREPARED 'submission'")
    for request in (submit(own, "small2.jpg"), prepared):
        own.finish(request, PROMPT)
