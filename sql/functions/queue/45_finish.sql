-- The queue as a drainer sees it, second part: recording results, and leases.

CREATE OR REPLACE FUNCTION imgpress_internal.announce_end(request_id uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request imgpress.processing_requests;
BEGIN
    SELECT * INTO STRICT request FROM imgpress.processing_requests r WHERE r.id = announce_end.request_id;
    IF request.webhook_url IS NOT NULL THEN
        INSERT INTO imgpress.webhook_deliveries (message_id, request_id, url, payload)
            VALUES (request.id || '.' || request.run, request.id, request.webhook_url,
                    imgpress_internal.webhook_payload(request));
    END IF;
    PERFORM pg_notify('imgpress', json_build_object('request_id', request.id, 'status', request.status)::text);
END
$$;
COMMENT ON FUNCTION imgpress_internal.announce_end(uuid) IS
    'For a request that has just ended: writes its webhook message and sends NOTIFY imgpress, in the transaction that '
    'ends the request';

CREATE OR REPLACE FUNCTION imgpress_internal.count_ended(
    request_ids uuid[], succeeded integer[], failed integer[], source_sizes bigint[], output_sizes bigint[]
) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended uuid;
    any_ended boolean := false;
BEGIN
    FOR ended IN
        UPDATE imgpress.processing_requests q
            SET succeeded_count = q.succeeded_count + c.succeeded, failed_count = q.failed_count + c.failed,
                source_bytes = q.source_bytes + c.source_size, output_bytes = q.output_bytes + c.output_size,
                worked = q.worked + greatest(clock_timestamp() - q.worked_until, '0'),
                worked_until = clock_timestamp(),
                status = CASE WHEN q.succeeded_count + q.failed_count + c.succeeded + c.failed = q.image_count
                                   AND NOT q.standing
                              THEN 'Completed' ELSE q.status END,
                ended_at = CASE WHEN q.succeeded_count + q.failed_count + c.succeeded + c.failed = q.image_count
                                     AND NOT q.standing
                                THEN clock_timestamp() END,
                reason = CASE WHEN q.succeeded_count + q.failed_count + c.succeeded + c.failed = q.image_count
                                   AND NOT q.standing
                              THEN imgpress_internal.failure_summary(q.id, q.failed_count + c.failed, q.image_count) END
            FROM unnest(request_ids, succeeded, failed, source_sizes, output_sizes)
                AS c(id, succeeded, failed, source_size, output_size)
            WHERE q.id = c.id AND q.status = 'Processing'
            RETURNING CASE WHEN q.status = 'Completed' THEN q.id END
    LOOP
        IF ended IS NOT NULL THEN
            PERFORM imgpress_internal.announce_end(ended);
            any_ended := true;
        END IF;
    END LOOP;
    RETURN any_ended;
END
$$;
COMMENT ON FUNCTION imgpress_internal.count_ended(uuid[], integer[], integer[], bigint[], bigint[]) IS
    'Adds to the counters of requests, each given once, and ends the requests whose last image has ended; returns '
    'whether any has ended. The request of an attached table never ends';

CREATE OR REPLACE FUNCTION imgpress_internal.note_standing_ends(request_ids uuid[], image_nos integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM imgpress.processing_requests r
               WHERE r.id = ANY (array(SELECT DISTINCT unnest(request_ids))) AND r.standing) THEN
        PERFORM imgpress_internal.queue_ends(request_ids, image_nos);
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.note_standing_ends(uuid[], integer[]) IS
    'For images that have ended: those of attached tables are queued, so that their rows are written';

CREATE OR REPLACE FUNCTION imgpress_internal.record_outcomes(outcomes imgpress_internal.outcome[],
    OUT recorded integer[])
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    free_requests uuid[];
BEGIN
    -- Requests are locked before images everywhere, in the order of their ids, so there are no deadlocks.
    -- SKIP LOCKED: an open transaction of a user delays only the rows that it has locked.
    free_requests := array(
        SELECT r.id FROM imgpress.processing_requests r
        WHERE r.id = ANY (array(SELECT DISTINCT o.request_id FROM unnest(outcomes) o))
        ORDER BY r.id FOR NO KEY UPDATE SKIP LOCKED);
    WITH result AS MATERIALIZED (
        SELECT o.* FROM unnest(outcomes) WITH ORDINALITY AS o
        CROSS JOIN LATERAL (
            SELECT FROM imgpress.images x
            WHERE x.request_id = o.request_id AND x.image_no = o.image_no AND x.lease_token = o.token
              AND o.request_id = ANY (free_requests)
            FOR NO KEY UPDATE SKIP LOCKED
        ) i
    ), updated AS (
        UPDATE imgpress.images i
            SET status = r.status, lease_token = NULL, error_code = r.error_code, error = r.error,
                http_status = CASE WHEN r.uncounted THEN i.http_status ELSE r.http_status END,
                attempts = CASE WHEN r.uncounted THEN i.attempts - 1 ELSE i.attempts END,
                output_format = r.output_format,
                failed_attempts = r.failed_attempts, codec_crashes = r.codec_crashes,
                interruptions = r.interruptions, transient = r.transient,
                retry_at = clock_timestamp() + r.retry_delay_ms * interval '1 millisecond',
                ended_at = CASE WHEN r.status IN ('Completed', 'Failed') THEN clock_timestamp() END
            FROM result r WHERE i.request_id = r.request_id AND i.image_no = r.image_no
            RETURNING r.ordinality::integer AS no
    )
    SELECT coalesce(array_agg(u.no), '{}') INTO recorded FROM updated u;
END
$$;
COMMENT ON FUNCTION imgpress_internal.record_outcomes(imgpress_internal.outcome[]) IS
    'Updates the images that are still leased under their token and not locked by another session; returns the '
    'ordinals of their outcomes';

CREATE OR REPLACE FUNCTION imgpress_internal.end_leases(tokens bigint[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SKIP LOCKED: a lease that another session has locked expires, and is deleted then.
    DELETE FROM imgpress_internal.leases l
        WHERE l.token = ANY (array(
              SELECT f.token FROM imgpress_internal.leases f WHERE f.token = ANY (tokens)
              ORDER BY f.token FOR UPDATE SKIP LOCKED))
          AND NOT EXISTS (
              -- OFFSET 0 has each image looked up by its number.
              SELECT FROM unnest(l.request_ids, l.image_nos) AS h(request_id, image_no)
              CROSS JOIN LATERAL (
                  SELECT x.lease_token FROM imgpress.images x
                  WHERE x.request_id = h.request_id AND x.image_no = h.image_no OFFSET 0
              ) i
              WHERE i.lease_token = l.token)
          AND NOT EXISTS (
              SELECT FROM imgpress.webhook_deliveries d
              WHERE d.id = ANY (l.delivery_ids) AND d.lease_token = l.token);
END
$$;
COMMENT ON FUNCTION imgpress_internal.end_leases(bigint[]) IS
    'Deletes the leases among these under which nothing is held any more';

CREATE OR REPLACE FUNCTION imgpress_internal.finish_images(
    outcomes imgpress_internal.outcome[], outputs bytea[], OUT put_off integer[], OUT ended boolean
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    recorded integer[];
    sources imgpress_internal.sources[];
BEGIN
    PERFORM imgpress_internal.lock_tables();
    outcomes := imgpress_internal.resolve_unchanged(outcomes);
    recorded := imgpress_internal.record_outcomes(outcomes);

    WITH stored AS MATERIALIZED (
        SELECT o.*, o.blob_id IS NULL AS is_new,
               coalesce(o.blob_id, nextval('imgpress_internal.blobs_blob_id_seq')) AS its_blob
        FROM unnest(outcomes) WITH ORDINALITY AS o
        WHERE o.status = 'Completed' AND o.ordinality = ANY (recorded)
    ), new_blobs AS (
        -- The bytes go straight from the argument into the row: each step in between would copy them.
        INSERT INTO imgpress_internal.blobs (blob_id, output_format, content_type, etag, width, height, source_bytes,
                kept_source, warning, bytes)
            SELECT s.its_blob, s.output_format, s.content_type, s.etag, s.width, s.height, s.source_bytes,
                   s.kept_source, s.warning, outputs[s.ordinality]
            FROM stored s WHERE s.is_new
    ), new_outputs AS (
        INSERT INTO imgpress_internal.image_outputs (request_id, image_no, blob_id)
            SELECT s.request_id, s.image_no, s.its_blob FROM stored s
    )
    SELECT array_agg((s.source_key, s.its_blob, s.source_digest, s.source_etag, s.last_modified,
                      now())::imgpress_internal.sources)
        INTO sources FROM stored s WHERE s.source_digest IS NOT NULL;
    PERFORM imgpress_internal.remember_sources(sources);

    SELECT imgpress_internal.count_ended(array_agg(c.id), array_agg(c.succeeded), array_agg(c.failed),
                                         array_agg(c.source_size), array_agg(c.output_size))
        INTO ended
        FROM (
            SELECT outcomes[r.no].request_id AS id,
                   count(*) FILTER (WHERE outcomes[r.no].status = 'Completed')::integer AS succeeded,
                   count(*) FILTER (WHERE outcomes[r.no].status = 'Failed')::integer AS failed,
                   coalesce(sum(outcomes[r.no].source_bytes), 0)::bigint AS source_size,
                   coalesce(sum(coalesce(outcomes[r.no].output_bytes, octet_length(outputs[r.no])))
                            FILTER (WHERE outcomes[r.no].status = 'Completed'), 0)::bigint AS output_size
            FROM unnest(recorded) AS r(no) GROUP BY 1
        ) c;
    PERFORM imgpress_internal.note_standing_ends(array_agg(o.request_id), array_agg(o.image_no))
        FROM unnest(outcomes) WITH ORDINALITY AS o
        WHERE o.status IN ('Completed', 'Failed') AND o.ordinality = ANY (recorded);
    put_off := array(
        SELECT o.ordinality::integer FROM unnest(outcomes) WITH ORDINALITY AS o
        CROSS JOIN LATERAL (
            SELECT x.lease_token FROM imgpress.images x
            WHERE x.request_id = o.request_id AND x.image_no = o.image_no OFFSET 0
        ) i
        WHERE i.lease_token = o.token ORDER BY o.ordinality);
    PERFORM imgpress_internal.end_leases(array(SELECT DISTINCT o.token FROM unnest(outcomes) o));
END
$$;
COMMENT ON FUNCTION imgpress_internal.finish_images(imgpress_internal.outcome[], bytea[]) IS
    'Records results with their outputs, adds to the counters and ends requests, in one transaction. Images that are '
    'no longer leased under their token are skipped. put_off: ordinals of images that another session has locked, to '
    'be sent again; ended: a request has ended';

CREATE OR REPLACE FUNCTION imgpress_internal.give_up_interrupted(tokens bigint[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given_up bigint;
    ids uuid[];
    nos integer[];
    counts integer[];
    zeros integer[];
    free_requests uuid[];
BEGIN
    SELECT array_agg(i.request_id), array_agg(i.image_no) INTO ids, nos
        FROM imgpress_internal.leases l, unnest(l.request_ids, l.image_nos) AS h(request_id, image_no)
        CROSS JOIN LATERAL (
            SELECT x.request_id, x.image_no FROM imgpress.images x
            WHERE x.request_id = h.request_id AND x.image_no = h.image_no AND x.lease_token = l.token AND x.alone
            OFFSET 0
        ) i
        WHERE l.token = ANY (tokens);
    IF ids IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM imgpress_internal.note_standing_ends(ids, nos);
    free_requests := array(
        SELECT r.id FROM imgpress.processing_requests r WHERE r.id = ANY (ids)
        ORDER BY r.id FOR NO KEY UPDATE SKIP LOCKED);
    WITH lone AS MATERIALIZED (
        SELECT i.request_id, i.image_no FROM unnest(ids, nos) AS h(request_id, image_no)
        CROSS JOIN LATERAL (
            SELECT x.request_id, x.image_no FROM imgpress.images x
            WHERE x.request_id = h.request_id AND x.image_no = h.image_no AND x.lease_token = ANY (tokens)
              AND x.request_id = ANY (free_requests)
            FOR NO KEY UPDATE SKIP LOCKED
        ) i
    ), failed AS (
        UPDATE imgpress.images i
            SET status = 'Failed', lease_token = NULL, ended_at = clock_timestamp(), transient = false,
                interruptions = i.interruptions + 1, error_code = 'press_died', http_status = NULL,
                error = 'the worker was killed or crashed each time that it held this image, in the end with no other'
            FROM lone o WHERE i.request_id = o.request_id AND i.image_no = o.image_no
            RETURNING i.request_id
    )
    SELECT sum(c.images), array_agg(c.request_id), array_agg(c.images), array_agg(0)
        INTO given_up, ids, counts, zeros
        FROM (SELECT d.request_id, count(*)::integer AS images FROM failed d GROUP BY 1) c;
    PERFORM imgpress_internal.count_ended(ids, zeros, counts, zeros, zeros);
    RETURN coalesce(given_up, 0);
END
$$;
COMMENT ON FUNCTION imgpress_internal.give_up_interrupted(bigint[]) IS
    'Gives up the images under these leases that were claimed alone and interrupted even so; returns how many';

CREATE OR REPLACE FUNCTION imgpress_internal.release_leases(tokens bigint[], interrupted boolean) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    off constant integer := CASE WHEN interrupted THEN 0 ELSE 1 END;
    in_order bigint[];
    given_up bigint := 0;
    images bigint;
    deliveries bigint;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    in_order := array(SELECT l.token FROM imgpress_internal.leases l WHERE l.token = ANY (tokens) AND l.given_back);
    IF interrupted AND in_order <> '{}' THEN
        RETURN imgpress_internal.release_leases(in_order, false)
            + imgpress_internal.release_leases(array(SELECT unnest(tokens) EXCEPT SELECT unnest(in_order)), true);
    END IF;
    -- Images and deliveries are locked before their lease, as in finish_images() and finish_delivery().
    -- Rows that another session has locked keep their lease, which expires now: a later call puts them back.
    IF interrupted THEN
        given_up := imgpress_internal.give_up_interrupted(tokens);
    END IF;
    WITH held AS MATERIALIZED (
        SELECT i.request_id, i.image_no
        FROM imgpress_internal.leases l, unnest(l.request_ids, l.image_nos) AS h(request_id, image_no)
        CROSS JOIN LATERAL (
            SELECT x.request_id, x.image_no FROM imgpress.images x
            WHERE x.request_id = h.request_id AND x.image_no = h.image_no AND x.lease_token = l.token
              AND NOT (x.alone AND interrupted)
            FOR NO KEY UPDATE SKIP LOCKED
        ) i
        WHERE l.token = ANY (tokens)
    )
    UPDATE imgpress.images i
        SET status = 'Pending', lease_token = NULL, retry_at = clock_timestamp(), attempts = i.attempts - off,
            interruptions = i.interruptions + 1 - off
        FROM held h WHERE i.request_id = h.request_id AND i.image_no = h.image_no;
    GET DIAGNOSTICS images = ROW_COUNT;
    WITH held AS MATERIALIZED (
        SELECT d.id, interrupted AND d.interruptions >= 2 AS counts
        FROM imgpress_internal.leases l, unnest(l.delivery_ids) AS h(id)
            JOIN imgpress.webhook_deliveries d ON d.id = h.id
        WHERE l.token = ANY (tokens) AND d.lease_token = l.token
        FOR NO KEY UPDATE OF d SKIP LOCKED
    )
    UPDATE imgpress.webhook_deliveries d
        SET lease_token = NULL, next_attempt_at = clock_timestamp(),
            attempts = CASE WHEN h.counts THEN d.attempts ELSE d.attempts - 1 END,
            interruptions = CASE WHEN h.counts THEN 0 ELSE d.interruptions + 1 - off END
        FROM held h WHERE d.id = h.id;
    GET DIAGNOSTICS deliveries = ROW_COUNT;
    PERFORM imgpress_internal.end_leases(tokens);
    UPDATE imgpress_internal.leases l SET expires_at = clock_timestamp(), given_back = NOT interrupted
        WHERE l.token = ANY (array(
            SELECT f.token FROM imgpress_internal.leases f WHERE f.token = ANY (tokens)
            ORDER BY f.token FOR UPDATE SKIP LOCKED));
    RETURN given_up + images + deliveries;
END
$$;
COMMENT ON FUNCTION imgpress_internal.release_leases(bigint[], boolean) IS
    'Puts the images and webhook deliveries under these leases back: they are due at once. interrupted: their holder '
    'was killed or crashed, perhaps because of one of them, so that is counted; otherwise they are given back in '
    'order, and the attempt does not count. Returns how many rows that were';

CREATE OR REPLACE FUNCTION imgpress_internal.renew_leases(tokens bigint[], lease interval,
    OUT rescued bigint, OUT blocked boolean)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.lock_tables();
    -- SKIP LOCKED: another drainer is renewing or releasing the lease at this moment, or a user has locked it. While
    -- it is locked, nobody can release it either.
    UPDATE imgpress_internal.leases l SET expires_at = clock_timestamp() + lease
        WHERE l.token = ANY (array(
            SELECT f.token FROM imgpress_internal.leases f WHERE f.token = ANY (tokens)
            ORDER BY f.token FOR UPDATE SKIP LOCKED));
    rescued := imgpress_internal.release_leases(array(
        SELECT l.token FROM imgpress_internal.leases l WHERE l.expires_at < clock_timestamp()
        ORDER BY l.token FOR UPDATE SKIP LOCKED), interrupted => true);
    blocked := EXISTS (SELECT FROM imgpress_internal.leases l WHERE l.expires_at < clock_timestamp());
END
$$;
COMMENT ON FUNCTION imgpress_internal.renew_leases(bigint[], interval) IS
    'Extends these leases, whose holder is alive. Also puts back what is held under expired leases, of any drainer. '
    'rescued: how many rows that were; blocked: something could not be extended or put back, because another session '
    'has locked it';

CREATE OR REPLACE FUNCTION imgpress_internal.rescue(drainer integer, interrupted boolean) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.lock_tables();
    RETURN imgpress_internal.release_leases(
        array(SELECT l.token FROM imgpress_internal.leases l WHERE l.drainer = rescue.drainer), interrupted);
END
$$;
COMMENT ON FUNCTION imgpress_internal.rescue(integer, boolean) IS
    'For a drainer that starts: puts back what its predecessor of the same number had claimed, which was killed or '
    'crashed (interrupted) or has ended in order; returns how many rows that were';

GRANT EXECUTE ON FUNCTION
    imgpress_internal.announce_end(uuid), imgpress_internal.note_standing_ends(uuid[], integer[]),
    imgpress_internal.count_ended(uuid[], integer[], integer[], bigint[], bigint[]),
    imgpress_internal.record_outcomes(imgpress_internal.outcome[]), imgpress_internal.end_leases(bigint[]),
    imgpress_internal.finish_images(imgpress_internal.outcome[], bytea[]),
    imgpress_internal.give_up_interrupted(bigint[]), imgpress_internal.release_leases(bigint[], boolean),
    imgpress_internal.renew_leases(bigint[], interval), imgpress_internal.rescue(integer, boolean)
    TO imgpress_worker;
