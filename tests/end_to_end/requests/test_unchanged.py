"""Images that have not changed cost neither a download nor a codec nor a second copy of the bytes."""

import threading

import pytest

from harness.images import jpeg
from harness.waiting import PROMPT, wait_until

OLD = "Sun, 06 Nov 1994 08:49:37 GMT"
BLOBS = "SELECT count(*) FROM imgpress_internal.blobs"
BLOB = "SELECT blob_id FROM imgpress_internal.image_outputs WHERE request_id = %s"
CHECK = "SELECT * FROM imgpress.check()"


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(name="unchanged") as made:
        for role in ("anna", "bert"):
            made.sql(f"CREATE ROLE {role} LOGIN IN ROLE imgpress_user")
        yield made


@pytest.fixture(name="picture")
def fixture_picture(own, request):
    """The name of a picture that only this test uses. Nothing is left of it afterwards."""
    name = f"{request.node.name.replace('[', '-').rstrip(']')}.jpg"
    own.origin.add(name, jpeg(seed=1))
    own.origin.conditions.clear()
    yield name
    own.sql("DELETE FROM imgpress.processing_requests")
    assert own.sql(CHECK) == []
    assert own.value(BLOBS) == 0
    assert own.value("SELECT count(*) FROM imgpress_internal.sources") == 0


def submit(shop, path, user=None, refresh=None):
    """Submits one image as this user."""
    with shop.cluster.session(**({"user": user} if user else {})) as session:
        if refresh is not None:
            session.execute("SET imgpress.refresh = %s", (refresh,))
        session.execute("SELECT imgpress.submit_csv(%s)", (shop.csv(path),))
        return session.fetchone()[0]


def asked(shop):
    """Whether each request to /versioned/ was conditional."""
    return [conditional for _, conditional in shop.origin.conditions]



@pytest.mark.parametrize("version", ["", f"?date={OLD.replace(' ', '%20')}"], ids=["etag", "date"])
def test_an_unchanged_image_is_not_downloaded_again(own, picture, version):
    path = f"versioned/{picture}{version}"
    requests = [submit(own, path)]
    first = own.finish(requests[0])[0]["output_image_urls"]
    requests.append(submit(own, path))
    second = own.finish(requests[1])[0]["output_image_urls"]
    assert asked(own) == [False, True]
    assert first != second
    assert own.value(BLOBS) == 1
    (one,), (other,) = (own.results(request) for request in requests)
    assert one["image_no"] == other["image_no"] == 1
    for column in ("content_type", "source_bytes", "output_bytes", "kept_source", "warning"):
        assert one[column] == other[column], column
    assert own.progress(requests[0]) == own.progress(requests[1])
    assert own.value("SELECT http_status FROM imgpress.images WHERE request_id = %s", requests[1]) == 304
    answers = [own.fetch_output(url) for url in (first, second)]
    assert answers[0].body == answers[1].body
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]
    assert own.sql(CHECK) == []


def test_the_same_bytes_are_not_compressed_again(own, picture):
    """An origin without validators: each download is compared by its digest."""
    requests = [submit(own, picture) for _ in range(2)]
    for request in requests:
        own.finish(request)
    requests.append(submit(own, picture))
    own.finish(requests[-1])
    known = own.sql("SELECT blob_id FROM imgpress_internal.sources")
    assert own.sql(BLOB, requests[-1]) == known
    assert own.origin.ledger.count(f"/{picture}") == 3


def test_a_date_that_is_younger_than_a_minute_is_not_used(own, picture):
    path = f"versioned/{picture}?date=Sun,%2006%20Nov%202124%2008:49:37%20GMT"
    for _ in range(2):
        own.finish(submit(own, path))
    assert asked(own) == [False, False]
    assert own.value(BLOBS) == 1, "the same bytes"


