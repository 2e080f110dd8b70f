"""CREATE EXTENSION runs no code of other roles, and gives them no privileges."""

import subprocess

import psycopg2
import pytest

from harness import attack
from harness.catalogue import REFUSED_URL, one_product
from harness.cluster import Cluster, pg_config

CREATE = "CREATE EXTENSION imgpress"


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster():
    with Cluster(preload=("imgpress",), name="install") as made:
        made.query(f"CREATE ROLE {attack.ATTACKER} LOGIN")
        yield made


@pytest.fixture(name="database")
def fixture_database(cluster):
    """A database of the attacker, without the extension."""
    cluster.query("CREATE DATABASE theirs")
    attack.become_owner(cluster, "theirs")
    yield "theirs"
    cluster.query("DROP DATABASE theirs", database="postgres")
    for role in ("reader", "user", "gateway", "admin", "worker", "views", "owner"):
        cluster.query(f"DROP ROLE IF EXISTS imgpress_{role}")
    cluster.query("DROP ROLE IF EXISTS mallorys_root, bystander")


def refused(cluster, database, error):
    with pytest.raises(error) as raised:
        cluster.query(CREATE, database=database)
    assert raised.value.diag.message_hint
    installed = "SELECT true FROM pg_extension WHERE extname = 'imgpress'"
    assert not cluster.scalar(installed, database=database)
    return str(raised.value)


SCHEMAS = {
    "the attacker's": f"CREATE SCHEMA imgpress AUTHORIZATION {attack.ATTACKER}",
    "attacker may create": "CREATE SCHEMA imgpress; "
    f"GRANT ALL ON SCHEMA imgpress TO {attack.ATTACKER}",
    "everybody may create": "CREATE SCHEMA imgpress; GRANT ALL ON SCHEMA imgpress TO PUBLIC",
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("answer", [None, "false", "true"])
def test_operators_in_the_schema(cluster, database, schema, answer):
    """The script's own checks must not use them. Planning a query is enough to run an operator: the
    planner compares the statistics with it."""
    cluster.query(schema, database=database)
    twins = attack.twin_operators("imgpress", answer)
    cluster.query(twins, database=database, user=attack.ATTACKER)
    refused(cluster, database, psycopg2.errors.DuplicateSchema)
    assert attack.times_superuser(cluster, database) == 0
    assert attack.superusers(cluster) == ["postgres"]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_schema_in_which_others_may_create(cluster, database, schema):
    """It is still empty, but objects that they create during or after the installation would be
    used by functions with the rights of a superuser."""
    cluster.query(schema, database=database)
    refused(cluster, database, psycopg2.errors.DuplicateSchema)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE FUNCTION imgpress.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE imgpress.p() LANGUAGE sql AS 'SELECT 1'",
        "CREATE AGGREGATE imgpress.a (integer) (SFUNC = int4pl, STYPE = integer)",
        "CREATE TABLE imgpress.t ()",
        "CREATE VIEW imgpress.v AS SELECT 1",
        "CREATE SEQUENCE imgpress.s",
        "CREATE DOMAIN imgpress.text AS text",
        "CREATE TYPE imgpress.uuid AS ENUM ()",
        "CREATE OPERATOR imgpress.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = int8eq)",
        "CREATE OPERATOR FAMILY imgpress.of USING btree",
        'CREATE COLLATION imgpress.c FROM "C"',
        "CREATE CONVERSION imgpress.co FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
        "CREATE TEXT SEARCH CONFIGURATION imgpress.ts (COPY = simple)",
        "CREATE TEXT SEARCH DICTIONARY imgpress.td (TEMPLATE = simple)",
        "CREATE TABLE x (a integer, b integer); CREATE STATISTICS imgpress.st ON a, b FROM x",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA imgpress GRANT ALL ON TABLES TO PUBLIC",
    ],
    ids=lambda statement: " ".join(statement.split()[1:3]),
)
def test_schema_that_is_not_empty(cluster, database, statement):
    cluster.query(f"CREATE SCHEMA imgpress; {statement}", database=database)
    assert "not empty" in refused(cluster, database, psycopg2.errors.DuplicateSchema)


def test_empty_schema_of_a_superuser(cluster, database):
    """A dump creates it before the extension. Grants on it do no harm."""
    cluster.query(
        "CREATE SCHEMA imgpress; GRANT USAGE ON SCHEMA imgpress TO PUBLIC", database=database
    )
    cluster.query(CREATE, database=database)


def test_search_path_of_the_database(cluster, database):
    twins = attack.twin_operators("evil", "false")
    cluster.query(twins, database=database, user=attack.ATTACKER)
    cluster.query(f"ALTER DATABASE {database} SET search_path = evil, pg_catalog")
    cluster.query(CREATE, database=database)
    assert attack.times_superuser(cluster, database) == 0


