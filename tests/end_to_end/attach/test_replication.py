"""Logical replication: a table is attached at the publisher or at the subscriber."""

import pytest

from harness.attach.quiet_shop import OWNER, QuietShop, quiet_shop
from harness.waiting import wait_until

TABLE = "CREATE TABLE shop.{} (id int PRIMARY KEY, url text, small text)"


@pytest.fixture(scope="module", name="ends")
def fixture_ends():
    """Publisher and subscriber: two databases of one cluster."""
    with quiet_shop("attachrepl") as publisher:
        cluster = publisher.cluster
        cluster.query("CREATE DATABASE branch", database="postgres")
        cluster.query("CREATE EXTENSION imgpress", database="branch")
        cluster.query(f"CREATE SCHEMA shop AUTHORIZATION {OWNER}", database="branch")
        yield publisher, QuietShop(cluster, "branch")


@pytest.fixture(name="replicate")
def fixture_replicate(ends):
    """Replicates a table, whose rows so far are copied, until the end of the test."""
    publisher, subscriber = ends
    made = []

    def replicate(table, copy_data=False):
        publisher.root(f"CREATE PUBLICATION {table} FOR TABLE shop.{table}")
        # In one cluster CREATE SUBSCRIPTION would wait for itself if it made the slot.
        publisher.root("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (table,))
        connection = publisher.cluster.conninfo("shop")
        subscriber.root(
            f"CREATE SUBSCRIPTION {table} CONNECTION '{connection}' PUBLICATION {table} "
            f"WITH (create_slot = false, slot_name = {table}, copy_data = {copy_data})"
        )
        made.append(table)

    yield replicate
    for table in made:
        subscriber.root(f"DROP SUBSCRIPTION {table}")
        publisher.root(f"DROP PUBLICATION {table}")


def count(end, table):
    return end.root(f"SELECT count(*) FROM shop.{table}")[0][0]


def test_attached_at_the_publisher(ends, replicate):
    """What is written into a row there arrives with it; here nothing is noted."""
    publisher, subscriber = ends
    for end in ends:
        end.sql(TABLE.format("sent"))
    publisher.attach("shop.sent")
    replicate("sent")
    publisher.sql("INSERT INTO shop.sent VALUES (1, 'a')")
    publisher.sql("UPDATE shop.sent SET small = 'written'")
    arrived = "SELECT * FROM shop.sent"
    wait_until(lambda: subscriber.root(arrived) == [(1, "a", "written")], "the row has arrived")
    assert (publisher.keys(), subscriber.keys()) == (["1"], [])


@pytest.mark.parametrize("replicated", [False, True])
def test_attached_at_the_subscriber(ends, replicate, replicated):
    publisher, subscriber = ends
    table = f"received_{replicated}".lower()
    for end in ends:
        end.sql(TABLE.format(table))
    subscriber.attach(f"shop.{table}", more=f", replicated => {replicated}")
    publisher.sql(f"INSERT INTO shop.{table} VALUES (1, 'copied'), (2, NULL)")
    replicate(table, copy_data=True)
    wait_until(lambda: count(subscriber, table) == 2, "the rows have been copied")
    publisher.sql(f"INSERT INTO shop.{table} VALUES (3, 'c')")
    publisher.sql(f"UPDATE shop.{table} SET url = 'd' WHERE id = 2")
    publisher.sql(f"DELETE FROM shop.{table} WHERE id = 1; INSERT INTO shop.{table} VALUES (4)")
    wait_until(lambda: count(subscriber, table) == 3, "the changes have arrived")
    # The rows of a transaction and their keys become visible together.
    assert subscriber.keys() == (["1", "3", "2", "1"] if replicated else [])
    subscriber.sql(f"INSERT INTO shop.{table} VALUES (9, 'own')")
    assert subscriber.keys() == ["9"]
