"""Output URLs that are signed and expire."""

import re
import time

import pytest

from harness.gateway import assert_error

LIFETIME = 3600


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    settings = {
        "imgpress.allowed_networks": "127.0.0.0/8",
        "imgpress.signed_urls": "on",
        "imgpress.signed_url_lifetime": f"{LIFETIME}s",
    }
    with open_shop(settings=settings, name="signed") as made:
        made.sql("CREATE ROLE alice LOGIN IN ROLE imgpress_user")
        made.sql("CREATE ROLE bob LOGIN IN ROLE imgpress_user")
        yield made


@pytest.fixture(scope="module", name="request_id")
def fixture_request_id(own):
    return own.upload("small0.jpg", "mug-front.jpg")


@pytest.fixture(scope="module", name="urls")
def fixture_urls(own, request_id):
    own.wait(request_id)
    ((product,),) = [own.gateway.get(f"/api/products/{request_id}/").json()["products"]]
    return product["output_image_urls"].split(",")


def expires_of(url):
    return int(re.search(r"\?expires=(\d+)&", url)[1])


def test_the_name_stays(urls):
    name = r"mug-front_compressed\.jpg"
    assert re.search(rf"/{name}\?expires=\d+&signature=[0-9a-f]{{64}}$", urls[1]), urls[1]


def test_a_signed_image_is_served_until_it_expires(own, urls):
    for url in urls:
        answer = own.fetch_output(url)
        assert answer.status == 200 and answer.headers["Content-Type"] == "image/jpeg"
        left = expires_of(url) - time.time()
        assert LIFETIME * 0.99 < left <= LIFETIME * 1.125 + 1
        max_age = int(re.fullmatch(r"public, max-age=(\d+)", answer.headers["Cache-Control"])[1])
        assert left - 5 < max_age <= left + 1
        etag = {"If-None-Match": answer.headers["ETag"]}
        assert own.fetch_output(url, etag).status == 304
        assert own.fetch_output(url, {"Range": "bytes=0-9"}).status == 206
        assert own.gateway.request("HEAD", own.output_path(url)).status == 200


def forgeries(urls):
    """URLs that are not signed, by what is wrong with them."""
    first, second = urls
    plain, query = first.split("?")
    expires, signature = re.fullmatch(r"expires=(\d+)&signature=(\w+)", query).groups()
    other = second.split("signature=")[1]
    flipped = ("0" if signature[0] != "0" else "1") + signature[1:]
    return {
        "nothing": plain,
        "no signature": f"{plain}?expires={expires}",
        "empty signature": f"{plain}?expires={expires}&signature=",
        "no end": f"{plain}?signature={signature}",
        "later end": f"{plain}?expires={int(expires) + 1}&signature={signature}",
        "endless": f"{plain}?expires=999999999999999999&signature={signature}",
        "huge end": f"{plain}?expires={'9' * 40}&signature={signature}",
        "infinite": f"{plain}?expires=infinity&signature={signature}",
        "other digit": f"{plain}?expires={expires}&signature={flipped}",
        "shortened": f"{plain}?expires={expires}&signature={signature[:-1]}",
        "longer": f"{plain}?expires={expires}&signature={signature}0",
        "in capitals": f"{plain}?expires={expires}&signature={signature.upper()}",
        "another image's": f"{plain}?expires={expires}&signature={other}",
        "another image": first.replace("/1/", "/2/"),
        "SQL": f"{plain}?expires={expires}%20OR%201=1&signature={signature}",
        "zero byte": f"{plain}?expires={expires}&signature={signature}%00",
        "twice": f"{plain}?expires={expires}&signature={flipped}&signature={signature}",
    }


def test_forged_urls(own, urls):
    refused = {
        why: own.gateway.get(own.output_path(url)) for why, url in forgeries(urls).items()
    }
    for why, answer in refused.items():
        assert answer.status == 403, why
        error = assert_error(answer, "forbidden")
        assert "expired" in error["error"] and answer.headers["Cache-Control"] == "no-store"
    unknown = own.output_path(urls[0].split("?")[0]).replace("/1/", "/99/")
    assert own.gateway.get(unknown).body == refused["nothing"].body, "nor what exists"


def test_conditions_and_ranges_do_not_help(own, urls):
    path = own.output_path(urls[0])
    etag = own.gateway.get(path).headers["ETag"]
    plain = path.split("?")[0]
    for headers in ({"If-None-Match": etag}, {"If-None-Match": "*"}, {"Range": "bytes=0-0"}):
        assert_error(own.gateway.get(plain, headers), "forbidden")
    assert own.gateway.request("HEAD", plain).status == 403


def test_an_expired_url(own, urls, request_id):
    """Signed by the database itself, for a time that is over."""
    past = int(time.time()) - 1
    sign = "SELECT imgpress_internal.sign_url(%s, 1, %s)"
    for expires, status in ((past, 403), (past + 3600, 200)):
        signature = own.value(sign, request_id, expires)
        path = f"{own.output_path(urls[0]).split('?')[0]}?expires={expires}&signature={signature}"
        assert own.gateway.get(path).status == status


def test_urls_are_stable_for_a_while(own, request_id):
    """So that caches know them; the ETag of the products changes with them."""
    path = f"/api/products/{request_id}/"
    first, second = own.gateway.get(path), own.gateway.get(path)
    assert first.body == second.body and first.headers["ETag"] == second.headers["ETag"]


def test_only_who_sees_a_request_gets_signatures(own, request_id):
    """output_url() is no machine that signs anything."""
    call = "SELECT imgpress.output_url(%s, 1, 'http://a/b.jpg', 'jpeg')"
    signed = lambda request, user: "signature=" in own.cluster.scalar(  # noqa: E731
        call, (request,), user=user
    )
    own.sql("UPDATE imgpress.processing_requests SET submitted_by = 'alice'")
    assert signed(request_id, "alice")
    assert not signed(request_id, "bob")
    assert not signed("00000000-0000-0000-0000-000000000001", "alice")
    for statement in (
        "SELECT * FROM imgpress_internal.url_secret",
        "SELECT imgpress_internal.sign_url(gen_random_uuid(), 1, 1)",
        "SELECT imgpress_internal.url_signature(gen_random_uuid(), 1, 1)",
    ):
        own.refused("42501", statement, user="alice")
    own.refused("55P02", "SET imgpress.signed_urls = off", user="alice")
    results = "SELECT count(*) FILTER (WHERE output_url LIKE '%%signature=%%') FROM imgpress.results"
    assert own.cluster.scalar(results, user="alice") == 2
    own.sql("UPDATE imgpress.processing_requests SET submitted_by = 'shop_gateway'")


def test_another_secret_voids_all_urls(own, urls):
    replace = "UPDATE imgpress_internal.url_secret SET secret = imgpress_internal.new_secret()"
    before = own.value("SELECT secret FROM imgpress_internal.url_secret")
    own.sql(replace)
    try:
        assert_error(own.fetch_output(urls[0]), "forbidden")
    finally:
        own.sql("UPDATE imgpress_internal.url_secret SET secret = %s", bytes(before))
    assert own.fetch_output(urls[0]).status == 200


def test_without_the_setting_signatures_do_not_matter(own, urls):
    own.cluster.configure({"imgpress.signed_urls": "off"})
    try:
        answer = own.gateway.get(own.output_path(urls[0]).split("?")[0])
        assert answer.status == 200 and "immutable" in answer.headers["Cache-Control"]
        assert own.fetch_output(urls[0]).status == 200
    finally:
        own.cluster.configure({"imgpress.signed_urls": "on"})
