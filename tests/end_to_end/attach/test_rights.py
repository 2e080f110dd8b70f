"""Who may attach a table, what an attachment lets nobody do, and who sees it."""

import psycopg2
import pytest

from harness.attach.quiet_shop import OWNER, quiet_shop

COLUMNS = "(id int PRIMARY KEY, url text, small text)"
CALLS = ("detach('{}')", "pause('{}')", "resume('{}')", "reconcile('{}')")


@pytest.fixture(scope="module", name="shop")
def fixture_shop():
    with quiet_shop("attachrights") as made:
        made.root(
            "CREATE ROLE stranger LOGIN IN ROLE imgpress_user; CREATE ROLE visitor LOGIN; "
            "CREATE ROLE operator LOGIN IN ROLE imgpress_admin; "
            "CREATE ROLE team; CREATE ROLE member LOGIN IN ROLE team, imgpress_user; "
            "CREATE ROLE distant LOGIN NOINHERIT IN ROLE team, imgpress_user; "
            "CREATE ROLE reader LOGIN IN ROLE team, imgpress_reader; "
            "GRANT USAGE ON SCHEMA shop TO PUBLIC; GRANT ALL ON SCHEMA shop TO team"
        )
        made.sql(f"CREATE TABLE mine {COLUMNS}; INSERT INTO mine VALUES (1, 'a')")
        made.sql("GRANT ALL ON mine TO PUBLIC")
        made.sql(f"CREATE TABLE shop.ours {COLUMNS}", user="member")
        made.root("ALTER TABLE shop.ours OWNER TO team; GRANT ALL ON shop.ours TO PUBLIC")
        yield made


@pytest.fixture(scope="module", name="mine")
def fixture_mine(shop):
    return shop.attach("shop.mine", user=OWNER)


def test_a_stranger(shop, mine):
    """All rights on the table are not enough."""
    refusal = shop.cluster.refused(
        "42501", "SELECT imgpress.attach('shop.mine', 'id', 'url', 'small')", user="stranger"
    )
    assert f'"{OWNER}"' in refusal.diag.message_hint
    for call in CALLS:
        shop.cluster.refused("42501", f"SELECT imgpress.{call.format('shop.mine')}", user="stranger")
    assert shop.sql("SELECT imgpress.detach_all()", user="stranger") == [(0,)]
    assert shop.sql("SELECT * FROM imgpress.attachments", user="stranger") == []
    assert shop.state(mine) == ("active", None)


def test_a_stranger_does_not_even_lock_the_table(shop):
    with shop.session("stranger", autocommit=False) as session:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            session.execute("SELECT imgpress.attach('shop.mine', 'id', 'url', 'small')")
        session.execute("ROLLBACK")
        session.execute(
            "BEGIN; SAVEPOINT a; DO $$ BEGIN PERFORM imgpress.attach('shop.mine', 'id', 'url', "
            "'small'); EXCEPTION WHEN OTHERS THEN NULL; END $$"
        )
        locks = "SELECT mode FROM pg_locks WHERE relation = 'shop.mine'::regclass AND pid = %s"
        assert shop.root(locks, (session.connection.info.backend_pid,)) == []


def test_who_is_no_user_of_imgpress(shop, mine):
    for user in ("visitor", "reader"):
        shop.cluster.refused(
            "42501", "SELECT imgpress.attach('shop.ours', 'id', 'url', 'small')", user=user
        )
    create = (
        "CREATE TABLE shop.theirs AS SELECT 1 AS id; CREATE TRIGGER t AFTER INSERT ON shop.theirs "
        f"FOR EACH ROW EXECUTE FUNCTION imgpress.attachment_trigger('{mine}')"
    )
    shop.cluster.refused("42501", create, user="reader")


def test_members_of_the_owner(shop):
    attachment = shop.attach("shop.ours", user="member")
    request = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    assert shop.root(request, (attachment,)) == [("team",)]
    seen = "SELECT request_id, attached_by FROM imgpress.attachments"
    for user in ("member", "reader"):
        assert shop.sql(seen, user=user) == [(attachment, "member")]
    # A member that does not inherit has to become the owner first.
    shop.cluster.refused("42501", "SELECT imgpress.pause('shop.ours')", user="distant")
    assert shop.sql("SELECT imgpress.detach('shop.ours')", user="member") == [(1,)]


