"""The gateway while PostgreSQL goes away and comes back."""

import pytest

from harness.shop import GATEWAY_LOGIN
from harness.waiting import wait_until


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(name="restart") as made:
        yield made


def test_503_while_postgresql_is_down(own):
    request = own.gateway.upload(own.csv("small0.jpg")).json()["request_id"]
    own.finish(request)
    assert own.gateway.get("/healthz").status == 200

    own.cluster.stop("fast")
    try:
        for path in ("/healthz", f"/api/status/{request}/", f"/api/products/{request}/"):
            answer = own.gateway.get(path)
            assert answer.status == 503, path
            assert answer.headers["Content-Type"].startswith("application/json")
        answer = own.gateway.upload(own.csv("small0.jpg"))
        assert answer.status == 503 and answer.json()["error"]
    finally:
        own.cluster.start()

    wait_until(lambda: own.gateway.get("/healthz").status == 200, "healthz answers 200 again")
    assert own.gateway.get(f"/api/status/{request}/").json()["status"] == "Completed"
    again = own.gateway.upload(own.csv("small1.jpg"))
    assert again.status == 202
    own.finish(again.json()["request_id"])


def test_lost_connections_are_replaced(own):
    request = own.gateway.upload(own.csv("small0.jpg")).json()["request_id"]
    own.finish(request)
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
    own.sql(end_all, GATEWAY_LOGIN)
    recovered = lambda: own.gateway.get(f"/api/status/{request}/").status == 200  # noqa: E731
    wait_until(recovered, "the gateway has new connections", 10)


def test_healthz_is_503_without_the_extension(own):
    own.sql("CREATE DATABASE bare")
    with own.new_gateway(database="bare") as gateway:
        assert gateway.get("/healthz").status == 503


def test_gateway_started_before_postgresql(own):
    unstarted = own.new_gateway()
    own.cluster.stop("fast")
    try:
        with unstarted as gateway:
            assert gateway.get("/healthz").status == 503
            own.cluster.start()
            wait_until(
                lambda: gateway.get("/healthz").status == 200, "the gateway has found PostgreSQL"
            )
    finally:
        if not own.cluster.running():
            own.cluster.start()
