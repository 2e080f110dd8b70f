"""Secret headers of origins: sent to their https origin and path only, for those who may use them,
gone after a redirect, and readable nowhere."""

import os
import subprocess
from urllib.parse import quote

import psycopg2
import pytest

from harness.cluster import SUPERUSER, pg_config
from harness.servers.mounts import lying_over
from harness.servers.recording_origin import RecordingOrigin, new_certificate
from harness.shop import TEST_SETTINGS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs a mount: root only")

SECRET = "s3cr3t-t0ken-of-the-origin"
REFUSED = "n3ver-st0red"  # of statements that fail, which the log quotes
HEADER = "x-api-key"


@pytest.fixture(scope="module", name="certificate")
def fixture_certificate():
    with new_certificate() as made:
        yield made


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop, certificate):
    settings = {**TEST_SETTINGS, "log_statement": "none", "log_min_messages": "debug2"}
    with open_shop(gateway=False, settings=settings, name="tokens") as made:
        for role in ("photos", "buyer", "stranger"):
            made.sql(f"CREATE ROLE {role} LOGIN IN ROLE imgpress_user")
        made.sql("GRANT photos TO buyer")
        made.sql("CREATE ROLE operator LOGIN IN ROLE imgpress_admin")
        with lying_over("/etc", certificate.etc):
            made.cluster.restart()
        yield made


@pytest.fixture(name="origin")
def fixture_origin(own, certificate):
    """Its path /private/ has a token, which is for the role photos."""
    with RecordingOrigin(certificate) as made:
        set_header(own, made)
        yield made
        own.sql("DELETE FROM imgpress_internal.origin_headers")


@pytest.fixture(name="other")
def fixture_other(certificate):
    with RecordingOrigin(certificate) as made:
        yield made


def set_header(shop, origin, name="X-Api-Key", value=SECRET, path="private/"):
    statement = "SELECT imgpress.set_origin_header(%s, %s, %s, '{photos}')"
    shop.cluster.query(statement, (origin.url(path), name, value), user="operator")


def download(shop, url, user="buyer"):
    """By the worker; the request must complete."""
    products = "ARRAY[(1, 'p', %s)::imgpress.product_input]"
    request = shop.cluster.scalar(f"SELECT imgpress.submit({products})", (url,), user=user)
    shop.finish(request)
    return request


def compress(shop, url, user="buyer"):
    """By a session."""
    shop.cluster.query("SELECT imgpress.compress_image_url(%s)", (url,), user=user)


def compress_many(shop, url, user="buyer"):
    statement = "SELECT error FROM imgpress.compress_image_urls(ARRAY[%s])"
    assert shop.cluster.query(statement, (url,), user=user) == [(None,)]


@pytest.mark.parametrize("fetch", [download, compress, compress_many])
def test_is_sent_for_those_who_may_use_it(own, origin, fetch):
    fetch(own, origin.url("private/a.jpg"))
    assert origin.headers("/private/a.jpg")[HEADER] == SECRET
    fetch(own, origin.url("private/b.jpg"), user="stranger")
    assert HEADER not in origin.headers("/private/b.jpg")
    fetch(own, origin.url("public/c.jpg"))
    assert HEADER not in origin.headers("/public/c.jpg")
    fetch(own, origin.url("private/../private/d.jpg"))
    assert HEADER not in origin.headers("/private/d.jpg"), "only a plain path is compared"
    fetch(own, origin.url("private/e.jpg").replace("127.0.0.1", "localhost"))
    assert HEADER not in origin.headers("/private/e.jpg")


@pytest.mark.parametrize("name", ["X-Api-Key", "Authorization", "Cookie"])
@pytest.mark.parametrize("fetch", [download, compress])
def test_is_dropped_at_any_redirect(own, origin, other, name, fetch):
    own.sql("DELETE FROM imgpress_internal.origin_headers")
    set_header(own, origin, name, path="")
    with RecordingOrigin() as plain:
        targets = {
            "same host, other path": (origin, origin.url("private/target.jpg")),
            "relative": (origin, "/private/target.jpg"),
            "other port": (other, other.url("private/target.jpg")),
            "other host": (
                other,
                other.url("private/target.jpg").replace("127.0.0.1", "localhost"),
            ),
            "http": (plain, plain.url("private/target.jpg")),
        }
        for case, (reached, target) in targets.items():
            for server in (origin, other, plain):
                server.requests.clear()
            path = f"/redirect?to={quote(target, safe='')}"
            fetch(own, origin.url(path))
            assert origin.headers(path)[name.lower()] == SECRET, case
            assert name.lower() not in reached.headers("/private/target.jpg"), case


def test_is_dropped_for_the_rest_of_a_chain(own, origin, other):
    """Also where it leads back to the origin."""
    set_header(own, origin, path="")
    back = origin.url("/private/target.jpg")
    there = other.url(f"/redirect?to={quote(back, safe='')}")
    download(own, origin.url(f"/redirect?to={quote(there, safe='')}"))
    assert HEADER not in origin.headers("/private/target.jpg")
    assert all(HEADER not in {n.lower() for n in headers} for _, headers in other.requests)


