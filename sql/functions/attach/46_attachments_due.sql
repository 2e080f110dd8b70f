-- Attached tables as their process sees them, first part: what wakes it, and when something is due.

CREATE OR REPLACE FUNCTION imgpress_internal.wake_attachments() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'imgpress_wake_attachments';
COMMENT ON FUNCTION imgpress_internal.wake_attachments() IS
    'Wakes the process of the attached tables of this database when the transaction commits, or has it started';

CREATE OR REPLACE FUNCTION imgpress_internal.split_urls(list text) RETURNS text[]
    LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_split_urls';
COMMENT ON FUNCTION imgpress_internal.split_urls(text) IS
    'The elements of a list of URLs as a CSV may have it, whether they are URLs or not';

CREATE OR REPLACE FUNCTION imgpress_internal.attached_urls(given text, shape text, single boolean) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    urls text[];
BEGIN
    urls := CASE shape
        WHEN 'jsonb' THEN array(
            SELECT CASE jsonb_typeof(e.value)
                WHEN 'string' THEN e.value #>> '{}'
                WHEN 'object' THEN coalesce(e.value ->> 'url', e.value ->> 'src', e.value ->> 'href') END
            FROM jsonb_array_elements(
                CASE jsonb_typeof(given::jsonb) WHEN 'array' THEN given::jsonb ELSE jsonb_build_array(given::jsonb) END)
                WITH ORDINALITY AS e(value, place)
            ORDER BY e.place)
        WHEN 'array' THEN array(SELECT e.url FROM unnest(given::text[]) WITH ORDINALITY AS e(url, place) ORDER BY place)
        WHEN 'text' THEN CASE WHEN single THEN ARRAY[given] ELSE imgpress_internal.split_urls(given) END
        END;
    -- What is no URL keeps its place, as an image that fails.
    urls := array(SELECT coalesce(btrim(u.url, E' \t\r\n'), '') FROM unnest(urls) WITH ORDINALITY AS u(url, place)
                  ORDER BY u.place);
    IF single AND cardinality(urls) <> 1 THEN
        RETURN ARRAY[''];
    END IF;
    RETURN urls;
END
$$;
COMMENT ON FUNCTION imgpress_internal.attached_urls(text, text, boolean) IS
    'The URLs in the text of a URL column whose type has this shape: text, array or jsonb. single: its output is for '
    'one image';

CREATE OR REPLACE FUNCTION imgpress_internal.shape_of(relation oid, column_name name) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE base AS (
        SELECT t.oid, t.typtype, t.typbasetype, t.typcategory FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = $1 AND a.attname = $2
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype, t.typcategory FROM base b JOIN pg_type t ON t.oid = b.typbasetype
        WHERE b.typtype = 'd'
    )
    SELECT CASE WHEN b.oid = 'jsonb'::regtype THEN 'jsonb' WHEN b.oid = 'bytea'::regtype THEN 'bytea'
                WHEN b.typcategory = 'A' THEN 'array' ELSE 'text' END
    FROM base b WHERE b.typtype <> 'd'
$$;
COMMENT ON FUNCTION imgpress_internal.shape_of(oid, name) IS
    'What a column of URLs or outputs holds, behind any domain: text, array, jsonb or bytea; NULL if it does not exist';

-- ---- ends of images

CREATE OR REPLACE FUNCTION imgpress_internal.queue_ends(request_ids uuid[], image_nos integer[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no)
        SELECT DISTINCT e.request_id, i.first_product_no
        FROM unnest(request_ids, image_nos) AS e(request_id, image_no)
        CROSS JOIN LATERAL (
            SELECT x.first_product_no FROM imgpress.images x
            WHERE x.request_id = e.request_id AND x.image_no = e.image_no OFFSET 0
        ) i
        WHERE EXISTS (SELECT FROM imgpress_internal.attachments a WHERE a.id = e.request_id);
    PERFORM imgpress_internal.wake_attachments();
END
$$;
COMMENT ON FUNCTION imgpress_internal.queue_ends(uuid[], integer[]) IS
    'For images of standing requests that have ended: their rows may be written now';

CREATE OR REPLACE FUNCTION imgpress_internal.search_path_of(role name) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (SELECT substr(c.setting, length('search_path=') + 1)
         FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS c(setting)
         LEFT JOIN pg_roles r ON r.oid = s.setrole
         WHERE starts_with(c.setting, 'search_path=') AND (r.rolname = $1 OR s.setrole = 0)
           AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
         ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1),
        (SELECT s.boot_val FROM pg_settings s WHERE s.name = 'search_path'))
