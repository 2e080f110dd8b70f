-- Behind the functions: what was granted, ends that the update has brought about.
DO $grants$
DECLARE
    kept record;
    forgotten text;
BEGIN
    FOR kept IN
        SELECT k.*, CASE k.grantee WHEN 0 THEN 'PUBLIC' ELSE k.grantee::regrole::text END AS role_name,
               CASE k.kind WHEN 'SCHEMA' THEN quote_ident(k.name) WHEN 'TABLE' THEN c.oid::regclass::text
                           ELSE p.oid::regprocedure::text END AS object,
               quote_ident(CASE k.column_name WHEN 'position' THEN 'image_no' WHEN 'product_no' THEN 'first_product_no'
                                WHEN 'done' THEN 'succeeded' WHEN 'done_count' THEN 'succeeded_count'
                                WHEN 'claimed_count' THEN 'claimed_up_to' WHEN 'bytes_in' THEN 'source_bytes'
                                WHEN 'bytes_out' THEN 'output_bytes' ELSE k.column_name END) AS new_column
        FROM imgpress_kept_grants k
        LEFT JOIN pg_class c ON k.kind = 'TABLE' AND c.relname = k.name AND c.relnamespace = 'imgpress'::regnamespace
        LEFT JOIN pg_proc p ON k.kind = 'FUNCTION' AND p.proname = k.name AND p.pronamespace = 'imgpress'::regnamespace
            -- Of several of that name the same one.
            AND (oidvectortypes(p.proargtypes) = k.arguments OR p.proname <> 'csv_faults')
    LOOP
        IF kept.object IS NULL THEN
            forgotten := concat_ws(', ', forgotten, kept.privilege || ' on ' || kept.name || ' to ' || kept.role_name);
        ELSE
            EXECUTE format('GRANT %s%s ON %s %s TO %s%s', kept.privilege, ' (' || kept.new_column || ')', kept.kind,
                           kept.object, kept.role_name, CASE WHEN kept.is_grantable THEN ' WITH GRANT OPTION' END);
        END IF;
    END LOOP;
    IF forgotten IS NOT NULL THEN
        RAISE WARNING 'grants on what is no longer for people have ended: %', forgotten;
    END IF;
END
$grants$;

-- PostgreSQL takes what an extension's script grants for the extension's own, which pg_dump leaves out.
UPDATE pg_init_privs i SET initprivs = (
        SELECT coalesce(array_agg(a), '{}') FROM unnest(i.initprivs) a
        WHERE NOT EXISTS (
            SELECT FROM aclexplode(ARRAY[a]) x JOIN imgpress_kept_grants k ON k.grantee = x.grantee))
    WHERE EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'imgpress'
                  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                    AND d.classid = i.classoid AND d.objid = i.objoid)
       OR i.classoid = 'pg_namespace'::regclass AND i.objoid = 'imgpress'::regnamespace;

DO $closed$
DECLARE
    closed uuid;
BEGIN
    FOR closed IN SELECT c.id FROM imgpress_closed_requests c LOOP
        PERFORM imgpress_internal.announce_end(closed);
    END LOOP;
END
$closed$;
DROP TABLE imgpress_changes, imgpress_kept_grants, imgpress_moved_outputs, imgpress_closed_requests;
