-- Turns: which requests a claim serves, and with how many images each. Requests of the same priority take turns; a
-- lower priority that waits gets an eighth of the drainer's places, whatever waits above it.

CREATE OR REPLACE FUNCTION imgpress_internal.share_of_turn(slots integer, slots_left integer, waiting integer,
    held integer, is_first boolean, bounded boolean DEFAULT false)
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
        CASE WHEN bounded THEN slots_left
             ELSE greatest((slots_left - held) / 2, CASE WHEN held = 0 THEN 1 ELSE 0 END) END);
END
$$;
COMMENT ON FUNCTION imgpress_internal.share_of_turn(integer, integer, integer, integer, boolean, boolean) IS
    'How many images a request may claim in its turn. slots: of the claim; slots_left: of them; waiting: requests that '
    'wait; held: images of this request that the drainer already holds; is_first: none of its images was claimed yet; '
    'bounded: these slots are all that such requests get';

CREATE OR REPLACE FUNCTION imgpress_internal.count_turns(
    of_priority smallint, slots integer, served_before uuid[], held_requests uuid[], held_counts integer[], most integer
) RETURNS integer
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*)::integer FROM (
        SELECT FROM imgpress.processing_requests q
        LEFT JOIN unnest(held_requests, held_counts) AS h(id, held) ON h.id = q.id
        WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing') AND q.priority = of_priority
          AND (h.held IS NULL OR h.held + 2 <= slots) AND q.id <> ALL (served_before)
        LIMIT most) t
$$;
COMMENT ON FUNCTION imgpress_internal.count_turns(smallint, integer, uuid[], uuid[], integer[], integer) IS
    'How many requests of a priority wait for a turn, at most that many, including those that another session has '
    'locked';

