-- The same URL several times in a request is one image, and claims skip no image. The transaction is
-- rolled back, so that no drainer sees it.
BEGIN;
SELECT plan(45);

CREATE FUNCTION pg_temp.request(VARIADIC urls text[]) RETURNS uuid LANGUAGE sql AS $$
    SELECT imgpress.submit(array_agg((n, 'P' || n, ARRAY[u])::imgpress.product_input ORDER BY n))
    FROM unnest(urls) WITH ORDINALITY AS t(u, n)
$$;
CREATE FUNCTION pg_temp.claim(token bigint, slots integer, request uuid) RETURNS integer[] LANGUAGE sql AS $$
    SELECT array_agg(i.image_no ORDER BY i.image_no)
    FROM imgpress_internal.claim_images(0, token, slots, slots, '{}', '{}', '1 minute') i
    WHERE i.request_id = request
$$;
CREATE FUNCTION pg_temp.finish(token bigint, request uuid, image integer, status text, format text DEFAULT 'jpeg') RETURNS void LANGUAGE sql AS $$
    SELECT imgpress_internal.finish_images(
        ARRAY[CASE status
              WHEN 'Completed' THEN (token, request, image, status, NULL, 1, 0, 0, false, false, NULL, NULL, 200, 9, format, 'image/' || format, 'e', 4, 3, false, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL)::imgpress_internal.outcome
              WHEN 'Failed' THEN (token, request, image, status, NULL, 1, 0, 0, true, false, 'timeout', 'timed out', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL)::imgpress_internal.outcome
              END],
        ARRAY[CASE WHEN status = 'Completed' THEN 'bytes'::bytea END])
$$;
CREATE FUNCTION pg_temp.counters(request uuid) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', status, succeeded_count, failed_count, source_bytes, output_bytes) FROM imgpress.processing_requests WHERE id = request
$$;
CREATE FUNCTION pg_temp.outputs(request uuid) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(string_agg(output_image_urls, '|'), 'http://[^,|]*/images/[^/]*/', '', 'g') FROM imgpress.request_products(request)
$$;

-- What is stored.
SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,a,"http://a/1, http://a/2 ,http://a/1"\n2,b,http://a/2\n3,c,http://A/1\n4,d,http://a/1\n') AS id \gset
SELECT results_eq(format('SELECT image_nos FROM imgpress.products WHERE request_id = %L ORDER BY product_no', :'id'),
    $$ VALUES (ARRAY[1, 2, 1]), (ARRAY[2]), (ARRAY[5]), (ARRAY[1]) $$, 'image_nos repeats an image as often as the input does');
SELECT results_eq(format('SELECT image_no, url, first_product_no FROM imgpress.images WHERE request_id = %L ORDER BY image_no', :'id'),
    $$ VALUES (1, 'http://a/1', 1), (2, 'http://a/2', 1), (5, 'http://A/1', 3) $$, 'each different URL (case matters) is one image, numbered by its first place');
SELECT results_eq(format('SELECT image_count, last_image_no FROM imgpress.processing_requests WHERE id = %L', :'id'),
    $$ VALUES (3, 5) $$, 'the counters count images, not occurrences');
SELECT results_eq(format('SELECT input_image_urls FROM imgpress.request_products(%L)', :'id'),
    $$ VALUES ('http://a/1,http://a/2,http://a/1'), ('http://a/2'), ('http://A/1'), ('http://a/1') $$, 'the list of products shows the input');
DELETE FROM imgpress.processing_requests;

-- Claims, with gaps between image numbers.
SELECT pg_temp.request('http://a/1', 'http://a/1', 'http://a/2.png', 'http://a/1', 'http://a/3', 'http://a/3', 'http://a/3') AS id \gset
SELECT is(pg_temp.claim(1, 4, :'id'), ARRAY[1, 3], 'a slot is for an image, not for an occurrence');
SELECT is((SELECT claimed_up_to FROM imgpress.processing_requests WHERE id = :'id'), 3, 'claimed_up_to is the last of them');
SELECT is(pg_temp.claim(2, 9, :'id'), ARRAY[5], 'the rest');
SELECT is(pg_temp.claim(3, 9, :'id'), NULL, 'nothing is claimed twice');

