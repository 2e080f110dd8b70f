-- Priorities: what a claim takes of which. The transaction is rolled back, so that the drainer sees nothing of it.
BEGIN;
SELECT plan(31);

CREATE FUNCTION pg_temp.request(images integer, priority integer) RETURNS uuid LANGUAGE sql AS $$
    SELECT imgpress.submit(array_agg((n, 'P', 'http://a/' || n)::imgpress.product_input ORDER BY n), priority => priority)
    FROM generate_series(1, images) n
$$;
CREATE FUNCTION pg_temp.claimed(token bigint, slots integer, held_requests uuid[] DEFAULT '{}', held_counts integer[] DEFAULT '{}')
    RETURNS TABLE (priority smallint, images bigint) LANGUAGE sql AS $$
    SELECT r.priority, count(*)
    FROM imgpress_internal.claim_images(0, token, slots, slots / 2, held_requests, held_counts, '1 minute') i
    JOIN imgpress.processing_requests r ON r.id = i.request_id
    GROUP BY 1 ORDER BY 1
$$;

-- Who may ask for which priority.
SELECT throws_ok($$ SELECT pg_temp.request(1, 101) $$, '22023', 'priority must be an integer from -100 to 100, not "101"');
CREATE ROLE steering_user LOGIN IN ROLE imgpress_user;
CREATE ROLE steering_admin LOGIN IN ROLE imgpress_admin;
SET LOCAL ROLE steering_user;
SELECT throws_ok($$ SELECT imgpress.submit('{"(1,P,http://a/1)"}', priority => 1) $$, '42501',
    'priority 1 is above 0, which only members of imgpress_admin may use');
SELECT imgpress.submit('{"(1,P,http://a/1)"}', priority => -5) AS own \gset
SELECT results_eq(format('SELECT priority FROM imgpress.processing_requests WHERE id = %L', :'own'), ARRAY[-5::smallint]);
SELECT lives_ok(format('SELECT imgpress.set_priority(%L, -100)', :'own'));
SELECT throws_ok(format('SELECT imgpress.set_priority(%L, 1)', :'own'), '42501');
SELECT throws_ok(format('SELECT imgpress.set_priority(%L, NULL)', :'own'), '22023');
SELECT throws_ok($$ SELECT imgpress.set_priority(gen_random_uuid(), 0) $$, 'P0002');
SET LOCAL imgpress.priority = -7;
SELECT imgpress.submit('{"(1,P,http://a/1)"}') AS by_setting \gset
SELECT is((SELECT priority FROM imgpress.processing_requests WHERE id = :'by_setting'), -7::smallint, 'the setting is the default');
SET LOCAL imgpress.priority = 7;
SELECT throws_ok($$ SELECT imgpress.submit('{"(1,P,http://a/1)"}') $$, '42501', NULL, 'the setting gives no right');
SET LOCAL imgpress.priority = 0;
SET LOCAL ROLE steering_admin;
SELECT imgpress.set_priority(:'own', 100);
SELECT is((SELECT priority FROM imgpress.processing_requests WHERE id = :'own'), 100::smallint, 'an administrator may raise it');
RESET ROLE;
SET LOCAL ROLE steering_user;
SELECT lives_ok(format('SELECT imgpress.set_priority(%L, 0)', :'own'), 'its owner may lower it again');
RESET ROLE;

-- Deep queues of many small requests: the lower priority gets one of eight places.
DELETE FROM imgpress.processing_requests;
SELECT count(pg_temp.request(1, -10)), count(pg_temp.request(2, 0)) FROM generate_series(1, 200);
SELECT results_eq('SELECT * FROM pg_temp.claimed(1, 64)', $$ VALUES (-10::smallint, 8::bigint), (0::smallint, 54::bigint) $$);
SELECT results_eq('SELECT * FROM pg_temp.claimed(2, 64)', $$ VALUES (-10::smallint, 8::bigint), (0::smallint, 54::bigint) $$);

-- Three: each lower one gets an eighth.
SELECT count(pg_temp.request(1, -100)) FROM generate_series(1, 200);
SELECT results_eq('SELECT * FROM pg_temp.claimed(3, 64)',
    $$ VALUES (-100::smallint, 8::bigint), (-10::smallint, 8::bigint), (0::smallint, 46::bigint) $$);

-- More than seven lower priorities take turns: the highest always gets places, and no other starves.
SELECT count(pg_temp.request(50, -n)) FROM generate_series(20, 30) n;
SELECT is((SELECT sum(images) FROM generate_series(10, 59) t, pg_temp.claimed(t, 8) WHERE priority = 0), 50::numeric);
SELECT is((SELECT count(*) FROM imgpress.processing_requests WHERE priority <= -20 AND claimed_up_to = 0 AND last_image_no = 50), 0::bigint);

-- One large request each: a lower one that holds its eighth gets no more, as long as the other waits.
DELETE FROM imgpress.processing_requests;
SELECT pg_temp.request(1000, -10) AS low \gset
SELECT pg_temp.request(1000, 0) AS high \gset
SELECT results_eq('SELECT * FROM pg_temp.claimed(100, 256)', $$ VALUES (-10::smallint, 32::bigint), (0::smallint, 112::bigint) $$,
    'an eighth, and half of the rest: the other half is for newcomers');
