"""The queue of keys stays short, however much waits for one attachment, and nothing is lost by that."""

import pytest

from harness.attach.kept_table import KEEPER, KeptTable, make_keeper
from harness.attach.quiet_shop import quiet_shop
from harness.waiting import wait_until

MOST = 10_000  # rows of the queue
COLUMNS = "(id int PRIMARY KEY, url text, small text)"


@pytest.fixture(scope="module", name="shop")
def fixture_shop():
    with quiet_shop("keyqueue") as made:
        yield made


@pytest.fixture(name="two")
def fixture_two(shop):
    """The ids of two attachments, without a scan."""
    shop.sql(f"CREATE TABLE one {COLUMNS}; CREATE TABLE two {COLUMNS}")
    yield [shop.attach(table, more=", backfill => false") for table in ("one", "two")]
    shop.sql("DROP TABLE one, two")
    shop.sql("SELECT imgpress.detach_all()")


def queue(shop, attachment, rows):
    """Rows of the queue with a key each."""
    shop.root(
        "INSERT INTO imgpress_internal.attached_keys "
        "SELECT %s, '2020-01-01'::timestamptz + n * interval '1 s', ARRAY[n::text] "
        "FROM generate_series(1, %s) n",
        (attachment, rows),
    )


def queue_large(query, attachment, megabytes):
    query(
        "INSERT INTO imgpress_internal.attached_keys SELECT %s, now(), "
        "array(SELECT lpad(n::text, 100, 'k') FROM generate_series(1, 10000) n) "
        "FROM generate_series(1, %s)",
        (attachment, megabytes),
    )


def queued(shop, attachment):
    """(rows of the queue, different keys, whether there is a mark for all rows)"""
    return shop.root(
        "SELECT count(*), (SELECT count(DISTINCT u) FROM imgpress_internal.attached_keys a, unnest(a.keys) u "
        "WHERE a.attachment_id = %s), coalesce(bool_or(keys IS NULL), false) "
        "FROM imgpress_internal.attached_keys WHERE attachment_id = %s",
        (attachment, attachment),
    )[0]


def next_job(shop):
    return shop.root("SELECT kind, attachment_id, keys FROM imgpress_internal.next_attached_job()")[0]


def record_read(shop, attachment):
    """Takes what the last job has read off the queue, as the process does."""
    shop.root("DELETE FROM imgpress_internal.attached_keys WHERE attachment_id = %s", (attachment,))


def scan_of(shop, attachment):
    return shop.root("SELECT scan FROM imgpress_internal.attachments WHERE id = %s", (attachment,))[0][0]


def test_keys_of_a_paused_attachment_are_merged(shop, two):
    paused, busy = two
    shop.sql("SELECT imgpress.pause('one')")
    queue(shop, paused, MOST)
    queue(shop, paused, MOST)
    queue(shop, busy, 1)
    assert next_job(shop) == ("read", busy, ["1"])
    assert queued(shop, paused) == (1, MOST, False) and queued(shop, busy) == (1, 1, False)
    since = "SELECT behind_since = '2020-01-01 00:00:01' FROM imgpress.attachments WHERE request_id = %s"
    assert shop.root(since, (paused,)) == [(True,)]
    queue(shop, paused, 5)
    next_job(shop)
    assert queued(shop, paused) == (6, MOST, False), "a few more rows are left alone"
    queue(shop, paused, MOST)
    next_job(shop)
    assert queued(shop, paused) == (2, MOST, False), "what was merged is not written once more"