def test_a_changed_image_is_compressed_anew(own, picture):
    path = f"versioned/{picture}"
    before = submit(own, path)
    old = own.fetch_output(own.finish(before)[0]["output_image_urls"]).body
    own.origin.add(picture, jpeg(seed=2))
    after = submit(own, path)
    new = own.fetch_output(own.finish(after)[0]["output_image_urls"]).body
    assert new != old
    assert own.fetch_output(own.products(before)[0]["output_image_urls"]).body == old
    again = submit(own, path)
    assert own.fetch_output(own.finish(again)[0]["output_image_urls"]).body == new
    assert asked(own) == [False, True, True]
    assert own.value(BLOBS) == 2


def test_refresh_always(own, picture):
    path = f"versioned/{picture}"
    requests = [submit(own, path), submit(own, path, refresh="always")]
    requests.sort()
    for request in requests:
        own.finish(request)
    own.origin.conditions.clear()
    last = submit(own, path, refresh="always")
    own.finish(last)
    assert asked(own) == [False]
    assert own.sql(BLOB, last) == own.sql("SELECT blob_id FROM imgpress_internal.sources")
    options = "SELECT options ->> 'refresh' FROM imgpress.processing_requests WHERE id = %s"
    assert own.value(options, last) == "always"
    with pytest.raises(Exception, match="Available values: changed, always"):
        submit(own, path, refresh="never")


def test_nothing_is_shared_between_users(own, picture):
    """What another user has submitted is neither asked for with its validators nor taken over."""
    path = f"versioned/{picture}"
    annas = submit(own, path, user="anna")
    own.finish(annas)
    berts = submit(own, path, user="bert")
    own.finish(berts)
    assert asked(own) == [False, False]
    assert own.value(BLOBS) == 2
    own.finish(submit(own, path, user="bert"))
    assert asked(own) == [False, False, True]
    own.cluster.query("SELECT count(*) FROM imgpress.outputs", user="bert")
    mine = "SELECT count(*) FROM imgpress.outputs WHERE request_id = %s"
    assert own.cluster.scalar(mine, (annas,), user="bert") == 0
    assert own.cluster.scalar(mine, (berts,), user="bert") == 1
    for table in ("blobs", "image_outputs", "sources", "unswept_blobs"):
        own.cluster.refused("42501", f"SELECT FROM imgpress_internal.{table}", user="bert")


def test_deleting_one_request_keeps_what_another_shows(own, picture):
    path = f"versioned/{picture}"
    first = submit(own, path)
    own.finish(first)
    second = submit(own, path)
    url = own.finish(second)[0]["output_image_urls"]
    own.sql("DELETE FROM imgpress.processing_requests WHERE id = %s", first)
    assert own.fetch_output(url).status == 200
    assert own.value(BLOBS) == 1
    assert own.sql(CHECK) == []


def submit_and_hold(shop, path):
    """A second submission whose image is unchanged, but whose end cannot be recorded yet: returns
    the request and the session that has locked its row."""
    shop.finish(submit(shop, path))
    session = shop.cluster.connect(autocommit=False)
    gate = path.rpartition("gate=")[2]
    request = submit(shop, path)
    shop.origin.gate(gate).wait_arrived(2)
    session.cursor().execute(
        "SELECT FROM imgpress.images WHERE request_id = %s FOR UPDATE", (request,)
    )
    shop.origin.gate(gate).open()
    wait_until(lambda: len(shop.origin.conditions) == 2, "the origin answers")
    return request, session


def hold(shop, picture):
    gate = picture.partition(".")[0]
    shop.origin.gate(gate).release(1)
    path = f"versioned/{picture}?gate={gate}"
    request, session = submit_and_hold(shop, path)
    assert asked(shop) == [False, True]
    return request, session