SELECT results_eq(format('SELECT * FROM pg_temp.claimed(101, 144, ARRAY[%L, %L]::uuid[], ARRAY[32, 80])', :'low', :'high'),
    $$ VALUES (0::smallint, 32::bigint) $$);
SELECT results_eq(format('SELECT * FROM pg_temp.claimed(102, 4, ARRAY[%L, %L]::uuid[], ARRAY[30, 222])', :'low', :'high'),
    $$ VALUES (-10::smallint, 2::bigint) $$, 'in a small claim, too');

-- What the higher one does not need goes to the lower one; at once when it has ended, ...
UPDATE imgpress.processing_requests SET claimed_up_to = 990 WHERE id = :'high';
SELECT results_eq('SELECT * FROM pg_temp.claimed(103, 256)', $$ VALUES (-10::smallint, 32::bigint), (0::smallint, 10::bigint) $$);
SELECT results_eq('SELECT * FROM pg_temp.claimed(104, 214)', $$ VALUES (-10::smallint, 107::bigint) $$);
-- ... and after ten seconds when its images in flight are slow.
SELECT pg_temp.request(1000, 5) AS slow \gset
UPDATE imgpress.processing_requests SET claimed_up_to = 128, status = 'Processing', claimed_at = clock_timestamp() WHERE id = :'slow';
SELECT is_empty(format('SELECT * FROM pg_temp.claimed(105, 96, ARRAY[%L, %L]::uuid[], ARRAY[128, 32])', :'slow', :'low'));
UPDATE imgpress.processing_requests SET claimed_at = clock_timestamp() - interval '11 s' WHERE id = :'slow';
SELECT results_eq(format('SELECT * FROM pg_temp.claimed(106, 96, ARRAY[%L, %L]::uuid[], ARRAY[128, 32])', :'slow', :'low'),
    $$ VALUES (-10::smallint, 32::bigint) $$);

-- Retries: more of a low priority are due than there are places, and for longer than those of others.
DELETE FROM imgpress.processing_requests;
CREATE FUNCTION pg_temp.due(request uuid, images integer, since interval) RETURNS void LANGUAGE sql AS $$
    UPDATE imgpress.images SET retry_at = clock_timestamp() - since WHERE request_id = request;
    UPDATE imgpress.processing_requests SET claimed_up_to = images, status = 'Processing', started_at = now(), claimed_at = now()
        WHERE id = request;
$$;
SELECT pg_temp.due(pg_temp.request(1000, -10), 1000, '1 hour');
SELECT results_eq('SELECT * FROM pg_temp.claimed(200, 64)', $$ VALUES (-10::smallint, 32::bigint) $$, 'alone, they get all places of retries');
SELECT count(pg_temp.due(pg_temp.request(2, 0), 2, '1 s')) FROM generate_series(1, 5);
SELECT results_eq('SELECT * FROM pg_temp.claimed(201, 64)', $$ VALUES (-10::smallint, 8::bigint), (0::smallint, 10::bigint) $$,
    'retries of a higher priority do not wait for them');
SELECT pg_temp.request(1000, 0) AS fresh \gset
SELECT results_eq('SELECT * FROM pg_temp.claimed(202, 64)', $$ VALUES (-10::smallint, 8::bigint), (0::smallint, 28::bigint) $$,
    'nor do fresh images: half of what is left, as it is one request');
DELETE FROM imgpress.processing_requests;
SELECT pg_temp.due(pg_temp.request(1000, 0), 1000, '1 hour');
SELECT count(pg_temp.due(pg_temp.request(1, 0), 1, '1 s')) FROM generate_series(1, 15);
SELECT is((SELECT count(DISTINCT i.request_id) FROM imgpress_internal.claim_images(0, 203, 64, 32, '{}', '{}', '1 minute') i), 16::bigint,
    'a large request does not hold up the retries of small ones of its priority');

-- The pause of the queue.
SELECT imgpress.pause_queue('first'), imgpress.pause_queue('second');
SELECT is((SELECT reason FROM imgpress_internal.queue_pause), 'second', 'pausing again changes the reason');
SELECT results_eq($$ SELECT image_no, more, due_in_ms, lone_due_in_ms FROM imgpress_internal.claim_images(0, 107, 96, 48, '{}', '{}', '1 minute', idle => true) $$,
    $$ VALUES (NULL::integer, false, NULL::bigint, NULL::bigint) $$, 'nothing is claimed, and nothing due');
SELECT is((SELECT 'imgpress_internal.queue_pause'::regclass = ANY (extconfig) FROM pg_extension WHERE extname = 'imgpress'), true, 'it is dumped');
SELECT imgpress.resume_queue();
SELECT pg_temp.request(1, 0);
SELECT isnt_empty('SELECT * FROM pg_temp.claimed(108, 96)');

SELECT * FROM finish();
ROLLBACK;
