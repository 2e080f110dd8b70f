-- Roles belong to the whole cluster, so another database's imgpress may have made them already.
DO $roles$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['imgpress_user', 'imgpress_gateway', 'imgpress_admin', 'imgpress_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END
$roles$;

COMMENT ON ROLE imgpress_user IS 'imgpress: may submit, watch, cancel and retry requests and call the compress functions';
COMMENT ON ROLE imgpress_gateway IS 'imgpress: what the HTTP gateway needs and nothing else';
COMMENT ON ROLE imgpress_admin IS 'imgpress: may do what imgpress_user may, purge, schedule maintenance and read the webhook secrets';
COMMENT ON ROLE imgpress_worker IS 'imgpress: the drainer works under this role';
GRANT imgpress_user TO imgpress_admin;
