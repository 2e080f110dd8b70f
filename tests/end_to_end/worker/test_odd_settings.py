"""Unusual settings and transactions that must not stop the worker."""

import resource
import sys
import time
import uuid

import psycopg2
import pytest

from harness.processes import cpu_seconds
from harness.shop import TEST_SETTINGS
from harness.waiting import PROMPT, wait_until
from harness.servers.webhook_receiver import HANG

HANGING = 48  # webhooks; more than the drainer delivers at the same time
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
        made.finish(made.submit("small0.jpg"))
        yield made


def test_read_only_and_serializable_by_default(own, receiver):
    """For a drainer that runs already, and for one that starts with these settings."""
    endpoint = receiver.endpoint("/read-only")
    csv = own.csv("small1.jpg")
    unusual = {
        "default_transaction_read_only": "on",
        "default_transaction_isolation": "serializable",
    }

    def check():
        with own.cluster.session() as session:
            session.execute("SET default_transaction_read_only = off")
            session.execute("SELECT imgpress.submit_csv(%s, %s)", (csv, endpoint.url))
            request = session.fetchone()[0]
        wait_until(lambda: own.status(request) == "Completed", "the request is finished", PROMPT)

    with own.cluster.settings(unusual):
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            own.submit_csv(csv)
        check()
        (drainer,) = own.cluster.drainers()
        own.cluster.terminate(drainer.pid)
        check()
        endpoint.wait(2)


def test_many_hanging_webhooks_delay_no_images_and_cost_no_cpu_time(own, receiver):
    endpoint = receiver.endpoint("/hangs")
    endpoint.script(*[HANG] * HANGING)
    requests = [own.submit("small0.jpg", webhook_url=endpoint.url) for _ in range(HANGING)]
    endpoint.wait(AT_A_TIME)
    for request in [*requests, own.submit("small1.jpg")]:
        own.finish(request, PROMPT)

    # While this one waits for its turn, there is always a delivery that is due and cannot be sent.
    last = receiver.endpoint("/waits-for-hanging-ones")
    (drainer,) = own.cluster.drainers()
    used, begin = cpu_seconds(drainer.pid), time.monotonic()
    own.submit("small0.jpg", webhook_url=last.url)
    last.wait()
    used, passed = cpu_seconds(drainer.pid) - used, time.monotonic() - begin
    assert used < 0.1 + passed / 4, f"{used} s of CPU time in {passed} s of waiting"


def test_database_as_a_template(own):
    own.finish(own.submit("small0.jpg"))
    (drainer,) = own.cluster.drainers()
    with own.cluster.session(database="postgres") as session:
        session.execute("CREATE DATABASE copy TEMPLATE shop")
        assert not drainer.alive()
        wait_until(own.cluster.drainers, "another drainer", PROMPT)
        session.execute("DROP DATABASE copy")
    own.finish(own.submit("small0.jpg"), PROMPT)


def limits_of_open_files(pid):
    """(soft, hard)"""
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        line = next(line for line in limits if line.startswith("Max open files"))
    return tuple(map(int, line.replace("unlimited", str(sys.maxsize)).split()[3:5]))


def test_limit_of_open_files(own):
    """The worker raises its soft limit, which most services set to 1024: that would be enough for
    256 images in flight."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = 1024 if hard == resource.RLIM_INFINITY else min(1024, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    try:
        own.cluster.restart()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    least, most = limits_of_open_files(own.cluster.postmaster())
    own.finish(own.submit("small0.jpg"), PROMPT)
    (drainer,) = own.cluster.drainers()
    in_flight = own.value("SELECT current_setting('imgpress.images_in_flight')::integer")
    assert limits_of_open_files(drainer.pid) == (max(least, min(4 * in_flight, most)), most)
    with own.cluster.settings({"imgpress.images_in_flight": 1000}):
        raised = (max(least, min(4000, most)), most)
        wait_until(
            lambda: limits_of_open_files(drainer.pid) == raised, "it has files for more", PROMPT
        )
    with own.cluster.session() as session:  # its programs (COPY FROM PROGRAM) may use select()
        session.execute("SELECT pg_backend_pid() FROM imgpress.compress_images(ARRAY['x'::bytea])")
        (session_pid,) = session.fetchone()
        assert limits_of_open_files(session_pid) == (least, most)


def test_prepared_transaction(own):
    """It delays no other request. COMMIT PREPARED does not wake the drainer; the next submission
    does."""
    prepared = str(uuid.uuid4())
    csv = own.csv("small1.jpg")
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute("SELECT imgpress.submit_csv(%s, request_id => %s)", (csv, prepared))
        session.execute("PREPARE TRANSACTION 'submission'")
        own.finish(own.submit("small0.jpg"), PROMPT)
        session.execute("COMMIT PREPARED 'submission'")
    for request in (own.submit("small2.jpg"), prepared):
        own.finish(request, PROMPT)
