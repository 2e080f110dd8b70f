-- From 0.1.0: images has one row for each different URL, and internal objects get a schema of their own.
\echo Use "ALTER EXTENSION imgpress UPDATE" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TEMPORARY TABLE imgpress_members AS
    SELECT d.classid, d.objid FROM pg_extension e
        JOIN pg_depend d ON d.refclassid = e.tableoid AND d.refobjid = e.oid AND d.deptype = 'e'
        WHERE e.extname = 'imgpress';

-- The objects that this update drops or alters. If a user's objects depend on them, the update stops and
-- names those, rather than dropping them.
CREATE TEMPORARY TABLE imgpress_changes AS
    WITH gone AS (
        SELECT c.oid, c.reltype FROM pg_class c WHERE c.oid IN (
            'imgpress.progress'::regclass, 'imgpress.failures'::regclass, 'imgpress.results'::regclass,
            'imgpress.workers'::regclass, 'imgpress.csv_upload'::regclass, 'imgpress.csv_upload_rows'::regclass,
            'imgpress.copies_due'::regclass, 'imgpress.outputs'::regclass)
    )
    SELECT 'pg_class'::regclass AS classid, g.oid AS objid, 0 AS objsubid FROM gone g
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 0 FROM gone g JOIN pg_type t ON t.oid = g.reltype OR t.typelem = g.reltype
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum FROM pg_attribute a
        WHERE (a.attrelid, a.attname) IN (
            ('imgpress.processing_requests'::regclass, 'copy_count'),
            ('imgpress.processing_requests'::regclass, 'announced'),
            ('imgpress.processing_requests'::regclass, 'quality'),
            ('imgpress.processing_requests'::regclass, 'effort'),
            ('imgpress.images'::regclass, 'copy_of'),
            ('imgpress.products'::regclass, 'serial_number'))
    UNION ALL
    -- Functions that keep their name, arguments and result are replaced; all others are dropped.
    SELECT m.classid, m.objid, 0 FROM imgpress_members m JOIN pg_proc p ON p.oid = m.objid AND p.tableoid = m.classid
        WHERE p.proname NOT IN (
            'compress_image', 'compress_image_url', 'csv_faults', 'csv_text',
            'request_status', 'wait', 'cancel', 'retry_recent',
            'schedule_maintenance', 'webhook_secret');

-- Row types that change. A user's column of such a type would block the update; functions do not.
CREATE TEMPORARY TABLE imgpress_changed_types AS
    SELECT t.oid FROM pg_class c JOIN pg_type t ON t.oid = c.reltype OR t.typelem = c.reltype
        WHERE c.oid IN (
            'imgpress.product_input'::regclass, 'imgpress.processing_requests'::regclass, 'imgpress.products'::regclass,
            'imgpress.images'::regclass, 'imgpress.outputs'::regclass, 'imgpress.leases'::regclass,
            'imgpress.webhook_deliveries'::regclass);

DO $guard$
DECLARE
    dependents text;
