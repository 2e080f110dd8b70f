-- imgpress: compresses product images inside PostgreSQL.
\echo Use "CREATE EXTENSION imgpress" to load this file. \quit

-- PostgreSQL looks up the names in this script in the extension's own schema too. If that was there
-- before, somebody may have put an operator into it that fits better than PostgreSQL's own, and it
-- would run as the superuser who installs. So, in front of any expression, by a statement that has
-- none: names without a schema mean PostgreSQL's own, up to the end of the script.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Functions with their owner's rights find each other by name in this schema. Whoever made it before,
-- put something into it, or still may, could prepare a twin of theirs.
DO $guard$
DECLARE
    schema_oid constant oid := (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'imgpress');
    fault constant text := CASE
        WHEN NOT (SELECT r.rolsuper FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.oid = schema_oid)
            THEN 'its owner is no superuser'
        WHEN EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
                     WHERE n.oid = schema_oid AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner)
            THEN 'others than its owner may create objects in it'
        -- Whatever lies in a schema depends on it, of whichever kind it is.
        WHEN EXISTS (SELECT FROM pg_depend d
                     WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = schema_oid
                       AND d.classid <> 'pg_extension'::regclass)
            THEN 'it is not empty'
        END;
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'schema "imgpress" is not fit for use: %', fault
            USING ERRCODE = 'duplicate_schema',
                  HINT = 'If it was there before: look what is in it, then drop or rename it; imgpress makes its own. '
                      'If it was not: see ALTER DEFAULT PRIVILEGES.';
    END IF;
END
$guard$;
