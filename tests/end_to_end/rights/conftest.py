"""A database that belongs to the attacker, who is a user of imgpress, and a request of anna."""

import pytest

from harness import attack
from harness.attack import ATTACKER


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with attack.shop_of_attacker(open_shop, name="rows") as made:
        made.sql("CREATE ROLE anna LOGIN IN ROLE imgpress_user")
        made.sql(f"GRANT imgpress_user TO {ATTACKER}")
        yield made


@pytest.fixture(scope="module", name="victim")
def fixture_victim(own):
    """anna's request: an image, a failed one, and a webhook that fails."""
    submit = "SELECT imgpress.submit_csv(%s, 'http://127.0.0.1:9/secret-hook')"
    csv = own.csv("small0.jpg", "gone.jpg")
    request = own.cluster.scalar(submit, (csv,), user="anna")
    assert own.wait(request) == "Completed"
    return request


@pytest.fixture(name="mallory")
def fixture_mallory(own):
    with own.cluster.session(user=ATTACKER) as session:
        yield session
