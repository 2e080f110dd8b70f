-- Images that have not changed: what a claim knows of them, what a finish shares, and what a deletion sweeps. The
-- transaction is rolled back, so that the drainer sees nothing of it.
BEGIN;
SELECT plan(29);
CREATE ROLE anna;
CREATE ROLE bert;
GRANT imgpress_user TO anna, bert;

CREATE FUNCTION pg_temp.request(url text, submitter name DEFAULT 'anna', options jsonb DEFAULT '{}') RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    made uuid := imgpress.submit(ARRAY[(1, 'P', url)::imgpress.product_input]);
BEGIN
    UPDATE imgpress.processing_requests r SET submitted_by = submitter, options = r.options || request.options
        WHERE r.id = made;
    RETURN made;
END
$$;
CREATE TEMPORARY TABLE held AS
    SELECT 0::bigint AS token, c.* FROM imgpress_internal.claim_images(0, 1, 0, 0, '{}', '{}', '1 minute') c LIMIT 0;
CREATE FUNCTION pg_temp.claim() RETURNS SETOF held LANGUAGE plpgsql AS $$
DECLARE
    token constant bigint := 1 + (SELECT coalesce(max(l.token), 0) FROM imgpress_internal.leases l);
BEGIN
    RETURN QUERY SELECT token, c.* FROM imgpress_internal.claim_images(0, token, 8, 8, '{}', '{}', '1 minute') c
        WHERE c.image_no IS NOT NULL;
END
$$;
-- Finishes an image: with new bytes, or with those of a blob.
CREATE FUNCTION pg_temp.finish(image held, bytes bytea, blob_id bigint DEFAULT NULL, etag text DEFAULT '"1"') RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    outcome imgpress_internal.outcome;
BEGIN
    outcome.token := image.token;
    outcome.request_id := image.request_id;
    outcome.image_no := image.image_no;
    outcome.status := 'Completed';
    outcome.failed_attempts := 0;
    outcome.codec_crashes := 0;
    outcome.interruptions := 0;
    outcome.transient := false;
    outcome.uncounted := false;
    outcome.http_status := 200;
    outcome.blob_id := blob_id;
    IF blob_id IS NULL THEN
        outcome.source_key := image.source_key;
        outcome.source_digest := sha256(bytes);
        outcome.source_etag := etag;
        outcome.source_bytes := 100;
        outcome.output_format := 'png';
        outcome.content_type := 'image/png';
        outcome.etag := 'digest';
        outcome.width := 4;
        outcome.height := 3;
        outcome.kept_source := false;
    END IF;
    PERFORM imgpress_internal.finish_images(ARRAY[outcome], ARRAY[bytes]);
END
$$;
-- Submits a URL and processes it; returns what the claim knew of it.
CREATE FUNCTION pg_temp.night(url text, bytes bytea) RETURNS held LANGUAGE plpgsql AS $$
DECLARE
    image held;
BEGIN
    PERFORM pg_temp.request(url);
    SELECT * INTO STRICT image FROM pg_temp.claim();
    PERFORM pg_temp.finish(image, CASE WHEN image.blob_id IS NULL THEN bytes END, image.blob_id);
    RETURN image;
END
$$;

-- What a claim knows.
SELECT is((pg_temp.night('http://a/1', 'one')).blob_id, NULL, 'nothing is known of a new URL');
SELECT blob_id AS one FROM imgpress_internal.blobs \gset
SELECT pg_temp.request('http://a/1') AS again \gset
INSERT INTO held SELECT * FROM pg_temp.claim();
SELECT results_eq('SELECT blob_id, source_etag, last_modified, source_digest FROM held',
    format($$ VALUES (%s::bigint, '"1"', NULL::text, sha256('one')) $$, :one), 'the second time the claim hands it out');
SELECT pg_temp.finish(h, NULL, h.blob_id) FROM held h;
SELECT results_eq(format('SELECT status, output_format FROM imgpress.images WHERE request_id = %L', :'again'),
    $$ VALUES ('Completed', 'png') $$, 'its output is the blob');
SELECT results_eq(format('SELECT succeeded, source_bytes, output_bytes FROM imgpress.progress WHERE request_id = %L', :'again'),
    $$ VALUES (1, 100::bigint, 3::bigint) $$, 'with its sizes');
SELECT results_eq('SELECT DISTINCT bytes, etag, width, height, content_type FROM imgpress.outputs',
    $$ VALUES ('one'::bytea, 'digest', 4, 3, 'image/png') $$, 'both outputs show the same');
SELECT is((SELECT count(*) FROM imgpress_internal.blobs), 1::bigint, 'and are stored once');
DELETE FROM held;

