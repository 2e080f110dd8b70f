-- Repair: URLs are replaced, and failed images tried again by filter. The transaction is rolled back, so that no
-- drainer sees it.
BEGIN;
SELECT plan(57);

CREATE FUNCTION pg_temp.request(VARIADIC urls text[]) RETURNS uuid LANGUAGE sql AS $$
    SELECT imgpress.submit(array_agg((n, 'P' || n, string_to_array(u, ' '))::imgpress.product_input ORDER BY n), 'http://hook/')
    FROM unnest(urls) WITH ORDINALITY AS t(u, n)
$$;
CREATE FUNCTION pg_temp.claim(token bigint, request uuid) RETURNS integer[] LANGUAGE sql AS $$
    SELECT array_agg(i.image_no ORDER BY i.image_no)
    FROM imgpress_internal.claim_images(0, token, 99, 99, '{}', '{}', '1 minute') i
    WHERE i.request_id = request
$$;
CREATE FUNCTION pg_temp.finish(token bigint, request uuid, image integer, fault text DEFAULT NULL, transient boolean DEFAULT false)
    RETURNS void LANGUAGE sql AS $$
    SELECT imgpress_internal.finish_images(
        ARRAY[CASE WHEN fault IS NULL
              THEN (token, request, image, 'Completed', NULL, 1, 0, 0, false, false, NULL, NULL, 200, 9, 'jpeg',
                    'image/jpeg', 'e', 4, 3, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::imgpress_internal.outcome
              ELSE (token, request, image, 'Failed', NULL, 1, 0, 0, transient, false, fault, 'in words', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                    NULL, NULL, NULL, NULL, NULL, NULL)::imgpress_internal.outcome
              END],
        ARRAY[CASE WHEN fault IS NULL THEN 'bytes'::bytea END])
$$;
CREATE FUNCTION pg_temp.state(request uuid) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', status, run, image_count, succeeded_count, failed_count, source_bytes, output_bytes)
    FROM imgpress.processing_requests WHERE id = request
$$;
CREATE FUNCTION pg_temp.products(request uuid) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(image_nos::text, ' ' ORDER BY product_no) FROM imgpress.products WHERE request_id = request
$$;
CREATE FUNCTION pg_temp.answer(request uuid, old text[], new text[]) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', replaced, merged, not_found) FROM imgpress.replace_urls(request, old, new)
$$;

-- The reason of a request some of whose images have failed.
SELECT pg_temp.request('http://a/1', 'http://a/2', 'http://b/3', 'http://b/4') AS id \gset
SELECT pg_temp.claim(1, :'id');
SELECT pg_temp.finish(1, :'id', 1, 'timeout', true), pg_temp.finish(1, :'id', 2, 'not_an_image'), pg_temp.finish(1, :'id', 3, 'timeout', true);
SELECT is((SELECT reason FROM imgpress.processing_requests WHERE id = :'id'), NULL, 'no reason before the end');
SELECT pg_temp.finish(1, :'id', 4);
SELECT is((SELECT reason FROM imgpress.processing_requests WHERE id = :'id'), '3 of 4 images failed: timeout 2, not_an_image 1',
    'the most frequent error comes first');
SELECT is((SELECT payload::json->'data'->>'reason' FROM imgpress.webhook_deliveries), '3 of 4 images failed: timeout 2, not_an_image 1',
    'the webhook says so');

-- Retry by filter.
SELECT throws_ok(format('SELECT imgpress.retry_failed(%L, error_code => ''timeuot'')', :'id'), '22023', 'unknown error code "timeuot"; did you mean "timeout"?',
    'a misspelt code');
SELECT is(imgpress.retry_failed(:'id', error_code => 'damaged_image'), 0::bigint, 'no image has this error');
SELECT is(imgpress.retry_failed(:'id', host => 'c'), 0::bigint, 'no image is from this host');
SELECT throws_ok(format('SELECT imgpress.retry_failed(%L, host => ''http://b/'')', :'id'), '22023', '"http://b/" is not a host', 'a URL');
SELECT is(pg_temp.state(:'id'), 'Completed 1 4 1 3 9 5', 'then the request is not reopened');
SELECT is(imgpress.retry_failed(:'id', error_code => 'timeout', host => 'B'), 1::bigint, 'by error and host');
SELECT is(pg_temp.state(:'id'), 'Processing 2 4 1 2 9 5', 'one image is tried again');
SELECT is((SELECT reason FROM imgpress.processing_requests WHERE id = :'id'), NULL, 'an open request has no reason');
SELECT is((SELECT string_agg(output_image_urls, '|') FROM imgpress.request_products(:'id')) ~ '^[^|]+\|[^|]+\|\|[^|]+$', true,
    'the product whose image is tried again shows no output URLs meanwhile');
SELECT is(pg_temp.claim(2, :'id'), ARRAY[3]);
SELECT pg_temp.finish(2, :'id', 3);
SELECT is((SELECT reason FROM imgpress.processing_requests WHERE id = :'id'), '2 of 4 images failed: not_an_image 1, timeout 1');
SELECT is(imgpress.retry_failed(:'id', only_transient => NULL), 2::bigint, 'all others: NULL is as false');
SELECT pg_temp.claim(3, :'id');
SELECT pg_temp.finish(3, :'id', 1, 'timeout', true), pg_temp.finish(3, :'id', 2);
SELECT is((SELECT reason FROM imgpress.processing_requests WHERE id = :'id'), '1 of 4 images failed: timeout');
SELECT results_eq(format('SELECT message_id FROM imgpress.webhook_deliveries WHERE request_id = %L ORDER BY id', :'id'),
    format('SELECT %L || run FROM generate_series(1, 3) run', :'id' || '.'), 'each end is told once, under its run');

-- Replaced: a new image in the place of the old one.
SELECT is(pg_temp.answer(:'id', ARRAY['http://a/1', 'http://a/9'], ARRAY[' http://a/1b ', 'http://a/9b']), '1 0 1', 'one is replaced, one not found');
SELECT is(pg_temp.state(:'id'), 'Processing 4 4 3 0 27 15', 'the request is open again');
SELECT is(pg_temp.products(:'id'), '{5} {2} {3} {4}', 'the new image has a number that was not used before');
SELECT results_eq(format('SELECT image_no, url, first_product_no FROM imgpress.images WHERE request_id = %L AND status = ''Pending''', :'id'),
    $$ VALUES (5, 'http://a/1b', 1) $$);
SELECT is_empty('SELECT * FROM imgpress.check()', 'all rows agree');
SELECT is(pg_temp.claim(4, :'id'), ARRAY[5]);
-- One that a worker has at this moment: its result is dropped.
SELECT is(pg_temp.answer(:'id', ARRAY['http://a/1b'], ARRAY['http://a/1c']), '1 0 0');
SELECT pg_temp.finish(4, :'id', 5);
SELECT is(pg_temp.state(:'id'), 'Processing 4 4 3 0 27 15', 'the late result of the old URL is dropped');
SELECT is_empty('SELECT * FROM imgpress.check()');
SELECT is(pg_temp.claim(5, :'id'), ARRAY[6]);
SELECT pg_temp.finish(5, :'id', 6);
SELECT is(pg_temp.state(:'id'), 'Completed 4 4 4 0 36 20');
SELECT is((SELECT reason FROM imgpress.processing_requests WHERE id = :'id'), NULL, 'nothing has failed');

-- Merged: the new URL was there already.
SELECT is(pg_temp.answer(:'id', ARRAY['http://a/1c', 'http://a/2', 'http://a/2'], ARRAY['http://b/4', 'http://b/4', 'http://b/4']), '0 2 0', 'merged');
SELECT is(pg_temp.state(:'id'), 'Completed 4 2 2 0 18 10', 'the counters follow, and the request stays as it has ended');
SELECT is(pg_temp.products(:'id'), '{4} {4} {3} {4}', 'the products point to its image');
SELECT is_empty('SELECT * FROM imgpress.check()');
SELECT is(pg_temp.answer(:'id', ARRAY['http://b/3', 'http://b/4'], ARRAY['http://b/4', 'http://b/3']), '2 0 0', 'two URLs are swapped');
SELECT results_eq(format('SELECT string_agg(input_image_urls, '' '') FROM imgpress.request_products(%L)', :'id'),
    $$ VALUES ('http://b/3 http://b/3 http://b/4 http://b/3') $$);
SELECT is_empty('SELECT * FROM imgpress.check()');
DELETE FROM imgpress.processing_requests;

-- Several at once, in products with several images; a merge ends a request that waited for nothing else.
SELECT pg_temp.request('http://a/1 http://a/2', 'http://a/2 http://a/1 http://a/3', 'http://a/4') AS id \gset
SELECT is(pg_temp.answer(:'id', ARRAY['http://a/1', 'http://a/2'], ARRAY['http://a/0', 'http://a/0']), '1 1 0', 'two URLs become one');
SELECT is(pg_temp.products(:'id'), '{7,7} {7,7,5} {6}', 'each place is kept');
SELECT is(pg_temp.state(:'id'), 'Pending 1 3 0 0 0 0', 'a request that has not begun is not reopened');
SELECT is_empty('SELECT * FROM imgpress.check()');
SELECT is(pg_temp.claim(6, :'id'), ARRAY[5, 6, 7]);
SELECT pg_temp.finish(6, :'id', 5), pg_temp.finish(6, :'id', 7);
SELECT is(pg_temp.answer(:'id', ARRAY['http://a/4'], ARRAY['http://a/3']), '0 1 0');
SELECT is(pg_temp.state(:'id'), 'Completed 1 2 2 0 18 10', 'the merge ends the request');
SELECT is((SELECT count(*) FROM imgpress.webhook_deliveries WHERE message_id = :'id' || '.1'), 1::bigint, 'and tells it');
SELECT is_empty('SELECT * FROM imgpress.check()');

-- A number that was claimed is not used for another URL: caches keep an output URL for a year.
SELECT pg_temp.request('http://a/1', 'http://a/2', 'http://a/3') AS other \gset
SELECT is(pg_temp.claim(7, :'other'), ARRAY[1, 2, 3]);
SELECT pg_temp.finish(7, :'other', 1), pg_temp.finish(7, :'other', 2), pg_temp.finish(7, :'other', 3);
SELECT is(pg_temp.answer(:'other', ARRAY['http://a/3'], ARRAY['http://a/1']), '0 1 0', 'the last image goes');
SELECT is_empty('SELECT * FROM imgpress.check()');
SELECT is(pg_temp.answer(:'other', ARRAY['http://a/2'], ARRAY['http://b/3']), '1 0 0');
SELECT is(pg_temp.claim(8, :'other'), ARRAY[4], 'the next one has a new number');

-- What is refused.
SELECT throws_ok(format('SELECT imgpress.replace_url(%L, ''http://a/3'', ''ftp://a/3'')', :'id'), '22023',
    'the new URL "ftp://a/3" is not an http:// or https:// URL of at most 8192 bytes');
SELECT throws_ok(format('SELECT imgpress.replace_url(%L, ''http://a/3'', ''http://x/1,http://x/2 http://x/3'')', :'id'), '22023',
    'the new URL "http://x/1,http://x/2 http://x/3" is a list of 3 URLs', 'as in a CSV');
SELECT is(pg_temp.answer(:'id', ARRAY['http://a/9'], ARRAY['http://x/w_1,h_2/1,2.jpg']), '0 0 1', 'a comma in a URL makes no list');
SELECT throws_ok(format('SELECT imgpress.replace_urls(%L, ARRAY[''a'', ''a''], ARRAY[''http://x'', ''http://y''])', :'id'), '21000',
    'the old URL "a" has two new ones, "http://x" and "http://y"');
UPDATE imgpress.processing_requests SET status = 'Processing', ended_at = NULL, standing = true, failed_count = 0 WHERE id = :'id';
SELECT throws_ok(format('SELECT imgpress.replace_url(%L, ''http://a/3'', ''http://a/5'')', :'id'), '55000',
    format('request %s belongs to an attached table', :'id'));
-- Its images are tried again, but it neither ends nor begins a new run.
UPDATE imgpress.images SET status = 'Failed', error_code = 'timeout', output_format = NULL WHERE request_id = :'id' AND image_no = 5;
UPDATE imgpress.processing_requests SET failed_count = 1 WHERE id = :'id';
SELECT is(imgpress.retry_failed(), 1::bigint, 'those of attached tables are among all');
SELECT is(pg_temp.state(:'id'), 'Processing 1 2 2 0 18 10');

SELECT * FROM finish();
ROLLBACK;
