-- Submitting from SQL: what is stored, and the faults of a CSV with their lines. The transaction is rolled
-- back, so that nothing is processed.
BEGIN;
SELECT plan(72);

CREATE FUNCTION pg_temp.stored(request uuid) RETURNS TABLE (serial integer, name text, urls text)
LANGUAGE sql AS $$
    SELECT p.serial_number::integer, p.product_name, string_agg(i.url, ' ' ORDER BY n.place)
    FROM imgpress.products p, unnest(p.image_nos) WITH ORDINALITY AS n(image_no, place)
        JOIN imgpress.images i ON i.image_no = n.image_no AND i.request_id = request
    WHERE p.request_id = request GROUP BY p.product_no, 1, 2 ORDER BY p.product_no
$$;
CREATE FUNCTION pg_temp.faults(csv text) RETURNS TABLE (line integer, "column" text)
LANGUAGE sql AS $$ SELECT f.line, f."column" FROM imgpress.csv_faults(csv) f $$;

-- The usual form of a CSV, and a request that has not been processed yet.
SELECT imgpress.submit_csv(E'S. No.,Product Name,Input Image Urls\n1,SKU1,"http://a/1.jpg,http://a/2.jpg"\n2,SKU1,http://a/3.jpg\n') AS id \gset
SELECT results_eq(format('SELECT * FROM pg_temp.stored(%L)', :'id'),
    $$ VALUES (1, 'SKU1', 'http://a/1.jpg http://a/2.jpg'), (2, 'SKU1', 'http://a/3.jpg') $$,
    'products keep their order and may share a name');
SELECT is(imgpress.request_status(:'id'), 'Pending', 'a new request is Pending');
SELECT results_eq(format('SELECT * FROM imgpress.request_products(%L)', :'id'),
    $$ VALUES (1::bigint, 'SKU1', 'http://a/1.jpg,http://a/2.jpg', '', NULL::text[]), (2, 'SKU1', 'http://a/3.jpg', '', NULL) $$,
    'request_products() shows the input before there is output');
SELECT results_eq(format('SELECT product_count, image_count, quality FROM imgpress.processing_requests WHERE id = %L', :'id'),
    $$ VALUES (2, 3, 50::smallint) $$, 'counts and the default quality');

-- Other forms of a CSV.
CREATE FUNCTION pg_temp.one(csv text) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(serial || '|' || name || '|' || urls, E'\n') FROM pg_temp.stored(imgpress.submit_csv(csv)) $$;
SELECT is(pg_temp.one(E'\uFEFFserial_number,product_name,URLs\r\n7,Näme,http://a/1.jpg\r\n'), '7|Näme|http://a/1.jpg', 'BOM and CRLF');
SELECT is(pg_temp.one(E'S. No.;Product Name;Image Urls\n7;n;http://a/1.jpg\n'), '7|n|http://a/1.jpg', 'semicolons');
SELECT is(pg_temp.one(E'S. No.\tProduct Name\tImage Urls\n7\tn\thttp://a/1,2.jpg\n'), '7|n|http://a/1,2.jpg', 'tabs');
SELECT is(pg_temp.one(E'S. No.,Product Name,URLs\n7,n,http://a/1.jpg,http://a/2.jpg,,\n'), '7|n|http://a/1.jpg http://a/2.jpg', 'an unquoted list');
SELECT is(pg_temp.one(E'S. No.,Product Name,URLs\n7,n,"http://a/w_1,h_2/1.jpg, http://a/2.jpg"\n'), '7|n|http://a/w_1,h_2/1.jpg http://a/2.jpg', 'URLs with commas');
SELECT is(pg_temp.one(E'URLs,Note,Product Name,S. No.\nhttp://a/1.jpg,x,n,7\n'), '7|n|http://a/1.jpg', 'columns in another order, and one more');
SELECT is(pg_temp.one(E'\n\nS. No.,Product Name,URLs\n\n7,n,http://a/1.jpg\n\n'), '7|n|http://a/1.jpg', 'blank lines');
SELECT is(pg_temp.one(E'S. No.,Product Name,URLs\r\n7,n,http://a/1.jpg\n8,m,http://a/2.jpg\r9,o,http://a/3.jpg'),
    E'7|n|http://a/1.jpg\n8|m|http://a/2.jpg\n9|o|http://a/3.jpg', 'mixed line ends, none at the end');
