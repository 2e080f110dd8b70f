-- imgpress.check(): finds nothing in what imgpress writes, and each violation that is made on purpose.
BEGIN;
SELECT plan(32);

-- One request with images 1 (has an output), 2 (failed), 3 (claimed), 4 (waits for a retry), 5 and 6 (fresh) in
-- two products, of which the second repeats image 1; and one that has ended.
SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,n,"http://a/1,http://a/2,http://a/3,http://a/4"\n'
    || E'2,n,"http://a/1,http://a/5,http://a/6"\n', 'http://hook/') AS id \gset
SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,n,http://a/1\n', 'http://hook/') AS ended \gset
SELECT imgpress.cancel(:'ended');
SELECT count(*) FROM imgpress_internal.claim_images(0, 7, 8, 8, '{}', '{}', '1 minute');

CREATE FUNCTION pg_temp.outcome(image_no integer, status text, delay_ms bigint DEFAULT NULL)
    RETURNS imgpress_internal.outcome LANGUAGE plpgsql AS $$
DECLARE
    made imgpress_internal.outcome;
BEGIN
    made.token := 7;
    made.image_no := image_no;
    made.status := status;
    made.failed_attempts := 0;
    made.codec_crashes := 0;
    made.interruptions := 0;
    made.transient := false;
    made.retry_delay_ms := delay_ms;
    IF status = 'Completed' THEN
        made.source_bytes := 100;
        made.output_format := 'jpeg';
        made.content_type := 'image/jpeg';
        made.etag := 'digest';
        made.width := 4;
        made.height := 3;
        made.kept_source := false;
    ELSE
        made.error_code := 'timeout';
    END IF;
    SELECT i.request_id INTO STRICT made.request_id FROM imgpress.images i WHERE i.lease_token = 7 LIMIT 1;
    RETURN made;
END
$$;
SELECT is((SELECT array_agg(image_no ORDER BY image_no) FROM imgpress.images WHERE lease_token = 7), ARRAY[1, 2, 3, 4],
    'four images are claimed');
SELECT imgpress_internal.finish_images(ARRAY[pg_temp.outcome(1, 'Completed'), pg_temp.outcome(2, 'Failed'),
    pg_temp.outcome(4, 'Pending', 1000)], ARRAY['abcd'::bytea, NULL, NULL]);
SELECT is_empty('SELECT * FROM imgpress.check()', 'work that is under way is no violation');

-- The rows that must not be are kept out by CHECKs and triggers.
SET LOCAL session_replication_role = replica;
DO $$
DECLARE
    rule record;
BEGIN
    FOR rule IN SELECT c.conrelid::regclass AS of_table, c.conname FROM pg_constraint c
        WHERE c.contype = 'c' AND c.connamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', rule.of_table, rule.conname);
    END LOOP;
END
$$;