BEGIN
    WITH dependent AS (
        SELECT d.classid, d.objid, d.objsubid FROM imgpress_changes c
            JOIN pg_depend d ON d.refclassid = c.classid AND d.refobjid = c.objid AND d.deptype IN ('n', 'a')
                AND (c.objsubid = 0 OR d.refobjsubid = c.objsubid)
            -- An index on serial numbers does not block their change to bigint: PostgreSQL rebuilds it.
            WHERE NOT (d.deptype = 'a' AND c.objid = 'imgpress.products'::regclass)
            -- Nor does NOT NULL, which is a constraint since PostgreSQL 18: it is a property of its column.
            AND NOT (d.classid = 'pg_constraint'::regclass
                     AND d.objid IN (SELECT o.oid FROM pg_constraint o WHERE o.contype = 'n'))
        UNION
        SELECT d.classid, d.objid, d.objsubid FROM imgpress_changed_types t
            JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.oid AND d.deptype = 'n'
            WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
        UNION
        SELECT 'pg_class'::regclass, h.inhrelid, 0 FROM pg_inherits h
            JOIN imgpress_members m ON m.classid = 'pg_class'::regclass AND m.objid = h.inhparent
        UNION
        -- The rows of repeated URLs are deleted below, so no foreign key of a user may refer to them.
        SELECT 'pg_constraint'::regclass, o.oid, 0 FROM pg_constraint o
            WHERE o.contype = 'f' AND o.confrelid IN ('imgpress.images'::regclass, 'imgpress.outputs'::regclass)
    ), named AS (
        SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS classid,
               coalesce(w.ev_class, d.objid) AS objid,
               CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END AS objsubid
        FROM dependent d LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
            AND w.rulename = '_RETURN'
    ), described AS (
        SELECT DISTINCT pg_describe_object(n.classid, n.objid, n.objsubid) AS object FROM named n
            WHERE NOT EXISTS (SELECT FROM imgpress_members m WHERE m.classid = n.classid AND m.objid = n.objid)
    )
    SELECT string_agg(d.object, ', ' ORDER BY d.object) INTO dependents FROM described d
        WHERE d.object NOT IN (  -- imgpress's own, although they are not members of the extension
            'trigger collect on view imgpress.csv_upload', 'trigger submit on view imgpress.csv_upload',
            'trigger wake_drainer on table imgpress.processing_requests',
            'trigger delete_children on table imgpress.processing_requests',
            'index imgpress.images_copies', 'constraint copies_due_pkey on table imgpress.copies_due',
            'default value for column backend_pid of table imgpress.csv_upload_rows',
            'default value for column copy_count of table imgpress.processing_requests',
            'default value for column quality of table imgpress.processing_requests',
            'default value for column effort of table imgpress.processing_requests',
            'constraint processing_requests_quality_check on table imgpress.processing_requests',
            'constraint processing_requests_effort_check on table imgpress.processing_requests',
            'default value for column reached of table imgpress.copies_due',
            'constraint outputs_pkey on table imgpress.outputs',
            'default value for column created_at of table imgpress.outputs');
    IF dependents IS NOT NULL THEN
        RAISE EXCEPTION 'objects depend on what imgpress 0.2.0 changes: %', dependents
            USING ERRCODE = 'dependent_objects_still_exist',
                  HINT = 'Keep their definitions (pg_get_viewdef() shows a view''s), drop them, update, and create '
                      'them again: docs/operation.md tells the new names.';
    END IF;
END
$guard$;

-- Until the end of the update, triggers of users do not fire for the changes that it makes, unless they are
-- ENABLE ALWAYS.
CREATE TEMPORARY TABLE imgpress_kept_setting AS SELECT current_setting('session_replication_role') AS role;
SET LOCAL session_replication_role = replica;

