-- Steering the queue: the priority of a request, pause and resume.

CREATE OR REPLACE FUNCTION imgpress_internal.checked_priority(given text) RETURNS smallint
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF btrim(given) !~ '^[-+]?[0-9]{1,3}$' OR abs(given::integer) > 100 THEN
        RAISE EXCEPTION 'priority must be an integer from -100 to 100, not "%"', given
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN given::smallint;
END
$$;
COMMENT ON FUNCTION imgpress_internal.checked_priority(text) IS
    'A priority from a text; NULL for NULL. Error 22023 if it is none';

CREATE OR REPLACE FUNCTION imgpress_internal.granted_priority(given text) RETURNS smallint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- NULL while the library is of a version without the setting.
    priority constant smallint := imgpress_internal.checked_priority(
        coalesce(given, current_setting('imgpress.priority', true), '0'));
BEGIN
    IF priority > 0 AND NOT imgpress_internal.may_see('imgpress_admin') THEN
        RAISE EXCEPTION 'priority % is above 0, which only members of imgpress_admin may use', priority
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Use a priority from -100 to 0, or let an administrator call imgpress.set_priority().';
    END IF;
    RETURN priority;
END
$$;
COMMENT ON FUNCTION imgpress_internal.granted_priority(text) IS
    'The priority that the caller has asked for, or else the setting imgpress.priority; error 42501 if it is above 0 '
    'and the caller is no administrator';

CREATE OR REPLACE FUNCTION imgpress.set_priority(request_id uuid, priority integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted smallint;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM imgpress_internal.find_request(request_id);
    granted := imgpress_internal.granted_priority(coalesce(set_priority.priority::text, 'NULL'));
    UPDATE imgpress.processing_requests r SET priority = granted
        WHERE r.id = set_priority.request_id AND imgpress_internal.may_see(r.submitted_by);
END
$$;
COMMENT ON FUNCTION imgpress.set_priority(uuid, integer) IS
    'Changes the priority of a request, from -100 to 100 (above 0: only members of imgpress_admin); it holds from the '
    'next claim of a worker. Of the places for images, each lower priority that waits gets one in eight, and the '
    'highest all others';

CREATE OR REPLACE FUNCTION imgpress.pause_queue(reason text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO imgpress_internal.queue_pause AS p (paused_by, reason)
        VALUES (imgpress_internal.caller(), pause_queue.reason)
        ON CONFLICT (only_row) DO UPDATE SET paused_by = excluded.paused_by, reason = excluded.reason;
    PERFORM imgpress_internal.wake_drainer();
END
$$;
COMMENT ON FUNCTION imgpress.pause_queue(text) IS
    'From COMMIT on, workers of this database claim no more images, until resume_queue(), also after a restart. What '
    'they hold is finished, requests are accepted, and webhooks delivered. reason: shown in imgpress.workers and to '
    'those who submit. Called again, it changes the reason';

CREATE OR REPLACE FUNCTION imgpress.resume_queue() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM imgpress_internal.queue_pause;
    PERFORM imgpress_internal.wake_drainer();
END
$$;
COMMENT ON FUNCTION imgpress.resume_queue() IS 'Ends what pause_queue() has begun; without a pause it does nothing';

GRANT EXECUTE ON FUNCTION imgpress.pause_queue(text), imgpress.resume_queue() TO imgpress_admin;
GRANT EXECUTE ON FUNCTION imgpress.set_priority(uuid, integer) TO imgpress_user;
