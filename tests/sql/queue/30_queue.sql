-- The queue's functions, called as the drainer does: claim, finish, rescue, fairness. The transaction is
-- rolled back, so that the drainer sees nothing of it.
BEGIN;
SELECT plan(43);

CREATE FUNCTION pg_temp.request(images integer) RETURNS uuid LANGUAGE sql AS $$
    SELECT imgpress.submit(array_agg((n, 'P', 'http://a/' || n)::imgpress.product_input ORDER BY n))
    FROM generate_series(1, images) n
$$;
CREATE FUNCTION pg_temp.claim(token bigint, slots integer) RETURNS TABLE (request uuid, pos integer) LANGUAGE sql AS $$
    SELECT i.request_id, i.image_no FROM imgpress_internal.claim_images(0, token, slots, slots, '{}', '{}', '1 minute') i
    WHERE i.image_no IS NOT NULL
$$;
-- Finishes an image with an output of 40 bytes; returns 1 if it was recorded.
CREATE FUNCTION pg_temp.finish(token bigint, request uuid, pos integer, status text, delay_ms bigint DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    done constant boolean := status = 'Completed';
    held constant boolean := EXISTS (SELECT FROM imgpress.images i WHERE i.request_id = request AND i.image_no = pos AND i.lease_token = token);
    outcome imgpress_internal.outcome;
BEGIN
    outcome.token := token;
    outcome.request_id := request;
    outcome.image_no := pos;
    outcome.status := status;
    outcome.retry_delay_ms := delay_ms;
    outcome.failed_attempts := 0;
    outcome.codec_crashes := 0;
    outcome.interruptions := 0;
    outcome.transient := NOT done;
    IF done THEN
        outcome.source_bytes := 100;
        outcome.output_format := 'jpeg';
        outcome.content_type := 'image/jpeg';
        outcome.etag := 'digest';
        outcome.width := 4;
        outcome.height := 3;
        outcome.kept_source := false;
    ELSE
        outcome.error_code := 'timeout';
        outcome.error := 'timed out';
        outcome.http_status := 504;
    END IF;
    PERFORM imgpress_internal.finish_images(ARRAY[outcome], ARRAY[CASE WHEN done THEN decode(repeat('ab', 40), 'hex') END]);
    RETURN CASE WHEN held AND NOT EXISTS (SELECT FROM imgpress.images i WHERE i.request_id = request AND i.image_no = pos AND i.lease_token = token) THEN 1 END;
END
$$;

-- A claim counts the attempt and makes the request Processing.
SELECT pg_temp.request(4) AS id \gset
SELECT is((SELECT array_agg(pos ORDER BY pos) FROM pg_temp.claim(1, 4)), ARRAY[1, 2], 'one request gets half of the window');
SELECT is(imgpress.request_status(:'id'), 'Processing');
SELECT results_eq(format('SELECT attempts FROM imgpress.images WHERE request_id = %L ORDER BY image_no', :'id'),
    ARRAY[1, 1, 0, 0]::smallint[], 'attempts are counted by the claim');

-- Only the holder of the lease can finish an image.
SELECT is(pg_temp.finish(2, :'id', 1, 'Completed'), NULL, 'a foreign token finishes nothing');
SELECT is(pg_temp.finish(1, :'id', 1, 'Completed'), 1, 'the token of the lease does');
SELECT is(pg_temp.finish(1, :'id', 1, 'Completed'), NULL, 'a second time nothing is recorded');
SELECT is((SELECT succeeded_count FROM imgpress.processing_requests WHERE id = :'id'), 1);

-- Rescue: images of a dead drainer can be claimed again, and its late result is ignored.
SELECT is((imgpress_internal.renew_leases('{}', '1 minute')).rescued, 0::bigint, 'a lease that has not expired is left alone');
SELECT is(imgpress_internal.rescue(7, true), 0::bigint, 'rescue leaves the leases of other drainers alone');
SELECT is(imgpress_internal.rescue(0, true), 1::bigint, 'and releases those of its own number');
SELECT is(pg_temp.finish(1, :'id', 2, 'Completed'), NULL, 'the old token no longer finishes the image');
SELECT is_empty('SELECT * FROM imgpress_internal.leases', 'no lease is left');
SELECT is((SELECT array_agg(pos ORDER BY pos) FROM pg_temp.claim(3, 10)), ARRAY[2, 3, 4], 'the released image is claimed again, with the rest');

-- Retry, failure, and the end of the request.
SELECT pg_temp.finish(3, :'id', 2, 'Pending', 0);
SELECT is((SELECT array_agg(pos) FROM pg_temp.claim(4, 10)), ARRAY[2], 'a retry is claimed when it is due');
SELECT pg_temp.finish(4, :'id', 2, 'Failed');
SELECT pg_temp.finish(3, :'id', 3, 'Completed');
SELECT is(imgpress.request_status(:'id'), 'Processing', 'not ended before its last image');
SELECT pg_temp.finish(3, :'id', 4, 'Completed');
SELECT is(imgpress.request_status(:'id'), 'Completed', 'a failed image does not fail its request');
SELECT results_eq(format('SELECT succeeded, failed, source_bytes, output_bytes FROM imgpress.progress WHERE request_id = %L', :'id'),
    $$ VALUES (3, 1, 300::bigint, 120::bigint) $$, 'counters count each image once');
SELECT results_eq(format('SELECT image_no, error_code, error, http_status FROM imgpress.failures WHERE request_id = %L', :'id'),
    $$ VALUES (2, 'timeout', 'timed out', 504) $$, 'the view failures has the reason');

-- Fairness: the request that was served longest ago comes first.
SELECT pg_temp.request(1000) AS big \gset
SELECT count(*) FROM pg_temp.claim(5, 100);
SELECT pg_temp.request(1) AS small \gset
SELECT is((SELECT request FROM pg_temp.claim(6, 1)), :'small'::uuid, 'a new request is served before a large one continues');
SELECT is((SELECT count(image_no) FROM imgpress_internal.claim_images(0, 7, 10, 5, ARRAY[:'big'::uuid], ARRAY[10], '1 minute')), 0::bigint,
    'a request that holds half of the window gets no more');

-- Each image is claimed with the options of its request.
SELECT imgpress.submit(ARRAY[(1, 'P', 'http://a/1')::imgpress.product_input], quality => 30, effort => 'fast');
SELECT results_eq($$ SELECT i.url, i.options @> '{"quality": 30, "effort": "fast"}' FROM imgpress_internal.claim_images(0, 8, 1, 0, '{}', '{}', '1 minute') i WHERE i.image_no IS NOT NULL $$,
    $$ VALUES ('http://a/1', true) $$, 'a claim returns the options of the request');

-- Cancel takes images away from the drainer that holds them.
SELECT imgpress.cancel(:'big');
SELECT is(pg_temp.finish(5, :'big', 1, 'Completed'), NULL, 'work on a cancelled request is dropped');
SELECT results_eq(format('SELECT status, reason, failed_count FROM imgpress.processing_requests WHERE id = %L', :'big'),
    $$ VALUES ('Failed', 'cancelled', 1000) $$);
SELECT is_empty('SELECT error_code FROM imgpress.images WHERE error_code IS NOT NULL EXCEPT SELECT code FROM imgpress.error_codes()',
    'what SQL writes is an error code that error_codes() has');

-- Releasing images that were not worked on takes back the attempt.
DELETE FROM imgpress.processing_requests;
SELECT pg_temp.request(1) AS id \gset
SELECT count(*) FROM pg_temp.claim(20, 4);
SELECT is(imgpress_internal.release_leases(ARRAY[20], interrupted => false), 1::bigint, 'the image is released');
SELECT results_eq('SELECT status, attempts FROM imgpress.images', $$ VALUES ('Pending', 0::smallint) $$, 'as if it had not been claimed');

-- A lease is deleted when it holds no image any more.
SELECT pg_temp.request(2) AS id \gset
SELECT count(*) FROM pg_temp.claim(21, 20);
SELECT pg_temp.finish(21, request_id, image_no, 'Completed') FROM imgpress.images WHERE lease_token = 21 ORDER BY request_id, image_no LIMIT 2;
SELECT isnt_empty('SELECT FROM imgpress_internal.leases WHERE token = 21', 'it stays while an image has its token');
SELECT imgpress.cancel(request_id) FROM imgpress.images WHERE lease_token = 21;
SELECT pg_temp.finish(21, :'id', 1, 'Completed');
SELECT is_empty('SELECT FROM imgpress_internal.leases WHERE token = 21', 'the last one was taken away by a cancel');

-- An output must have bytes; otherwise nothing of the call is recorded.
SELECT pg_temp.request(1) AS id \gset
SELECT count(*) FROM pg_temp.claim(22, 4);
SELECT throws_ok(format($$ SELECT imgpress_internal.finish_images(ARRAY[(22, %L, 1, 'Completed', NULL, 0, 0, 0, false, false, NULL, NULL, 200, 9, 'jpeg', 'image/jpeg', 'digest', 4, 3, false, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL)::imgpress_internal.outcome], ARRAY[NULL::bytea]) $$, :'id'),
    '23502', NULL, 'an output without bytes is refused');
SELECT is(pg_temp.finish(22, :'id', 1, 'Completed'), 1);
SELECT results_eq(format('SELECT octet_length(bytes), etag FROM imgpress.outputs WHERE request_id = %L', :'id'), $$ VALUES (40, 'digest') $$);

-- When the next retry is due.
SELECT is(imgpress_internal.next_retry_in_ms(), NULL, 'nothing is due');
SELECT pg_temp.request(1) AS id \gset
SELECT count(*) FROM pg_temp.claim(23, 4);
SELECT pg_temp.finish(23, :'id', 1, 'Pending', 60000);
SELECT cmp_ok(imgpress_internal.next_retry_in_ms(), '<=', 60000::bigint);
SELECT cmp_ok(imgpress_internal.next_retry_in_ms(), '>', 30000::bigint);
SELECT is((SELECT max(due_in_ms) FROM imgpress_internal.claim_images(0, 24, 4, 4, '{}', '{}', '1 minute')) > 30000, true, 'a claim returns it as well');

-- Turns: the first one of a request is short, so that all new requests get one soon; later ones are long,
-- because a claim has fixed costs.
DELETE FROM imgpress.processing_requests;
SELECT count(pg_temp.request(50)) FROM generate_series(1, 40);
SELECT is((SELECT bool_or(more) FROM imgpress_internal.claim_images(0, 9, 0, 0, '{}', '{}', '1 minute')), false, 'without slots there is never more to claim, or the drainer would loop');
SELECT results_eq('SELECT count(*), count(DISTINCT request), max(n) FROM (SELECT request, count(*) OVER (PARTITION BY request) AS n FROM pg_temp.claim(11, 64)) c',
    $$ VALUES (60::bigint, 30::bigint, 2::bigint) $$, 'a first turn has 2 images when many requests are waiting');
SELECT results_eq('SELECT max(n), count(*) FILTER (WHERE n = 2) FROM (SELECT count(*) AS n FROM pg_temp.claim(12, 64) GROUP BY request) c',
    $$ VALUES (22::bigint, 10::bigint) $$, 'a later turn has more, after the remaining first turns');
SELECT is((SELECT sum(claimed_up_to) FROM imgpress.processing_requests), (SELECT count(*) FROM imgpress.images WHERE attempts > 0),
    'claimed_up_to counts the claimed images');

-- more: whether another claim would find images at once.
DELETE FROM imgpress.processing_requests;
SELECT pg_temp.request(1000) AS id \gset
PREPARE claim_256(bigint) AS SELECT count(image_no), bool_or(more)
    FROM imgpress_internal.claim_images(0, $1, 256, 0, '{}', '{}', '1 minute');
SELECT results_eq('EXECUTE claim_256(13)', $$ VALUES (128::bigint, false) $$, 'a request that has got half of the window gets no more');
DELETE FROM imgpress.processing_requests;
SELECT count(pg_temp.request(1000)) FROM generate_series(1, 8);
SELECT results_eq('EXECUTE claim_256(14)', $$ VALUES (240::bigint, true) $$, 'requests whose turns were short may have another one');

-- A parallel restore may load requests before their images.
DELETE FROM imgpress.processing_requests;
INSERT INTO imgpress.processing_requests (product_count, image_count, last_image_no) VALUES (1, 3, 3);
SELECT is_empty('SELECT * FROM pg_temp.claim(10, 64)', 'images that are not loaded yet are not claimed');
SELECT is((SELECT claimed_up_to FROM imgpress.processing_requests), 0, 'and not skipped');

SELECT * FROM finish();
ROLLBACK;
