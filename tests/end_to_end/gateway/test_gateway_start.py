"""What the gateway says when it starts, why it can't reach its database, and what /healthz says."""

import contextlib
import os
import pwd
import resource
import subprocess

import pytest

from harness.gateway import Gateway, assert_error, gateway_program
from harness.shop import GATEWAY_LOGIN, GATEWAY_TIMEOUT
from harness.waiting import wait_until

VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'imgpress'"


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    """A cluster whose access rules a test may change."""
    with open_shop(name="start", gateway=False) as made:
        made.create_gateway_login()
        yield made


@contextlib.contextmanager
def access_rule(cluster, rule):
    """Puts a line before the others of pg_hba.conf."""
    path = cluster.data / "pg_hba.conf"
    before = path.read_text()
    path.write_text(f"{rule}\n{before}")
    cluster.configure({})
    try:
        yield
    finally:
        path.write_text(before)
        cluster.configure({})


def gateway_to(own, more="", database="shop", user=GATEWAY_LOGIN):
    return Gateway(own.cluster.conninfo(database, user) + more)


def assert_unhealthy(gateway, code, *words):
    """/healthz names this cause; the output has a line with all these words."""
    assert_error(gateway.get("/healthz"), code)
    unknown = gateway.get("/api/status/00000000-0000-0000-0000-000000000001/")
    for answer in (unknown, gateway.upload("x")):
        assert_error(answer, code, "database_unavailable")
    assert gateway.get("/").status == 200
    said = wait_until(
        lambda: [line for line in gateway.output if all(word in line for word in words)],
        f"the gateway says {words}",
    )
    assert not any("connected to" in line for line in gateway.output), said


def assert_recovers(gateway):
    """Without a restart, and it says so."""
    gateway.said("connected to database")
    assert gateway.get("/healthz").json() == {"status": "ok"}


def test_it_says_what_it_found(own):
    with gateway_to(own) as gateway:
        version = own.value(VERSION)
        line = f'connected to database "shop" as "{GATEWAY_LOGIN}": imgpress {version}'
        assert line in gateway.said("connected")
        assert f"imgpress-gateway listening on http://127.0.0.1:{gateway.port}" in gateway.output[0]
        assert gateway.get("/healthz").json() == {"status": "ok"}


def test_it_advises_a_limit_for_statements(own):
    """It cannot set one itself behind a pooler."""
    advice = f'ALTER ROLE "{GATEWAY_LOGIN}" SET statement_timeout'
    with gateway_to(own) as gateway:
        gateway.said("connected")
    assert not any("statement_timeout" in line for line in gateway.output)
    own.limit_statements(0)
    try:
        with gateway_to(own) as gateway:
            assert advice in gateway.said("statement_timeout")
            assert gateway.get("/healthz").status == 200, "it is only advice"
    finally:
        own.limit_statements(GATEWAY_TIMEOUT)


def test_the_password_is_not_said(own):
    with gateway_to(own, " password=secret123") as gateway:
        gateway.said("connected")
        assert "secret123" not in "\n".join(gateway.output)


def test_peer(own):
    """The rule of Debian's packages, which refuses every login but that of the own account."""
    gateway = gateway_to(own)
    with contextlib.ExitStack() as stack:
        with access_rule(own.cluster, f"local all {GATEWAY_LOGIN} peer"):
            stack.enter_context(gateway)
            assert_unhealthy(gateway, "login_refused", "Peer authentication failed", GATEWAY_LOGIN)
            assert "pg_hba.conf" in "\n".join(gateway.output), "the cure"
        assert_recovers(gateway)


@pytest.mark.parametrize("more", ["", " password=wrong"])
def test_passwords(own, more):
    rule = f"local all {GATEWAY_LOGIN} scram-sha-256"
    own.sql(f"ALTER ROLE {GATEWAY_LOGIN} PASSWORD 'right'")
    with access_rule(own.cluster, rule):
        with gateway_to(own, more) as gateway:
            assert_unhealthy(gateway, "login_refused", "password")
            own.sql(f"ALTER ROLE {GATEWAY_LOGIN} PASSWORD 'wrong'")
            if more:
                assert_recovers(gateway)
        own.sql(f"ALTER ROLE {GATEWAY_LOGIN} PASSWORD 'right'")
        with gateway_to(own, " password=right") as gateway:
            assert_recovers(gateway)


def test_an_unknown_role(own):
    with gateway_to(own, user="nobody_at_all") as gateway:
        assert_unhealthy(gateway, "login_refused", "nobody_at_all")
        own.sql("CREATE ROLE nobody_at_all LOGIN IN ROLE imgpress_gateway")
        assert_recovers(gateway)


def test_a_role_that_may_not_log_in(own):
    own.sql("CREATE ROLE sleeper IN ROLE imgpress_gateway")
    with gateway_to(own, user="sleeper") as gateway:
        assert_unhealthy(gateway, "login_refused", "sleeper")
        own.sql("ALTER ROLE sleeper LOGIN")
        assert_recovers(gateway)


