-- The jobs of attached tables, as their process gets them. No worker runs.
BEGIN;
SELECT plan(5);

CREATE ROLE owner IN ROLE imgpress_user;
CREATE SCHEMA shop AUTHORIZATION owner;
SET ROLE owner;
CREATE TABLE shop.products (id int PRIMARY KEY, url text, small bytea);
SELECT imgpress.attach('shop.products', 'id', 'url', 'small', backfill => false) AS id \gset
RESET ROLE;

INSERT INTO imgpress_internal.attachment_progress (attachment_id) VALUES (:'id') ON CONFLICT DO NOTHING;
-- A thousand rows whose pictures have ended, each of 16 kB.
SELECT imgpress_internal.take_rows(:'id', array_agg(g::text ORDER BY g), array_agg(true),
    array_agg('http://a.test/' || g ORDER BY g), array_agg(sha256(g::text::bytea) ORDER BY g), 'text', 'bytea',
    NULL) FROM generate_series(1, 1000) g;
UPDATE imgpress.images SET status = 'Completed', output_format = 'jpeg', ended_at = now() WHERE request_id = :'id';
INSERT INTO imgpress_internal.blobs
    (blob_id, output_format, content_type, etag, width, height, source_bytes, kept_source, bytes)
    VALUES (-1, 'jpeg', 'image/jpeg', 'x', 1, 1, 1, false, decode(repeat('ab', 16000), 'hex'));
INSERT INTO imgpress_internal.image_outputs (request_id, image_no, blob_id)
    SELECT i.request_id, i.image_no, -1 FROM imgpress.images i WHERE i.request_id = :'id';
INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no)
    SELECT p.request_id, p.product_no FROM imgpress.products p WHERE p.request_id = :'id' ORDER BY 2;

SET LOCAL statement_timeout = '5s';
CREATE TEMP TABLE job AS SELECT * FROM imgpress_internal.next_attached_job();
SELECT is((SELECT kind FROM job), 'write', 'a thousand pictures are one job, which does not take seconds');
SELECT is((SELECT (cardinality(keys), cardinality(bytes), cardinality("values"), cardinality(ends))::text FROM job),
    '(1000,1000,1000,1000)', 'with an element for each row');
SELECT is((SELECT count(*) FROM job, unnest(job.bytes) b WHERE octet_length(b) = 16000), 1000::bigint, 'and its bytes');

-- Those of larger ones are gathered until they are 16 MB, so that memory has a bound; the others are later jobs.
UPDATE imgpress_internal.blobs SET bytes = decode(repeat('cd', 1000000), 'hex') WHERE blob_id = -1;
CREATE TEMP TABLE large AS SELECT * FROM imgpress_internal.next_attached_job();
SELECT is((SELECT kind || cardinality(keys) || ' ' || cardinality(ends) FROM large), 'write17 17', 'no more than it takes to have 16 MB');
DELETE FROM imgpress_internal.attached_ends e USING large l WHERE e.id = ANY (l.ends);
SELECT is((SELECT keys[1] FROM imgpress_internal.next_attached_job()), '18', 'the next job goes on with the others');

SELECT * FROM finish();
ROLLBACK;