-- Privileges that an administrator has granted. 0.1.0--0.2.0.after.sql grants them again.
CREATE TEMPORARY TABLE imgpress_kept_grants AS
    WITH object AS (
        SELECT 'SCHEMA' AS kind, n.nspname::text AS name, NULL::text AS arguments, NULL::text AS column_name,
               n.nspacl AS acl, n.nspowner AS owner, n.tableoid AS classid, n.oid AS objid, 0 AS objsubid
            FROM pg_namespace n WHERE n.nspname = 'imgpress'
        UNION ALL
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.relname, NULL, NULL, c.relacl, c.relowner,
               m.classid, m.objid, 0
            FROM imgpress_members m JOIN pg_class c ON c.tableoid = m.classid AND c.oid = m.objid
        UNION ALL
        SELECT 'TABLE', c.relname, NULL, a.attname, a.attacl, c.relowner, m.classid, m.objid, a.attnum
            FROM imgpress_members m JOIN pg_class c ON c.tableoid = m.classid AND c.oid = m.objid
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
        UNION ALL
        SELECT 'FUNCTION', p.proname, oidvectortypes(p.proargtypes), NULL, p.proacl, p.proowner, m.classid, m.objid, 0
            FROM imgpress_members m JOIN pg_proc p ON p.tableoid = m.classid AND p.oid = m.objid
    )
    SELECT o.kind, o.name, o.arguments, o.column_name, a.privilege_type AS privilege, a.grantee,
           bool_or(a.is_grantable) AS is_grantable
    FROM object o CROSS JOIN aclexplode(o.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE a.grantee <> o.owner AND CASE
        WHEN r.rolname IN ('imgpress_worker', 'imgpress_owner') THEN false
        WHEN r.rolname IN ('imgpress_user', 'imgpress_gateway', 'imgpress_admin') THEN NOT EXISTS (  -- except by 0.1.0
            SELECT FROM pg_init_privs i, aclexplode(i.initprivs) x
            WHERE i.classoid = o.classid AND i.objoid = o.objid AND i.objsubid = o.objsubid
              AND x.grantee = a.grantee AND x.privilege_type = a.privilege_type)
        ELSE true END
    GROUP BY 1, 2, 3, 4, 5, 6;

DROP VIEW imgpress.progress, imgpress.failures, imgpress.results, imgpress.workers, imgpress.csv_upload;
DROP TRIGGER wake_drainer ON imgpress.processing_requests;
DROP TRIGGER delete_children ON imgpress.processing_requests;
DO $functions$
DECLARE
    gone regprocedure;
BEGIN
    FOR gone IN SELECT c.objid::regprocedure FROM imgpress_changes c WHERE c.classid = 'pg_proc'::regclass LOOP
        EXECUTE format('DROP FUNCTION %s', gone);
    END LOOP;
END
$functions$;

-- These roles have fewer rights in 0.2.0; they are granted below.
REVOKE ALL ON imgpress.processing_requests, imgpress.images, imgpress.outputs, imgpress.leases,
    imgpress.webhook_deliveries
    FROM imgpress_worker;
REVOKE ALL ON FUNCTION imgpress.request_status(uuid) FROM imgpress_gateway;
REVOKE SELECT ON imgpress.processing_requests, imgpress.products, imgpress.images, imgpress.outputs,
    imgpress.webhook_deliveries
    FROM imgpress_user;
REVOKE ALL ON FUNCTION imgpress.request_status(uuid), imgpress.wait(uuid, interval) FROM imgpress_user;

CREATE SCHEMA imgpress_internal;

-- What a worker holds goes back into the queue, because the update deletes all leases.
UPDATE imgpress.images SET status = 'Pending', lease_token = NULL, retry_at = clock_timestamp()
    WHERE status = 'Processing';
-- In 0.1.0 next_attempt_at held the end of the lease during an attempt, and kept its value afterwards.
UPDATE imgpress.webhook_deliveries d
    SET lease_token = NULL, next_attempt_at = CASE
        WHEN d.status <> 'Pending' THEN NULL
        WHEN d.lease_token IS NULL THEN coalesce(d.next_attempt_at, clock_timestamp())
        ELSE clock_timestamp() END;
DELETE FROM imgpress.leases;

-- products.image_nos is new.
ALTER TABLE imgpress.products ALTER COLUMN serial_number TYPE bigint, ADD COLUMN image_nos integer[];
UPDATE imgpress.products p SET image_nos = n.image_nos
    FROM (SELECT i.request_id, i.product_no, array_agg(coalesce(i.copy_of, i.position) ORDER BY i.position) AS image_nos
          FROM imgpress.images i GROUP BY 1, 2) n
    WHERE n.request_id = p.request_id AND n.product_no = p.product_no;
UPDATE imgpress.products SET image_nos = '{}' WHERE image_nos IS NULL;
ALTER TABLE imgpress.products ALTER COLUMN image_nos SET NOT NULL, ADD COLUMN key text,
    ADD COLUMN input_fields text[];

-- Output URLs that 0.1.0 has given to repeated URLs ("copies") go on showing the same picture.
CREATE TABLE imgpress_internal.image_aliases (
    request_id uuid NOT NULL,
    alias      integer NOT NULL,
    image_no   integer NOT NULL,
    PRIMARY KEY (request_id, alias)
);
INSERT INTO imgpress_internal.image_aliases (request_id, alias, image_no)
    SELECT i.request_id, i.position, i.copy_of FROM imgpress.images i WHERE i.copy_of IS NOT NULL
        AND i.status = 'Completed';

-- If only copies have an output, because the original was cancelled, retried or deleted, the output of the
-- first copy becomes the original's.
CREATE TEMPORARY TABLE imgpress_moved_outputs AS
    SELECT DISTINCT ON (c.request_id, c.copy_of) c.request_id, c.copy_of AS image_no, c.position, c.ended_at
    FROM imgpress.images c JOIN imgpress.images o ON o.request_id = c.request_id AND o.position = c.copy_of
        JOIN imgpress.outputs u ON u.request_id = c.request_id AND u.position = c.position
    WHERE c.copy_of IS NOT NULL AND c.status = 'Completed' AND NOT EXISTS (
        SELECT FROM imgpress.outputs x WHERE x.request_id = o.request_id AND x.position = o.position)
    ORDER BY c.request_id, c.copy_of, c.position;
UPDATE imgpress.outputs o SET position = m.image_no
    FROM imgpress_moved_outputs m WHERE o.request_id = m.request_id AND o.position = m.position;
UPDATE imgpress.images i
    SET status = 'Completed', ended_at = m.ended_at, retry_at = NULL, error_code = NULL, error = NULL, transient = false
    FROM imgpress_moved_outputs m WHERE i.request_id = m.request_id AND i.position = m.image_no;
DELETE FROM imgpress.outputs o USING imgpress.images c
    WHERE c.copy_of IS NOT NULL AND o.request_id = c.request_id AND o.position = c.position;
DELETE FROM imgpress.images WHERE copy_of IS NOT NULL;

ALTER EXTENSION imgpress DROP TABLE imgpress.copies_due;
ALTER EXTENSION imgpress DROP TABLE imgpress.csv_upload_rows;
DROP TABLE imgpress.copies_due, imgpress.csv_upload_rows;
DROP INDEX imgpress.images_copies;
ALTER TABLE imgpress.outputs RENAME COLUMN position TO image_no;

ALTER TABLE imgpress.images RENAME COLUMN position TO image_no;
ALTER TABLE imgpress.images RENAME COLUMN product_no TO first_product_no;
ALTER TABLE imgpress.images DROP COLUMN copy_of, ADD COLUMN output_format text, ADD COLUMN http_status integer,
    ADD COLUMN interruptions smallint NOT NULL DEFAULT 0,
    ADD COLUMN alone boolean GENERATED ALWAYS AS (interruptions >= 3) STORED;
CREATE INDEX images_url ON imgpress.images USING hash (url);
CREATE INDEX images_retry_request ON imgpress.images (request_id, retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX images_alone ON imgpress.images (retry_at) WHERE retry_at IS NOT NULL AND alone;
-- If a user has deleted the output, its format is unknown, and jpeg the best guess.
UPDATE imgpress.images i SET output_format = coalesce((
        SELECT substr(o.content_type, length('image/') + 1)
        FROM imgpress.outputs o WHERE o.request_id = i.request_id AND o.image_no = i.image_no), 'jpeg')
    WHERE i.status = 'Completed';
ALTER TABLE imgpress.images DROP CONSTRAINT images_status_check,
    ADD CONSTRAINT status_is_known CHECK (status IN ('Pending', 'Processing', 'Completed', 'Failed')),
    ADD CONSTRAINT processing_has_lease CHECK ((lease_token IS NOT NULL) = (status = 'Processing')),
    ADD CONSTRAINT only_pending_is_retried CHECK (retry_at IS NULL OR status = 'Pending'),
    ADD CONSTRAINT ended_has_time CHECK ((ended_at IS NOT NULL) = (status IN ('Completed', 'Failed'))),
    ADD CONSTRAINT completed_has_format CHECK ((output_format IS NOT NULL) = (status = 'Completed')),
    ADD CONSTRAINT failed_has_error CHECK (status <> 'Failed' OR error_code IS NOT NULL);

-- The counters of requests count each different URL once. A request that only waited for copies has ended.
ALTER TABLE imgpress.processing_requests RENAME COLUMN done_count TO succeeded_count;
ALTER TABLE imgpress.processing_requests RENAME COLUMN claimed_count TO claimed_up_to;
DROP INDEX imgpress.processing_requests_turn;
ALTER TABLE imgpress.processing_requests DROP COLUMN copy_count, DROP COLUMN announced,
    ADD COLUMN run integer NOT NULL DEFAULT 1, ADD COLUMN last_image_no integer NOT NULL DEFAULT 0,
    -- Whoever could see a request in 0.1.0 still can.
    ADD COLUMN submitted_by name NOT NULL DEFAULT 'public',
    ADD COLUMN priority smallint NOT NULL DEFAULT 0, ADD COLUMN standing boolean NOT NULL DEFAULT false,
    ADD COLUMN key_type text, ADD COLUMN worked interval NOT NULL DEFAULT '0', ADD COLUMN worked_until timestamptz,
    ADD COLUMN input_header text[],
    ADD CONSTRAINT priority_in_range CHECK (priority BETWEEN -100 AND 100),
    ADD CONSTRAINT standing_never_ends CHECK (NOT standing OR ended_at IS NULL);
UPDATE imgpress.processing_requests r
    SET image_count = n.images, last_image_no = n.last, succeeded_count = n.succeeded, failed_count = n.failed,
        claimed_up_to = least(r.claimed_up_to, n.last), source_bytes = n.source_size, output_bytes = n.output_size
    FROM (SELECT i.request_id, count(*) AS images, max(i.image_no) AS last,
                 count(*) FILTER (WHERE i.status = 'Completed') AS succeeded,
                     count(*) FILTER (WHERE i.status = 'Failed') AS failed,
                 coalesce(sum(o.source_bytes), 0) AS source_size, coalesce(sum(octet_length(o.bytes)), 0) AS output_size
          FROM imgpress.images i LEFT JOIN imgpress.outputs o ON o.request_id = i.request_id AND o.image_no = i.image_no
          GROUP BY i.request_id) n
    WHERE n.request_id = r.id;
-- Waits between two runs are in there, too: 0.1.0 has not recorded them.
UPDATE imgpress.processing_requests r SET worked = coalesce(r.ended_at - r.started_at, '0'), worked_until = r.ended_at;
-- Each end of a request has sent one webhook message.
UPDATE imgpress.processing_requests r
    SET run = m.messages + CASE WHEN r.ended_at IS NULL THEN 1 ELSE 0 END
    FROM (SELECT d.request_id, count(*) AS messages FROM imgpress.webhook_deliveries d GROUP BY 1) m
    WHERE m.request_id = r.id;
CREATE TEMPORARY TABLE imgpress_closed_requests AS
    SELECT r.id FROM imgpress.processing_requests r
    WHERE r.status IN ('Pending', 'Processing') AND r.image_count > 0
        AND r.succeeded_count + r.failed_count = r.image_count;
UPDATE imgpress.processing_requests r SET status = 'Completed', ended_at = clock_timestamp(),
    claimed_up_to = r.last_image_no
    FROM imgpress_closed_requests c WHERE c.id = r.id;
ALTER TABLE imgpress.processing_requests
    DROP CONSTRAINT processing_requests_status_check, DROP CONSTRAINT processing_requests_webhook_url_check,
    ADD CONSTRAINT status_is_known CHECK (status IN ('Pending', 'Processing', 'Completed', 'Failed')),
    ADD CONSTRAINT webhook_url_is_short CHECK (octet_length(webhook_url) <= 2048),
    ADD CONSTRAINT failed_says_why CHECK (
        CASE status WHEN 'Failed' THEN reason IS NOT NULL WHEN 'Completed' THEN true ELSE reason IS NULL END),
    ADD CONSTRAINT ended_has_time CHECK ((ended_at IS NOT NULL) = (status IN ('Completed', 'Failed'))),
    ADD CONSTRAINT pending_has_not_started CHECK (status <> 'Pending' OR started_at IS NULL),
    ADD CONSTRAINT completed_has_no_image_left CHECK (status <> 'Completed'
        OR succeeded_count + failed_count = image_count);
-- 0.1.0 did not store accept_truncated with a request, so requests get the current setting.
ALTER TABLE imgpress.processing_requests ADD COLUMN options jsonb;
UPDATE imgpress.processing_requests r SET options = jsonb_build_object('quality', r.quality, 'effort', r.effort,
    'accept_truncated', coalesce(nullif(current_setting('imgpress.accept_truncated', true), ''), 'off')::boolean,
    'refresh', 'changed');
ALTER TABLE imgpress.processing_requests DROP COLUMN quality, DROP COLUMN effort, ALTER COLUMN options SET NOT NULL,
    ADD COLUMN quality smallint GENERATED ALWAYS AS ((options ->> 'quality')::smallint) STORED,
    ADD COLUMN effort text GENERATED ALWAYS AS (options ->> 'effort') STORED;
CREATE INDEX processing_requests_created ON imgpress.processing_requests (created_at);
CREATE INDEX processing_requests_turn ON imgpress.processing_requests (priority, claimed_at NULLS FIRST, created_at)
    WHERE claimed_up_to < last_image_no AND status IN ('Pending', 'Processing');

ALTER TABLE imgpress.webhook_deliveries DROP CONSTRAINT webhook_deliveries_status_check,
    ALTER COLUMN message_id DROP DEFAULT,
    ADD COLUMN interruptions smallint NOT NULL DEFAULT 0, ADD COLUMN receiver text NOT NULL
        GENERATED ALWAYS AS (coalesce(lower(substring(url FROM '^[^/]*//([^/?#]*)')), '')) STORED,
    ADD CONSTRAINT status_is_known CHECK (status IN ('Pending', 'Delivered', 'Failed')),
    ADD CONSTRAINT ended_has_time CHECK ((ended_at IS NOT NULL) = (status <> 'Pending')),
    ADD CONSTRAINT pending_is_leased_or_due CHECK (
        num_nonnulls(lease_token, next_attempt_at) = CASE status WHEN 'Pending' THEN 1 ELSE 0 END),
    ADD CONSTRAINT leased_is_counted CHECK (lease_token IS NULL OR attempts > 0),
    ADD CONSTRAINT failed_has_error CHECK (status <> 'Failed' OR last_error IS NOT NULL);
CREATE INDEX webhook_deliveries_receiver ON imgpress.webhook_deliveries (receiver, next_attempt_at)
    WHERE status = 'Pending' AND next_attempt_at IS NOT NULL;
ALTER TABLE imgpress.webhook_secrets RENAME CONSTRAINT webhook_secrets_secret_check TO secret_is_well_formed;

-- Outputs share their bytes from now on. None of those that exist do, and nothing is known of their sources.
CREATE TABLE imgpress_internal.blobs (
    blob_id       bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    output_format text NOT NULL,
    content_type  text NOT NULL,
    etag          text NOT NULL,
    width         integer NOT NULL,
    height        integer NOT NULL,
    source_bytes  integer NOT NULL,
    kept_source   boolean NOT NULL,
    warning       text,
    bytes         bytea NOT NULL,
    CONSTRAINT bytes_are_there CHECK (octet_length(bytes) > 0)
);
-- Images do not compress any further: don't let TOAST try.
ALTER TABLE imgpress_internal.blobs ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE imgpress_internal.image_outputs (
    request_id uuid NOT NULL,
    image_no   integer NOT NULL,
    blob_id    bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request_id, image_no)
);
CREATE INDEX image_outputs_blob ON imgpress_internal.image_outputs (blob_id);
CREATE TABLE imgpress_internal.sources (
    key           bytea PRIMARY KEY,
    blob_id       bigint NOT NULL,
    digest        bytea NOT NULL,
    etag          text,
    last_modified text,
    stored_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT key_is_sha256 CHECK (octet_length(key) = 32),
    CONSTRAINT digest_is_sha256 CHECK (octet_length(digest) = 32)
);
CREATE INDEX sources_blob ON imgpress_internal.sources (blob_id);
CREATE TABLE imgpress_internal.unswept_blobs (
    blob_id bigint NOT NULL
);
CREATE TEMPORARY TABLE imgpress_blob_of AS
    SELECT o.request_id, o.image_no, nextval('imgpress_internal.blobs_blob_id_seq') AS blob_id FROM imgpress.outputs o;
INSERT INTO imgpress_internal.blobs (
        blob_id, output_format, content_type, etag, width, height, source_bytes, kept_source, warning, bytes)
    SELECT b.blob_id, substr(o.content_type, length('image/') + 1), o.content_type, o.etag, o.width, o.height,
           o.source_bytes, o.kept_source, o.warning, o.bytes
    FROM imgpress.outputs o JOIN imgpress_blob_of b USING (request_id, image_no);
INSERT INTO imgpress_internal.image_outputs (request_id, image_no, blob_id, created_at)
    SELECT o.request_id, o.image_no, b.blob_id, o.created_at
    FROM imgpress.outputs o JOIN imgpress_blob_of b USING (request_id, image_no);
DROP TABLE imgpress_blob_of;
ALTER EXTENSION imgpress DROP TABLE imgpress.outputs;
DROP TABLE imgpress.outputs;

-- Internal tables and types.
ALTER TABLE imgpress.leases SET SCHEMA imgpress_internal;
ALTER TABLE imgpress_internal.leases RENAME COLUMN positions TO image_nos;
ALTER TABLE imgpress_internal.leases ADD COLUMN drainer integer NOT NULL,
    ALTER COLUMN request_ids SET DEFAULT '{}', ALTER COLUMN image_nos SET DEFAULT '{}',
    ADD COLUMN delivery_ids bigint[] NOT NULL DEFAULT '{}', ADD COLUMN given_back boolean NOT NULL DEFAULT false;
ALTER TABLE imgpress.upload_parts SET SCHEMA imgpress_internal;
ALTER TYPE imgpress.product_input ALTER ATTRIBUTE serial_number TYPE bigint;

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
-- Keys of REST clients.
CREATE TABLE imgpress_internal.keys (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                text NOT NULL,
    owner               name NOT NULL,
    scopes              text[] NOT NULL,
    hash                bytea NOT NULL,
    previous_hash       bytea,
    previous_expires_at timestamptz,
    expires_at          timestamptz,
    revoked_at          timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    rotated_at          timestamptz,
    last_used_at        timestamptz,
    CONSTRAINT name_is_not_empty CHECK (name <> ''),
    CONSTRAINT scopes_are_not_empty CHECK (scopes <> '{}'),
    CONSTRAINT hash_is_sha256 CHECK (octet_length(hash) = 32 AND octet_length(previous_hash) = 32),
    CONSTRAINT previous_expires CHECK (num_nulls(previous_hash, previous_expires_at) <> 1)
);
COMMENT ON TABLE imgpress_internal.keys IS
    'One row for each key of a REST client; the view imgpress.keys shows them. hash: SHA-256 of the secret part of the '
    'key, which is stored nowhere. previous_hash: that of the key before its last rotation, until previous_expires_at';

CREATE TABLE imgpress_internal.url_secret (
    only_row boolean PRIMARY KEY DEFAULT true,
    secret   bytea NOT NULL,
    CONSTRAINT one_row CHECK (only_row)
);
COMMENT ON TABLE imgpress_internal.url_secret IS
    'The key that signs output URLs while imgpress.signed_urls is on. It is not dumped: a restored database makes one '
    'of its own, and URLs that were signed before are void there';

-- Rules for the hosts that images are downloaded from.

CREATE TABLE imgpress.hosts (
    host                text PRIMARY KEY,
    requests_per_second double precision,
    connections         integer,
    paused_until        timestamptz,
    note                text,
    host_no             integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    CONSTRAINT requests_per_second_in_range CHECK (requests_per_second BETWEEN 0.001 AND 100000),
    CONSTRAINT connections_in_range CHECK (connections BETWEEN 1 AND 1024)
);
COMMENT ON TABLE imgpress.hosts IS
    'Rules for the hosts of image URLs, edited by administrators; they take effect within a second. Where several rows '
    'are for a host, the most specific one with a value counts, and any of them can pause it';
COMMENT ON COLUMN imgpress.hosts.host IS
    'As in the URLs, in lower case: img.example.com is the host with any port, img.example.com:8443 only with this '
    'one, *.example.com every host below the domain';
COMMENT ON COLUMN imgpress.hosts.requests_per_second IS
    'Limit on the downloads from each such host that a worker begins; NULL: none';
COMMENT ON COLUMN imgpress.hosts.connections IS
    'Limit on simultaneous connections to each such host; NULL: imgpress.connections_per_host';
COMMENT ON COLUMN imgpress.hosts.paused_until IS
    'No download begins before; infinity: before imgpress.resume_host()';
COMMENT ON COLUMN imgpress.hosts.note IS 'For people';
COMMENT ON COLUMN imgpress.hosts.host_no IS 'See images.host_no';

ALTER TABLE imgpress.images ADD COLUMN host_no integer;
COMMENT ON COLUMN imgpress.images.host_no IS
    'The row of imgpress.hosts whose pause keeps the image waiting; NULL: none does';
-- Only images that were set aside are in it, so the way to success touches it as little as the other indexes.
CREATE INDEX images_of_paused_hosts ON imgpress.images (host_no) WHERE host_no IS NOT NULL;

CREATE TABLE imgpress_internal.queue_pause (
    only_row  boolean PRIMARY KEY DEFAULT true,
    paused_at timestamptz NOT NULL DEFAULT now(),
    paused_by name NOT NULL,
    reason    text,
    CONSTRAINT one_row CHECK (only_row)
);
COMMENT ON TABLE imgpress_internal.queue_pause IS
    'Has a row while the queue is paused: no images are claimed. It is dumped, so a restored queue is paused, too';

SELECT pg_extension_config_dump('imgpress_internal.queue_pause', '');
CREATE TABLE imgpress_internal.origin_headers (
    url_prefix  text NOT NULL,
    header_name text NOT NULL,
    value       text NOT NULL,
    roles       name[] NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (url_prefix, header_name)
);
COMMENT ON TABLE imgpress_internal.origin_headers IS
    'Secret headers of origins; the view imgpress.origin_headers shows them without their values, which nobody may '
    'read. They are not dumped: after a restore they have to be set again';

SELECT pg_extension_config_dump('imgpress_internal.keys', '');
SELECT pg_extension_config_dump('imgpress_internal.keys_id_seq', '');
SELECT pg_extension_config_dump('imgpress_internal.image_aliases', '');
SELECT pg_extension_config_dump('imgpress.hosts', '');
SELECT pg_extension_config_dump('imgpress.hosts_host_no_seq', '');
SELECT pg_extension_config_dump('imgpress_internal.blobs', '');
SELECT pg_extension_config_dump('imgpress_internal.blobs_blob_id_seq', '');
SELECT pg_extension_config_dump('imgpress_internal.image_outputs', '');
SELECT pg_extension_config_dump('imgpress_internal.sources', '');
SELECT pg_extension_config_dump('imgpress_internal.unswept_blobs', '');
