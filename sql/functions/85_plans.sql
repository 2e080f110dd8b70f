-- Which functions use index scans, nested loops and generic plans, whatever the statistics say.
--
-- Right after a submission the tables have no statistics yet, and the planner would choose badly: a bitmap of a
-- million images for a claim of 64, or 20 ms of JIT compilation for a statement of 0.1 ms.
DO $$
DECLARE
    function regproc;
BEGIN
    FOREACH function IN ARRAY ARRAY[
        'imgpress.request_products', 'imgpress.result_csv', 'imgpress_internal.claim_images', 'imgpress_internal.host_rules', 'imgpress_internal.finish_images',
        'imgpress_internal.release_leases', 'imgpress_internal.renew_leases',
        'imgpress_internal.rescue', 'imgpress_internal.end_leases', 'imgpress_internal.claim_deliveries',
        'imgpress_internal.finish_delivery',
        'imgpress_internal.look_after_attachments', 'imgpress_internal.attachments_due_in_ms',
        'imgpress_internal.next_attached_job', 'imgpress_internal.take_rows',
        'imgpress_internal.record_writes']::regproc[]
    LOOP
        EXECUTE format(
            'ALTER FUNCTION %s SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off '
            'SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan', function);
    END LOOP;
END
$$;
