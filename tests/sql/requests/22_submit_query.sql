-- Submitting with keys of one's own: what submit_query() and submit_json() store, and what they refuse. The transaction is rolled back, so
-- that nothing is processed.
BEGIN;
SELECT plan(60);

CREATE TEMPORARY TABLE goods (sku text, id bigint, u uuid, title text, one text, list text[], gallery jsonb);
INSERT INTO goods VALUES
    ('SKU-1', 9223372036854775807, '11111111-1111-1111-1111-111111111111', 'Mug', 'http://a/1,http://a/2',
     ARRAY['http://a/1', NULL], '[{"src": "http://a/1", "alt": "front"}, null, "http://a/3"]'),
    ('SKU-2', 2, '22222222-2222-2222-2222-222222222222', NULL, 'http://a/1', ARRAY['http://a/4'], '{"url": "http://a/1"}');
CREATE FUNCTION pg_temp.one(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    id constant uuid := imgpress.submit_query(query);
BEGIN
    RETURN (SELECT string_agg(concat_ws('|', p.serial_number, p.key, p.product_name, (
                SELECT string_agg(i.url, ' ' ORDER BY n.place)
                FROM unnest(p.image_nos) WITH ORDINALITY AS n(image_no, place)
                    JOIN imgpress.images i ON i.request_id = id AND i.image_no = n.image_no)), E'\n' ORDER BY p.product_no)
            FROM imgpress.products p WHERE p.request_id = id);
END
$$;
CREATE FUNCTION pg_temp.type_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    request constant uuid := imgpress.submit_query(query);
BEGIN
    RETURN (SELECT r.key_type FROM imgpress.processing_requests r WHERE r.id = request);
END
$$;

-- Columns: the key, its type, a name, and the forms of URLs.
SELECT is(pg_temp.one('SELECT sku, title, one FROM goods ORDER BY sku'),
    E'1|SKU-1|Mug|http://a/1 http://a/2\n2|SKU-2|SKU-2|http://a/1', 'text; without a name, the key is the name');
SELECT is(pg_temp.one('SELECT id, list FROM goods ORDER BY sku'),
    E'1|9223372036854775807|9223372036854775807|http://a/1 \n2|2|2|http://a/4', 'text[]: a NULL keeps its place');
SELECT is(pg_temp.one('SELECT u, gallery FROM goods ORDER BY sku'),
    E'1|11111111-1111-1111-1111-111111111111|11111111-1111-1111-1111-111111111111|http://a/1  http://a/3\n'
    '2|22222222-2222-2222-2222-222222222222|22222222-2222-2222-2222-222222222222|http://a/1', 'jsonb: so does a null');
SELECT is(pg_temp.one($$SELECT 1, '"http://a/1,http://a/2"'::json$$), '1|1|1|http://a/1,http://a/2', 'a JSON text is one URL');
SELECT is(pg_temp.one($$SELECT 1, 'http://a/1'::varchar(20)$$), '1|1|1|http://a/1', 'varchar');
SELECT is(pg_temp.one($$SELECT 'A1 '::char(5), 'http://a/1'$$), '1|A1|A1|http://a/1', 'a char(n) key without its padding');
SELECT is(pg_temp.type_of('SELECT id, list FROM goods'), 'bigint', 'the type of the key: bigint');
SELECT is(pg_temp.type_of('SELECT u, list FROM goods'), 'uuid', 'uuid');
CREATE DOMAIN pg_temp.sku AS text;
SELECT alike(pg_temp.type_of('SELECT sku::pg_temp.sku, list FROM goods'), 'pg\_temp%.sku', 'a type of one''s own, with its schema');
CREATE DOMAIN pg_temp.gallery AS jsonb;
SELECT is(pg_temp.one($$SELECT 1, '["http://a/1"]'::pg_temp.gallery$$), '1|1|1|http://a/1', 'a domain over jsonb');

-- A key is the same text whatever the session's settings.
SET LOCAL DateStyle = 'German';
SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL extra_float_digits = 0;
SET LOCAL bytea_output = 'escape';
SELECT is(pg_temp.one($$VALUES (ROW(date '2026-02-01', interval '1 day', 0.1::float8 + 0.2, '\x00ff'::bytea), 'http://a/1')$$),
    '1|(2026-02-01,"1 day",0.30000000000000004,"\\x00ff")|(2026-02-01,"1 day",0.30000000000000004,"\\x00ff")|http://a/1',
    'dates, intervals, floats and bytea');
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT is(pg_temp.one($$VALUES (timestamptz '2026-02-01 12:00+00', 'http://a/1')$$),
    '1|2026-02-01 12:00:00+00|2026-02-01 12:00:00+00|http://a/1', 'times, in UTC');
SELECT is(current_setting('DateStyle'), 'German, DMY', 'the settings stay as they were');

-- The forms of a query.
SELECT is(pg_temp.one('SELECT id, list FROM goods WHERE id = 2 -- the second'), '1|2|2|http://a/4', 'a comment at the end');
SELECT is(pg_temp.one('SELECT id, list FROM goods WHERE id = 2;'), '1|2|2|http://a/4', 'a semicolon at the end');
SELECT is(pg_temp.one($$INSERT INTO goods (sku, one) VALUES ('SKU-3', 'http://a/9') RETURNING sku, one$$),
    '1|SKU-3|SKU-3|http://a/9', 'INSERT ... RETURNING');
SELECT is((SELECT count(*) FROM goods WHERE sku = 'SKU-3'), 1::bigint, 'which runs once');
SELECT is(pg_temp.one($$WITH gone AS (DELETE FROM goods WHERE sku = 'SKU-3' RETURNING *) SELECT sku, one FROM gone$$),
    '1|SKU-3|SKU-3|http://a/9', 'a WITH that writes');
SELECT is(pg_temp.one($$VALUES (1, 'http://a/1'), (2, 'http://a/2')$$), E'1|1|1|http://a/1\n2|2|2|http://a/2', 'VALUES');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT 1; SELECT 2'')', '22023', 'submit_query() takes one query that returns rows, not 2 statements');
SELECT throws_ok('SELECT imgpress.submit_query('''')', '22023', 'submit_query() takes one query that returns rows, not an empty text');
SELECT throws_ok('SELECT imgpress.submit_query(''COPY goods TO STDOUT'')', '22023', 'submit_query() takes one query that returns rows, not COPY');
SELECT throws_ok('SELECT imgpress.submit_query(''DROP TABLE goods'')', '22023', 'submit_query() takes one query that returns rows, not DROP TABLE');
SELECT throws_ok('SELECT imgpress.submit_query(''COMMIT'')', '22023', 'submit_query() takes one query that returns rows, not COMMIT');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT 1 INTO pg_temp.x'')', '22023', 'submit_query() takes one query that returns rows, not SELECT INTO');
SELECT throws_ok('SELECT imgpress.submit_query(''DELETE FROM goods'')', '22023', 'submit_query() takes one query that returns rows, not DELETE');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT sku FROM goods'')', '42804', 'the query returns one column; submit_query() needs two or three');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT FROM goods'')', '42804');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT sku, id FROM goods'')', '42804',
    'the last column of the query, "id", is of type bigint: it must hold the image URLs');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT $1, $2'')', '42P02');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT sku, list FROM goods WHERE false'')', 'P0002', 'no product was given; nothing was stored');
SELECT throws_ok('SELECT imgpress.submit_query(NULL)', '22004', 'query is NULL');

-- Faults, all in one error.
CREATE FUNCTION pg_temp.faults(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM imgpress.submit_query(query);
    RETURN NULL;
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLERRM || E'\n' || detail;
END
$$;
SELECT is(pg_temp.faults($$VALUES ('SKU-1', NULL), ('SKU-2', 'http://a/1'), (NULL, 'http://a/1'), ('SKU-4', 'a.jpg')$$),
    E'the products have 3 faults; nothing was stored\n'
    'SKU-1: no image URL: give at least one http:// or https:// URL\nproduct 3: the key is NULL\n'
    'SKU-4: no http:// or https:// URL in "a.jpg": write the address in full', 'each fault names its key');
SELECT is(pg_temp.faults($$SELECT 'SKU-1', '["http://a/1", ["http://a/2"]]'::jsonb$$),
    E'the products have 1 fault; nothing was stored\nSKU-1: element 2 is a list of its own: write all URLs into one list', 'nested arrays');
SELECT alike(pg_temp.faults($$SELECT g, NULL::text FROM generate_series(1, 25000) g$$),
    E'the products have 25000 faults; nothing was stored\n1: no image URL%\n20: no image%\n... and 24980 more', 'many faults');
SELECT is((SELECT count(*) FROM imgpress.processing_requests r WHERE r.product_count = 0), 0::bigint, 'nothing is left of them');

-- Options, and the same id twice.
SELECT imgpress.submit_query('SELECT id, list FROM goods', 'http://hook/x', 80, gen_random_uuid(), 'small', -7) AS id \gset
SELECT results_eq(format('SELECT webhook_url, quality, effort, priority, product_count, image_count, last_image_no FROM imgpress.processing_requests WHERE id = %L', :'id'),
    $$ VALUES ('http://hook/x', 80::smallint, 'small', -7::smallint, 2, 3, 3) $$, 'webhook, options, priority and counts');
SELECT is(imgpress.submit_query('SELECT 1/0', request_id => :'id'), :'id', 'a request that was submitted before: its query does not run');
SELECT is((SELECT count(*) FROM imgpress.products WHERE request_id = :'id'), 2::bigint, 'and nothing is stored again');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT id, list FROM goods'', quality => 0)', '22023', 'quality must be an integer from 1 to 100, not "0"');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT id, list FROM goods'', priority => 101)', '22023', 'priority must be an integer from -100 to 100, not "101"');

SELECT imgpress.submit_query('SELECT id, list FROM goods', quality => 70, options => '{"accept_truncated": true, "quality": 20}') AS with_options \gset
SELECT is((SELECT options @> '{"accept_truncated": true, "quality": 70}' FROM imgpress.processing_requests WHERE id = :'with_options'), true, 'further options; an argument of its own goes first');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT id, list FROM goods'', options => ''{"accept_trunctated": true}'')', '22023', 'unknown option "accept_trunctated"; did you mean "accept_truncated"?');
SELECT throws_ok('SELECT imgpress.submit_query(''SELECT id, list FROM goods'', options => ''[]'')', '22023', 'options must be a JSON object like {"accept_truncated": true}');

-- More than one portion: a URL that an earlier portion has named is the same image.
SELECT imgpress.submit_query($$SELECT g, 'http://a/' || g % 12000 FROM generate_series(1, 25000) g$$) AS many \gset
SELECT results_eq(format('SELECT count(*), count(DISTINCT product_no), max(product_no), max(image_nos[1]), bool_and(key = serial_number::text) FROM imgpress.products WHERE request_id = %L', :'many'),
    $$ VALUES (25000::bigint, 25000::bigint, 25000, 12000, true) $$, 'three portions');
SELECT is_empty(format($$ SELECT p.key FROM imgpress.products p LEFT JOIN imgpress.images i ON i.request_id = p.request_id AND i.image_no = p.image_nos[1]
    WHERE p.request_id = %L AND i.url IS DISTINCT FROM 'http://a/' || p.key::integer %% 12000 $$, :'many'), 'each product has its image');
SELECT results_eq(format('SELECT product_count, image_count, last_image_no FROM imgpress.processing_requests WHERE id = %L', :'many'),
    $$ VALUES (25000, 12000, 12000) $$, 'and the counts fit');
SELECT is_empty($$ SELECT * FROM imgpress.check() $$, 'all rows agree with each other');

-- A query that submits as well.
CREATE FUNCTION pg_temp.inner_one(key integer) RETURNS text LANGUAGE sql AS
$$ SELECT 'http://a/' || imgpress.submit_query('SELECT ''in'', ''http://a/in''') $$;
SELECT alike(pg_temp.one('SELECT g, pg_temp.inner_one(g) FROM generate_series(1, 3) g'), E'1|1|1|http://a/%\n2|2|2|%\n3|3|3|%', 'a query may submit requests of its own');
CREATE FUNCTION pg_temp.repair(key integer) RETURNS text LANGUAGE sql AS $$
    SELECT 'http://a/' || key % 3 FROM (SELECT CASE WHEN key = 20001 THEN
        imgpress.replace_url('33333333-3333-3333-3333-333333333333', 'http://a/1', 'http://a/2') END OFFSET 0) r
