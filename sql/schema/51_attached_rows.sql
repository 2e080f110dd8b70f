-- Attached tables, second part: what becomes of their rows.

CREATE TABLE imgpress_internal.attached_rows (
    attachment_id uuid NOT NULL,
    key           text NOT NULL,
    product_no    integer NOT NULL,
    url_digest    bytea,
    wanted        integer[] NOT NULL DEFAULT '{}',
    shown         integer[] NOT NULL DEFAULT '{}',
    shown_digest  bytea,
    written       bytea,
    state         text NOT NULL,
    reason        text,
    since         timestamptz NOT NULL DEFAULT now(),
    changes       smallint NOT NULL DEFAULT 0,
    changes_since timestamptz,
    PRIMARY KEY (attachment_id, key),
    CONSTRAINT state_is_known CHECK (state IN ('waiting', 'done', 'failed', 'kept', 'paused'))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE imgpress_internal.attached_rows IS
    'What each row of an attached table has, wants, and was given';
COMMENT ON COLUMN imgpress_internal.attached_rows.key IS 'As in attached_keys';
COMMENT ON COLUMN imgpress_internal.attached_rows.url_digest IS
    'SHA-256 of the URL column, as text, when the row was last read; NULL: it was NULL';
COMMENT ON COLUMN imgpress_internal.attached_rows.wanted IS
    'The image_no of each of its images, in order; a URL that the row repeats is repeated here';
COMMENT ON COLUMN imgpress_internal.attached_rows.shown IS
    'The image_nos that the output column shows: those that were wanted when it was last written';
COMMENT ON COLUMN imgpress_internal.attached_rows.shown_digest IS 'url_digest when the output was last written';
COMMENT ON COLUMN imgpress_internal.attached_rows.written IS
    'SHA-256 of what was last written into the output column; an output that differs comes from others';
COMMENT ON COLUMN imgpress_internal.attached_rows.state IS
    'waiting (for its images, or to be written), done, failed (some image has failed, see the error column), kept '
    '(the output comes from others and is left alone) or paused (its URL changes too often)';
COMMENT ON COLUMN imgpress_internal.attached_rows.since IS 'When the state became what it is';
COMMENT ON COLUMN imgpress_internal.attached_rows.changes IS
    'How often its URL has changed since changes_since, at most an hour ago';

CREATE TABLE imgpress_internal.attached_ends (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    attachment_id uuid NOT NULL,
    product_no    integer NOT NULL,
    due_at        timestamptz NOT NULL DEFAULT now(),
    tries         smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (attachment_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE imgpress_internal.attached_ends IS
    'Rows of attached tables that may have to be written, because one of their images has ended, or their URL was '
    'removed. due_at: after an attempt that met a lock, or a trigger that refused';

CREATE TABLE imgpress_internal.attachment_progress (
    attachment_id   uuid PRIMARY KEY,
    last_product_no integer NOT NULL DEFAULT 0,
    last_image_no   integer NOT NULL DEFAULT 0,
    worked_at       timestamptz,
    batch           integer NOT NULL DEFAULT 1000,
    failures        smallint NOT NULL DEFAULT 0,
    retry_at        timestamptz,
    trouble         text,
    scan_gone_after text,
    scan_again      boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE imgpress_internal.attachment_progress IS
    'How far the work on each attached table has come, and what is in its way';
COMMENT ON COLUMN imgpress_internal.attachment_progress.last_image_no IS
    'The largest image_no ever given: a number that was in an output URL is not used again';
COMMENT ON COLUMN imgpress_internal.attachment_progress.batch IS
    'How many rows are written at once: fewer after an error, so that one row does not hold up the others';
COMMENT ON COLUMN imgpress_internal.attachment_progress.trouble IS
    'Why reading or writing the table fails at present; it is tried again at retry_at';
COMMENT ON COLUMN imgpress_internal.attachment_progress.scan_gone_after IS
    'Second half of a scan, which looks for rows that are gone: the last key that it has looked at. NULL: first half';
COMMENT ON COLUMN imgpress_internal.attachment_progress.scan_again IS
    'Whether rows that the scan has passed may have changed since, so that another one follows it';

CREATE TYPE imgpress_internal.attached_job AS (
    kind            text,
    attachment_id   uuid,
    relation        oid,
    owner           name,
    search_path     text,
    key_columns     name[],
    url_column      name,
    output_column   name,
    error_column    name,
    url_shape       text,
    output_shape    text,
    overwrite       boolean,
    any_url         boolean,
    keys            text[],
    digests         bytea[],
    "values"        text[],
    bytes           bytea[],
    errors          text[],
    written         bytea[],
    finals          text[],
    ends            bigint[],
    queue_places    text[],
    queue_xmins     text[],
    scan            text,
    scan_after      text[],
    scan_limit      integer,
    scan_started_at timestamptz
);
COMMENT ON TYPE imgpress_internal.attached_job IS
    'What is to be done next for an attached table, as its owner. kind: read (the rows with these keys), scan (the rows '
    'after a key), write (values into the rows with these keys, where the URL still has this digest)';

CREATE TYPE imgpress_internal.changed_row AS (
    kind        text,
    key         text,
    url         text,
    digest      bytea,
    product_no  integer,
    url_changed boolean,
    obsolete    integer[],
    wanted      integer[]
);
COMMENT ON TYPE imgpress_internal.changed_row IS
    'A row of an attached table for which something is to be done after it was read. kind: gone, new, changed (also '
    'where its images are only asked for again) or restless (its URL changes too often). obsolete: the images that '
    'nothing shows or wants any more; wanted: those that it wants now';