-- Runs the statement, takes it back, and returns what check() said in between, sorted.
CREATE FUNCTION pg_temp.violations_after(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found_violations text;
BEGIN
    EXECUTE statement;
    found_violations := (SELECT string_agg(c.invariant || ': ' || c.detail, '; ' ORDER BY c.invariant, c.detail)
                         FROM imgpress.check() c);
    RAISE EXCEPTION SQLSTATE 'CHECK';
EXCEPTION WHEN SQLSTATE 'CHECK' THEN
    RETURN found_violations;
END
$$;
CREATE FUNCTION pg_temp.request(assignment text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.violations_after('UPDATE imgpress.processing_requests SET ' || assignment
        || $sql$ WHERE status = 'Processing'$sql$)
$$;

-- counters
SELECT is(pg_temp.request('product_count = 3'), 'counters: product_count is 3, but the rows give 2');
SELECT is(pg_temp.request('image_count = 5'), 'counters: image_count is 5, but the rows give 6');
SELECT is(pg_temp.request('last_image_no = 5'), 'counters: last_image_no is 5, but the rows give 7');
SELECT is(pg_temp.request('succeeded_count = 0'), 'counters: succeeded_count is 0, but the rows give 1');
SELECT is(pg_temp.request('failed_count = 2'), 'counters: failed_count is 2, but the rows give 1');
SELECT is(pg_temp.request('source_bytes = 99'), 'counters: source_bytes is 99, but the rows give 100');
SELECT is(pg_temp.request('output_bytes = 5'), 'counters: output_bytes is 5, but the rows give 4');

-- ends
SELECT is(pg_temp.violations_after($$
    UPDATE imgpress.processing_requests SET status = 'Processing' WHERE status = 'Failed' $$),
    'ends: it is Processing, although 0 of its images are unfinished', 'a request that would never end');
SELECT is(pg_temp.request($$status = 'Completed'$$), 'ends: it is Completed, although 4 of its images are unfinished');

-- outputs
SELECT is(pg_temp.violations_after('UPDATE imgpress_internal.image_outputs SET image_no = 2'),
    'outputs: Completed, but without an output: image_no 1; outputs: Failed, but with an output: image_no 2');
SELECT is(pg_temp.violations_after('UPDATE imgpress_internal.image_outputs SET image_no = 3'),
    'outputs: Completed, but without an output: image_no 1; outputs: Processing, but with an output: image_no 3');
SELECT is(pg_temp.violations_after('UPDATE imgpress_internal.image_outputs SET image_no = 99'),
    'outputs: Completed, but without an output: image_no 1; outputs: output without an image: image_no 99');
SELECT is(pg_temp.violations_after($$
    UPDATE imgpress.processing_requests SET output_bytes = 0; UPDATE imgpress_internal.blobs SET bytes = '' $$),
    'outputs: Completed, but without an output: image_no 1', 'an empty output is none');

-- blobs
SELECT is(pg_temp.violations_after('UPDATE imgpress_internal.image_outputs SET blob_id = 0'),
    (SELECT 'blobs: bytes of no output, and no deletion will find them: blob ' || blob_id || ', 4 bytes; '
        'blobs: outputs whose bytes are missing: image_no 1; '
        'counters: output_bytes is 4, but the rows give 0; counters: source_bytes is 100, but the rows give 0'
     FROM imgpress_internal.blobs));
SELECT is(pg_temp.violations_after('INSERT INTO imgpress_internal.blobs (output_format, content_type, etag, width,
    height, source_bytes, kept_source, bytes) SELECT output_format, content_type, etag, width, height, source_bytes,
    kept_source, bytes FROM imgpress_internal.blobs'),
    (SELECT 'blobs: bytes of no output, and no deletion will find them: blob ' || blob_id + 1 || ', 4 bytes'
     FROM imgpress_internal.blobs));
SELECT is(pg_temp.violations_after('WITH new AS (INSERT INTO imgpress_internal.blobs (output_format, content_type, etag,
    width, height, source_bytes, kept_source, bytes) SELECT output_format, content_type, etag, width, height,
    source_bytes, kept_source, bytes FROM imgpress_internal.blobs RETURNING blob_id)
    INSERT INTO imgpress_internal.unswept_blobs SELECT blob_id FROM new'), NULL, 'the next deletion will find it');

-- products
SELECT is(pg_temp.violations_after('UPDATE imgpress.products SET image_nos = image_nos || 99 WHERE product_no = 2'),
    'products: named by a product, but missing: image_no 99');
SELECT is(pg_temp.violations_after($$
    UPDATE imgpress.products SET image_nos = '{1}' WHERE image_nos = '{1,2,3,4}' $$),
    'products: named by no product: image_no 2, 3, 4');
SELECT is(pg_temp.violations_after('UPDATE imgpress.images SET first_product_no = 2 WHERE image_no IN (1, 2)
    AND request_id IN (SELECT request_id FROM imgpress.images WHERE image_no = 4)'),
    'products: first_product_no is wrong: image_no 1, 2');

-- claims
SELECT is(pg_temp.violations_after('UPDATE imgpress.images SET retry_at = NULL WHERE image_no = 4'),
    'claims: waiting, but no worker will find it: image_no 4');
SELECT is(pg_temp.request('claimed_up_to = 7'), 'claims: waiting, but no worker will find it: image_no 6, 7');
SELECT is(pg_temp.request('claimed_up_to = 2'), 'claims: after claimed_up_to, but not waiting: image_no 3, 4');
SELECT is(pg_temp.request('claimed_up_to = 8'), 'claims: claimed_up_to is 8, but last_image_no 7; '
    'claims: waiting, but no worker will find it: image_no 6, 7');

-- leases
SELECT is(pg_temp.violations_after('DELETE FROM imgpress_internal.leases'),
    'leases: claimed, but not in the lease that it names: image_no 3');
SELECT is(pg_temp.violations_after('UPDATE imgpress.images SET lease_token = 8 WHERE image_no = 3'),
    'leases: claimed, but not in the lease that it names: image_no 3');
SELECT is(pg_temp.violations_after('UPDATE imgpress.webhook_deliveries SET lease_token = 7'),
    (SELECT 'leases: webhook delivery ' || id || ' is claimed, but not in the lease that it names'
     FROM imgpress.webhook_deliveries));
SELECT matches(pg_temp.violations_after($$ UPDATE imgpress_internal.leases SET expires_at = now() - interval '6 minutes' $$),
    '^leases: lease 7 of worker 0 expired at .*, and no worker has put back what it holds$');

-- webhooks
SELECT is(pg_temp.violations_after('DELETE FROM imgpress.webhook_deliveries'),
    'webhooks: ends of the request: 1, messages: 0');
SELECT is(pg_temp.violations_after('INSERT INTO imgpress.webhook_deliveries (request_id, url, payload, message_id)
    SELECT request_id, url, payload, message_id FROM imgpress.webhook_deliveries'),
    (SELECT 'webhooks: another message has the same message_id: ' || message_id || '; webhooks: another message has '
        'the same message_id: ' || message_id || '; webhooks: ends of the request: 1, messages: 2'
     FROM imgpress.webhook_deliveries));

-- leftovers
SELECT is(pg_temp.violations_after($$ DELETE FROM imgpress.processing_requests WHERE status = 'Processing' $$),
    'leftovers: the request does not exist, but rows of it in images: 6; '
    'leftovers: the request does not exist, but rows of it in outputs: 1; '
    'leftovers: the request does not exist, but rows of it in products: 2');

SELECT * FROM finish();
ROLLBACK;
