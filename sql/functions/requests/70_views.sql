-- Views for people and dashboards.
--
-- They belong to imgpress_views, which may read the tables but does not own them: so row-level security applies to
-- what they read, and asks whether the user of the view may see it. (With security_barrier and a condition of their
-- own, ORDER BY and LIMIT would not reach the indexes.)
--
-- OFFSET 0 makes the planner look up each image and product by its primary key. Without it, where most
-- requests are small, the planner filters by request id alone, and reads a large request once for each row.

CREATE OR REPLACE VIEW imgpress.progress AS
    SELECT r.id AS request_id, r.status,
           round(100.0 * (r.succeeded_count + r.failed_count) / nullif(r.image_count, 0), 1) AS percent,
           r.image_count AS images, r.succeeded_count AS succeeded, r.failed_count AS failed,
           CASE WHEN r.ended_at IS NULL AND NOT r.standing
                THEN date_trunc('second', justify_hours(r.worked * (
                    (r.image_count - r.succeeded_count - r.failed_count)
                    / nullif(r.succeeded_count + r.failed_count, 0)::float8))) END AS remaining,
           round(r.succeeded_count / nullif(extract(epoch FROM r.worked), 0), 1) AS images_per_second,
           CASE WHEN r.started_at IS NOT NULL THEN r.worked END AS working_time,
           r.reason, r.run, r.priority, r.product_count AS products,
           round(100.0 * (1 - r.output_bytes::numeric / nullif(r.source_bytes, 0)), 1) AS percent_saved,
           r.source_bytes, r.output_bytes, r.quality, r.effort, r.submitted_by, r.created_at, r.started_at, r.ended_at
    FROM imgpress.processing_requests r
    ORDER BY r.created_at DESC;
COMMENT ON VIEW imgpress.progress IS
    'Progress of each request, newest first. images counts different URLs; source_bytes and output_bytes are sums over '
    'the images that have an output. working_time: for how long images of the request were in flight; '
    'images_per_second: that succeeded in this time; remaining: an estimate from the images that have ended';

CREATE OR REPLACE FUNCTION imgpress.error_codes(OUT code text, OUT sqlstate text, OUT transient boolean, OUT hint text)
    RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL SAFE ROWS 15 AS 'MODULE_PATHNAME', 'imgpress_error_codes';
COMMENT ON FUNCTION imgpress.error_codes() IS
    'The values of images.error_code. sqlstate: what compress_image() and compress_image_url() raise for it; NULL '
    'where they never do. transient: another attempt may succeed; NULL for http_status, where it depends on the '
    'status. hint: what to do about it';
GRANT EXECUTE ON FUNCTION imgpress.error_codes() TO imgpress_reader;

CREATE OR REPLACE FUNCTION imgpress_internal.error_hint(error text, error_code text) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_error_hint';
COMMENT ON FUNCTION imgpress_internal.error_hint(text, text) IS
    'What to do about an error: if it names an address that is not allowed, the statement that allows it in addition '
    'to imgpress.allowed_networks as it is now; else the hint of the error code. error_code: NULL if it has none';
GRANT EXECUTE ON FUNCTION imgpress_internal.error_hint(text, text) TO imgpress_reader;

CREATE OR REPLACE VIEW imgpress.failures AS
    SELECT i.request_id, i.image_no, p.serial_number, p.product_name, i.url, i.attempts, i.error_code, i.error,
           i.ended_at AS failed_at, i.http_status, imgpress_internal.error_hint(i.error, i.error_code) AS hint, p.key,
           i.first_product_no AS product_no
    FROM imgpress.images i
    CROSS JOIN LATERAL (
        SELECT x.serial_number, x.product_name, x.key FROM imgpress.products x
        WHERE x.request_id = i.request_id AND x.product_no = i.first_product_no OFFSET 0
    ) p
    WHERE i.status = 'Failed' AND i.error_code IS NOT NULL;
COMMENT ON VIEW imgpress.failures IS
    'One row for each image that failed, with the reason, a hint, and the first product that names it. http_status: '
    'of the server''s last answer. imgpress.retry_failed(request_id) tries the images again';

CREATE OR REPLACE VIEW imgpress.webhook_failures AS
    SELECT d.request_id, d.url, d.status, d.attempts, d.last_http_status AS http_status, d.last_error AS error,
           imgpress_internal.error_hint(d.last_error, NULL) AS hint, d.next_attempt_at
    FROM imgpress.webhook_deliveries d
    WHERE d.last_error IS NOT NULL;
COMMENT ON VIEW imgpress.webhook_failures IS
    'One row for each webhook message whose last attempt failed. status: Pending, if it is tried again at '
    'next_attempt_at, or Failed. hint: how to allow an address that is denied; NULL for other errors';

CREATE OR REPLACE VIEW imgpress.outputs AS
    SELECT o.request_id, o.image_no, b.content_type, b.etag, b.width, b.height, b.source_bytes, b.kept_source,
           b.warning, o.created_at, b.bytes
    FROM imgpress_internal.image_outputs o
    CROSS JOIN LATERAL (
        -- No condition of the user's reaches the blobs of others: none is looked at but through a row of o.
        SELECT x.* FROM imgpress_internal.blobs x WHERE x.blob_id = o.blob_id OFFSET 0
    ) b;