SELECT is(pg_temp.one(E'S. No.,Product Name,URLs\n7,"a ""b"", c",http://a/1.jpg\n'), '7|a "b", c|http://a/1.jpg', 'quotes inside quotes');

SELECT is(pg_temp.one(E'S. No.,Product Name,URLs\n1,12" Monitor,http://a/1\n2,24" Monitor,http://a/2\n'),
    E'1|12" Monitor|http://a/1\n2|24" Monitor|http://a/2', 'inch marks are no quotes');
SELECT is(pg_temp.one(E'S. No.,Product Name,URLs\n1,\\.,http://a/1\n2,n,http://a/2\n'), E'1|\\.|http://a/1\n2|n|http://a/2', 'a backslash and a dot');
SELECT is(pg_temp.one(E'sep=;\nS. No.;Product Name;URLs\n1;n;http://a/1\n'), '1|n|http://a/1', 'the line that spreadsheets put in front');
SELECT is(pg_temp.one(E'S. No.,Product Name,URLs\n1,n,"http://a/1; http://a/2\nhttp://a/3"\n'), '1|n|http://a/1 http://a/2 http://a/3', 'lists with other separators');
SELECT is(pg_temp.one(convert_from('\x532e204e6f2e2c50726f64756374204e616d652c55524c730a312cc3a42c687474703a2f2f612f31', 'UTF8')), '1|ä|http://a/1', 'UTF-8');

-- Faults of a CSV.
SELECT results_eq($$ SELECT * FROM pg_temp.faults(E'S. No.,Product Name,URLs\n1,Shoe, red,http://a/1\n') $$,
    $$ VALUES (2, 'Product Name') $$, 'a comma in an unquoted name');
SELECT results_eq($$ SELECT line FROM pg_temp.faults(E'S. No.,Product Name,URLs\n\\.\n1,n,http://a/1\n') $$, ARRAY[2, 2, 2],
    'a line of backslash and dot does not end the file');
SELECT results_eq($$ SELECT line, message FROM imgpress.csv_faults('\x610a62e92c'::bytea) $$,
    $$ VALUES (2, 'not UTF-8: save the file as "CSV UTF-8"') $$, 'bytes that are not UTF-8, with their line');
SELECT results_eq($$ SELECT * FROM pg_temp.faults(E'S. No.,Product Name,URLs\nx,,nix\n2,n,http://a/1\n3,n,\n') $$,
    $$ VALUES (2, 'Serial Number'), (2, 'Product Name'), (2, 'Input Image Urls'), (4, 'Input Image Urls') $$,
    'every fault with its line');
SELECT results_eq($$ SELECT * FROM pg_temp.faults(E'S. No.,Product Name,URLs\n1,"a\nb",http://a/1\n\nx,n,http://a/1\n') $$,
    $$ VALUES (5, 'Serial Number') $$, 'lines are counted through quoted line ends and blank lines');
SELECT results_eq($$ SELECT * FROM pg_temp.faults(E'S. No.,Product Name\n1,a\n') $$,
    $$ VALUES (1, 'Input Image Urls') $$, 'a missing column');
SELECT results_eq($$ SELECT line FROM pg_temp.faults(E'S. No.,Product Name,URLs\n') $$, ARRAY[1], 'no product row');
SELECT results_eq($$ SELECT line FROM pg_temp.faults('') $$, ARRAY[1], 'an empty file');
SELECT results_eq($$ SELECT line FROM pg_temp.faults(E'S. No.,Product Name,URLs\n1,n,http://a/1\n2,"n,http://a/1\n') $$,
    ARRAY[3], 'an unclosed quote');
SELECT is_empty($$ SELECT * FROM pg_temp.faults(E'S. No.,Product Name,URLs\n1,n,http://a/1\n') $$, 'a good file has none');
SELECT throws_ok($$ SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\nx,n,http://a/1\n') $$,
    '22P04', 'the CSV has 1 fault; nothing was stored');
SELECT throws_ok($$ SELECT imgpress.submit_csv(NULL) $$, '22P04');

SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n9223372036854775807,n,http://a/1\n') AS long \gset
SELECT is((SELECT serial_number FROM imgpress.request_products(:'long')), 9223372036854775807, 'serial numbers have 64 bits');

