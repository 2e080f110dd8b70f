"""What is written into the rows of an attached table, and when."""

import json
import time

import pytest

from harness.images import jpeg
from harness.attach.kept_table import KEEPER, KeptTable, make_keeper, writers
from harness.waiting import PROMPT, wait_until


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, name="writeback") as shop:
        make_keeper(shop)
        yield shop


@pytest.fixture(scope="module", name="table")
def fixture_table(own):
    return KeptTable(own, "p")


def test_insert_is_written_within_a_second(table):
    table.insert(1, table.url("small0.jpg"))
    table.wait_shown(1, "small0.jpg")
    began = time.monotonic()
    table.insert(2, table.url("small1.jpg"))
    output = table.wait_shown(2, "small1.jpg", timeout=1.0)
    assert time.monotonic() - began < 1.5
    assert output.startswith(f"{table.shop.public_url}/images/{table.id}/")
    assert table.row(2)[1] is None
    assert 0 < len(table.served(output)) < 100_000


def test_changed_url_keeps_the_old_output_until_the_new_one_ends(table):
    table.insert(3, table.url("small2.jpg"))
    before = table.wait_shown(3, "small2.jpg")
    gate = table.shop.origin.gate("change")
    table.change(3, table.url("held/change/small3.jpg"))
    gate.wait_arrived()
    assert table.row(3) == (before, None)
    gate.open()
    after = table.wait_shown(3, "small3.jpg")
    assert table.served(after)
    table.wait_settled()
    assert table.served(before) is None, "nothing shows the old image any more"


def test_failure_is_null_with_a_reason_and_success_clears_it(table):
    table.insert(4, table.url("status/410"))
    assert table.wait(4, lambda out, err: err)[0] is None
    assert "410" in table.row(4)[1]
    table.change(4, table.url("small4.jpg"))
    table.wait_shown(4, "small4.jpg")
    assert table.row(4)[1] is None
    table.change(4, "not a URL")
    assert table.wait(4, lambda out, err: err and out is None)
    table.change(4, None)
    assert table.wait(4, lambda out, err: err is None) == (None, None)


def test_retried_image_is_written(table):
    """retry_failed() tries the images of a request again, and so those of an attached table."""
    table.shop.origin.add("late.jpg", None)
    table.insert(4000, table.url("late.jpg"))
    table.wait(4000, lambda out, err: err)
    table.shop.origin.add("late.jpg", jpeg(seed=4))
    table.owner("SELECT imgpress.retry_failed(%s)", table.id)
    table.wait_shown(4000, "late.jpg")
    assert table.row(4000)[1] is None


def test_null_url_removes_the_output_and_its_image(table):
    table.insert(5, table.url("small5.jpg"))
    output = table.wait_shown(5, "small5.jpg")
    table.change(5, None)
    table.wait(5, lambda out, err: out is None)
    table.wait_settled()
    assert table.served(output) is None


def test_deleted_row_takes_its_image_along(table):
    table.insert(6, table.url("small6.jpg"))
    output = table.wait_shown(6, "small6.jpg")
    before = table.counts()
    table.owner(f"DELETE FROM {table.name} WHERE id = 6")
    wait_until(lambda: table.served(output) is None, "its image is gone")
    assert table.counts() == tuple(count - 1 for count in before)


def test_url_that_changes_while_it_is_loaded(table):
    """Only the last one counts; the image of the first is finished in vain."""
    gate = table.shop.origin.gate("overtaken")
    table.insert(7, table.url("held/overtaken/small7.jpg"))
    gate.wait_arrived()
    table.change(7, table.url("small8.jpg"))
    table.wait_shown(7, "small8.jpg")
    gate.open()
    table.insert(8, table.url("small9.jpg"))
    table.wait_shown(8, "small9.jpg")
    assert "small8_compressed" in table.row(7)[0]
    table.wait_settled()
    table.counts()


def test_key_that_changes(table):
    table.insert(9, table.url("small0.jpg"))
    table.wait_shown(9, "small0.jpg")
    table.owner(f"UPDATE {table.name} SET id = 90 WHERE id = 9")
    table.wait_settled()
    output = table.row(90)[0]
    assert output is not None
    assert table.served(output), "the URL that the row shows works"


