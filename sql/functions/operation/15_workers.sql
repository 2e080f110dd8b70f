-- The background workers and their helper processes: what they do, and what keeps them from working.

CREATE OR REPLACE FUNCTION imgpress_internal.worker_state(
    of_database text DEFAULT NULL,
    OUT database text, OUT pid integer, OUT state text, OUT reason text, OUT next_try timestamptz,
    OUT started_at timestamptz, OUT fetching integer, OUT waiting integer, OUT compressing integer, OUT finished bigint,
    OUT memory bigint, OUT memory_limit bigint
) RETURNS SETOF record
    LANGUAGE c VOLATILE ROWS 4 AS 'MODULE_PATHNAME', 'imgpress_worker_state';
COMMENT ON FUNCTION imgpress_internal.worker_state(text) IS
    'The worker of each database in imgpress.databases, or of one: the source of the view imgpress.workers';
GRANT EXECUTE ON FUNCTION imgpress_internal.worker_state(text) TO imgpress_reader;

CREATE OR REPLACE VIEW imgpress_internal.pause AS
    SELECT format('the queue is paused since %s by %s%s; members of imgpress_admin resume it: '
                  'SELECT imgpress.resume_queue()', date_trunc('second', p.paused_at), p.paused_by, ': ' || p.reason)
           AS notice
    FROM imgpress_internal.queue_pause p;
COMMENT ON VIEW imgpress_internal.pause IS 'What users read while the queue is paused; otherwise no row';

CREATE OR REPLACE VIEW imgpress.workers AS
    SELECT w.database, w.pid, CASE WHEN w.state = 'idle' AND p.notice IS NOT NULL THEN 'paused' ELSE w.state END AS state,
           w.started_at, w.fetching, w.waiting, w.compressing, w.finished,
           w.memory, w.memory_limit,
           -- An error may quote values of a row.
           CASE WHEN pg_has_role('pg_monitor', 'USAGE') OR w.database = current_database()
                AND (w.state <> 'failing' OR imgpress_internal.may_see('imgpress_admin'))
                THEN coalesce(w.reason, p.notice) END AS reason,
           CASE WHEN w.next_try IS NOT NULL
                THEN date_trunc('second', greatest(w.next_try - clock_timestamp(), interval '0')) END AS next_try_in
    FROM imgpress_internal.worker_state() w LEFT JOIN imgpress_internal.pause p ON w.database = current_database();
COMMENT ON VIEW imgpress.workers IS
    'One row for each database in imgpress.databases. state: working, idle, paused, failing, starting, no extension, '
    'no such database or cannot start. reason: why, and what to do about it; that of another database only for members of '
    'pg_monitor, an error only for these and imgpress_admin. Numbers of images: being fetched, waiting for a codec, '
    'being compressed, and finished since the worker started. memory: bytes of image data that it holds, which '
    'imgpress.memory_limit bounds';
GRANT SELECT ON imgpress.workers TO imgpress_reader;

CREATE OR REPLACE FUNCTION imgpress_internal.press_state(
    OUT pid integer, OUT role text, OUT database text, OUT owner text, OUT owner_pid integer, OUT owner_role oid,
    OUT started_at timestamptz, OUT memory_bytes bigint, OUT layers text[], OUT left_open text[]
) RETURNS SETOF record
    LANGUAGE c VOLATILE ROWS 8 AS 'MODULE_PATHNAME', 'imgpress_press_state';
COMMENT ON FUNCTION imgpress_internal.press_state() IS
    'Every press of the cluster: the source of the view imgpress.presses';
GRANT EXECUTE ON FUNCTION imgpress_internal.press_state() TO imgpress_reader;

CREATE OR REPLACE VIEW imgpress.presses WITH (security_barrier) AS
    SELECT p.pid, p.role, p.database, p.owner, p.owner_pid, p.started_at, clock_timestamp() - p.started_at AS age,
           p.memory_bytes, p.layers, p.left_open
    FROM imgpress_internal.press_state() p
    WHERE pg_has_role('pg_monitor', 'USAGE') OR pg_has_role('imgpress_admin', 'USAGE')
        OR pg_has_role(p.owner_role, 'USAGE');
COMMENT ON VIEW imgpress.presses IS
    'One row for each imgpress-press process of the cluster: its role (fetcher or codec), the worker or session that '
    'owns it, its age and resident memory, the layers of its confinement that are in force (NULL until it has '
    'started), and what they leave open. Members of imgpress_admin and pg_monitor see all, others those of their own '
    'sessions';
GRANT SELECT ON imgpress.presses TO imgpress_reader;

CREATE OR REPLACE FUNCTION imgpress_internal.is_preloaded() RETURNS boolean
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'imgpress_is_preloaded';
COMMENT ON FUNCTION imgpress_internal.is_preloaded() IS
    'Whether the server was started with imgpress in shared_preload_libraries';

CREATE OR REPLACE FUNCTION imgpress_internal.standstill() RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker record;
BEGIN
    SELECT w.state, w.reason, w.next_try INTO worker FROM imgpress_internal.worker_state(current_database()) w;
    IF worker.state IN ('working', 'idle', 'starting') THEN
        RETURN (SELECT p.notice FROM imgpress_internal.pause p);
    END IF;
    RETURN format('database "%s": ', current_database()) || CASE
        WHEN worker.state IS NOT NULL THEN
            format('%s: %s', worker.state,
                   CASE WHEN worker.state <> 'failing' OR imgpress_internal.may_see('imgpress_admin')
                        THEN worker.reason ELSE 'administrators find the error in the view imgpress.workers' END)
            || coalesce(format('; next try in %s s',
                               greatest(trunc(extract(epoch FROM worker.next_try - clock_timestamp())), 0)), '')
        WHEN NOT imgpress_internal.is_preloaded() THEN
            'imgpress was not loaded when PostgreSQL started; the view imgpress.setup tells superusers what to do'
        WHEN imgpress_internal.list_names(current_setting('imgpress.databases'), current_database()) THEN
            'the launcher of imgpress does not run: raise max_worker_processes and restart PostgreSQL'
        ELSE 'it is not in imgpress.databases; the view imgpress.setup tells superusers what to do'
        END;
