-- Regular maintenance, scheduled with pg_cron where that is installed.

CREATE OR REPLACE FUNCTION imgpress.schedule_maintenance(
    purge_older_than interval DEFAULT interval '30 days', purge_schedule text DEFAULT '17 3 * * *',
    retry_schedule text DEFAULT '*/15 * * * *', retry_for interval DEFAULT interval '1 day'
) RETURNS TABLE (job_name text, schedule text, command text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.check_age('purge_older_than', purge_older_than);
    PERFORM imgpress_internal.check_age('retry_for', retry_for);
    IF purge_schedule IS NULL OR retry_schedule IS NULL THEN
        RAISE EXCEPTION 'a schedule is NULL' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'To end a job: SELECT cron.unschedule(''imgpress purge'')';
    ELSIF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is not installed in database "%"', current_database()
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'CREATE EXTENSION pg_cron first, or call imgpress.purge() and imgpress.retry_recent() from '
                      'another scheduler.';
    END IF;
    FOR job_name, schedule, command IN VALUES
        ('imgpress purge', purge_schedule, format('SELECT imgpress.purge(%L)', purge_older_than)),
        ('imgpress retry', retry_schedule, format('SELECT imgpress.retry_recent(%L)', retry_for))
    LOOP
        PERFORM cron.schedule(job_name, schedule, command);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress.schedule_maintenance(interval, text, text, interval) IS
    'Schedules purge() and retry_recent() with pg_cron, or changes their schedules, and returns the jobs; error 55000 '
    'where pg_cron is not installed';

CREATE OR REPLACE FUNCTION imgpress.retry_recent(younger_than interval DEFAULT interval '1 day') RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.check_age('younger_than', younger_than);
    PERFORM imgpress_internal.lock_tables();
    RETURN (
        SELECT coalesce(sum(imgpress.retry_failed(r.id, only_transient => true)), 0)
        FROM (
            SELECT q.id FROM imgpress.processing_requests q
            WHERE q.status = 'Completed' AND q.failed_count > 0 AND q.created_at > clock_timestamp() - younger_than
                AND imgpress_internal.may_see(q.submitted_by)
            ORDER BY q.id  -- the order in which everybody locks requests
        ) r);
END
$$;
COMMENT ON FUNCTION imgpress.retry_recent(interval) IS
    'Tries images again that failed with a transient error (see images.transient), in requests that were submitted '
    'within this time and have completed, not in those of attached tables; returns how many images';

GRANT EXECUTE ON FUNCTION
    imgpress.retry_recent(interval), imgpress.schedule_maintenance(interval, text, text, interval) TO imgpress_admin;
