-- The end of the update, after the functions: grants privileges again that an administrator had granted, renames
-- constraints, and announces the requests that the update has ended.
CREATE TEMPORARY TABLE imgpress_new_grants AS
    WITH renamed (name, column_name, new_name) AS (VALUES
        ('images', 'position', 'image_no'), ('images', 'product_no', 'first_product_no'),
        ('outputs', 'position', 'image_no'), ('processing_requests', 'done_count', 'succeeded_count'),
        ('processing_requests', 'claimed_count', 'claimed_up_to'), ('leases', 'positions', 'image_nos'),
        ('failures', 'position', 'image_no'), ('results', 'position', 'image_no'),
        ('results', 'bytes_in', 'source_bytes'), ('results', 'bytes_out', 'output_bytes'),
        ('progress', 'done', 'succeeded'), ('progress', 'bytes_in', 'source_bytes'),
        ('progress', 'bytes_out', 'output_bytes')
    )
    SELECT k.name, k.privilege, k.is_grantable, k.kind,
           CASE k.grantee WHEN 0 THEN 'PUBLIC' ELSE k.grantee::regrole::text END AS role_name,
           ' (' || quote_ident(a.attname) || ')' AS of_column,
           CASE WHEN k.kind = 'SCHEMA' THEN k.name WHEN k.kind = 'FUNCTION' THEN p.oid::regprocedure::text
                WHEN k.column_name IS NULL OR a.attname IS NOT NULL THEN c.oid::regclass::text END AS object
    FROM imgpress_kept_grants k
    LEFT JOIN renamed r ON r.name = k.name AND r.column_name = k.column_name
    LEFT JOIN pg_class c ON k.kind IN ('TABLE', 'SEQUENCE') AND c.relname = k.name
        AND c.relnamespace = 'imgpress'::regnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = coalesce(r.new_name, k.column_name)
    LEFT JOIN pg_proc p ON k.kind = 'FUNCTION' AND p.proname = k.name AND p.pronamespace = 'imgpress'::regnamespace
        AND oidvectortypes(p.proargtypes) = k.arguments || CASE
            WHEN k.name = 'output_url' THEN ', text' WHEN k.name = 'retry_failed' THEN ', text, text'
            WHEN k.name = 'purge' THEN ', boolean' WHEN k.name IN ('submit', 'submit_csv') THEN ', integer'
            ELSE '' END
    UNION
    -- The view failures calls this function with the rights of the user who reads the view.
    SELECT 'error_hint', 'EXECUTE', false, 'FUNCTION',
           CASE k.grantee WHEN 0 THEN 'PUBLIC' ELSE k.grantee::regrole::text END, NULL,
           'imgpress_internal.error_hint(text,text)'
    FROM imgpress_kept_grants k WHERE k.name = 'failures' AND k.privilege = 'SELECT'
    UNION
    -- Row-level security on these tables looks the request up with the rights of the user who reads.
    SELECT 'processing_requests', 'SELECT', false, 'TABLE',
           CASE k.grantee WHEN 0 THEN 'PUBLIC' ELSE k.grantee::regrole::text END, ' (id)',
           'imgpress.processing_requests'
    FROM imgpress_kept_grants k
    WHERE k.name IN ('products', 'images', 'outputs', 'webhook_deliveries') AND k.kind = 'TABLE';

DO $grants$
DECLARE
    new record;
    forgotten text;
BEGIN
    -- PostgreSQL records what an extension's script grants in pg_init_privs, and pg_dump leaves that out. So
    -- pg_init_privs is reset to its state without these grants; and pg_shdepend, which since PostgreSQL 17 has a row
    -- of type i for each role there, and would otherwise keep the role from being dropped.
    FOR new IN SELECT n.* FROM imgpress_new_grants n WHERE n.object IS NOT NULL LOOP
        EXECUTE format('REVOKE %s%s ON %s %s FROM %s CASCADE', new.privilege, new.of_column, new.kind, new.object,
                       new.role_name);
    END LOOP;
    CREATE TEMPORARY TABLE imgpress_init_privs AS SELECT i.* FROM pg_init_privs i;
    CREATE TEMPORARY TABLE imgpress_init_roles AS SELECT d.* FROM pg_shdepend d WHERE d.deptype = 'i';
    FOR new IN SELECT n.* FROM imgpress_new_grants n WHERE n.object IS NOT NULL LOOP
        EXECUTE format('GRANT %s%s ON %s %s TO %s%s', new.privilege, new.of_column, new.kind, new.object,
                       new.role_name, CASE WHEN new.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
    DELETE FROM pg_init_privs i WHERE NOT EXISTS (
        SELECT FROM imgpress_init_privs b
        WHERE b.classoid = i.classoid AND b.objoid = i.objoid AND b.objsubid = i.objsubid);
    UPDATE pg_init_privs i SET initprivs = b.initprivs FROM imgpress_init_privs b
        WHERE b.classoid = i.classoid AND b.objoid = i.objoid AND b.objsubid = i.objsubid
          AND b.initprivs::text <> i.initprivs::text;
    DELETE FROM pg_shdepend d WHERE d.deptype = 'i'
        AND d.dbid = (SELECT m.oid FROM pg_database m WHERE m.datname = current_database())
        AND NOT EXISTS (SELECT FROM imgpress_init_roles b WHERE b = d);
    SELECT string_agg(n.privilege || ' on ' || n.name || ' to ' || n.role_name, ', ') INTO forgotten
        FROM imgpress_new_grants n WHERE n.object IS NULL;
    IF forgotten IS NOT NULL THEN
        RAISE WARNING 'privileges on objects that are internal now were not kept: %', forgotten;
    END IF;
END
$grants$;

-- Since PostgreSQL 18, NOT NULL is a constraint. Its name is made from that of the column, which has changed.
DO $renamed$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT c.oid::regclass AS of_table, o.conname, c.relname || '_' || a.attname || '_not_null' AS name
            FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = o.conkey[1]
            JOIN imgpress_members m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
            WHERE o.contype = 'n'
    LOOP
        IF old.conname <> old.name THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', old.of_table, old.conname, old.name);
        END IF;
    END LOOP;
END
$renamed$;

UPDATE imgpress.processing_requests r
    SET reason = imgpress_internal.failure_summary(r.id, r.failed_count, r.image_count)
    WHERE r.status = 'Completed' AND r.failed_count > 0;
DO $closed$
DECLARE
    closed uuid;
BEGIN
    FOR closed IN SELECT c.id FROM imgpress_closed_requests c LOOP
        PERFORM imgpress_internal.announce_end(closed);
    END LOOP;
END
$closed$;
SELECT pg_extension_config_dump('imgpress_internal.attachments', '');
SELECT pg_extension_config_dump('imgpress_internal.attached_keys', '');
SELECT pg_extension_config_dump('imgpress_internal.attached_rows', '');
SELECT pg_extension_config_dump('imgpress_internal.attached_ends', '');
SELECT pg_extension_config_dump('imgpress_internal.attached_ends_id_seq', '');
SELECT pg_extension_config_dump('imgpress_internal.attachment_progress', '');
SELECT set_config('session_replication_role', k.role, true) FROM imgpress_kept_setting k;
DROP TABLE imgpress_members, imgpress_changes, imgpress_changed_types, imgpress_kept_setting, imgpress_kept_grants,
    imgpress_new_grants, imgpress_init_privs, imgpress_init_roles, imgpress_moved_outputs, imgpress_closed_requests;