-- Several image columns, and columns that are not used.
SELECT is(pg_temp.one(E'S. No.,Product Name,Image 1,Image 2\n1,n,http://a/1,"{http://a/2,http://a/3}"\n'), '1|n|http://a/1 http://a/2 http://a/3', 'two image columns');
SELECT is(imgpress.ignored_columns(E'S. No.,Colour,Product Name,,URLs,Price\n1,red,n,x,http://a/1,9\n'), ARRAY['Colour', 'column 4', 'Price'], 'columns that are not used');
SELECT is(imgpress.ignored_columns('nonsense'), '{}', 'none of a file that is refused');

-- UTF-16 with a byte order mark.
SELECT is(imgpress.csv_text('\xfffe4100e4000d0a'), 'Aä' || chr(2573), 'little-endian');
SELECT is(imgpress.csv_text('\xfeff0041d83dde00'), 'A😀', 'big-endian');
SELECT throws_ok($$ SELECT imgpress.csv_text('\xfffe41') $$, '22P04');

-- The first thousand faults are listed, the others counted.
SELECT is((SELECT count(*) FROM imgpress.csv_faults(E'S. No.,Product Name,URLs\n' || repeat(E'1,n,\n', 1234))), 1001::bigint, 'a thousand faults and a last row');
SELECT results_eq($$ SELECT line, "column", message FROM imgpress.csv_faults(E'S. No.,Product Name,URLs\n' || repeat(E'1,n,\n', 1234)) WHERE line IS NULL $$,
    $$ VALUES (NULL::integer, NULL::text, 'and 234 more faults, which are not listed') $$, 'which tells how many more');