def test_dump_and_restore(cluster, database):
    """A dump creates the schema separately, before the extension."""
    cluster.query(CREATE, database=database)
    submit = "SELECT imgpress.submit_csv(%s)"
    cluster.query(submit, (one_product(REFUSED_URL),), database)
    dump = subprocess.run(
        [f"{pg_config('--bindir')}/pg_dump"],
        env=cluster.environment(database),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert dump.index("CREATE SCHEMA imgpress") < dump.index("CREATE EXTENSION")
    cluster.query("CREATE DATABASE restored")
    cluster.psql(stdin=dump, database="restored")
    count = "SELECT count(*) FROM imgpress.images"
    assert cluster.scalar(count, database="restored") == 1
    cluster.query("DROP DATABASE restored", database="postgres")


@pytest.mark.parametrize(
    "preparation, fault",
    [
        ("CREATE ROLE imgpress_worker LOGIN", "imgpress_worker"),
        (f"CREATE ROLE imgpress_worker ROLE {attack.ATTACKER}", "imgpress_worker"),
        (f"CREATE ROLE imgpress_owner ROLE {attack.ATTACKER}", "imgpress_owner"),
        (
            "CREATE ROLE imgpress_user; CREATE ROLE imgpress_owner ROLE imgpress_user",
            "imgpress_owner",
        ),
        (
            "CREATE ROLE imgpress_admin; CREATE ROLE imgpress_worker ROLE imgpress_admin",
            "imgpress_worker",
        ),
        ("CREATE ROLE imgpress_admin CREATEROLE", "imgpress_admin"),
        ("CREATE ROLE imgpress_reader BYPASSRLS", "imgpress_reader"),
        ("CREATE ROLE imgpress_gateway SUPERUSER", "imgpress_gateway"),
    ],
)
def test_roles_made_in_advance(cluster, database, preparation, fault):
    """A role with CREATEROLE could create them first, to get the rights that the script grants."""
    cluster.query(preparation)
    assert fault in refused(cluster, database, psycopg2.errors.DuplicateObject)


@pytest.mark.parametrize(
    "role, member",
    [
        ("imgpress_admin", attack.ATTACKER),
        ("imgpress_reader", attack.ATTACKER),
        ("imgpress_admin", "imgpress_gateway"),
    ],
)
def test_a_warning_lists_members_of_the_roles(cluster, database, role, member):
    """Usually they belong to the imgpress of another database, which is all right."""
    if member != attack.ATTACKER:
        cluster.query(f"CREATE ROLE {member}")
    cluster.query(f"CREATE ROLE {role} ROLE {member}")
    with cluster.session(database) as session:
        session.execute(CREATE)
        warnings = [it for it in session.connection.notices if role in it]
    assert len(warnings) == 1 and member in warnings[0]


@pytest.mark.parametrize(
    "role, member",
    [("imgpress_admin", "imgpress_reader"), ("imgpress_admin", "imgpress_user"),
     ("imgpress_user", "imgpress_reader")],
)  # fmt: skip
def test_roles_that_are_members_the_wrong_way_round(cluster, database, role, member):
    """Everybody who reads would be an administrator."""
    cluster.query(f"CREATE ROLE {member}; CREATE ROLE {role} ROLE {member}")
    with pytest.raises(psycopg2.errors.InvalidGrantOperation):
        cluster.query(CREATE, database=database)


def test_a_second_database_has_the_same_roles_without_a_warning(cluster, database):
    cluster.query(CREATE, database=database)
    cluster.query("CREATE DATABASE second")
    with cluster.session("second") as session:
        session.execute(CREATE)
        assert [it for it in session.connection.notices if "existed before" in it] == []
    cluster.query("DROP DATABASE second", database="postgres")


def test_default_privileges_of_the_installing_role(cluster, database):
    """With GRANT ALL ON TABLES a role could add a trigger that runs in submit_csv() as its
    owner."""
    cluster.query("CREATE ROLE bystander LOGIN")
    own = "ALTER DEFAULT PRIVILEGES {} ALL ON {} {} bystander"
    for kind in ("TABLES", "SEQUENCES", "FUNCTIONS"):
        cluster.query(own.format("GRANT", kind, "TO"), database=database)
    cluster.query(CREATE, database=database)
    cluster.query(f"GRANT imgpress_user TO bystander, {attack.ATTACKER}", database=database)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cluster.query(
            "CREATE TRIGGER climb BEFORE INSERT ON imgpress.processing_requests "
            "FOR EACH ROW EXECUTE FUNCTION evil.at_commit('submission')",
            database=database,
            user="bystander",
        )
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cluster.query("SELECT imgpress.webhook_secret()", database=database, user="bystander")
    submit = "SELECT imgpress.submit_csv(%s)"
    csv = (one_product(REFUSED_URL),)
    assert cluster.scalar(submit, csv, database, attack.ATTACKER)
    assert attack.times_superuser(cluster, database) == 0
