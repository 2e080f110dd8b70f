-- A request after it was submitted: status, products, outputs, cancel, retry, purge.

CREATE FUNCTION imgpress.find_request(request_id uuid) RETURNS imgpress.processing_requests
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request imgpress.processing_requests;
BEGIN
    SELECT * INTO request FROM imgpress.processing_requests r WHERE r.id = find_request.request_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % does not exist', coalesce(request_id::text, 'NULL') USING ERRCODE = 'no_data_found';
    END IF;
    RETURN request;
END
$$;
COMMENT ON FUNCTION imgpress.find_request(uuid) IS 'Internal: the request, or error P0002';

CREATE FUNCTION imgpress.request_status(request_id uuid) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    word text;
BEGIN
    SELECT r.status INTO word FROM imgpress.processing_requests r WHERE r.id = request_status.request_id;
    RETURN coalesce(word, (imgpress.find_request(request_id)).status);
END
$$;
COMMENT ON FUNCTION imgpress.request_status(uuid) IS
    'Pending, Processing, Completed or Failed; error P0002 for an unknown id';

CREATE FUNCTION imgpress.request_products(
    request_id uuid,
    OUT serial_number bigint, OUT product_name text, OUT input_image_urls text, OUT output_image_urls text
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- Right behind a large submission the tables have no statistics, and the planner would take a
    -- nested loop for the cheapest way to join what it believes to be a few rows.
    SET enable_nestloop = off
AS $$
BEGIN
    PERFORM imgpress.find_request(request_id);
    RETURN QUERY
        SELECT p.serial_number, p.product_name, i.inputs,
               CASE WHEN i.all_ended THEN i.outputs ELSE '' END
        FROM imgpress.products p
        JOIN (
            SELECT g.product_no, string_agg(g.url, ',' ORDER BY g.position) AS inputs,
                   string_agg(CASE WHEN g.status = 'Completed' THEN imgpress.output_url(g.request_id, g.position, g.url)
                                   ELSE 'Error processing image' END, ',' ORDER BY g.position) AS outputs,
                   bool_and(g.status IN ('Completed', 'Failed')) AS all_ended
            FROM imgpress.images g WHERE g.request_id = request_products.request_id GROUP BY g.product_no
        ) i ON i.product_no = p.product_no
        WHERE p.request_id = request_products.request_id
        ORDER BY p.product_no;
END
$$;
COMMENT ON FUNCTION imgpress.request_products(uuid) IS
    'The products of a request in input order. output_image_urls is empty until every image of the product has ended; an image that failed leaves "Error processing image" at its place';

CREATE FUNCTION imgpress.output_image(
    request_id uuid, image_position integer,
    OUT content_type text, OUT etag text, OUT created_at timestamptz, OUT bytes bytea
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.content_type, o.etag, o.created_at, o.bytes
    FROM imgpress.outputs o WHERE o.request_id = $1 AND o.position = $2
$$;
COMMENT ON FUNCTION imgpress.output_image(uuid, integer) IS 'One output with what HTTP needs to serve it; no row where there is none';

CREATE FUNCTION imgpress.output_etag(request_id uuid, image_position integer) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.etag FROM imgpress.outputs o WHERE o.request_id = $1 AND o.position = $2
$$;
COMMENT ON FUNCTION imgpress.output_etag(uuid, integer) IS 'The validator of one output without its bytes; NULL where there is none';

CREATE FUNCTION imgpress.cancel(request_id uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stopped integer;
BEGIN
    PERFORM FROM imgpress.processing_requests r WHERE r.id = cancel.request_id FOR NO KEY UPDATE;
    IF (imgpress.find_request(request_id)).ended_at IS NOT NULL THEN
        RETURN imgpress.request_status(request_id);
    END IF;
    UPDATE imgpress.images i
        SET status = 'Failed', lease_token = NULL, retry_at = NULL, ended_at = clock_timestamp(),
            error_code = 'cancelled', error = 'the request was cancelled'
        WHERE i.request_id = cancel.request_id AND i.status IN ('Pending', 'Processing');
    GET DIAGNOSTICS stopped = ROW_COUNT;
    DELETE FROM imgpress.copies_due d WHERE d.request_id = cancel.request_id;
    UPDATE imgpress.processing_requests r
        SET status = 'Failed', reason = 'cancelled', ended_at = clock_timestamp(),
            claimed_count = r.image_count, failed_count = r.failed_count + stopped
        WHERE r.id = cancel.request_id;
    PERFORM imgpress.announce_end(request_id);
    PERFORM imgpress.wake_drainer();
    RETURN 'Failed';
END
$$;
COMMENT ON FUNCTION imgpress.cancel(uuid) IS
    'Ends a request as Failed (reason: cancelled); outputs that exist stay. Returns the status; a request that has ended already is left as it is';

CREATE FUNCTION imgpress.retry_failed(request_id uuid DEFAULT NULL, only_transient boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    again bigint := 0;
    one record;
    reset_images integer;
BEGIN
    IF request_id IS NOT NULL THEN
        PERFORM imgpress.find_request(request_id);
    END IF;
    FOR one IN
        SELECT r.id, r.copy_count FROM imgpress.processing_requests r
        WHERE r.failed_count > 0 AND r.ended_at IS NOT NULL
          AND (retry_failed.request_id IS NULL AND r.status = 'Completed' OR r.id = retry_failed.request_id)
        ORDER BY r.id FOR NO KEY UPDATE
    LOOP
        UPDATE imgpress.images i
            SET status = 'Pending', retry_at = CASE WHEN i.copy_of IS NULL THEN clock_timestamp() END, ended_at = NULL, attempts = 0,
                failed_attempts = 0, codec_crashes = 0, error_code = NULL, error = NULL
            WHERE i.request_id = one.id AND i.error_code IS NOT NULL AND i.status = 'Failed'
              AND (i.transient OR NOT only_transient);
        GET DIAGNOSTICS reset_images = ROW_COUNT;
        CONTINUE WHEN reset_images = 0;
        UPDATE imgpress.processing_requests r
            SET status = 'Processing', reason = NULL, ended_at = NULL, failed_count = r.failed_count - reset_images
            WHERE r.id = one.id;
        IF one.copy_count > 0 THEN
            -- Copies follow their original. Where cancel() came between the two, that has ended already.
            INSERT INTO imgpress.copies_due (request_id, position)
                SELECT DISTINCT c.request_id, c.copy_of
                FROM imgpress.images c JOIN imgpress.images o ON o.request_id = c.request_id AND o.position = c.copy_of
                WHERE c.request_id = one.id AND c.copy_of IS NOT NULL AND c.status = 'Pending'
                  AND o.status IN ('Completed', 'Failed');
        END IF;
        again := again + reset_images;
    END LOOP;
    PERFORM imgpress.wake_drainer();
    RETURN again;
END
$$;
COMMENT ON FUNCTION imgpress.retry_failed(uuid, boolean) IS
    'Tries the failed images of an ended request again (NULL: of all requests that completed, but not of cancelled ones), all of them or those whose error may pass by itself; returns how many';

CREATE FUNCTION imgpress.purge(older_than interval) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    purged bigint;
BEGIN
    IF older_than IS NULL OR older_than < interval '0' THEN
        RAISE EXCEPTION 'older_than must be an interval of zero or more' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- What somebody else is changing is purged the next time.
    DELETE FROM imgpress.processing_requests r WHERE r.id IN (
        SELECT q.id FROM imgpress.processing_requests q
        WHERE q.ended_at <= clock_timestamp() - older_than ORDER BY q.id FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$$;
COMMENT ON FUNCTION imgpress.purge(interval) IS
    'Deletes requests that ended longer ago than this, with their products, images and outputs; returns how many requests';
