-- Results by the caller's own key, by product and by URL. The transaction is rolled back, so that no drainer sees it.
BEGIN;
SELECT plan(19);

CREATE FUNCTION pg_temp.claim(token bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM imgpress_internal.claim_images(0, token, 99, 99, '{}', '{}', '1 minute')
$$;
CREATE FUNCTION pg_temp.finish(token bigint, request uuid, image integer, fault text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    SELECT imgpress_internal.finish_images(
        ARRAY[CASE WHEN fault IS NULL
              THEN (token, request, image, 'Completed', NULL, 1, 0, 0, false, false, NULL, NULL, 200, 9, 'jpeg',
                    'image/jpeg', 'e', 4, 3, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::imgpress_internal.outcome
              ELSE (token, request, image, 'Failed', NULL, 1, 0, 0, false, false, fault, 'in words', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                    NULL, NULL, NULL, NULL, NULL, NULL)::imgpress_internal.outcome
              END],
        ARRAY[CASE WHEN fault IS NULL THEN 'bytes'::bytea END])
$$;
CREATE FUNCTION pg_temp.names(urls text[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(regexp_replace(u, '^.*/', ''), '-'), ' ' ORDER BY n) FROM unnest(urls) WITH ORDINALITY AS t(u, n)
$$;

SELECT imgpress.submit_query($$ VALUES ('sku-b'::text, 'http://a/2 http://a/1'), ('sku-a', 'http://a/1 http://a/3 http://a/1') $$) AS id \gset
SELECT results_eq(format('SELECT key, status, array_length(input_urls, 1), output_urls FROM imgpress.product_results WHERE request_id = %L ORDER BY product_no', :'id'),
    $$ VALUES ('sku-b', 'Pending', 2, NULL::text[]), ('sku-a', 'Pending', 3, NULL) $$, 'before the work');
SELECT pg_temp.claim(1);
SELECT pg_temp.finish(1, :'id', 2), pg_temp.finish(1, :'id', 1);
SELECT results_eq(format('SELECT key, status, pg_temp.names(output_urls) FROM imgpress.product_results WHERE request_id = %L ORDER BY product_no', :'id'),
    $$ VALUES ('sku-b', 'Completed', '2_compressed.jpg 1_compressed.jpg'), ('sku-a', 'Processing', NULL) $$,
    'a product has output URLs once all of its images have ended');
SELECT pg_temp.finish(1, :'id', 4, 'timeout');
SELECT results_eq(format('SELECT status, pg_temp.names(input_urls), pg_temp.names(output_urls), pg_temp.names(errors) FROM imgpress.product_results WHERE request_id = %L AND key = ''sku-a''', :'id'),
    $$ VALUES ('Failed', '1 3 1', '1_compressed.jpg - 1_compressed.jpg', '- in words -') $$, 'all arrays are in step');
SELECT results_eq(format('SELECT key, product_no, place, url FROM imgpress.results WHERE request_id = %L ORDER BY product_no, place', :'id'),
    $$ VALUES ('sku-b', 1, 1, 'http://a/2'), ('sku-b', 1, 2, 'http://a/1') $$, 'results have the key, and the order of the input');
SELECT results_eq(format('SELECT key, product_no, url FROM imgpress.failures WHERE request_id = %L', :'id'),
    $$ VALUES ('sku-a', 2, 'http://a/3') $$, 'so have failures');
SELECT imgpress.retry_failed(:'id');
SELECT results_eq(format('SELECT status, output_urls FROM imgpress.product_results WHERE request_id = %L AND key = ''sku-a''', :'id'),
    $$ VALUES ('Processing', NULL::text[]) $$, 'a retry takes them away again');

-- The newest success of each URL.
SELECT results_eq($$ SELECT url FROM imgpress.latest ORDER BY url $$, $$ VALUES ('http://a/1'), ('http://a/2') $$, 'only what has an output');
SELECT imgpress.submit_query($$ VALUES (1, 'http://a/1'), (2, 'http://a/3') $$) AS newer \gset
SELECT pg_temp.claim(2);
SELECT is((SELECT request_id FROM imgpress.latest WHERE url = 'http://a/1'), :'id', 'an older output counts while there is no newer one');
SELECT pg_temp.finish(2, :'newer', 1), pg_temp.finish(2, :'newer', 2, 'timeout');
SELECT results_eq($$ SELECT p.url, l.request_id, pg_temp.names(ARRAY[l.output_url])
    FROM (VALUES ('http://a/1'), ('http://a/2'), ('http://a/3')) AS p(url) LEFT JOIN imgpress.latest l ON l.url = p.url ORDER BY 1 $$,
    format($$ VALUES ('http://a/1', %L::uuid, '1_compressed.jpg'), ('http://a/2', %L, '2_compressed.jpg'), ('http://a/3', NULL, '-') $$, :'newer', :'id'),
    'one row for each URL');
SELECT results_eq($$ SELECT url FROM imgpress.latest ORDER BY url $$, $$ VALUES ('http://a/1'), ('http://a/2') $$, 'none comes twice');

-- Everybody sees what they may see. Another's newer output does not hide one's own.
CREATE ROLE mine IN ROLE imgpress_user;
CREATE ROLE stranger IN ROLE imgpress_user;
GRANT mine, stranger TO CURRENT_USER;
UPDATE imgpress.processing_requests SET submitted_by = 'mine' WHERE id = :'id';
SET LOCAL ROLE mine;
SELECT results_eq('SELECT request_id, url FROM imgpress.latest ORDER BY url',
    format($$ VALUES (%L::uuid, 'http://a/1'), (%L, 'http://a/2') $$, :'id', :'id'));
SELECT is((SELECT count(*) FROM imgpress.product_results), 2::bigint);
SELECT is((SELECT count(*) FROM imgpress.product_results WHERE request_id = :'newer'), 0::bigint);
RESET ROLE;
SET LOCAL ROLE stranger;
SELECT is_empty('SELECT * FROM imgpress.latest', 'a stranger sees no output URL');
SELECT is_empty('SELECT * FROM imgpress.product_results', 'and no product');
SELECT is_empty('SELECT * FROM imgpress.results');
SELECT is_empty('SELECT * FROM imgpress.failures');
RESET ROLE;

-- A URL may be longer than what other indexes can hold.
SELECT lives_ok($$ SELECT imgpress.submit_query('SELECT 1, ''http://a/'' || string_agg(md5(n::text), '''') FROM generate_series(1, 250) n') $$,
    'a URL of 8000 bytes that cannot be compressed');

-- Of a request that is new, and larger than all others, there are no statistics yet.
CREATE FUNCTION pg_temp.took(query text) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
    begun constant timestamptz := clock_timestamp();
BEGIN
    EXECUTE query;
    RETURN clock_timestamp() - begun;
END
$$;
SELECT imgpress.submit_query('SELECT n, ''http://a/'' || n FROM generate_series(1, 10000) n') AS large \gset
SELECT cmp_ok(pg_temp.took(format('SELECT count(*) FROM imgpress.result_csv(%L)', :'large')), '<',
    8 * pg_temp.took(format('SELECT count(*) FROM imgpress.request_products(%L)', :'large')),
    'the time of result_csv() does not grow with the square of the products');

SELECT * FROM finish();
ROLLBACK;
