"""The options of a request: taken from the arguments or settings, and kept when settings change."""

import re

from harness.catalogue import one_product
from harness.images import decode, is_progressive, psnr, truncated

SUBMIT = "SELECT imgpress.submit_csv(%s, effort => %s)"


def outputs_of(shop, request):
    """The bytes of its outputs, in order."""
    shop.finish(request)
    rows = shop.sql(
        "SELECT bytes FROM imgpress.outputs WHERE request_id = %s ORDER BY image_no", request
    )
    return [bytes(row[0]) for row in rows]


def submit_in_session(shop, csv, *efforts, setting=None):
    """Submits the CSV once with each effort, all in one transaction so that they run at the same
    time."""
    requests = []
    with shop.cluster.session(autocommit=False) as session:
        if setting is not None:
            session.execute("SET LOCAL imgpress.effort = %s", (setting,))
        for effort in efforts:
            session.execute(SUBMIT, (csv, effort))
            requests.append(session.fetchone()[0])
        session.connection.commit()
    return requests


def test_each_request_has_its_own_effort(shop):
    csv = shop.csv("mug-front.jpg", "vase-blue.jpg")
    requests = submit_in_session(shop, csv, "fast", "small", "balanced")
    fast, small, balanced = (outputs_of(shop, request) for request in requests)
    for number in range(2):
        assert len(small[number]) < len(balanced[number]) < len(fast[number])
        assert is_progressive(small[number])
        assert not is_progressive(fast[number]) and not is_progressive(balanced[number])
        assert psnr(decode(small[number]), decode(fast[number])) > 33


def test_the_setting_of_the_session_is_taken_and_kept(shop):
    gate = shop.origin.gate("effort")
    csv = shop.csv("held/effort/mug-front.jpg")
    as_set, given = submit_in_session(shop, csv, None, "fast", setting="small")
    with shop.cluster.settings({"imgpress.effort": "balanced"}):
        gate.wait_arrived(2)
        gate.open()
        assert [is_progressive(outputs_of(shop, id)[0]) for id in (as_set, given)] == [True, False]


def test_the_setting_of_the_server_is_the_default(shop):
    csv = shop.csv("mug-front.jpg")
    with shop.cluster.settings({"imgpress.effort": "small"}):
        requests = [shop.submit_csv(csv), shop.submit_csv(csv, effort="fast")]
    assert [is_progressive(outputs_of(shop, id)[0]) for id in requests] == [True, False]


def test_copy_takes_the_setting_of_its_session(shop, tmp_path):
    path = tmp_path / "sample.csv"
    path.write_text(shop.csv("mug-front.jpg"))
    load = f"\\copy imgpress.csv_upload FROM '{path}' CSV"
    done = shop.cluster.psql("-c", "SET imgpress.effort = 'small'", "-c", load)
    request = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", done.stderr).group()
    assert is_progressive(outputs_of(shop, request)[0])


def test_a_request_keeps_whether_truncated_images_are_accepted(shop):
    shop.origin.add("most-of-it.jpg", truncated(shop.origin.content("mug-front.jpg"), 0.95))
    csv = shop.csv("most-of-it.jpg")
    with shop.cluster.session() as session:
        session.execute("SET imgpress.accept_truncated = on")
        session.execute("SELECT imgpress.submit_csv(%s)", (csv,))
        (request,) = session.fetchone()
    shop.finish(request)
    assert "truncated" in shop.results(request)[0]["warning"]
    other = shop.submit_csv(csv)
    shop.finish(other)
    assert shop.failures(other)[0]["error_code"] == "damaged_image"


def test_a_retry_keeps_the_effort(shop):
    request = shop.submit("effort-late.jpg", effort="small")
    shop.finish(request)
    assert len(shop.failures(request)) == 1
    shop.origin.add("effort-late.jpg", shop.origin.content("mug-front.jpg"))
    assert shop.value("SELECT imgpress.retry_failed(%s)", request) == 1
    assert is_progressive(outputs_of(shop, request)[0])


def test_options_of_another_version_do_not_stop_the_queue(shop):
    with shop.cluster.session(autocommit=False) as session:
        session.execute(SUBMIT, (one_product(shop.origin.url("mug-front.jpg")), "small"))
        (request,) = session.fetchone()
        session.execute(
            "UPDATE imgpress.processing_requests SET options = options || '{\"of_later\": 1}' "
            "WHERE id = %s",
            (request,),
        )
        session.connection.commit()
    assert is_progressive(outputs_of(shop, request)[0])
