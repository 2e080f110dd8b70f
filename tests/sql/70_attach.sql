-- attach(): what it refuses, with the remedy, and what it creates. No worker runs.
BEGIN;
SELECT plan(52);

CREATE ROLE owner IN ROLE imgpress_user;
CREATE ROLE stranger IN ROLE imgpress_user;
CREATE SCHEMA shop AUTHORIZATION owner;
GRANT USAGE ON SCHEMA shop TO PUBLIC;
SET ROLE owner;
CREATE DOMAIN shop.link AS text;
CREATE TABLE shop.products (
    id int PRIMARY KEY, sku text UNIQUE, tenant int NOT NULL, no int NOT NULL, later int NOT NULL UNIQUE DEFERRABLE,
    lowered text NOT NULL, partly int NOT NULL, url text, urls text[], gallery jsonb, linked shop.link,
    made text GENERATED ALWAYS AS (url || '?') STORED, small text, smalls text[], bytes bytea, json_out jsonb,
    required text NOT NULL DEFAULT '', price numeric, why text, UNIQUE (tenant, no));
CREATE UNIQUE INDEX ON shop.products (lower(lowered));
CREATE UNIQUE INDEX ON shop.products (partly) WHERE partly > 0;
CREATE VIEW shop.v AS SELECT * FROM shop.products;
CREATE MATERIALIZED VIEW shop.m AS SELECT * FROM shop.products;
CREATE TEMP TABLE t (id int PRIMARY KEY, url text, small text);
CREATE TABLE shop.parent (id int PRIMARY KEY, url text, small text);
CREATE TABLE shop.child (PRIMARY KEY (id)) INHERITS (shop.parent);
CREATE SEQUENCE shop.seq;

-- attach() with this in place of the usual arguments: SQLSTATE and the beginning of message and hint.
CREATE FUNCTION pg_temp.refusal(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE format('SELECT imgpress.attach(%s)', arguments);
    RETURN 'attached';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(': ', SQLSTATE, SQLERRM, hint);
END
$$;

SELECT matches(pg_temp.refusal($$'shop.v', 'id', 'url', 'small'$$), '^42809: shop.v is a view .*Attach the table that it reads');
SELECT matches(pg_temp.refusal($$'shop.m', 'id', 'url', 'small'$$), '^42809: shop.m is a materialized view .*Attach the table');
SELECT matches(pg_temp.refusal($$'t', 'id', 'url', 'small'$$), '^42809: .*t is a temporary table .*attach another');
SELECT matches(pg_temp.refusal($$'shop.parent', 'id', 'url', 'small'$$), '^42809: shop.parent has tables that inherit .*each of these');
SELECT is(pg_temp.refusal($$'shop.child', 'id', 'url', 'small'$$), 'attached', 'a child is a table like others');
SELECT matches(pg_temp.refusal($$'shop.seq', 'id', 'url', 'small'$$), '^42809: shop.seq is not a table');
SELECT matches(pg_temp.refusal($$'shop.products_pkey', 'id', 'url', 'small'$$), '^42809: shop.products_pkey is not a table');
SELECT matches(pg_temp.refusal($$4000000000, 'id', 'url', 'small'$$), '^42P01: there is no table with OID 4000000000');
SELECT matches(pg_temp.refusal($$NULL::regclass, 'id', 'url', 'small'$$), '^22004: relation is NULL');
SELECT matches(pg_temp.refusal($$'pg_catalog.pg_class', 'oid', 'relname', 'relname'$$), '^42501: only the owner of pg_catalog.pg_class');
SELECT matches(pg_temp.refusal($$'imgpress.images', 'url', 'url', 'error'$$), '^42501: only the owner of imgpress.images');

SELECT matches(pg_temp.refusal($$'shop.products', 'idd', 'url', 'small'$$), '^42703: key => ''idd'': shop.products has no such column: Its columns: id, sku');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'URL', 'small'$$), '^42703: url => ''URL''');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', NULL, 'small'$$), '^42703: url => NULL');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'ctid', 'small'$$), '^42703: url => ''ctid''');
SELECT matches(pg_temp.refusal($$'shop.products', '{}'::text[], 'url', 'small'$$), '^22023: key names no column');
SELECT matches(pg_temp.refusal($$'shop.products', NULL::text[], 'url', 'small'$$), '^22023: key names no column');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'price', 'small'$$), '^42804: column "price" of shop.products has type numeric, which is none for URLs: url => a column of type text');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'price'$$), '^42804: .*none for outputs');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'small', 'bytes'$$), '^42804: .*none for errors');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'made'$$), '^428C9: column "made" of shop.products is generated.*another column');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'required'$$), '^55000: .*NOT NULL.*ALTER TABLE shop.products ALTER COLUMN required DROP NOT NULL');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'url'$$), '^42701: column "url" of shop.products cannot have two roles');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'small', 'small'$$), '^42701: column "small"');
SELECT matches(pg_temp.refusal($$'shop.products', 'sku', 'url', 'sku'$$), '^42701: column "sku"');
SELECT matches(pg_temp.refusal($$'shop.products', ARRAY['id', 'id'], 'url', 'small'$$), '^42701: column "id"');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'urls', 'small'$$), '^42804: column "urls" holds lists of URLs.*text\[\] or jsonb');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'urls', 'bytes'$$), '^42804: column "urls" holds lists');

SELECT matches(pg_temp.refusal($$'shop.products', 'sku', 'url', 'small'$$), '^55000: key column "sku" of shop.products may be NULL: ALTER TABLE shop.products ALTER COLUMN sku SET NOT NULL');
SELECT matches(pg_temp.refusal($$'shop.products', 'tenant', 'url', 'small'$$), '^42830: \(tenant\) is not a unique key of shop.products: key => ', 'a part of a key');
SELECT matches(pg_temp.refusal($$'shop.products', ARRAY['id', 'tenant'], 'url', 'small'$$), '^42830: \(id, tenant\) is not', 'more than a key');
SELECT matches(pg_temp.refusal($$'shop.products', 'later', 'url', 'small'$$), '^42830: \(later\)', 'deferrable');
SELECT matches(pg_temp.refusal($$'shop.products', 'lowered', 'url', 'small'$$), '^42830: \(lowered\)', 'an expression');
SELECT matches(pg_temp.refusal($$'shop.products', 'partly', 'url', 'small'$$), '^42830: \(partly\)', 'partial');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'small', quality => 101$$), '^22023: .*quality');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'small', options => '{"qualty": 3}'$$), '^22023: .*qualty');
SELECT matches(pg_temp.refusal($$'shop.products', 'id', 'url', 'small', stale => 'drop'$$), '^22023: stale => ''drop''');
SELECT is_empty('SELECT tgname FROM pg_trigger WHERE tgrelid = ''shop.products''::regclass AND tgname LIKE ''imgpress%''',
    'what is refused leaves no trigger');

