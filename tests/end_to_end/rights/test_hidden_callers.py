"""Who calls is not who it seems: code that PostgreSQL runs as the owner of a table in the session of a
superuser, and a role that a session claims to be."""

import contextlib

import psycopg2
import pytest

from harness.attack import ATTACKER
from harness.cluster import Cluster

# All that can be asked about a request; what is answered, or why not, goes into a table.
ASK = """
CREATE SCHEMA {schema};
GRANT USAGE ON SCHEMA {schema} TO PUBLIC;
CREATE TABLE {schema}.heard (place text, answer text);
CREATE FUNCTION {schema}.ask_all(place text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    question text;
    answer text;
BEGIN
    FOREACH question IN ARRAY ARRAY[
        'SELECT imgpress.request_status(''{id}'')', 'SELECT imgpress.wait(''{id}'', ''0'')',
        'SELECT string_agg(p::text, '','') FROM imgpress.request_products(''{id}'') p',
        'SELECT imgpress.output_etag(''{id}'', 1)', 'SELECT imgpress.cancel(''{id}'')',
        'SELECT imgpress.retry_failed(''{id}'')::text',
        'SELECT imgpress.submit(''{{}}'', request_id => ''{id}'')::text',
        'SELECT imgpress.submit_query(''VALUES (1, 2)'', request_id => ''{id}'')::text',
        'SELECT string_agg(p::text, '','') FROM imgpress.progress p WHERE request_id = ''{id}''',
        'SELECT string_agg(i::text, '','') FROM imgpress.images i WHERE request_id = ''{id}'''
    ] LOOP
        BEGIN
            EXECUTE question INTO answer;
        EXCEPTION WHEN OTHERS THEN
            answer := SQLSTATE;
        END;
        INSERT INTO {schema}.heard VALUES (place, answer);
    END LOOP;
    RETURN place;
END
$$;
CREATE FUNCTION {schema}.ask(place text) RETURNS text LANGUAGE plpgsql IMMUTABLE
    AS $$ BEGIN RETURN {schema}.ask_all(place); END $$;
"""
MAINTENANCE = {
    "ANALYZE": "CREATE INDEX ON {schema}.t ({schema}.ask('index ' || n)); INSERT INTO {schema}.t "
    "VALUES ('b')",
    "VACUUM FULL {schema}.t": "CREATE INDEX ON {schema}.t ({schema}.ask('index ' || n))",
    "REINDEX TABLE {schema}.t": "CREATE INDEX ON {schema}.t ({schema}.ask('index ' || n))",
    "CREATE INDEX later ON {schema}.t ({schema}.ask(n))": "SELECT",
    "REFRESH MATERIALIZED VIEW {schema}.m": "CREATE MATERIALIZED VIEW {schema}.m AS "
    "SELECT {schema}.ask(n) FROM {schema}.t",
}


@pytest.mark.parametrize(
    "number, statement", enumerate(MAINTENANCE), ids=lambda it: str(it).split()[0]
)
def test_maintenance_by_a_superuser(own, victim, mallory, number, statement):
    """PostgreSQL runs it as the owner of the table, in the session of the superuser."""
    schema = f"maintained{number}"
    mallory.execute(ASK.format(schema=schema, id=victim))
    mallory.execute(f"CREATE TABLE {schema}.t (n text); INSERT INTO {schema}.t VALUES ('a')")
    mallory.execute(MAINTENANCE[statement].format(schema=schema))
    mallory.execute(f"TRUNCATE {schema}.heard")
    own.sql(statement.format(schema=schema))
    heard = own.sql(f"SELECT answer FROM {schema}.heard")
    assert len(heard) >= 10 and len(heard) % 10 == 0
    assert {answer for (answer,) in heard} <= {"42501", "55000", "P0002", None}, heard
    assert own.cluster.scalar("SELECT imgpress.request_status(%s)", (victim,)) == "Completed"


def test_cascade_of_a_foreign_key(own, victim, mallory):
    """A superuser deletes from a table of another; the trigger on the attacker's table, whose rows
    go as well, runs as the attacker."""
    own.sql(
        "CREATE TABLE public.trusted (id int PRIMARY KEY); INSERT INTO public.trusted VALUES (1)"
    )
    own.sql(f"GRANT REFERENCES ON public.trusted TO {ATTACKER}")
    mallory.execute(ASK.format(schema="cascade", id=victim))
    mallory.execute(
        "CREATE TABLE cascade.t (id int REFERENCES public.trusted ON DELETE CASCADE); "
        "INSERT INTO cascade.t VALUES (1); "
        "CREATE FUNCTION cascade.ask_now() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN PERFORM cascade.ask(current_user); RETURN OLD; END $$; "
        "CREATE TRIGGER t BEFORE DELETE ON cascade.t FOR EACH ROW "
        "EXECUTE FUNCTION cascade.ask_now()"
    )
    own.sql("DELETE FROM public.trusted")
    heard = own.sql("SELECT place, answer FROM cascade.heard")
    assert len(heard) == 10 and {place for place, _ in heard} == {ATTACKER}
    assert {answer for _, answer in heard} == {"42501", None}, heard


def test_a_role_that_a_session_claims_before_the_library_is_loaded():
    """Until then PostgreSQL takes a value for any setting whose name has a dot."""
    with Cluster(preload=(), name="claims") as cluster:
        cluster.query("CREATE EXTENSION imgpress")
        cluster.query("CREATE ROLE anna LOGIN IN ROLE imgpress_user")
        cluster.query("CREATE ROLE bert LOGIN IN ROLE imgpress_user")
        submit = "SELECT imgpress.submit('{\"(1,a,http://a.test/1.jpg)\"}')"
        request = cluster.scalar(submit, user="anna")
        claim = " options='-c imgpress.acting_role=anna'"
        with contextlib.closing(psycopg2.connect(cluster.conninfo(user="bert") + claim)) as made:
            with made.cursor() as session:
                session.execute("SHOW imgpress.acting_role")
                assert session.fetchone() == ("anna",), "nobody has loaded the library yet"
                session.execute("SELECT count(*) FROM imgpress.progress")
                assert session.fetchone() == (0,)
                session.execute("SHOW imgpress.acting_role")
                assert session.fetchone() == ("",)
                session.execute(submit)
                mine = session.fetchone()
                session.execute("SELECT submitted_by FROM imgpress.processing_requests")
                assert session.fetchall() == [("bert",)]
                session.execute("SELECT imgpress.request_status(%s)", mine)
                with pytest.raises(psycopg2.errors.NoDataFound):
                    session.execute("SELECT imgpress.request_status(%s)", (request,))
