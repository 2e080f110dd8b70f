-- The queue as the drainer sees it: claim, finish, renew, rescue. Each is one short transaction.
--
-- Nobody has counted the images of a request that has just come, so the planner's guesses would be
-- wild here: a bitmap of a million images for a claim of 64, or 20 ms of compiling a statement of
-- 0.1 ms. Plans are made once, and read by index.

CREATE FUNCTION imgpress.turns_per_claim() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 32 $$;
COMMENT ON FUNCTION imgpress.turns_per_claim() IS 'Internal: requests that one claim serves at the most';

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
    turns constant integer := imgpress.turns_per_claim();
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
              WHERE q.claimed_count < q.image_count AND q.status IN ('Pending', 'Processing') LIMIT turns) w;
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
        LIMIT least(slots, turns)
        FOR NO KEY UPDATE OF q SKIP LOCKED
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
            WHERE i.retry_at <= moment ORDER BY i.retry_at LIMIT slots FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE imgpress.images i
            SET status = 'Processing', attempts = i.attempts + 1, lease_token = token, retry_at = NULL
            FROM due WHERE i.request_id = due.request_id AND i.position = due.position
            RETURNING i.*;
END
$$;
COMMENT ON FUNCTION imgpress.claim_retries(bigint, integer) IS 'Internal: claims images whose next attempt is due';

CREATE TYPE imgpress.claimed_image AS (
    request_id      uuid,
    "position"      integer,
    url             text,
    quality         smallint,
    effort          text,
    attempts        smallint,
    failed_attempts smallint,
    codec_crashes   smallint
);
COMMENT ON TYPE imgpress.claimed_image IS 'Internal: what a drainer is told of an image that it has claimed';

