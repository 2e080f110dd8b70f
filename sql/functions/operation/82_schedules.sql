-- Schedules with pg_cron, as whoever asks for them: pg_cron gives a job to the role that calls cron.schedule(), and runs
-- it as this role. So these functions run as their caller, who needs rights in pg_cron's schema. They call functions in
-- imgpress_internal, which the caller may not name: hence their bodies are parsed when they are created.

CREATE OR REPLACE FUNCTION imgpress_internal.check_cron() RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- NULL if pg_cron is not loaded, or if the caller may not read its settings.
    home constant text := (SELECT s.setting FROM pg_settings s WHERE s.name = 'cron.database_name');
BEGIN
    IF home <> current_database() THEN
        RAISE EXCEPTION 'pg_cron keeps its jobs in database "%", not in "%"', home, current_database()
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('Set cron.database_name = %L and restart PostgreSQL. Or call, in database "%s", '
                      'cron.schedule_in_database(job_name, schedule, command, %1$L, username).',
                      current_database(), home);
    ELSIF NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is not installed in database "%"', current_database()
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('A superuser installs it: add pg_cron to shared_preload_libraries, set '
                      'cron.database_name = %L, restart PostgreSQL, and CREATE EXTENSION pg_cron.', current_database());
    ELSIF NOT has_schema_privilege('cron', 'USAGE') THEN
        RAISE EXCEPTION 'role "%" may not use pg_cron', current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('A superuser allows it: GRANT USAGE ON SCHEMA cron TO %I', current_user);
    ELSIF NOT (SELECT r.rolcanlogin FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'role "%" cannot log in, so pg_cron could not run a job as this role', current_user
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Schedule it as a role with LOGIN, for example after RESET ROLE.';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_cron() IS
    'An error that says what is missing before the caller can schedule jobs with pg_cron';

CREATE OR REPLACE FUNCTION imgpress_internal.schedule_job(job_name text, schedule text, command text) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF schedule IS NULL THEN
        RAISE EXCEPTION 'schedule is NULL' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'For example 0 3 * * *, at three each night. imgpress.unschedule() ends a job.';
    ELSIF octet_length(job_name) > 63 THEN  -- pg_cron would cut it
        RAISE EXCEPTION 'the name of the job, "%", is longer than 63 bytes', job_name
            USING ERRCODE = 'name_too_long';
    END IF;
    PERFORM cron.schedule(job_name, schedule, command);
    RETURN job_name;
END
$$;
COMMENT ON FUNCTION imgpress_internal.schedule_job(text, text, text) IS
    'Schedules a job of the caller, or changes the one of this name; returns the name';

CREATE OR REPLACE FUNCTION imgpress_internal.refresh_job(relation regclass) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.own_attachments(relation);
    RETURN 'imgpress refresh ' || CASE WHEN octet_length(relation::text) <= 46 THEN relation::text
                                       ELSE relation::oid::text END;
END
$$;
COMMENT ON FUNCTION imgpress_internal.refresh_job(regclass) IS
    'The name of the job that refreshes an attached table; an error unless the caller may do that';

CREATE OR REPLACE FUNCTION imgpress.schedule_refresh(relation regclass, schedule text DEFAULT '0 3 * * *') RETURNS text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT imgpress_internal.check_cron();
    SELECT imgpress_internal.schedule_job(imgpress_internal.refresh_job(relation), schedule,
        format('SELECT imgpress.reconcile(%L, refresh => true)', relation::text));
END;
COMMENT ON FUNCTION imgpress.schedule_refresh(regclass, text) IS
    'Asks again for all pictures of an attached table on a schedule of pg_cron (minute, hour, day of month, month, day '
    'of week; in UTC unless cron.timezone says otherwise), as the caller. Called again, it changes the schedule. Returns '
    'the name of the job';

CREATE OR REPLACE FUNCTION imgpress_internal.check_submission(webhook_url text, options jsonb, priority integer)
    RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.checked_webhook_url(webhook_url);
    PERFORM imgpress_internal.complete_options(options);
    PERFORM imgpress_internal.granted_priority(priority::text);
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_submission(text, jsonb, integer) IS
    'The errors of these arguments that a submission by the caller would raise';

CREATE OR REPLACE FUNCTION imgpress_internal.check_query(query text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_check_query';
COMMENT ON FUNCTION imgpress_internal.check_query(text) IS
    'The errors of a query that submit_query() would raise before its first row; it is not run';

CREATE OR REPLACE FUNCTION imgpress_internal.submission_job_name(name text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name IS NULL THEN
        RAISE EXCEPTION 'name is NULL' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'It is yours for the job: imgpress.unschedule() takes it.';
    ELSIF btrim(name) = '' THEN
        RAISE EXCEPTION 'name is empty' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'It is yours for the job: imgpress.unschedule() takes it.';
    END IF;
    RETURN 'imgpress submit ' || name;
END
$$;
COMMENT ON FUNCTION imgpress_internal.submission_job_name(text) IS 'The name of the job that schedule_submit() makes';

CREATE OR REPLACE FUNCTION imgpress_internal.submission_job(query text, arguments jsonb) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('SELECT imgpress.submit_query(%s)', concat_ws(', ', quote_literal(query), (
        SELECT string_agg(format('%I => %L', a.key, a.value), ', ') FROM jsonb_each_text(arguments) a
        WHERE a.value IS NOT NULL)))
$$;
COMMENT ON FUNCTION imgpress_internal.submission_job(text, jsonb) IS 'The command that submits a query';

CREATE OR REPLACE FUNCTION imgpress.schedule_submit(
    name text, schedule text, query text, webhook_url text DEFAULT NULL, quality integer DEFAULT NULL,
    effort text DEFAULT NULL, priority integer DEFAULT -10
) RETURNS text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT imgpress_internal.check_cron();
    SELECT imgpress_internal.submission_job_name(name);
    SELECT imgpress_internal.check_submission(
        webhook_url, jsonb_build_object('quality', quality, 'effort', effort), priority);
    -- The search path of a new session of the caller, as the job will have it: mistakes of the query are found now,
    -- and not at night.
    SELECT set_config('search_path', s.reset_val, true) FROM pg_settings s WHERE s.name = 'search_path';
    SELECT imgpress_internal.check_query(query);
    SELECT imgpress_internal.schedule_job(
        imgpress_internal.submission_job_name(name), schedule, imgpress_internal.submission_job(
            query, jsonb_build_object('webhook_url', webhook_url, 'quality', quality, 'effort', effort,
                                      'priority', priority)));
END;
COMMENT ON FUNCTION imgpress.schedule_submit(text, text, text, text, integer, text, integer) IS
    'Runs a query on a schedule of pg_cron and submits its rows by submit_query(), as the caller. name: yours for it; '
    'called again with the same one, it changes the schedule and the query. priority: below that of other requests '
    'unless it is given. Returns the name of the job';

CREATE OR REPLACE FUNCTION imgpress_internal.unschedule_jobs(what text) RETURNS SETOF text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    job record;
BEGIN
    FOR job IN
        SELECT j.jobid, j.jobname::text AS name FROM cron.job j
        WHERE j.username = current_user
          AND j.jobname::text IN ('imgpress refresh ' || what, 'imgpress submit ' || what)
    LOOP
        PERFORM cron.unschedule(job.jobid);
        RETURN NEXT job.name;
    END LOOP;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'you have scheduled nothing that is named "%"', what
            USING ERRCODE = 'no_data_found', HINT = 'What you have scheduled: ' || coalesce((
                SELECT string_agg(regexp_replace(j.jobname, '^imgpress [a-z]+ ', ''), ', ' ORDER BY j.jobname)
                FROM cron.job j
                WHERE j.username = current_user AND j.jobname ~ '^imgpress (refresh|submit) '), 'nothing') || '.';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.unschedule_jobs(text) IS
    'Ends the jobs of the caller that belong to this name or table, and returns their names';

CREATE OR REPLACE FUNCTION imgpress.unschedule(name text) RETURNS SETOF text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT imgpress_internal.check_cron();
    SELECT imgpress_internal.unschedule_jobs(name);
END;
COMMENT ON FUNCTION imgpress.unschedule(text) IS
    'Ends what the caller has scheduled by schedule_submit() under this name, or by schedule_refresh() for this table '
    '(as schema.table). Returns the names of the jobs';

GRANT EXECUTE ON FUNCTION
    imgpress_internal.check_cron(), imgpress_internal.schedule_job(text, text, text),
    imgpress_internal.refresh_job(regclass), imgpress_internal.check_submission(text, jsonb, integer),
    imgpress_internal.submission_job(text, jsonb), imgpress_internal.submission_job_name(text),
    imgpress_internal.check_query(text), imgpress_internal.unschedule_jobs(text),
    imgpress.schedule_refresh(regclass, text), imgpress.unschedule(text),
    imgpress.schedule_submit(text, text, text, text, integer, text, integer)
    TO imgpress_user;
