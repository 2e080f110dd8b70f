-- Rules for hosts, and the images that wait for the end of a pause.
--
-- The drainer's fetcher obeys the rules. But it does not have to see a million images of a paused host: a claim sets
-- aside those that it comes across, by writing the number of the pausing rule into images.host_no. Then they cost
-- nothing, until a claim finds that no rule of that number pauses any more.

CREATE OR REPLACE FUNCTION imgpress_internal.host_patterns(url text) RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_host_patterns';
COMMENT ON FUNCTION imgpress_internal.host_patterns(text) IS
    'All values of hosts.host that are for the host of a URL, the most specific first; none if it has no host';

CREATE OR REPLACE TRIGGER wake_drainer AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON imgpress.hosts
    FOR EACH STATEMENT EXECUTE FUNCTION imgpress_internal.wake_drainer_trigger();

CREATE OR REPLACE FUNCTION imgpress_internal.is_host(host text) RETURNS boolean
    LANGUAGE plpgsql STRICT IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN octet_length(host) <= 260 AND host = lower(host)
        AND host ~ '^((\*\.)?[^]:/?#@*\s[]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$'
        AND coalesce(substring(host FROM ':([0-9]+)$')::integer <= 65535, true);
END
$$;
COMMENT ON FUNCTION imgpress_internal.is_host(text) IS 'Whether this may stand in imgpress.hosts: a host, or a pattern';

ALTER TABLE imgpress.hosts
    DROP CONSTRAINT IF EXISTS host_is_a_lower_case_name,
    ADD CONSTRAINT host_is_a_lower_case_name CHECK (imgpress_internal.is_host(host));