def test_redirects_end_after_as_many_as_without_a_token(own, origin):
    set_header(own, origin, path="")
    url = origin.url("a.jpg")
    for _ in range(5):
        url = origin.url(f"/redirect?to={quote(url, safe='')}")
    download(own, url)
    url = origin.url(f"/redirect?to={quote(url, safe='')}")
    error = own.cluster.refused(
        "IP010", "SELECT imgpress.compress_image_url(%s)", (url,), user="buyer"
    )
    assert SECRET not in str(error)


def test_code_of_others_does_not_use_it_for_a_caller(own, origin):
    """A function of a stranger, who would get to see the picture."""
    own.sql("GRANT CREATE ON SCHEMA public TO stranger")
    own.cluster.query(
        "CREATE FUNCTION thumb(url text) RETURNS bytea LANGUAGE sql SECURITY DEFINER "
        "AS $$ SELECT imgpress.compress_image_url(url) $$",
        user="stranger",
    )
    statement = "SELECT thumb(%s)"
    own.cluster.query(statement, (origin.url("private/a.jpg"),), user="buyer")
    assert HEADER not in origin.headers("/private/a.jpg")


def test_is_readable_nowhere(own, origin):
    """Neither in a table or view, nor in a function, the activity, the log, a dump or an error."""
    request = download(own, origin.url("private/a.jpg"))
    own.sql("SELECT imgpress.cancel(%s)", request)
    refused = own.cluster.refused
    for user in ("operator", "buyer", "stranger"):
        refused("42501", "SELECT * FROM imgpress_internal.origin_headers", user=user)
        refused(
            "42501",
            "SELECT imgpress_internal.origin_headers_for(%s, 'buyer')",
            (origin.url("private/a.jpg"),),
            user=user,
        )
    shown = own.cluster.query("SELECT * FROM imgpress.origin_headers", user="operator")
    assert [row[:3] for row in shown] == [(origin.url("private/"), "X-Api-Key", ["photos"])]
    refused("42501", "SELECT * FROM imgpress.origin_headers", user="buyer")
    activity = own.sql("SELECT query FROM pg_stat_activity WHERE backend_type LIKE 'imgpress%%'")
    assert SECRET not in str(activity)
    command = [f"{pg_config('--bindir')}/pg_dump", "-U", SUPERUSER, "shop"]
    environment = own.cluster.environment()
    dump = subprocess.run(command, env=environment, check=True, capture_output=True).stdout.decode()
    assert "imgpress" in dump and SECRET not in dump
    everything = own.sql(
        "SELECT query_to_xml('SELECT * FROM imgpress.' || c.relname, true, true, '') "
        "FROM pg_class c WHERE relnamespace = 'imgpress'::regnamespace AND relkind IN ('r', 'v')"
    )
    assert SECRET not in str(everything)
    assert own.cluster.log_lines(SECRET) == []


def test_the_worker_gets_it_only_with_an_image(own, origin):
    """Who has taken over a worker's role can ask for it; no table or view shows it even then."""
    with own.cluster.session() as session:
        session.execute("SET ROLE imgpress_worker")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            session.execute("SELECT value FROM imgpress_internal.origin_headers")


@pytest.mark.parametrize(
    ("prefix", "name", "value", "roles", "sqlstate"),
    [
        ("http://cdn.example/", "X-Key", REFUSED, "{photos}", "22023"),
        ("https://cdn.example/a", "X-Key", REFUSED, "{photos}", "22023"),
        ("https://user:pw@cdn.example/", "X-Key", REFUSED, "{photos}", "22023"),
        ("https://cdn.example/a/../", "X-Key", REFUSED, "{photos}", "22023"),
        (None, "X-Key", REFUSED, "{photos}", "22023"),
        ("https://cdn.example/", "X-Key", f"{REFUSED}\r\nHost: evil", "{photos}", "22023"),
        ("https://cdn.example/", "X-Key", None, "{photos}", "22023"),
        ("https://cdn.example/", "Host", REFUSED, "{photos}", "22023"),
        ("https://cdn.example/", f"{REFUSED}: x", "X-Key", "{photos}", "22023"),
        ("https://cdn.example/", "X-Key", REFUSED, "{}", "22023"),
        ("https://cdn.example/", "X-Key", REFUSED, None, "22023"),
        ("https://cdn.example/", "X-Key", REFUSED, "{nobody}", "42704"),
    ],
)
def test_what_is_refused_and_without_telling_it(own, prefix, name, value, roles, sqlstate):
    statement = "SELECT imgpress.set_origin_header(%s, %s, %s, %s::name[])"
    error = own.cluster.refused(sqlstate, statement, (prefix, name, value, roles), user="operator")
    assert REFUSED not in str(error)


def test_a_new_value_replaces_the_old_one(own, origin):
    set_header(own, origin, "x-API-key", "second")
    download(own, origin.url("private/a.jpg"))
    assert origin.headers("/private/a.jpg")[HEADER] == "second"
    statement = "SELECT imgpress.drop_origin_header(%s, 'X-API-KEY')"
    prefix = (origin.url("private/"),)
    assert own.cluster.scalar(statement, prefix, user="operator") is True
    assert own.cluster.scalar(statement, prefix, user="operator") is False
    download(own, origin.url("private/b.jpg"))
    assert HEADER not in origin.headers("/private/b.jpg")
