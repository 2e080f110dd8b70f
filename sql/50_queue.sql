-- The queue as the drainer sees it: claim, finish, renew, rescue. Each is one short transaction.

CREATE FUNCTION imgpress.claim_fresh(token bigint, slots integer, held_requests uuid[], held_counts integer[])
    RETURNS SETOF imgpress.images
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turn record;
    slots_left integer := slots;
    share integer;
    taken integer;
BEGIN
    -- Whoever was served longest ago is served first. A request may hold no more than half of the
    -- slots that the others leave, so that there is always one for a newcomer: a single slow
    -- origin cannot fill the window.
    FOR turn IN
        SELECT r.id, r.claimed_count, r.image_count - r.claimed_count AS unclaimed, coalesce(h.held, 0) AS held,
               count(*) OVER () AS waiting
        FROM (
            SELECT q.id, q.claimed_count, q.image_count
            FROM imgpress.processing_requests q
            WHERE q.claimed_count < q.image_count AND q.status IN ('Pending', 'Processing')
            ORDER BY q.claimed_at NULLS FIRST, q.created_at
            LIMIT least(slots, 32)
            FOR UPDATE SKIP LOCKED
        ) r LEFT JOIN unnest(held_requests, held_counts) AS h(id, held) USING (id)
    LOOP
        share := least(turn.unclaimed, slots_left, greatest(slots / turn.waiting::integer, 1),
                       greatest((slots_left - turn.held) / 2, CASE WHEN turn.held = 0 THEN 1 ELSE 0 END));
        CONTINUE WHEN share <= 0;
        RETURN QUERY UPDATE imgpress.images i
            SET status = 'Processing', attempts = i.attempts + 1, lease_token = token
            WHERE i.request_id = turn.id AND i.position > turn.claimed_count
              AND i.position <= turn.claimed_count + share
            RETURNING i.*;
        -- Not the share: a parallel restore may have loaded the request before its images.
        GET DIAGNOSTICS taken = ROW_COUNT;
        slots_left := slots_left - taken;
        UPDATE imgpress.processing_requests q
            SET claimed_count = q.claimed_count + taken, claimed_at = clock_timestamp(),
                status = 'Processing', started_at = coalesce(q.started_at, clock_timestamp())
            WHERE q.id = turn.id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress.claim_fresh(bigint, integer, uuid[], integer[]) IS
    'Internal: claims images that were never tried, fairly over the waiting requests; held_* say how many images of which request the drainer holds';

-- PL/pgSQL also where SQL would do: it keeps its plans, an SQL function is planned at every call.
CREATE FUNCTION imgpress.claim_retries(token bigint, slots integer) RETURNS SETOF imgpress.images
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        WITH due AS MATERIALIZED (
            SELECT i.request_id, i.position FROM imgpress.images i
            WHERE i.retry_at <= clock_timestamp() ORDER BY i.retry_at LIMIT slots FOR UPDATE SKIP LOCKED
        )
        UPDATE imgpress.images i
            SET status = 'Processing', attempts = i.attempts + 1, lease_token = token, retry_at = NULL
            FROM due WHERE i.request_id = due.request_id AND i.position = due.position
            RETURNING i.*;
END
$$;
COMMENT ON FUNCTION imgpress.claim_retries(bigint, integer) IS 'Internal: claims images whose next attempt is due';

CREATE FUNCTION imgpress.claim_images(
    token bigint, slots integer, retry_slots integer, held_requests uuid[], held_counts integer[], lease interval,
    OUT request_id uuid, OUT "position" integer, OUT url text, OUT quality smallint,
    OUT attempts smallint, OUT failed_attempts smallint, OUT codec_crashes smallint, OUT effort text
) RETURNS SETOF record
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    claimed imgpress.images[];
BEGIN
    SELECT array_agg(i) INTO claimed FROM imgpress.claim_retries(token, least(slots, retry_slots)) i;
    claimed := claimed || (
        SELECT array_agg(i) FROM imgpress.claim_fresh(
            token, slots - coalesce(cardinality(claimed), 0), held_requests, held_counts) i);
    IF claimed IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO imgpress.leases (token, request_ids, positions, expires_at)
        SELECT token, array_agg(c.request_id), array_agg(c.position), clock_timestamp() + lease FROM unnest(claimed) c;
    RETURN QUERY
        SELECT c.request_id, c.position, c.url, r.quality, c.attempts, c.failed_attempts, c.codec_crashes, r.effort
        FROM unnest(claimed) c JOIN imgpress.processing_requests r ON r.id = c.request_id;