COMMENT ON VIEW imgpress.outputs IS 'The compressed images. Those whose sources have not changed share their bytes';
COMMENT ON COLUMN imgpress.outputs.etag IS
    'Validator for HTTP caches, without quotes: a digest of the bytes, computed by the codec process';
COMMENT ON COLUMN imgpress.outputs.width IS 'Pixels as stored, before any EXIF orientation';
COMMENT ON COLUMN imgpress.outputs.height IS 'Pixels as stored, before any EXIF orientation';
COMMENT ON COLUMN imgpress.outputs.source_bytes IS 'Size of the downloaded image in bytes';
COMMENT ON COLUMN imgpress.outputs.kept_source IS
    'The source''s own bytes, because no JPEG of this quality would have been smaller';
COMMENT ON COLUMN imgpress.outputs.warning IS
    'Something unusual about the source, for example that it is truncated; NULL: nothing';

CREATE OR REPLACE VIEW imgpress.results AS
    SELECT o.request_id, o.image_no, p.serial_number, p.product_name, i.url,
           imgpress.output_url(o.request_id, o.image_no, i.url, i.output_format) AS output_url,
           o.content_type, o.width, o.height, o.source_bytes, octet_length(o.bytes) AS output_bytes,
           round(100.0 * (1 - octet_length(o.bytes)::numeric / nullif(o.source_bytes, 0)), 1) AS percent_saved,
           o.kept_source, o.warning, o.created_at AS finished_at, p.key, i.first_product_no AS product_no, p.place
    FROM imgpress.outputs o
    CROSS JOIN LATERAL (
        SELECT x.url, x.output_format, x.first_product_no FROM imgpress.images x
        WHERE x.request_id = o.request_id AND x.image_no = o.image_no OFFSET 0
    ) i
    CROSS JOIN LATERAL (
        SELECT x.serial_number, x.product_name, x.key, array_position(x.image_nos, o.image_no) AS place
        FROM imgpress.products x
        WHERE x.request_id = o.request_id AND x.product_no = i.first_product_no OFFSET 0
    ) p;
COMMENT ON VIEW imgpress.results IS
    'One row for each image that has an output, with the first product that names it. kept_source: the output is the '
    'source without its metadata, because no JPEG was smaller; warning: something unusual about the source, for '
    'example that it is truncated. key: the submitter''s own; product_no and place: the order of the input';

-- The policy of products lets this view see all of them: the request decides which of them the reader sees.
CREATE OR REPLACE VIEW imgpress.product_results AS
    SELECT r.id AS request_id, p.product_no, p.serial_number, p.key, p.product_name,
           CASE WHEN NOT i.all_ended THEN CASE WHEN r.status = 'Pending' THEN 'Pending' ELSE 'Processing' END
                WHEN i.failed > 0 THEN 'Failed' ELSE 'Completed' END AS status,
           i.input_urls, CASE WHEN i.all_ended THEN i.output_urls END AS output_urls, i.errors
    FROM imgpress.processing_requests r
    JOIN imgpress.products p ON p.request_id = r.id
    CROSS JOIN LATERAL (
        SELECT array_agg(g.url ORDER BY n.place) AS input_urls, array_agg(g.output_url ORDER BY n.place) AS output_urls,
               array_agg(g.error ORDER BY n.place) AS errors, bool_and(g.ended_at IS NOT NULL) AS all_ended,
               count(*) FILTER (WHERE g.status = 'Failed') AS failed
        FROM unnest(p.image_nos) WITH ORDINALITY AS n(image_no, place)
        CROSS JOIN LATERAL (
            SELECT x.url, x.status, x.ended_at, x.error, CASE WHEN x.status = 'Completed'
                THEN imgpress.output_url(x.request_id, x.image_no, x.url, x.output_format) END AS output_url
            FROM imgpress.images x WHERE x.request_id = p.request_id AND x.image_no = n.image_no OFFSET 0
        ) g
    ) i;
COMMENT ON VIEW imgpress.product_results IS
    'One row for each product. input_urls, output_urls and errors are in step; output_urls is NULL until all images of '
    'the product have ended. status: Failed if an image of it has failed, Completed if all have an output';

CREATE OR REPLACE VIEW imgpress.latest AS
    SELECT i.url, imgpress.output_url(i.request_id, i.image_no, i.url, i.output_format) AS output_url, i.request_id,
           i.image_no, i.output_format, i.ended_at AS finished_at
    FROM imgpress.images i
    WHERE i.status = 'Completed' AND NOT EXISTS (
        SELECT FROM imgpress.images n
        WHERE n.url = i.url AND n.status = 'Completed'
            AND (n.ended_at, n.request_id, n.image_no) > (i.ended_at, i.request_id, i.image_no));
COMMENT ON VIEW imgpress.latest IS
    'One row for each URL that has an output: the newest, of the requests that the reader may see. Example: SELECT '
    'p.*, l.output_url FROM my_products p LEFT JOIN imgpress.latest l ON l.url = p.photo_url';

GRANT SELECT ON imgpress.progress, imgpress.failures, imgpress.webhook_failures, imgpress.results, imgpress.outputs,
    imgpress.product_results, imgpress.latest TO imgpress_reader;
