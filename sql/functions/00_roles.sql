-- Roles belong to the whole cluster: imgpress in another database may have created them already, and they
-- may have members. But a role with CREATEROLE may also have created them in advance, to get the rights that
-- this script grants. So imgpress_worker and imgpress_owner must have no members, and the members of the other
-- roles are named in a warning.
DO $roles$
DECLARE
    role_name text;
    role pg_roles;
    members text;
    in_use boolean;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['imgpress_reader', 'imgpress_user', 'imgpress_gateway', 'imgpress_admin',
        'imgpress_worker', 'imgpress_owner'] LOOP
        SELECT * INTO role FROM pg_roles r WHERE r.rolname = role_name;
        IF NOT FOUND THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            CONTINUE;
        END IF;
        SELECT string_agg(m.member::regrole::text, ', ' ORDER BY m.member::regrole::text) INTO members
            FROM pg_auth_members m
            WHERE m.roleid = role.oid AND m.member::regrole::text NOT IN ('imgpress_user', 'imgpress_admin');
        in_use := role_name IN ('imgpress_worker', 'imgpress_owner') AND (role.rolcanlogin OR members IS NOT NULL);
        IF in_use OR role.rolsuper OR role.rolcreaterole OR role.rolcreatedb
            OR role.rolreplication OR role.rolbypassrls THEN
            RAISE EXCEPTION 'role "%" exists already, but not as imgpress creates it', role_name
                USING ERRCODE = 'duplicate_object',
                      HINT = 'imgpress creates its roles with NOLOGIN and no other attribute, and imgpress_worker and '
                          'imgpress_owner without members. Find out who created it, then alter, drop or rename it.';
        -- During an update of the extension the roles are expected to exist.
        ELSIF (role.rolcanlogin OR members IS NOT NULL) AND to_regclass('pg_temp.imgpress_kept_grants') IS NULL THEN
            RAISE WARNING 'role "%" existed before; its rights in this database go to: %', role_name,
                concat_ws(', ', CASE WHEN role.rolcanlogin THEN 'everybody who can log in as it' END, members);
        END IF;
    END LOOP;
END
$roles$;

COMMENT ON ROLE imgpress_reader IS
    'imgpress: may read what it, or a role of which it is a member, has submitted';
COMMENT ON ROLE imgpress_user IS
    'imgpress: may do what imgpress_reader may, submit, cancel and retry requests, and call the compress functions';
COMMENT ON ROLE imgpress_gateway IS 'imgpress: what the HTTP gateway needs and nothing else';
COMMENT ON ROLE imgpress_admin IS
    'imgpress: may do what imgpress_user may, with the requests of everybody, purge, schedule maintenance and read the '
    'webhook secrets';
COMMENT ON ROLE imgpress_worker IS 'imgpress: the background workers work under this role';
COMMENT ON ROLE imgpress_owner IS
    'imgpress: owns its tables and functions, so that these run with no superuser''s rights';
GRANT imgpress_reader TO imgpress_user;
GRANT imgpress_user TO imgpress_admin;