END
$$;
COMMENT ON FUNCTION imgpress_internal.standstill() IS
    'Why the requests of this database are not processed, and what to do about it; NULL if they are';

CREATE OR REPLACE FUNCTION imgpress_internal.list_names(list text, name text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'imgpress_list_names';
COMMENT ON FUNCTION imgpress_internal.list_names(text, text) IS
    'Whether a setting that is a list, such as imgpress.databases, names this element';

CREATE OR REPLACE FUNCTION imgpress_internal.setting_after_restart(name text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (SELECT f.setting FROM pg_file_settings f WHERE lower(f.name) = $1 ORDER BY f.seqno DESC LIMIT 1),
        current_setting($1));
$$;
COMMENT ON FUNCTION imgpress_internal.setting_after_restart(text) IS
    'What the configuration files say, also where ALTER SYSTEM has changed them since the last reload or restart';

CREATE OR REPLACE FUNCTION imgpress_internal.is_on_command_line(name text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.source = 'command line' FROM pg_settings s WHERE s.name = $1;
$$;
COMMENT ON FUNCTION imgpress_internal.is_on_command_line(text) IS
    'Whether a setting is given on PostgreSQL''s command line, which ALTER SYSTEM cannot change';

CREATE OR REPLACE FUNCTION imgpress_internal.setup_statements() RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    preloaded constant boolean := imgpress_internal.is_preloaded();  -- also loads the library, and so its settings
    libraries constant text := imgpress_internal.setting_after_restart('shared_preload_libraries');
    databases constant text := imgpress_internal.setting_after_restart('imgpress.databases');
BEGIN
    IF NOT preloaded AND NOT imgpress_internal.list_names(libraries, 'imgpress')
        AND NOT imgpress_internal.is_on_command_line('shared_preload_libraries') THEN
        RETURN NEXT 'ALTER SYSTEM SET shared_preload_libraries = '
            || (SELECT string_agg(quote_ident(n), ', ')
                FROM (SELECT btrim(x, ' "') FROM unnest(string_to_array(libraries, ',') || 'imgpress'::text) x) l (n)
                WHERE n <> '');
    END IF;
    IF NOT imgpress_internal.is_on_command_line('imgpress.databases') THEN
        IF NOT imgpress_internal.list_names(databases, current_database()) THEN
            IF NOT preloaded THEN
                RETURN NEXT 'LOAD ''imgpress''';  -- otherwise a new session would not know the setting
            END IF;
            RETURN NEXT format('ALTER SYSTEM SET imgpress.databases = %L',
                               concat_ws(', ', nullif(databases, ''), quote_ident(current_database())));
        END IF;
        IF NOT imgpress_internal.list_names(current_setting('imgpress.databases'), current_database()) THEN
            RETURN NEXT 'SELECT pg_reload_conf()';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.setup_statements() IS 'The source of the view imgpress.setup';

CREATE OR REPLACE VIEW imgpress.setup AS SELECT statement FROM imgpress_internal.setup_statements() statement;
COMMENT ON VIEW imgpress.setup IS
    'For superusers: the statements that are still needed before requests of this database are processed. They keep '
    'what is set. In psql, SELECT * FROM imgpress.setup \gexec runs them. Then restart PostgreSQL, if one of them '
    'changes shared_preload_libraries, or if there are none and nothing is processed';

CREATE OR REPLACE FUNCTION imgpress_internal.warn_of_setup() RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    preloaded constant boolean := imgpress_internal.is_preloaded();
    statements constant text := (SELECT string_agg(s.statement || ';', E'\n') FROM imgpress.setup s);
    remedies text[];
BEGIN
    IF preloaded AND imgpress_internal.list_names(current_setting('imgpress.databases'), current_database()) THEN
        RETURN;
    END IF;
    IF NOT preloaded AND imgpress_internal.is_on_command_line('shared_preload_libraries') THEN
        remedies := remedies || 'PostgreSQL''s command line sets shared_preload_libraries: add imgpress there.'::text;
    END IF;
    IF imgpress_internal.is_on_command_line('imgpress.databases') THEN
        remedies := remedies || 'PostgreSQL''s command line sets imgpress.databases: add the database there.'::text;
    END IF;
    IF statements IS NOT NULL THEN
        remedies := remedies || (E'Run these statements:\n' || statements);
    END IF;
    IF NOT preloaded THEN
        remedies := remedies || 'Then restart PostgreSQL.'::text;
    END IF;
    RAISE WARNING 'nothing is processed in database "%" yet: %', current_database(), CASE
            WHEN preloaded THEN 'it is not in imgpress.databases'
            ELSE 'imgpress is not in shared_preload_libraries'
            END
        USING HINT = array_to_string(remedies, E'\n');
END
$$;
COMMENT ON FUNCTION imgpress_internal.warn_of_setup() IS
    'Warns if requests would wait in silence because the cluster is not set up, and says what to do';