SELECT is(pg_temp.refusal($$'shop.products', 'id', 'url', 'small', 'why', quality => 70, options => '{"effort": "small"}', backfill => false$$), 'attached');
SELECT is(pg_temp.refusal($$'shop.products', ARRAY['no', 'tenant'], 'gallery', 'json_out'$$), 'attached', 'columns of a key in any order');
SELECT is(pg_temp.refusal($$'shop.products', 'id', 'linked', 'bytes', replicated => true$$), 'attached', 'a domain');
SELECT matches(pg_temp.refusal($$'shop.products', ARRAY['no', 'tenant'], 'url', 'small'$$), '^42710: column "small" of shop.products is the output of an attachment already.*imgpress.detach\(''shop.products''\)');
SELECT results_eq(
    $$ SELECT relation::text, key_columns, url_column, output_column, error_column, state, scan, options ->> 'quality',
              options ->> 'effort', attached_by FROM imgpress.attachments WHERE relation = 'shop.products'::regclass ORDER BY output_column $$,
    $$ VALUES ('shop.products', '{id}'::name[], 'linked'::name, 'bytes'::name, NULL::name, 'active', 'backfill', '50', 'balanced', 'owner'::name),
              ('shop.products', '{no,tenant}', 'gallery', 'json_out', NULL, 'active', 'backfill', '50', 'balanced', 'owner'),
              ('shop.products', '{id}', 'url', 'small', 'why', 'active', NULL, '70', 'small', 'owner') $$);
RESET ROLE;
SELECT results_eq(
    $$ SELECT r.status, r.standing, r.submitted_by, r.key_type FROM imgpress.processing_requests r
       JOIN imgpress.attachments a ON a.request_id = r.id WHERE a.output_column = 'json_out' $$,
    $$ VALUES ('Processing', true, 'owner'::name, 'integer, integer') $$, 'each is a standing request of the owner');
SELECT is((SELECT array_agg(DISTINCT tgenabled::text || tgnargs) FROM pg_trigger t JOIN imgpress.attachments a
           ON t.tgrelid = a.relation AND t.tgargs = convert_to(a.request_id || E'', 'UTF8') || '\x00' WHERE a.replicated),
    ARRAY['A1'], 'replicated: the triggers fire for replicated rows, too');

SET ROLE stranger;
SELECT is_empty('SELECT * FROM imgpress.attachments', 'a stranger sees nothing of it');
SELECT throws_ok($$ SELECT imgpress.attach('shop.products', 'id', 'url', 'smalls') $$, '42501', 'only the owner of shop.products can attach it');
SELECT throws_ok($$ SELECT imgpress.detach('shop.products') $$, '42501');
SELECT throws_ok($$ SELECT imgpress.pause('shop.products') $$, '42501');
SELECT throws_ok($$ SELECT imgpress.reconcile('shop.products') $$, '42501');
SELECT is(imgpress.detach_all(), 0, 'detach_all() leaves the tables of others alone');
RESET ROLE;
SELECT is((SELECT count(*) FROM imgpress.attachments WHERE state = 'active'), 4::bigint);

SELECT * FROM finish();
ROLLBACK;
