-- Webhooks: signature, outbox, schedule.
BEGIN;
SELECT plan(38);

-- HMAC: RFC 4231, test cases 1 and 6 (a key longer than the block).
SELECT is(encode(imgpress_internal.hmac_sha256(decode(repeat('0b', 20), 'hex'), 'Hi There'), 'hex'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7', 'HMAC of a short key');
SELECT is(encode(imgpress_internal.hmac_sha256(decode(repeat('aa', 131), 'hex'), 'Test Using Larger Than Block-Size Key - Hash Key First'), 'hex'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54', 'HMAC of a long key');

-- The example of Standard Webhooks 1.0.0.
DELETE FROM imgpress.webhook_secrets;
INSERT INTO imgpress.webhook_secrets (secret) VALUES ('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
SELECT is(imgpress_internal.webhook_signature('msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}'),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'signature');
INSERT INTO imgpress.webhook_secrets (secret) VALUES ('whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD');
SELECT matches(imgpress_internal.webhook_signature('m', 1, 'x'), '^v1,\S{44} v1,\S{44}$', 'one signature for each secret');
DELETE FROM imgpress.webhook_secrets;
SELECT matches(imgpress.webhook_secret(), '^whsec_[A-Za-z0-9+/]{43}=$', 'a secret of 32 bytes is made when one is needed');
SELECT is(imgpress.webhook_secret(), imgpress.webhook_secret(), 'and stays the same');

-- The end of the request writes the webhook into the outbox.
SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,n,http://a/1\n', 'http://hook/') AS id \gset
SELECT is_empty('SELECT * FROM imgpress.webhook_deliveries', 'nothing before the end');
SELECT imgpress.cancel(:'id');
SELECT results_eq($$ SELECT url, status, payload::json->>'type', payload::json->'data'->>'request_id' FROM imgpress.webhook_deliveries $$,
    format($$ VALUES ('http://hook/', 'Pending', 'request.failed', %L) $$, :'id'), 'one message at the end');

-- A claim counts the attempt and leases the message, until the drainer records the result.
CREATE FUNCTION pg_temp.claim(drainer integer, token bigint)
    RETURNS TABLE (id bigint, attempts smallint, id_header text) LANGUAGE sql AS $$
    SELECT d.id, d.attempts, d.headers[2] FROM imgpress_internal.claim_deliveries(drainer, token, 10, '1 minute') d WHERE d.id IS NOT NULL
$$;
SELECT id AS delivery, attempts, id_header FROM pg_temp.claim(0, 1) \gset
SELECT is(:'id_header'::text, format('webhook-id: %s.1', :'id'), 'the message has an id');
SELECT is(:attempts, 1, 'the drainer learns which attempt it is');
SELECT results_eq('SELECT status, attempts, lease_token, next_attempt_at FROM imgpress.webhook_deliveries',
    $$ VALUES ('Pending', 1::smallint, 1::bigint, NULL::timestamptz) $$, 'during an attempt there is a lease and no next attempt');
SELECT is_empty('SELECT * FROM pg_temp.claim(0, 2)', 'a message under lease is not handed out twice');
SELECT imgpress_internal.finish_delivery(:'delivery', 2, 'Delivered', NULL, 200, NULL);
SELECT is((SELECT status FROM imgpress.webhook_deliveries), 'Pending', 'another token does not end the attempt');
SELECT isnt_empty('SELECT FROM imgpress_internal.leases WHERE token = 1', 'or the lease');
SELECT imgpress_internal.finish_delivery(:'delivery', 1, 'Pending', 5000, 500, 'HTTP 500');
SELECT results_eq($$ SELECT lease_token, next_attempt_at - clock_timestamp() BETWEEN '4 seconds' AND '5 seconds', last_http_status, last_error FROM imgpress.webhook_deliveries $$,
    $$ VALUES (NULL::bigint, true, 500, 'HTTP 500') $$, 'a retry is due after the delay that the drainer has chosen');
SELECT is_empty('SELECT FROM imgpress_internal.leases', 'its lease has ended');
SELECT is((SELECT due_in_ms FROM imgpress_internal.claim_deliveries(0, 2, 10, '1 minute')) BETWEEN 4000 AND 5000, true, 'a claim tells when it is due');
UPDATE imgpress.webhook_deliveries SET next_attempt_at = clock_timestamp() - interval '1 second';
SELECT is((SELECT id_header FROM pg_temp.claim(0, 3)), :'id_header', 'the next attempt has the same id');

-- Messages whose lease has expired or was released are due at once.
SELECT is((imgpress_internal.renew_leases('{}', '1 minute')).rescued, 0::bigint, 'a lease that has not expired is left alone');
SELECT is((imgpress_internal.renew_leases('{3}', '-1 second')).rescued, 1::bigint, 'an expired one is put back');
SELECT is_empty('SELECT FROM imgpress_internal.leases', 'and ends');
SELECT is((SELECT count(*) FROM pg_temp.claim(5, 4)), 1::bigint);
SELECT is(imgpress_internal.rescue(0, true), 0::bigint, 'rescue leaves the leases of other drainers alone');
SELECT is(imgpress_internal.rescue(5, true), 1::bigint, 'and releases those of its own number');
SELECT is((SELECT attempts FROM pg_temp.claim(0, 5)), 2::smallint, 'the two attempts that were interrupted do not count');
SELECT imgpress_internal.release_leases('{5}', interrupted => false);
SELECT is((SELECT attempts FROM imgpress.webhook_deliveries), 1::smallint, 'an attempt that was not begun does not count');
SELECT count(*) FROM pg_temp.claim(0, 6);
SELECT imgpress_internal.finish_delivery(:'delivery', 6, 'Failed', NULL, 410, 'HTTP 410');
SELECT results_eq('SELECT status, lease_token, next_attempt_at, ended_at IS NOT NULL FROM imgpress.webhook_deliveries',
    $$ VALUES ('Failed', NULL::bigint, NULL::timestamptz, true) $$, 'after the end there is neither lease nor next attempt');

-- CHECK constraints of the table.
SELECT throws_ok($$ UPDATE imgpress.webhook_deliveries SET status = 'Pending', ended_at = NULL $$, '23514',
    'new row for relation "webhook_deliveries" violates check constraint "pending_is_leased_or_due"', 'Pending is leased or due');
SELECT throws_ok($$ UPDATE imgpress.webhook_deliveries SET next_attempt_at = now() $$, '23514',
    'new row for relation "webhook_deliveries" violates check constraint "pending_is_leased_or_due"', 'an ended delivery has no next attempt');
SELECT throws_ok($$ UPDATE imgpress.webhook_deliveries SET last_error = NULL $$, '23514',
    'new row for relation "webhook_deliveries" violates check constraint "failed_has_error"', 'Failed says why');

-- Each end of a request sends one message, with an id of its own.
SELECT is(imgpress.retry_failed(:'id', only_transient => true), 0::bigint, 'cancelled images are not retried by themselves');
SELECT is((SELECT count(*) FROM imgpress.webhook_deliveries), 1::bigint, 'no message where nothing was retried');
SELECT imgpress.retry_failed(:'id');
SELECT imgpress.cancel(:'id');
SELECT imgpress.cancel(:'id');
SELECT results_eq('SELECT message_id FROM imgpress.webhook_deliveries ORDER BY id',
    format('SELECT %L || run FROM unnest(ARRAY[1, 2]) run', :'id' || '.'), 'another end, another message, whose id has the run');

SELECT results_eq($$ SELECT * FROM imgpress.purge('0') $$, $$ VALUES (0::bigint, 0::bigint, 0::bigint, 1::bigint) $$,
    'purge keeps a request whose last message is not delivered yet');
UPDATE imgpress.webhook_deliveries SET status = 'Delivered', ended_at = now(), next_attempt_at = NULL WHERE status = 'Pending';
SELECT throws_ok($$ SELECT imgpress.purge('0', NULL) $$, '22004', 'dry_run is NULL', 'whether it deletes is not guessed');
SELECT results_eq($$ SELECT * FROM imgpress.purge('0', dry_run => true) $$, $$ VALUES (1::bigint, 1::bigint, 0::bigint, 0::bigint) $$,
    'a dry run says what a purge would do');
SELECT is((SELECT count(*) FROM imgpress.webhook_deliveries), 2::bigint, 'and does nothing');
SELECT imgpress.purge('0');
SELECT is_empty('SELECT * FROM imgpress.webhook_deliveries', 'purge deletes the messages');

SELECT * FROM finish();
ROLLBACK;