-- When the image ends, it ends for all products.
SELECT pg_temp.finish(1, :'id', 3, 'Completed', 'png');
SELECT is(pg_temp.outputs(:'id'), '||3/2_compressed.png||||', 'a product shows its outputs once all of them have ended');
SELECT pg_temp.finish(1, :'id', 1, 'Completed');
SELECT is(pg_temp.counters(:'id'), 'Processing 2 0 18 10', 'each image counts once');
SELECT pg_temp.finish(2, :'id', 5, 'Failed');
SELECT is(pg_temp.outputs(:'id'), '1/1_compressed.jpg|1/1_compressed.jpg|3/2_compressed.png|1/1_compressed.jpg|Error processing image|Error processing image|Error processing image',
    'each occurrence shows the output URL, or the failure, of its image');
SELECT is(pg_temp.counters(:'id'), 'Completed 2 1 18 10', 'the last image ends the request');
SELECT results_eq(format('SELECT image_no, product_name, error_code, attempts FROM imgpress.failures WHERE request_id = %L', :'id'),
    $$ VALUES (5, 'P5', 'timeout', 1::smallint) $$, 'failures has one row for the image, with its first product');
SELECT results_eq(format('SELECT image_no, product_name, output_bytes FROM imgpress.results WHERE request_id = %L ORDER BY image_no', :'id'),
    $$ VALUES (1, 'P1', 5), (3, 'P3', 5) $$, 'so has results');
SELECT results_eq(format('SELECT images, succeeded, failed, run FROM imgpress.progress WHERE request_id = %L', :'id'), $$ VALUES (3, 2, 1, 1) $$);

-- Retry reopens the request.
SELECT is(imgpress.retry_failed(:'id', only_transient => true), 1::bigint, 'one image is tried again');
SELECT is(pg_temp.counters(:'id'), 'Processing 2 0 18 10');
SELECT is((SELECT run FROM imgpress.progress WHERE request_id = :'id'), 2, 'run is incremented');
SELECT is(pg_temp.claim(4, 9, :'id'), ARRAY[5]);
SELECT pg_temp.finish(4, :'id', 5, 'Completed');
SELECT is(pg_temp.counters(:'id'), 'Completed 3 0 27 15');

-- Cancel leaves nothing to claim, with and without gaps.
SELECT pg_temp.request('http://a/1', 'http://a/2', 'http://a/1') AS id \gset
SELECT imgpress.cancel(:'id');
SELECT is(pg_temp.counters(:'id'), 'Failed 0 2 0 0');
SELECT is(pg_temp.claim(5, 9, :'id'), NULL);
SELECT is((SELECT claimed_up_to = last_image_no FROM imgpress.processing_requests WHERE id = :'id'), true);
SELECT is(imgpress.retry_failed(:'id'), 2::bigint, 'a cancelled request can be retried');
SELECT is(pg_temp.claim(6, 9, :'id'), ARRAY[1, 2]);

-- Numbers that an earlier version gave to repeated URLs.
SELECT pg_temp.finish(6, :'id', 1, 'Completed');
INSERT INTO imgpress_internal.image_aliases VALUES (:'id', 3, 1);
SELECT results_eq(format('SELECT bytes FROM imgpress.output_image(%L, 3)', :'id'), $$ VALUES ('bytes'::bytea) $$, 'an alias shows its image');
SELECT results_eq(format('SELECT content_type, etag, size, bytes FROM imgpress_internal.output_slice(%L, 3, 1, 3, NULL, NULL)', :'id'),
    format('SELECT content_type, etag, 5, ''yte''::bytea FROM imgpress.output_image(%L, 1)', :'id'), 'also in slices');
SELECT results_eq(format('SELECT created, bytes FROM imgpress_internal.output_slice(%L, 1, 4, 10, NULL, NULL)', :'id'),
    format('SELECT floor(extract(epoch FROM created_at))::bigint, ''s''::bytea FROM imgpress.output_image(%L, 1)', :'id'));
