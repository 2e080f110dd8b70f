-- What is going on, for people and dashboards.

CREATE VIEW imgpress.progress AS
    SELECT r.id AS request_id, r.status, r.product_count AS products, r.image_count AS images,
           r.done_count AS done, r.failed_count AS failed,
           round(100.0 * (r.done_count + r.failed_count) / nullif(r.image_count, 0), 1) AS percent,
           r.source_bytes AS bytes_in, r.output_bytes AS bytes_out,
           round(100.0 * (1 - r.output_bytes::numeric / nullif(r.source_bytes, 0)), 1) AS percent_saved,
           coalesce(r.ended_at, now()) - r.started_at AS working_time,
           round((r.done_count + r.failed_count)
                 / nullif(extract(epoch FROM coalesce(r.ended_at, now()) - r.started_at), 0)::numeric, 1) AS images_per_second,
           r.reason, r.created_at, r.started_at, r.ended_at, r.quality, r.effort
    FROM imgpress.processing_requests r;
COMMENT ON VIEW imgpress.progress IS 'How far each request is; bytes_in and bytes_out count the images that have an output';

CREATE VIEW imgpress.failures AS
    SELECT i.request_id, p.serial_number, p.product_name, i.position, i.url, i.attempts, i.error_code, i.error, i.ended_at AS failed_at
    FROM imgpress.images i JOIN imgpress.products p USING (request_id, product_no)
    WHERE i.status = 'Failed' AND i.error_code IS NOT NULL;
COMMENT ON VIEW imgpress.failures IS 'Images that were set aside, with the reason; imgpress.retry_failed(request_id) tries them again';

CREATE VIEW imgpress.results AS
    SELECT o.request_id, p.serial_number, p.product_name, o.position, i.url,
           imgpress.output_url(o.request_id, o.position, i.url) AS output_url,
           o.content_type, o.width, o.height, o.source_bytes AS bytes_in, octet_length(o.bytes) AS bytes_out,
           round(100.0 * (1 - octet_length(o.bytes)::numeric / nullif(o.source_bytes, 0)), 1) AS percent_saved,
           o.kept_source, o.warning, o.created_at AS finished_at
    FROM imgpress.outputs o JOIN imgpress.images i USING (request_id, position)
         JOIN imgpress.products p USING (request_id, product_no);
COMMENT ON VIEW imgpress.results IS 'Images that have an output. kept_source: the source''s own bytes without their metadata, since nothing smaller came out; warning: what is remarkable about a success, for example a truncated source';

CREATE VIEW imgpress.workers AS
    SELECT w.database, w.pid, CASE WHEN w.fetching + w.waiting + w.compressing > 0 THEN 'working' ELSE 'idle' END AS state,
           w.started_at, w.fetching, w.waiting, w.compressing, w.finished
    FROM imgpress.worker_state() w;
COMMENT ON VIEW imgpress.workers IS 'The drainers of this cluster: images being fetched, fetched and waiting for a codec, being compressed, and finished since the start';
