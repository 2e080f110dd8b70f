-- Revokes what default privileges have granted (ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ...): only
-- imgpress's own roles get rights here, and even they may not add a trigger or a foreign key, which would run
-- code with the rights of imgpress's functions.
DO $defaults$
DECLARE
    privilege record;
BEGIN
    FOR privilege IN
        WITH member AS (
            SELECT d.classid, d.objid FROM pg_extension e
                JOIN pg_depend d ON d.refclassid = e.tableoid AND d.refobjid = e.oid AND d.deptype = 'e'
                WHERE e.extname = 'imgpress'
        ), object AS (
            SELECT 'SCHEMA' AS kind, n.oid::regnamespace::text AS name, n.nspowner AS owner, n.nspacl AS acl
                FROM pg_namespace n WHERE n.nspname IN ('imgpress', 'imgpress_internal')
            UNION ALL
            SELECT 'TABLE', c.oid::regclass::text, c.relowner, c.relacl FROM member m
                JOIN pg_class c ON m.classid = c.tableoid AND m.objid = c.oid
            UNION ALL
            SELECT 'FUNCTION', p.oid::regprocedure::text, p.proowner, p.proacl FROM member m
                JOIN pg_proc p ON m.classid = p.tableoid AND m.objid = p.oid
        )
        SELECT o.kind, o.name, a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC'
            ELSE a.grantee::regrole::text END AS grantee
        FROM object o, aclexplode(o.acl) a
        WHERE a.grantee <> o.owner
          AND (o.name, a.grantee) NOT IN (
              ('imgpress_internal.may_see(name)', 0), ('imgpress_internal.is_host(text)', 0))
          AND (a.grantee NOT IN (
                   SELECT r.oid FROM pg_roles r WHERE r.rolname IN (
                       'imgpress_reader', 'imgpress_user', 'imgpress_gateway', 'imgpress_admin', 'imgpress_worker',
                       'imgpress_views', 'imgpress_owner'))
               OR a.privilege_type NOT IN ('USAGE', 'EXECUTE', 'SELECT', 'INSERT', 'UPDATE', 'DELETE'))
    LOOP
        EXECUTE format('REVOKE %s ON %s %s FROM %s CASCADE', privilege.privilege_type, privilege.kind, privilege.name,
            privilege.grantee);
    END LOOP;
END
$defaults$;

-- A worker that was waiting for this extension begins at commit.
SELECT imgpress_internal.wake_drainer();
