-- What the gateway calls: uploads with their faults, and the answers about a request. Called as a member of
-- imgpress_gateway. The transaction is rolled back, so that nothing is processed.
BEGIN;
SELECT plan(36);

CREATE ROLE imgpress_test_login IN ROLE imgpress_gateway;
CREATE FUNCTION pg_temp.upload(file text, fields jsonb DEFAULT '{}') RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    id constant uuid := gen_random_uuid();
BEGIN
    INSERT INTO imgpress_internal.upload_parts VALUES (id, 1, convert_to(file, 'UTF8'));
    RETURN imgpress_internal.submit_upload(id, fields);
END
$$;
CREATE FUNCTION pg_temp.csv() RETURNS text LANGUAGE sql AS $$ SELECT E'S. No.,Product Name,URLs\n1,n,http://a/1\n' $$;
CREATE FUNCTION pg_temp.field_faults(fields jsonb) RETURNS TABLE (field text, message text) LANGUAGE sql AS
$$ SELECT * FROM imgpress_internal.field_faults(fields) $$;

-- An upload in two parts, cut inside a character.
\set upload '11111111-1111-1111-1111-111111111111'
SET LOCAL ROLE imgpress_test_login;
SELECT imgpress_internal.store_part(:'upload', part_no, bytes) AS stored FROM (VALUES
    (2, '\xa46d652c687474703a2f2f612f310a'),
    (1, convert_to(E'S. No.,Product Name,URLs\n1,n', 'UTF8') || '\xc3')) AS parts (part_no, bytes) \g /dev/null
SELECT imgpress_internal.submit_upload_as(NULL, NULL, 'never', :'upload', '{}') AS answer \gset
RESET ROLE;
SELECT (:'answer'::json ->> 'request_id')::uuid AS id \gset
SELECT is(:'answer'::text, format('{"request_id":"%s"}', :'id'), 'the answer is the id');
SELECT results_eq(format('SELECT product_name, input_image_urls FROM imgpress.request_products(%L)', :'id'),
    $$ VALUES ('näme', 'http://a/1') $$, 'parts are joined in their order');
SELECT is_empty('SELECT * FROM imgpress_internal.upload_parts', 'and deleted then');
SELECT is(pg_temp.upload(E'S. No.,Colour,,Product Name,URLs\n1,red,x,n,http://a/1\n') ->> 'ignored_columns',
    '["Colour","column 3"]', 'the answer names the columns that are not used');

