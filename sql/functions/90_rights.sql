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

ALTER VIEW imgpress.progress OWNER TO imgpress_views;
ALTER VIEW imgpress.failures OWNER TO imgpress_views;
ALTER VIEW imgpress.webhook_failures OWNER TO imgpress_views;
ALTER VIEW imgpress.results OWNER TO imgpress_views;
ALTER VIEW imgpress.product_results OWNER TO imgpress_views;
ALTER VIEW imgpress.latest OWNER TO imgpress_views;
-- result_csv() reads it, as whoever calls that.
GRANT SELECT ON imgpress.product_results TO imgpress_owner;
ALTER VIEW imgpress.attachments OWNER TO imgpress_views;
ALTER VIEW imgpress.outputs OWNER TO imgpress_views;

-- PUBLIC gets nothing, since several functions reach the network. Grants on functions are beside the functions;
-- here are those on tables.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA imgpress, imgpress_internal FROM PUBLIC;
-- It tells a role about itself only, and decides which rows it sees of a table or view that it was granted.
GRANT EXECUTE ON FUNCTION imgpress_internal.may_see(name) TO PUBLIC;
-- A CHECK of the table hosts calls it as whoever writes there, who may be a role that was granted the table.
GRANT EXECUTE ON FUNCTION imgpress_internal.is_host(text) TO PUBLIC;
GRANT USAGE ON SCHEMA imgpress
    TO imgpress_reader, imgpress_user, imgpress_gateway, imgpress_admin, imgpress_worker, imgpress_owner;
GRANT USAGE ON SCHEMA imgpress_internal TO imgpress_gateway, imgpress_worker, imgpress_owner;

GRANT SELECT ON imgpress.processing_requests, imgpress.products, imgpress.images,
    imgpress.webhook_deliveries
    TO imgpress_reader, imgpress_views;
GRANT SELECT, INSERT, DELETE ON imgpress.webhook_secrets TO imgpress_admin;
GRANT UPDATE (submitted_by) ON imgpress.processing_requests TO imgpress_admin;

-- The worker gets only what it needs: it neither submits requests nor deletes what users see.
GRANT SELECT, UPDATE ON imgpress.processing_requests, imgpress.images TO imgpress_worker;
GRANT SELECT, INSERT ON imgpress_internal.image_outputs, imgpress_internal.blobs TO imgpress_worker;
GRANT UPDATE (warning) ON imgpress_internal.blobs TO imgpress_worker;  -- any column: to lock a row FOR KEY SHARE
GRANT USAGE ON SEQUENCE imgpress_internal.blobs_blob_id_seq TO imgpress_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON imgpress_internal.sources TO imgpress_worker;
GRANT SELECT, INSERT, UPDATE ON imgpress.webhook_deliveries TO imgpress_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON imgpress_internal.leases TO imgpress_worker;
GRANT SELECT ON imgpress_internal.queue_pause TO imgpress_worker;

-- Which rows a role sees, in the tables and in views of them. Functions read the tables as imgpress_owner, whom
-- row-level security lets pass, and ask may_see() themselves. The worker has a policy and not BYPASSRLS, which would
-- hold for the whole cluster.
DO $rows$
DECLARE
    name text;
    visible text;
BEGIN
    FOREACH name IN ARRAY ARRAY['processing_requests', 'products', 'images', 'webhook_deliveries'] LOOP
        visible := CASE name
            WHEN 'processing_requests' THEN 'imgpress_internal.may_see(submitted_by)'
            -- The policy of processing_requests applies in here, too. With EXISTS, PostgreSQL would often read all
            -- requests first, also for a page of ten images.
            ELSE format('(SELECT true FROM imgpress.processing_requests r WHERE r.id = %I.request_id)', name) END;
        EXECUTE format('ALTER TABLE imgpress.%I ENABLE ROW LEVEL SECURITY', name);
        IF EXISTS (SELECT FROM pg_policy p WHERE p.polname = 'what_it_may_see'
                   AND p.polrelid = format('imgpress.%I', name)::regclass) THEN
            EXECUTE format('DROP POLICY what_it_may_see ON imgpress.%I', name);
            EXECUTE format('DROP POLICY all_for_the_worker ON imgpress.%I', name);
        END IF;
        EXECUTE format('CREATE POLICY what_it_may_see ON imgpress.%I USING (%s)', name, visible);
        EXECUTE format('CREATE POLICY all_for_the_worker ON imgpress.%I TO imgpress_worker USING (true) '
            'WITH CHECK (true)', name);
        EXECUTE format('COMMENT ON POLICY what_it_may_see ON imgpress.%I IS %L', name,
            'The rows of requests that the role may see');
        EXECUTE format('COMMENT ON POLICY all_for_the_worker ON imgpress.%I IS %L', name,
            'The worker processes the requests of everybody');
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_policy p WHERE p.polname = 'all_for_views') THEN
        CREATE POLICY all_for_views ON imgpress.products TO imgpress_views USING (true);
        COMMENT ON POLICY all_for_views ON imgpress.products IS
            'The views look up the product of an image or output that the role may see';
    END IF;
END
$rows$;

-- The view imgpress.outputs looks up the blobs of the outputs that the policy lets it see.
GRANT SELECT ON imgpress_internal.image_outputs, imgpress_internal.blobs TO imgpress_views;
ALTER TABLE imgpress_internal.image_outputs ENABLE ROW LEVEL SECURITY;
DO $outputs$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = 'imgpress_internal.image_outputs'::regclass) THEN
        CREATE POLICY what_it_may_see ON imgpress_internal.image_outputs
            USING ((SELECT true FROM imgpress.processing_requests r WHERE r.id = image_outputs.request_id));
        CREATE POLICY all_for_the_worker ON imgpress_internal.image_outputs TO imgpress_worker
            USING (true) WITH CHECK (true);
    END IF;
    COMMENT ON POLICY what_it_may_see ON imgpress_internal.image_outputs IS
        'The rows of requests that the role may see';
    COMMENT ON POLICY all_for_the_worker ON imgpress_internal.image_outputs IS
        'The worker processes the requests of everybody';
END
$outputs$;