SELECT is_empty(format('SELECT FROM imgpress_internal.output_slice(%L, 4, 0, 10, NULL, NULL)', :'id'));
SELECT is(imgpress.output_etag(:'id', 3), 'e');
SELECT is_empty(format('SELECT FROM imgpress.output_image(%L, 4)', :'id'), 'another number shows none');
DELETE FROM imgpress.processing_requests;
SELECT is_empty('SELECT FROM imgpress_internal.image_aliases', 'deleting a request deletes its aliases');

-- CHECK constraints of the tables.
SELECT pg_temp.request('http://a/1') AS id \gset
SELECT throws_ok($$ UPDATE imgpress.images SET status = 'Processing' $$, '23514', NULL, 'Processing has a lease');
SELECT throws_ok($$ UPDATE imgpress.images SET status = 'Completed', ended_at = now() $$, '23514', NULL, 'Completed has a format');
SELECT throws_ok($$ UPDATE imgpress.images SET status = 'Failed', ended_at = now() $$, '23514', NULL, 'Failed has an error');
SELECT throws_ok($$ UPDATE imgpress.images SET status = 'Failed', error_code = 'x' $$, '23514', NULL, 'an ended image has a time');
SELECT throws_ok($$ UPDATE imgpress.processing_requests SET status = 'Completed', ended_at = now() $$, '23514', NULL, 'Completed has no image left');
SELECT throws_ok($$ UPDATE imgpress.processing_requests SET status = 'Failed', ended_at = now() $$, '23514', NULL, 'Failed says why');

-- The share of a turn, from: slots of the window, slots left, waiting requests, images that the request
-- holds, whether it is its first turn.
SELECT results_eq($$ SELECT imgpress_internal.share_of_turn(s, l, w, h, f) FROM (VALUES
        (1, 256, 256, 1, 0, true),   -- alone: half of the window
        (2, 256, 256, 1, 128, false),
        (3, 256, 256, 10, 0, true),  -- its part when ten requests wait
        (4, 64, 64, 32, 0, true),    -- a first turn is short when many wait
        (5, 64, 64, 32, 0, false),   -- a later one is long
        (6, 64, 3, 32, 0, false),    -- no more than the slots left
        (7, 64, 64, 1, 64, false),   -- it holds its half already
        (8, 1, 1, 1, 0, true),       -- the only slot, for a new request
        (9, 1, 1, 1, 1, false),
        (10, 256, 256, 0, 0, true)   -- it was submitted after the others were counted
        ) c (n, s, l, w, h, f) ORDER BY n $$,
    ARRAY[128, 64, 25, 2, 32, 1, 0, 1, 0, 128], 'the share of a turn');

-- 100,000 products with the same URL are as fast as one image.
DELETE FROM imgpress.processing_requests;
SELECT pg_temp.request(VARIADIC array_fill('http://a/1'::text, ARRAY[100000])) AS id \gset
SELECT is(pg_temp.claim(7, 64, :'id'), ARRAY[1]);
SELECT pg_temp.finish(7, :'id', 1, 'Completed');
SELECT is(pg_temp.counters(:'id'), 'Completed 1 0 9 5', '100,000 products that name one URL end with it');
SELECT is((SELECT count(*) FROM imgpress.request_products(:'id') WHERE output_image_urls LIKE '%/1/1_compressed.jpg'), 100000::bigint);

-- A transaction does not wait for its own locks: the end-to-end tests cover locked rows.
SELECT is((SELECT taken FROM imgpress_internal.lock_next_images(:'id', 1, 5)), 0, 'there is none after the last');
SELECT is((SELECT last FROM imgpress_internal.lock_next_images(:'id', 1, 5)), 1);
SELECT is(array_length(array(SELECT 1 FROM imgpress.products WHERE request_id = :'id' AND image_nos = '{1}'), 1), 100000);

SELECT * FROM finish();
ROLLBACK;
