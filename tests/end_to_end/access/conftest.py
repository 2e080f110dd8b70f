"""What several tests of access share."""

import pytest

OWNERS = ("alice", "bob")


@pytest.fixture(scope="package", name="keyed")
def fixture_keyed(shop):
    """The name of a database with keys, which no worker serves."""
    shop.cluster.query("CREATE DATABASE keyed")
    shop.cluster.query("CREATE EXTENSION imgpress", database="keyed")
    for owner in OWNERS:
        shop.cluster.query(f"CREATE ROLE {owner} LOGIN IN ROLE imgpress_user")
    return "keyed"


@pytest.fixture(scope="package", name="make_key")
def fixture_make_key(shop, keyed):
    """A function that makes a key for its owner."""

    def make(owner="alice", scopes="{submit,read}"):
        statement = "SELECT imgpress.create_key('test', %s)"
        return shop.cluster.scalar(statement, (scopes,), keyed, owner)

    return make
