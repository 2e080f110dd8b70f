"""An attacker: a role that owns a database and has no other privilege, whose code tries to gain
privileges whenever another role runs it."""

import contextlib

from .waiting import PROMPT, wait_until

ATTACKER = "mallory"

# Each gains a privilege, or is a step towards one.
ATTEMPTS = (
    "SET SESSION AUTHORIZATION postgres",
    "SET LOCAL SESSION AUTHORIZATION DEFAULT",
    "RESET SESSION AUTHORIZATION",
    "SET ROLE postgres",
    "SET LOCAL ROLE postgres",
    "SET ROLE NONE",
    "RESET ROLE",
    "SELECT pg_catalog.set_config('role', 'none', false)",
    "SELECT pg_catalog.set_config('session_authorization', 'postgres', false)",
    "SELECT evil.with_role()",
    f"ALTER ROLE {ATTACKER} SUPERUSER",
    "CREATE ROLE mallorys_root SUPERUSER",
    f"GRANT pg_execute_server_program TO {ATTACKER}",
    "COPY (SELECT 1) TO PROGRAM 'cat >/dev/null'",
    "SELECT pg_catalog.pg_read_file('postgresql.conf')",
    "ALTER SYSTEM SET work_mem = '65kB'",
    "SET session_replication_role = replica",
    "UPDATE pg_catalog.pg_authid SET rolsuper = true "
    f"WHERE rolname OPERATOR(pg_catalog.=) '{ATTACKER}'::name",
    "ALTER TABLE imgpress_internal.leases OWNER TO mallory",
    "SELECT count(*) FROM imgpress.webhook_secrets",
)

_EVIL = """
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE TABLE evil.loot
    (place text, attempt text, said text, worked boolean, who name, privileged text);
CREATE TABLE evil.bait (place text);
CREATE SEQUENCE evil.times_superuser;  -- not rolled back with its transaction
GRANT ALL ON evil.loot, evil.bait, evil.times_superuser TO PUBLIC;

CREATE FUNCTION evil.with_role() RETURNS void LANGUAGE plpgsql SET role = '{attacker}' AS '
BEGIN
    RESET ROLE;
    ALTER ROLE {attacker} SUPERUSER;
END';

-- Tries all attempts, once for each place that calls it.
CREATE FUNCTION evil.climb(place text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    attempt text;
    said text;
BEGIN
    IF EXISTS (SELECT FROM evil.loot l WHERE l.place OPERATOR(pg_catalog.=) climb.place) THEN
        RETURN;
    END IF;
    IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r
        WHERE r.rolname OPERATOR(pg_catalog.=) current_user) THEN
        PERFORM pg_catalog.nextval('evil.times_superuser');
    END IF;
    FOREACH attempt IN ARRAY ARRAY[{attempts}]::pg_catalog.text[] LOOP
        said := NULL;
        BEGIN
            EXECUTE attempt;
        EXCEPTION WHEN OTHERS THEN
            said := SQLERRM;
        END;
        INSERT INTO evil.loot
            VALUES (place, attempt, said, said IS NULL, current_user,
                    pg_catalog.current_setting('is_superuser'));
    END LOOP;
END
$$;

CREATE FUNCTION evil.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_NARGS OPERATOR(pg_catalog.>) 0 THEN
        PERFORM evil.climb(TG_ARGV[0]);
    ELSE
        PERFORM evil.climb(NEW.place);
    END IF;
    RETURN NEW;
END
$$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON evil.bait
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.at_commit();

-- Calls climb() now, and once more when the transaction commits.
CREATE FUNCTION evil.bite(place text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM evil.loot l WHERE l.place OPERATOR(pg_catalog.=) bite.place) THEN
        INSERT INTO evil.bait VALUES (place OPERATOR(pg_catalog.||) ', at commit');
        PERFORM evil.climb(place);
    END IF;
END
$$;
"""

# (name, type of the left side, type of the right side, the function that it stands for).
_OPERATORS = (
    ("=", "bigint", "bigint", "int8eq"),
    ("=", "oid", "regnamespace", "oideq"),
    ("=", "name", "text", "nameeqtext"),
    ("=", "name", "name", "nameeq"),
    ("=", "oid", "oid", "oideq"),
    ("<>", "oid", "oid", "oidne"),
    ("=", "uuid", "uuid", "uuid_eq"),
    ("=", "text", "text", "texteq"),
    ("=", "integer", "integer", "int4eq"),
    (">", "integer", "integer", "int4gt"),
    ("<", "interval", "interval", "interval_lt"),
)


