-- Requests, products, images and outputs.
--
-- Children carry no foreign keys: only the functions of this schema write them, and a per-row check
-- would cost more than the row itself in a request of a million images. A trigger on
-- processing_requests removes the children of a deleted request instead.

CREATE TABLE imgpress.processing_requests (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    status        text NOT NULL DEFAULT 'Pending'
                  CHECK (status IN ('Pending', 'Processing', 'Completed', 'Failed')),
    quality       smallint NOT NULL DEFAULT 50 CHECK (quality BETWEEN 1 AND 100),
    effort        text NOT NULL DEFAULT 'balanced' CHECK (effort IN ('fast', 'balanced', 'small')),
    webhook_url   text CHECK (octet_length(webhook_url) <= 2048),
    reason        text,
    product_count integer NOT NULL DEFAULT 0,
    image_count   integer NOT NULL DEFAULT 0,
    copy_count    integer NOT NULL DEFAULT 0,
    claimed_count integer NOT NULL DEFAULT 0,
    done_count    integer NOT NULL DEFAULT 0,
    failed_count  integer NOT NULL DEFAULT 0,
    source_bytes  bigint NOT NULL DEFAULT 0,
    output_bytes  bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_at    timestamptz,
    started_at    timestamptz,
    ended_at      timestamptz,
    announced     text
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

COMMENT ON TABLE imgpress.processing_requests IS 'One row for each submitted request; a row is Completed in the transaction that stores its last output';
COMMENT ON COLUMN imgpress.processing_requests.status IS 'Pending (not started), Processing, Completed (every image ended, some perhaps with an error) or Failed (the request as a whole, see reason)';
COMMENT ON COLUMN imgpress.processing_requests.quality IS 'JPEG quality of the outputs, 1 to 100 (IJG scale)';
COMMENT ON COLUMN imgpress.processing_requests.effort IS 'What a smaller file may cost: fast, balanced or small; what the submitter gave, or the setting imgpress.effort of the submitting session';
COMMENT ON COLUMN imgpress.processing_requests.webhook_url IS 'Gets a signed POST when the request has ended';
COMMENT ON COLUMN imgpress.processing_requests.reason IS 'Why a Failed request failed';
COMMENT ON COLUMN imgpress.processing_requests.copy_count IS 'Images whose URL stands earlier in the request: they end together with the first one, without work of their own';
COMMENT ON COLUMN imgpress.processing_requests.claimed_count IS 'Images 1 to claimed_count have been handed to a drainer at least once, or are copies of such';
COMMENT ON COLUMN imgpress.processing_requests.done_count IS 'Images with an output';
COMMENT ON COLUMN imgpress.processing_requests.failed_count IS 'Images set aside, see imgpress.failures';
COMMENT ON COLUMN imgpress.processing_requests.source_bytes IS 'Downloaded bytes of the images that have an output; a copy counts as much as its original';
COMMENT ON COLUMN imgpress.processing_requests.output_bytes IS 'Bytes of the outputs, copies included';
COMMENT ON COLUMN imgpress.processing_requests.announced IS 'What the last webhook told (status and done_count): the same is not told twice';
COMMENT ON COLUMN imgpress.processing_requests.claimed_at IS 'When a drainer last took images of this request: whoever waits longest is served next';

-- Requests with images that nobody has taken yet, in the order of their turn.
CREATE INDEX processing_requests_turn ON imgpress.processing_requests (claimed_at NULLS FIRST, created_at)
    WHERE claimed_count < image_count AND status IN ('Pending', 'Processing');
CREATE INDEX processing_requests_ended ON imgpress.processing_requests (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE imgpress.products (
    request_id    uuid NOT NULL,
    product_no    integer NOT NULL,
    serial_number bigint NOT NULL,
    product_name  text NOT NULL,
    PRIMARY KEY (request_id, product_no)
);

COMMENT ON TABLE imgpress.products IS 'The products of a request in input order; names and serial numbers may repeat';
COMMENT ON COLUMN imgpress.products.product_no IS '1, 2, 3, ... in input order';
COMMENT ON COLUMN imgpress.products.serial_number IS 'As the input gave it';

-- Half-filled pages keep the two updates of an image (claim, finish) on its page and out of every
-- index: no index covers a column that changes on the way to success.
CREATE TABLE imgpress.images (
    request_id      uuid NOT NULL,
    position        integer NOT NULL,
    product_no      integer NOT NULL,
    copy_of         integer,
    attempts        smallint NOT NULL DEFAULT 0,
    failed_attempts smallint NOT NULL DEFAULT 0,
    codec_crashes   smallint NOT NULL DEFAULT 0,
    lease_token     bigint,
    retry_at        timestamptz,
    ended_at        timestamptz,
    transient       boolean NOT NULL DEFAULT false,
    status          text NOT NULL DEFAULT 'Pending'
                    CHECK (status IN ('Pending', 'Processing', 'Completed', 'Failed')),
    url             text NOT NULL,
    error_code      text,
    error           text,
    PRIMARY KEY (request_id, position)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

COMMENT ON TABLE imgpress.images IS 'One row for each image URL of a request';
COMMENT ON COLUMN imgpress.images.position IS '1, 2, 3, ... over the whole request in input order';
COMMENT ON COLUMN imgpress.images.copy_of IS 'Position of the first image of the request with the same URL, if that is another one: this image is never worked on, but ends as that one does';
COMMENT ON COLUMN imgpress.images.attempts IS 'Times that work on it was begun; counted before the work';
COMMENT ON COLUMN imgpress.images.failed_attempts IS 'Attempts that ended with a transient error, limited by imgpress.max_attempts';
COMMENT ON COLUMN imgpress.images.codec_crashes IS 'Times that it ended the codec process that held it; set aside at the third';
COMMENT ON COLUMN imgpress.images.lease_token IS 'Who may finish it: only the holder of this token';
COMMENT ON COLUMN imgpress.images.retry_at IS 'When the next attempt is due, where one is';
COMMENT ON COLUMN imgpress.images.transient IS 'The last error is of a kind that may pass by itself: a later attempt may succeed';
COMMENT ON COLUMN imgpress.images.error_code IS 'Short name of the last error, e.g. http_status, timeout, damaged_image';
COMMENT ON COLUMN imgpress.images.error IS 'The last error in words';

CREATE INDEX images_retry ON imgpress.images (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX images_copies ON imgpress.images (request_id, copy_of, position) WHERE copy_of IS NOT NULL;
CREATE INDEX images_errors ON imgpress.images (request_id, position) WHERE error_code IS NOT NULL;

CREATE TABLE imgpress.outputs (
    request_id   uuid NOT NULL,
    position     integer NOT NULL,
    content_type text NOT NULL,
    etag         text NOT NULL,
    width        integer NOT NULL,
    height       integer NOT NULL,
    source_bytes integer NOT NULL,
    kept_source  boolean NOT NULL,
    warning      text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    bytes        bytea NOT NULL,
    PRIMARY KEY (request_id, position)
);
-- Images do not compress any further: don't let TOAST try.
ALTER TABLE imgpress.outputs ALTER COLUMN bytes SET STORAGE EXTERNAL;

COMMENT ON TABLE imgpress.outputs IS 'The compressed images';
COMMENT ON COLUMN imgpress.outputs.kept_source IS 'The source''s own bytes, because no JPEG of this quality would have been smaller';
COMMENT ON COLUMN imgpress.outputs.width IS 'Pixels as stored, before any EXIF orientation';
COMMENT ON COLUMN imgpress.outputs.height IS 'Pixels as stored, before any EXIF orientation';
COMMENT ON COLUMN imgpress.outputs.source_bytes IS 'Size of the downloaded image in bytes';
COMMENT ON COLUMN imgpress.outputs.warning IS 'What is remarkable about this success, if anything';
COMMENT ON COLUMN imgpress.outputs.etag IS 'Validator for HTTP caches, without quotes';

CREATE TABLE imgpress.leases (
    token       bigint PRIMARY KEY,
    drainer     integer NOT NULL,
    request_ids uuid[] NOT NULL,
    positions   integer[] NOT NULL,
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE imgpress.leases IS 'Batches of images that a drainer has claimed and not finished yet; what a dead drainer left here is rescued';
COMMENT ON COLUMN imgpress.leases.drainer IS 'Number of the drainer that holds it; 0 is the background worker';

-- The same URL a hundred thousand times must not end in one transaction of minutes: what is left of
-- such a crowd is noted here, and ended in portions.
CREATE TABLE imgpress.copies_due (
    request_id uuid NOT NULL,
    position   integer NOT NULL,
    reached    integer NOT NULL DEFAULT 0,
    PRIMARY KEY (request_id, position)
);
COMMENT ON TABLE imgpress.copies_due IS 'Images that have ended while copies of them are still to end likewise';
COMMENT ON COLUMN imgpress.copies_due.reached IS 'Copies up to this position have ended';

CREATE FUNCTION imgpress.delete_children() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM imgpress.outputs c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.images c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.copies_due c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.products c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.webhook_deliveries c USING gone WHERE c.request_id = gone.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION imgpress.delete_children() IS 'Internal: takes products, images, outputs and deliveries along with a deleted request';

CREATE TRIGGER delete_children AFTER DELETE ON imgpress.processing_requests
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION imgpress.delete_children();
