"""Work that is cut short on this side is neither lost nor counted against the image or the webhook."""

import pytest

from harness.catalogue import ERROR_TEXT
from harness.processes import kill
from harness.servers.gate import Gate
from harness.shop import TEST_SETTINGS
from harness.waiting import PROMPT, wait_until

SOON = 5.0  # seconds
ATTEMPTS = (
    "SELECT attempts, interruptions FROM imgpress.images WHERE request_id = %s AND image_no = 1"
)
HELD = (
    "SELECT count(*) FROM imgpress.images WHERE request_id = %s AND lease_token IS NOT NULL"
)
DELIVERY = (
    "SELECT status, attempts, interruptions FROM imgpress.webhook_deliveries WHERE request_id = %s"
)


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    settings = {**TEST_SETTINGS, "imgpress.webhook_retry_delays": "300"}
    with open_shop(settings=settings, gateway=False, preload=("imgpress",), name="cut") as made:
        made.finish(made.submit("small0.jpg"))
        yield made


def kill_drainer(shop):
    """PostgreSQL restarts all its processes."""
    (drainer,) = shop.cluster.drainers()
    kill([drainer.pid])
    shop.cluster.wait_ready()
    wait_until(shop.cluster.drainers, "another worker")


# --- images -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["terminate", "restart", "press"])
def test_what_ends_in_order_costs_no_attempt(own, mode):
    held, gate = own.submit_held(f"order-{mode}")
    for turn in range(2, 5):
        if mode == "terminate":
            own.cluster.terminate(own.cluster.drainers()[0].pid)
        elif mode == "restart":
            own.cluster.restart()
        else:
            with own.cluster.settings({"imgpress.press_path": "/bin/false"}):
                kill([press.pid for press in own.cluster.presses("codec")])
                state = "SELECT count(*) FROM imgpress.workers WHERE state = 'cannot start'"
                wait_until(lambda: own.value(state), "the worker gives up")
        gate.wait_arrived(turn)
    assert own.sql(ATTEMPTS, held) == [(1, 0)]
    gate.open()
    own.assert_finished_once(held)


def test_an_image_that_ends_its_worker_is_given_up_and_no_other(own):
    """kill -9 stands for an image that crashes the worker. Two more images are under way the first
    three times; after that each is claimed alone, and only one of them ends its worker again."""
    poison, gate = own.submit_held("poison")
    others = [own.submit(f"held/beside/small{n}.jpg") for n in range(2)]
    beside = own.origin.gate("beside")
    for turn in range(1, 4):
        gate.wait_arrived(turn)
        beside.wait_arrived(2 * turn)
        kill_drainer(own)
    alone = "SELECT array_agg(url ORDER BY url) FROM imgpress.images WHERE lease_token IS NOT NULL"
    beside.open()
    gate.wait_arrived(4)
    assert own.value(alone) == [own.origin.url("held/poison/small1.jpg")]
    late = own.submit("small5.jpg")
    assert own.status(late) == "Pending", "nothing is claimed beside it"
    kill_drainer(own)
    (product,) = own.finish(poison, PROMPT)
    assert product["output_image_urls"] == ERROR_TEXT
    (failure,) = own.failures(poison)
    assert (failure["error_code"], failure["attempts"]) == ("press_died", 4)
    for request in (*others, late):
        own.assert_finished_once(request)
    gate.open()


def test_killed_fetchers_cost_no_failure(own):
    """Two are killed in a row with the image; it is tried again at once."""
    held, gate = own.submit_held("fetchers")
    for turn in range(2, 4):
        kill([press.pid for press in own.cluster.presses("fetch")])
        gate.wait_arrived(turn, SOON)
    gate.open()
    own.assert_finished_once(held)
    assert own.value("SELECT failed_attempts FROM imgpress.images WHERE request_id = %s", held) == 0


# --- webhooks -----------------------------------------------------------------------------------


def submit_with_held_webhook(shop, receiver, name):
    """A request that has ended and whose webhook waits for its answer: (id, endpoint, gate)."""
    endpoint, gate = receiver.endpoint(f"/{name}"), Gate()
    endpoint.script(*[gate] * 20)
    request = shop.submit("small1.jpg", webhook_url=endpoint.url)
    endpoint.wait(1)
    return request, endpoint, gate


def wait_for_delivery(shop, request, expected):
    wait_until(lambda: shop.sql(DELIVERY, request) == [expected], f"the webhook is {expected}")


def test_a_fetcher_killed_during_a_webhook_is_not_the_receivers_failure(own, receiver):
    request, endpoint, gate = submit_with_held_webhook(own, receiver, "killed")
    for sent in range(2, 4):
        kill([press.pid for press in own.cluster.presses("fetch")])
        endpoint.wait(sent, SOON)
    gate.open()
    wait_for_delivery(own, request, ("Delivered", 1, 0))
    assert len({message.headers["webhook-id"] for message in endpoint.deliveries}) == 1


def test_the_third_fetcher_in_a_row_counts(own, receiver):
    request, endpoint, gate = submit_with_held_webhook(own, receiver, "thrice")
    for sent in range(2, 5):
        kill([press.pid for press in own.cluster.presses("fetch")])
        if sent < 4:
            endpoint.wait(sent, SOON)
    waiting = "SELECT next_attempt_at > now() + interval '4 min' FROM imgpress.webhook_deliveries WHERE request_id = %s"
    wait_until(lambda: own.value(waiting, request), "the next attempt is 5 minutes away")
    assert own.sql(DELIVERY, request) == [("Pending", 1, 0)]
    assert len(endpoint.deliveries) == 3
    gate.open()


def test_a_killed_worker_is_not_the_receivers_failure(own, receiver):
    request, endpoint, gate = submit_with_held_webhook(own, receiver, "worker")
    kill_drainer(own)
    endpoint.wait(2, PROMPT)
    gate.open()
    wait_for_delivery(own, request, ("Delivered", 1, 0))


def test_a_webhook_whose_row_is_locked_is_not_told_again(own, receiver):
    request, endpoint, gate = submit_with_held_webhook(own, receiver, "locked")
    others = [receiver.endpoint(f"/beside-{number}") for number in range(3)]
    with own.cluster.session() as session:
        session.execute("BEGIN")
        session.execute(
            "SELECT FROM imgpress.webhook_deliveries WHERE request_id = %s FOR SHARE", (request,)
        )
        gate.open()
        for other in others:
            own.submit("small2.jpg", webhook_url=other.url)
            other.wait(1, SOON)
        assert own.sql(DELIVERY, request) == [("Pending", 1, 0)]
        session.execute("COMMIT")
    wait_until(
        lambda: own.sql(DELIVERY, request) == [("Delivered", 1, 0)], "the end is recorded", SOON
    )
    assert len(endpoint.deliveries) == 1