-- Nobody else's submission, no other options and no other URL find it.
SELECT pg_temp.request('http://a/1', 'bert') AS bert \gset
SELECT pg_temp.request('http://a/1', 'anna', '{"quality": 51}') AS other_quality \gset
SELECT pg_temp.request('http://a/2') AS other_url \gset
SELECT pg_temp.request('http://a/1', 'anna', '{"refresh": "always"}') AS refreshed \gset
INSERT INTO held SELECT * FROM pg_temp.claim();
SELECT is((SELECT count(*) FROM held), 4::bigint);
SELECT is(blob_id, NULL, format('nothing is known for %s', url)) FROM held WHERE request_id <> :'refreshed';
SELECT is((SELECT blob_id FROM held WHERE request_id = :'refreshed'), :one::bigint,
    'how to ask is no difference, so that the same bytes are still found to be the same');
SELECT isnt(imgpress_internal.source_key_prefix('a', '{}') || 'b'::bytea, imgpress_internal.source_key_prefix('ab', '{}'));

-- A failed attempt is repeated without a condition.
DELETE FROM held;
UPDATE imgpress.images SET transient = true, status = 'Pending', lease_token = NULL, retry_at = now()
    WHERE request_id = :'refreshed';
SELECT is((SELECT blob_id FROM pg_temp.claim()), NULL, 'after a failed attempt nothing is known');
DELETE FROM imgpress.processing_requests WHERE status = 'Processing';

-- Deleting one request leaves what another shows.
DELETE FROM imgpress.processing_requests WHERE id <> :'again';
SELECT results_eq('SELECT request_id, bytes FROM imgpress.outputs', format($$ VALUES (%L::uuid, 'one'::bytea) $$, :'again'));
SELECT is((pg_temp.night('http://a/1', 'one')).blob_id, :one::bigint, 'it is still known');
DELETE FROM imgpress.processing_requests;
SELECT is_empty('SELECT FROM imgpress_internal.blobs', 'with the last output the bytes go');
SELECT is_empty('SELECT FROM imgpress_internal.sources', 'and what is known of the source');
SELECT is_empty('SELECT FROM imgpress_internal.unswept_blobs');

-- The image has changed: the old bytes stay as long as an output shows them.
SELECT pg_temp.night('http://a/1', 'one');
SELECT pg_temp.request('http://a/1') AS changed \gset
SELECT pg_temp.finish(c, 'two', NULL, NULL) FROM pg_temp.claim() c;
SELECT results_eq('SELECT s.digest, s.etag, b.bytes FROM imgpress_internal.sources s JOIN imgpress_internal.blobs b USING (blob_id)',
    $$ VALUES (sha256('two'), NULL::text, 'two'::bytea) $$, 'the newest version is known');
SELECT is((SELECT count(*) FROM imgpress_internal.blobs), 2::bigint);
DELETE FROM imgpress.processing_requests WHERE id <> :'changed';
SELECT results_eq('SELECT bytes FROM imgpress_internal.blobs', $$ VALUES ('two'::bytea) $$);
SELECT is((SELECT count(*) FROM imgpress_internal.sources), 1::bigint, 'the source is that of the newest version');

-- The blob goes between a claim and its finish.
SELECT pg_temp.request('http://a/1') AS late \gset
INSERT INTO held SELECT * FROM pg_temp.claim();
DELETE FROM imgpress.processing_requests WHERE id = :'changed';
SELECT pg_temp.finish(h, NULL, h.blob_id) FROM held h;
SELECT results_eq('SELECT status, attempts, retry_at IS NOT NULL FROM imgpress.images',
    $$ VALUES ('Pending', 0::smallint, true) $$, 'the image is due again, and the attempt does not count');
SELECT is((SELECT blob_id FROM pg_temp.claim()), NULL, 'and is asked for without a condition');
SELECT is_empty('SELECT * FROM imgpress.check()');
DELETE FROM held;
DELETE FROM imgpress.processing_requests;

-- The same URL in two requests at the same time.
SELECT count(pg_temp.request('http://a/1')) FROM generate_series(1, 2);
INSERT INTO held SELECT * FROM pg_temp.claim();
SELECT pg_temp.finish(h, convert_to(h.request_id::text, 'UTF8')) FROM held h ORDER BY h.request_id;
SELECT results_eq('SELECT request_id, bytes FROM imgpress.outputs ORDER BY 1',
    'SELECT request_id, convert_to(request_id::text, ''UTF8'') FROM held ORDER BY 1', 'each has the bytes that were downloaded for it');
SELECT is((SELECT count(*) FROM imgpress_internal.sources), 1::bigint);
SELECT is((pg_temp.night('http://a/1', 'none')).source_digest,
    (SELECT sha256(convert_to(max(request_id::text), 'UTF8')) FROM held), 'the last one is known');
SELECT is_empty('SELECT * FROM imgpress.check()');

SELECT * FROM finish();
ROLLBACK;