-- Parameters.
SELECT throws_ok($$ SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,n,http://a/1\n', quality => 0) $$, '22023');
SELECT throws_ok($$ SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,n,http://a/1\n', 'ftp://x') $$, '22023');
SELECT throws_ok($$ SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,n,http://a/1\n', E'http://x/\r\nX: 1') $$, '22023',
    'webhook_url contains a control character, such as a line end: percent-encode it');
-- The limit that the table has is the one that the error names.
SELECT substring(pg_get_constraintdef(oid) FROM '<= (\d+)')::integer AS longest FROM pg_constraint
    WHERE conname = 'webhook_url_is_short' \gset
CREATE FUNCTION pg_temp.submit_with_webhook(bytes integer) RETURNS uuid LANGUAGE sql AS
$$ SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,n,http://a/1\n', rpad('http://hook/', bytes, 'x')) $$;
SELECT lives_ok(format('SELECT pg_temp.submit_with_webhook(%s)', :longest), 'the longest webhook URL');
SELECT throws_ok(format('SELECT pg_temp.submit_with_webhook(%s + 1)', :longest), '22023',
    format('webhook_url is longer than %s bytes', :longest));
-- Effort: the argument, or else the setting of the session that submits.
CREATE FUNCTION pg_temp.effort_of(request uuid) RETURNS text LANGUAGE sql AS
$$ SELECT effort FROM imgpress.progress WHERE request_id = request $$;
CREATE FUNCTION pg_temp.csv() RETURNS text LANGUAGE sql AS $$ SELECT E'S. No.,Product Name,URLs\n1,n,http://a/1\n' $$;
SELECT is(pg_temp.effort_of(:'id'), 'balanced', 'the default effort');
SELECT is(pg_temp.effort_of(imgpress.submit_csv(pg_temp.csv(), effort => 'fast')), 'fast', 'submit_csv() takes an effort');
SELECT is(pg_temp.effort_of(imgpress.submit(ARRAY[(1, 'n', 'http://a/1')::imgpress.product_input], effort => 'small')), 'small', 'so does submit()');
SET LOCAL imgpress.effort = 'small';
SELECT is(pg_temp.effort_of(imgpress.submit_csv(pg_temp.csv())), 'small', 'none given: the setting');
SELECT is(pg_temp.effort_of(imgpress.submit_csv(pg_temp.csv(), effort => 'balanced')), 'balanced', 'the argument goes before the setting');
SELECT is(pg_temp.effort_of(:'id'), 'balanced', 'a stored request keeps its effort');
RESET imgpress.effort;
SELECT throws_ok($$ SELECT imgpress.submit_csv(pg_temp.csv(), effort => 'turbo') $$, '22023', 'effort must be fast, balanced or small, not "turbo"');
SELECT throws_ok($$ SELECT imgpress.submit('{}', effort => 'Small') $$, '22023', 'effort must be fast, balanced or small, not "Small"');
SELECT throws_ok($$ UPDATE imgpress.processing_requests SET effort = 'turbo' $$, '428C9', NULL, 'it follows from the options');
SET LOCAL imgpress.quality = 80;
SET LOCAL imgpress.accept_truncated = on;
SELECT imgpress.submit_csv(pg_temp.csv()) AS chosen \gset
SELECT is((SELECT options FROM imgpress.processing_requests WHERE id = :'chosen')
    @> '{"quality": 80, "effort": "balanced", "accept_truncated": true}', true, 'every option has a setting');
RESET imgpress.quality;
RESET imgpress.accept_truncated;
SELECT throws_ok($$ SELECT imgpress_internal.complete_options('{"qualty": 50}') $$, '22023',
    'unknown option "qualty"; did you mean "quality"?');
SELECT throws_like($$ SELECT imgpress_internal.complete_options('{"note": 50}') $$,
    'unknown option "note"; the known options are quality, effort%');
SELECT throws_ok($$ SELECT imgpress_internal.complete_options('[50]') $$, '22023');
SELECT throws_ok($$ SELECT imgpress_internal.complete_options('{"effort": ["fast", "small"]}') $$, '22023',
    'effort must be fast, balanced or small, not "several values"');
SELECT throws_ok($$ INSERT INTO imgpress.processing_requests (options) VALUES ('{"quality": 1000}') $$, '22023',
    'quality must be an integer from 1 to 100, not "1000"', 'the table holds no value that an option does not allow');
SELECT throws_ok($$ INSERT INTO imgpress.processing_requests (options) VALUES ('[50]') $$, '22023');
CREATE FUNCTION pg_temp.of_an_earlier_version(bytea, text) RETURNS bytea
    LANGUAGE c AS 'imgpress', 'imgpress_compress_image';
SELECT throws_ok($$ SELECT pg_temp.of_an_earlier_version('x', '5') $$, '55000',
    'argument 2 is not the option quality of the installed library');
SELECT lives_ok($$ INSERT INTO imgpress.processing_requests (options) VALUES ('{"quality": 50, "of_a_later_version": 1}') $$,
    'but options of other versions');
SELECT throws_ok($$ SELECT imgpress_internal.complete_options('{"quality": [50]}') $$, '22023');
SELECT throws_ok($$ SELECT imgpress_internal.complete_options('{"quality": 50.5}') $$, '22023',
    'quality must be an integer from 1 to 100, not "50.5"');

SELECT throws_ok($$ SELECT imgpress.request_status('00000000-0000-0000-0000-000000000000') $$, 'P0002',
    'request 00000000-0000-0000-0000-000000000000 does not exist');

-- The same request id twice.
SELECT is(imgpress.submit_csv(E'S. No.,Product Name,URLs\n1,n,http://a/1\n', request_id => :'id'), :'id', 'a known request id is returned');
SELECT is((SELECT count(*) FROM imgpress.images WHERE request_id = :'id'), 3::bigint, 'and nothing is added to it');

-- submit() of a query, with URLs as an array or as a list.
SELECT imgpress.submit(array_agg((n, 'P' || n, urls)::imgpress.product_input ORDER BY n)) AS id
FROM (VALUES (1, ARRAY['http://a/1,2.jpg', 'http://a/3.jpg']), (2, ARRAY['http://a/4.jpg'])) v (n, urls) \gset
SELECT results_eq(format('SELECT * FROM pg_temp.stored(%L)', :'id'),
    $$ VALUES (1, 'P1', 'http://a/1,2.jpg http://a/3.jpg'), (2, 'P2', 'http://a/4.jpg') $$, 'submit() takes arrays of URLs');
SELECT results_eq($$ SELECT * FROM pg_temp.stored(imgpress.submit(ARRAY[(5, 'P', ARRAY['http://a/1?u=2,http://b/3'])::imgpress.product_input])) $$,
    $$ VALUES (5, 'P', 'http://a/1?u=2,http://b/3') $$, 'elements of an array are not split');
SELECT results_eq($$ SELECT * FROM pg_temp.stored(imgpress.submit(ARRAY[(5, 'P', 'http://a/1.jpg,http://a/2.jpg')::imgpress.product_input])) $$,
    $$ VALUES (5, 'P', 'http://a/1.jpg http://a/2.jpg') $$, 'submit() takes lists of URLs');
SELECT throws_ok($$ SELECT imgpress.submit(ARRAY[(5, '', 'x')::imgpress.product_input]) $$, '22023',
    'the products have 2 faults; nothing was stored');
SELECT throws_ok($$ SELECT imgpress.submit('{}') $$, '22023');

SELECT * FROM finish();
ROLLBACK;
