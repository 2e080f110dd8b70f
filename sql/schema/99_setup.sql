-- Without this, requests would wait in silence in a cluster that is not set up.
DO $setup$
DECLARE
    statements constant text := (SELECT string_agg(s.statement || ';', E'\n') FROM imgpress.setup s);
BEGIN
    IF imgpress_internal.is_preloaded() AND statements IS NULL THEN
        RETURN;
    END IF;
    RAISE WARNING 'nothing is processed in database "%" yet: %', current_database(), CASE
            WHEN imgpress_internal.is_preloaded() THEN 'it is not in imgpress.databases'
            ELSE 'imgpress is not in shared_preload_libraries'
            END
        USING HINT = CASE
            WHEN statements IS NULL THEN 'Restart PostgreSQL.'
            WHEN imgpress_internal.is_preloaded() THEN E'Run these statements:\n' || statements
            ELSE E'Run these statements, then restart PostgreSQL:\n' || statements
            END;
END
$setup$;
