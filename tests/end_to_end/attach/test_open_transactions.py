"""An open transaction of the owner of one attached table holds up nobody else's table."""

import pytest

from harness.attach.kept_table import KEEPER, KeptTable, make_keeper
from harness.waiting import wait_until


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, name="open_transactions") as shop:
        make_keeper(shop)
        yield shop


def settled(own, name, **options):
    table = KeptTable(own, name, **options)
    table.insert(1, table.url("small1.jpg"))
    table.wait_shown(1, "small1.jpg")
    table.wait_settled()
    return table


def assert_served_meanwhile(own, table, other, statement, work):
    """other is written while a transaction that has executed this statement stays open."""
    with own.cluster.session(user=KEEPER, autocommit=False) as session:
        session.execute(statement)
        work()
        for number in range(2, 5):
            other.insert(number, other.url(f"small{number}.jpg"))
            other.wait_shown(number, f"small{number}.jpg", timeout=10)
    table.wait_settled()


def test_attachment_is_locked(own):
    """pause() that is not committed yet, and a change for which its row has to be updated."""
    table, other = settled(own, "pausing"), settled(own, "beside")
    assert_served_meanwhile(
        own,
        table,
        other,
        f"SELECT imgpress.pause('{table.name}')",
        lambda: table.owner(f"TRUNCATE {table.name}"),
    )
    table.insert(2, table.url("small2.jpg"))
    table.wait_shown(2, "small2.jpg")


def test_progress_is_locked(own):
    """resume() of a table that fails, not committed yet."""
    table, other = settled(own, "resuming"), settled(own, "beside_resuming")
    own.sql(
        "UPDATE imgpress_internal.attachment_progress SET trouble = 'x' WHERE attachment_id = %s",
        table.id,
    )
    assert_served_meanwhile(
        own,
        table,
        other,
        f"SELECT imgpress.resume('{table.name}')",
        lambda: table.insert(2, table.url("small2.jpg")),
    )
    table.wait_shown(2, "small2.jpg")


def test_partitioned_table_is_locked(own):
    """A migration holds a partitioned table."""
    table = KeptTable(
        own,
        "parted",
        columns="id int PRIMARY KEY, url text, small text, err text) PARTITION BY RANGE (id",
        attach=False,
    )
    table.owner(f"CREATE TABLE {table.name}_1 PARTITION OF {table.name} DEFAULT")
    table.attach()
    table.insert(1, table.url("small1.jpg"))
    table.wait_shown(1, "small1.jpg")
    other = settled(own, "beside_parted")
    assert_served_meanwhile(
        own,
        table,
        other,
        f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE",
        lambda: own.sql("SELECT imgpress.reconcile(%s)", table.name),
    )


def test_request_is_locked(own):
    """What has been read cannot be recorded: this table is tried later, and others meanwhile."""
    table, other = settled(own, "prior"), settled(own, "beside_prior")
    retry = "SELECT retry_at FROM imgpress_internal.attachment_progress WHERE attachment_id = %s"
    request = "SELECT FROM imgpress.processing_requests WHERE id = %s FOR UPDATE"
    with own.cluster.session(autocommit=False) as session:
        session.execute(request, (table.id,))
        table.insert(2, table.url("small2.jpg"))
        wait_until(lambda: own.value(retry, table.id), "it is tried later")
        other.insert(2, other.url("small2.jpg"))
        other.wait_shown(2, "small2.jpg")
    table.wait_shown(2, "small2.jpg")


def test_request_is_locked_while_the_owner_changes(own):
    """Whose request it is cannot be noted then: it is noted later, and others are served meanwhile."""
    table, other = settled(own, "inherited"), settled(own, "beside_inherited")
    own.sql("CREATE ROLE heir LOGIN IN ROLE imgpress_user; GRANT USAGE ON SCHEMA catalogue TO heir")
    request = "SELECT FROM imgpress.processing_requests WHERE id = %s FOR UPDATE"
    with own.cluster.session(autocommit=False) as session:
        session.execute(request, (table.id,))
        own.sql(f"ALTER TABLE {table.name} OWNER TO heir")
        own.sql(f"INSERT INTO {table.name} (id, url) VALUES (2, %s)", table.url("small2.jpg"))
        for number in range(2, 5):
            other.insert(number, other.url(f"small{number}.jpg"))
            other.wait_shown(number, f"small{number}.jpg", timeout=10)
    table.wait_shown(2, "small2.jpg")
    owner = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    assert own.value(owner, table.id) == "heir"


def test_what_is_known_about_a_row_is_locked(own):
    """Choosing what to do next meets the lock: this table is tried later, and others meanwhile."""
    table, other = settled(own, "noted"), settled(own, "beside_noted")
    failures = "SELECT failures FROM imgpress_internal.attachment_progress WHERE attachment_id = %s"
    row = "imgpress_internal.attached_rows WHERE attachment_id = %s"
    own.sql(
        "UPDATE imgpress_internal.attached_rows SET state = 'paused' WHERE attachment_id = %s", table.id
    )
    with own.cluster.session(autocommit=False) as session:
        session.execute(f"SELECT FROM {row} FOR UPDATE", (table.id,))
        own.sql(
            "INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no) "
            f"SELECT attachment_id, product_no FROM {row}",
            table.id,
        )
        own.sql("SELECT imgpress_internal.wake_attachments()")
        wait_until(lambda: own.value(failures, table.id) > 0, "it is tried later")
        for number in range(2, 5):
            other.insert(number, other.url(f"small{number}.jpg"))
            other.wait_shown(number, f"small{number}.jpg", timeout=10)
    wait_until(lambda: own.value(f"SELECT state FROM {row}", table.id) == "waiting", "it is looked at")
    wait_until(lambda: own.value(failures, table.id) == 0, "what was read is recorded")
