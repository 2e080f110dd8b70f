-- The drainer's side of the queue, first part: claiming images. How its functions are planned: 85_plans.sql.

CREATE OR REPLACE FUNCTION imgpress_internal.lock_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    LOCK TABLE imgpress.processing_requests, imgpress.images, imgpress_internal.image_outputs,
        imgpress_internal.blobs, imgpress_internal.sources, imgpress.webhook_deliveries, imgpress_internal.leases
        IN ROW EXCLUSIVE MODE;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_tables() IS
    'The first statement of what reads and then changes several tables: with the locks for writing taken before any '
    'other, and always in this order, it cannot deadlock with REINDEX, VACUUM FULL or ALTER TABLE';

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

CREATE OR REPLACE FUNCTION imgpress_internal.lock_idle(claimed uuid[], others uuid[]) RETURNS uuid[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    idle constant uuid[] := array(SELECT unnest(claimed) EXCEPT SELECT unnest(others));
BEGIN
    IF idle = '{}' THEN
        RETURN idle;
    END IF;
    -- SKIP LOCKED: whoever has locked the request may be waiting for an image that this claim has locked.
    RETURN array(SELECT q.id FROM imgpress.processing_requests q WHERE q.id = ANY (idle) FOR NO KEY UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_idle(uuid[], uuid[]) IS
    'Locks and returns the requests of claimed images that are not among the others, those with work in flight';

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

CREATE OR REPLACE FUNCTION imgpress_internal.lock_images_to_claim(
    slots integer, retry_slots integer, held_requests uuid[], held_counts integer[], idle boolean,
    OUT retry_ids uuid[], OUT retry_nos integer[], OUT ids uuid[], OUT firsts integer[], OUT lasts integer[],
    OUT more boolean, OUT blocked boolean, OUT aside bigint
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    retries record;
    released record;
    turns record;
    lone boolean := false;
    fresh_slots integer := 0;
BEGIN
    IF idle THEN
        retries := imgpress_internal.lock_lone_image();
        lone := retries.ids IS NOT NULL;
    END IF;
    IF NOT lone THEN
        retries := imgpress_internal.lock_due_retries(
            least(slots, retry_slots), slots, held_requests, held_counts);
        released := imgpress_internal.lock_released_images(
            least(slots, retry_slots) - coalesce(cardinality(retries.ids), 0), held_requests, held_counts);
        retries.ids := retries.ids || released.ids;
        retries.nos := retries.nos || released.nos;
        fresh_slots := slots - coalesce(cardinality(retries.ids), 0);
    END IF;
    turns := imgpress_internal.take_open_turns(fresh_slots, held_requests, held_counts);
    retry_ids := retries.ids;
    retry_nos := retries.nos;
    ids := turns.ids;
    firsts := turns.firsts;
    lasts := turns.lasts;
    more := turns.more;
    blocked := turns.blocked;
    aside := turns.aside + imgpress_internal.set_aside(retries.ids, retries.nos, retries.nos);
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_images_to_claim(integer, integer, uuid[], integer[], boolean) IS
    'Chooses the images of a claim, and locks them: one that must be alone if the drainer is idle, and no other; or '
    'else those that are due for a retry or that waited for the end of a pause, and fresh ones in turns. aside: how '
    'many of them were set aside, because their hosts are paused';

CREATE OR REPLACE FUNCTION imgpress_internal.claim_images(
    drainer integer, token bigint, slots integer, retry_slots integer,
    held_requests uuid[], held_counts integer[], lease interval, idle boolean DEFAULT false
) RETURNS TABLE (
    request_id uuid, image_no integer, url text, options jsonb,
    attempts smallint, failed_attempts smallint, codec_crashes smallint, interruptions smallint, alone boolean,
    source_key bytea, blob_id bigint, source_digest bytea, source_etag text, last_modified text,
    more boolean, due_in_ms bigint, lone_due_in_ms bigint, delivery_due_in_ms bigint, headers text[]
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    paused boolean;
    chosen record;
    any_headers constant boolean := imgpress_internal.has_origin_headers();
BEGIN
    PERFORM imgpress_internal.lock_tables();
    paused := EXISTS (SELECT FROM imgpress_internal.queue_pause);
    IF paused THEN  -- resume_queue() wakes the drainer
        slots := 0;
        idle := false;
    END IF;
    chosen := imgpress_internal.lock_images_to_claim(slots, retry_slots, held_requests, held_counts, idle);
    RETURN QUERY
        WITH turn AS MATERIALIZED (
            SELECT * FROM unnest(chosen.ids, chosen.firsts, chosen.lasts) AS t(id, first, last) WHERE t.last >= t.first
        ), wanted AS MATERIALIZED (
            SELECT * FROM turn
            UNION ALL
            SELECT * FROM unnest(chosen.retry_ids, chosen.retry_nos, chosen.retry_nos)
        ), claimed AS (
            UPDATE imgpress.images i
                SET status = 'Processing', attempts = i.attempts + 1, lease_token = token, retry_at = NULL,
                    host_no = NULL
                FROM wanted w WHERE i.request_id = w.id AND i.image_no >= w.first AND i.image_no <= w.last
                  AND NOT (chosen.aside > 0 AND imgpress_internal.was_set_aside(i.host_no, i.retry_at))
                RETURNING i.request_id, i.image_no, i.url, i.attempts, i.failed_attempts, i.codec_crashes,
                          i.interruptions, i.alone, i.transient
        ), leased AS (
            INSERT INTO imgpress_internal.leases (token, drainer, request_ids, image_nos, expires_at)
                SELECT token, drainer, array_agg(c.request_id), array_agg(c.image_no), clock_timestamp() + lease
                FROM claimed c HAVING count(*) > 0
        ), begun AS (
            UPDATE imgpress.processing_requests q
                SET claimed_up_to = t.last, claimed_at = clock_timestamp(),
                    worked_until = CASE WHEN q.id = ANY (held_requests) THEN q.worked_until ELSE clock_timestamp() END,
                    status = 'Processing', started_at = coalesce(q.started_at, clock_timestamp())
                FROM turn t WHERE q.id = t.id
        ), resumed AS (
            UPDATE imgpress.processing_requests q SET worked_until = clock_timestamp()
                FROM unnest(imgpress_internal.lock_idle(chosen.retry_ids, held_requests || chosen.ids)) AS l(id)
                WHERE q.id = l.id
        ), request AS MATERIALIZED (
            -- Read once for each request, not for each image: while another session holds an old snapshot, each
            -- read goes through all versions of the row since then.
            SELECT q.id, q.submitted_by, q.options, imgpress_internal.source_key_prefix(q.submitted_by, q.options) AS key_prefix
            FROM imgpress.processing_requests q
            WHERE q.id = ANY (array(SELECT DISTINCT w.id FROM wanted w))
        )
        SELECT c.request_id, c.image_no, c.url, r.options, c.attempts, c.failed_attempts, c.codec_crashes,
               c.interruptions, c.alone, k.key, s.blob_id, s.digest, s.etag, s.last_modified,
               NULL::boolean, NULL::bigint, NULL::bigint, NULL::bigint,
               CASE WHEN any_headers THEN imgpress_internal.origin_headers_for(c.url, r.submitted_by) END
        FROM claimed c JOIN request r ON r.id = c.request_id
        CROSS JOIN LATERAL (SELECT imgpress_internal.source_key(r.key_prefix, c.url) AS key OFFSET 0) k
        -- After a failed attempt, it is downloaded without any condition.
        LEFT JOIN LATERAL (
            -- OFFSET 0 has each source looked up by its key. Before the first statistics the planner would read all.
            SELECT x.* FROM imgpress_internal.sources x WHERE x.key = k.key AND NOT c.transient OFFSET 0
        ) s ON true;
    RETURN QUERY SELECT NULL::uuid, NULL::integer, NULL::text, NULL::jsonb,
        NULL::smallint, NULL::smallint, NULL::smallint, NULL::smallint, NULL::boolean,
        NULL::bytea, NULL::bigint, NULL::bytea, NULL::text, NULL::text, chosen.more,
        CASE WHEN paused THEN NULL WHEN chosen.blocked OR chosen.aside > 0 THEN 0
             ELSE imgpress_internal.next_retry_in_ms() END,
        CASE WHEN paused THEN NULL ELSE imgpress_internal.next_lone_image_in_ms() END,
        imgpress_internal.next_delivery_in_ms(), NULL::text[];
END
$$;
COMMENT ON FUNCTION imgpress_internal.claim_images(integer, bigint, integer, integer, uuid[], integer[], interval,
    boolean) IS
    'Claims up to slots images under one lease and counts an attempt for each: up to retry_slots images that are due '
    'for a retry, then fresh ones, fairly shared by the waiting requests. held_requests and held_counts: how many '
    'images of which request the drainer holds. source_key, blob_id and so on: as in imgpress_internal.sources; blob_id '
    'is NULL if nothing is known of the image. idle: it works on none, so that an image that must be alone is claimed '
    'first, and no other. The last row is not an image; it says when to claim again: more, if another claim would find '
    'images at once, and the milliseconds until an image, one that must be alone, or a webhook is due';

GRANT EXECUTE ON FUNCTION
    imgpress_internal.lock_tables(), imgpress_internal.lock_lone_image(), imgpress_internal.next_lone_image_in_ms(),
    imgpress_internal.lock_next_images(uuid, integer, integer),
    imgpress_internal.lock_idle(uuid[], uuid[]),
    imgpress_internal.lock_images_to_claim(integer, integer, uuid[], integer[], boolean),
    imgpress_internal.milliseconds_until(timestamptz),
    imgpress_internal.next_retry_in_ms(), imgpress_internal.next_delivery_in_ms(),
    imgpress_internal.claim_images(integer, bigint, integer, integer, uuid[], integer[], interval, boolean)
    TO imgpress_worker;