CREATE OR REPLACE FUNCTION imgpress_internal.checked_host(given text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT imgpress_internal.is_host(lower(given)) THEN
        RAISE EXCEPTION '"%" is not a host', left(given, 300)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Write it as it stands in the URLs, without http:// and without a path: img.example.com, '
                      'img.example.com:8443, or *.example.com for all hosts below a domain.';
    END IF;
    RETURN lower(given);
END
$$;
COMMENT ON FUNCTION imgpress_internal.checked_host(text) IS
    'A host or a pattern as it stands in imgpress.hosts; error 22023 if it is neither';

CREATE OR REPLACE FUNCTION imgpress.pause_host(host text, until timestamptz DEFAULT 'infinity') RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF host IS NULL THEN
        RAISE EXCEPTION 'host is NULL' USING ERRCODE = 'null_value_not_allowed';
    ELSIF until IS NULL OR until <= clock_timestamp() THEN
        RAISE EXCEPTION 'a pause must end in the future, not at %', coalesce(until::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave it out to pause the host until imgpress.resume_host() is called.';
    END IF;
    INSERT INTO imgpress.hosts AS h (host, paused_until) VALUES (imgpress_internal.checked_host(pause_host.host), until)
        ON CONFLICT ON CONSTRAINT hosts_pkey DO UPDATE SET paused_until = excluded.paused_until;
END
$$;
COMMENT ON FUNCTION imgpress.pause_host(text, timestamptz) IS
    'Begins no download from a host, or from all hosts of a pattern as in imgpress.hosts, before this time. Its images '
    'wait, and no attempt is counted; those of other hosts go on';

CREATE OR REPLACE FUNCTION imgpress.resume_host(host text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rule imgpress.hosts;
BEGIN
    SELECT * INTO rule FROM imgpress.hosts h WHERE h.host = lower(resume_host.host) FOR UPDATE;
    IF num_nonnulls(rule.requests_per_second, rule.connections, rule.note) = 0 THEN
        DELETE FROM imgpress.hosts h WHERE h.host_no = rule.host_no;
    ELSE
        UPDATE imgpress.hosts h SET paused_until = NULL WHERE h.host_no = rule.host_no;
    END IF;
    RETURN coalesce(rule.paused_until > clock_timestamp(), false);
END
$$;
COMMENT ON FUNCTION imgpress.resume_host(text) IS
    'Ends the pause of imgpress.pause_host(): the images that wait for the host are due at once. Returns whether it '
    'was paused';

CREATE OR REPLACE FUNCTION imgpress_internal.set_aside(ids uuid[], firsts integer[], lasts integer[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
    images bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM imgpress.hosts h WHERE h.paused_until > moment) THEN
        RETURN 0;
    END IF;
    WITH paused AS MATERIALIZED (
        SELECT x.request_id, x.image_no, p.host_no, p.paused_until
        FROM unnest(ids, firsts, lasts) AS t(id, first, last)
        JOIN imgpress.images x ON x.request_id = t.id AND x.image_no >= t.first AND x.image_no <= t.last
        CROSS JOIN LATERAL (
            SELECT h.host_no, h.paused_until FROM imgpress.hosts h
            WHERE h.host = ANY (imgpress_internal.host_patterns(x.url)) AND h.paused_until > moment
            ORDER BY h.paused_until DESC LIMIT 1
        ) p
    )
    -- An image that must be claimed alone stays where such images are found, and looks again after a while.
    UPDATE imgpress.images i
        SET host_no = CASE WHEN NOT i.alone THEN p.host_no END,
            retry_at = CASE WHEN i.alone THEN least(p.paused_until, moment + interval '1 minute') END
        FROM paused p WHERE i.request_id = p.request_id AND i.image_no = p.image_no;
    GET DIAGNOSTICS images = ROW_COUNT;
    RETURN images;
END
$$;
COMMENT ON FUNCTION imgpress_internal.set_aside(uuid[], integer[], integer[]) IS
    'Of these images, which the caller has locked (each run from its first to its last image_no), sets those aside '
    'whose host is paused; returns how many';

CREATE OR REPLACE FUNCTION imgpress_internal.was_set_aside(host_no integer, retry_at timestamptz) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(retry_at > clock_timestamp(), false) OR EXISTS (
        SELECT FROM imgpress.hosts h
        WHERE h.host_no = was_set_aside.host_no AND h.paused_until > clock_timestamp())
$$;
COMMENT ON FUNCTION imgpress_internal.was_set_aside(integer, timestamptz) IS
    'Whether an image with these values, which is to be claimed, waits for the end of a pause after all';

CREATE OR REPLACE FUNCTION imgpress_internal.take_open_turns(
    slots integer, held_requests uuid[], held_counts integer[],
    OUT ids uuid[], OUT firsts integer[], OUT lasts integer[], OUT more boolean, OUT blocked boolean, OUT aside bigint
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    begun_at constant timestamptz := clock_timestamp();
    turns record;
    locked bigint;
    now_aside bigint;
BEGIN
    aside := 0;
    LOOP
        turns := imgpress_internal.take_turns(slots, held_requests, held_counts);
        locked := (SELECT sum(t.last - t.first + 1) FROM unnest(turns.firsts, turns.lasts) AS t(first, last));
        now_aside := imgpress_internal.set_aside(turns.ids, turns.firsts, turns.lasts);
        aside := aside + now_aside;
        EXIT WHEN now_aside = 0 OR now_aside < locked OR clock_timestamp() - begun_at > interval '100 ms';
        UPDATE imgpress.processing_requests q
            SET claimed_up_to = t.last, claimed_at = clock_timestamp(),
                status = 'Processing', started_at = coalesce(q.started_at, clock_timestamp())
            FROM unnest(turns.ids, turns.firsts, turns.lasts) AS t(id, first, last)
            WHERE q.id = t.id AND t.last >= t.first;
    END LOOP;
    ids := turns.ids;
    firsts := turns.firsts;
    lasts := turns.lasts;
    more := turns.more;
    blocked := turns.blocked;
END
$$;
COMMENT ON FUNCTION imgpress_internal.take_open_turns(integer, uuid[], integer[]) IS
    'As take_turns(), and sets aside the images of paused hosts; if that leaves nothing to claim, requests have further '
    'turns, for up to 100 ms. aside: how many images';

CREATE OR REPLACE FUNCTION imgpress_internal.waiting_hosts(OUT host_no integer, OUT paused_until timestamptz)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
BEGIN
    host_no := 0;
    LOOP
        SELECT min(i.host_no) INTO host_no FROM imgpress.images i WHERE i.host_no > waiting_hosts.host_no;
        EXIT WHEN host_no IS NULL;
        paused_until := (SELECT h.paused_until FROM imgpress.hosts h
                         WHERE h.host_no = waiting_hosts.host_no AND h.paused_until > moment);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.waiting_hosts() IS
    'The numbers under which images are set aside, and until when: NULL where they need not wait any longer. One look '
    'into the index for each number, however many images there are';

CREATE OR REPLACE FUNCTION imgpress_internal.lock_released_images(
    slots integer, held_requests uuid[], held_counts integer[], OUT ids uuid[], OUT nos integer[]
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting record;
    locked record;
    left_over integer := slots;
BEGIN
    FOR waiting IN SELECT w.host_no FROM imgpress_internal.waiting_hosts() w WHERE w.paused_until IS NULL LOOP
        EXIT WHEN left_over <= 0;
        -- As with turns: a request gets at most half of the slots that are left, so that a host which is slow after
        -- its pause does not hold up all others.
        SELECT array_agg(d.request_id) AS ids, array_agg(d.image_no) AS nos,
               array_agg(d.waits AND d.place <= greatest((slots - coalesce(h.held, 0)) / 2,
                                                         CASE WHEN h.held IS NULL THEN 1 ELSE 0 END)) AS may_go,
               bool_or(NOT d.waits) AS any_stale
            INTO locked
            FROM (
                SELECT l.*, row_number() OVER (PARTITION BY l.request_id) AS place FROM (
                    SELECT i.request_id, i.image_no, i.status = 'Pending' AND i.retry_at IS NULL AS waits
                    FROM imgpress.images i WHERE i.host_no = waiting.host_no
                    LIMIT left_over FOR NO KEY UPDATE SKIP LOCKED
                ) l
            ) d LEFT JOIN unnest(held_requests, held_counts) AS h(id, held) ON h.id = d.request_id;
        IF locked.any_stale THEN
            -- Those that do not wait any more leave the index.
            UPDATE imgpress.images i SET host_no = NULL
                FROM unnest(locked.ids, locked.nos) AS l(id, no)
                WHERE i.request_id = l.id AND i.image_no = l.no AND NOT (i.status = 'Pending' AND i.retry_at IS NULL);
        END IF;
        ids := ids || array(SELECT l.id FROM unnest(locked.ids, locked.may_go) AS l(id, goes) WHERE l.goes);
        nos := nos || array(SELECT l.no FROM unnest(locked.nos, locked.may_go) AS l(no, goes) WHERE l.goes);
        left_over := slots - cardinality(ids);
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_released_images(integer, uuid[], integer[]) IS
    'Locks up to slots images that were set aside and whose host is not paused any more. held_requests, held_counts: '
    'as in claim_images()';

CREATE OR REPLACE FUNCTION imgpress_internal.next_released_at() RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT min(coalesce(w.paused_until, clock_timestamp())) FROM imgpress_internal.waiting_hosts() w
        WHERE w.paused_until IS DISTINCT FROM 'infinity'
$$;
COMMENT ON FUNCTION imgpress_internal.next_released_at() IS
    'When images that were set aside can be claimed again, as far as that is known; NULL if there are none';

CREATE OR REPLACE FUNCTION imgpress_internal.host_rules(
    OUT host text, OUT requests_per_second double precision, OUT connections integer, OUT paused boolean,
    OUT changes_in_ms bigint
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT h.host, h.requests_per_second, h.connections, coalesce(h.paused_until > clock_timestamp(), false),
           CASE WHEN h.paused_until > clock_timestamp() AND h.paused_until < 'infinity'
                THEN imgpress_internal.milliseconds_until(h.paused_until) END
    FROM imgpress.hosts h
    WHERE num_nonnulls(h.requests_per_second, h.connections) > 0 OR h.paused_until > clock_timestamp()
$$;
COMMENT ON FUNCTION imgpress_internal.host_rules() IS
    'The rules for hosts as a drainer passes them on to its fetcher, and the milliseconds until a pause ends';

GRANT SELECT, INSERT, UPDATE, DELETE ON imgpress.hosts TO imgpress_admin;
GRANT SELECT ON imgpress.hosts TO imgpress_worker;
GRANT EXECUTE ON FUNCTION imgpress.pause_host(text, timestamptz), imgpress.resume_host(text) TO imgpress_admin;
GRANT EXECUTE ON FUNCTION
    imgpress_internal.host_patterns(text), imgpress_internal.set_aside(uuid[], integer[], integer[]),
    imgpress_internal.was_set_aside(integer, timestamptz), imgpress_internal.waiting_hosts(),
    imgpress_internal.take_open_turns(integer, uuid[], integer[]), imgpress_internal.lock_released_images(integer, uuid[], integer[]),
    imgpress_internal.next_released_at(), imgpress_internal.host_rules()
    TO imgpress_worker;
