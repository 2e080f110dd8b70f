-- The queue as the drainer sees it: claim, finish, renew, rescue. Each is one short transaction.
--
-- Nobody has counted the images of a request that has just come, so the planner's guesses would be
-- wild here: a bitmap of a million images for a claim of 64, or 20 ms of compiling a statement of
-- 0.1 ms. Plans are made once, and read by index.

CREATE FUNCTION imgpress.end_of_share(request_id uuid, claimed integer, share integer) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found integer;
    last integer;
BEGIN
    SELECT count(*), max(o.position) INTO found, last
        FROM (
            SELECT i.position FROM imgpress.images i
            WHERE i.request_id = end_of_share.request_id AND i.position > claimed AND i.copy_of IS NULL
            ORDER BY i.position LIMIT share
        ) o;
    IF found < share THEN  -- nothing but copies is left behind it
        SELECT max(i.position) INTO last FROM imgpress.images i WHERE i.request_id = end_of_share.request_id;
    END IF;
    -- No image at all: a parallel restore may have loaded the request before its images.
    RETURN coalesce(last, claimed);
END
$$;
COMMENT ON FUNCTION imgpress.end_of_share(uuid, integer, integer) IS
    'Internal: the position up to which a request has so many images behind the claimed ones, copies not counted';

CREATE FUNCTION imgpress.claim_fresh(token bigint, slots integer, held_requests uuid[], held_counts integer[])
    RETURNS SETOF imgpress.images
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turn record;
    waiting integer;
    slots_left integer := slots;
    share integer;
    ids uuid[] := '{}';
    firsts integer[] := '{}';
    lasts integer[] := '{}';
BEGIN
    SELECT greatest(count(*), 1) INTO waiting
        FROM (SELECT FROM imgpress.processing_requests q
              WHERE q.claimed_count < q.image_count AND q.status IN ('Pending', 'Processing') LIMIT 32) w;
    -- Whoever was served longest ago is served first. A request may hold no more than half of the
    -- slots that the others leave, so that there is always one for a newcomer: a single slow
    -- origin cannot fill the window. A turn costs as much as several images, so it is for 32 of
    -- them where many wait; but a first turn is short, lest newcomers wait long for each other.
    FOR turn IN
        SELECT q.id, q.claimed_count, q.image_count - q.claimed_count AS unclaimed, coalesce(h.held, 0) AS held
        FROM imgpress.processing_requests q
        LEFT JOIN unnest(held_requests, held_counts) AS h(id, held) ON h.id = q.id
        WHERE q.claimed_count < q.image_count AND q.status IN ('Pending', 'Processing')
          AND (h.held IS NULL OR h.held + 2 <= slots)  -- who holds too much must not be in others' way
        ORDER BY q.claimed_at NULLS FIRST, q.created_at
        LIMIT least(slots, 32)
        FOR UPDATE OF q SKIP LOCKED
    LOOP
        share := least(turn.unclaimed, slots_left,
                       greatest(slots / waiting, CASE WHEN turn.claimed_count = 0 THEN 2 ELSE 32 END),
                       greatest((slots_left - turn.held) / 2, CASE WHEN turn.held = 0 THEN 1 ELSE 0 END));
        CONTINUE WHEN share <= 0;
        ids := ids || turn.id;
        firsts := firsts || turn.claimed_count + 1;
        lasts := lasts || imgpress.end_of_share(turn.id, turn.claimed_count, share);
        slots_left := slots_left - share;
        EXIT WHEN slots_left <= slots / 16;  -- turns for one or two images would cost more than they bring
    END LOOP;
    RETURN QUERY UPDATE imgpress.images i
        SET status = 'Processing', attempts = i.attempts + 1, lease_token = token
        FROM unnest(ids, firsts, lasts) AS t(id, first, last)
        WHERE i.request_id = t.id AND i.position >= t.first AND i.position <= t.last AND i.copy_of IS NULL
        RETURNING i.*;
    UPDATE imgpress.processing_requests q
        SET claimed_count = t.last, claimed_at = clock_timestamp(),
            status = 'Processing', started_at = coalesce(q.started_at, clock_timestamp())
        FROM unnest(ids, lasts) AS t(id, last)
        WHERE q.id = t.id;
