-- What can be done with a submitted request: ask for status and products, wait, cancel, purge.

CREATE OR REPLACE FUNCTION imgpress_internal.find_request(request_id uuid) RETURNS imgpress.processing_requests
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request imgpress.processing_requests;
BEGIN
    SELECT * INTO request FROM imgpress.processing_requests r
        WHERE r.id = find_request.request_id AND imgpress_internal.may_see(r.submitted_by);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % does not exist', coalesce(request_id::text, 'NULL') USING ERRCODE = 'no_data_found';
    END IF;
    RETURN request;
END
$$;
COMMENT ON FUNCTION imgpress_internal.find_request(uuid) IS 
    'The row of a request; error P0002 if there is none that the caller may see';

CREATE OR REPLACE FUNCTION imgpress.request_status(request_id uuid) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    word text;
BEGIN
    SELECT r.status INTO word FROM imgpress.processing_requests r
        WHERE r.id = request_status.request_id AND imgpress_internal.may_see(r.submitted_by);
    RETURN coalesce(word, (imgpress_internal.find_request(request_id)).status);
END
$$;
COMMENT ON FUNCTION imgpress.request_status(uuid) IS
    'Pending, Processing, Completed or Failed; error P0002 for an unknown id';

CREATE OR REPLACE FUNCTION imgpress.request_products(
    request_id uuid,
    OUT serial_number bigint, OUT product_name text, OUT input_image_urls text, OUT output_image_urls text,
    OUT output_urls text[]
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.find_request(request_id);
    RETURN QUERY
        SELECT p.serial_number, p.product_name, i.inputs, CASE WHEN i.all_ended THEN i.outputs ELSE '' END,
               CASE WHEN i.all_ended THEN i.urls END
        FROM imgpress.products p
        CROSS JOIN LATERAL (
            SELECT string_agg(g.url, ',' ORDER BY n.place) AS inputs,
                   string_agg(coalesce(g.output_url, 'Error processing image'), ',' ORDER BY n.place) AS outputs,
                   array_agg(g.output_url ORDER BY n.place) AS urls,
                   bool_and(g.ended_at IS NOT NULL) AS all_ended
            FROM unnest(p.image_nos) WITH ORDINALITY AS n(image_no, place)
            CROSS JOIN LATERAL (
                -- OFFSET 0 keeps this a subquery: each image is looked up by its number.
                SELECT x.url, x.ended_at,
                       CASE WHEN x.status = 'Completed'
                            THEN imgpress.output_url(x.request_id, x.image_no, x.url, x.output_format) END AS output_url
                FROM imgpress.images x WHERE x.request_id = p.request_id AND x.image_no = n.image_no OFFSET 0
            ) g
        ) i
        WHERE p.request_id = request_products.request_id
        ORDER BY p.product_no;
END
$$;
COMMENT ON FUNCTION imgpress.request_products(uuid) IS
    'The products of a request in input order. output_image_urls is empty until every image of the product has ended; '
    'an image that failed has "Error processing image" in the place of its URL. output_urls: the same as an array, '
    'with NULL in the places of failed images; NULL until every image has ended';

CREATE OR REPLACE FUNCTION imgpress.cancel(request_id uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stopped integer;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM FROM imgpress.processing_requests r
        WHERE r.id = cancel.request_id AND imgpress_internal.may_see(r.submitted_by) FOR NO KEY UPDATE;
    IF (imgpress_internal.find_request(request_id)).standing THEN
        RAISE EXCEPTION 'request % is that of an attached table, and never ends', request_id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'imgpress.pause() holds it up, imgpress.detach() removes it; the view imgpress.attachments '
                      'names the table.';
    ELSIF (imgpress_internal.find_request(request_id)).ended_at IS NOT NULL THEN
        RETURN imgpress.request_status(request_id);
    END IF;
    UPDATE imgpress.images i
        SET status = 'Failed', lease_token = NULL, retry_at = NULL, host_no = NULL, ended_at = clock_timestamp(),
            error_code = 'cancelled', error = 'the request was cancelled'
        WHERE i.request_id = cancel.request_id AND i.status IN ('Pending', 'Processing');
    GET DIAGNOSTICS stopped = ROW_COUNT;
    UPDATE imgpress.processing_requests r
        SET status = 'Failed', reason = 'cancelled', ended_at = clock_timestamp(),
            claimed_up_to = r.last_image_no, failed_count = r.failed_count + stopped
        WHERE r.id = cancel.request_id;
    PERFORM imgpress_internal.announce_end(request_id);
    PERFORM imgpress_internal.wake_drainer();
    RETURN 'Failed';
END
$$;
COMMENT ON FUNCTION imgpress.cancel(uuid) IS
    'Ends a request as Failed with the reason "cancelled". Existing outputs are kept. Returns the status of the '
    'request; one that has already ended is not changed';

CREATE OR REPLACE FUNCTION imgpress_internal.check_age(parameter text, age interval) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF age IS NULL OR age < interval '0' THEN
        RAISE EXCEPTION '% must be an interval of zero or more, not %', parameter, coalesce(age::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_age(text, interval) IS 'Refuses an age that is NULL or negative';

CREATE OR REPLACE FUNCTION imgpress_internal.purgeable(older_than interval)
    RETURNS TABLE (id uuid, images integer, bytes bigint, awaits_webhook boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT q.id, q.image_count, q.output_bytes, EXISTS (
               SELECT FROM imgpress.webhook_deliveries d WHERE d.request_id = q.id AND d.status = 'Pending')
    FROM imgpress.processing_requests q
    WHERE q.ended_at <= clock_timestamp() - older_than AND imgpress_internal.may_see(q.submitted_by)
$$;
COMMENT ON FUNCTION imgpress_internal.purgeable(interval) IS
    'The requests that ended longer ago than this, and whether a webhook message of theirs is still to be delivered';

CREATE OR REPLACE FUNCTION imgpress.purge(
    older_than interval, dry_run boolean DEFAULT false,
    OUT requests bigint, OUT images bigint, OUT bytes bigint, OUT kept_for_webhooks bigint
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.check_age('older_than', older_than);
    IF dry_run IS NULL THEN
        RAISE EXCEPTION 'dry_run is NULL' USING ERRCODE = 'null_value_not_allowed';
    ELSIF NOT dry_run THEN
        PERFORM imgpress_internal.lock_tables();
    END IF;
    SELECT count(*) FILTER (WHERE NOT p.awaits_webhook), coalesce(sum(p.images) FILTER (WHERE NOT p.awaits_webhook), 0),
           coalesce(sum(p.bytes) FILTER (WHERE NOT p.awaits_webhook), 0), count(*) FILTER (WHERE p.awaits_webhook)
        INTO requests, images, bytes, kept_for_webhooks
        FROM imgpress_internal.purgeable(older_than) p;
    IF NOT dry_run THEN
        -- A row that another session has locked is left for the next purge.
        WITH gone AS (
            DELETE FROM imgpress.processing_requests r WHERE r.id IN (
                SELECT q.id FROM imgpress.processing_requests q
                WHERE q.ended_at <= clock_timestamp() - older_than AND q.id IN (
                    SELECT p.id FROM imgpress_internal.purgeable(older_than) p WHERE NOT p.awaits_webhook)
                ORDER BY q.id FOR UPDATE OF q SKIP LOCKED)
            RETURNING r.image_count, r.output_bytes
        )
        SELECT count(*), coalesce(sum(g.image_count), 0), coalesce(sum(g.output_bytes), 0) INTO requests, images, bytes
            FROM gone g;
    END IF;
    IF kept_for_webhooks > 0 THEN
        RAISE NOTICE '% %: a webhook message is not delivered yet', kept_for_webhooks,
            CASE kept_for_webhooks WHEN 1 THEN 'request is kept' ELSE 'requests are kept' END
            USING HINT = 'See imgpress.webhook_deliveries. When a message is delivered, or given up, a later purge '
                'deletes its request.';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress.purge(interval, boolean) IS
    'Deletes requests that ended longer ago than this, with their products, images and outputs: the output URLs lead '
    'nowhere afterwards. Returns how many requests and images that were, and the bytes of their outputs; '
    'kept_for_webhooks: requests that are kept, because a webhook message is not delivered yet. dry_run: only says '
    'what a purge would do. Attached tables keep theirs';

CREATE OR REPLACE FUNCTION imgpress_internal.delete_children() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    freed bigint[];
BEGIN
    DELETE FROM imgpress.images c USING gone WHERE c.request_id = gone.id;
    WITH deleted AS (
        DELETE FROM imgpress_internal.image_outputs c USING gone WHERE c.request_id = gone.id RETURNING c.blob_id
    )
    SELECT array_agg(DISTINCT d.blob_id) INTO freed FROM deleted d;
    PERFORM imgpress_internal.sweep_blobs(freed);
    DELETE FROM imgpress_internal.image_aliases c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.products c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.webhook_deliveries c USING gone WHERE c.request_id = gone.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION imgpress_internal.delete_children() IS
    'Deletes the products, images, outputs and webhook deliveries of deleted requests, and the bytes that no other '
    'request shows';

CREATE OR REPLACE TRIGGER delete_children AFTER DELETE ON imgpress.processing_requests
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION imgpress_internal.delete_children();

CREATE OR REPLACE FUNCTION imgpress_internal.wake_drainer() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'imgpress_wake_drainer';
COMMENT ON FUNCTION imgpress_internal.wake_drainer() IS
    'Wakes the drainer of this database when the transaction commits';

CREATE OR REPLACE FUNCTION imgpress_internal.wake_drainer_trigger() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'imgpress_wake_drainer_trigger';
COMMENT ON FUNCTION imgpress_internal.wake_drainer_trigger() IS
    'Wakes the drainer of this database when the transaction commits';

CREATE OR REPLACE TRIGGER wake_drainer AFTER INSERT ON imgpress.processing_requests
    FOR EACH STATEMENT EXECUTE FUNCTION imgpress_internal.wake_drainer_trigger();

CREATE OR REPLACE FUNCTION imgpress_internal.progress_in_words(request_id uuid) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('request %s: %s of %s images', r.id, to_char(n.ended, 'FM999,999,999,990'),
                  to_char(r.image_count, 'FM999,999,999,990'))
        || coalesce(', ' || to_char(nullif(r.failed_count, 0), 'FM999,999,999,990') || ' failed', '')
        -- Where nothing has ended for longer than the estimate, it is worth nothing.
        || CASE WHEN extract(epoch FROM clock_timestamp() - r.worked_until) > n.seconds + 2 THEN ''
                WHEN n.seconds < 100 THEN format(', about %s s left', greatest(round(n.seconds), 1))
                WHEN n.seconds < 6000 THEN format(', about %s min left', round(n.seconds / 60))
                WHEN n.seconds >= 6000 THEN format(', about %s h left', round(n.seconds / 3600))
                ELSE '' END
        || coalesce('; it has to wait: ' || imgpress_internal.standstill(), '')
    FROM imgpress.processing_requests r
    CROSS JOIN LATERAL (
        SELECT r.succeeded_count + r.failed_count AS ended,
               extract(epoch FROM r.worked) * (r.image_count - r.succeeded_count - r.failed_count)
               / nullif(r.succeeded_count + r.failed_count, 0) AS seconds
    ) n
    WHERE r.id = $1
$$;
COMMENT ON FUNCTION imgpress_internal.progress_in_words(uuid) IS 'What wait() tells about a request in a notice';

CREATE OR REPLACE FUNCTION imgpress.wait(request_id uuid, timeout interval DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'imgpress_wait_for';
COMMENT ON FUNCTION imgpress.wait(uuid, interval) IS
    'Waits until a request has ended or the time-out has passed (NULL: no limit); returns the status of the request. '
    'A notice tells its progress after 5 seconds, and then at most every 5 seconds, unless client_min_messages leaves '
    'notices out';

GRANT EXECUTE ON FUNCTION
    imgpress.request_products(uuid), imgpress.request_status(uuid), imgpress.wait(uuid, interval)
    TO imgpress_reader;
GRANT EXECUTE ON FUNCTION imgpress.cancel(uuid) TO imgpress_user;
GRANT EXECUTE ON FUNCTION imgpress.purge(interval, boolean) TO imgpress_admin;