def evil_schema():
    """Statements that the attacker runs in their database."""
    attempts = ", ".join("'" + attempt.replace("'", "''") + "'" for attempt in ATTEMPTS)
    return _EVIL.format(attacker=ATTACKER, attempts=attempts)


def twin_operators(schema, answer=None):
    """Statements that create operators with the names of PostgreSQL's own; each calls evil.bite().
    They return `answer`, or the right result."""
    statements = [f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC"]
    for number, (name, left, right, truth) in enumerate(_OPERATORS):
        function = f"{schema}.twin_{number}"
        says = answer or f"pg_catalog.{truth}(a, b)"
        statements += [
            f"CREATE FUNCTION {function}(a {left}, b {right}) RETURNS boolean LANGUAGE plpgsql "
            f"AS $$ BEGIN PERFORM evil.bite('{name} of {left} and {right}'); RETURN {says}; END $$",
            f"CREATE OPERATOR {schema}.{name} (LEFTARG = {left}, RIGHTARG = {right}, "
            f"FUNCTION = {function}, RESTRICT = eqsel)",
        ]
    return "; ".join(statements)


def shop_of_attacker(open_shop, **options):
    """A shop whose database belongs to the attacker, for a with block."""

    @contextlib.contextmanager
    def opened():
        with open_shop(gateway=False, preload=("imgpress",), **options) as shop:
            become_owner(shop.cluster, "shop")
            wait_until(shop.cluster.drainers, "a drainer")
            yield shop

    return opened()


def compress(shop):
    """Processes a request, for which the drainer claims, stores and finishes: several commits."""
    shop.finish(shop.submit("small0.jpg"), PROMPT)


def become_owner(cluster, database):
    """Gives a database to the attacker, who creates their schema in it."""
    if not cluster.scalar("SELECT true FROM pg_roles WHERE rolname = %s", (ATTACKER,)):
        cluster.query(f"CREATE ROLE {ATTACKER} LOGIN")
    cluster.query(f"ALTER DATABASE {database} OWNER TO {ATTACKER}")
    cluster.query(evil_schema(), database=database, user=ATTACKER)


def loot(cluster, database=None):
    """{(place, role that ran the attacker's code, is_superuser): [successful attempts]}"""
    rows = cluster.query(
        "SELECT place, who, privileged, array_agg(attempt) FILTER (WHERE worked) FROM evil.loot "
        "GROUP BY 1, 2, 3",
        database=database,
    )
    return {(place, who, privileged): done or [] for place, who, privileged, done in rows}


def times_superuser(cluster, database=None):
    """How often the attacker's code ran as a superuser, also in transactions that were rolled
    back."""
    ask = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM evil.times_superuser"
    return cluster.scalar(ask, database=database)


def superusers(cluster):
    return [name for (name,) in cluster.query("SELECT rolname FROM pg_roles WHERE rolsuper")]


def as_owner(shop, statement):
    shop.cluster.query(statement, user=ATTACKER)


def end_drainer_after(shop, change):
    """Makes a change to the database and ends the drainer, so that the next one starts with it."""
    (drainer,) = shop.cluster.drainers()
    change(shop)
    shop.cluster.terminate(drainer.pid)


def on_insert(shop, body, table="imgpress_internal.leases", late=False):
    """Creates a trigger on one of the extension's tables, as an administrator might. With `late` it
    fires when the transaction commits."""
    name = f"{'late' if late else 'observer'}_{table.split('.')[1]}"
    shop.sql(
        f"CREATE FUNCTION evil.{name}() RETURNS trigger LANGUAGE plpgsql "
        f"AS $$ BEGIN {body} RETURN NULL; END $$"
    )
    constraint, when = ("CONSTRAINT", "DEFERRABLE INITIALLY DEFERRED") if late else ("", "")
    shop.sql(
        f"CREATE {constraint} TRIGGER {name} AFTER INSERT ON {table} {when} "
        f"FOR EACH ROW EXECUTE FUNCTION evil.{name}()"
    )


def assert_nothing_reached(shop, places):
    """The attacker's code has run in exactly these places, as imgpress_worker, and gained
    nothing."""
    reached = loot(shop.cluster)
    assert {place for place, _, _ in reached} == set(places), reached
    runners = {(who, privileged) for _, who, privileged in reached}
    assert runners <= {("imgpress_worker", "off")}, reached
    assert not any(reached.values()), reached
    assert times_superuser(shop.cluster) == 0
    assert superusers(shop.cluster) == ["postgres"]