END
$$;
COMMENT ON FUNCTION imgpress.claim_images(bigint, integer, integer, uuid[], integer[], interval) IS
    'Internal: claims up to so many images under one lease, of them up to retry_slots whose next attempt is due; their attempts are counted by it';

CREATE FUNCTION imgpress.announce_end(request_id uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request imgpress.processing_requests;
BEGIN
    SELECT * INTO STRICT request FROM imgpress.processing_requests r WHERE r.id = announce_end.request_id;
    -- A retry that changed nothing is no news.
    IF request.webhook_url IS NOT NULL AND request.announced IS DISTINCT FROM request.status || ' ' || request.done_count THEN
        INSERT INTO imgpress.webhook_deliveries (request_id, url, payload)
            VALUES (request.id, request.webhook_url, imgpress.webhook_payload(request));
        UPDATE imgpress.processing_requests r SET announced = request.status || ' ' || request.done_count
            WHERE r.id = request.id;
    END IF;
    PERFORM pg_notify('imgpress', json_build_object('request_id', request.id, 'status', request.status)::text);
END
$$;
COMMENT ON FUNCTION imgpress.announce_end(uuid) IS
    'Internal: puts the webhook of an ended request into the outbox and sends NOTIFY imgpress, in the transaction that ends it';

CREATE FUNCTION imgpress.finish_images(
    tokens bigint[], request_ids uuid[], positions integer[], statuses text[], retry_delays_ms bigint[],
    failed_attempts smallint[], codec_crashes smallint[], transients boolean[], error_codes text[], errors text[],
    source_sizes bigint[], output_sizes bigint[]
) RETURNS TABLE (no integer, stored boolean)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    owned integer[];
    free_requests uuid[];
    ended uuid;
BEGIN
    -- Requests before images, as everywhere: whoever locks in this order cannot deadlock. What
    -- another session holds is put off, so that an open transaction delays its own request only.
    free_requests := array(
        SELECT r.id FROM imgpress.processing_requests r WHERE r.id = ANY (request_ids)
        ORDER BY r.id FOR UPDATE SKIP LOCKED);
    WITH result AS MATERIALIZED (
        SELECT * FROM unnest(tokens, request_ids, positions, statuses, retry_delays_ms, failed_attempts,
                             codec_crashes, transients, error_codes, errors) WITH ORDINALITY
            AS t(token, request_id, position, status, delay_ms, failed_attempts, codec_crashes, transient, error_code, error, no)
    ), updated AS (
        UPDATE imgpress.images i
            SET status = r.status, lease_token = NULL, error_code = r.error_code, error = r.error,
                failed_attempts = r.failed_attempts, codec_crashes = r.codec_crashes, transient = r.transient,
                retry_at = clock_timestamp() + r.delay_ms * interval '1 millisecond',
                ended_at = CASE WHEN r.status IN ('Completed', 'Failed') THEN clock_timestamp() END
            FROM result r
            WHERE i.request_id = r.request_id AND i.position = r.position AND i.lease_token = r.token
              AND r.request_id = ANY (free_requests)
            RETURNING r.no::integer AS no
    )
    SELECT array_agg(u.no) INTO owned FROM updated u;

    FOR ended IN
        UPDATE imgpress.processing_requests q
            SET done_count = q.done_count + c.done, failed_count = q.failed_count + c.failed,
                source_bytes = q.source_bytes + c.source_size, output_bytes = q.output_bytes + c.output_size,
                status = CASE WHEN q.done_count + q.failed_count + c.done + c.failed = q.image_count
                              THEN 'Completed' ELSE q.status END,
                ended_at = CASE WHEN q.done_count + q.failed_count + c.done + c.failed = q.image_count
                                THEN clock_timestamp() END
            FROM (
                SELECT request_ids[o.no] AS id,
                       count(*) FILTER (WHERE statuses[o.no] = 'Completed')::integer AS done,
                       count(*) FILTER (WHERE statuses[o.no] = 'Failed')::integer AS failed,
                       coalesce(sum(source_sizes[o.no]), 0)::bigint AS source_size,
                       coalesce(sum(output_sizes[o.no]), 0)::bigint AS output_size
                FROM unnest(owned) AS o(no) GROUP BY 1
            ) c
            WHERE q.id = c.id AND q.status = 'Processing'
            RETURNING CASE WHEN q.status = 'Completed' THEN q.id END
    LOOP
        IF ended IS NOT NULL THEN
            PERFORM imgpress.announce_end(ended);
        END IF;
    END LOOP;
    RETURN QUERY
        SELECT o.no, true FROM unnest(owned) AS o(no)
        UNION ALL
        SELECT b.no::integer, false FROM unnest(request_ids) WITH ORDINALITY AS b(id, no)
        WHERE b.id <> ALL (free_requests)
          AND EXISTS (SELECT FROM imgpress.processing_requests r WHERE r.id = b.id);
END
$$;
COMMENT ON FUNCTION imgpress.finish_images(bigint[], uuid[], integer[], text[], bigint[], smallint[], smallint[], boolean[], text[], text[], bigint[], bigint[]) IS
    'Internal: records outcomes, each fenced by its lease token, moves the counters and closes requests; returns the ordinals that were still ours (stored: the caller stores their outputs in the same transaction) and those of requests that another session holds (not stored: try again later)';

CREATE FUNCTION imgpress.renew_leases(tokens bigint[], lease interval) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE imgpress.leases l SET expires_at = clock_timestamp() + $2 WHERE l.token = ANY ($1)
$$;
COMMENT ON FUNCTION imgpress.renew_leases(bigint[], interval) IS 'Internal: the holder of these leases is alive';

CREATE FUNCTION imgpress.release_leases(tokens bigint[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rescued bigint;
BEGIN
    WITH released AS (
        DELETE FROM imgpress.leases l WHERE l.token = ANY (tokens) RETURNING l.*
    ), held AS MATERIALIZED (
        SELECT released.token, h.request_id, h.position
        FROM released, unnest(released.request_ids, released.positions) AS h(request_id, position)
    )
    UPDATE imgpress.images i SET status = 'Pending', lease_token = NULL, retry_at = clock_timestamp()
        FROM held h WHERE i.request_id = h.request_id AND i.position = h.position AND i.lease_token = h.token;
    GET DIAGNOSTICS rescued = ROW_COUNT;
    RETURN rescued;
END
$$;
COMMENT ON FUNCTION imgpress.release_leases(bigint[]) IS
    'Internal: ends leases; images still under them are due again at once. Returns how many were';

CREATE FUNCTION imgpress.rescue_leases(expired_only boolean) RETURNS bigint
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT imgpress.release_leases(array(
        SELECT l.token FROM imgpress.leases l WHERE NOT $1 OR l.expires_at < clock_timestamp()))
$$;
COMMENT ON FUNCTION imgpress.rescue_leases(boolean) IS
    'Internal: puts back what a dead drainer held; a starting drainer rescues all, since it is the only one of its database';

CREATE FUNCTION imgpress.next_due() RETURNS timestamptz
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN least(
        (SELECT min(i.retry_at) FROM imgpress.images i WHERE i.retry_at IS NOT NULL),
        (SELECT min(d.next_attempt_at) FROM imgpress.webhook_deliveries d WHERE d.status = 'Pending'));
END
$$;
COMMENT ON FUNCTION imgpress.next_due() IS 'Internal: when an idle drainer has to look again, if nobody wakes it before';
