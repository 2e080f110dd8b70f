-- The drainer's side of the queue, first part: claiming images. How its functions are planned: 85_plans.sql.

CREATE OR REPLACE FUNCTION imgpress_internal.lock_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    LOCK TABLE imgpress.processing_requests, imgpress.images, imgpress.webhook_deliveries, imgpress_internal.leases
        IN ROW EXCLUSIVE MODE;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_tables() IS
    'The first statement of what reads and then changes several tables: with the locks for writing taken before any '
    'other, and always in this order, it cannot deadlock with REINDEX, VACUUM FULL or ALTER TABLE';

CREATE OR REPLACE FUNCTION imgpress_internal.share_of_turn(slots integer, slots_left integer, waiting integer,
    held integer, is_first boolean)
    RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN least(
        slots_left,
        -- A turn costs as much as several images, so it takes at least 32 of them. The first turn of a
        -- request is short, so that new requests start soon after each other.
        greatest(slots / greatest(waiting, 1), CASE WHEN is_first THEN 2 ELSE 32 END),
        -- One large request must not starve the others: it gets at most half of the slots that are left,
        -- so that a new request always finds one, even if a slow host holds up all images of the large one.
        greatest((slots_left - held) / 2, CASE WHEN held = 0 THEN 1 ELSE 0 END));
END
$$;
COMMENT ON FUNCTION imgpress_internal.share_of_turn(integer, integer, integer, integer, boolean) IS
    'How many images a request may claim in its turn. slots: of the claim; slots_left: of them; waiting: requests that '
    'wait; held: images of this request that the drainer already holds; is_first: none of its images was claimed yet';

CREATE OR REPLACE FUNCTION imgpress_internal.lock_next_images(request_id uuid, after integer, share integer,
    OUT last integer, OUT taken integer)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked integer[];
    first_missed integer;
BEGIN
    locked := array(
        SELECT i.image_no FROM imgpress.images i
        WHERE i.request_id = lock_next_images.request_id AND i.image_no > after
        ORDER BY i.image_no LIMIT share FOR NO KEY UPDATE SKIP LOCKED);
    taken := cardinality(locked);
    -- NULL if all are locked, or if a parallel restore has loaded the request before its images.
    last := coalesce(locked[taken], after);
    IF (SELECT count(*) FROM imgpress.images i
        WHERE i.request_id = lock_next_images.request_id AND i.image_no > after AND i.image_no <= last) <> taken THEN
        -- Another session has locked an image in between. The turn ends before it, because images up to
        -- claimed_up_to are never claimed as fresh ones again.
        SELECT min(i.image_no) INTO first_missed FROM imgpress.images i
            WHERE i.request_id = lock_next_images.request_id AND i.image_no > after AND i.image_no <= last
              AND i.image_no <> ALL (locked);
        SELECT coalesce(max(l.no), after), count(*) INTO last, taken FROM unnest(locked) AS l(no)
            WHERE l.no < first_missed;
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_next_images(uuid, integer, integer) IS
    'Locks the next images of a request after an image_no, at most share of them, without skipping one. Returns the '
    'number of the last one and how many were locked';

CREATE OR REPLACE FUNCTION imgpress_internal.count_turns(
    slots integer, held_requests uuid[], held_counts integer[], most integer
) RETURNS integer
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*)::integer FROM (
        SELECT FROM imgpress.processing_requests q
        LEFT JOIN unnest(held_requests, held_counts) AS h(id, held) ON h.id = q.id
        WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing')
          AND (h.held IS NULL OR h.held + 2 <= slots)
        LIMIT most) t
$$;
COMMENT ON FUNCTION imgpress_internal.count_turns(integer, uuid[], integer[], integer) IS
    'How many requests wait for a turn, at most that many, including those that another session has locked';

