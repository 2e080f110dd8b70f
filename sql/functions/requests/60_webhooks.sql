-- Webhooks: signing keys, signatures, and the claim and end of deliveries.

CREATE OR REPLACE FUNCTION imgpress.webhook_secret() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM imgpress.webhook_secrets) THEN
        INSERT INTO imgpress.webhook_secrets (secret)
            VALUES ('whsec_' || encode(imgpress_internal.new_secret(), 'base64'));
    END IF;
    RETURN (SELECT s.secret FROM imgpress.webhook_secrets s ORDER BY s.created_at DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION imgpress.webhook_secret() IS
    'The newest secret for verifying webhook signatures; the first call, or the first message, makes one';

CREATE OR REPLACE FUNCTION imgpress_internal.webhook_signature(message_id text, unix_time bigint,
    payload text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg('v1,' || encode(imgpress_internal.hmac_sha256(
               decode(substr(s.secret, 7), 'base64'),
               convert_to($1 || '.' || $2 || '.' || $3, 'UTF8')), 'base64'), ' ' ORDER BY s.created_at)
    FROM imgpress.webhook_secrets s
$$;
COMMENT ON FUNCTION imgpress_internal.webhook_signature(text, bigint, text) IS
    'Value of the header webhook-signature: one signature for each secret';

CREATE OR REPLACE FUNCTION imgpress_internal.webhook_payload(request imgpress.processing_requests) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_build_object(
        'type', CASE request.status WHEN 'Completed' THEN 'request.completed' ELSE 'request.failed' END,
        'timestamp', to_char(request.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'data', json_build_object(
            'request_id', request.id, 'status', request.status, 'reason', request.reason,
            'products', request.product_count, 'images', request.image_count,
            'succeeded', request.succeeded_count, 'failed', request.failed_count,
            'source_bytes', request.source_bytes, 'output_bytes', request.output_bytes))::text
$$;
COMMENT ON FUNCTION imgpress_internal.webhook_payload(imgpress.processing_requests) IS
    'The body of the webhook message for a request that has ended';

CREATE OR REPLACE FUNCTION imgpress_internal.lock_due_deliveries(slots integer, held bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();  -- a constant, so that the indexes can be used
    due bigint[] := '{}';
    served text[] := '{}';
    next text;
    held_by_next integer;
    share integer;
BEGIN
    -- The receiver whose message is due longest comes first.
    WHILE cardinality(due) < slots LOOP
        SELECT d.receiver INTO next FROM imgpress.webhook_deliveries d
            WHERE d.status = 'Pending' AND d.next_attempt_at <= moment AND d.receiver <> ALL (served)
            ORDER BY d.next_attempt_at LIMIT 1;
        EXIT WHEN NOT FOUND;
        SELECT count(*) INTO held_by_next FROM imgpress.webhook_deliveries d
            WHERE d.id = ANY (held) AND d.receiver = next;
        share := greatest((slots - cardinality(due) - held_by_next) / 2, CASE held_by_next WHEN 0 THEN 1 ELSE 0 END);
        due := due || array(
            SELECT d.id FROM imgpress.webhook_deliveries d
            WHERE d.status = 'Pending' AND d.next_attempt_at <= moment AND d.receiver = next
            ORDER BY d.next_attempt_at LIMIT share FOR NO KEY UPDATE SKIP LOCKED);
        served := served || next;
    END LOOP;
    RETURN due;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_due_deliveries(integer, bigint[]) IS
    'Locks webhook messages that are due, at most slots of them. held: those that the drainer has under way. A '
    'receiver gets at most half of the slots that are left, so that another always finds one, even if it hangs';

CREATE OR REPLACE FUNCTION imgpress_internal.claim_deliveries(
    drainer integer, token bigint, slots integer, lease interval, held bigint[] DEFAULT '{}'
) RETURNS TABLE (id bigint, url text, payload text, headers text[], attempts smallint, due_in_ms bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    unix_time bigint := extract(epoch FROM clock_timestamp())::bigint;
    due bigint[];
BEGIN
    PERFORM imgpress_internal.lock_tables();
    due := imgpress_internal.lock_due_deliveries(slots, held);
    IF due <> '{}' THEN
        PERFORM imgpress.webhook_secret();
        INSERT INTO imgpress_internal.leases (token, drainer, delivery_ids, expires_at)
            VALUES (token, drainer, due, clock_timestamp() + lease);
        RETURN QUERY
            UPDATE imgpress.webhook_deliveries d
            SET attempts = d.attempts + 1, lease_token = token, next_attempt_at = NULL
            WHERE d.id = ANY (due)
            RETURNING d.id, d.url, d.payload, ARRAY[
                'content-type: application/json',
                'webhook-id: ' || d.message_id,
                'webhook-timestamp: ' || unix_time,
                'webhook-signature: ' || imgpress_internal.webhook_signature(d.message_id, unix_time, d.payload)
            ], d.attempts, NULL::bigint;
    END IF;
    RETURN QUERY SELECT NULL::bigint, NULL::text, NULL::text, NULL::text[], NULL::smallint,
        imgpress_internal.next_delivery_in_ms();
END
$$;
COMMENT ON FUNCTION imgpress_internal.claim_deliveries(integer, bigint, integer, interval, bigint[]) IS
    'Claims up to so many webhook messages that are due under one lease, signed for this attempt. held: the ids of '
    'those that the drainer has under way. The last row is no '
    'message but tells in how many milliseconds the next one is due; NULL: none is waiting';

CREATE OR REPLACE FUNCTION imgpress_internal.finish_delivery(
    delivery_id bigint, token bigint, status text, retry_delay_ms bigint, http_status integer, error text
) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM FROM imgpress.webhook_deliveries d
        WHERE d.id = delivery_id AND d.lease_token = token FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NOT EXISTS (
            SELECT FROM imgpress.webhook_deliveries d WHERE d.id = delivery_id AND d.lease_token = token);
    END IF;
    UPDATE imgpress.webhook_deliveries d
        SET lease_token = NULL, status = finish_delivery.status, last_http_status = http_status, last_error = error,
            next_attempt_at = clock_timestamp() + retry_delay_ms * interval '1 millisecond', interruptions = 0,
            ended_at = CASE WHEN finish_delivery.status <> 'Pending' THEN clock_timestamp() END
        WHERE d.id = delivery_id;
    PERFORM imgpress_internal.end_leases(ARRAY[token]);
    RETURN true;
END
$$;
COMMENT ON FUNCTION imgpress_internal.finish_delivery(bigint, bigint, text, bigint, integer, text) IS
    'Records the end of an attempt that still has its lease: Delivered, Failed, or Pending with the delay of the next '
    'attempt, as the drainer has decided. Returns false, to be called again, if another session has locked the row';

GRANT EXECUTE ON FUNCTION imgpress.webhook_secret() TO imgpress_admin, imgpress_worker;
GRANT EXECUTE ON FUNCTION
    imgpress_internal.hmac_sha256(bytea, bytea), imgpress_internal.webhook_signature(text, bigint, text),
    imgpress_internal.webhook_payload(imgpress.processing_requests),
    imgpress_internal.lock_due_deliveries(integer, bigint[]),
    imgpress_internal.claim_deliveries(integer, bigint, integer, interval, bigint[]),
    imgpress_internal.finish_delivery(bigint, bigint, text, bigint, integer, text)
    TO imgpress_worker;
