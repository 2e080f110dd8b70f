-- Requests, products and images. Their outputs: 25_blobs.sql.
--
-- There are no foreign keys: only imgpress's own functions write these tables, and for a request of a million
-- images the check of each row would cost more than the row. A trigger on processing_requests deletes the
-- dependent rows of a deleted request instead.

CREATE TABLE imgpress.processing_requests (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    submitted_by    name NOT NULL,
    status          text NOT NULL DEFAULT 'Pending',
    run             integer NOT NULL DEFAULT 1,
    options         jsonb NOT NULL,
    quality         smallint GENERATED ALWAYS AS ((options ->> 'quality')::smallint) STORED,
    effort          text GENERATED ALWAYS AS (options ->> 'effort') STORED,
    webhook_url     text,
    reason          text,
    product_count   integer NOT NULL DEFAULT 0,
    image_count     integer NOT NULL DEFAULT 0,
    last_image_no   integer NOT NULL DEFAULT 0,
    claimed_up_to   integer NOT NULL DEFAULT 0,
    succeeded_count integer NOT NULL DEFAULT 0,
    failed_count    integer NOT NULL DEFAULT 0,
    source_bytes    bigint NOT NULL DEFAULT 0,
    output_bytes    bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    claimed_at      timestamptz,
    started_at      timestamptz,
    ended_at        timestamptz,
    priority        smallint NOT NULL DEFAULT 0,
    standing        boolean NOT NULL DEFAULT false,
    key_type        text,
    worked          interval NOT NULL DEFAULT '0',
    worked_until    timestamptz,
    input_header    text[],
    CONSTRAINT status_is_known CHECK (status IN ('Pending', 'Processing', 'Completed', 'Failed')),
    CONSTRAINT priority_in_range CHECK (priority BETWEEN -100 AND 100),
    CONSTRAINT standing_never_ends CHECK (NOT standing OR ended_at IS NULL),
    CONSTRAINT webhook_url_is_short CHECK (octet_length(webhook_url) <= 2048),
    CONSTRAINT failed_says_why CHECK (
        CASE status WHEN 'Failed' THEN reason IS NOT NULL WHEN 'Completed' THEN true ELSE reason IS NULL END),
    CONSTRAINT ended_has_time CHECK ((ended_at IS NOT NULL) = (status IN ('Completed', 'Failed'))),
    CONSTRAINT pending_has_not_started CHECK (status <> 'Pending' OR started_at IS NULL),
    CONSTRAINT completed_has_no_image_left CHECK (status <> 'Completed' OR succeeded_count + failed_count = image_count)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

COMMENT ON TABLE imgpress.processing_requests IS
    'One row for each submitted request; it becomes Completed in the transaction that stores its last output';
COMMENT ON COLUMN imgpress.processing_requests.submitted_by IS
    'The role that submitted it: only its members see the request, and those of imgpress_admin. public: everybody does '
    '(requests from before version 0.2.0)';
COMMENT ON COLUMN imgpress.processing_requests.status IS
    'Pending (not started), Processing, Completed (every image has ended, with an output or an error) or Failed (the '
    'request as a whole could not be carried out, see reason)';
COMMENT ON COLUMN imgpress.processing_requests.run IS
    '1 at first; incremented each time that an ended request is reopened to retry or replace images';
COMMENT ON COLUMN imgpress.processing_requests.options IS
    'How its images are compressed: quality, effort and so on. Each option as the submitter gave it, or else as the '
    'setting imgpress.<option> was in the submitting session';
COMMENT ON COLUMN imgpress.processing_requests.quality IS 'From options: JPEG quality of the outputs (IJG scale)';
COMMENT ON COLUMN imgpress.processing_requests.effort IS 'From options: how much CPU time a smaller file may cost';
COMMENT ON COLUMN imgpress.processing_requests.webhook_url IS 'URL that gets a signed POST each time the request ends';
COMMENT ON COLUMN imgpress.processing_requests.reason IS
    'Why a Failed request failed, or what failed in a Completed one: "3 of 10 images failed: timeout 2, http_status 1"; '
    'NULL: nothing has failed, or it has not ended';
COMMENT ON COLUMN imgpress.processing_requests.image_count IS 'Number of images, that is of different URLs';
COMMENT ON COLUMN imgpress.processing_requests.last_image_no IS
    'The largest image_no of its images, or claimed_up_to if those up to there were merged with others';
COMMENT ON COLUMN imgpress.processing_requests.claimed_up_to IS
    'All images up to this image_no have been claimed by a worker at least once';
COMMENT ON COLUMN imgpress.processing_requests.succeeded_count IS 'Number of images that have an output';
COMMENT ON COLUMN imgpress.processing_requests.failed_count IS
    'Number of images that failed for good, see imgpress.failures';
COMMENT ON COLUMN imgpress.processing_requests.source_bytes IS 'Bytes downloaded for the images that have an output';
COMMENT ON COLUMN imgpress.processing_requests.output_bytes IS 'Total size of the outputs in bytes';
COMMENT ON COLUMN imgpress.processing_requests.claimed_at IS
    'When a worker last claimed images of this request, or found its next image locked; the request that has waited '
    'longest comes next';
COMMENT ON COLUMN imgpress.processing_requests.priority IS
    'From -100 to 100; requests of a higher priority get more turns, but never all of them';
COMMENT ON COLUMN imgpress.processing_requests.standing IS
    'Belongs to an attached table: it never ends, and is deleted only when the table is detached';
COMMENT ON COLUMN imgpress.processing_requests.worked IS
    'For how long images of this request were in flight, up to the last one that ended';
COMMENT ON COLUMN imgpress.processing_requests.input_header IS
    'The headings of the CSV, as they are written; NULL: they are the usual ones, or the input was no CSV';
COMMENT ON COLUMN imgpress.processing_requests.worked_until IS
    'The time up to which worked counts: when its last image ended, or when one was claimed while none was in flight';
COMMENT ON COLUMN imgpress.processing_requests.key_type IS
    'Data type of products.key; NULL: the products have serial numbers only';

-- Requests with images that were never claimed, in the order of their turns.
CREATE INDEX processing_requests_turn ON imgpress.processing_requests (priority, claimed_at NULLS FIRST, created_at)
    WHERE claimed_up_to < last_image_no AND status IN ('Pending', 'Processing');
CREATE INDEX processing_requests_created ON imgpress.processing_requests (created_at);
CREATE INDEX processing_requests_ended ON imgpress.processing_requests (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE imgpress.products (
    request_id    uuid NOT NULL,
    product_no    integer NOT NULL,
    serial_number bigint NOT NULL,
    product_name  text NOT NULL,
    image_nos     integer[] NOT NULL,
    key           text,
    input_fields  text[],
    PRIMARY KEY (request_id, product_no)
);

COMMENT ON TABLE imgpress.products IS
    'The products of a request, in input order; names and serial numbers need not be unique';
COMMENT ON COLUMN imgpress.products.product_no IS 'Position in the input: 1, 2, 3, ...';
COMMENT ON COLUMN imgpress.products.serial_number IS 'As given in the input; where that has keys: 1, 2, 3, ...';
COMMENT ON COLUMN imgpress.products.key IS
    'The submitter''s own key as text, of the type processing_requests.key_type; NULL: the input had serial numbers';
COMMENT ON COLUMN imgpress.products.input_fields IS
    'Its row of the CSV, one element for each of processing_requests.input_header; NULL: the other columns say all of it';
COMMENT ON COLUMN imgpress.products.image_nos IS
    'The image_no of each of its images, in input order; a URL that the input repeats is repeated here';

-- Pages are half filled, and no index covers a column that changes on the way to success: so both
-- updates of an image (claim, finish) stay on its page and touch no index.
CREATE TABLE imgpress.images (
    request_id       uuid NOT NULL,
    image_no         integer NOT NULL,
    first_product_no integer NOT NULL,
    attempts         smallint NOT NULL DEFAULT 0,
    failed_attempts  smallint NOT NULL DEFAULT 0,
    codec_crashes    smallint NOT NULL DEFAULT 0,
    interruptions    smallint NOT NULL DEFAULT 0,
    lease_token      bigint,
    retry_at         timestamptz,
    ended_at         timestamptz,
    transient        boolean NOT NULL DEFAULT false,
    alone            boolean GENERATED ALWAYS AS (interruptions >= 3) STORED,
    status           text NOT NULL DEFAULT 'Pending',
    url              text NOT NULL,
    output_format    text,
    error_code       text,
    error            text,
    http_status      integer,
    PRIMARY KEY (request_id, image_no),
    CONSTRAINT status_is_known CHECK (status IN ('Pending', 'Processing', 'Completed', 'Failed')),
    CONSTRAINT processing_has_lease CHECK ((lease_token IS NOT NULL) = (status = 'Processing')),
    CONSTRAINT only_pending_is_retried CHECK (retry_at IS NULL OR status = 'Pending'),
    CONSTRAINT ended_has_time CHECK ((ended_at IS NOT NULL) = (status IN ('Completed', 'Failed'))),
    CONSTRAINT completed_has_format CHECK ((output_format IS NOT NULL) = (status = 'Completed')),
    CONSTRAINT failed_has_error CHECK (status <> 'Failed' OR error_code IS NOT NULL)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

COMMENT ON TABLE imgpress.images IS 'One row for each different image URL of a request';
COMMENT ON COLUMN imgpress.images.image_no IS
    'Place of the URL''s first occurrence among all URLs of the request, from 1. A URL that occurs again leaves a gap '
    'in the numbers. imgpress.replace_url() gives new numbers after these';
COMMENT ON COLUMN imgpress.images.url IS
    'As in the input. Empty: an element of a text[] that was empty or NULL; such an image fails as bad_url';
COMMENT ON COLUMN imgpress.images.first_product_no IS 'The first product that names the image';
COMMENT ON COLUMN imgpress.images.attempts IS
    'Attempts that were begun; counted before the work. One that is given back in order, because the server stops or '
    'nothing can be processed, does not count';
COMMENT ON COLUMN imgpress.images.failed_attempts IS
    'Attempts that failed with a transient error; imgpress.max_attempts limits them';
COMMENT ON COLUMN imgpress.images.codec_crashes IS
    'Attempts that crashed the codec process; after the third the image is given up';
COMMENT ON COLUMN imgpress.images.interruptions IS
    'How often in a row the worker that held the image, or the process that downloaded it, was killed or crashed';
COMMENT ON COLUMN imgpress.images.alone IS
    'After three interruptions: a worker claims the image only while it works on nothing else, and the image is given '
    'up when that is interrupted as well';
COMMENT ON COLUMN imgpress.images.lease_token IS
    'The lease under which a worker holds the image: only the holder of this token may record the result';
COMMENT ON COLUMN imgpress.images.retry_at IS 'When a retry is due; NULL unless the image waits for one';
COMMENT ON COLUMN imgpress.images.transient IS
    'The last error was transient: another attempt may succeed without any change';
COMMENT ON COLUMN imgpress.images.output_format IS
    'Format of the output: jpeg, or that of the source where its own bytes were kept';
COMMENT ON COLUMN imgpress.images.error_code IS
    'Short name of the last error, for example timeout; imgpress.error_codes() lists them all';
COMMENT ON COLUMN imgpress.images.error IS 'The last error in words';
COMMENT ON COLUMN imgpress.images.http_status IS
    'HTTP status of the server''s answer in the last attempt; NULL: the server has not answered';

CREATE INDEX images_retry ON imgpress.images (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX images_retry_request ON imgpress.images (request_id, retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX images_alone ON imgpress.images (retry_at) WHERE retry_at IS NOT NULL AND alone;
CREATE INDEX images_errors ON imgpress.images (request_id, image_no) WHERE error_code IS NOT NULL;
-- For imgpress.latest. A hash, because a URL may be longer than an entry of another index.
CREATE INDEX images_url ON imgpress.images USING hash (url);
