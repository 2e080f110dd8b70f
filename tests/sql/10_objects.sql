-- What CREATE EXTENSION creates: objects, comments, privileges.
BEGIN;
SELECT plan(30);

SELECT has_schema('imgpress');
SELECT tables_are('imgpress', ARRAY[
    'hosts',
    'images',
    'processing_requests',
    'products',
    'webhook_deliveries',
    'webhook_secrets']);
SELECT tables_are('imgpress_internal', ARRAY[
    'attached_ends',
    'attached_keys',
    'attached_rows',
    'attachment_anchors',
    'attachment_progress',
    'attachments',
    'blobs',
    'image_aliases',
    'image_outputs',
    'keys',
    'leases',
    'origin_headers',
    'queue_pause',
    'sources',
    'unswept_blobs',
    'upload_parts',
    'url_secret']);
SELECT views_are('imgpress', ARRAY[
    'attachments',
    'csv_upload',
    'failures',
    'host_states',
    'keys',
    'latest',
    'origin_headers',
    'outputs',
    'presses',
    'product_results',
    'progress',
    'results',
    'setup',
    'webhook_failures',
    'workers']);
SELECT has_function('imgpress', 'compress_image', ARRAY['bytea', 'integer', 'text']);
SELECT function_returns('imgpress', 'compress_image_url', ARRAY['text', 'integer', 'text'], 'bytea');
SELECT function_returns('imgpress', 'submit_query', ARRAY['text', 'text', 'integer', 'uuid', 'text', 'integer', 'jsonb'], 'uuid');
SELECT function_returns('imgpress', 'submit_csv', ARRAY['text', 'text', 'integer', 'uuid', 'text', 'integer'], 'uuid');
SELECT function_returns('imgpress', 'submit', ARRAY['imgpress.product_input[]', 'text', 'integer', 'uuid', 'text', 'integer'], 'uuid');
SELECT function_returns('imgpress_internal', 'submit_upload', ARRAY['uuid', 'jsonb'], 'json');
SELECT function_returns('imgpress', 'wait', ARRAY['uuid', 'interval'], 'text');

SELECT is_empty(
    $$ SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
       AND obj_description(p.oid, 'pg_proc') IS NULL $$,
    'every function has a comment');
SELECT is_empty(
    $$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
       AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL $$,
    'every table and view has a comment');
SELECT is_empty(
    $$ SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
       AND p.oid NOT IN ('imgpress_internal.may_see(name)'::regprocedure,
                         'imgpress_internal.is_host(text)'::regprocedure)
       AND has_function_privilege('public', p.oid, 'EXECUTE') $$,
    'PUBLIC may execute no function, but for those that tables and views call as whoever uses them');
SELECT is_empty(
    $$ SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
       AND (p.prosecdef OR p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c'))
       AND NOT coalesce(array_to_string(p.proconfig, ',') LIKE '%search_path=pg_catalog, pg_temp%', false) $$,
    'every function that runs SQL has a pinned search_path');
SELECT is_empty(
    $$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
       AND c.relkind IN ('r', 'v') AND has_table_privilege('public', c.oid, 'SELECT') $$,
    'PUBLIC may read no table');
SELECT is_empty(
    $$ SELECT c.oid::regclass, a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a
       WHERE c.relnamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
       AND a.grantee <> c.relowner AND a.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
       AND (c.relkind, a.privilege_type) <> ('S', 'USAGE') $$,
    'nobody may add a trigger or a foreign key to a table, which would run with the rights of imgpress_owner');
SELECT is_empty(
    $$ SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
       WHERE p.pronamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace) AND r.rolsuper AND p.proname <> 'schedule_maintenance' $$,
    'only schedule_maintenance() runs as a superuser');
SELECT is_empty(
    $$ SELECT a.grantee::regrole FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname IN ('imgpress', 'imgpress_internal')
       AND a.grantee <> n.nspowner AND a.privilege_type <> 'USAGE' $$,
    'nobody else may create objects in the schema');
SELECT is_empty(
    $$ SELECT t FROM unnest(ARRAY['imgpress.processing_requests', 'imgpress.products', 'imgpress.images',
           'imgpress_internal.image_outputs', 'imgpress_internal.blobs', 'imgpress.webhook_deliveries']) t
       WHERE has_table_privilege('imgpress_worker', t, 'DELETE, TRUNCATE') $$,
    'the worker cannot delete from the tables that users see');
SELECT is(imgpress_internal.complete_options('{}') @> '{"quality": 50, "effort": "balanced", "accept_truncated": false}',
    true, 'the defaults of the options');
SELECT col_not_null('imgpress', 'processing_requests', 'options', 'a request has all options');
SELECT is(has_table_privilege('imgpress_user', 'imgpress.results', 'SELECT'), true,
    'users may read the results');
SELECT is_empty(
    $$ SELECT c.oid::regclass, privilege FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege
       WHERE c.relnamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace) AND c.relkind IN ('r', 'v')
       AND has_table_privilege('imgpress_gateway', c.oid, privilege) $$,
    'the gateway has no rights on tables');
SELECT is(array(
        SELECT p.proname::text COLLATE "C" FROM pg_proc p
        WHERE p.pronamespace IN ('imgpress'::regnamespace, 'imgpress_internal'::regnamespace)
          AND has_function_privilege('imgpress_gateway', p.oid, 'EXECUTE')
          AND NOT has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1),
    ARRAY['admit', 'output_slice', 'products_as', 'result_csv_as', 'status_as', 'store_part', 'submit_upload_as',
          'upload_faults'], 'the gateway may execute the functions that it calls, and no others');
SELECT is(has_function_privilege('imgpress_user', 'imgpress.purge(interval, boolean)', 'EXECUTE'), false,
    'only imgpress_admin may purge');

SELECT is((SELECT array_agg(r) FROM unnest(ARRAY['imgpress_user', 'imgpress_admin', 'imgpress_gateway', 'imgpress_worker']) r
           WHERE has_schema_privilege(r, 'imgpress_internal', 'USAGE')), ARRAY['imgpress_gateway', 'imgpress_worker'],
    'only imgpress''s own roles may use imgpress_internal');
SELECT cmp_ok((SELECT count(*) FROM pg_proc WHERE pronamespace = 'imgpress'::regnamespace), '<=', 50::bigint, 'few functions for users');

SELECT results_eq($$ SELECT sqlstate, transient, hint IS NOT NULL FROM imgpress.error_codes() WHERE code IN ('http_status', 'timeout', 'cancelled') ORDER BY code $$,
    $$ VALUES (NULL, false, true), ('IP009', NULL, true), ('IP011', true, true) $$,
    'a code without an SQLSTATE is never raised; whether http_status is transient depends on the status');
SELECT is((SELECT count(DISTINCT code) FROM imgpress.error_codes()), (SELECT count(*) FROM imgpress.error_codes()), 'each code once');

SELECT * FROM finish();
ROLLBACK;