def test_a_role_without_rights(own):
    own.sql("CREATE ROLE stranger LOGIN")
    with gateway_to(own, user="stranger") as gateway:
        assert_unhealthy(gateway, "login_refused", "stranger", "imgpress_gateway")
        own.sql("GRANT imgpress_gateway TO stranger")
        assert_recovers(gateway)


def test_a_role_that_may_not_connect(own):
    own.sql("CREATE ROLE outsider LOGIN IN ROLE imgpress_gateway")
    own.sql("REVOKE CONNECT ON DATABASE shop FROM PUBLIC")
    try:
        with gateway_to(own, user="outsider") as gateway:
            assert_unhealthy(gateway, "login_refused", "shop")
            own.sql("GRANT CONNECT ON DATABASE shop TO PUBLIC")
            assert_recovers(gateway)
    finally:
        own.sql("GRANT CONNECT ON DATABASE shop TO PUBLIC")


def test_no_connection_left(own):
    own.sql("CREATE ROLE limited LOGIN IN ROLE imgpress_gateway CONNECTION LIMIT 0")
    with gateway_to(own, user="limited") as gateway:
        assert_unhealthy(gateway, "database_unavailable", "limited")
        own.sql("ALTER ROLE limited CONNECTION LIMIT -1")
        assert_recovers(gateway)


def test_a_missing_database(own):
    with gateway_to(own, database="later") as gateway:
        assert_unhealthy(gateway, "login_refused", "later")
        own.sql("CREATE DATABASE later")
        own.cluster.query("CREATE EXTENSION imgpress", database="later")
        assert_recovers(gateway)


def test_a_missing_extension(own):
    own.sql("CREATE DATABASE bare")
    with gateway_to(own, database="bare") as gateway:
        assert_unhealthy(gateway, "extension_missing", "CREATE EXTENSION imgpress")
        own.cluster.query("CREATE EXTENSION imgpress", database="bare")
        assert_recovers(gateway)
        own.cluster.query("DROP EXTENSION imgpress", database="bare")
        assert_error(gateway.get("/healthz"), "extension_missing")
        assert_error(gateway.upload("x"), "extension_missing")
        own.cluster.query("CREATE EXTENSION imgpress", database="bare")
        wait_until(lambda: gateway.get("/healthz").status == 200, "the extension is back")


def test_no_server(own, tmp_path):
    with Gateway(f"host={tmp_path} dbname=shop user={GATEWAY_LOGIN}") as gateway:
        assert_unhealthy(gateway, "database_unavailable", str(tmp_path))


def test_it_does_not_say_the_same_over_and_over(own):
    """One line for each cause, however often it tries."""
    with gateway_to(own, database="never") as gateway:
        for _ in range(20):
            assert_error(gateway.get("/healthz"), "login_refused")
        assert len(gateway.output) < 8, gateway.output


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, words",
    [
        (["--nonsense"], ["--nonsense", "--help"]),
        (["--spool"], ["--spool"]),
        (["nonsense"], ["nonsense"]),
        (["--database"], ["--database needs a value"]),
        (["--listen", "nonsense"], ["--listen"]),
        (["--listen", "127.0.0.1:99999"], ["99999"]),
        (["--listen", "127.0.0.1:x"], ["x"]),
        (["--listen", "0.0.0.0:0"], ["--allow-remote"]),
        (["--listen", "[::]:0"], ["--allow-remote"]),
        (["--listen", "192.0.2.1:0", "--allow-remote"], ["192.0.2.1"]),
        (["--listen", "no-such-host.invalid:0", "--allow-remote"], ["no-such-host.invalid"]),
        (["--connections", "0"], ["--connections", '"0"']),
        (["--connections", "1.5"], ["--connections", '"1.5"']),
        (["--max-upload-bytes", "x"], ["--max-upload-bytes", '"x"']),
        (["--database", "nonsense=1"], ["nonsense"]),
        (["--database", "dbname='"], ["--database"]),
    ],
    ids=" ".join,
)
def test_options_that_are_refused(options, words):
    said = Gateway("dbname=shop", options=options).refuse_to_start()
    assert all(word in said for word in words), said
    assert len(said.splitlines()) < 4, "one error, not a page"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")
def test_too_few_threads():
    """As a container or a service may limit them."""

    def become_nobody():
        nobody = pwd.getpwnam("nobody").pw_uid
        resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))
        os.setuid(nobody)

    command = [gateway_program(), "--listen", "127.0.0.1:0", "--database", "dbname=nothing"]
    done = subprocess.run(
        command, preexec_fn=become_nobody, capture_output=True, text=True, timeout=60, cwd="/"
    )
    assert done.returncode == 1
    assert "of 600 threads" in done.stderr and "ulimit -u" in done.stderr, done.stderr


def test_a_port_that_is_taken(shop):
    said = Gateway(shop.cluster.conninfo(), port=shop.gateway.port).refuse_to_start()
    assert f"127.0.0.1:{shop.gateway.port}" in said and "in use" in said


def test_the_output_goes_to_a_pipe_at_once(own):
    """Not when a buffer is full: a log must show the last line before a crash."""
    with gateway_to(own) as gateway:
        assert gateway.said("listening") and gateway.said("connected")
