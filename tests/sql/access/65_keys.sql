-- Keys of REST clients: who makes them for whom, what they are for, and when they are void. The transaction is rolled
-- back.
BEGIN;
SELECT plan(54);

CREATE ROLE keys_team IN ROLE imgpress_user;
CREATE ROLE keys_alice IN ROLE imgpress_user, keys_team;
CREATE ROLE keys_bob IN ROLE imgpress_user;
CREATE ROLE keys_reader IN ROLE imgpress_reader;
CREATE ROLE keys_admin IN ROLE imgpress_admin;
CREATE ROLE keys_stranger;
CREATE ROLE keys_login IN ROLE imgpress_gateway;
CREATE FUNCTION pg_temp.secret(key text) RETURNS bytea LANGUAGE sql
    AS $$ SELECT sha256(convert_to(split_part($1, '_', 3), 'UTF8')) $$;
CREATE FUNCTION pg_temp.id(key text) RETURNS integer LANGUAGE sql AS $$ SELECT split_part($1, '_', 2)::integer $$;
-- What the gateway gets to hear about a key, whatever its demand.
CREATE FUNCTION pg_temp.verdict(key text, scope text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT coalesce(imgpress_internal.admit(pg_temp.id(key), pg_temp.secret(key), demand, scope),
        'admitted'), ' ') FROM unnest(ARRAY['always', 'if any', 'never']) demand $$;
CREATE FUNCTION pg_temp.without_key(demand text, scope text DEFAULT 'submit') RETURNS text LANGUAGE sql
    AS $$ SELECT coalesce(imgpress_internal.admit(NULL, NULL, demand, scope), 'admitted') $$;

-- Before the first key.
SELECT is(pg_temp.without_key(demand), wanted, 'without keys, ' || demand)
    FROM (VALUES ('always', 'unauthorized'), ('if any', 'admitted'), ('never', 'admitted'), ('', 'unauthorized'))
    AS v (demand, wanted);

SET LOCAL ROLE keys_alice;
SELECT imgpress.create_key('shop frontend') AS key \gset
SELECT imgpress.create_key('team', '{read}', now() + interval '1 hour', 'keys_team') AS team_key \gset
RESET ROLE;
SELECT matches(:'key'::text, '^ipk_[1-9][0-9]*_[0-9a-f]{64}$', 'the form of a key');
SELECT is_empty($$ SELECT FROM imgpress_internal.keys k WHERE strpos(k::text, split_part($$ || quote_literal(:'key')
    || $$, '_', 3)) > 0 $$, 'the secret is not stored');
SELECT results_eq(format('SELECT hash, owner FROM imgpress_internal.keys WHERE id = %s', pg_temp.id(:'key')),
    format('VALUES (%L::bytea, name ''keys_alice'')', pg_temp.secret(:'key')), 'but its SHA-256 is');
SELECT is(pg_temp.without_key(demand), wanted, 'with keys, ' || demand)
    FROM (VALUES ('always', 'unauthorized'), ('if any', 'unauthorized'), ('never', 'admitted')) AS v (demand, wanted);

-- What a key is for.
SELECT is(pg_temp.verdict(:'key', scope), wanted, scope)
    FROM (VALUES ('submit', 'admitted'), ('read', 'admitted'), ('manage', 'forbidden'), ('operate', 'forbidden'),
        ('', 'forbidden'), ('nothing', 'forbidden')) AS v (scope, wanted);
SELECT is(pg_temp.verdict(:'team_key', 'submit'), 'forbidden', 'a key with one scope');
SELECT is(pg_temp.verdict(format('ipk_%s_%s', pg_temp.id(:'key'), repeat('0', 64)), 'read'), 'unauthorized',
    'a wrong secret');
SELECT is(pg_temp.verdict(replace(:'team_key', '_' || pg_temp.id(:'team_key') || '_', '_' || pg_temp.id(:'key') || '_'),
    'read'), 'unauthorized', 'the secret of another key');
SELECT is(pg_temp.verdict('ipk_2147483647_' || repeat('0', 64), 'read'), 'unauthorized', 'an unknown id');
SELECT is(imgpress_internal.admit(pg_temp.id(:'key'), NULL, 'if any', 'read'), 'unauthorized', 'no secret at all');
SELECT is(imgpress_internal.admit(pg_temp.id(:'key'), '', 'if any', 'read'), 'unauthorized', 'an empty one');

-- Who may make a key, and for whom.
SET LOCAL ROLE keys_bob;
SELECT throws_ok($$ SELECT imgpress.create_key('x', owner => 'keys_alice') $$, '42501',
    'role "keys_bob" is not a member of "keys_alice", whose key this would be', 'not for another role');
SELECT throws_ok($$ SELECT imgpress.create_key('x', owner => 'imgpress_admin') $$, '42501', NULL, 'nor for a stronger one');
SELECT throws_ok($$ SELECT imgpress.create_key('x', owner => 'nobody_at_all') $$, '42501', NULL, 'nor for none');
SELECT throws_ok($$ SELECT imgpress.create_key('x', owner => 'public') $$, '42501', NULL, 'nor for all');
SELECT throws_ok($$ SELECT imgpress.create_key('x', '{operate}') $$, '42501',
    'role "keys_bob" lacks the rights for the scope "operate"', 'a key gives no more rights than its owner has');
