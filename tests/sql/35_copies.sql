-- The same URL several times in a request: one of them is worked on, the others follow. Rolled back,
-- so that no drainer sees it.
BEGIN;
SELECT plan(45);

CREATE FUNCTION pg_temp.request(VARIADIC urls text[]) RETURNS uuid LANGUAGE sql AS $$
    SELECT imgpress.submit(array_agg((n, 'P', ARRAY[u])::imgpress.product_input ORDER BY n))
    FROM unnest(urls) WITH ORDINALITY AS t(u, n)
$$;
CREATE FUNCTION pg_temp.claim(token bigint, slots integer, request uuid) RETURNS integer[] LANGUAGE sql AS $$
    SELECT array_agg(i."position" ORDER BY i."position")
    FROM imgpress.claim_images(0, token, slots, slots, '{}', '{}', '1 minute') c, unnest(c.images) i
    WHERE i.request_id = request
$$;
CREATE FUNCTION pg_temp.finish(token bigint, request uuid, pos integer, status text, transient boolean DEFAULT false)
RETURNS boolean LANGUAGE sql AS $$
    SELECT copies FROM imgpress.finish_images(
        ARRAY[CASE status
              WHEN 'Completed' THEN (token, request, pos, status, NULL, 1, 0, transient, NULL, NULL, 9, 'image/jpeg', 4, 3, false, NULL)::imgpress.outcome
              WHEN 'Failed' THEN (token, request, pos, status, NULL, 1, 0, transient, 'timeout', 'timed out', NULL, NULL, NULL, NULL, NULL, NULL)::imgpress.outcome
              ELSE (token, request, pos, status, NULL, 1, 0, transient, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::imgpress.outcome END],
        ARRAY[CASE WHEN status = 'Completed' THEN 'bytes'::bytea END])
$$;
CREATE FUNCTION pg_temp.states(request uuid) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(left(status, 1), '' ORDER BY position) FROM imgpress.images WHERE request_id = request
$$;
CREATE FUNCTION pg_temp.counters(request uuid) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', status, done_count, failed_count, source_bytes, output_bytes) FROM imgpress.processing_requests WHERE id = request
$$;

-- What the input reader finds.
SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,a,"http://a/1, http://a/2 ,http://a/1"\n2,b,http://a/2\n3,c,http://A/1\n4,d,http://a/1\n') AS id \gset
SELECT results_eq(format('SELECT copy_of FROM imgpress.images WHERE request_id = %L ORDER BY position', :'id'),
    ARRAY[NULL, NULL, 1, 2, NULL, 1], 'a copy names the first image with its URL, to the letter');
SELECT results_eq(format('SELECT image_count, copy_count FROM imgpress.processing_requests WHERE id = %L', :'id'),
    $$ VALUES (6, 3) $$, 'copies are counted');
SELECT results_eq(format('SELECT copy_of FROM imgpress.images WHERE request_id = %L', pg_temp.request('http://a/1')),
    ARRAY[NULL::integer], 'another request is another matter');
DELETE FROM imgpress.processing_requests;

-- Claiming passes over them.
SELECT pg_temp.request('http://a/1', 'http://a/1', 'http://a/2', 'http://a/1', 'http://a/3', 'http://a/3', 'http://a/3') AS id \gset
SELECT is(pg_temp.claim(1, 4, :'id'), ARRAY[1, 3], 'slots are for images, not for copies');
SELECT is((SELECT claimed_count FROM imgpress.processing_requests WHERE id = :'id'), 3, 'what is claimed is a range all the same');
SELECT is(pg_temp.claim(2, 9, :'id'), ARRAY[5], 'the rest');
SELECT is((SELECT claimed_count FROM imgpress.processing_requests WHERE id = :'id'), 7, 'copies at the end are not waited for');
SELECT is(pg_temp.claim(3, 9, :'id'), NULL, 'nothing is claimed twice');

-- They end with their original.
SELECT is(pg_temp.finish(1, :'id', 3, 'Completed'), false, 'an image without copies has none to end');
SELECT is(pg_temp.finish(1, :'id', 1, 'Completed'), true, 'copies are due');
SELECT is(pg_temp.states(:'id'), 'CPCPPPP', 'until they are ended');
SELECT is((SELECT copies FROM imgpress.next_due()), true, 'the drainer is told');
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(10, NULL)', $$ VALUES (2, false) $$, 'both end');
SELECT is(pg_temp.states(:'id'), 'CCCCPPP');
SELECT is(pg_temp.counters(:'id'), 'Processing 4 0 36 20', 'each counts like its original');
SELECT is((SELECT copies FROM imgpress.next_due()), false);
SELECT results_eq(format('SELECT position, etag, bytes FROM imgpress.outputs WHERE request_id = %L ORDER BY position', :'id'),
    $$ VALUES (1, '0000000000000001-1', 'bytes'::bytea), (2, '0000000000000001-1', 'bytes'), (3, '0000000000000001-3', 'bytes'), (4, '0000000000000001-1', 'bytes') $$, 'each has its output');

-- Failure and retry.
SELECT pg_temp.finish(2, :'id', 5, 'Failed', true);
SELECT imgpress.end_copies(10, NULL);
SELECT is(pg_temp.counters(:'id'), 'Completed 4 3 36 20', 'a failure is shared, and the last copy ends the request');
SELECT results_eq(format('SELECT position, error_code, attempts FROM imgpress.failures WHERE request_id = %L ORDER BY position', :'id'),
    $$ VALUES (5, 'timeout', 1::smallint), (6, 'timeout', 1::smallint), (7, 'timeout', 1::smallint) $$, 'each has the reason');
SELECT is(imgpress.retry_failed(:'id', only_transient => true), 3::bigint, 'all are tried again');
SELECT is(pg_temp.states(:'id'), 'CCCCPPP');
SELECT is(pg_temp.claim(4, 9, :'id'), ARRAY[5], 'by trying one');
SELECT pg_temp.finish(4, :'id', 5, 'Completed');
SELECT imgpress.end_copies(10, NULL);
SELECT is(pg_temp.counters(:'id'), 'Completed 7 0 63 35');
SELECT matches((SELECT output_image_urls FROM imgpress.request_products(:'id') OFFSET 6 LIMIT 1), '3_compressed$', 'products show copies like any image');

-- A crowd ends in portions; whoever comes back after a crash goes on.
SELECT pg_temp.request(VARIADIC array_fill('http://a/1'::text, ARRAY[10])) AS id \gset
SELECT is(pg_temp.claim(5, 4, :'id'), ARRAY[1]);
SELECT pg_temp.finish(5, :'id', 1, 'Completed');
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(4, NULL)', $$ VALUES (4, true) $$, 'a portion');
SELECT is(imgpress.rescue(0), 0::bigint, 'nothing of it is under a lease');
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(4, NULL)', $$ VALUES (4, true) $$, 'another');

-- Cancel in the middle of it, and what a retry makes of that.
SELECT imgpress.cancel(:'id');
SELECT is(pg_temp.counters(:'id'), 'Failed 9 1 81 45', 'what has ended stays, the rest is cancelled');
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(4, NULL)', $$ VALUES (0, false) $$, 'nothing is left to do');
SELECT is(imgpress.retry_failed(:'id'), 1::bigint, 'the cancelled copy');
SELECT is(pg_temp.claim(6, 9, :'id'), NULL, 'needs no work');
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(4, NULL)', $$ VALUES (1, false) $$, 'since its original has ended');
SELECT is(pg_temp.counters(:'id'), 'Completed 10 0 90 50');

-- Requests take turns, wherever their ids stand.
CREATE FUNCTION pg_temp.due(id uuid, urls text[], token bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM imgpress.submit(array_agg((n, 'P', ARRAY[u])::imgpress.product_input ORDER BY n), request_id => id)
        FROM unnest(urls) WITH ORDINALITY AS t(u, n);
    PERFORM pg_temp.claim(token, 9, id);
    PERFORM pg_temp.finish(token, id, 1, 'Completed');
END
$$;
SELECT pg_temp.due('10000000-0000-0000-0000-000000000000', array_fill('http://a/1'::text, ARRAY[100]), 21);
SELECT pg_temp.due('20000000-0000-0000-0000-000000000000', array_fill('http://a/1'::text, ARRAY[100]), 22);
SELECT pg_temp.due('f0000000-0000-0000-0000-000000000000', ARRAY['http://a/1', 'http://a/1'], 23);
SELECT results_eq('SELECT ended, remaining, served FROM imgpress.end_copies(6, NULL)',
    $$ VALUES (5, true, 'f0000000-0000-0000-0000-000000000000'::uuid) $$, 'each gets its share');
SELECT is(pg_temp.counters('f0000000-0000-0000-0000-000000000000'), 'Completed 2 0 18 10', 'a small one ends beside crowds');
SELECT is((SELECT served FROM imgpress.end_copies(1, '10000000-0000-0000-0000-000000000000')),
    '10000000-0000-0000-0000-000000000000'::uuid, 'after the one that was served last, and round the end');
SELECT is(pg_temp.counters('20000000-0000-0000-0000-000000000000'), 'Processing 4 0 36 20');
DELETE FROM imgpress.processing_requests;

-- A parallel restore may load notes before images, and those before outputs.
SELECT pg_temp.request('http://a/1', 'http://a/1') AS id \gset
SELECT pg_temp.claim(24, 9, :'id');
SELECT pg_temp.finish(24, :'id', 1, 'Completed');
CREATE TEMPORARY TABLE later AS SELECT * FROM imgpress.outputs WHERE request_id = :'id';
DELETE FROM imgpress.outputs WHERE request_id = :'id';
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(4, NULL)', $$ VALUES (0, true) $$, 'a copy waits for the output of its original');
CREATE TEMPORARY TABLE later_images AS SELECT * FROM imgpress.images WHERE request_id = :'id';
DELETE FROM imgpress.images WHERE request_id = :'id';
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(4, NULL)', $$ VALUES (0, true) $$, 'and for that itself');
INSERT INTO imgpress.images SELECT * FROM later_images;
INSERT INTO imgpress.outputs SELECT * FROM later;
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(4, NULL)', $$ VALUES (1, false) $$, 'then it ends');
SELECT is(pg_temp.counters(:'id'), 'Completed 2 0 18 10');
DELETE FROM imgpress.processing_requests;

-- Purge leaves nothing.
SELECT pg_temp.request('http://a/1', 'http://a/1') AS id \gset
SELECT pg_temp.claim(7, 4, :'id');
SELECT pg_temp.finish(7, :'id', 1, 'Completed');
SELECT is_empty(format('SELECT FROM imgpress.copies_due WHERE request_id <> %L', :'id'), 'only what is due is noted');
DELETE FROM imgpress.processing_requests;
SELECT is_empty('SELECT request_id FROM imgpress.copies_due UNION ALL SELECT request_id FROM imgpress.outputs', 'a deleted request takes its notes along');
SELECT results_eq('SELECT ended, remaining FROM imgpress.end_copies(4, NULL)', $$ VALUES (0, false) $$);

SELECT * FROM finish();
ROLLBACK;