CREATE OR REPLACE FUNCTION imgpress_internal.put_empty_turns_last(ids uuid[], firsts integer[], lasts integer[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE imgpress.processing_requests q SET claimed_at = clock_timestamp()
        WHERE q.id = ANY (array(
            SELECT t.id FROM unnest(ids, firsts, lasts) AS t(id, first, last) WHERE t.last < t.first));
END
$$;
COMMENT ON FUNCTION imgpress_internal.put_empty_turns_last(uuid[], integer[], integer[]) IS
    'Puts the requests whose next image is locked at the end of the queue. Called where they have used up all turns, so '
    'that they do not hold up those behind them; otherwise they keep their place, because each update leaves a dead row';

CREATE OR REPLACE FUNCTION imgpress_internal.take_turns_of(
    of_priority smallint, slots integer, bounded boolean, served_before uuid[],
    held_requests uuid[], held_counts integer[],
    OUT ids uuid[], OUT firsts integer[], OUT lasts integer[], OUT taken integer,
    OUT more boolean, OUT left_over boolean, OUT blocked boolean
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turns_per_claim constant integer := 32;
    waiting integer;
    served integer := 0;
    turn record;
    share integer;
    run record;
BEGIN
    SELECT count(*) INTO waiting
        FROM (SELECT FROM imgpress.processing_requests q
              WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing')
                AND q.priority = of_priority
              LIMIT turns_per_claim) w;
    taken := 0;
    more := false;
    left_over := false;
    blocked := false;
    -- The request whose last turn is longest ago comes first.
    FOR turn IN
        SELECT q.id, q.claimed_up_to, q.last_image_no, coalesce(h.held, 0) AS held
        FROM imgpress.processing_requests q
        LEFT JOIN unnest(held_requests, held_counts) AS h(id, held) ON h.id = q.id
        WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing') AND q.priority = of_priority
          AND (bounded OR h.held IS NULL OR h.held + 2 <= slots)  -- skip requests that hold their share
          AND q.id <> ALL (served_before)
        ORDER BY q.claimed_at NULLS FIRST, q.created_at
        LIMIT least(slots, turns_per_claim)
        FOR NO KEY UPDATE OF q SKIP LOCKED
    LOOP
        served := served + 1;
        share := imgpress_internal.share_of_turn(
            slots, slots - taken, waiting, turn.held, turn.claimed_up_to = 0, bounded);
        left_over := left_over OR share <= 0;
        CONTINUE WHEN share <= 0;
        run := imgpress_internal.lock_next_images(turn.id, turn.claimed_up_to, share);
        blocked := blocked OR run.taken < share AND run.last < turn.last_image_no;
        left_over := left_over OR run.taken = share AND run.last < turn.last_image_no;
        -- Where its share was half of what is left, another claim would find nothing.
        more := more OR run.taken = share AND run.last < turn.last_image_no AND share < slots - taken
            AND (bounded OR slots - taken - turn.held >= 2 * share + 2);
        ids := ids || turn.id;
        firsts := firsts || turn.claimed_up_to + 1;
        lasts := lasts || run.last;
        taken := taken + run.taken;
        EXIT WHEN slots - taken <= slots / 16;  -- a turn for one or two images is not worth its cost
    END LOOP;
    IF blocked AND served = least(slots, turns_per_claim) THEN
        PERFORM imgpress_internal.put_empty_turns_last(ids, firsts, lasts);
    END IF;
    IF slots - taken > slots / 16 THEN
        more := more OR served = turns_per_claim;
        blocked := blocked OR served < imgpress_internal.count_turns(
            of_priority, slots, served_before, held_requests, held_counts, least(slots, turns_per_claim));
    END IF;
    left_over := left_over OR served < waiting OR served = turns_per_claim;
END
$$;
COMMENT ON FUNCTION imgpress_internal.take_turns_of(smallint, integer, boolean, uuid[], uuid[], integer[]) IS
    'take_turns() for the requests of one priority. bounded: they may use all of these slots, because no others are '
    'left to them; otherwise each keeps within its share. served_before: requests that have had a turn in this claim. '
    'taken: images that were locked; left_over: requests of this priority have further images';

CREATE OR REPLACE FUNCTION imgpress_internal.waiting_priorities() RETURNS smallint[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    highest smallint;
    lowest smallint;
    next smallint;
    found smallint[];
BEGIN
    SELECT max(q.priority), min(q.priority) INTO highest, lowest FROM imgpress.processing_requests q
        WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing');
    IF highest IS NULL THEN
        RETURN '{}';
    END IF;
    next := highest;
    WHILE next > lowest LOOP  -- one look into the index for each
        found := found || next;
        SELECT max(q.priority) INTO next FROM imgpress.processing_requests q
            WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing') AND q.priority < next;
    END LOOP;
    RETURN found || lowest;
END
$$;
COMMENT ON FUNCTION imgpress_internal.waiting_priorities() IS
    'The priorities of the requests that wait for a turn, the highest first';

CREATE OR REPLACE FUNCTION imgpress_internal.reserved_places(
    priorities smallint[], places integer, held_requests uuid[], held_counts integer[]
) RETURNS TABLE (of_priority smallint, free integer)
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    -- Rounded up or down at random, so that it comes out right on average where there are few places.
    SELECT p.of_priority, floor(places / 8.0 + random())::integer - coalesce(h.held, 0)
    FROM unnest(priorities) AS p(of_priority)
    LEFT JOIN (
        SELECT q.priority, sum(r.held)::integer AS held
        FROM unnest(held_requests, held_counts) AS r(id, held) JOIN imgpress.processing_requests q ON q.id = r.id
        GROUP BY 1
    ) h ON h.priority = p.of_priority
    ORDER BY random() LIMIT 7
$$;
COMMENT ON FUNCTION imgpress_internal.reserved_places(smallint[], integer, uuid[], integer[]) IS
    'An eighth of a drainer''s places for each of these priorities, less what it holds of them; of more than seven '
    'priorities, for seven at random. places: those that are free and those that are held';

CREATE OR REPLACE FUNCTION imgpress_internal.is_stuck(of_priority smallint) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT NOT EXISTS (
        SELECT FROM imgpress.processing_requests q
        WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing') AND q.priority = $1
          AND q.claimed_at > clock_timestamp() - interval '10 s')
$$;
COMMENT ON FUNCTION imgpress_internal.is_stuck(smallint) IS
    'Whether no waiting request of this priority has had a turn for ten seconds, because its images in flight are slow';

CREATE OR REPLACE FUNCTION imgpress_internal.take_turns(
    slots integer, held_requests uuid[], held_counts integer[],
    OUT ids uuid[], OUT firsts integer[], OUT lasts integer[], OUT more boolean, OUT blocked boolean
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    priorities constant smallint[] := imgpress_internal.waiting_priorities();
    several constant boolean := cardinality(priorities) > 1;
    slots_left integer := slots;
    low_left_over boolean := false;
    low smallint;
    free integer;
    turns record;
BEGIN
    ids := '{}';
    more := false;
    blocked := false;
    IF slots <= 0 THEN
        RETURN;
    END IF;
    IF several THEN
        FOR low, free IN
            SELECT r.of_priority, r.free FROM imgpress_internal.reserved_places(
                priorities[2:], slots + (SELECT coalesce(sum(c), 0)::integer FROM unnest(held_counts) c),
                held_requests, held_counts) r
            WHERE r.free > 0
        LOOP
            turns := imgpress_internal.take_turns_of(
                low, least(free, slots_left), true, '{}', held_requests, held_counts);
            ids := ids || turns.ids;
            firsts := firsts || turns.firsts;
            lasts := lasts || turns.lasts;
            slots_left := slots_left - turns.taken;
            low_left_over := low_left_over OR turns.left_over;
            blocked := blocked OR turns.blocked;
        END LOOP;
    END IF;
    FOR i IN 1..cardinality(priorities) LOOP
        turns := imgpress_internal.take_turns_of(
            priorities[i], slots_left, false, ids, held_requests, held_counts);
        ids := ids || turns.ids;
        firsts := firsts || turns.firsts;
        lasts := lasts || turns.lasts;
        slots_left := slots_left - turns.taken;
        more := more OR turns.more;
        blocked := blocked OR turns.blocked;
        -- What is left over of the free places is kept for requests of this priority, unless they have no use for it.
        EXIT WHEN several AND (slots_left <= slots / 16 OR turns.left_over AND (
            turns.taken > 0 OR NOT imgpress_internal.is_stuck(priorities[i])));
        more := more OR low_left_over AND slots_left > slots / 16;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.take_turns(integer, uuid[], integer[]) IS
    'Gives turns to waiting requests and locks their images: an eighth of the drainer''s places to each lower priority '
    'that waits, the others to the highest. ids, firsts, lasts: the request of each turn, and the '
    'first and last image_no. more: there are further images to claim; blocked: another session has locked a request '
    'or an image that could have been claimed';

CREATE OR REPLACE FUNCTION imgpress_internal.some_requests_due(moment timestamptz) RETURNS uuid[]
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most constant integer := 32;
    beginning constant uuid := gen_random_uuid();
    next uuid := beginning;
    due_at timestamptz;
    looked integer := 0;
    around boolean := false;
    due uuid[] := '{}';
BEGIN
    WHILE looked < most LOOP  -- one look into the index for each, however many images there are
        SELECT i.request_id, i.retry_at INTO next, due_at FROM imgpress.images i
            WHERE i.retry_at IS NOT NULL AND NOT i.alone AND i.request_id > next
            ORDER BY i.request_id, i.retry_at LIMIT 1;
        EXIT WHEN around AND (next IS NULL OR next > beginning);
        around := around OR next IS NULL;
        next := coalesce(next, '00000000-0000-0000-0000-000000000000');
        IF due_at <= moment THEN
            due := due || next;
        END IF;
        looked := looked + 1;
    END LOOP;
    RETURN due;
END
$$;
COMMENT ON FUNCTION imgpress_internal.some_requests_due(timestamptz) IS
    'Requests with images that are due for a retry: all of them, or where there are many, some at random';

CREATE OR REPLACE FUNCTION imgpress_internal.lock_due_retries(
    slots integer, all_slots integer, held_requests uuid[], held_counts integer[], OUT ids uuid[], OUT nos integer[]
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();  -- a constant, so that the index on retry_at can be used
    places constant integer := all_slots + (SELECT coalesce(sum(c), 0)::integer FROM unnest(held_counts) c);
    slots_left integer := slots;
    highest smallint;
    turn record;
    locked record;
BEGIN
    IF slots <= 0 OR slots >= (SELECT count(*) FROM (
            SELECT FROM imgpress.images i WHERE i.retry_at <= moment AND NOT i.alone LIMIT slots + 1) d) THEN
        SELECT array_agg(d.request_id), array_agg(d.image_no) INTO ids, nos
        FROM (
            SELECT i.request_id, i.image_no FROM imgpress.images i
            WHERE i.retry_at <= moment AND NOT i.alone ORDER BY i.retry_at LIMIT slots FOR NO KEY UPDATE SKIP LOCKED
        ) d;
        RETURN;
    END IF;
    -- More are due than there are places: as in take_turns(), requests share them, and lower priorities get an eighth.
    SELECT max(q.priority) INTO highest FROM imgpress.processing_requests q
        WHERE q.claimed_up_to < q.last_image_no AND q.status IN ('Pending', 'Processing');
    FOR turn IN
        WITH due AS MATERIALIZED (
            SELECT q.id, q.priority FROM unnest(imgpress_internal.some_requests_due(moment)) AS d(id)
            JOIN imgpress.processing_requests q ON q.id = d.id
        ), top AS (
            SELECT greatest(highest, max(d.priority)) AS priority FROM due d
        ), reserved AS MATERIALIZED (
            SELECT * FROM imgpress_internal.reserved_places(
                array(SELECT DISTINCT d.priority FROM due d, top t WHERE d.priority < t.priority),
                places, held_requests, held_counts)
        )
        SELECT d.id, count(*) OVER (PARTITION BY d.priority) AS requests,
               CASE WHEN d.priority = t.priority THEN slots ELSE r.free END AS free
        FROM due d CROSS JOIN top t LEFT JOIN reserved r ON r.of_priority = d.priority
        ORDER BY d.priority, random()
    LOOP
        EXIT WHEN slots_left <= 0;
        CONTINUE WHEN coalesce(turn.free, 0) <= 0;
        SELECT array_agg(d.request_id) AS ids, array_agg(d.image_no) AS nos, count(*)::integer AS count INTO locked
        FROM (
            SELECT i.request_id, i.image_no FROM imgpress.images i
            -- Not "= turn.id": then the planner could as well look through all images that are due, in their order.
            WHERE i.request_id >= turn.id AND i.request_id <= turn.id AND i.retry_at <= moment AND NOT i.alone
            ORDER BY i.request_id, i.retry_at
            LIMIT least(slots_left, greatest(turn.free / turn.requests, 1)) FOR NO KEY UPDATE SKIP LOCKED
        ) d;
        ids := ids || locked.ids;
        nos := nos || locked.nos;
        slots_left := slots_left - locked.count;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_due_retries(integer, integer, uuid[], integer[]) IS
    'Locks up to slots images that are due for a retry, without those that must be claimed alone: those that are due '
    'longest, or where there are more, some of each request. all_slots: of the claim';

GRANT EXECUTE ON FUNCTION
    imgpress_internal.share_of_turn(integer, integer, integer, integer, boolean, boolean),
    imgpress_internal.count_turns(smallint, integer, uuid[], uuid[], integer[], integer),
    imgpress_internal.put_empty_turns_last(uuid[], integer[], integer[]),
    imgpress_internal.take_turns_of(smallint, integer, boolean, uuid[], uuid[], integer[]),
    imgpress_internal.waiting_priorities(),
    imgpress_internal.reserved_places(smallint[], integer, uuid[], integer[]),
    imgpress_internal.is_stuck(smallint), imgpress_internal.take_turns(integer, uuid[], integer[]),
    imgpress_internal.some_requests_due(timestamptz),
    imgpress_internal.lock_due_retries(integer, integer, uuid[], integer[])
    TO imgpress_worker;
