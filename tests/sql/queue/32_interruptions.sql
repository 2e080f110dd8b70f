-- What a killed worker held is put back with suspicion, and what it gave back in order is not.
BEGIN;
SELECT plan(18);

CREATE FUNCTION pg_temp.claim(token bigint, idle boolean) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT i.url FROM imgpress_internal.claim_images(0, token, 100, 50, '{}', '{}', '1 minute', idle) i
    WHERE i.image_no IS NOT NULL ORDER BY 1
$$;
CREATE FUNCTION pg_temp.image(of_url text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s, %s attempts, %s interruptions', i.status, i.attempts, i.interruptions) FROM imgpress.images i WHERE i.url = of_url
$$;

SELECT imgpress.submit(ARRAY[(1, 'P', 'http://a/1')::imgpress.product_input], 'http://hook/') AS id \gset
SELECT imgpress.submit(ARRAY[(1, 'P', 'http://a/2')::imgpress.product_input]);

-- In order: as if nothing had happened, however often.
DO $$
BEGIN
    FOR token IN 1..5 LOOP
        PERFORM pg_temp.claim(token, true);
        PERFORM imgpress_internal.rescue(0, false);
    END LOOP;
END
$$;
SELECT is(pg_temp.image('http://a/1'), 'Pending, 0 attempts, 0 interruptions', 'a worker that ended in order costs no attempt');

-- Interrupted three times, one of the images must be alone.
SELECT count(*) FROM pg_temp.claim(11, true);
SELECT is(imgpress_internal.rescue(0, true), 2::bigint, 'what a killed worker held is put back');
SELECT is(pg_temp.image('http://a/1'), 'Pending, 1 attempts, 1 interruptions', 'and the interruption is counted');
UPDATE imgpress.images SET interruptions = 3 WHERE url = 'http://a/1';
SELECT results_eq($$ SELECT pg_temp.claim(12, false) $$, ARRAY['http://a/2'], 'a worker that is busy does not get it');
SELECT is((SELECT max(lone_due_in_ms) FROM imgpress_internal.claim_images(0, 13, 0, 0, '{}', '{}', '1 minute')), 0::bigint, 'but learns that it is due');
SELECT is((SELECT max(due_in_ms) FROM imgpress_internal.claim_images(0, 13, 0, 0, '{}', '{}', '1 minute')), NULL, 'which does not make it look for others');
SELECT imgpress_internal.release_leases('{12}', false);
SELECT results_eq($$ SELECT pg_temp.claim(14, true) $$, ARRAY['http://a/1'], 'an idle one gets it, and no other');

-- Given back in order it stays alone; interrupted again, it is given up.
SELECT is(imgpress_internal.rescue(0, false), 1::bigint);
SELECT is(pg_temp.image('http://a/1'), 'Pending, 1 attempts, 3 interruptions');
SELECT count(*) FROM pg_temp.claim(15, true);
SELECT is(imgpress_internal.rescue(0, true), 1::bigint);
SELECT results_eq($$ SELECT status, error_code, transient, attempts FROM imgpress.images WHERE url = 'http://a/1' $$,
    $$ VALUES ('Failed', 'press_died', false, 2::smallint) $$, 'an image that has ended a worker alone is given up');
SELECT is(imgpress.request_status(:'id'), 'Completed', 'which ends its request');
SELECT is_empty('SELECT FROM imgpress_internal.leases', 'no lease is left');
SELECT imgpress.retry_failed(:'id');
SELECT is(pg_temp.image('http://a/1'), 'Pending, 0 attempts, 0 interruptions', 'a retry forgets the interruptions');

-- A webhook: the third interruption in a row counts as an attempt.
CREATE FUNCTION pg_temp.interrupt(token bigint) RETURNS smallint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM imgpress_internal.claim_deliveries(0, token, 10, '1 minute');
    PERFORM imgpress_internal.rescue(0, true);
    RETURN (SELECT attempts FROM imgpress.webhook_deliveries);
END
$$;
SELECT is(pg_temp.interrupt(21), 0::smallint);
SELECT is(pg_temp.interrupt(22), 0::smallint);
SELECT is(pg_temp.interrupt(23), 1::smallint);
SELECT results_eq('SELECT status, lease_token, next_attempt_at <= clock_timestamp() FROM imgpress.webhook_deliveries',
    $$ VALUES ('Pending', NULL::bigint, true) $$, 'each time it is due at once');

SELECT * FROM finish();
ROLLBACK;
