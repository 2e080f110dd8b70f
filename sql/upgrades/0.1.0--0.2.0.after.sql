-- Behind the functions: grants of what was made anew, ends that the update has brought about.
DO $after$
DECLARE
    kept record;
    closed uuid;
BEGIN
    FOR kept IN
        SELECT k.*, CASE k.grantee WHEN 0 THEN 'PUBLIC' ELSE k.grantee::regrole::text END AS role_name,
               CASE k.kind WHEN 'TABLE' THEN c.oid::regclass::text ELSE p.oid::regprocedure::text END AS object
        FROM imgpress_kept_grants k
        LEFT JOIN pg_class c ON k.kind = 'TABLE' AND c.relname = k.name AND c.relnamespace = 'imgpress'::regnamespace
        LEFT JOIN pg_proc p ON k.kind = 'FUNCTION' AND p.proname = k.name AND p.pronamespace = 'imgpress'::regnamespace
        WHERE coalesce(c.oid, p.oid) IS NOT NULL
    LOOP
        EXECUTE format('GRANT %s ON %s %s TO %s%s', kept.privilege, kept.kind, kept.object, kept.role_name,
                       CASE WHEN kept.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    FOR closed IN SELECT c.id FROM imgpress_closed_requests c LOOP
        PERFORM imgpress_internal.announce_end(closed);
    END LOOP;
END
$after$;
SELECT imgpress_internal.wake_drainer();
DROP TABLE imgpress_kept_grants, imgpress_moved_outputs, imgpress_closed_requests;
