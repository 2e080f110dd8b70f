-- Internal tables and types, and product_input, which is the argument of submit().

CREATE TABLE imgpress_internal.leases (
    token        bigint PRIMARY KEY,
    drainer      integer NOT NULL,
    request_ids  uuid[] NOT NULL DEFAULT '{}',
    image_nos    integer[] NOT NULL DEFAULT '{}',
    delivery_ids bigint[] NOT NULL DEFAULT '{}',
    expires_at   timestamptz NOT NULL,
    given_back   boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE imgpress_internal.leases IS
    'What drainers have claimed and not finished yet: one row for each claim of images or of webhook deliveries. After '
    'expires_at any drainer may put it back';
COMMENT ON COLUMN imgpress_internal.leases.drainer IS
    'Number of the drainer that holds the lease; 0 is the background worker';
COMMENT ON COLUMN imgpress_internal.leases.given_back IS
    'Its holder has given it back in order. What is still held under it was locked by another session, and is put back '
    'without being counted as interrupted';

CREATE TABLE imgpress_internal.image_aliases (
    request_id uuid NOT NULL,
    alias      integer NOT NULL,
    image_no   integer NOT NULL,
    PRIMARY KEY (request_id, alias)
);
COMMENT ON TABLE imgpress_internal.image_aliases IS
    'Version 0.1.0 gave each repetition of a URL an output URL of its own; maps the image numbers in those output URLs '
    'to the image that they show';

CREATE TABLE imgpress_internal.queue_pause (
    only_row  boolean PRIMARY KEY DEFAULT true,
    paused_at timestamptz NOT NULL DEFAULT now(),
    paused_by name NOT NULL,
    reason    text,
    CONSTRAINT one_row CHECK (only_row)
);
COMMENT ON TABLE imgpress_internal.queue_pause IS
    'Has a row while the queue is paused: no images are claimed. It is dumped, so a restored queue is paused, too';

CREATE UNLOGGED TABLE imgpress_internal.upload_parts (
    upload_id uuid NOT NULL,
    part_no   integer NOT NULL,
    bytes     bytea NOT NULL,
    PRIMARY KEY (upload_id, part_no)
);
ALTER TABLE imgpress_internal.upload_parts ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE imgpress_internal.upload_parts IS
    'The bytes of a CSV that is being uploaded: the gateway COPYs them here in parts, then calls submit_upload() in '
    'the same transaction';

CREATE TYPE imgpress.product_input AS (
    serial_number    bigint,
    product_name     text,
    input_image_urls text
);
COMMENT ON TYPE imgpress.product_input IS
    'One product for imgpress.submit(). input_image_urls: a list of URLs as in a CSV (a comma separates two URLs only '
    'where the next one starts with http:// or https://), or a text[]: its elements are not split, and one that is '
    'empty or NULL keeps its place, as an image that fails';

CREATE TYPE imgpress_internal.outcome AS (
    token           bigint,
    request_id      uuid,
    image_no        integer,
    status          text,
    retry_delay_ms  bigint,
    failed_attempts smallint,
    codec_crashes   smallint,
    interruptions   smallint,
    transient       boolean,
    uncounted       boolean,
    error_code      text,
    error           text,
    http_status     integer,
    source_bytes    integer,
    output_format   text,
    content_type    text,
    etag            text,
    width           integer,
    height          integer,
    kept_source     boolean,
    warning         text,
    source_key      bytea,
    source_digest   bytea,
    source_etag     text,
    last_modified   text,
    blob_id         bigint,
    output_bytes    integer
);
COMMENT ON TYPE imgpress_internal.outcome IS
    'The result of an attempt on an image: its new status with the output (without the bytes) or the error. blob_id: '
    'the image has not changed, and its output is that blob; what describes the output is NULL then';