def test_an_output_that_goes_in_the_meantime(own, picture):
    """The origin says "not modified", and the only output is deleted before that is recorded: the
    image is downloaded after all, and no attempt is counted."""
    request, session = hold(own, picture)
    own.sql("DELETE FROM imgpress.processing_requests WHERE id <> %s", request)
    assert own.value(BLOBS) == 0
    session.rollback()
    session.close()
    own.assert_finished_once(request)
    assert asked(own) == [False, True, False]
    attempts = "SELECT attempts, failed_attempts FROM imgpress.images WHERE request_id = %s"
    assert own.sql(attempts, request) == [(1, 0)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_deletion_that_is_not_committed_holds_up_nobody(own, picture, end):
    request, session = hold(own, picture)
    with own.cluster.session(autocommit=False) as deleting:
        deleting.execute("DELETE FROM imgpress.processing_requests WHERE id <> %s", (request,))
        session.rollback()
        session.close()
        own.assert_finished_once(request)
        getattr(deleting.connection, end)()
    assert asked(own) == [False, True, False]
    assert own.sql(CHECK) == []
    assert own.fetch_output(own.products(request)[0]["output_image_urls"]).status == 200


HOLD_FINISH = """
    CREATE FUNCTION hold_finish() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        PERFORM pg_catalog.pg_advisory_xact_lock_shared(4711);
        RETURN NEW;
    END $$;
    CREATE TRIGGER hold_finish BEFORE INSERT ON imgpress_internal.image_outputs
        FOR EACH ROW EXECUTE FUNCTION hold_finish()"""
WAITS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def test_an_output_that_is_being_stored_keeps_its_bytes(own, picture):
    """The worker has locked the bytes and is about to store the output, while the only other output
    is deleted."""
    path = f"versioned/{picture}"
    first = submit(own, path)
    own.finish(first)
    own.sql(HOLD_FINISH)
    with own.cluster.session() as session:
        session.execute("SELECT pg_advisory_lock(4711)")
        second = submit(own, path)
        wait_until(lambda: own.value(WAITS) == 1, "the worker is about to store the output")
        own.sql("DELETE FROM imgpress.processing_requests WHERE id = %s", first)
        assert own.value(WAITS) == 1
        assert own.value(BLOBS) == 1
        session.execute("SELECT pg_advisory_unlock(4711)")
        url = own.finish(second)[0]["output_image_urls"]
    own.sql("DROP FUNCTION hold_finish() CASCADE")
    assert asked(own) == [False, True]
    assert own.fetch_output(url).status == 200
    assert own.sql(CHECK) == []


def test_a_transaction_with_one_snapshot_sweeps_nothing(own, picture):
    """It does not see which outputs others have stored since it began."""
    path = f"versioned/{picture}"
    first = submit(own, path)
    own.finish(first)
    with own.cluster.session(autocommit=False) as deleting:
        deleting.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        deleting.execute("SELECT count(*) FROM imgpress.outputs")
        second = submit(own, path)
        url = own.finish(second)[0]["output_image_urls"]
        deleting.execute("DELETE FROM imgpress.processing_requests WHERE id = %s", (first,))
        deleting.connection.commit()
    assert own.fetch_output(url).status == 200
    assert own.sql(CHECK) == []
    own.sql("DELETE FROM imgpress.processing_requests")
    assert own.value(BLOBS) == 0


def test_submissions_and_deletions_at_the_same_time(own, picture):
    """Every output has its bytes, whoever deletes what in the meantime."""
    path = f"versioned/{picture}"
    rounds, failures = 40, []

    def delete():
        while not done.is_set():
            try:
                own.cluster.query("SELECT imgpress.purge('0')")
                failures.extend(own.cluster.query(CHECK))
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

    done = threading.Event()
    threads = [threading.Thread(target=delete) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        ended = "SELECT count(*) FROM imgpress.processing_requests WHERE ended_at IS NULL"
        for _ in range(rounds):
            submit(own, path)
        wait_until(lambda: own.value(ended) == 0, "all requests end", timeout=PROMPT)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    failed = "SELECT error_code FROM imgpress.images WHERE error_code IS NOT NULL"
    assert own.sql(failed) == []
    assert own.cluster.log_lines("deadlock") == []