CREATE FUNCTION imgpress.claim_images(
    drainer integer, token bigint, slots integer, retry_slots integer, held_requests uuid[], held_counts integer[], lease interval,
    OUT images imgpress.claimed_image[], OUT more boolean, OUT due_in_ms bigint, OUT deliveries boolean, OUT copies boolean
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    claimed imgpress.images[];
    claimed_fresh imgpress.images[];
BEGIN
    SELECT array_agg(i) INTO claimed FROM imgpress.claim_retries(token, least(slots, retry_slots)) i;
    SELECT array_agg(i) INTO claimed_fresh FROM imgpress.claim_fresh(
        token, slots - coalesce(cardinality(claimed), 0), held_requests, held_counts) i;
    claimed := claimed || claimed_fresh;
    IF claimed IS NOT NULL THEN
        INSERT INTO imgpress.leases (token, drainer, request_ids, positions, expires_at)
            SELECT token, drainer, array_agg(c.request_id), array_agg(c.position), clock_timestamp() + lease
            FROM unnest(claimed) c;
    END IF;
    -- Each request is looked up once, not for each image: while somebody holds an old snapshot, that
    -- leads through every version of the row since then.
    WITH r AS MATERIALIZED (
        SELECT q.id, q.quality, q.effort FROM imgpress.processing_requests q
        WHERE q.id = ANY (array(SELECT DISTINCT d.request_id FROM unnest(claimed) d))
    )
    SELECT array_agg((c.request_id, c.position, c.url, r.quality, r.effort,
                      c.attempts, c.failed_attempts, c.codec_crashes)::imgpress.claimed_image)
        INTO images
        FROM unnest(claimed) c JOIN r ON r.id = c.request_id;
    -- A claim serves so many requests and no more: with all of these turns taken there are others.
    more := (SELECT count(DISTINCT f.request_id) FROM unnest(claimed_fresh) f) >= imgpress.turns_per_claim();
    SELECT n.due_in_ms, n.deliveries, n.copies INTO due_in_ms, deliveries, copies FROM imgpress.next_due() n;
END
$$;
COMMENT ON FUNCTION imgpress.claim_images(integer, bigint, integer, integer, uuid[], integer[], interval) IS
    'Internal: claims up to so many images under one lease, of them up to retry_slots whose next attempt is due; their attempts are counted by it. more: another claim would find images at once; the rest as next_due()';

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

CREATE TYPE imgpress.outcome AS (
    token           bigint,
    request_id      uuid,
    "position"      integer,
    status          text,
    retry_delay_ms  bigint,
    failed_attempts smallint,
    codec_crashes   smallint,
    transient       boolean,
    error_code      text,
    error           text,
    source_bytes    integer,
    content_type    text,
    width           integer,
    height          integer,
    kept_source     boolean,
    warning         text
);
COMMENT ON TYPE imgpress.outcome IS 'Internal: what became of an image: its new status, and either its output (but for the bytes) or its error';

CREATE FUNCTION imgpress.finish_images(
    outcomes imgpress.outcome[], outputs bytea[],
    OUT put_off integer[], OUT ended boolean, OUT copies boolean
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    free_requests uuid[];
    with_copies boolean;
    recorded integer[];
BEGIN
    -- Requests before images, as everywhere: whoever locks in this order cannot deadlock. What
    -- another session has locked is put off, so that an open transaction delays its own rows only.
    SELECT coalesce(array_agg(l.id), '{}'), bool_or(l.copy_count > 0) INTO free_requests, with_copies
        FROM (
            SELECT r.id, r.copy_count FROM imgpress.processing_requests r
            WHERE r.id = ANY (array(SELECT DISTINCT o.request_id FROM unnest(outcomes) o))
            ORDER BY r.id FOR NO KEY UPDATE SKIP LOCKED
        ) l;
    WITH result AS MATERIALIZED (
        SELECT o.* FROM unnest(outcomes) WITH ORDINALITY AS o
            JOIN imgpress.images i ON i.request_id = o.request_id AND i.position = o.position
        WHERE i.lease_token = o.token AND o.request_id = ANY (free_requests)
        FOR NO KEY UPDATE OF i SKIP LOCKED
    ), updated AS (
        UPDATE imgpress.images i
            SET status = r.status, lease_token = NULL, error_code = r.error_code, error = r.error,
                failed_attempts = r.failed_attempts, codec_crashes = r.codec_crashes, transient = r.transient,
                retry_at = clock_timestamp() + r.retry_delay_ms * interval '1 millisecond',
                ended_at = CASE WHEN r.status IN ('Completed', 'Failed') THEN clock_timestamp() END
            FROM result r WHERE i.request_id = r.request_id AND i.position = r.position
            RETURNING r.ordinality::integer AS no
    )
    SELECT coalesce(array_agg(u.no), '{}') INTO recorded FROM updated u;

    -- The bytes go from the argument into the row, and through nothing else: each step would copy them.
    INSERT INTO imgpress.outputs (request_id, position, content_type, etag, width, height, source_bytes, kept_source, warning, bytes)
        SELECT o.request_id, o.position, o.content_type,
               -- A token belongs to one claim and is random: with the position it names these bytes for ever.
               lpad(to_hex(o.token), 16, '0') || '-' || o.position,
               o.width, o.height, o.source_bytes, o.kept_source, o.warning, outputs[o.ordinality]
        FROM unnest(outcomes) WITH ORDINALITY AS o
        WHERE o.status = 'Completed' AND o.ordinality = ANY (recorded);

    SELECT imgpress.count_ended(array_agg(c.id), array_agg(c.done), array_agg(c.failed),
                                array_agg(c.source_size), array_agg(c.output_size))
        INTO ended
        FROM (
            SELECT outcomes[r.no].request_id AS id,
                   count(*) FILTER (WHERE outcomes[r.no].status = 'Completed')::integer AS done,
                   count(*) FILTER (WHERE outcomes[r.no].status = 'Failed')::integer AS failed,
                   coalesce(sum(outcomes[r.no].source_bytes), 0)::bigint AS source_size,
                   coalesce(sum(octet_length(outputs[r.no])), 0)::bigint AS output_size
            FROM unnest(recorded) AS r(no) GROUP BY 1
        ) c;
    copies := coalesce(with_copies, false) AND imgpress.note_copies_due(outcomes, recorded);
    put_off := array(
        SELECT o.ordinality::integer FROM unnest(outcomes) WITH ORDINALITY AS o
            JOIN imgpress.images i ON i.request_id = o.request_id AND i.position = o.position
        WHERE i.lease_token = o.token ORDER BY o.ordinality);
    PERFORM imgpress.end_leases(array(SELECT DISTINCT o.token FROM unnest(outcomes) o));
END
$$;
COMMENT ON FUNCTION imgpress.finish_images(imgpress.outcome[], bytea[]) IS
    'Internal: records outcomes, each fenced by its lease token, with the output of each that is Completed, moves the counters and closes requests: all or nothing. Leaves out what is not ours any more. put_off: ordinals of what another session has locked, to be offered again; ended: a request has ended; copies: end_copies() has something to do';

CREATE FUNCTION imgpress.note_copies_due(outcomes imgpress.outcome[], recorded integer[]) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO imgpress.copies_due AS d (request_id, position)
        SELECT outcomes[r.no].request_id, outcomes[r.no].position FROM unnest(recorded) AS r(no)
        WHERE outcomes[r.no].status IN ('Completed', 'Failed')
          AND EXISTS (SELECT FROM imgpress.images c
                      WHERE c.request_id = outcomes[r.no].request_id AND c.copy_of = outcomes[r.no].position AND c.status = 'Pending')
        ON CONFLICT (request_id, position) DO UPDATE SET reached = 0;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION imgpress.note_copies_due(imgpress.outcome[], integer[]) IS
    'Internal: notes which of the images that have just ended have copies that are to end likewise';

CREATE FUNCTION imgpress.end_leases(tokens bigint[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM imgpress.leases l
        WHERE l.token = ANY (tokens)
          AND NOT EXISTS (
              SELECT FROM unnest(l.request_ids, l.positions) AS h(request_id, position)
              JOIN imgpress.images i ON i.request_id = h.request_id AND i.position = h.position
              WHERE i.lease_token = l.token);
END
$$;
COMMENT ON FUNCTION imgpress.end_leases(bigint[]) IS 'Internal: ends those of the leases under which no image is held any more';

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
        PERFORM FROM imgpress.processing_requests r WHERE r.id = one FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND THEN
            ended := ended + imgpress.end_copies_of(one, greatest(portion / cardinality(requests), 1));
        END IF;
    END LOOP;
    remaining := EXISTS (SELECT FROM imgpress.copies_due);
END
$$;
COMMENT ON FUNCTION imgpress.end_copies(integer, uuid) IS
    'Internal: ends up to so many copies of images that have ended; remaining: there are more; served: the request that was served last, after whose id the next call goes on';

CREATE FUNCTION imgpress.release_leases(tokens bigint[], uncounted boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    released bigint;
BEGIN
    WITH gone AS (
        DELETE FROM imgpress.leases l WHERE l.token = ANY (tokens) RETURNING l.*
    ), held AS MATERIALIZED (
        SELECT gone.token, h.request_id, h.position
        FROM gone, unnest(gone.request_ids, gone.positions) AS h(request_id, position)
    )
    UPDATE imgpress.images i
        SET status = 'Pending', lease_token = NULL, retry_at = clock_timestamp(),
            attempts = i.attempts - CASE WHEN uncounted THEN 1 ELSE 0 END
        FROM held h WHERE i.request_id = h.request_id AND i.position = h.position AND i.lease_token = h.token;
    GET DIAGNOSTICS released = ROW_COUNT;
    RETURN released;
END
$$;
COMMENT ON FUNCTION imgpress.release_leases(bigint[], boolean) IS
    'Internal: ends leases; images still under them are due again at once, and the attempt does not count if nobody has worked on them (uncounted). Returns how many were';

CREATE FUNCTION imgpress.renew_leases(tokens bigint[], lease interval) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE imgpress.leases l SET expires_at = clock_timestamp() + lease WHERE l.token = ANY (tokens);
    RETURN imgpress.release_leases(array(SELECT l.token FROM imgpress.leases l WHERE l.expires_at < clock_timestamp()));
END
$$;
COMMENT ON FUNCTION imgpress.renew_leases(bigint[], interval) IS
    'Internal: the holder of these leases is alive; puts back what is held under leases that have expired, and returns how many images';

CREATE FUNCTION imgpress.rescue(drainer integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE imgpress.webhook_deliveries d SET lease_token = NULL, next_attempt_at = clock_timestamp()
        WHERE d.status = 'Pending' AND d.lease_token IS NOT NULL AND d.drainer = rescue.drainer;
    RETURN imgpress.release_leases(array(SELECT l.token FROM imgpress.leases l WHERE l.drainer = rescue.drainer));
END
$$;
COMMENT ON FUNCTION imgpress.rescue(integer) IS
    'Internal: a drainer that starts takes back what one of its number held when it ended; returns how many images';

CREATE FUNCTION imgpress.next_due(OUT due_in_ms bigint, OUT copies boolean, OUT deliveries boolean)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
BEGIN
    due_in_ms := ceil(1000 * extract(epoch FROM least(
        (SELECT min(i.retry_at) FROM imgpress.images i WHERE i.retry_at IS NOT NULL),
        (SELECT min(d.next_attempt_at) FROM imgpress.webhook_deliveries d WHERE d.status = 'Pending')) - moment));
    copies := EXISTS (SELECT FROM imgpress.copies_due);
    deliveries := EXISTS (
        SELECT FROM imgpress.webhook_deliveries d WHERE d.status = 'Pending' AND d.next_attempt_at <= moment);
END
$$;
COMMENT ON FUNCTION imgpress.next_due() IS
    'Internal: in how long an idle drainer has to look again (NULL: never), if nobody wakes it before, and whether end_copies() and claim_deliveries() have something to do now';
