"""Keys over REST: every route without one, with a wrong one, and with somebody else's."""

import hashlib
import re
import subprocess

import pytest

from harness.catalogue import REFUSED_URL, one_product
from harness.cluster import CHECKOUT, pg_config
from harness.gateway import Gateway, assert_error, bearer, multipart
from harness.servers.nginx import Nginx, nginx_program
from harness.servers.pgbouncer import PgBouncer, pgbouncer_program
from harness.shop import GATEWAY_LOGIN
from harness.waiting import wait_until

CSV = one_product(REFUSED_URL)
ROUTES = re.findall(r"^### `(\w+) (\S+)`$", (CHECKOUT / "docs/rest.md").read_text(), re.MULTILINE)
WITHOUT_KEY = {"/healthz", "/images/<id>/<image_no>/<name>"}
UNKNOWN = "00000000-0000-0000-0000-000000000001"
SECRET = "0123456789abcdef" * 4


@pytest.fixture(scope="module", name="gateway")
def fixture_gateway(shop, keyed, make_key):
    make_key()
    with shop.new_gateway(database=keyed) as made:
        yield made


def key_id(key):
    return int(key.split("_")[1])


def call(gateway, method, path, headers, request=UNKNOWN):
    headers = dict(headers)
    path = path.replace("<id>", request)
    if method == "GET":
        return gateway.get(path, headers)
    own, body = multipart({}, file_bytes=CSV.encode())
    return gateway.request(method, path, body, own | headers)


def submit(gateway, key):
    answer = gateway.upload(CSV, headers=bearer(key))
    assert answer.status == 202, answer.body
    return answer.json()["request_id"]


# --- no valid key ---------------------------------------------------------------------------------


def invalid_keys(shop, keyed, make_key):
    """What is no valid key, by why."""
    good = make_key()
    run = lambda statement: shop.cluster.query(statement, database=keyed)  # noqa: E731
    expired, revoked, rotated = make_key(), make_key(), make_key()
    run(f"UPDATE imgpress_internal.keys SET expires_at = now() WHERE id = {key_id(expired)}")
    run(f"SELECT imgpress.revoke_key({key_id(revoked)})")
    run(f"SELECT imgpress.rotate_key({key_id(rotated)}, '0')")
    shop.sql("CREATE ROLE carol LOGIN IN ROLE imgpress_user")
    orphan = make_key("carol")
    shop.sql("DROP ROLE carol")
    prefix, secret = good.rsplit("_", 1)
    return {
        "wrong secret": f"{prefix}_{SECRET}",
        "unknown id": f"ipk_2147483647_{SECRET}",
        "another's id": f"ipk_{key_id(revoked)}_{secret}",
        "expired": expired,
        "revoked": revoked,
        "rotated": rotated,
        "owner is gone": orphan,
        "shortened": good[:-1],
        "longer": good + "0",
        "in capitals": f"{prefix}_{secret.upper()}",
        "the digest": f"{prefix}_{hashlib.sha256(secret.encode()).hexdigest()}",
        "no id": f"ipk__{secret}",
        "id 0": f"ipk_0_{secret}",
        "negative id": f"ipk_-1_{secret}",
        "leading zero": good.replace("ipk_", "ipk_0"),
        "huge id": f"ipk_99999999999999999999_{secret}",
        "id and SQL": f"ipk_{key_id(good)}OR1=1_{secret}",
        "no prefix": secret,
        "nothing": "",
        "two": f"{good},{good}",
        "two in one": f"{good} {good}",
        "blank before": f" {good}",
        "in quotes": f'"{good}"',
        "not ASCII": good[:-1] + "\u00e9",
        "oversized": good + "0" * 7000,
    }


@pytest.fixture(scope="module", name="invalid")
def fixture_invalid(shop, keyed, make_key):
    return invalid_keys(shop, keyed, make_key)


