-- Default privileges of whoever installs (ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ...) end here:
-- they are for nobody but imgpress's roles, and a trigger or a foreign key is for none of them. It would
-- run code with the rights of our functions.
DO $defaults$
DECLARE
    privilege record;
BEGIN
    FOR privilege IN
        WITH object AS (
            SELECT 'SCHEMA' AS kind, n.oid::regnamespace::text AS name, n.nspowner AS owner, n.nspacl AS acl
                FROM pg_namespace n WHERE n.nspname IN ('imgpress', 'imgpress_internal')
            UNION ALL
            SELECT 'TABLE', c.oid::regclass::text, c.relowner, c.relacl
                FROM pg_class c WHERE c.relnamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
            UNION ALL
            SELECT 'FUNCTION', p.oid::regprocedure::text, p.proowner, p.proacl
                FROM pg_proc p WHERE p.pronamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
        )
        SELECT o.kind, o.name, a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC'
            ELSE a.grantee::regrole::text END AS grantee
        FROM object o, aclexplode(o.acl) a
        WHERE a.grantee <> o.owner
          AND (a.grantee NOT IN (SELECT r.oid FROM pg_roles r WHERE r.rolname LIKE 'imgpress\_%')
               OR a.privilege_type NOT IN ('USAGE', 'EXECUTE', 'SELECT', 'INSERT', 'UPDATE', 'DELETE'))
    LOOP
        EXECUTE format('REVOKE %s ON %s %s FROM %s', privilege.privilege_type, privilege.kind, privilege.name,
            privilege.grantee);
    END LOOP;
END
$defaults$;

-- A worker that was waiting for this extension begins at commit.
SELECT imgpress_internal.wake_drainer();
