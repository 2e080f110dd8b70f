-- Webhooks are shared out among their receivers.
BEGIN;
SELECT plan(6);

DELETE FROM imgpress.webhook_deliveries;
CREATE FUNCTION pg_temp.add(receiver text, how_many integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO imgpress.webhook_deliveries (message_id, request_id, url, payload)
        SELECT format('%s-%s', receiver, n), gen_random_uuid(), format('https://%s/hook?%s', receiver, n), '{}'
        FROM generate_series(1, how_many) n
$$;
CREATE FUNCTION pg_temp.claim(token bigint, slots integer, held bigint[] DEFAULT '{}')
    RETURNS TABLE (receiver text, messages bigint) LANGUAGE sql AS $$
    SELECT split_part(d.url, '/', 3), count(*) FROM imgpress_internal.claim_deliveries(0, token, slots, '1 minute', held) d
    WHERE d.id IS NOT NULL GROUP BY 1 ORDER BY 1
$$;
CREATE FUNCTION pg_temp.held() RETURNS bigint[] LANGUAGE sql AS $$
    SELECT array_agg(d.id) FROM imgpress.webhook_deliveries d WHERE d.lease_token IS NOT NULL
$$;

SELECT pg_temp.add('Hangs.example:8080', 1000);
SELECT is((SELECT DISTINCT receiver FROM imgpress.webhook_deliveries), 'hangs.example:8080', 'the receiver is the host of the URL');
SELECT results_eq('SELECT messages FROM pg_temp.claim(1, 32)', ARRAY[16::bigint], 'one receiver gets half of the slots');
SELECT is_empty('SELECT * FROM pg_temp.claim(2, 16, pg_temp.held())', 'and no more while it holds them');
SELECT pg_temp.add('b', 100), pg_temp.add('c', 1);
SELECT results_eq('SELECT * FROM pg_temp.claim(3, 16, pg_temp.held())', $$ VALUES ('b', 8::bigint), ('c', 1::bigint) $$, 'the others find slots');
SELECT pg_temp.add('user@d', 1), pg_temp.add('e', 1), pg_temp.add('f', 1);
SELECT results_eq('SELECT * FROM pg_temp.claim(4, 2, pg_temp.held())', $$ VALUES ('e', 1::bigint), ('user@d', 1::bigint) $$, 'even few');
SELECT results_eq('SELECT * FROM pg_temp.claim(5, 3, pg_temp.held())', $$ VALUES ('f', 1::bigint) $$);

SELECT * FROM finish();
ROLLBACK;