$$;
CREATE FUNCTION pg_temp.meddle(request uuid) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM imgpress.cancel(request); RETURN 'http://a/1'; END $$;
SELECT throws_ok($$ SELECT imgpress.submit_query('SELECT 1, pg_temp.meddle(''33333333-3333-3333-3333-333333333333'')', request_id => '33333333-3333-3333-3333-333333333333') $$,
    '55000', 'request 33333333-3333-3333-3333-333333333333 was changed while it was being submitted, or the role was', 'it cannot cancel the one that it feeds');
SELECT throws_ok($$SELECT imgpress.submit_query('SELECT n, pg_temp.repair(n) FROM generate_series(1, 20001) n',
    request_id => '33333333-3333-3333-3333-333333333333')$$, '55000',
    'request 33333333-3333-3333-3333-333333333333 is being submitted', 'nor replace URLs of what it has stored so far');

-- JSON: objects and arrays of fields.
CREATE FUNCTION pg_temp.of_json(products jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    request uuid;
    detail text;
BEGIN
    request := imgpress.submit_json(products);
    RETURN (SELECT string_agg(concat_ws('|', p.serial_number, p.key, p.product_name, p.image_nos), ' ' ORDER BY p.product_no)
            FROM imgpress.products p WHERE p.request_id = request)
        || ' ' || (SELECT r.key_type FROM imgpress.processing_requests r WHERE r.id = request);
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN detail;
END
$$;
SELECT is(pg_temp.of_json('[{"key": "A", "name": "Mug", "urls": ["http://a/1", {"src": "http://a/2"}, null]}, ["B", "http://a/1,http://a/3"], ["C", "Cup", {"url": "http://a/1"}]]'),
    '1|A|Mug|{1,2,3} 2|B|B|{1,5} 3|C|Cup|{1} text', 'objects and arrays');
SELECT is(pg_temp.of_json('[[9223372036854775807, "http://a/1"], {"key": 1.50, "name": 7, "urls": "http://a/2"}]'),
    '1|9223372036854775807|9223372036854775807|{1} 2|1.50|7|{2} numeric', 'numbers');
SELECT is(pg_temp.of_json('[{"key": "A", "ulrs": []}, {"sku": 1}, null, [1], ["k", "n", [], 4], {"key": [1]}, {"key": "B"}, {"key": "C", "name": {}, "urls": "http://a"}, {"urls": "http://a/1"}, ["D", ["http://a/1", ["x"]]]]'),
    E'A: unknown field "ulrs"; did you mean "urls"?\n'
    'product 2: unknown field "sku"; the known fields are key, name and urls\n'
    'product 3: neither an object with key, name and urls, nor an array [key, urls] or [key, name, urls]\n'
    'product 4: neither an object with key, name and urls, nor an array [key, urls] or [key, name, urls]\n'
    'product 5: neither an object with key, name and urls, nor an array [key, urls] or [key, name, urls]\n'
    'product 6: the key is neither a text nor a number\n'
    'B: no image URL: give at least one http:// or https:// URL\n'
    'C: the name is neither a text nor a number\n'
    'product 9: the key is NULL\n'
    'D: element 2 is a list of its own: write all URLs into one list', 'the faults of JSON');
SELECT throws_ok($$SELECT imgpress.submit_json('{"key": 1, "urls": "http://a/1"}')$$, '22023', 'products must be a JSON array');
SELECT throws_ok($$SELECT imgpress.submit_json('"http://a/1"')$$, '22023', 'products must be a JSON array');
SELECT throws_ok($$SELECT imgpress.submit_json('[]')$$, 'P0002', 'no product was given; nothing was stored');
SELECT throws_ok('SELECT imgpress.submit_json(NULL)', '22004', 'products is NULL');
SELECT is(imgpress.submit_json('[]', request_id => :'id'), :'id', 'a request that was submitted before');

-- A gallery in JSON, submitted as a text.
SELECT lives_ok($$SELECT imgpress.submit(ARRAY[(1, 'Mug', '[{"src": "http://a/1"}, {"src": "http://a/2"}]'::jsonb)::imgpress.product_input])$$, 'submit() takes a jsonb gallery');

SELECT * FROM finish();
ROLLBACK;
