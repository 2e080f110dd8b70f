-- The background workers: what they do, and what keeps them from working.

CREATE OR REPLACE FUNCTION imgpress_internal.worker_state(
    OUT database text, OUT pid integer, OUT state text, OUT reason text, OUT next_try timestamptz,
    OUT started_at timestamptz, OUT fetching integer, OUT waiting integer, OUT compressing integer, OUT finished bigint
) RETURNS SETOF record
    LANGUAGE c VOLATILE ROWS 4 AS 'MODULE_PATHNAME', 'imgpress_worker_state';
COMMENT ON FUNCTION imgpress_internal.worker_state() IS
    'The worker of each database in imgpress.databases: the source of the view imgpress.workers';
GRANT EXECUTE ON FUNCTION imgpress_internal.worker_state() TO imgpress_user;

CREATE OR REPLACE VIEW imgpress.workers AS
    SELECT w.database, w.pid, w.state, w.started_at, w.fetching, w.waiting, w.compressing, w.finished, w.reason,
           CASE WHEN w.next_try IS NOT NULL
                THEN date_trunc('second', greatest(w.next_try - clock_timestamp(), interval '0')) END AS next_try_in
    FROM imgpress_internal.worker_state() w;
COMMENT ON VIEW imgpress.workers IS
    'One row for each database in imgpress.databases. state: working, idle, starting, no extension, no such database '
    'or cannot start; reason: why, and what to do about it. Numbers of images: being fetched, waiting for a codec, '
    'being compressed, and finished since the worker started';
GRANT SELECT ON imgpress.workers TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress_internal.is_preloaded() RETURNS boolean
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'imgpress_is_preloaded';
COMMENT ON FUNCTION imgpress_internal.is_preloaded() IS
    'Whether the server was started with imgpress in shared_preload_libraries';

CREATE OR REPLACE FUNCTION imgpress_internal.standstill() RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker imgpress.workers;
BEGIN
    SELECT * INTO worker FROM imgpress.workers w WHERE w.database = current_database();
    IF worker.state IN ('working', 'idle', 'starting') THEN
        RETURN NULL;
    END IF;
    RETURN format('database "%s": ', current_database()) || CASE
        WHEN worker.state IS NOT NULL THEN
            format('%s: %s', worker.state, worker.reason)
            || coalesce(format('; next try in %s s', extract(epoch FROM worker.next_try_in)::integer), '')
        WHEN imgpress_internal.is_preloaded() THEN
            'it is not in imgpress.databases; the view imgpress.setup has the statements that add it'
        ELSE 'imgpress is not in shared_preload_libraries; the view imgpress.setup has the statement that adds it'
        END;
END
$$;
COMMENT ON FUNCTION imgpress_internal.standstill() IS
    'Why no worker processes the requests of this database, and what to do about it; NULL if one does';

CREATE OR REPLACE FUNCTION imgpress_internal.list_names(list text, name text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'imgpress_list_names';
COMMENT ON FUNCTION imgpress_internal.list_names(text, text) IS
    'Whether a setting that is a list, such as imgpress.databases, names this element';

CREATE OR REPLACE FUNCTION imgpress_internal.setting_after_restart(name text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (SELECT f.setting FROM pg_file_settings f WHERE f.name = $1 ORDER BY f.seqno DESC LIMIT 1),
        current_setting($1));
$$;
COMMENT ON FUNCTION imgpress_internal.setting_after_restart(text) IS
    'What the configuration files say, also where ALTER SYSTEM has changed them since the last reload or restart';

CREATE OR REPLACE FUNCTION imgpress_internal.setup_statements() RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    preloaded constant boolean := imgpress_internal.is_preloaded();  -- also loads the library, and so its settings
    libraries constant text := imgpress_internal.setting_after_restart('shared_preload_libraries');
    databases constant text := imgpress_internal.setting_after_restart('imgpress.databases');
BEGIN
    IF NOT preloaded THEN
        IF NOT imgpress_internal.list_names(libraries, 'imgpress') THEN
            RETURN NEXT 'ALTER SYSTEM SET shared_preload_libraries = '
                || (SELECT string_agg(quote_ident(btrim(n, ' "')), ', ')
                    FROM unnest(string_to_array(libraries, ',') || 'imgpress'::text) n);
        END IF;
        IF (SELECT s.source FROM pg_settings s WHERE s.name = 'shared_preload_libraries') = 'command line' THEN
            RAISE NOTICE 'shared_preload_libraries is set on PostgreSQL''s command line: add imgpress there';
        END IF;
        RAISE NOTICE 'imgpress is loaded only when PostgreSQL starts: restart it after these statements';
    END IF;
    IF NOT imgpress_internal.list_names(databases, current_database()) THEN
        RETURN NEXT format('ALTER SYSTEM SET imgpress.databases = %L',
                           concat_ws(', ', nullif(databases, ''), quote_ident(current_database())));
    END IF;
    IF NOT imgpress_internal.list_names(current_setting('imgpress.databases'), current_database()) THEN
        RETURN NEXT 'SELECT pg_reload_conf()';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.setup_statements() IS 'The source of the view imgpress.setup';

CREATE OR REPLACE VIEW imgpress.setup AS SELECT statement FROM imgpress_internal.setup_statements() statement;
COMMENT ON VIEW imgpress.setup IS
    'For superusers: the statements that are still needed before requests of this database are processed. They keep '
    'what is set. In psql, SELECT * FROM imgpress.setup \gexec runs them';
