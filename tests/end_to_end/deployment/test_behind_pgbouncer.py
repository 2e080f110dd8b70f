"""The gateway behind PgBouncer in transaction mode: each transaction may use another connection."""

import pytest
from contract_cases import ContractCases, call_at_once

from harness.gateway import Gateway, assert_error
from harness.servers.pgbouncer import PgBouncer, pgbouncer_program
from harness.shop import GATEWAY_LOGIN
from harness.waiting import wait_until

pytestmark = pytest.mark.skipif(pgbouncer_program() is None, reason="needs pgbouncer")


@pytest.fixture(scope="module", name="client")
def fixture_client(shop):
    """A gateway with 16 connections to a pool of 4."""
    shop.create_gateway_login()
    with PgBouncer(shop.cluster, GATEWAY_LOGIN) as pooler:
        with Gateway(pooler.conninfo(), options=("--connections", "16")) as gateway:
            yield gateway


class TestContract(ContractCases):
    pass


def test_hundreds_of_statuses_at_once(shop, client):
    known = [shop.upload("small0.jpg") for _ in range(4)]
    for request in known:
        shop.finish(request)
    asked = known * 80

    def ask(share):
        return [client.get(f"/api/status/{request}/") for request in share]

    shares = call_at_once([lambda n=n: ask(asked[n::32]) for n in range(32)])
    for number, answers in enumerate(shares):
        assert {answer.status for answer in answers} == {200}
        assert [answer.json()["request_id"] for answer in answers] == asked[number::32]


def test_nothing_stays_in_the_session(shop):
    """Settings and prepared statements of a session would reach other clients of the pool."""
    shop.create_gateway_login()
    state = """
    SELECT (SELECT count(*) FROM pg_prepared_statements), setting = reset_val
    FROM pg_settings WHERE name = 'statement_timeout'"""
    with PgBouncer(shop.cluster, GATEWAY_LOGIN, pool_size=1) as pooler:
        with Gateway(pooler.conninfo()) as gateway:
            request = gateway.upload(shop.csv("small0.jpg")).json()["request_id"]
            shop.finish(request)
            for kind in ("status", "products"):
                assert gateway.get(f"/api/{kind}/{request}/").status == 200
            assert pooler.query(state) == [(0, True)]


def test_postgresql_restarts_behind_it(open_shop):
    with open_shop(name="pooled", gateway=False) as own:
        own.create_gateway_login()
        with PgBouncer(own.cluster, GATEWAY_LOGIN) as pooler, Gateway(pooler.conninfo()) as gateway:
            request = gateway.upload(own.csv("small0.jpg")).json()["request_id"]
            own.finish(request)
            path = f"/api/status/{request}/"
            own.cluster.stop()
            assert_error(gateway.get(path), "database_unavailable")
            own.cluster.start()
            wait_until(lambda: gateway.get(path).status == 200, "the gateway answers again")
            again = gateway.upload(own.csv("small1.jpg"))
            assert again.status == 202
            own.finish(again.json()["request_id"])
