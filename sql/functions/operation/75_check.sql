-- imgpress.check(): whether the rows of all tables agree with each other. Each function below checks one kind of
-- invariant with as few passes over the tables as it takes. They are STABLE, so all see the snapshot of the query
-- that calls check(): running work is no violation.

CREATE OR REPLACE FUNCTION imgpress_internal.first_few(numbers integer[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(' and ', array_to_string(numbers[1:5], ', '),
                     CASE WHEN cardinality(numbers) > 5 THEN cardinality(numbers) - 5 || ' more' END)
$$;
COMMENT ON FUNCTION imgpress_internal.first_few(integer[]) IS
    'The first five numbers of a list, and how many there are besides';

CREATE OR REPLACE FUNCTION imgpress_internal.check_requests(
    OUT invariant text, OUT request_id uuid, OUT detail text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH image AS MATERIALIZED (
        SELECT i.request_id AS id, count(*) AS images, max(i.image_no) AS last_image_no,
               count(*) FILTER (WHERE i.status = 'Completed') AS succeeded,
               count(*) FILTER (WHERE i.status = 'Failed') AS failed,
               count(*) FILTER (WHERE i.status IN ('Pending', 'Processing')) AS unfinished
        FROM imgpress.images i GROUP BY 1
    ), output AS MATERIALIZED (
        SELECT o.request_id AS id, sum(b.source_bytes) AS source_bytes, sum(octet_length(b.bytes)) AS output_bytes
        FROM imgpress_internal.image_outputs o JOIN imgpress_internal.blobs b USING (blob_id) GROUP BY 1
    ), product AS MATERIALIZED (
        SELECT p.request_id AS id, count(*) AS products FROM imgpress.products p GROUP BY 1
    )
    SELECT 'counters', r.id, format('%s is %s, but the rows give %s', c.name, c.counter, coalesce(c.counted, 0))
        FROM imgpress.processing_requests r
        LEFT JOIN image i USING (id) LEFT JOIN output o USING (id) LEFT JOIN product p USING (id)
        CROSS JOIN LATERAL (VALUES
            ('product_count', r.product_count, p.products), ('image_count', r.image_count, i.images),
            -- The last images may have gone: with rows of an attached table, or merged by replace_urls().
            ('last_image_no', r.last_image_no,
             greatest(i.last_image_no, least(r.claimed_up_to, r.last_image_no))),
            ('succeeded_count', r.succeeded_count, i.succeeded), ('failed_count', r.failed_count, i.failed),
            ('source_bytes', r.source_bytes, o.source_bytes), ('output_bytes', r.output_bytes, o.output_bytes)
        ) AS c(name, counter, counted)
        WHERE c.counter <> coalesce(c.counted, 0)
    UNION ALL
    SELECT 'ends', r.id,
           format('it is %s, although %s of its images are unfinished', r.status, coalesce(i.unfinished, 0))
        FROM imgpress.processing_requests r LEFT JOIN image i USING (id)
        WHERE NOT r.standing AND (r.status IN ('Completed', 'Failed')) <> (coalesce(i.unfinished, 0) = 0)
$$;
COMMENT ON FUNCTION imgpress_internal.check_requests() IS
    'Violations of: the counters of a request are the sums over its rows, and it has ended when all its images have, '
    'unless it stands for an attached table';

CREATE OR REPLACE FUNCTION imgpress_internal.check_outputs(
    OUT invariant text, OUT request_id uuid, OUT detail text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'outputs', w.request_id, format('%s: image_no %s', w.wrong,
        imgpress_internal.first_few(array_agg(w.image_no ORDER BY w.image_no)))
    FROM (
        SELECT request_id, image_no, CASE
                   WHEN i.status IS NULL THEN 'output without an image'
                   WHEN i.status = 'Completed' THEN 'Completed, but without an output'
                   ELSE i.status || ', but with an output' END AS wrong
        FROM (SELECT x.request_id, x.image_no, x.status FROM imgpress.images x) i
        FULL JOIN (SELECT x.request_id, x.image_no, x.blob_id FROM imgpress_internal.image_outputs x) o
            USING (request_id, image_no)
        LEFT JOIN imgpress_internal.blobs b USING (blob_id)
        WHERE (i.status IS NOT DISTINCT FROM 'Completed') <> (o.blob_id IS NOT NULL) OR octet_length(b.bytes) = 0
    ) w
    GROUP BY w.request_id, w.wrong
$$;
COMMENT ON FUNCTION imgpress_internal.check_outputs() IS
    'Violations of: each Completed image has an output, and no other has one';

CREATE OR REPLACE FUNCTION imgpress_internal.check_products(
    OUT invariant text, OUT request_id uuid, OUT detail text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'products', w.request_id, format('%s: image_no %s', w.wrong,
        imgpress_internal.first_few(array_agg(w.image_no ORDER BY w.image_no)))
    FROM (
        SELECT request_id, image_no, CASE
                   WHEN i.first_product_no IS NULL THEN 'named by a product, but missing'
                   WHEN p.first_product_no IS NULL THEN 'named by no product'
                   ELSE 'first_product_no is wrong' END AS wrong
        FROM (SELECT x.request_id, x.image_no, x.first_product_no FROM imgpress.images x) i
        FULL JOIN (
            SELECT x.request_id, n.image_no, min(x.product_no) AS first_product_no
            FROM imgpress.products x CROSS JOIN LATERAL unnest(x.image_nos) AS n(image_no) GROUP BY 1, 2
        ) p USING (request_id, image_no)
        WHERE i.first_product_no IS DISTINCT FROM p.first_product_no
    ) w
    GROUP BY w.request_id, w.wrong
$$;
COMMENT ON FUNCTION imgpress_internal.check_products() IS
    'Violations of: the images that products name are there, and the first product of each is the one that it says';

CREATE OR REPLACE FUNCTION imgpress_internal.check_claims(
    OUT invariant text, OUT request_id uuid, OUT detail text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- An image that waits is found by its place after claimed_up_to, or else by its retry_at or host_no.
    SELECT 'claims', w.request_id, format('%s: image_no %s', w.wrong,
        imgpress_internal.first_few(array_agg(w.image_no ORDER BY w.image_no)))
    FROM (
        SELECT i.request_id, i.image_no, CASE
                   WHEN i.image_no <= r.claimed_up_to THEN 'waiting, but no worker will find it'
                   ELSE 'after claimed_up_to, but not waiting' END AS wrong
        FROM imgpress.images i JOIN imgpress.processing_requests r ON r.id = i.request_id
        WHERE (i.image_no > r.claimed_up_to) <> (i.status = 'Pending' AND i.retry_at IS NULL AND i.host_no IS NULL)
    ) w
    GROUP BY w.request_id, w.wrong
    UNION ALL
    SELECT 'claims', r.id, format('claimed_up_to is %s, but last_image_no %s', r.claimed_up_to, r.last_image_no)
        FROM imgpress.processing_requests r
        WHERE r.claimed_up_to > r.last_image_no
           OR r.claimed_up_to < r.last_image_no AND r.ended_at IS NOT NULL
           OR r.claimed_up_to > 0 AND r.status = 'Pending'
$$;
COMMENT ON FUNCTION imgpress_internal.check_claims() IS
    'Violations of: each image that waits will be found by the worker, and claimed_up_to tells what was claimed';

CREATE OR REPLACE FUNCTION imgpress_internal.check_leases(
    OUT invariant text, OUT request_id uuid, OUT detail text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'leases', i.request_id, format('claimed, but not in the lease that it names: image_no %s',
        imgpress_internal.first_few(array_agg(i.image_no ORDER BY i.image_no)))
    FROM imgpress.images i
    WHERE i.lease_token IS NOT NULL AND (i.lease_token, i.request_id, i.image_no) NOT IN (
        SELECT l.token, h.request_id, h.image_no
        FROM imgpress_internal.leases l CROSS JOIN LATERAL unnest(l.request_ids, l.image_nos) AS h(request_id, image_no)
        WHERE h.request_id IS NOT NULL AND h.image_no IS NOT NULL)
    GROUP BY i.request_id
    UNION ALL
    SELECT 'leases', d.request_id, format('webhook delivery %s is claimed, but not in the lease that it names', d.id)
        FROM imgpress.webhook_deliveries d
        WHERE d.lease_token IS NOT NULL AND NOT EXISTS (
            SELECT FROM imgpress_internal.leases l WHERE l.token = d.lease_token AND d.id = ANY (l.delivery_ids))
    UNION ALL
    -- Any worker of the database puts back what is held under an expired lease.
    SELECT 'leases', l.request_ids[1],
           format('lease %s of worker %s expired at %s, and no worker has put back what it holds',
                  l.token, l.drainer, date_trunc('second', l.expires_at))
        FROM imgpress_internal.leases l WHERE l.expires_at < clock_timestamp() - interval '5 minutes'
$$;
COMMENT ON FUNCTION imgpress_internal.check_leases() IS
    'Violations of: what is claimed is in a lease, and leases don''t stay for long after they have expired';

CREATE OR REPLACE FUNCTION imgpress_internal.check_webhooks(
    OUT invariant text, OUT request_id uuid, OUT detail text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- A request has ended as often as it has runs, but for the run that is under way.
    SELECT 'webhooks', r.id,
           format('ends of the request: %s, messages: %s', e.ends, coalesce(d.messages, 0))
        FROM imgpress.processing_requests r
        CROSS JOIN LATERAL (SELECT CASE WHEN r.ended_at IS NULL THEN r.run - 1 ELSE r.run END) AS e(ends)
        LEFT JOIN (SELECT x.request_id, count(*) AS messages FROM imgpress.webhook_deliveries x GROUP BY 1) d
            ON d.request_id = r.id
        WHERE coalesce(d.messages, 0) <> CASE WHEN r.webhook_url IS NULL THEN 0 ELSE e.ends END
    UNION ALL
    SELECT 'webhooks', d.request_id, format('another message has the same message_id: %s', d.message_id)
        FROM (SELECT x.request_id, x.message_id, count(*) OVER (PARTITION BY x.message_id) AS messages
              FROM imgpress.webhook_deliveries x) d
        WHERE d.messages > 1
$$;
COMMENT ON FUNCTION imgpress_internal.check_webhooks() IS
    'Violations of: each end of a request with a webhook_url has one message, with an id of its own';

CREATE OR REPLACE FUNCTION imgpress_internal.check_leftovers(
    OUT invariant text, OUT request_id uuid, OUT detail text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH row_of (name, id) AS (
        SELECT 'products', p.request_id FROM imgpress.products p
        UNION ALL SELECT 'images', i.request_id FROM imgpress.images i
        UNION ALL SELECT 'outputs', o.request_id FROM imgpress_internal.image_outputs o
        UNION ALL SELECT 'webhook_deliveries', d.request_id FROM imgpress.webhook_deliveries d
        UNION ALL SELECT 'image_aliases', a.request_id FROM imgpress_internal.image_aliases a
    ), counted AS (
        SELECT w.name, w.id, count(*) AS row_count FROM row_of w GROUP BY 1, 2
    )
    SELECT 'leftovers', c.id, format('the request does not exist, but rows of it in %s: %s', c.name, c.row_count)
        FROM counted c LEFT JOIN imgpress.processing_requests r ON r.id = c.id WHERE r.id IS NULL
$$;
COMMENT ON FUNCTION imgpress_internal.check_leftovers() IS
    'Violations of: nothing is left of requests that were deleted';

CREATE OR REPLACE FUNCTION imgpress_internal.check_blobs(
    OUT invariant text, OUT request_id uuid, OUT detail text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'blobs', o.request_id, format('outputs whose bytes are missing: image_no %s',
        imgpress_internal.first_few(array_agg(o.image_no ORDER BY o.image_no)))
    FROM imgpress_internal.image_outputs o LEFT JOIN imgpress_internal.blobs b USING (blob_id)
    WHERE b.blob_id IS NULL GROUP BY o.request_id
    UNION ALL
    SELECT 'blobs', NULL, format('bytes of no output, and no deletion will find them: blob %s, %s bytes', b.blob_id,
        octet_length(b.bytes))
    FROM imgpress_internal.blobs b LEFT JOIN imgpress_internal.image_outputs o USING (blob_id)
    WHERE o.blob_id IS NULL AND b.blob_id NOT IN (SELECT u.blob_id FROM imgpress_internal.unswept_blobs u)
$$;
COMMENT ON FUNCTION imgpress_internal.check_blobs() IS
    'Violations of: each output has its bytes, and bytes that no output shows any more are deleted';

CREATE OR REPLACE FUNCTION imgpress.check(OUT invariant text, OUT request_id uuid, OUT detail text)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM imgpress_internal.check_requests()
    UNION ALL SELECT * FROM imgpress_internal.check_outputs()
    UNION ALL SELECT * FROM imgpress_internal.check_blobs()
    UNION ALL SELECT * FROM imgpress_internal.check_products()
    UNION ALL SELECT * FROM imgpress_internal.check_claims()
    UNION ALL SELECT * FROM imgpress_internal.check_leases()
    UNION ALL SELECT * FROM imgpress_internal.check_webhooks()
    UNION ALL SELECT * FROM imgpress_internal.check_leftovers()
$$;
COMMENT ON FUNCTION imgpress.check() IS
    'Checks that all rows agree with each other, and returns what does not: no row when everything is right. '
    'Running work does not disturb it. invariant: which rule is violated, as listed in docs/operation.md';

GRANT EXECUTE ON FUNCTION imgpress.check() TO imgpress_admin;
