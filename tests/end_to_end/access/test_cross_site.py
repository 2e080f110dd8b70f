"""What pages of other web sites can do with the gateway through their visitors' browsers."""

import contextlib

import pytest

from harness.catalogue import HEADER_LINE, REFUSED_URL, one_product
from harness.gateway import Gateway, assert_error, multipart
from harness.shop import GATEWAY_LOGIN

ALLOWED = "https://admin.example"
EVIL = "https://evil.example"
UNKNOWN = "/api/status/00000000-0000-0000-0000-000000000001/"
API = (UNKNOWN, UNKNOWN.replace("status", "products"))
CROSS_SITE = (
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
)


@pytest.fixture(scope="module", name="gateway")
def fixture_gateway(shop, unserved):
    options = ("--host", "nas", "--cors-origin", ALLOWED)
    with shop.new_gateway(*options, database=unserved) as made:
        yield made


@pytest.fixture(name="stored")
def fixture_stored(shop, unserved):
    """How many requests are stored."""
    return lambda: shop.cluster.scalar(
        "SELECT count(*) FROM imgpress.processing_requests", database=unserved
    )


# --- forms and scripts --------------------------------------------------------------------------


@pytest.mark.parametrize("headers", CROSS_SITE, ids=str)
def test_no_other_site_can_submit(gateway, stored, headers):
    """A form with a file needs no permission from the server: the browser just sends it."""
    before = stored()
    error = assert_error(gateway.upload(one_product(REFUSED_URL), headers=headers), "cross_site")
    assert "--cors-origin" in error["hint"]
    csv = {"Content-Type": "text/csv"} | headers
    answer = gateway.request("POST", "/api/upload/", one_product(REFUSED_URL), csv)
    assert_error(answer, "cross_site")
    assert stored() == before


@pytest.mark.parametrize("headers", CROSS_SITE, ids=str)
@pytest.mark.parametrize("path", API)
def test_no_other_site_can_read(gateway, path, headers):
    answer = gateway.get(path, headers)
    assert_error(answer, "cross_site")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_refused_upload_is_not_invited(gateway):
    """With Expect: 100-continue the body is refused before it is sent."""
    headers, body = multipart({}, file_bytes=HEADER_LINE.encode())
    head = (
        f"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nOrigin: {EVIL}\r\n"
        f"Content-Type: {headers['Content-Type']}\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with gateway.converse() as conversation:
        assert_error(conversation.exchange(head.encode()), "cross_site")
        assert conversation.ended()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Host": "nas:8080", "Origin": "http://nas:8080"},
        {"Host": "nas", "Origin": "https://nas"},
    ],
    ids=str,
)
def test_the_own_page_and_other_clients_can(gateway, headers):
    assert gateway.upload(one_product(REFUSED_URL), headers=headers).status == 202
    assert_error(gateway.get(UNKNOWN, headers), "not_found")


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/healthz"])
def test_links_from_other_sites_lead_to_the_page(gateway, path):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert gateway.get(path, headers).status == 200


def test_other_sites_can_show_images(shop):
    (product,) = shop.finish(shop.submit("small0.jpg"))
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image", "Origin": EVIL}
    answer = shop.fetch_output(product["output_image_urls"], headers)
    assert answer.status == 200
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


# --- CORS ---------------------------------------------------------------------------------------


def test_an_allowed_site_may_use_the_api(gateway):
    headers = {"Origin": ALLOWED, "Sec-Fetch-Site": "cross-site"}
    for answer in (
        gateway.upload(one_product(REFUSED_URL), headers=headers),
        gateway.get(UNKNOWN, headers),
    ):
        assert answer.status in (202, 404)
        assert answer.headers["Access-Control-Allow-Origin"] == ALLOWED
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def preflight(gateway, origin, path="/api/upload/"):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    return gateway.request("OPTIONS", path, headers=headers)


def test_preflight(gateway, shop):
    answer = preflight(gateway, ALLOWED)
    assert answer.status == 204 and answer.body == b""
    assert answer.headers["Access-Control-Allow-Origin"] == ALLOWED
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "GET" in preflight(gateway, ALLOWED, UNKNOWN).headers["Access-Control-Allow-Methods"]
    for refused in (
        preflight(gateway, EVIL),
        preflight(gateway, ALLOWED, "/api/unknown/"),
        preflight(shop.gateway, ALLOWED),
    ):
        assert_error(refused, "cross_site", "not_found")
        assert "Access-Control-Allow-Methods" not in refused.headers


# --- names that point somewhere else ------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example"])
@pytest.mark.parametrize("path", ["/", *API])
def test_rebinding(gateway, stored, path, host):
    """The name of a site that now points here: to the browser, it is all one site."""
    before = stored()
    rebound = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    error = assert_error(gateway.get(path, rebound), "unknown_host")
    assert f"--host {host.split(':')[0]}" in error["hint"]
    upload = gateway.upload(one_product(REFUSED_URL), headers=rebound)
    assert_error(upload, "unknown_host")
    assert stored() == before


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "LOCALHOST:1", "[::1]:8080", "10.1.2.3", "nas", "NAS.:80", "a.localhost"]
)
def test_names_that_are_its_own(gateway, host):
    assert gateway.get("/", {"Host": host}).status == 200


@pytest.mark.parametrize("host", ["a b", "nas/evil.example", "evil.example#nas", "u@nas"])
def test_what_is_no_host(gateway, host):
    assert_error(gateway.get("/", {"Host": host}), "bad_request")


def test_two_hosts(gateway):
    """A proxy may take one of them, and the gateway the other."""
    for path in ("/", "/healthz", "/images/x"):
        answer = gateway.raw(f"GET {path} HTTP/1.1\r\nHost: nas\r\nHost: evil\r\n\r\n".encode())
        assert_error(answer, "bad_request")


def test_without_a_host(gateway):
    """Every browser sends it; old programs do not."""
    assert gateway.raw(b"GET / HTTP/1.0\r\n\r\n").status == 200


@contextlib.contextmanager
def public_url(shop, database, url):
    shop.sql(f"ALTER DATABASE {database} SET imgpress.public_url = '{url}'")
    try:
        yield
    finally:
        shop.sql(f"ALTER DATABASE {database} RESET imgpress.public_url")


def test_the_public_url_names_a_host(shop, unserved):
    with public_url(shop, unserved, "https://cdn.example/imgpress"):
        with shop.new_gateway(database=unserved) as gateway:
            gateway.said("connected")
            assert gateway.get("/", {"Host": "cdn.example"}).status == 200
            own = {"Host": "127.0.0.1:8080", "Origin": "https://cdn.example"}
            assert_error(gateway.get(UNKNOWN, own), "not_found")
            assert_error(gateway.get("/", {"Host": "evil.example"}), "unknown_host")


def test_the_public_url_is_unknown_without_the_database(shop):
    """An answer that tells to try again, not that the host is wrong."""
    with Gateway(shop.cluster.conninfo("never", GATEWAY_LOGIN)) as gateway:
        gateway.said("never")
        assert_error(gateway.get("/", {"Host": "cdn.example"}), "login_refused")