-- Fields.
SELECT (pg_temp.upload(pg_temp.csv(), '{"webhook_url": " http://h/ ", "quality": "30", "effort": null,
    "accept_truncated": "on"}') ->> 'request_id')::uuid AS chosen \gset
SELECT results_eq(format('SELECT webhook_url, options FROM imgpress.processing_requests WHERE id = %L', :'chosen'),
    $$ VALUES ('http://h/', '{"quality": 30, "effort": "balanced", "accept_truncated": true, "refresh": "changed"}'::jsonb) $$,
    'fields are webhook_url and the options; null is the setting');
SELECT results_eq(format('SELECT webhook_url FROM imgpress.processing_requests WHERE id = %L',
        pg_temp.upload(pg_temp.csv(), '{"webhook_url": " "}') ->> 'request_id'),
    ARRAY[NULL::text], 'a blank webhook_url is none');
SELECT is_empty($$ SELECT pg_temp.field_faults('{}') $$, 'no field, no fault');
SELECT is_empty($$ SELECT pg_temp.field_faults('{"webhook_url": null, "quality": null, "effort": "fast"}') $$,
    'good fields have none');
SELECT is_empty($$ SELECT f.key FROM jsonb_each(imgpress_internal.complete_options('{}')) f
    CROSS JOIN pg_temp.field_faults(jsonb_build_object(f.key, f.value)) $$, 'every option is a field');
SELECT results_eq(format('SELECT * FROM pg_temp.field_faults(%L)', fields),
    format('VALUES (%L, %L)', field, message), message)
FROM (VALUES
    ('{"quality": "0"}', 'quality', 'quality must be an integer from 1 to 100, not "0"'),
    ('{"effort": "Fast"}', 'effort', 'effort must be fast, balanced or small, not "Fast"'),
    ('{"accept_truncated": "maybe"}', 'accept_truncated', 'accept_truncated must be true or false, not "maybe"'),
    ('{"webhook_url": "ftp://h/"}', 'webhook_url', 'webhook_url "ftp://h/" is not an http:// or https:// URL'),
    ('{"webhook_url": "http://h/\n"}', 'webhook_url',
     'webhook_url contains a control character, such as a line end: percent-encode it'),
    ('{"qualty": "50"}', 'qualty', 'unknown field "qualty"; did you mean "quality"?'),
    ('{"Webhook-URL": "http://h/"}', 'Webhook-URL', 'unknown field "Webhook-URL"; did you mean "webhook_url"?'),
    ('{"note": null}', 'note',
     'unknown field "note"; the known fields are file, webhook_url, priority, effort, quality, refresh and accept_truncated'),
    ('{"": "x"}', '', 'unknown field ""; the known fields are file, webhook_url, priority, effort, quality, refresh and accept_truncated'),
    ('{"qualty": ["50", "60"]}', 'qualty', 'unknown field "qualty"; did you mean "quality"?'),
    ('{"quality": ["50", "50"]}', 'quality', 'quality is given more than once'),
    ('{"webhook_url": [null, null]}', 'webhook_url', 'webhook_url is given more than once'),
    ('{"effort": {}}', 'effort', 'effort is not UTF-8 text, or contains a zero byte'),
    ('{"webhook_url": {}}', 'webhook_url', 'webhook_url is not UTF-8 text, or contains a zero byte')
) AS v (fields, field, message);
SELECT results_eq($$ SELECT field FROM pg_temp.field_faults(
        '{"quality": "high", "effort": "fast", "note": "x", "webhook_url": "h"}') ORDER BY 1 $$,
    ARRAY['note', 'quality', 'webhook_url'], 'every field that has a fault');

-- What submit_upload() raises, and what upload_faults() says afterwards.
\set bad '22222222-2222-2222-2222-222222222222'
INSERT INTO imgpress_internal.upload_parts VALUES
    (:'bad', 1, convert_to(E'S. No.,Product Name,URLs\nx,,http://a/1\n2,n,nowhere\n', 'UTF8'));
SET LOCAL ROLE imgpress_test_login;
CREATE FUNCTION pg_temp.refusal(upload uuid, fields jsonb, OUT code text, OUT message text, OUT hint text)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM imgpress_internal.submit_upload_as(NULL, NULL, 'never', upload, fields);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END
$$;
SELECT * FROM pg_temp.refusal(:'bad', '{"quality": "0"}') \gset one_
SELECT * FROM pg_temp.refusal(:'bad', '{"quality": "0", "note": "x"}') \gset two_
SELECT * FROM pg_temp.refusal(:'bad', '{}') \gset csv_
SELECT json_agg(f) AS faults FROM imgpress_internal.upload_faults(:'bad', '{"quality": "0", "note": "x"}') f \gset
SELECT count(*) AS none FROM imgpress_internal.upload_faults(gen_random_uuid(), '{}') \gset
RESET ROLE;
SELECT is(ARRAY[:'one_code', :'one_message', :'one_hint'],
    ARRAY['22023', 'quality must be an integer from 1 to 100, not "0"', ''],
    'the only fault of the fields is the message');
SELECT is(ARRAY[:'two_code', :'two_message', :'two_hint'],
    ARRAY['22023', 'the form has 2 fields that are not valid', ''], 'several are counted');
SELECT is(ARRAY[:'csv_code', :'csv_message', :'csv_hint'],
    ARRAY['22P04', 'the CSV has 3 faults; nothing was stored',
        'Correct what "details" lists, and upload the file again.'],
    'faults of the CSV are counted, too');
SELECT results_eq(
    format('SELECT * FROM json_to_recordset(%L) AS f (line integer, "column" text, field text)', :'faults'),
    $$ VALUES (NULL, NULL, 'note'), (NULL, NULL, 'quality'), (2, 'Serial Number', 'file'), (2, 'Product Name', 'file'),
        (3, 'Input Image Urls', 'file') $$, 'all faults, those of fields first');
SELECT is(:none, 1, 'no part: an empty file');

-- The answers about a request.
SET LOCAL ROLE imgpress_test_login;
SELECT answer AS summary, etag FROM imgpress_internal.status_as(NULL, NULL, 'never', :'id') \gset
SELECT num_nonnulls(refusal, etag, answer) AS unknown
    FROM imgpress_internal.status_as(NULL, NULL, 'never', gen_random_uuid()) \gset
RESET ROLE;
SELECT etag AS other_etag FROM imgpress_internal.status_as(NULL, NULL, 'never', :'chosen') \gset
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(:'summary'::jsonb) k),
    ARRAY['created_at', 'ended_at', 'failed', 'images', 'output_bytes', 'products', 'reason', 'request_id',
          'source_bytes', 'started_at', 'status', 'succeeded'], 'the fields of a status');
SELECT is((SELECT to_jsonb(p) @> :'summary'::jsonb FROM imgpress.progress p WHERE p.request_id = :'id'), true,
    'as in the view progress');
SELECT is(:unknown, 0, 'an unknown id has no summary and no ETag');
SELECT matches(:'etag'::text, '^[0-9a-f]{1,16}$', 'an ETag needs no quoting');
SELECT isnt(:'etag'::text, :'other_etag', 'another request, another ETag');

-- The ETag after each change that shows in an answer; at last everything is as it was.
CREATE FUNCTION pg_temp.etag_with(request uuid, change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    etag text;
BEGIN
    EXECUTE change;
    etag := (SELECT s.etag FROM imgpress_internal.status_as(NULL, NULL, 'never', request) s);
    RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = etag;
EXCEPTION WHEN SQLSTATE 'P0001' THEN
    RETURN SQLERRM;
END
$$;
SELECT is((SELECT count(DISTINCT pg_temp.etag_with(:'id', change)) FROM unnest(ARRAY[
        'SELECT', 'SET LOCAL imgpress.public_url = ''https://images.test''',
        'SET LOCAL imgpress.output_url_style = simulated',
        'UPDATE imgpress.processing_requests SET run = 2',
        'UPDATE imgpress.processing_requests SET status = ''Processing''',
        'UPDATE imgpress.processing_requests SET succeeded_count = 1',
        'UPDATE imgpress.processing_requests SET failed_count = 1',
        'UPDATE pg_extension SET extversion = ''9'' WHERE extname = ''imgpress'''
    ]) change), 8::bigint, 'everything that answers depend on changes the ETag');
SELECT is((SELECT s.etag FROM imgpress_internal.status_as(NULL, NULL, 'never', :'id') s), :'etag', 'nothing else does');

SELECT * FROM finish();
ROLLBACK;