def test_output_of_others_is_left_alone(table):
    table.insert(10, table.url("small1.jpg"))
    table.wait_shown(10, "small1.jpg")
    table.owner(f"UPDATE {table.name} SET small = 'by hand' WHERE id = 10")
    table.change(10, table.url("small2.jpg"))
    table.wait_settled()
    assert table.row(10) == ("by hand", None)
    assert table.state()["left_alone"] == 1
    table.owner(f"UPDATE {table.name} SET small = NULL, url = %s WHERE id = 10", table.url("small3.jpg"))
    table.wait_shown(10, "small3.jpg")
    assert table.state()["left_alone"] == 0


def test_overwrite_and_stale(own):
    table = KeptTable(own, "overwriting", overwrite=True, stale="null")
    table.owner(f"INSERT INTO {table.name} VALUES (1, %s, 'by hand')", table.url("small1.jpg"))
    table.wait_shown(1, "small1.jpg")
    gate = own.origin.gate("stale")
    table.change(1, table.url("held/stale/small2.jpg"))
    gate.wait_arrived()
    table.wait(1, lambda out, _err: out is None)
    gate.open()
    table.wait_shown(1, "small2.jpg")
    table.wait_settled()
    assert table.counts() == (1, 1, 1)


def lists(table, one, two):
    """The same list in each form, with a failure in the middle."""
    bad = table.url("status/404")
    return {
        "text": f"{one},{bad},{two},{one}",
        "text[]": [one, bad, two, one],
        "jsonb": json.dumps([one, {"src": bad}, {"url": two, "alt": "x"}, {"href": one}]),
    }


@pytest.mark.parametrize("output_type", ["text[]", "jsonb"])
@pytest.mark.parametrize("url_type", ["text", "text[]", "jsonb"])
def test_lists(own, url_type, output_type):
    name = f"list_{url_type}_{output_type}".replace("[]", "s")
    columns = f"id int PRIMARY KEY, url {url_type}, small {output_type}, err text"
    table = KeptTable(own, name, columns)
    table.insert(1, lists(table, table.url("small1.jpg"), table.url("small2.jpg"))[url_type])
    shown, error = table.wait(1, lambda out, err: out)
    assert len(shown) == 4
    assert shown[1] is None, "never the text of the error"
    assert "small1_compressed" in shown[0] and shown[3] == shown[0]
    assert "small2_compressed" in shown[2]
    assert error.startswith("URL 2: ") and "404" in error
    table.change(1, {"text": "", "text[]": [], "jsonb": "[]"}[url_type])
    assert table.wait(1, lambda out, err: out == [])[1] is None


def test_bytes(own):
    table = KeptTable(own, "bytes", "id int PRIMARY KEY, url text, small bytea, err text")
    table.insert(1, table.url("small1.jpg"))
    table.insert(2, table.url("status/404"))
    shown, _error = table.wait(1, lambda out, err: out)
    assert bytes(shown) == bytes(
        own.value("SELECT bytes FROM imgpress.outputs WHERE request_id = %s", table.id)
    )
    table.wait(2, lambda out, err: out is None and err)


def test_names_keys_and_types_that_need_care(own):
    """A composite key whose types have odd texts, names in quotes, a domain, a short column."""
    table = KeptTable(own, "plain", attach=False)
    table.owner("CREATE DOMAIN catalogue.link AS text CHECK (value <> 'no')")
    table.owner(
        'CREATE TABLE catalogue."My ""Shop" ("the id" uuid, "at" timestamptz, "b,\\" bytea, '
        'flag boolean, n text, "URL" catalogue.link, "out put" catalogue.link, e varchar(9), '
        'PRIMARY KEY ("the id", "at", "b,\\", flag, n))'
    )
    table.owner("ALTER ROLE keeper SET datestyle = 'German'")
    keys = ["the id", "at", "b,\\", "flag", "n"]
    table.name = 'catalogue."My ""Shop"'
    statement = "SELECT imgpress.attach(%s, %s, 'URL', 'out put', error => 'e')"
    ((table.id,),) = table.owner(statement, table.name, keys)
    insert = f"INSERT INTO {table.name} VALUES (gen_random_uuid(), %s, %s, true, %s, %s)"
    table.owner(insert, "2026-01-02 03:04:05.678901+05:30", b'\x00"\\', "a'b", table.url("small1.jpg"))
    table.owner(insert, "infinity", b"", "x,y", table.url("status/404"))
    read = f'SELECT "out put", e FROM {table.name} WHERE n = %s'
    wait_until(lambda: own.sql(read, "a'b")[0][0], "the output is there")
    wait_until(lambda: own.sql(read, "x,y")[0][1] == "HTTP 404 ", "the reason is cut to fit")
    own.sql("SELECT imgpress.reconcile(%s)", table.name)
    table.wait_settled()
    assert table.counts() == (2, 2, 1), "a scan finds the same keys as the triggers"


