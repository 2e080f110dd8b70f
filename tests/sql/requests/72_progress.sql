-- The view progress: working time, rate and estimate. The transaction is rolled back, so that the drainer sees nothing
-- of it.
BEGIN;
SELECT plan(15);

CREATE FUNCTION pg_temp.request(images integer) RETURNS uuid LANGUAGE sql AS $$
    SELECT imgpress.submit(array_agg((n, 'P', 'http://a/' || n)::imgpress.product_input ORDER BY n))
    FROM generate_series(1, images) n
$$;
CREATE FUNCTION pg_temp.claim(token bigint, slots integer, held_requests uuid[] DEFAULT '{}') RETURNS bigint LANGUAGE sql AS $$
    SELECT count(image_no) FROM imgpress_internal.claim_images(0, token, slots, slots, held_requests,
        array_fill(1, ARRAY[cardinality(held_requests)]), '1 minute')
$$;
CREATE FUNCTION pg_temp.finish(token bigint, request uuid, pos integer, status text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    outcome imgpress_internal.outcome;
BEGIN
    outcome.token := token; outcome.request_id := request; outcome.image_no := pos; outcome.status := status;
    outcome.failed_attempts := 0; outcome.codec_crashes := 0; outcome.interruptions := 0; outcome.transient := false;
    IF status = 'Completed' THEN
        outcome.source_bytes := 100; outcome.output_format := 'jpeg'; outcome.content_type := 'image/jpeg';
        outcome.etag := 'digest'; outcome.width := 4; outcome.height := 3; outcome.kept_source := false;
    ELSE
        outcome.error_code := 'timeout'; outcome.error := 'timed out';
        outcome.retry_delay_ms := CASE status WHEN 'Pending' THEN 0 END;
    END IF;
    PERFORM imgpress_internal.finish_images(ARRAY[outcome], ARRAY['\xffd8'::bytea]);
END
$$;
-- As if so much time had passed.
CREATE FUNCTION pg_temp.pass(span interval) RETURNS void LANGUAGE sql AS $$
    UPDATE imgpress.processing_requests
    SET created_at = created_at - span, started_at = started_at - span, ended_at = ended_at - span, worked_until = worked_until - span
$$;
CREATE FUNCTION pg_temp.seconds(request uuid) RETURNS numeric LANGUAGE sql AS $$
    SELECT round(extract(epoch FROM working_time)) FROM imgpress.progress WHERE request_id = request
$$;

SELECT pg_temp.request(4) AS id \gset
SELECT results_eq(format('SELECT working_time, images_per_second, remaining FROM imgpress.progress WHERE request_id = %L', :'id'),
    $$ VALUES (NULL::interval, NULL::numeric, NULL::interval) $$, 'nothing is known before it has started');
SELECT pg_temp.pass('1 hour');
SELECT is(pg_temp.claim(1, 2), 1::bigint, 'it has waited for an hour');
SELECT pg_temp.pass('5 s');
SELECT is(pg_temp.claim(2, 20, ARRAY[:'id'::uuid]), 3::bigint, 'further images are claimed while one is in flight');
SELECT pg_temp.pass('5 s');
SELECT pg_temp.finish(1, :'id', 1, 'Completed');
SELECT is(pg_temp.seconds(:'id'), 10::numeric, 'time with work in flight counts');
SELECT results_eq(format('SELECT images_per_second, remaining, percent FROM imgpress.progress WHERE request_id = %L', :'id'),
    $$ VALUES (0.1::numeric, interval '30 s', 25.0::numeric) $$);
SELECT pg_temp.pass('20 s');
SELECT pg_temp.finish(2, :'id', 2, 'Failed');
SELECT pg_temp.finish(2, :'id', 3, 'Failed');
SELECT results_eq(format('SELECT images_per_second, remaining FROM imgpress.progress WHERE request_id = %L', :'id'),
    $$ VALUES (0.0::numeric, interval '10 s') $$, 'the rate counts successes, the estimate all that have ended');
SELECT pg_temp.finish(2, :'id', 4, 'Pending');
SELECT pg_temp.pass('1 hour');
SELECT is(pg_temp.claim(3, 20), 1::bigint, 'a retry an hour later');
SELECT pg_temp.pass('10 s');
SELECT pg_temp.finish(3, :'id', 4, 'Completed');
SELECT is(pg_temp.seconds(:'id'), 40::numeric, 'the wait for a retry does not count');
SELECT is((SELECT remaining FROM imgpress.progress WHERE request_id = :'id'), NULL, 'it has ended');

SELECT pg_temp.pass('1 hour');
SELECT is(imgpress.retry_failed(:'id'), 2::bigint);
SELECT pg_temp.pass('1 hour');
SELECT is(pg_temp.claim(4, 20), 2::bigint, 'the next run');
SELECT pg_temp.pass('10 s');
SELECT pg_temp.finish(4, :'id', 2, 'Completed');
SELECT pg_temp.finish(4, :'id', 3, 'Completed');
SELECT results_eq(format('SELECT round(extract(epoch FROM working_time)), images_per_second, status FROM imgpress.progress WHERE request_id = %L', :'id'),
    $$ VALUES (50::numeric, 0.1::numeric, 'Completed') $$, 'nor does the time between two runs');

-- Newest first, at the cost of a page.
SELECT pg_temp.request(1) FROM generate_series(1, 3);
UPDATE imgpress.processing_requests SET created_at = created_at - random() * interval '1 day';
SELECT is((SELECT array_agg(created_at) FROM imgpress.progress), (SELECT array_agg(created_at ORDER BY created_at DESC) FROM imgpress.processing_requests));
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) ' || query;
END
$$;
SET LOCAL enable_seqscan = off;
SET LOCAL ROLE imgpress_reader;
SELECT set_has($$ SELECT btrim(plan, ' ->') FROM pg_temp.plan('SELECT * FROM imgpress.progress LIMIT 10') plan $$,
    $$ VALUES ('Index Scan Backward using processing_requests_created on processing_requests r') $$, 'the index has the order');
SELECT set_has($$ SELECT btrim(plan, ' ->') FROM pg_temp.plan('SELECT * FROM imgpress.progress WHERE request_id = ''e5b3aa2c-48bb-4a51-a9a9-8a4cd0a4a73f''') plan $$,
    $$ VALUES ('Index Scan using processing_requests_pkey on processing_requests r') $$, 'one request is looked up by its id');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
