-- Which rows a role sees that may read the tables. Functions and views read them as imgpress_owner, whom row-level
-- security lets pass, and ask may_see() themselves. The worker has a policy and not BYPASSRLS, which would hold for
-- the whole cluster.
DO $rows$
DECLARE
    name text;
    visible text;
BEGIN
    FOREACH name IN ARRAY ARRAY['processing_requests', 'products', 'images', 'outputs', 'webhook_deliveries'] LOOP
        visible := CASE name
            WHEN 'processing_requests' THEN 'imgpress_internal.may_see(submitted_by)'
            -- The policy of processing_requests applies in here, too.
            ELSE format('EXISTS (SELECT FROM imgpress.processing_requests r WHERE r.id = %I.request_id)', name) END;
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
END
$rows$;
