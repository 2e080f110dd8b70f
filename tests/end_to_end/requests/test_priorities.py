"""Priorities: interactive requests before nightly ones, and nobody starves."""

from harness.catalogue import catalogue, one_product

SUBMIT = "SELECT imgpress.submit_csv(%s, priority => %s)"


def submit_many(shop, name, count, priority):
    """Submits this many small images, one for each product."""
    paths = (f"small{n % 10}.jpg?{name}={n}" for n in range(count))
    products = [(n, name, [shop.origin.url(path)]) for n, path in enumerate(paths)]
    return shop.value(SUBMIT, catalogue(products), priority)


ENDED_MEANWHILE = """
SELECT count(*) FROM imgpress.images i, imgpress.processing_requests r
WHERE i.request_id = %s AND r.id = %s AND i.ended_at BETWEEN r.started_at AND r.ended_at
"""


def test_interactive_before_nightly(shop):
    nightly = submit_many(shop, "nightly", 4000, -50)
    shop.assert_finished_once(shop.submit("small0.jpg"))
    interactive = submit_many(shop, "interactive", 1200, 0)
    shop.finish(interactive)
    got = shop.value(ENDED_MEANWHILE, nightly, interactive)
    # Up to 256 images of the nightly request were in flight; a fair share would be 1,200 more.
    assert got <= 256 + 600, "it got at most half as many places"
    assert got >= 1200 // 16, "it went on"
    assert shop.value("SELECT imgpress.cancel(%s)", nightly) == "Failed"


ENDED_LATER = """
SELECT count(*) FROM imgpress.processing_requests i, imgpress.processing_requests n
WHERE i.id = ANY (%s::uuid[]) AND n.id = %s AND i.ended_at > n.ended_at
"""


def test_many_interactive_requests_do_not_starve_a_nightly_one(shop):
    """Each has one image, and a turn of its own."""
    urls = [shop.origin.url(f"small1.jpg?beside={n}") for n in range(100)]
    with shop.cluster.session(autocommit=False) as session:
        each = one_product(shop.origin.url("small0.jpg?each=")).rstrip()
        session.execute(
            "SELECT imgpress.submit_csv(%s || g) FROM generate_series(1, 2000) g", (each,)
        )
        interactive = [request for (request,) in session.fetchall()]
        session.execute(SUBMIT, (one_product(*urls), -100))
        (nightly,) = session.fetchone()
        session.connection.commit()
    shop.finish(nightly)
    shop.finish(interactive[-1])
    later = shop.value(ENDED_LATER, interactive, nightly)
    # Its last image ended when about 800 of the others had.
    assert 200 < later < 1900, "it neither waited for all others nor went before them"


def test_priority_of_an_upload(shop):
    csv = shop.csv("small0.jpg")
    request = shop.gateway.upload(csv, priority="-20").json()["request_id"]
    priority = "SELECT priority FROM imgpress.processing_requests WHERE id = %s"
    assert shop.value(priority, request) == -20
    refused = shop.gateway.upload(csv, priority="20")
    assert (refused.status, refused.json()["code"]) == (403, "forbidden")
    assert "only members of imgpress_admin" in refused.json()["error"]
    wrong = shop.gateway.upload(csv, priority="1000")
    assert wrong.status == 400
    assert [fault["field"] for fault in wrong.json()["details"]] == ["priority"]
    shop.finish(request)