def test_partitioned_table(own):
    columns = "id int, region text, url text, small text, err text, PRIMARY KEY (id, region)"
    table = KeptTable(own, "parts", f"{columns}) PARTITION BY LIST (region", attach=False)
    table.owner("CREATE TABLE catalogue.parts_a PARTITION OF catalogue.parts FOR VALUES IN ('a')")
    table.attach(key=["id", "region"])
    table.owner("CREATE TABLE catalogue.parts_b PARTITION OF catalogue.parts FOR VALUES IN ('b')")
    for region in "ab":
        insert = "INSERT INTO catalogue.parts VALUES (1, %s, %s)"
        table.owner(insert, region, table.url(f"small{ord(region) % 10}.jpg"))
    wait_until(
        lambda: own.value("SELECT count(small) FROM catalogue.parts") == 2, "both are written"
    )
    table.owner("UPDATE catalogue.parts SET region = 'b', id = 2 WHERE region = 'a'")
    table.wait_settled()
    shown = own.sql("SELECT small FROM catalogue.parts ORDER BY id")
    assert all(table.served(url) for (url,) in shown)


def test_write_waits_for_nobody(table):
    """A row that the application has locked is written later; others at once."""
    table.insert(20, None)
    table.insert(21, None)
    with table.shop.cluster.session(user=KEEPER, autocommit=False) as application:
        application.execute(f"SELECT FROM {table.name} WHERE id = 20 FOR UPDATE")
        application.execute(
            f"UPDATE {table.name} SET url = %s WHERE id = 20", (table.url("small5.jpg"),)
        )
        application.connection.commit()
        application.execute(f"SELECT FROM {table.name} WHERE id = 20 FOR UPDATE")
        table.change(21, table.url("small6.jpg"))
        table.wait_shown(21, "small6.jpg")
        assert table.row(20) == (None, None)
        state = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert table.shop.value(state) == 0
    table.wait_shown(20, "small5.jpg")


def test_own_write_is_no_change(table):
    """What is written fires no trigger of imgpress's own: nothing is queued, no row is read."""
    table.insert(30, table.url("small7.jpg"))
    table.wait_shown(30, "small7.jpg")
    table.wait_settled()
    version = table.shop.value(f"SELECT xmin::text FROM {table.name} WHERE id = 30")
    table.owner(f"UPDATE {table.name} SET url = url WHERE id = 30")
    assert table.shop.value("SELECT count(*) FROM imgpress_internal.attached_keys") == 0
    assert version != table.shop.value(f"SELECT xmin::text FROM {table.name} WHERE id = 30")


def test_trigger_that_changes_the_url_each_time_is_stopped(own):
    table = KeptTable(own, "loops")
    table.owner(
        "CREATE FUNCTION catalogue.move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF new.small IS DISTINCT FROM old.small THEN new.url := new.url || 'x'; END IF; "
        "RETURN new; END $$"
    )
    table.owner(
        "CREATE TRIGGER move BEFORE UPDATE ON catalogue.loops "
        "FOR EACH ROW EXECUTE FUNCTION catalogue.move()"
    )
    table.insert(1, table.url("small1.jpg?"))
    table.insert(2, None)
    wait_until(lambda: table.state()["left_alone"] == 1, "the row is paused and counted")
    rows = own.sql(
        "SELECT key, state, reason FROM imgpress_internal.attached_rows WHERE attachment_id = %s",
        table.id,
    )
    assert [(key, state) for key, state, _ in rows] == [("1", "paused")]
    assert "more than 5 times" in rows[0][2]
    length = len(own.value("SELECT url FROM catalogue.loops WHERE id = 1"))
    assert length <= len(table.url("small1.jpg?")) + 8
    table.owner("DROP TRIGGER move ON catalogue.loops")
    own.sql("UPDATE imgpress_internal.attached_rows SET changes_since = now() - interval '1 h'")
    own.sql("UPDATE imgpress_internal.attached_ends SET due_at = now()")
    table.change(1, table.url("small2.jpg"))
    table.wait_shown(1, "small2.jpg")