def test_every_route_is_known():
    assert len(ROUTES) >= 5 and WITHOUT_KEY < {path for _, path in ROUTES}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_key(gateway, method, path):
    answer = call(gateway, method, path, {})
    if path in WITHOUT_KEY:
        assert answer.status in (200, 404)
        return
    error = assert_error(answer, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "create_key" in error["hint"]


@pytest.mark.parametrize(("method", "path"), [it for it in ROUTES if it[1] not in WITHOUT_KEY])
def test_invalid_keys(gateway, invalid, method, path):
    """All get the same answer: nobody learns which keys there are."""
    nothing = call(gateway, method, path, {})
    for why, key in invalid.items():
        answer = call(gateway, method, path, {"Authorization": f"Bearer {key}".encode("latin-1")})
        assert_error(answer, "unauthorized")
        assert answer.body == nothing.body, why


@pytest.mark.parametrize(
    "value",
    ["{key}", "Basic {key}", "Basic dXNlcjpwYXNz", "Bearer", "Bearer\t\t{key}", "BearerX {key}", "Token {key}"],
)
def test_other_schemes(gateway, make_key, value):
    headers = {"Authorization": value.format(key=make_key())}
    assert_error(gateway.get(f"/api/status/{UNKNOWN}/", headers), "unauthorized")


def test_two_headers(gateway, make_key):
    """A proxy may check one of them, and the gateway the other."""
    good = f"Authorization: Bearer {make_key()}\r\n"
    for headers in (good + good, good + "authorization: Basic eDp5\r\n", f"Authorization: x\r\n{good}"):
        head = f"GET /api/status/{UNKNOWN}/ HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        assert_error(gateway.raw(head.encode()), "bad_request")


@pytest.mark.parametrize("place", ["?key={}", "?access_token={}", "?Authorization=Bearer%20{}"])
def test_a_url_is_no_place_for_a_key(gateway, make_key, place):
    path = f"/api/status/{UNKNOWN}/{place.format(make_key())}"
    assert_error(gateway.get(path), "unauthorized")


def test_a_malformed_id_tells_nothing_without_a_key(gateway, make_key):
    assert_error(gateway.get("/api/status/nonsense/"), "unauthorized")
    assert_error(gateway.get("/api/status/nonsense/", bearer(make_key())), "not_found")


def test_an_upload_is_refused_before_its_body(gateway):
    """So that nobody fills the disk without a key."""
    head = (
        "POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
        "Content-Length: 200000000\r\n"
    )
    with gateway.converse() as conversation:
        answer = conversation.exchange(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert_error(answer, "unauthorized")
        assert conversation.ended()


# --- what a key is for ----------------------------------------------------------------------------


def test_scopes(gateway, make_key):
    only_submit, only_read = make_key(scopes="{submit}"), make_key(scopes="{read}")
    other = make_key(scopes="{manage,compress}")
    request = submit(gateway, only_submit)
    for kind in ("status", "products"):
        path = f"/api/{kind}/{request}/"
        assert gateway.get(path, bearer(only_read)).status == 200
        for key in (only_submit, other):
            error = assert_error(gateway.get(path, bearer(key)), "forbidden")
            assert '"read"' in error["error"]
    for key in (only_read, other):
        assert_error(gateway.upload(CSV, headers=bearer(key)), "forbidden")


def test_the_scheme_is_spelled_in_any_case(gateway, make_key):
    headers = {"authorization": f"bEARER {make_key()}"}
    assert_error(gateway.get(f"/api/status/{UNKNOWN}/", headers), "not_found")


def test_anothers_request_is_unknown(gateway, make_key):
    request = submit(gateway, make_key("alice"))
    for kind in ("status", "products"):
        own = gateway.get(f"/api/{kind}/{request}/", bearer(make_key("alice")))
        assert own.status == 200
        foreign = gateway.get(f"/api/{kind}/{request}/", bearer(make_key("bob")))
        unknown = gateway.get(f"/api/{kind}/{UNKNOWN}/", bearer(make_key("bob")))
        assert_error(foreign, "not_found")
        assert (foreign.status, foreign.body) == (unknown.status, unknown.body)
        etag = {"If-None-Match": own.headers["ETag"]} | bearer(make_key("bob"))
        assert_error(gateway.get(f"/api/{kind}/{request}/", etag), "not_found")


def test_the_owner_has_submitted_it(shop, keyed, gateway, make_key):
    request = submit(gateway, make_key("bob"))
    statement = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    assert shop.cluster.scalar(statement, (request,), keyed) == "bob"
    status = "SELECT imgpress.request_status(%s)"
    assert shop.cluster.scalar(status, (request,), keyed, "bob") == "Pending"
    shop.cluster.refused("P0002", status, (request,), keyed, "alice")


def test_faults_of_an_upload_are_told_with_a_key(gateway, make_key):
    answer = gateway.upload("nonsense", headers=bearer(make_key()))
    assert answer.status == 400 and answer.json()["details"]


def test_revoked_at_once(shop, keyed, gateway, make_key):
    key = make_key()
    request = submit(gateway, key)
    shop.cluster.query(f"SELECT imgpress.revoke_key({key_id(key)})", database=keyed)
    assert_error(gateway.get(f"/api/status/{request}/", bearer(key)), "unauthorized")


# --- what the database gets to see ----------------------------------------------------------------


def test_last_use_is_noted_without_waiting(shop, keyed, gateway, make_key):
    key = make_key()
    used = f"SELECT last_used_at FROM imgpress.keys WHERE id = {key_id(key)}"
    path = f"/api/status/{UNKNOWN}/"
    with shop.cluster.session(keyed, autocommit=False) as locking:
        locking.execute(f"SELECT FROM imgpress_internal.keys WHERE id = {key_id(key)} FOR UPDATE")
        assert_error(gateway.get(path, bearer(key)), "not_found")
        assert shop.cluster.scalar(used, database=keyed) is None
        locking.execute("ROLLBACK")
    assert_error(gateway.get(path, bearer(key)), "not_found")
    first = shop.cluster.scalar(used, database=keyed)
    assert first is not None
    assert_error(gateway.get(path, bearer(key)), "not_found")
    assert shop.cluster.scalar(used, database=keyed) == first, "once a minute is enough"


def test_without_the_right_to_write(shop, keyed, make_key):
    """As on a standby."""
    key = make_key()
    request = f"/api/status/{UNKNOWN}/"
    shop.sql("CREATE ROLE read_only_login LOGIN IN ROLE imgpress_gateway")
    shop.sql("ALTER ROLE read_only_login SET default_transaction_read_only = on")
    with Gateway(shop.cluster.conninfo(keyed, "read_only_login")) as gateway:
        assert_error(gateway.get(request, bearer(key)), "not_found")
        assert_error(gateway.get(request), "unauthorized")


def test_a_key_reaches_no_log(shop, keyed, make_key):
    """With everything logged that PostgreSQL can log, and after errors."""
    key = make_key()
    secret = key.rsplit("_", 1)[1]
    everything = {
        "log_statement": "all",
        "log_min_duration_statement": "0",
        "log_parameter_max_length": "-1",
        "log_parameter_max_length_on_error": "-1",
        "log_min_error_statement": "debug1",
        "track_activity_query_size": "10000",
    }
    shop.cluster.configure({name: everything[name] for name in everything if "track" not in name})
    try:
        with shop.new_gateway(database=keyed) as gateway:
            for headers in (bearer(key), bearer(key[:-1] + "g"), bearer(f"{key}x")):
                gateway.get(f"/api/status/{UNKNOWN}/", headers)
                gateway.get(f"/api/products/{UNKNOWN}/", headers)
                gateway.upload("nonsense", headers=headers)
            seen = shop.cluster.query("SELECT query FROM pg_stat_activity")
            assert secret[:32] not in "\n".join(gateway.output)
    finally:
        shop.cluster.configure(dict.fromkeys(name for name in everything if "track" not in name))
    log = shop.cluster.log_tail(10_000)
    assert "status_as" in log, "the statements were logged"
    assert secret[:32] not in log and secret[:32] not in str(seen)


def test_a_wrong_key_leaves_no_line_in_the_log(shop, gateway, invalid):
    """Or anybody could fill the disk with it."""
    before = shop.cluster.log_tail(10_000)
    for key in (invalid["wrong secret"], invalid["revoked"]):
        assert_error(gateway.get(f"/api/status/{UNKNOWN}/", bearer(key)), "unauthorized")
        assert_error(gateway.upload(CSV, headers=bearer(key)), "unauthorized")
    assert shop.cluster.log_tail(10_000) == before


@pytest.mark.skipif(pgbouncer_program() is None, reason="needs pgbouncer")
def test_behind_a_pooler(shop, keyed, make_key):
    """One connection serves clients with different keys, and acts for each in its turn."""
    keys = {owner: make_key(owner) for owner in ("alice", "bob")}
    with PgBouncer(shop.cluster, GATEWAY_LOGIN, pool_size=1) as pooler:
        with Gateway(f"{pooler.conninfo()} dbname={keyed}") as gateway:
            requests = {owner: submit(gateway, key) for owner, key in keys.items()}
            for _ in range(3):
                for owner, key in keys.items():
                    for of, request in requests.items():
                        status = gateway.get(f"/api/status/{request}/", bearer(key)).status
                        assert status == (200 if of == owner else 404)
                        assert_error(gateway.get(f"/api/status/{request}/"), "unauthorized")


@pytest.mark.skipif(nginx_program() is None, reason="needs nginx")
def test_behind_a_proxy(gateway, make_key):
    with Nginx(gateway.port) as nginx:
        request = submit(nginx, make_key("alice"))
        path = f"/api/status/{request}/"
        assert nginx.get(path, bearer(make_key("alice"))).status == 200
        assert_error(nginx.get(path, bearer(make_key("bob"))), "not_found")
        refusal = nginx.get(path)
        assert_error(refusal, "unauthorized")
        assert refusal.headers["WWW-Authenticate"] == "Bearer"
        own = {"Origin": f"http://127.0.0.1:{nginx.port}", "Sec-Fetch-Site": "same-origin"}
        assert nginx.get(path, bearer(make_key("alice")) | own).status == 200
        evil = {"Origin": "https://evil.example"} | bearer(make_key("alice"))
        assert_error(nginx.get(path, evil), "cross_site")
        assert_error(nginx.get(path, {"Host": "evil.example"}), "unknown_host")


# --- with and without -----------------------------------------------------------------------------


def test_from_the_first_key_on(shop):
    shop.sql("CREATE DATABASE young")
    run = lambda statement: shop.cluster.query(statement, database="young")  # noqa: E731
    run("CREATE EXTENSION imgpress")
    with shop.new_gateway(database="young") as gateway:
        request = gateway.upload(CSV).json()["request_id"]
        ((by_sql,),) = run(f"SELECT imgpress.submit_csv($${CSV}$$)")
        for kind in ("status", "products"):
            assert gateway.get(f"/api/{kind}/{request}/").status == 200
            assert_error(gateway.get(f"/api/{kind}/{by_sql}/"), "not_found")
        with_wrong_key = gateway.get(f"/api/status/{request}/", bearer(f"ipk_1_{SECRET}"))
        assert_error(with_wrong_key, "unauthorized")
        basic = {"Authorization": "Basic dXNlcjpwYXNz"}
        assert gateway.get(f"/api/status/{request}/", basic).status == 200, "a proxy's own"
        ((key,),) = run("SELECT imgpress.create_key('first')")
        assert_error(gateway.get(f"/api/status/{request}/"), "unauthorized")
        assert_error(gateway.get(f"/api/status/{request}/", basic), "unauthorized")
        assert gateway.get(f"/api/status/{request}/", bearer(key)).status == 200, "a superuser's"
        run("SELECT imgpress.revoke_key(1)")
        assert_error(gateway.get(f"/api/status/{request}/"), "unauthorized")
        assert_error(gateway.upload(CSV), "unauthorized")
        with shop.new_gateway("--no-keys", database="young") as open_gateway:
            assert open_gateway.get(f"/api/status/{request}/").status == 200, "its own"
            assert_error(open_gateway.get(f"/api/status/{by_sql}/"), "not_found")
            assert_error(open_gateway.get(f"/api/products/{by_sql}/"), "not_found")
            assert open_gateway.upload(CSV, headers=basic).status == 202
            for key in ("x", f"ipk_1_{SECRET}"):
                assert open_gateway.get(f"/api/status/{request}/", bearer(key)).status == 200


def test_the_gateways_login_can_only_ask(shop, keyed, gateway, make_key):
    """Whoever has its password has no key with that."""
    request = submit(gateway, make_key("alice"))
    run = lambda statement, *values: shop.cluster.query(  # noqa: E731
        statement, values, keyed, GATEWAY_LOGIN
    )
    for statement in (
        "SELECT * FROM imgpress_internal.keys",
        "SELECT * FROM imgpress.keys",
        "SELECT * FROM imgpress_internal.url_secret",
        "SELECT imgpress_internal.act_as('alice')",
        "SELECT imgpress.request_status(gen_random_uuid())",
        "SELECT imgpress_internal.act_for_key(1, '', 'never', 'read')",
        "SELECT imgpress.create_key('x')",
        "SELECT imgpress_internal.new_secret()",
        "SET ROLE alice",
    ):
        shop.cluster.refused("42501", statement, database=keyed, user=GATEWAY_LOGIN)
    as_itself = "SELECT answer FROM imgpress_internal.status_as(NULL, NULL, 'never', %s)"
    assert run(as_itself, request) == [(None,)]


def test_dropped_and_added_keys_are_seen_at_once(shop, keyed, gateway, make_key):
    key = make_key()
    path = f"/api/status/{UNKNOWN}/"
    assert_error(gateway.get(path, bearer(key)), "not_found")
    delete = f"DELETE FROM imgpress_internal.keys WHERE id = {key_id(key)}"
    shop.cluster.query(delete, database=keyed)
    wait_until(lambda: gateway.get(path, bearer(key)).status == 401, "the key is gone", 5)


def test_dump_and_restore(shop, keyed, make_key):
    """A dump holds no secret, neither of a key nor for URLs; keys are valid after it is restored."""
    key = make_key()
    program = f"{pg_config('--bindir')}/pg_dump"
    environment = shop.cluster.environment(keyed)
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    signing = "SELECT encode(secret, 'hex') FROM imgpress_internal.url_secret"
    before = shop.cluster.scalar(signing, database=keyed)
    assert "COPY imgpress_internal.keys" in done.stdout
    assert key.rsplit("_", 1)[1] not in done.stdout and before not in done.stdout
    shop.sql("CREATE DATABASE restored_keys")
    shop.cluster.psql(stdin=done.stdout, database="restored_keys")
    assert shop.cluster.scalar(signing, database="restored_keys") not in (None, before)
    with shop.new_gateway(database="restored_keys") as gateway:
        assert_error(gateway.get(f"/api/status/{UNKNOWN}/", bearer(key)), "not_found")
    later = "SELECT imgpress.create_key('later')"
    assert key_id(shop.cluster.scalar(later, database="restored_keys")) > key_id(key)
    shop.sql("DROP DATABASE restored_keys")
