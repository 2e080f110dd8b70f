-- Webhooks after Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): an outbox that is
-- written in the transaction that ends a request, and delivered by a worker.

CREATE TABLE imgpress.webhook_deliveries (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id       text NOT NULL,
    request_id       uuid NOT NULL,
    url              text NOT NULL,
    payload          text NOT NULL,
    status           text NOT NULL DEFAULT 'Pending',
    attempts         smallint NOT NULL DEFAULT 0,
    interruptions    smallint NOT NULL DEFAULT 0,
    lease_token      bigint,
    next_attempt_at  timestamptz DEFAULT now(),
    last_http_status integer,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz,
    receiver         text NOT NULL
        GENERATED ALWAYS AS (coalesce(lower(substring(url FROM '^[^/]*//([^/?#]*)')), '')) STORED,
    CONSTRAINT status_is_known CHECK (status IN ('Pending', 'Delivered', 'Failed')),
    CONSTRAINT ended_has_time CHECK ((ended_at IS NOT NULL) = (status <> 'Pending')),
    CONSTRAINT pending_is_leased_or_due CHECK (
        num_nonnulls(lease_token, next_attempt_at) = CASE status WHEN 'Pending' THEN 1 ELSE 0 END),
    CONSTRAINT leased_is_counted CHECK (lease_token IS NULL OR attempts > 0),
    CONSTRAINT failed_has_error CHECK (status <> 'Failed' OR last_error IS NOT NULL)
);
COMMENT ON TABLE imgpress.webhook_deliveries IS 'Webhook messages and how their delivery went';
COMMENT ON COLUMN imgpress.webhook_deliveries.message_id IS
    'Header webhook-id: request and run. The same on every attempt, so that a receiver can tell repetitions';
COMMENT ON COLUMN imgpress.webhook_deliveries.payload IS 'The exact body, as it is signed';
COMMENT ON COLUMN imgpress.webhook_deliveries.status IS
    'Pending, Delivered (the receiver answered with 2xx) or Failed (given up: the retries are used up, or the receiver '
    'answered 410 Gone)';
COMMENT ON COLUMN imgpress.webhook_deliveries.attempts IS
    'Attempts that were begun; counted before the message is sent. One that was cut short on this side does not count';
COMMENT ON COLUMN imgpress.webhook_deliveries.interruptions IS
    'How often in a row the worker that held the message was killed or crashed; each third time counts as an attempt';
COMMENT ON COLUMN imgpress.webhook_deliveries.lease_token IS
    'The lease of the attempt that is under way: only its holder may record the end; NULL: none is';
COMMENT ON COLUMN imgpress.webhook_deliveries.next_attempt_at IS
    'When the next attempt is due; NULL while one is under way, and after the end';
COMMENT ON COLUMN imgpress.webhook_deliveries.last_http_status IS
    'Status of the receiver''s answer in the last attempt; NULL: it has not answered';
COMMENT ON COLUMN imgpress.webhook_deliveries.last_error IS
    'Why the last attempt failed; NULL after a success. The view webhook_failures shows how to allow an address '
    'that is denied';
COMMENT ON COLUMN imgpress.webhook_deliveries.receiver IS
    'From url: the host, with a port if it names one; a receiver that hangs does not hold up the others';

CREATE INDEX webhook_deliveries_due ON imgpress.webhook_deliveries (next_attempt_at) WHERE status = 'Pending';
CREATE INDEX webhook_deliveries_receiver ON imgpress.webhook_deliveries (receiver, next_attempt_at)
    WHERE status = 'Pending' AND next_attempt_at IS NOT NULL;
CREATE INDEX webhook_deliveries_request ON imgpress.webhook_deliveries (request_id);

CREATE TABLE imgpress.webhook_secrets (
    secret     text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT secret_is_well_formed
        CHECK (secret LIKE 'whsec_%' AND octet_length(decode(substr(secret, 7), 'base64')) BETWEEN 24 AND 64)
);
COMMENT ON TABLE imgpress.webhook_secrets IS
    'Signing keys of the webhooks: insert a second one to rotate (messages are signed with every key here), delete '
    'the old one when the receivers have the new';