SELECT throws_ok($$ SELECT imgpress.create_key('x', '{read,reed}') $$, '22023',
    'unknown scope "reed"; did you mean "read"?', 'an unknown scope');
SELECT throws_ok($$ SELECT imgpress.create_key('x', '{read,NULL}') $$, '22023', NULL, 'NULL is no scope');
SELECT throws_ok($$ SELECT imgpress.create_key('x', '{}') $$, '22023', 'a key needs a scope', 'no scope');
SELECT throws_ok($$ SELECT imgpress.create_key(' ') $$, '22023', 'a key needs a name', 'no name');
SELECT throws_ok($$ SELECT imgpress.create_key('x', expires => now() - interval '1 s') $$, '22023', NULL, 'the past');
SELECT throws_ok(format('SELECT imgpress.%s', call), 'P0002', NULL, 'another role''s key: ' || call)
    FROM format('revoke_key(%s)', pg_temp.id(:'key')) call;
SELECT throws_ok(format('SELECT imgpress.%s', call), 'P0002', NULL, 'another role''s key: ' || call)
    FROM format('rotate_key(%s)', pg_temp.id(:'key')) call;
SELECT is_empty('SELECT * FROM imgpress.keys', 'another role''s keys are not shown');
SELECT throws_ok('SELECT * FROM imgpress_internal.keys', '42501', NULL, 'nor is the table');
SET LOCAL ROLE keys_reader;
SELECT lives_ok($$ SELECT imgpress.create_key('x', '{read}') $$, 'who may read may have a key to read');
SELECT throws_ok($$ SELECT imgpress.create_key('x') $$, '42501', NULL, 'and to nothing else');
SET LOCAL ROLE keys_stranger;
SELECT throws_ok($$ SELECT imgpress.create_key('x', '{read}') $$, '42501', NULL, 'strangers may have none');
SET LOCAL ROLE keys_login;
SELECT throws_ok($$ SELECT imgpress.create_key('x', '{read}') $$, '42501', NULL, 'nor may the gateway');
RESET ROLE;

-- Rotation, expiry, revocation, and owners that change.
SET LOCAL ROLE keys_alice;
SELECT imgpress.rotate_key(pg_temp.id(:'key')) AS new_key \gset
RESET ROLE;
SELECT is(ARRAY[pg_temp.verdict(:'key', 'read'), pg_temp.verdict(:'new_key', 'read')], ARRAY['admitted', 'admitted'],
    'both secrets are valid after a rotation');
UPDATE imgpress_internal.keys SET previous_expires_at = now() - interval '1 s' WHERE id = pg_temp.id(:'key');
SELECT is(ARRAY[pg_temp.verdict(:'key', 'read'), pg_temp.verdict(:'new_key', 'read')], ARRAY['unauthorized', 'admitted'],
    'until the time of grace is over');
SELECT is(pg_temp.id(imgpress.rotate_key(pg_temp.id(:'new_key'), '0')), pg_temp.id(:'key'), 'the id stays');
SELECT is(pg_temp.verdict(:'new_key', 'read'), 'unauthorized', 'without grace, the old secret is void at once');
UPDATE imgpress_internal.keys SET expires_at = clock_timestamp() WHERE id = pg_temp.id(:'team_key');
SELECT is(pg_temp.verdict(:'team_key', 'read'), 'unauthorized', 'an expired key');
SELECT throws_ok(format('SELECT imgpress.rotate_key(%s)', pg_temp.id(:'team_key')), '55000', NULL, 'expired for good');
SELECT is(pg_temp.verdict(imgpress.rotate_key(pg_temp.id(:'team_key'), expires => now() + interval '1 h'), 'read'),
    'admitted', 'unless it is given a new end');
SET LOCAL ROLE keys_admin;
SELECT throws_ok(format('SELECT imgpress.rotate_key(%s)', pg_temp.id(:'key')), '42501', NULL,
    'an administrator gets nobody''s secret');
SELECT isnt(imgpress.revoke_key(pg_temp.id(:'key')), NULL, 'but may revoke a key');
RESET ROLE;
SELECT throws_ok(format('SELECT imgpress.rotate_key(%s)', pg_temp.id(:'key')), '55000', NULL, 'revoked is for ever');
SELECT imgpress.create_key('bob', owner => 'keys_bob') AS bobs_key \gset
REVOKE imgpress_user FROM keys_bob;
SELECT is(pg_temp.verdict(:'bobs_key', 'read'), 'unauthorized', 'an owner who has lost the rights');
GRANT imgpress_reader TO keys_bob;
SELECT is(ARRAY[pg_temp.verdict(:'bobs_key', 'read'), pg_temp.verdict(:'bobs_key', 'submit')],
    ARRAY['admitted', 'unauthorized'], 'or some of them');
DROP ROLE keys_bob;
SELECT is(pg_temp.verdict(:'bobs_key', 'read'), 'unauthorized', 'an owner who does not exist any more');
SELECT results_eq('SELECT name, state FROM imgpress.keys WHERE name <> ''x'' ORDER BY id',
    $$ VALUES ('shop frontend', 'revoked'), ('team', 'valid'), ('bob', 'its owner does not exist') $$, 'the view');

SELECT * FROM finish();
ROLLBACK;