END
$$;
COMMENT ON FUNCTION imgpress.claim_fresh(bigint, integer, uuid[], integer[]) IS
    'Internal: claims images that were never tried, fairly over the waiting requests; held_* say how many images of which request the drainer holds';

-- PL/pgSQL also where SQL would do: it keeps its plans, an SQL function is planned at every call.
CREATE FUNCTION imgpress.claim_retries(token bigint, slots integer) RETURNS SETOF imgpress.images
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();  -- a variable, as an index wants it
BEGIN
    RETURN QUERY
        WITH due AS MATERIALIZED (
            SELECT i.request_id, i.position FROM imgpress.images i
            WHERE i.retry_at <= moment ORDER BY i.retry_at LIMIT slots FOR UPDATE SKIP LOCKED
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
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
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
    -- Each request is looked up once, not for each image: while somebody holds an old snapshot, that
    -- leads through every version of the row since then.
    RETURN QUERY
        WITH r AS MATERIALIZED (
            SELECT q.id, q.quality, q.effort FROM imgpress.processing_requests q
            WHERE q.id = ANY (array(SELECT DISTINCT d.request_id FROM unnest(claimed) d))
        )
        SELECT c.request_id, c.position, c.url, r.quality, c.attempts, c.failed_attempts, c.codec_crashes, r.effort
        FROM unnest(claimed) c JOIN r ON r.id = c.request_id;
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

CREATE FUNCTION imgpress.count_ended(
    request_ids uuid[], done_counts integer[], failed_counts integer[], source_sizes bigint[], output_sizes bigint[]
) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended uuid;
    any_ended boolean := false;
BEGIN
    FOR ended IN
        UPDATE imgpress.processing_requests q
            SET done_count = q.done_count + c.done, failed_count = q.failed_count + c.failed,
                source_bytes = q.source_bytes + c.source_size, output_bytes = q.output_bytes + c.output_size,
                status = CASE WHEN q.done_count + q.failed_count + c.done + c.failed = q.image_count
                              THEN 'Completed' ELSE q.status END,
                ended_at = CASE WHEN q.done_count + q.failed_count + c.done + c.failed = q.image_count
                                THEN clock_timestamp() END
            FROM unnest(request_ids, done_counts, failed_counts, source_sizes, output_sizes)
                AS c(id, done, failed, source_size, output_size)
            WHERE q.id = c.id AND q.status = 'Processing'
            RETURNING CASE WHEN q.status = 'Completed' THEN q.id END
    LOOP
        IF ended IS NOT NULL THEN
            PERFORM imgpress.announce_end(ended);
            any_ended := true;
        END IF;
    END LOOP;
    RETURN any_ended;
END
$$;
COMMENT ON FUNCTION imgpress.count_ended(uuid[], integer[], integer[], bigint[], bigint[]) IS
    'Internal: moves the counters of requests, each given once, and ends those whose last image has ended; returns whether there was one';

CREATE FUNCTION imgpress.finish_images(
    tokens bigint[], request_ids uuid[], positions integer[], statuses text[], retry_delays_ms bigint[],
    failed_attempts smallint[], codec_crashes smallint[], transients boolean[], error_codes text[], errors text[],
    source_sizes bigint[], output_sizes bigint[]
) RETURNS TABLE (no integer, stored boolean, copied boolean, ended boolean)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    owned integer[];
    free_requests uuid[];
    with_copies boolean;
    copies_due boolean := false;
    requests_ended boolean;
BEGIN
    -- Requests before images, as everywhere: whoever locks in this order cannot deadlock. What
    -- another session holds is put off, so that an open transaction delays its own request only.
    SELECT coalesce(array_agg(l.id), '{}'), bool_or(l.copy_count > 0) INTO free_requests, with_copies
        FROM (
            SELECT r.id, r.copy_count FROM imgpress.processing_requests r WHERE r.id = ANY (request_ids)
            ORDER BY r.id FOR UPDATE SKIP LOCKED
        ) l;
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

    SELECT imgpress.count_ended(array_agg(c.id), array_agg(c.done), array_agg(c.failed),
                                array_agg(c.source_size), array_agg(c.output_size))
        INTO requests_ended
        FROM (
            SELECT request_ids[o.no] AS id,
                   count(*) FILTER (WHERE statuses[o.no] = 'Completed')::integer AS done,
                   count(*) FILTER (WHERE statuses[o.no] = 'Failed')::integer AS failed,
                   coalesce(sum(source_sizes[o.no]), 0)::bigint AS source_size,
                   coalesce(sum(output_sizes[o.no]), 0)::bigint AS output_size
            FROM unnest(owned) AS o(no) GROUP BY 1
        ) c;
    IF with_copies THEN
        INSERT INTO imgpress.copies_due AS d (request_id, position)
            SELECT request_ids[o.no], positions[o.no] FROM unnest(owned) AS o(no)
            WHERE statuses[o.no] IN ('Completed', 'Failed')
              AND EXISTS (SELECT FROM imgpress.images c
                          WHERE c.request_id = request_ids[o.no] AND c.copy_of = positions[o.no] AND c.status = 'Pending')
            ON CONFLICT (request_id, position) DO UPDATE SET reached = 0;
        copies_due := FOUND;
    END IF;
    RETURN QUERY
        SELECT o.no, true, copies_due, requests_ended FROM unnest(owned) AS o(no)
        UNION ALL
        SELECT b.no::integer, false, copies_due, requests_ended FROM unnest(request_ids) WITH ORDINALITY AS b(id, no)
        WHERE b.id <> ALL (free_requests)
          AND EXISTS (SELECT FROM imgpress.processing_requests r WHERE r.id = b.id);
END
$$;
COMMENT ON FUNCTION imgpress.finish_images(bigint[], uuid[], integer[], text[], bigint[], smallint[], smallint[], boolean[], text[], text[], bigint[], bigint[]) IS
    'Internal: records outcomes, each fenced by its lease token, moves the counters and closes requests; returns the ordinals that were still ours (stored: the caller stores their outputs in the same transaction) and those of requests that another session holds (not stored: try again later); copied: call end_copies() when the outputs are stored; ended: a request has ended';

CREATE FUNCTION imgpress.end_copies_of(request uuid, portion integer) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    note record;
    original imgpress.images;
    source_size integer;
    output_size integer;
    ended integer;
    last integer;
    room integer := portion;
    done integer := 0;
    failed integer := 0;
    source_sizes bigint := 0;
    output_sizes bigint := 0;
BEGIN
    FOR note IN
        SELECT d.position, d.reached FROM imgpress.copies_due d WHERE d.request_id = request ORDER BY d.position LIMIT portion
    LOOP
        EXIT WHEN room = 0;
        SELECT * INTO original FROM imgpress.images o WHERE o.request_id = request AND o.position = note.position;
        SELECT o.source_bytes, octet_length(o.bytes) INTO source_size, output_size
            FROM imgpress.outputs o WHERE o.request_id = request AND o.position = note.position;
        -- A parallel restore may have loaded the note before its image, or that before its output.
        CONTINUE WHEN original.status IS NULL OR original.status = 'Completed' AND output_size IS NULL;
        WITH updated AS (
            UPDATE imgpress.images i
                SET status = original.status, attempts = original.attempts, transient = original.transient,
                    error_code = original.error_code, error = original.error, ended_at = clock_timestamp()
                FROM (
                    SELECT c.position FROM imgpress.images c
                    WHERE c.request_id = request AND c.copy_of = note.position AND c.position > note.reached AND c.status = 'Pending'
                    ORDER BY c.position LIMIT room
                ) n
                WHERE i.request_id = request AND i.position = n.position AND original.status IN ('Completed', 'Failed')
                RETURNING i.position
        ), stored AS (
            INSERT INTO imgpress.outputs (request_id, position, content_type, etag, width, height, source_bytes, kept_source, warning, bytes)
                SELECT request, u.position, o.content_type, o.etag, o.width, o.height, o.source_bytes, o.kept_source, o.warning, o.bytes
                FROM updated u, imgpress.outputs o WHERE o.request_id = request AND o.position = note.position
        )
        SELECT count(*), max(u.position) INTO ended, last FROM updated u;
        IF ended < room THEN  -- there are no more; those of an image that is tried again follow it later
            DELETE FROM imgpress.copies_due d WHERE d.request_id = request AND d.position = note.position;
        ELSE
            UPDATE imgpress.copies_due d SET reached = last WHERE d.request_id = request AND d.position = note.position;
        END IF;
        room := room - ended;
        IF output_size IS NULL THEN
            failed := failed + ended;
        ELSE
            done := done + ended;
            source_sizes := source_sizes + ended * source_size::bigint;
            output_sizes := output_sizes + ended * output_size::bigint;
        END IF;
    END LOOP;
    PERFORM imgpress.count_ended(ARRAY[request], ARRAY[done], ARRAY[failed], ARRAY[source_sizes], ARRAY[output_sizes]);
    RETURN done + failed;
END
$$;
COMMENT ON FUNCTION imgpress.end_copies_of(uuid, integer) IS
    'Internal: ends up to so many copies of a request, whose row is locked, as their originals have ended';

CREATE FUNCTION imgpress.end_copies(portion integer, after uuid, OUT ended integer, OUT remaining boolean, OUT served uuid)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    turns constant integer := 8;
    requests uuid[] := '{}';
    next_one uuid;
    one uuid;
BEGIN
    -- Requests take turns, or a small one would wait for the crowd of another.
    ended := 0;
    served := after;
    FOR i IN 1 .. turns LOOP
        SELECT d.request_id INTO next_one FROM imgpress.copies_due d
            WHERE served IS NULL OR d.request_id > served ORDER BY d.request_id LIMIT 1;
        IF next_one IS NULL THEN  -- round the end
            SELECT d.request_id INTO next_one FROM imgpress.copies_due d ORDER BY d.request_id LIMIT 1;
        END IF;
        EXIT WHEN next_one IS NULL OR next_one = ANY (requests);
        requests := requests || next_one;
        served := next_one;
    END LOOP;
    FOREACH one IN ARRAY requests LOOP
        -- As in finish_images(): what another session holds is put off.
        PERFORM FROM imgpress.processing_requests r WHERE r.id = one FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
            ended := ended + imgpress.end_copies_of(one, greatest(portion / cardinality(requests), 1));
        END IF;
    END LOOP;
    remaining := EXISTS (SELECT FROM imgpress.copies_due);
END
$$;
COMMENT ON FUNCTION imgpress.end_copies(integer, uuid) IS
    'Internal: ends up to so many copies of images that have ended; remaining: there are more; served: the request that was served last, after whose id the next call goes on';

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

CREATE FUNCTION imgpress.next_due(OUT due timestamptz, OUT copies boolean, OUT deliveries boolean)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
BEGIN
    due := least(
        (SELECT min(i.retry_at) FROM imgpress.images i WHERE i.retry_at IS NOT NULL),
        (SELECT min(d.next_attempt_at) FROM imgpress.webhook_deliveries d WHERE d.status = 'Pending'));
    copies := EXISTS (SELECT FROM imgpress.copies_due);
    deliveries := EXISTS (
        SELECT FROM imgpress.webhook_deliveries d WHERE d.status = 'Pending' AND d.next_attempt_at <= moment);
END
$$;
COMMENT ON FUNCTION imgpress.next_due() IS
    'Internal: when an idle drainer has to look again, if nobody wakes it before, and whether end_copies() and claim_deliveries() have something to do now';
