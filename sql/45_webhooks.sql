-- Webhooks after Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): an outbox that is
-- written in the transaction that ends a request, and delivered by the drainer.

CREATE TABLE imgpress.webhook_deliveries (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id       text NOT NULL DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', ''),
    request_id       uuid NOT NULL,
    url              text NOT NULL,
    payload          text NOT NULL,
    status           text NOT NULL DEFAULT 'Pending' CHECK (status IN ('Pending', 'Delivered', 'Failed')),
    attempts         smallint NOT NULL DEFAULT 0,
    lease_token      bigint,
    drainer          integer,
    next_attempt_at  timestamptz DEFAULT now(),
    last_http_status integer,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz
);
COMMENT ON TABLE imgpress.webhook_deliveries IS 'Webhook messages and how their delivery went';
COMMENT ON COLUMN imgpress.webhook_deliveries.message_id IS 'Header webhook-id: the same on every attempt, so that a receiver can tell repetitions';
COMMENT ON COLUMN imgpress.webhook_deliveries.payload IS 'The exact body, as it is signed';
COMMENT ON COLUMN imgpress.webhook_deliveries.drainer IS 'Number of the drainer that made the last attempt; 0 is the background worker';
COMMENT ON COLUMN imgpress.webhook_deliveries.next_attempt_at IS 'When the next attempt is due; during an attempt: when its lease ends';

CREATE INDEX webhook_deliveries_due ON imgpress.webhook_deliveries (next_attempt_at) WHERE status = 'Pending';
CREATE INDEX webhook_deliveries_request ON imgpress.webhook_deliveries (request_id);

CREATE TABLE imgpress.webhook_secrets (
    secret     text PRIMARY KEY CHECK (secret LIKE 'whsec_%' AND octet_length(decode(substr(secret, 7), 'base64')) BETWEEN 24 AND 64),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE imgpress.webhook_secrets IS 'Signing keys of the webhooks: insert a second one to rotate (messages are signed with every key here), delete the old one when the receivers have the new';

CREATE FUNCTION imgpress.webhook_secret() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM imgpress.webhook_secrets) THEN
        -- Two version 4 UUIDs hold 244 random bits of the server's strong source.
        INSERT INTO imgpress.webhook_secrets (secret) VALUES (
            'whsec_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'));
    END IF;
    RETURN (SELECT s.secret FROM imgpress.webhook_secrets s ORDER BY s.created_at DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION imgpress.webhook_secret() IS 'The newest secret for verifying webhook signatures; made at the first call or message';

CREATE FUNCTION imgpress.hmac_sha256(key bytea, message bytea) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    block bytea := CASE WHEN octet_length(key) > 64 THEN sha256(key) ELSE key END;
    inner_pad bytea;
    outer_pad bytea;
BEGIN
    block := block || decode(repeat('00', 64 - octet_length(block)), 'hex');
    inner_pad := block;
    outer_pad := block;
    FOR i IN 0..63 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(block, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(block, i) # 92);
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END
$$;
COMMENT ON FUNCTION imgpress.hmac_sha256(bytea, bytea) IS 'Internal: HMAC with SHA-256 (RFC 2104), so that no other extension is needed';

CREATE FUNCTION imgpress.webhook_signature(message_id text, unix_time bigint, payload text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg('v1,' || encode(imgpress.hmac_sha256(
               decode(substr(s.secret, 7), 'base64'),
               convert_to($1 || '.' || $2 || '.' || $3, 'UTF8')), 'base64'), ' ' ORDER BY s.created_at)
    FROM imgpress.webhook_secrets s
$$;
COMMENT ON FUNCTION imgpress.webhook_signature(text, bigint, text) IS
    'Internal: value of the header webhook-signature, one signature for each secret';

CREATE FUNCTION imgpress.webhook_payload(request imgpress.processing_requests) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_build_object(
        'type', CASE request.status WHEN 'Completed' THEN 'request.completed' ELSE 'request.failed' END,
        'timestamp', to_char(request.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'data', json_build_object(
            'request_id', request.id, 'status', request.status, 'reason', request.reason,
            'products', request.product_count, 'images', request.image_count,
            'succeeded', request.done_count, 'failed', request.failed_count,
            'source_bytes', request.source_bytes, 'output_bytes', request.output_bytes))::text
$$;
COMMENT ON FUNCTION imgpress.webhook_payload(imgpress.processing_requests) IS 'Internal: the body of the message that a request has ended';

CREATE FUNCTION imgpress.claim_deliveries(
    drainer integer, token bigint, slots integer, lease interval, OUT id bigint, OUT url text, OUT payload text, OUT headers text[]
) RETURNS SETOF record
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unix_time bigint := extract(epoch FROM clock_timestamp())::bigint;
    due bigint[];
BEGIN
    due := array(
        SELECT d.id FROM imgpress.webhook_deliveries d
        WHERE d.status = 'Pending' AND d.next_attempt_at <= clock_timestamp()
        ORDER BY d.next_attempt_at LIMIT slots FOR NO KEY UPDATE SKIP LOCKED);
    IF due = '{}' THEN
        RETURN;
    END IF;
    PERFORM imgpress.webhook_secret();
    RETURN QUERY
        UPDATE imgpress.webhook_deliveries d
            SET attempts = d.attempts + 1, lease_token = token, drainer = claim_deliveries.drainer, next_attempt_at = clock_timestamp() + lease
            WHERE d.id = ANY (due)
            RETURNING d.id, d.url, d.payload, ARRAY[
                'content-type: application/json',
                'webhook-id: ' || d.message_id,
                'webhook-timestamp: ' || unix_time,
                'webhook-signature: ' || imgpress.webhook_signature(d.message_id, unix_time, d.payload)];
END
$$;
COMMENT ON FUNCTION imgpress.claim_deliveries(integer, bigint, integer, interval) IS 'Internal: webhook messages that are due, signed for this attempt';

CREATE FUNCTION imgpress.finish_delivery(
    delivery_id bigint, token bigint, http_status integer, error text, retry_after_seconds integer, delays double precision[]
) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE imgpress.webhook_deliveries d
        SET lease_token = NULL, last_http_status = nullif($3, 0), last_error = $4,
            status = CASE WHEN $4 IS NULL THEN 'Delivered'
                          WHEN $3 = 410 OR d.attempts > cardinality($6) THEN 'Failed'
                          ELSE 'Pending' END,
            ended_at = CASE WHEN $4 IS NULL OR $3 = 410 OR d.attempts > cardinality($6) THEN clock_timestamp() END,
            -- Up to a tenth later, so that a receiver's restart does not meet all of them at once.
            next_attempt_at = clock_timestamp() + greatest($6[d.attempts] * (1 + random() / 10), $5) * interval '1 second'
        WHERE d.id = $1 AND d.lease_token = $2
$$;
COMMENT ON FUNCTION imgpress.finish_delivery(bigint, bigint, integer, text, integer, double precision[]) IS
    'Internal: records one attempt; error NULL means delivered. delays[n] is the pause behind the n-th attempt in seconds; 410 Gone ends it';
