-- Roles belong to the whole cluster: imgpress in another database may have created them already, and they
-- may have members. But a role with CREATEROLE may also have created them in advance, to get the rights that
-- this script grants. So imgpress_worker, imgpress_views and imgpress_owner must have no members, and the members
-- of the other roles are named in a warning.
DO $roles$
DECLARE
    role_name text;
    role pg_roles;
    members text;
    in_use boolean;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['imgpress_reader', 'imgpress_user', 'imgpress_gateway', 'imgpress_admin',
        'imgpress_worker', 'imgpress_views', 'imgpress_owner'] LOOP
        SELECT * INTO role FROM pg_roles r WHERE r.rolname = role_name;
        IF NOT FOUND THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            CONTINUE;
        END IF;
        SELECT string_agg(m.member::regrole::text, ', ' ORDER BY m.member::regrole::text) INTO members
            FROM pg_auth_members m
            WHERE m.roleid = role.oid AND (role_name, m.member::regrole::text) NOT IN (  -- those that are granted below
                ('imgpress_reader', 'imgpress_user'), ('imgpress_user', 'imgpress_admin'));
        in_use := role_name IN ('imgpress_worker', 'imgpress_views', 'imgpress_owner')
            AND (role.rolcanlogin OR members IS NOT NULL);
        IF in_use OR role.rolsuper OR role.rolcreaterole OR role.rolcreatedb
            OR role.rolreplication OR role.rolbypassrls THEN
            RAISE EXCEPTION 'role "%" exists already, but not as imgpress creates it', role_name
                USING ERRCODE = 'duplicate_object',
                      HINT = 'imgpress creates its roles with NOLOGIN and no other attribute, and imgpress_worker, '
                          'imgpress_views and imgpress_owner without members. Find out who created it, then alter, '
                          'drop or rename it.';
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
COMMENT ON ROLE imgpress_views IS
    'imgpress: owns the views of requests, so that row-level security applies to what they read';
COMMENT ON ROLE imgpress_owner IS
    'imgpress: owns its tables and functions, so that these run with no superuser''s rights';
GRANT imgpress_reader TO imgpress_user;
GRANT imgpress_user TO imgpress_admin;

-- Who calls imgpress, and whose requests they see.

CREATE OR REPLACE FUNCTION imgpress_internal.caller() RETURNS name
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'imgpress_caller';
COMMENT ON FUNCTION imgpress_internal.caller() IS
    'The role on whose behalf the statement runs: the user of the session or of SET ROLE, whatever SECURITY DEFINER '
    'functions it goes through; or the role that act_as() has named';

ALTER TABLE imgpress.processing_requests ALTER COLUMN submitted_by SET DEFAULT imgpress_internal.caller();

CREATE OR REPLACE FUNCTION imgpress_internal.may_see(submitted_by name) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'imgpress_may_see';
COMMENT ON FUNCTION imgpress_internal.may_see(name) IS
    'Whether the caller sees what this role has submitted: it has the privileges of that role or of imgpress_admin. '
    'What "public" has submitted, everybody sees; what a role that does not exist any more has, only imgpress_admin';

CREATE OR REPLACE FUNCTION imgpress_internal.act_as(role name) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_act_as';
COMMENT ON FUNCTION imgpress_internal.act_as(name) IS
    'Makes another role the caller, until the PL/pgSQL function that calls this one returns or fails. That function '
    'must be SECURITY DEFINER, pin its search_path, and have found out that it may act for this role';