$$;
COMMENT ON FUNCTION imgpress_internal.search_path_of(name) IS
    'The search_path with which sessions of a role begin in this database, which its triggers may rely on';

CREATE OR REPLACE FUNCTION imgpress_internal.workable_attachments(at timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.id FROM imgpress_internal.attachments a
    LEFT JOIN imgpress_internal.attachment_progress p ON p.attachment_id = a.id
    WHERE a.paused_at IS NULL AND (a.detached_at IS NULL OR a.scan = 'clear')
      AND (p.retry_at IS NULL OR p.retry_at <= at)
      AND imgpress_internal.is_hidden_from_owner(a.relation) IS NOT TRUE
    ORDER BY p.worked_at NULLS FIRST
$$;
COMMENT ON FUNCTION imgpress_internal.workable_attachments(timestamptz) IS
    'The attachments that are neither paused nor detached nor waiting for another attempt, the one served longest ago '
    'first';

CREATE OR REPLACE FUNCTION imgpress_internal.merge_keys(attachment uuid, since timestamptz) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH small AS (
        DELETE FROM imgpress_internal.attached_keys k
            WHERE k.attachment_id = attachment AND pg_column_size(k.keys) < 4096 RETURNING k.keys
    ), numbered AS (
        SELECT d.key, row_number() OVER () - 1 AS no
        FROM (SELECT DISTINCT u.key FROM small s CROSS JOIN LATERAL unnest(s.keys) u (key)) d
    )
    INSERT INTO imgpress_internal.attached_keys (attachment_id, queued_at, keys)
        SELECT attachment, since, array_agg(n.key) FROM numbered n GROUP BY n.no / 10000;
END
$$;
COMMENT ON FUNCTION imgpress_internal.merge_keys(uuid, timestamptz) IS
    'Makes few rows of the queue out of many with few keys each, and one key out of equal ones';

CREATE OR REPLACE FUNCTION imgpress_internal.bound_keys() RETURNS uuid[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_rows constant bigint := 10000;
    most_bytes constant bigint := 64 * 1024 * 1024;
    one record;
    queued uuid[];
BEGIN
    FOR one IN
        SELECT q.*, sum(q.rows) OVER () > most_rows AND q.rows > most_rows / count(*) OVER () AS has_many,
               sum(q.bytes) OVER () > most_bytes AND q.bytes > most_bytes / count(*) OVER () AS is_large
        FROM (
            SELECT k.attachment_id AS id, count(*) AS rows, sum(pg_column_size(k.keys)) AS bytes,
                   min(k.queued_at) AS since, bool_or(k.keys IS NULL) AS is_marked
            FROM imgpress_internal.attached_keys k GROUP BY 1) q
    LOOP
        queued := queued || one.id;
        IF one.is_large OR one.has_many AND one.is_marked THEN
            DELETE FROM imgpress_internal.attached_keys k WHERE k.attachment_id = one.id;
            INSERT INTO imgpress_internal.attached_keys (attachment_id, queued_at) VALUES (one.id, one.since);
        ELSIF one.has_many THEN
            PERFORM imgpress_internal.merge_keys(one.id, one.since);
        END IF;
    END LOOP;
    RETURN queued;
END
$$;
COMMENT ON FUNCTION imgpress_internal.bound_keys() IS
    'The attachments that have keys in the queue. It is read from end to end each time, so it must stay short, also '
    'while an attachment is paused or slower than its writers. Where it is too long, the keys of those that have more '
    'than their share are merged; where it is too large, one mark that all rows are to be looked at stands for them';

CREATE OR REPLACE FUNCTION imgpress_internal.scan_is_due(attachment uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.scan IS NOT NULL AND r.image_count - r.succeeded_count - r.failed_count < 50000
    FROM imgpress_internal.attachments a JOIN imgpress.processing_requests r ON r.id = a.id WHERE a.id = $1
$$;
COMMENT ON FUNCTION imgpress_internal.scan_is_due(uuid) IS
    'Whether a scan of an attached table goes on now: not while so many of its images wait that the queue is flooded';

CREATE OR REPLACE FUNCTION imgpress_internal.attachments_due_in_ms() RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
    queued uuid[];
BEGIN
    IF NOT EXISTS (SELECT FROM imgpress_internal.attachments) THEN
        RETURN NULL;
    END IF;
    queued := array(SELECT DISTINCT k.attachment_id FROM imgpress_internal.attached_keys k);
    RETURN imgpress_internal.milliseconds_until((
        SELECT min(greatest(d.due_at, p.retry_at))
        FROM imgpress_internal.workable_attachments('infinity') w (id)
            LEFT JOIN imgpress_internal.attachment_progress p ON p.attachment_id = w.id
            CROSS JOIN LATERAL (
                SELECT CASE WHEN w.id = ANY (queued) OR imgpress_internal.scan_is_due(w.id) THEN moment
                            ELSE (SELECT min(e.due_at) FROM imgpress_internal.attached_ends e
                                  WHERE e.attachment_id = w.id) END AS due_at) d
        WHERE d.due_at IS NOT NULL));
END
$$;
COMMENT ON FUNCTION imgpress_internal.attachments_due_in_ms() IS
    'Milliseconds until there is something to do for an attached table; NULL: nothing, until a row changes or an image '
    'ends';

CREATE OR REPLACE FUNCTION imgpress_internal.hold_attachment(attachment uuid) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    scan_now text;
BEGIN
    SELECT a.scan INTO scan_now FROM imgpress_internal.attachments a WHERE a.id = attachment
        FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND AND EXISTS (SELECT FROM imgpress_internal.attachment_progress p WHERE p.attachment_id = attachment) THEN
        PERFORM FROM imgpress_internal.attachment_progress p WHERE p.attachment_id = attachment
            FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    IF FOUND AND scan_now = 'clear' THEN
        -- It may be deleted at the end.
        PERFORM FROM imgpress.processing_requests r WHERE r.id = attachment FOR UPDATE SKIP LOCKED;
    END IF;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION imgpress_internal.hold_attachment(uuid) IS
    'Locks what choosing the next job changes of an attachment. False: somebody else holds it, such as an open '
    'transaction that has called imgpress.pause(); nobody else''s table is to wait for that';

CREATE OR REPLACE FUNCTION imgpress_internal.look_after_attachments() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    attachment uuid;
BEGIN
    IF NOT EXISTS (SELECT FROM imgpress_internal.attachments) THEN
        RETURN NULL;
    END IF;
    FOR attachment IN SELECT a.id FROM imgpress_internal.attachments a WHERE a.detached_at IS NULL LOOP
        CONTINUE WHEN NOT imgpress_internal.hold_attachment(attachment);
        -- It makes a scan due where a partition was attached.
        PERFORM imgpress_internal.attachment_columns(attachment);
    END LOOP;
    RETURN imgpress_internal.attachments_due_in_ms();
END
$$;
COMMENT ON FUNCTION imgpress_internal.look_after_attachments() IS
    'Called by the drainer when it starts and once a minute: looks for new partitions, and whether there is something '
    'to do, as attachments_due_in_ms()';

GRANT EXECUTE ON FUNCTION
    imgpress_internal.wake_attachments(), imgpress_internal.queue_ends(uuid[], integer[]),
    imgpress_internal.attachments_due_in_ms(), imgpress_internal.look_after_attachments()
    TO imgpress_worker;