CREATE OR REPLACE FUNCTION imgpress_internal.take_turns(
    slots integer, held_requests uuid[], held_counts integer[],
    OUT ids uuid[], OUT firsts integer[], OUT lasts integer[], OUT more boolean, OUT blocked boolean
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turns_per_claim constant integer := 32;
    waiting integer;
    slots_left integer := slots;
    served integer := 0;
    turn record;
    share integer;
    run record;
BEGIN
    SELECT count(*) INTO waiting
        FROM (SELECT FROM imgpress.processing_requests q
              WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing')
              LIMIT turns_per_claim) w;
    more := false;
    blocked := false;
    -- The request whose last turn is longest ago comes first.
    FOR turn IN
        SELECT q.id, q.claimed_up_to, q.last_image_no, coalesce(h.held, 0) AS held
        FROM imgpress.processing_requests q
        LEFT JOIN unnest(held_requests, held_counts) AS h(id, held) ON h.id = q.id
        WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing')
          AND (h.held IS NULL OR h.held + 2 <= slots)  -- skip requests that hold their share
        ORDER BY q.claimed_at NULLS FIRST, q.created_at
        LIMIT least(slots, turns_per_claim)
        FOR NO KEY UPDATE OF q SKIP LOCKED
    LOOP
        served := served + 1;
        share := imgpress_internal.share_of_turn(slots, slots_left, waiting, turn.held, turn.claimed_up_to = 0);
        CONTINUE WHEN share <= 0;
        run := imgpress_internal.lock_next_images(turn.id, turn.claimed_up_to, share);
        blocked := blocked OR run.taken < share AND run.last < turn.last_image_no;
        more := more OR run.taken = share AND run.last < turn.last_image_no AND share < slots_left;
        ids := ids || turn.id;
        firsts := firsts || turn.claimed_up_to + 1;
        lasts := lasts || run.last;
        slots_left := slots_left - run.taken;
        EXIT WHEN slots_left <= slots / 16;  -- a turn for one or two images is not worth its cost
    END LOOP;
    IF blocked AND served = least(slots, turns_per_claim) THEN
        -- Requests whose next image is locked have used up turns: they go to the end of the queue, so that they do
        -- not hold up those behind them. Otherwise they keep their place, because each update leaves a dead row.
        UPDATE imgpress.processing_requests q SET claimed_at = clock_timestamp()
            WHERE q.id = ANY (array(
                SELECT t.id FROM unnest(ids, firsts, lasts) AS t(id, first, last) WHERE t.last < t.first));
    END IF;
    IF slots_left > slots / 16 THEN
        more := more OR served = turns_per_claim;
        blocked := blocked OR served < imgpress_internal.count_turns(
            slots, held_requests, held_counts, least(slots, turns_per_claim));
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.take_turns(integer, uuid[], integer[]) IS
    'Gives turns to waiting requests and locks their images. ids, firsts, lasts: the request of each turn, and the '
    'first and last image_no. more: there are further images to claim; blocked: another session has locked a request '
    'or an image that could have been claimed';

CREATE OR REPLACE FUNCTION imgpress_internal.lock_due_retries(slots integer, OUT ids uuid[], OUT nos integer[])
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();  -- a constant, so that the index on retry_at can be used
BEGIN
    SELECT array_agg(d.request_id), array_agg(d.image_no) INTO ids, nos
    FROM (
        SELECT i.request_id, i.image_no FROM imgpress.images i
        WHERE i.retry_at <= moment AND NOT i.alone ORDER BY i.retry_at LIMIT slots FOR NO KEY UPDATE SKIP LOCKED
    ) d;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_due_retries(integer) IS
    'Locks up to slots images that are due for a retry, without those that must be claimed alone';

CREATE OR REPLACE FUNCTION imgpress_internal.lock_lone_image(OUT ids uuid[], OUT nos integer[])
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
BEGIN
    SELECT ARRAY[i.request_id], ARRAY[i.image_no] INTO ids, nos
        FROM imgpress.images i WHERE i.retry_at <= moment AND i.alone
        ORDER BY i.retry_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_lone_image() IS
    'Locks one image that is due for a retry and must be claimed alone; NULL if there is none';

CREATE OR REPLACE FUNCTION imgpress_internal.milliseconds_until(moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF moment IS NOT NULL THEN
        RETURN greatest(ceil(1000 * extract(epoch FROM moment - clock_timestamp())), 0);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION imgpress_internal.milliseconds_until(timestamptz) IS
    'The time until a moment by this server''s clock, since a drainer''s clock may differ; 0 if it has passed, NULL '
    'for NULL';

CREATE OR REPLACE FUNCTION imgpress_internal.next_retry_in_ms() RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN imgpress_internal.milliseconds_until(least(
        (SELECT min(i.retry_at) FROM imgpress.images i WHERE i.retry_at IS NOT NULL AND NOT i.alone),
        imgpress_internal.next_released_at()));
END
$$;
COMMENT ON FUNCTION imgpress_internal.next_retry_in_ms() IS
    'Milliseconds until the next image is due for a retry, or the pause of its host ends; NULL if there is none';

CREATE OR REPLACE FUNCTION imgpress_internal.next_lone_image_in_ms() RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN imgpress_internal.milliseconds_until(
        (SELECT min(i.retry_at) FROM imgpress.images i WHERE i.retry_at IS NOT NULL AND i.alone));
END
$$;
COMMENT ON FUNCTION imgpress_internal.next_lone_image_in_ms() IS
    'Milliseconds until the next image is due that must be claimed alone; NULL if there is none';

CREATE OR REPLACE FUNCTION imgpress_internal.next_delivery_in_ms() RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN imgpress_internal.milliseconds_until(
        (SELECT min(d.next_attempt_at) FROM imgpress.webhook_deliveries d WHERE d.status = 'Pending'));
END
$$;
COMMENT ON FUNCTION imgpress_internal.next_delivery_in_ms() IS
    'Milliseconds until the next webhook is due; NULL if there is none';

CREATE OR REPLACE FUNCTION imgpress_internal.claim_images(
    drainer integer, token bigint, slots integer, retry_slots integer,
    held_requests uuid[], held_counts integer[], lease interval, idle boolean DEFAULT false
) RETURNS TABLE (
    request_id uuid, image_no integer, url text, options jsonb,
    attempts smallint, failed_attempts smallint, codec_crashes smallint, interruptions smallint, alone boolean,
    more boolean, due_in_ms bigint, lone_due_in_ms bigint, delivery_due_in_ms bigint
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    retries record;
    released record;
    turns record;
    lone boolean := false;
    fresh_slots integer := 0;
    aside bigint := 0;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    IF idle THEN
        retries := imgpress_internal.lock_lone_image();
        lone := retries.ids IS NOT NULL;
    END IF;
    IF NOT lone THEN
        retries := imgpress_internal.lock_due_retries(least(slots, retry_slots));
        released := imgpress_internal.lock_released_images(
            least(slots, retry_slots) - coalesce(cardinality(retries.ids), 0));
        retries.ids := retries.ids || released.ids;
        retries.nos := retries.nos || released.nos;
        fresh_slots := slots - coalesce(cardinality(retries.ids), 0);
    END IF;
    turns := imgpress_internal.take_open_turns(fresh_slots, held_requests, held_counts);
    aside := turns.aside + imgpress_internal.set_aside(retries.ids, retries.nos, retries.nos);
    RETURN QUERY
        WITH turn AS MATERIALIZED (
            SELECT * FROM unnest(turns.ids, turns.firsts, turns.lasts) AS t(id, first, last) WHERE t.last >= t.first
        ), wanted AS MATERIALIZED (
            SELECT * FROM turn
            UNION ALL
            SELECT * FROM unnest(retries.ids, retries.nos, retries.nos)
        ), claimed AS (
            UPDATE imgpress.images i
                SET status = 'Processing', attempts = i.attempts + 1, lease_token = token, retry_at = NULL,
                    host_no = NULL
                FROM wanted w WHERE i.request_id = w.id AND i.image_no >= w.first AND i.image_no <= w.last
                  AND NOT (aside > 0 AND imgpress_internal.was_set_aside(i.host_no, i.retry_at))
                RETURNING i.request_id, i.image_no, i.url, i.attempts, i.failed_attempts, i.codec_crashes,
                          i.interruptions, i.alone
        ), leased AS (
            INSERT INTO imgpress_internal.leases (token, drainer, request_ids, image_nos, expires_at)
                SELECT token, drainer, array_agg(c.request_id), array_agg(c.image_no), clock_timestamp() + lease
                FROM claimed c HAVING count(*) > 0
        ), begun AS (
            UPDATE imgpress.processing_requests q
                SET claimed_up_to = t.last, claimed_at = clock_timestamp(),
                    status = 'Processing', started_at = coalesce(q.started_at, clock_timestamp())
                FROM turn t WHERE q.id = t.id
        ), request AS MATERIALIZED (
            -- Read once for each request, not for each image: while another session holds an old snapshot, each
            -- read goes through all versions of the row since then.
            SELECT q.id, q.options FROM imgpress.processing_requests q
            WHERE q.id = ANY (array(SELECT DISTINCT w.id FROM wanted w))
        )
        SELECT c.request_id, c.image_no, c.url, r.options, c.attempts, c.failed_attempts, c.codec_crashes,
               c.interruptions, c.alone, NULL::boolean, NULL::bigint, NULL::bigint, NULL::bigint
        FROM claimed c JOIN request r ON r.id = c.request_id;
    RETURN QUERY SELECT NULL::uuid, NULL::integer, NULL::text, NULL::jsonb,
        NULL::smallint, NULL::smallint, NULL::smallint, NULL::smallint, NULL::boolean, turns.more,
        CASE WHEN turns.blocked OR aside > 0 THEN 0 ELSE imgpress_internal.next_retry_in_ms() END,
        imgpress_internal.next_lone_image_in_ms(), imgpress_internal.next_delivery_in_ms();
END
$$;
COMMENT ON FUNCTION imgpress_internal.claim_images(integer, bigint, integer, integer, uuid[], integer[], interval,
    boolean) IS
    'Claims up to slots images under one lease and counts an attempt for each: up to retry_slots images that are due '
    'for a retry, then fresh ones, fairly shared by the waiting requests. held_requests and held_counts: how many '
    'images of which request the drainer holds. idle: it works on none, so that an image that must be alone is claimed '
    'first, and no other. The last row is not an image; it says when to claim again: more, if another claim would find '
    'images at once, and the milliseconds until an image, one that must be alone, or a webhook is due';

GRANT EXECUTE ON FUNCTION
    imgpress_internal.lock_tables(), imgpress_internal.lock_lone_image(), imgpress_internal.next_lone_image_in_ms(),
    imgpress_internal.share_of_turn(integer, integer, integer, integer, boolean),
    imgpress_internal.lock_next_images(uuid, integer, integer),
    imgpress_internal.count_turns(integer, uuid[], integer[], integer),
    imgpress_internal.take_turns(integer, uuid[], integer[]),
    imgpress_internal.lock_due_retries(integer),
    imgpress_internal.milliseconds_until(timestamptz),
    imgpress_internal.next_retry_in_ms(), imgpress_internal.next_delivery_in_ms(),
    imgpress_internal.claim_images(integer, bigint, integer, integer, uuid[], integer[], interval, boolean)
    TO imgpress_worker;
