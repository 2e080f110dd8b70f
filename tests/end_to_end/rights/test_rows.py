"""A role sees its own requests and those of roles that it is a member of; another's id answers like
an unknown one."""

import re
import uuid

import psycopg2
import pytest

from harness.catalogue import REFUSED_URL, one_product
from harness.shop import GATEWAY_LOGIN
from harness.waiting import wait_until

UNKNOWN = str(uuid.UUID(int=7))
# A value for each argument of a function that takes the id of a request.
ARGUMENTS = {
    "uuid": None,  # the id
    "integer": "1",
    "bigint": "1",
    "boolean": "true",
    "text": "'jpeg'",
    "text[]": "'{a}'",
    "interval": "'0'",
    "jsonb": "'{}'",
}
# The key of functions that act for its owner: there is none, so they act for who calls them.
NO_KEY = ("NULL::integer", "NULL::bytea", "'never'::text")
# They compute something from their arguments, or take the id for a new request.
NOT_ABOUT_A_REQUEST = {"output_url", "submit", "submit_csv", "submit_query", "submit_json"}
NOT_ABOUT_A_REQUEST |= {"submit_upload_as", "store_part", "upload_faults"}
# A page shows its images to whoever knows their URL.
OPEN_TO_ALL = {"output_slice"}


@pytest.fixture(scope="module", name="roles")
def fixture_roles(shop):
    """anna, who is in a team with carl; bert, a stranger to both; rita, who only reads; boss; and
    the logins of two gateways."""
    shop.sql("CREATE ROLE team IN ROLE imgpress_user")
    shop.sql("CREATE ROLE anna LOGIN IN ROLE imgpress_user, team")
    shop.sql("CREATE ROLE carl LOGIN IN ROLE team")
    shop.sql("CREATE ROLE bert LOGIN IN ROLE imgpress_user")
    shop.sql("CREATE ROLE rita LOGIN IN ROLE imgpress_reader")
    shop.sql("CREATE ROLE boss LOGIN IN ROLE imgpress_admin")
    shop.sql("CREATE ROLE other_gateway LOGIN IN ROLE imgpress_gateway")
    yield
    shop.sql("DROP ROLE anna, carl, bert, rita, boss, other_gateway, team")


def submit_with_failures(shop, user, role=None):
    """Submits two images, one of them missing, with a webhook that fails; waits for all of that."""
    own = shop.origin.url(f"small0.jpg?{role or user}")  # a URL of its own: the view latest has it
    csv = one_product(own, shop.origin.url("gone.jpg"))
    with shop.cluster.session(user=user) as session:
        if role is not None:
            session.execute(f"SET ROLE {role}")
        session.execute("SELECT imgpress.submit_csv(%s, %s)", (csv, REFUSED_URL))
        (request,) = session.fetchone()
    assert shop.wait(request) == "Completed"
    failed = "SELECT true FROM imgpress.webhook_failures WHERE request_id = %s"
    wait_until(lambda: shop.value(failed, request), "its webhook fails")
    return request


@pytest.fixture(scope="module", name="annas")
def fixture_annas(shop, roles):
    return submit_with_failures(shop, "anna")


@pytest.fixture(scope="module", name="teams")
def fixture_teams(shop, roles):
    return submit_with_failures(shop, "anna", "team")


def relations_of_requests(shop):
    """(name, column with the id of a request) of each table and view that users may read."""
    return shop.sql(
        "SELECT c.oid::regclass::text, a.attname::text FROM pg_class c JOIN pg_attribute a "
        "ON a.attrelid = c.oid AND a.atttypid = 'uuid'::regtype AND a.attnum > 0 "
        "WHERE c.relnamespace = 'imgpress'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') "
        "AND c.relname <> 'attachments' "  # standing requests: tests/end_to_end/attach
        "AND has_table_privilege('imgpress_reader', c.oid, 'SELECT') ORDER BY 1"
    )