def test_many_rows_in_one_statement(own):
    """More rows than one transaction takes, and one of them locked meanwhile."""
    table = KeptTable(own, "many")
    table.owner(
        f"INSERT INTO {table.name} (id, url) SELECT n, %s || n FROM generate_series(1, 2500) n",
        table.url("small1.jpg?"),
    )
    wait_until(
        lambda: own.value(f"SELECT count(small) FROM {table.name}") == 2500, "all", timeout=90
    )
    table.wait_settled()
    assert table.counts() == (2500, 2500, 2500)
    assert own.value(f"SELECT count(DISTINCT small) FROM {table.name}") == 2500


def test_process_comes_when_needed_and_goes(own, table):
    table.insert(40, table.url("small1.jpg"))
    table.wait_shown(40, "small1.jpg")
    assert len(writers(own)) == 1
    wait_until(lambda: writers(own) == [], "the process ends when idle", timeout=30)
    table.change(40, table.url("small2.jpg"))
    table.wait_shown(40, "small2.jpg", timeout=PROMPT)
    assert len(writers(own)) == 1


def test_refresh(own):
    """Same bytes: same URL. Other bytes: a new URL, and the old image goes. Failure: the old
    output stays, with the reason."""
    table = KeptTable(own, "refreshed")
    for number in (1, 2, 3):
        own.origin.add(f"fresh{number}.jpg", jpeg(seed=number))
        table.insert(number, table.url(f"fresh{number}.jpg"))
    before = [table.wait_shown(number, f"fresh{number}.jpg") for number in (1, 2, 3)]
    table.wait_settled()
    own.origin.add("fresh2.jpg", jpeg(seed=22))
    own.origin.add("fresh3.jpg", None)
    table.owner("SELECT imgpress.reconcile(%s, refresh => true)", table.name)
    table.wait(3, lambda out, err: err)
    table.wait_settled()
    assert table.row(1) == (before[0], None)
    changed = table.row(2)[0]
    assert changed not in (None, before[1]) and table.served(changed)
    assert table.served(before[1]) is None
    assert table.row(3)[0] == before[2] and table.served(before[2])
    # Looking at the row once more does not take the reason away.
    own.sql(
        "INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no) "
        "SELECT attachment_id, product_no FROM imgpress_internal.attached_rows "
        "WHERE attachment_id = %s AND key = '3'",
        table.id,
    )
    table.insert(4, table.url("small1.jpg"))
    table.wait_shown(4, "small1.jpg")
    assert table.row(3)[1] is not None
    table.owner(f"DELETE FROM {table.name} WHERE id = 4")
    wait_until(lambda: table.counts() == (3, 3, 3), "the fourth is gone")
    assert table.counts() == (3, 3, 3)
    own.origin.add("fresh3.jpg", jpeg(seed=3))
    table.owner("SELECT imgpress.reconcile(%s)", table.name)
    table.wait(3, lambda out, err: err is None)
    assert table.row(3)[0] == before[2], "repaired with the same bytes: the same URL"
    table.wait_settled()
    assert table.counts() == (3, 3, 3)
    blobs = (
        "SELECT count(DISTINCT blob_id) FROM imgpress_internal.image_outputs WHERE request_id = %s"
    )
    assert own.value(blobs, table.id) == 3
    wrong = "SELECT * FROM imgpress.check() WHERE invariant IN ('outputs', 'blobs')"
    assert own.sql(wrong) == [], "the bytes of the old images are gone"
