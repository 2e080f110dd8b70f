-- Webhooks after Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): an outbox that is
-- written in the transaction that ends a request, and delivered by a worker.

CREATE TABLE imgpress.webhook_deliveries (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id       text NOT NULL DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', ''),
    request_id       uuid NOT NULL,
    url              text NOT NULL,
    payload          text NOT NULL,
    status           text NOT NULL DEFAULT 'Pending',
    attempts         smallint NOT NULL DEFAULT 0,
    lease_token      bigint,
    worker_no        integer,
    next_attempt_at  timestamptz DEFAULT now(),
    last_http_status integer,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz,
    CONSTRAINT status_is_known CHECK (status IN ('Pending', 'Delivered', 'Failed')),
    CONSTRAINT ended_has_time CHECK ((ended_at IS NOT NULL) = (status <> 'Pending')),
    CONSTRAINT only_pending_has_lease CHECK (lease_token IS NULL OR status = 'Pending')
);
COMMENT ON TABLE imgpress.webhook_deliveries IS 'Webhook messages and how their delivery went';
COMMENT ON COLUMN imgpress.webhook_deliveries.message_id IS
    'Header webhook-id: the same on every attempt, so that a receiver can tell repetitions';
COMMENT ON COLUMN imgpress.webhook_deliveries.payload IS 'The exact body, as it is signed';
COMMENT ON COLUMN imgpress.webhook_deliveries.worker_no IS
    'Number of the worker that made the last attempt; 0 is the background worker';
COMMENT ON COLUMN imgpress.webhook_deliveries.next_attempt_at IS
    'When the next attempt is due; during an attempt: when its lease ends';

CREATE INDEX webhook_deliveries_due ON imgpress.webhook_deliveries (next_attempt_at) WHERE status = 'Pending';
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
