-- Roles belong to the whole cluster, so another database's imgpress may have made them already, and
-- given them members. But who may create roles may also have made them in advance, so that this
-- script gives them rights: nobody but the workers is imgpress_worker, nobody at all imgpress_owner,
-- and who gets into the others is told to whoever installs.
DO $roles$
DECLARE
    role_name text;
    role pg_roles;
    members text;
    in_use boolean;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['imgpress_user', 'imgpress_gateway', 'imgpress_admin', 'imgpress_worker',
        'imgpress_owner'] LOOP
        SELECT * INTO role FROM pg_roles r WHERE r.rolname = role_name;
        IF NOT FOUND THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            CONTINUE;
        END IF;
        SELECT string_agg(m.member::regrole::text, ', ' ORDER BY m.member::regrole::text) INTO members
            FROM pg_auth_members m WHERE m.roleid = role.oid AND m.member::regrole::text <> 'imgpress_admin';
        in_use := role_name IN ('imgpress_worker', 'imgpress_owner') AND (role.rolcanlogin OR members IS NOT NULL);
        IF in_use OR role.rolsuper OR role.rolcreaterole OR role.rolcreatedb
            OR role.rolreplication OR role.rolbypassrls THEN
            RAISE EXCEPTION 'role "%" exists already and is not as imgpress makes it', role_name
                USING ERRCODE = 'duplicate_object',
                      HINT = 'imgpress makes its roles NOLOGIN and without any attribute; imgpress_worker and '
                          'imgpress_owner have no members. Look who made it, then mend, drop or rename it.';
        -- In an update that is as it should be.
        ELSIF (role.rolcanlogin OR members IS NOT NULL) AND to_regclass('pg_temp.imgpress_kept_grants') IS NULL THEN
            RAISE WARNING 'role "%" was there before; here, too, its rights go to: %', role_name,
                concat_ws(', ', CASE WHEN role.rolcanlogin THEN 'who can log in as it' END, members);
        END IF;
    END LOOP;
END
$roles$;

COMMENT ON ROLE imgpress_user IS
    'imgpress: may submit, watch, cancel and retry requests and call the compress functions';
COMMENT ON ROLE imgpress_gateway IS 'imgpress: what the HTTP gateway needs and nothing else';
COMMENT ON ROLE imgpress_admin IS
    'imgpress: may do what imgpress_user may, purge, schedule maintenance and read the webhook secrets';
COMMENT ON ROLE imgpress_worker IS 'imgpress: the background workers work under this role';
COMMENT ON ROLE imgpress_owner IS
    'imgpress: owns its tables and functions, so that these run with no superuser''s rights';
GRANT imgpress_user TO imgpress_admin;