def test_a_superuser_attaches_a_table_of_somebody(shop):
    """The pictures belong to the owner of the table, as whom they are written."""
    shop.sql(f"CREATE TABLE given {COLUMNS}")
    attachment = shop.attach("shop.given", user="postgres")
    request = "SELECT submitted_by FROM imgpress.processing_requests WHERE id = %s"
    assert shop.root(request, (attachment,)) == [(OWNER,)]
    assert shop.sql("SELECT attached_by FROM imgpress.attachments WHERE relation = 'given'::regclass") == [
        ("postgres",)
    ]
    assert shop.sql("SELECT imgpress.detach('given')") == [(1,)]


def test_administrators_steer(shop, mine):
    for call in ("pause", "resume", "reconcile"):
        assert shop.sql(f"SELECT imgpress.{call}('shop.mine')", user="operator") == [(1,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        shop.sql("SELECT imgpress.detach('shop.mine')", user="operator")
    assert shop.state(mine) == ("active", None), "what could not be done entirely is not done"


def test_a_function_of_the_owner_lends_its_rights_to_nobody(shop, mine):
    """In a SECURITY DEFINER function the table's owner is the current user, but not the caller."""
    shop.sql(
        "CREATE FUNCTION lend(what text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN EXECUTE what; END $$"
    )
    for call in (*CALLS, "attach('{}', 'id', 'url', 'other')"):
        statement = f"SELECT imgpress.{call.format('shop.mine')}"
        shop.cluster.refused("42501", "SELECT shop.lend(%s)", (statement,), user="stranger")


def test_hostile_names_and_a_hostile_search_path(shop, mine):
    """The statements that attach() and detach() run as their caller are imgpress's own, whatever
    lies in the caller's search_path, and names cannot smuggle others in."""
    evil = "x'); DROP TABLE shop.mine; --"
    shop.sql(f'CREATE TABLE "{evil}" (id int PRIMARY KEY, "a""b;--" text, "%I" text, "$$" text)')
    shop.root(
        "CREATE SCHEMA trap; CREATE FUNCTION trap.format(text, VARIADIC text[]) RETURNS text "
        "LANGUAGE sql AS $$ SELECT 'DROP TABLE shop.mine' $$; "
        "CREATE FUNCTION trap.yes(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE 'trapped'; END $$; CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, "
        "FUNCTION = trap.yes); GRANT USAGE ON SCHEMA trap TO PUBLIC"
    )
    with shop.session() as session:
        session.execute("SET search_path = trap, pg_catalog, shop")
        session.execute("SELECT imgpress.attach(%s, 'id', 'a\"b;--', '%%I', '$$')", (f'shop."{evil}"',))
        session.execute(f"INSERT INTO \"{evil}\" VALUES (1, 'u')")
        session.execute(f'UPDATE "{evil}" SET "a""b;--" = \'v\'')
        session.execute("SELECT imgpress.detach(%s)", (f'shop."{evil}"',))
    assert shop.keys() == ["1", "1"]
    assert shop.sql("SELECT count(*) FROM mine") == [(1,)]


@pytest.mark.parametrize("user", ["stranger", OWNER, "operator", "reader", "visitor"])
def test_the_machinery_is_closed(shop, mine, user):
    tables = ("attachments", "attachment_anchors", "attached_keys", "attached_rows")
    for table in (*tables, "attached_ends", "attachment_progress"):
        shop.cluster.refused("42501", f"SELECT FROM imgpress_internal.{table}", user=user)
        shop.cluster.refused("42501", f"DELETE FROM imgpress_internal.{table}", user=user)
    calls = shop.root(
        "SELECT p.oid::regproc, array(SELECT format('NULL::%s', format_type(t, NULL)) "
        "FROM unnest(p.proargtypes) t) FROM pg_proc p WHERE p.pronamespace = "
        "'imgpress_internal'::regnamespace AND p.proname ~ 'attach|trigger_st|drop_st|begin_scan|set_anch'"
    )
    assert len(calls) >= 15
    for name, arguments in calls:
        shop.cluster.refused("42501", f"SELECT {name}({', '.join(arguments)})", user=user)


def test_a_function_in_a_condition_learns_nothing(shop, mine):
    shop.sql(
        "CREATE FUNCTION shop.peek(text) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS "
        "$$ BEGIN RAISE WARNING 'seen: %', $1; RETURN true; END $$",
        user="member",
    )
    with shop.session("stranger") as session:
        session.execute("SET client_min_messages = warning")
        session.execute(
            "SELECT * FROM imgpress.attachments WHERE shop.peek(url_column::text) "
            "AND shop.peek(reason) AND shop.peek(relation::text)"
        )
        assert session.connection.notices == []
