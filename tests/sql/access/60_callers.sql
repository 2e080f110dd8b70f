-- Who calls, and whose requests that role sees.
BEGIN;
SELECT plan(26);

CREATE ROLE anna IN ROLE imgpress_user;
CREATE ROLE bert IN ROLE imgpress_user;
CREATE ROLE team IN ROLE imgpress_user;
CREATE ROLE boss IN ROLE imgpress_admin;
CREATE ROLE shy NOINHERIT IN ROLE imgpress_user, imgpress_admin, team;
GRANT team TO anna;
GRANT USAGE ON SCHEMA imgpress_internal TO imgpress_user, shy;  -- only here, to ask the functions themselves
GRANT EXECUTE ON FUNCTION imgpress_internal.caller() TO imgpress_user;

CREATE FUNCTION pg_temp.seen(names name[]) RETURNS name[] LANGUAGE sql
    AS $$ SELECT array_agg(n) FROM unnest(names) n WHERE imgpress_internal.may_see(n) $$;

SET ROLE anna;
SELECT is(imgpress_internal.caller(), 'anna', 'a role calls for itself');
SELECT is(pg_temp.seen('{anna,bert,team,boss,imgpress_user,public,gone}'), '{anna,team,imgpress_user,public}'::name[],
    'a role sees what it or a role that it shares has submitted');
SET ROLE shy;
SELECT is(pg_temp.seen('{shy,team,boss,imgpress_user,public}'), '{shy,public}'::name[],
    'NOINHERIT: what a shared role has submitted needs SET ROLE, as its other privileges do');
SET ROLE boss;
SELECT is(pg_temp.seen('{anna,bert,team,boss,public,gone}'), '{anna,bert,team,boss,public,gone}'::name[],
    'imgpress_admin sees all');
RESET ROLE;
SELECT throws_ok('CREATE ROLE public', '42939', NULL, 'no role can have the name for everybody');

-- The worker's statements do not ask whose a row is.
CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS SETOF text LANGUAGE plpgsql
    AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE) ' || statement; END $$;
CREATE FUNCTION pg_temp.filters(role name) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    RETURN (
        SELECT count(*)
        FROM unnest('{imgpress.processing_requests, imgpress.products, imgpress.images, imgpress.webhook_deliveries}'
                    ::text[] || CASE role WHEN 'imgpress_worker' THEN 'imgpress_internal.image_outputs'
                                ELSE 'imgpress.outputs' END) AS t(name),
            pg_temp.plan_of('SELECT FROM ' || t.name) AS p(line)
        WHERE p.line LIKE '%Filter:%');
END
$$;
GRANT SELECT ON imgpress.products TO imgpress_worker;
SELECT cmp_ok(pg_temp.filters('anna'), '>=', 5::bigint, 'row-level security filters the rows of all tables for a user');
SELECT is(pg_temp.filters('imgpress_worker'), 0::bigint, 'and none for the worker');
RESET ROLE;

-- Pages of a large request.
SET LOCAL ROLE anna;
SET LOCAL enable_sort = off;
SELECT is((
        SELECT count(*) FROM pg_temp.plan_of(format(
            'SELECT * FROM imgpress.%I WHERE request_id = %L ORDER BY image_no LIMIT 10', view, gen_random_uuid()))
                AS p(line)
        WHERE line ~ 'Sort|hashed'), 0::bigint, 'a page of ' || view || ' is read from an index')
    FROM unnest('{results, failures}'::text[]) AS v(view);
RESET enable_sort;
RESET ROLE;

-- As the functions that act for the owner of a key.
CREATE FUNCTION imgpress_internal.whoever() RETURNS name
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ BEGIN RETURN imgpress_internal.caller(); END $$;
CREATE FUNCTION imgpress_internal.for_role(role name, fails boolean, seen name) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM imgpress_internal.act_as(role);
    IF fails THEN
        RAISE 'for %', imgpress_internal.caller();
    END IF;
    RETURN imgpress_internal.whoever() || ' ' || imgpress_internal.may_see(seen);
END
$$;
CREATE FUNCTION imgpress_internal.nested(role name, other name) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who text;
BEGIN
    PERFORM imgpress_internal.act_as(role);
    who := imgpress_internal.caller() || ', ' || imgpress_internal.for_role(other, false, other) || ', ' ||
        imgpress_internal.caller();
    BEGIN
        PERFORM imgpress_internal.for_role(other, true, other);
    EXCEPTION WHEN raise_exception THEN
        who := who || ', ' || imgpress_internal.caller();
    END;
    BEGIN
        PERFORM imgpress_internal.act_as(other);
        RAISE 'not this time';
    EXCEPTION WHEN raise_exception THEN
        RETURN who || ', ' || imgpress_internal.caller();
    END;
END
$$;
ALTER FUNCTION imgpress_internal.whoever() OWNER TO imgpress_owner;
ALTER FUNCTION imgpress_internal.for_role(name, boolean, name) OWNER TO imgpress_owner;
ALTER FUNCTION imgpress_internal.nested(name, name) OWNER TO imgpress_owner;

SET ROLE bert;
SELECT is(imgpress_internal.whoever(), 'bert', 'the caller of a SECURITY DEFINER function is who called it');
SELECT is(imgpress_internal.for_role('anna', false, 'team'), 'anna true', 'a function acts for another role');
SELECT is(imgpress_internal.whoever(), 'bert', 'until it returns');
SELECT is(imgpress_internal.for_role('anna', false, 'bert'), 'anna false', 'and sees nothing of its own caller');
SELECT throws_ok($$ SELECT imgpress_internal.for_role('anna', true, 'anna') $$, 'P0001', 'for anna', 'it fails');
SELECT is(imgpress_internal.whoever(), 'bert', 'nor does it act for the other after an error');
SELECT is(imgpress_internal.nested('anna', 'boss'), 'anna, boss true, anna, anna, anna',
    'inner functions, and errors that are caught, give the outer role back');
SELECT is(imgpress_internal.whoever() || current_setting('imgpress.acting_role'), 'bert', 'nothing is left');
SELECT throws_ok($$ SELECT imgpress_internal.for_role('gone', false, 'anna') $$, '42704', NULL,
    'no function acts for a role that does not exist');

SELECT throws_ok($$ SELECT imgpress_internal.act_as('boss') $$, '42501', NULL, 'users cannot name another role');
SELECT throws_ok($$ SET imgpress.acting_role = boss $$, '55P02', NULL, 'nor set it');
SELECT throws_ok($$ SET LOCAL imgpress.acting_role = boss $$, '55P02', NULL, 'nor set it locally');
SELECT throws_ok($$ SELECT set_config('imgpress.acting_role', 'boss', true) $$, '55P02', NULL, 'nor by a function');
SELECT throws_ok($$ ALTER FUNCTION pg_temp.seen(name[]) SET imgpress.acting_role = boss $$, NULL, NULL,
    'nor for a function');
RESET ROLE;
SELECT throws_ok($$ ALTER ROLE bert SET imgpress.acting_role = boss $$, '55P02', NULL,
    'nor can a superuser for a role');
SELECT throws_ok($$ SET imgpress.acting_role = boss $$, '55P02', NULL, 'or a session');
SELECT is_empty($$ SELECT FROM pg_settings WHERE name = 'imgpress.acting_role' $$, 'it is no setting for people');

SELECT * FROM finish();
ROLLBACK;
