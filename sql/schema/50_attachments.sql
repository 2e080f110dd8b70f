-- Attached tables. An attachment is a standing request: its id is in the output URLs that it writes. attachment_* is
-- about an attachment as a whole, attached_* about rows of its table.

CREATE TABLE imgpress_internal.attachments (
    id              uuid PRIMARY KEY,
    relation        regclass NOT NULL,
    table_name      text NOT NULL,
    key_columns     name[] NOT NULL,
    url_column      name NOT NULL,
    output_column   name NOT NULL,
    error_column    name,
    overwrite       boolean NOT NULL,
    stale           text NOT NULL,
    replicated      boolean NOT NULL,
    paused_at       timestamptz,
    paused_reason   text,
    detached_at     timestamptz,
    attached_by     name NOT NULL,
    attached_at     timestamptz NOT NULL DEFAULT now(),
    scan            text,
    scan_after      text[],
    scan_rows       bigint NOT NULL DEFAULT 0,
    scan_started_at timestamptz,
    CONSTRAINT stale_is_known CHECK (stale IN ('keep', 'null')),
    CONSTRAINT scan_is_known CHECK (scan IN ('backfill', 'refresh', 'repair', 'clear')),
    CONSTRAINT paused_says_why CHECK ((paused_at IS NULL) = (paused_reason IS NULL)),
    CONSTRAINT scan_has_place CHECK (scan IS NOT NULL OR scan_after IS NULL)
);
COMMENT ON TABLE imgpress_internal.attachments IS
    'One row for each attached table and output column; id is that of its standing request. The view '
    'imgpress.attachments shows them';
COMMENT ON COLUMN imgpress_internal.attachments.relation IS
    'The table; the columns are those named here where attachment_anchors does not know better';
COMMENT ON COLUMN imgpress_internal.attachments.table_name IS 'What it was called, for when it is gone';
COMMENT ON COLUMN imgpress_internal.attachments.overwrite IS
    'Whether an output that others have written is replaced; otherwise it is left alone';
COMMENT ON COLUMN imgpress_internal.attachments.stale IS
    'What becomes of the output when the URL changes, until the new one is there: keep it, or null';
COMMENT ON COLUMN imgpress_internal.attachments.replicated IS
    'Whether its triggers also fire for rows that logical replication brings';
COMMENT ON COLUMN imgpress_internal.attachments.detached_at IS
    'When imgpress.detach() was called. Its outputs are kept until it is called with clear_outputs, and an attach() to '
    'the same column goes on with them';
COMMENT ON COLUMN imgpress_internal.attachments.scan IS
    'The scan of the whole table that runs or is due: backfill and repair read every row and find those that are gone, '
    'refresh also asks for the pictures again, clear removes the outputs and then the attachment';
COMMENT ON COLUMN imgpress_internal.attachments.scan_after IS
    'Key of the last row that the scan has read, one element for each key column; NULL: it has read none yet';

CREATE TABLE imgpress_internal.attachment_anchors (
    attachment_id   uuid PRIMARY KEY,
    relation        oid NOT NULL,
    key_attnums     int2[] NOT NULL,
    url_attnum      int2 NOT NULL,
    output_attnum   int2 NOT NULL,
    error_attnum    int2,
    partition_files oid[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE imgpress_internal.attachment_anchors IS
    'The columns of an attachment by number, so that a column that is renamed is followed. Not dumped: a restored '
    'database finds them by their names';
COMMENT ON COLUMN imgpress_internal.attachment_anchors.partition_files IS
    'The files of the partitions when they were last looked at: a new one makes a scan due, since no trigger has fired '
    'for the rows of a partition that was attached or truncated';

-- Append-only for writers, without an index or a counter that they would wait for each other at.
CREATE TABLE imgpress_internal.attached_keys (
    attachment_id uuid NOT NULL,
    queued_at     timestamptz NOT NULL,
    keys          text[]
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
-- Compressing would cost the writers more than it saves of rows that live for a moment.
ALTER TABLE imgpress_internal.attached_keys ALTER COLUMN keys SET STORAGE EXTERNAL;
COMMENT ON TABLE imgpress_internal.attached_keys IS
    'Rows of attached tables that have changed, by key: one row for each transaction that changed some, or for 10,000 '
    'keys. A key of several columns is the text of a text[] of them. keys is NULL: all rows are to be looked at, since '
    'the table was truncated, or too many keys waited';
