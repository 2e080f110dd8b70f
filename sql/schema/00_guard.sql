-- imgpress: compresses product images inside PostgreSQL.
\echo Use "CREATE EXTENSION imgpress" to load this file. \quit

-- PostgreSQL resolves the names in this script in the extension's schema, too. If that schema existed
-- before, somebody may have put an operator into it that matches better than PostgreSQL's own, and it would
-- run as the superuser who runs CREATE EXTENSION. So the search path is set first, by a statement without
-- any expression: until the end of the script, names without a schema are PostgreSQL's own.
SET LOCAL search_path = pg_catalog, pg_temp;

-- SECURITY DEFINER functions call each other by their names in this schema. Somebody who created the schema
-- in advance, or can create objects in it, could put a function of the same name there.
DO $guard$
DECLARE
    schema_oid constant oid := (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'imgpress');
    fault constant text := CASE
        WHEN NOT (SELECT r.rolsuper FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.oid = schema_oid)
            THEN 'its owner is not a superuser'
        WHEN EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
                     WHERE n.oid = schema_oid AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner)
            THEN 'roles other than its owner may create objects in it'
        -- Objects of every kind depend on the schema that they are in.
        WHEN EXISTS (SELECT FROM pg_depend d
                     WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = schema_oid
                       AND d.classid <> 'pg_extension'::regclass)
            THEN 'it is not empty'
        END;
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'schema "imgpress" exists already and is not safe to use: %', fault
            USING ERRCODE = 'duplicate_schema',
                  HINT = 'If you did not create it, see what is in it, then drop or rename it: imgpress creates the '
                      'schema itself. If it did not exist before, default privileges have opened it: see ALTER '
                      'DEFAULT PRIVILEGES.';
    END IF;
END
$guard$;
