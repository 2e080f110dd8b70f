-- Rules for hosts: what the table refuses, and how claims set aside the images of a paused host.
BEGIN;
SELECT plan(38);

CREATE FUNCTION pg_temp.request(VARIADIC urls text[]) RETURNS uuid LANGUAGE sql AS $$
    SELECT imgpress.submit(array_agg((n, 'P', url)::imgpress.product_input ORDER BY n)) FROM unnest(urls) WITH ORDINALITY u(url, n)
$$;
CREATE FUNCTION pg_temp.claim(token bigint, slots integer) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT i.url FROM imgpress_internal.claim_images(0, token, slots, slots, '{}', '{}', '1 minute') i WHERE i.url IS NOT NULL
$$;
CREATE FUNCTION pg_temp.due() RETURNS bigint LANGUAGE sql AS $$
    SELECT i.due_in_ms FROM imgpress_internal.claim_images(0, 0, 0, 0, '{}', '{}', '1 minute') i WHERE i.url IS NULL
$$;

SELECT is(imgpress_internal.host_patterns(' HTTP://user@Img.Shop.example:8443/a?b '),
    ARRAY['img.shop.example:8443', 'img.shop.example', '*.shop.example:8443', '*.shop.example', '*.example:8443', '*.example'],
    'the rules that are for a host, the most specific first');
SELECT is(imgpress_internal.host_patterns('https://[2001:db8::1]/a'), ARRAY['[2001:db8::1]'], 'an address of IPv6');
SELECT is(imgpress_internal.host_patterns('nonsense'), '{}', 'no host');

SELECT throws_ok(format('INSERT INTO imgpress.hosts (host) VALUES (%L)', host), '23514', NULL, 'no host: ' || host)
    FROM unnest(ARRAY['', 'Shop.example', 'https://shop.example', 'shop.example/a', 'a b', '*', '*.', 'a.*', 'shop.example:0', 'shop.example:', '[::1', 'a@b']) host;
SELECT throws_ok($$ INSERT INTO imgpress.hosts (host, requests_per_second) VALUES ('a', 0) $$, '23514', NULL, 'no rate of zero');
SELECT throws_ok($$ INSERT INTO imgpress.hosts (host, requests_per_second) VALUES ('a', 'NaN') $$, '23514', NULL, 'no rate that is no number');
SELECT throws_ok($$ INSERT INTO imgpress.hosts (host, connections) VALUES ('a', 1025) $$, '23514', NULL, 'not that many connections');
SELECT throws_ok($$ SELECT imgpress.pause_host('a', now() - interval '1 second') $$, '22023', NULL, 'a pause ends in the future');
SELECT throws_ok($$ SELECT imgpress.pause_host('http://img.example/') $$, '22023', '"http://img.example/" is not a host', 'a URL is no host');
SELECT throws_ok($$ SELECT imgpress.pause_host('img.example:65536') $$, '22023', '"img.example:65536" is not a host', 'ports end at 65535');
SELECT throws_ok($$ SELECT imgpress.pause_host(NULL) $$, '22004', 'host is NULL');

-- A paused host: its images are passed over, in the same claim as those of others.
SELECT imgpress.pause_host('*.Paused.example');
CREATE TEMPORARY TABLE mixed AS SELECT pg_temp.request(
    'http://a.paused.example/1', 'http://open/2', 'http://b.paused.example:81/3', 'http://a.paused.example/4', 'http://open/5') AS id;
SELECT set_eq($$ SELECT pg_temp.claim(1, 10) $$, ARRAY['http://open/2', 'http://open/5'], 'only the images of other hosts are claimed');
SELECT results_eq($$ SELECT attempts::int, status, lease_token, retry_at FROM imgpress.images WHERE url LIKE '%paused%' $$,
    $$ VALUES (0, 'Pending', NULL::bigint, NULL::timestamptz), (0, 'Pending', NULL, NULL), (0, 'Pending', NULL, NULL) $$,
    'the others wait, and no attempt is counted');
SELECT is(pg_temp.due(), NULL, 'nothing is due: a pause without end is not looked at again and again');
SELECT is_empty($$ SELECT pg_temp.claim(2, 10) $$, 'they are not claimed again');
SELECT is_empty('SELECT * FROM imgpress.check()', 'an image that waits for a host will be found');

-- Retries are set aside, too.
SELECT imgpress.pause_host('open', now() + interval '1 hour');
UPDATE imgpress.images SET status = 'Pending', lease_token = NULL, retry_at = now() WHERE url = 'http://open/2';
SELECT is_empty($$ SELECT pg_temp.claim(3, 10) $$, 'a retry of a paused host is not claimed');
SELECT ok(pg_temp.due() BETWEEN 3500000 AND 3600000, 'but due when the pause ends');
SELECT is(imgpress.resume_host('OPEN'), true, 'resumed');
SELECT is(pg_temp.due(), 0::bigint, 'due at once');
SELECT set_eq($$ SELECT pg_temp.claim(4, 10) $$, ARRAY['http://open/2'], 'and claimed again');

-- Cancelled images leave.
SELECT imgpress.pause_host('c.example');
CREATE TEMPORARY TABLE gone AS SELECT pg_temp.request('http://c.example/1') AS id;
SELECT is_empty($$ SELECT pg_temp.claim(5, 10) $$, 'set aside');
SELECT imgpress.cancel((SELECT id FROM gone));
SELECT imgpress.resume_host('c.example');
SELECT is_empty($$ SELECT pg_temp.claim(6, 10) $$, 'a cancelled image does not come back');

-- A rule that is deleted does not leave its images behind.
DELETE FROM imgpress.hosts;
SELECT is((SELECT count(*)::int FROM pg_temp.claim(7, 4)), 2, 'at most half of the slots');
SELECT is((SELECT count(*)::int FROM pg_temp.claim(8, 10)), 1, 'and the rest');
SELECT is_empty($$ SELECT FROM imgpress.images WHERE host_no IS NOT NULL $$, 'nothing waits any more');

-- Whoever was granted the table only can write to it.
CREATE ROLE host_keeper;
GRANT USAGE ON SCHEMA imgpress TO host_keeper;
GRANT INSERT ON imgpress.hosts TO host_keeper;
SET LOCAL ROLE host_keeper;
INSERT INTO imgpress.hosts (host) VALUES ('kept.example');
RESET ROLE;
SELECT is((SELECT count(*) FROM imgpress.hosts WHERE host = 'kept.example'), 1::bigint, 'its CHECK runs for everybody');

SELECT * FROM finish();
ROLLBACK;