def functions_of_requests(shop, role):
    """{name: call with the id as %(id)s} of each function that this role may call with an id."""
    calls = {}
    for name, schema, types in shop.sql(
        "SELECT p.proname, n.nspname, string_to_array(oidvectortypes(p.proargtypes), ', ') "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname IN ('imgpress', 'imgpress_internal') AND has_schema_privilege(%s, n.oid, "
        "'USAGE') AND has_function_privilege(%s, p.oid, 'EXECUTE') AND "
        "'uuid'::regtype = ANY (p.proargtypes)",
        role,
        role,
    ):
        if name not in NOT_ABOUT_A_REQUEST:
            key = NO_KEY if name.endswith("_as") else ()
            types = types[len(key) :]
            assert set(types) <= ARGUMENTS.keys(), f"a value for each argument of {name}"
            values = [*key, *(f"{ARGUMENTS[it] or '%(id)s'}::{it}" for it in types)]
            calls[name] = f"SELECT * FROM {schema}.{name}({', '.join(values)})"
    return calls


def answer(shop, user, call, request):
    """What a call returns or says, without the id."""
    try:
        said = repr(shop.cluster.query(call, {"id": request}, user=user))
    except psycopg2.Error as error:
        diag = error.diag
        said = repr(
            (
                diag.sqlstate,
                diag.message_primary,
                diag.message_detail,
                diag.message_hint,
                diag.context,
            )
        )
    return re.sub(re.escape(request), "ID", said)


def test_relations(shop, annas, teams):
    relations = relations_of_requests(shop)
    assert {"imgpress.processing_requests", "imgpress.outputs", "imgpress.results"} < {
        name for name, _ in relations
    }
    for name, column in relations:
        ids = lambda user: {  # noqa: E731
            it
            for (it,) in shop.cluster.query(f"SELECT {column} FROM {name}", user=user)  # noqa: B023
        }
        assert {annas, teams} <= ids("anna"), name
        assert ids("bert") & {annas, teams} == set(), name
        assert ids("rita") & {annas, teams} == set(), name
        assert ids("carl") & {annas, teams} == {teams}, name
        assert {annas, teams} <= ids("boss"), name


@pytest.mark.parametrize(
    "group, owner, strangers",
    [
        ("imgpress_user", "anna", ["bert", "carl"]),
        ("imgpress_reader", "anna", ["rita"]),
        ("imgpress_gateway", None, ["shop_gateway", "other_gateway"]),
    ],
)
def test_functions(shop, annas, group, owner, strangers):
    """An id of another answers like an unknown one, in every function that takes an id."""
    calls = functions_of_requests(shop, group)
    assert {"products_as" if group == "imgpress_gateway" else "request_products"} < calls.keys()
    for name, call in calls.items():
        for stranger in strangers:
            own = answer(shop, owner or "postgres", call, annas)
            guessed = answer(shop, stranger, call, annas)
            unknown = answer(shop, stranger, call, UNKNOWN)
            assert own != unknown, f"{name}: the test must tell something about the request"
            assert (guessed == unknown) == (name not in OPEN_TO_ALL), f"{name} for {stranger}"


def test_actions_on_a_strangers_request_change_nothing(shop, annas):
    state = lambda: (  # noqa: E731
        shop.sql(
            "SELECT r.*, r.xmin::text FROM imgpress.processing_requests r WHERE id = %s", annas
        ),
        shop.sql("SELECT i.*, i.xmin::text FROM imgpress.images i WHERE request_id = %s", annas),
    )
    before = state()
    for call in functions_of_requests(shop, "imgpress_user").values():
        answer(shop, "bert", call, annas)
    assert shop.cluster.scalar("SELECT imgpress.retry_failed()", user="bert") == 0
    assert state() == before


def test_a_strangers_request_is_not_waited_for(shop, annas):
    """The lock of another session on it would tell that it exists."""
    with shop.cluster.session(autocommit=False) as holder:
        holder.execute(
            "SELECT FROM imgpress.processing_requests WHERE id = %s FOR UPDATE", (annas,)
        )
        with shop.cluster.session(user="bert") as session:
            session.execute("SET lock_timeout = '1ms'")
            for name, call in functions_of_requests(shop, "imgpress_user").items():
                with pytest.raises(psycopg2.Error) as raised:
                    session.execute(call, {"id": annas})
                    assert name in ("output_image", "output_etag")  # which return no row
                    raise psycopg2.Error
                assert raised.value.pgcode != "55P03", name
            session.execute("SELECT imgpress.retry_failed()")


def test_an_id_that_another_has_used(shop, annas, teams):
    """It is refused like any value that is not unique; the owner and the team get it back."""
    csv = shop.csv("small0.jpg")
    again = "SELECT imgpress.submit_csv(%s, request_id => %s)"
    for user in ("anna", "boss"):
        assert shop.cluster.scalar(again, (csv, annas), user=user) == annas
    assert shop.cluster.scalar(again, (csv, teams), user="carl") == teams
    error = shop.cluster.refused("23505", again, (csv, annas), user="bert")
    told = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    for word in ("anna", "Completed", one_product(REFUSED_URL), "small0", "gone"):
        assert word not in str(told)
    (column, _), *rest = shop.sql(
        "SELECT submitted_by, id FROM imgpress.processing_requests WHERE id = %s", annas
    )
    assert (column, rest) == ("anna", [])


def test_whose_a_request_is(shop, roles):
    """Whoever calls is known by the session or SET ROLE, not by the functions in between."""
    shop.sql("CREATE SCHEMA berts AUTHORIZATION bert")
    whose = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    csv = shop.csv("small0.jpg")
    with shop.cluster.session(user="bert") as session:
        session.execute("GRANT USAGE ON SCHEMA berts TO PUBLIC")
        session.execute(
            "CREATE FUNCTION berts.submit(csv text) RETURNS uuid LANGUAGE sql SECURITY DEFINER "
            "AS 'SELECT imgpress.submit_csv(csv)'"
        )
    request = shop.cluster.scalar("SELECT berts.submit(%s)", (csv,), user="anna")
    assert shop.value(whose, request) == "anna"
    with shop.cluster.session(user="anna") as session:
        session.execute("SET ROLE team")
        session.execute("INSERT INTO imgpress.csv_upload VALUES (1, 'a', 'http://a.test/1.jpg')")
        session.execute("SELECT DISTINCT submitted_by FROM imgpress.processing_requests")
        assert set(session.fetchall()) == {("team",)}
    shop.sql("DROP SCHEMA berts CASCADE")


def test_a_role_that_is_gone(shop):
    """Its requests are for administrators, who can give them to somebody else."""
    shop.sql("CREATE ROLE brief LOGIN IN ROLE imgpress_user")
    shop.sql("CREATE ROLE heir LOGIN IN ROLE imgpress_user")
    shop.sql("CREATE ROLE keeper LOGIN IN ROLE imgpress_admin")
    request = submit_with_failures(shop, "brief")
    shop.sql("DROP ROLE brief")
    seen = "SELECT count(*) FROM imgpress.results WHERE request_id = %s"
    status = "SELECT imgpress.request_status(%s)"
    assert shop.cluster.scalar(seen, (request,), user="heir") == 0
    shop.refused("P0002", status, request, user="heir")
    give = "UPDATE imgpress.processing_requests SET submitted_by = 'heir' WHERE id = %s"
    shop.refused("42501", give, request, user="heir")
    assert shop.cluster.scalar(seen, (request,), user="keeper") == 1
    assert shop.cluster.scalar(status, (request,), user="keeper") == "Completed"
    shop.cluster.query(give, (request,), user="keeper")
    assert shop.cluster.scalar(seen, (request,), user="heir") == 1
    assert shop.cluster.scalar(status, (request,), user="heir") == "Completed"
    shop.sql("DROP ROLE heir, keeper")


def test_gateways(shop, annas):
    """Without keys a gateway acts as its login: it sees what came through it."""
    answered = shop.gateway.upload(shop.csv("small0.jpg"))
    request = answered.json()["request_id"]
    whose = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    assert shop.value(whose, request) == "shop_gateway"
    assert shop.gateway.get(f"/api/status/{request}/").status == 200
    for path in ("status", "products"):
        foreign = shop.gateway.get(f"/api/{path}/{annas}/")
        unknown = shop.gateway.get(f"/api/{path}/{UNKNOWN}/")
        assert foreign.status == unknown.status == 404
        assert foreign.body == unknown.body
    status = "SELECT answer FROM imgpress_internal.status_as(NULL, NULL, 'never', %s)"
    assert shop.cluster.scalar(status, (request,), user=GATEWAY_LOGIN) is not None
    assert shop.cluster.scalar(status, (request,), user="other_gateway") is None


def test_what_public_has_submitted(shop, roles):
    """So it is with requests from before version 0.2.0."""
    request = shop.submit("small0.jpg")
    shop.finish(request)
    shop.sql(
        "UPDATE imgpress.processing_requests SET submitted_by = 'public' WHERE id = %s", request
    )
    seen = (
        "SELECT imgpress.request_status(%s), count(*) FROM imgpress.results WHERE request_id = %s"
    )
    for user in ("anna", "bert", "rita"):
        assert shop.cluster.query(seen, (request, request), user=user) == [("Completed", 1)]
    assert shop.gateway.get(f"/api/status/{request}/").status == 200