def test_only_who_has_more_than_a_share(shop, two):
    many, some = two
    queue(shop, many, MOST * 3 // 4)
    queue(shop, some, MOST // 4)
    next_job(shop)
    assert queued(shop, many)[0] == MOST * 3 // 4, "not before there are too many"
    queue(shop, some, 1)
    next_job(shop)
    assert queued(shop, many)[0] == 1 and queued(shop, some)[0] == MOST // 4 + 1


def test_a_mark_stands_for_very_many_keys(shop, two):
    one, other = two
    queue_large(shop.root, one, 60)
    queue_large(shop.root, other, 1)
    next_job(shop)
    assert not queued(shop, one)[2], "not before there are too many"
    queue_large(shop.root, one, 10)
    record_read(shop, other)
    assert next_job(shop) == ("read", one, [])
    assert queued(shop, one) == (1, 0, True)
    assert scan_of(shop, one) == "backfill", "what has failed is not asked for again"
    queue(shop, one, MOST)
    next_job(shop)
    assert queued(shop, one) == (1, 0, True), "it stands for these as well"
    record_read(shop, one)
    assert next_job(shop)[:2] == ("scan", one)


def test_a_scan_that_is_under_way_comes_to_its_end(shop, two):
    """The rows that it has passed are read by another one, which follows."""
    one, _ = two
    shop.sql("SELECT imgpress.reconcile('one')")
    shop.root("UPDATE imgpress_internal.attachments SET scan_after = '{5}' WHERE id = %s", (one,))
    shop.sql("TRUNCATE one")
    assert next_job(shop) == ("read", one, [])
    record_read(shop, one)
    after = shop.root("SELECT kind, scan_after FROM imgpress_internal.next_attached_job()")[0]
    assert after == ("scan", ["5"])
    shop.root(
        "UPDATE imgpress_internal.attachment_progress SET scan_gone_after = '' WHERE attachment_id = %s",
        (one,),
    )
    assert next_job(shop)[0] is None, "nothing is known that could be gone: the repair has ended"
    assert scan_of(shop, one) == "backfill"
    job = shop.root("SELECT kind, scan_after FROM imgpress_internal.next_attached_job()")[0]
    assert job == ("scan", None)


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, name="overflow") as shop:
        make_keeper(shop)
        yield shop


@pytest.mark.parametrize("name", ["merged", "marked"])
def test_what_changed_meanwhile_is_found(own, name):
    """While a table is paused, more keys are noted than the queue keeps."""
    table = KeptTable(own, name)
    for number in range(1, 5):
        table.insert(number, table.url("small1.jpg"))
    table.wait_settled()
    table.owner("SELECT imgpress.pause(%s)", table.name)
    table.change(1, table.url("small2.jpg"))
    table.owner(f"DELETE FROM {table.name} WHERE id = 2")
    table.insert(5, table.url("small3.jpg"))
    if name == "marked":
        queue_large(own.cluster.query, table.id, 70)
    else:
        own.sql(
            "INSERT INTO imgpress_internal.attached_keys "
            "SELECT %s, now(), ARRAY['3'] FROM generate_series(1, %s)",
            table.id,
            MOST,
        )
    other = KeptTable(own, f"beside_{name}")
    other.insert(1, other.url("small1.jpg"))
    other.wait_shown(1, "small1.jpg")
    rows = "SELECT count(*) FROM imgpress_internal.attached_keys"
    wait_until(lambda: own.value(rows) == 1, "one row of the queue is left")
    table.owner("SELECT imgpress.resume(%s)", table.name)
    table.wait_shown(1, "small2.jpg")
    table.wait_shown(5, "small3.jpg")
    table.wait_settled()
    assert table.counts() == (4, 4, 4), "what belonged to the second row is gone"


def test_clearing_against_a_trigger_that_refuses(own):
    """It is tried again after growing pauses, row by row, rather than all the time."""
    table = KeptTable(own, "refusing")
    for number in range(1, 4):
        table.insert(number, table.url("small1.jpg"))
    table.wait_settled()
    table.owner("CREATE SEQUENCE catalogue.attempts")
    table.owner(
        "CREATE FUNCTION catalogue.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM nextval('catalogue.attempts'); RAISE 'it stays'; END $$"
    )
    table.owner(
        f"CREATE TRIGGER refuse BEFORE UPDATE ON {table.name} "
        "FOR EACH ROW EXECUTE FUNCTION catalogue.refuse()"
    )
    with own.cluster.session(user=KEEPER) as session:
        session.execute(f"SELECT imgpress.detach('{table.name}', clear_outputs => true)")
    failures = "SELECT failures FROM imgpress_internal.attachment_progress WHERE attachment_id = %s"
    wait_until(lambda: own.value(failures, table.id) >= 4, "it has failed several times")
    assert own.value("SELECT last_value FROM catalogue.attempts") <= 8
    table.owner(f"DROP TRIGGER refuse ON {table.name}")
    own.sql(
        "UPDATE imgpress_internal.attachment_progress SET retry_at = NULL WHERE attachment_id = %s",
        table.id,
    )
    own.sql("SELECT imgpress_internal.wake_attachments()")
    wait_until(lambda: table.state() is None, "the attachment is forgotten")
    assert [table.row(number)[0] for number in range(1, 4)] == [None] * 3
