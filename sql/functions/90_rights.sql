-- SECURITY DEFINER functions run with their owner's rights, and so does code that somebody attaches to a table.
-- So the owner must not be the superuser who runs CREATE EXTENSION. The one exception is
-- schedule_maintenance(): only a superuser can call pg_cron for others.
DO $owner$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('ALTER %s %s OWNER TO imgpress_owner', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
            c.oid::regclass)
            FROM pg_extension e JOIN pg_depend d ON d.refclassid = e.tableoid AND d.refobjid = e.oid AND d.deptype = 'e'
                JOIN pg_class c ON d.classid = c.tableoid AND d.objid = c.oid
            WHERE e.extname = 'imgpress' AND c.relkind IN ('r', 'v')
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO imgpress_owner', p.oid::regprocedure)
            FROM pg_extension e JOIN pg_depend d ON d.refclassid = e.tableoid AND d.refobjid = e.oid AND d.deptype = 'e'
                JOIN pg_proc p ON d.classid = p.tableoid AND d.objid = p.oid
            WHERE e.extname = 'imgpress' AND p.proname <> 'schedule_maintenance'
    LOOP
        EXECUTE command;
    END LOOP;
END
$owner$;

-- PUBLIC gets nothing, since several functions reach the network. Grants on functions are beside the functions;
-- here are those on tables.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA imgpress, imgpress_internal FROM PUBLIC;
-- It tells a role about itself only, and decides which rows it sees of a table or view that it was granted.
GRANT EXECUTE ON FUNCTION imgpress_internal.may_see(name) TO PUBLIC;
GRANT USAGE ON SCHEMA imgpress
    TO imgpress_reader, imgpress_user, imgpress_gateway, imgpress_admin, imgpress_worker, imgpress_owner;
GRANT USAGE ON SCHEMA imgpress_internal TO imgpress_gateway, imgpress_worker, imgpress_owner;

GRANT SELECT ON imgpress.processing_requests, imgpress.products, imgpress.images, imgpress.outputs,
    imgpress.webhook_deliveries
    TO imgpress_reader;
GRANT SELECT, INSERT, DELETE ON imgpress.webhook_secrets TO imgpress_admin;
GRANT UPDATE (submitted_by) ON imgpress.processing_requests TO imgpress_admin;

-- The worker gets only what it needs: it neither submits requests nor deletes what users see.
GRANT SELECT, UPDATE ON imgpress.processing_requests, imgpress.images TO imgpress_worker;
GRANT SELECT, INSERT ON imgpress.outputs TO imgpress_worker;
GRANT SELECT, INSERT, UPDATE ON imgpress.webhook_deliveries TO imgpress_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON imgpress_internal.leases TO imgpress_worker;
