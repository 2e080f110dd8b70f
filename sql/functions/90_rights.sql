-- Functions that people call run with their owner's rights, and so does a trigger that somebody puts
-- on a table of ours: not those of the superuser who installs. What belongs to pg_cron only a
-- superuser reaches.
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

-- Nothing is for PUBLIC: several functions reach the network. What a role may do stands beside each
-- function; the tables are here.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA imgpress, imgpress_internal FROM PUBLIC;
GRANT USAGE ON SCHEMA imgpress TO imgpress_user, imgpress_gateway, imgpress_admin, imgpress_worker, imgpress_owner;
GRANT USAGE ON SCHEMA imgpress_internal TO imgpress_gateway, imgpress_worker, imgpress_owner;

GRANT SELECT ON imgpress.processing_requests, imgpress.products, imgpress.images, imgpress.outputs,
    imgpress.webhook_deliveries
    TO imgpress_user;
GRANT SELECT, INSERT, DELETE ON imgpress.webhook_secrets TO imgpress_admin;

-- What a worker does, and no more: it neither submits requests nor deletes anything that people see.
GRANT SELECT, UPDATE ON imgpress.processing_requests, imgpress.images TO imgpress_worker;
GRANT SELECT, INSERT ON imgpress.outputs TO imgpress_worker;
GRANT SELECT, INSERT, UPDATE ON imgpress.webhook_deliveries TO imgpress_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON imgpress_internal.leases TO imgpress_worker;
