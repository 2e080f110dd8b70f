-- Attached tables as their process sees them, second part: its next job. It reads and writes the tables themselves
-- in transactions of its own, as their owner.

CREATE OR REPLACE FUNCTION imgpress_internal.row_outcome(
    one imgpress_internal.attached_rows, output_shape text, stale text,
    OUT ready boolean, OUT value text, OUT bytes bytea, OUT error text, OUT final integer[]
)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    urls text[];
    last_end timestamptz;
BEGIN
    SELECT coalesce(bool_and(x.ended), true), max(x.ended_at), coalesce(array_agg(x.no ORDER BY x.place), '{}'),
           coalesce(array_agg(x.output_url ORDER BY x.place), '{}'),
           string_agg(CASE WHEN output_shape IN ('array', 'jsonb') THEN 'URL ' || x.place || ': ' ELSE '' END
                      || x.error, '; ' ORDER BY x.place)
        INTO ready, last_end, final, urls, error
        FROM (
            SELECT w.place, f.no, n.ended_at, coalesce(n.ended_at IS NOT NULL, true) AS ended,
                   CASE WHEN n.status = 'Failed' THEN n.error END AS error,
                   CASE WHEN f.format IS NOT NULL
                        THEN imgpress.output_url(one.attachment_id, f.no, f.url, f.format) END AS output_url
            FROM unnest(one.wanted) WITH ORDINALITY AS w(no, place)
            LEFT JOIN imgpress.images n ON n.request_id = one.attachment_id AND n.image_no = w.no
            -- After a refresh: the image of the same URL that is shown now.
            LEFT JOIN imgpress.images s ON s.request_id = one.attachment_id AND s.status = 'Completed'
                AND s.image_no = one.shown[w.place] AND one.shown_digest = one.url_digest
            CROSS JOIN LATERAL (
                SELECT n.status = 'Failed' OR CASE WHEN s.image_no IS NOT NULL
                    THEN imgpress_internal.etag_of(one.attachment_id, w.no)
                         = imgpress_internal.etag_of(one.attachment_id, s.image_no) END AS stays
            ) k
            CROSS JOIN LATERAL (
                SELECT CASE WHEN k.stays THEN coalesce(s.image_no, w.no) ELSE w.no END AS no,
                       CASE WHEN k.stays AND s.image_no IS NOT NULL THEN s.url ELSE n.url END AS url,
                       CASE WHEN k.stays AND s.image_no IS NOT NULL THEN s.output_format ELSE n.output_format END
                           AS format
            ) f
        ) x;
    IF one.state = 'failed' AND one.wanted = one.shown AND one.shown_digest = one.url_digest
        AND last_end < one.since THEN
        -- It was asked for again in vain: the images that it shows, which are older, know nothing of that.
        error := one.reason;
    END IF;
    IF NOT ready THEN
        -- Until then the old output stays, or is cleared, if the URL is another one.
        ready := stale = 'null' AND one.written IS NOT NULL AND one.shown_digest IS DISTINCT FROM one.url_digest;
        final := NULL;
        error := NULL;
    ELSIF one.url_digest IS NULL THEN
        value := NULL;
        error := NULL;
    ELSIF output_shape = 'bytea' THEN
        SELECT b.bytes INTO bytes FROM imgpress_internal.image_outputs o JOIN imgpress_internal.blobs b USING (blob_id)
            WHERE o.request_id = one.attachment_id AND o.image_no = final[1];
    ELSE
        value := CASE output_shape WHEN 'text' THEN urls[1] WHEN 'array' THEN urls::text ELSE to_jsonb(urls)::text END;
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.row_outcome(imgpress_internal.attached_rows, text, text) IS
    'Whether a row can be written, and what: the value of the output column as text, or the bytes of the image, and of '
    'the error column. final: the images that the output then shows; an image that has only been asked for again keeps '
    'its number if it is the same or has failed. final is NULL: the output is only cleared until there is a new one';

CREATE OR REPLACE FUNCTION imgpress_internal.resume_row(attachment uuid, of_key text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE imgpress_internal.attached_rows r SET changes = 0, state = 'waiting', reason = NULL, since = now()
        WHERE r.attachment_id = attachment AND r.key = of_key;
    INSERT INTO imgpress_internal.attached_keys (attachment_id, queued_at, keys)
        VALUES (attachment, now(), ARRAY[of_key]);
END
$$;
COMMENT ON FUNCTION imgpress_internal.resume_row(uuid, text) IS
    'Has a row read again that was left alone because its URL changed too often';

CREATE OR REPLACE FUNCTION imgpress_internal.write_job(job imgpress_internal.attached_job, stale text, batch integer)
    RETURNS imgpress_internal.attached_job
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_bytes constant integer := 16 * 1024 * 1024;
    held integer := 0;
    one record;
    known imgpress_internal.attached_rows;
    what record;
    ready boolean;
    moot bigint[];
    -- These are appended to in place; a field of the job would be copied each time.
    all_values text[];
    all_bytes bytea[];
BEGIN
    FOR one IN
        SELECT d.product_no, array_agg(d.id) AS ends FROM (
            SELECT e.id, e.product_no FROM imgpress_internal.attached_ends e
            WHERE e.attachment_id = job.attachment_id AND e.due_at <= clock_timestamp() ORDER BY e.id LIMIT batch) d
        GROUP BY d.product_no ORDER BY min(d.id)
    LOOP
        ready := false;
        SELECT r.* INTO known FROM imgpress.products p JOIN imgpress_internal.attached_rows r
            ON r.attachment_id = p.request_id AND r.key = p.key
            WHERE p.request_id = job.attachment_id AND p.product_no = one.product_no;
        IF known.state = 'paused' THEN
            PERFORM imgpress_internal.resume_row(job.attachment_id, known.key);
        ELSIF known.key IS NOT NULL THEN
            what := imgpress_internal.row_outcome(known, job.output_shape, stale);
            ready := what.ready;
        END IF;
        IF NOT ready THEN
            moot := moot || one.ends;
            CONTINUE;
        END IF;
        job.kind := 'write';
        job.keys := job.keys || known.key;
        job.digests := job.digests || known.url_digest;
        all_values := all_values || what.value;
        all_bytes := all_bytes || what.bytes;
        job.errors := job.errors || left(what.error, 2000);
        job.written := job.written || known.written;
        job.finals := job.finals || what.final::text;
        job.ends := job.ends || one.ends;
        held := held + coalesce(octet_length(what.bytes), 0);
        EXIT WHEN held > most_bytes;
    END LOOP;
    job.values := all_values;
    job.bytes := all_bytes;
    DELETE FROM imgpress_internal.attached_ends e WHERE e.attachment_id = job.attachment_id AND e.id = ANY (moot);
    RETURN job;
END
$$;
COMMENT ON FUNCTION imgpress_internal.write_job(imgpress_internal.attached_job, text, integer) IS
    'The rows of an attachment whose images have all ended, with what is to be written into them; the kind of the job '
    'stays NULL if there are none';

CREATE OR REPLACE FUNCTION imgpress_internal.clear_job(job imgpress_internal.attached_job, batch integer)
    RETURNS imgpress_internal.attached_job
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written bytea[];
BEGIN
    SELECT array_agg(r.key ORDER BY r.key), array_agg(r.written ORDER BY r.key) INTO job.keys, written
        FROM (
            SELECT c.key, c.written FROM imgpress_internal.attached_rows c
            WHERE c.attachment_id = job.attachment_id AND c.key > coalesce(job.scan_after[1], '')
              AND (c.written IS NOT NULL OR c.state = 'failed')
            ORDER BY c.key LIMIT batch
        ) r;
    IF job.keys IS NOT NULL THEN
        job.kind := 'write';
        job.written := written;
        job.any_url := true;
        job.digests := array_fill(NULL::bytea, ARRAY[cardinality(job.keys)]);
        job.bytes := job.digests;
        job.values := array_fill(NULL::text, ARRAY[cardinality(job.keys)]);
        job.errors := job.values;
        job.finals := job.values;
    ELSIF EXISTS (SELECT FROM imgpress_internal.attached_rows r
                  WHERE r.attachment_id = job.attachment_id AND r.state = 'waiting' AND r.written IS NOT NULL) THEN
        -- Rows that were locked: once more, a little later.
        UPDATE imgpress_internal.attachments a SET scan_after = NULL WHERE a.id = job.attachment_id;
        UPDATE imgpress_internal.attachment_progress p SET retry_at = clock_timestamp() + interval '1 second'
            WHERE p.attachment_id = job.attachment_id;
    ELSE
        PERFORM imgpress_internal.forget_attachment(job.attachment_id);
    END IF;
    RETURN job;
END
$$;
COMMENT ON FUNCTION imgpress_internal.clear_job(imgpress_internal.attached_job, integer) IS
    'The next rows of a detached table whose outputs are to be removed; forgets the attachment when there are no more';

CREATE OR REPLACE FUNCTION imgpress_internal.scan_for_mark(attachment uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    scan_now text;
    begun boolean;
BEGIN
    SELECT a.scan, a.scan_after IS NOT NULL OR p.scan_gone_after IS NOT NULL INTO scan_now, begun
        FROM imgpress_internal.attachments a JOIN imgpress_internal.attachment_progress p ON p.attachment_id = a.id
        WHERE a.id = attachment;
    IF scan_now IS NULL THEN
        -- Not a repair: what has failed is not asked for again because of this.
        PERFORM imgpress_internal.begin_scan(attachment, 'backfill');
    ELSIF begun THEN
        -- Beginning again at once might never come to an end.
        UPDATE imgpress_internal.attachment_progress p SET scan_again = true
            WHERE p.attachment_id = attachment AND NOT p.scan_again;
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.scan_for_mark(uuid) IS
    'Sees to it that each row of the table is looked at after now: by the scan that is due, or by another one behind '
    'the one that is under way';

CREATE OR REPLACE FUNCTION imgpress_internal.read_job(job imgpress_internal.attached_job)
    RETURNS imgpress_internal.attached_job
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT k.ctid::text AS place, k.xmin::text AS made_by, k.keys FROM imgpress_internal.attached_keys k
        WHERE k.attachment_id = job.attachment_id LIMIT 1000
    LOOP
        job.kind := 'read';
        job.queue_places := job.queue_places || one.place;
        job.queue_xmins := job.queue_xmins || one.made_by;
        job.keys := job.keys || one.keys;
        IF one.keys IS NULL THEN
            PERFORM imgpress_internal.scan_for_mark(job.attachment_id);
        END IF;
        EXIT WHEN cardinality(job.keys) >= 1000;
    END LOOP;
    job.keys := array(SELECT DISTINCT k FROM unnest(job.keys) AS k);
    RETURN job;
END
$$;
COMMENT ON FUNCTION imgpress_internal.read_job(imgpress_internal.attached_job) IS
    'The keys of rows that have changed, and where in the queue they stand';

CREATE OR REPLACE FUNCTION imgpress_internal.scan_job(job imgpress_internal.attached_job, gone_after text)
    RETURNS imgpress_internal.attached_job
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    again boolean;
BEGIN
    IF gone_after IS NULL THEN
        job.kind := 'scan';
        -- Rows that are appended cost more than rows that are compared.
        job.scan_limit := CASE job.scan WHEN 'repair' THEN 10000 ELSE 2000 END;
        RETURN job;
    END IF;
    job.keys := array(
        SELECT r.key FROM imgpress_internal.attached_rows r
        WHERE r.attachment_id = job.attachment_id AND r.key > gone_after ORDER BY r.key LIMIT 10000);
    IF job.keys <> '{}' THEN
        job.kind := 'read';
        RETURN job;
    END IF;
    UPDATE imgpress_internal.attachments a SET scan = NULL, scan_after = NULL
        WHERE a.id = job.attachment_id AND a.scan_started_at = job.scan_started_at;
    again := (SELECT p.scan_again FROM imgpress_internal.attachment_progress p
              WHERE p.attachment_id = job.attachment_id);
    UPDATE imgpress_internal.attachment_progress p SET scan_gone_after = NULL, scan_again = false
        WHERE p.attachment_id = job.attachment_id;
    IF again THEN
        PERFORM imgpress_internal.begin_scan(job.attachment_id, 'backfill');
    END IF;
    RETURN job;
END
$$;
COMMENT ON FUNCTION imgpress_internal.scan_job(imgpress_internal.attached_job, text) IS
    'The next portion of a scan: first of the table; then of what is known about it, to find rows that are gone';

CREATE OR REPLACE FUNCTION imgpress_internal.describe_attachment(candidate uuid,
    OUT job imgpress_internal.attached_job, OUT state text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    attachment imgpress_internal.attachments;
    now_named record;
BEGIN
    SELECT * INTO now_named FROM imgpress_internal.attachment_columns(candidate);
    -- Read afterwards: a scan may have become due by that.
    SELECT * INTO attachment FROM imgpress_internal.attachments a WHERE a.id = candidate;
    state := now_named.state;
    job.attachment_id := candidate;
    job.relation := now_named.relation;
    job.owner := now_named.owner;
    job.search_path := imgpress_internal.search_path_of(now_named.owner);
    job.key_columns := now_named.key_columns;
    job.url_column := now_named.url_column;
    job.output_column := now_named.output_column;
    job.error_column := now_named.error_column;
    job.url_shape := imgpress_internal.shape_of(now_named.relation, now_named.url_column);
    job.output_shape := imgpress_internal.shape_of(now_named.relation, now_named.output_column);
    job.overwrite := attachment.overwrite;
    job.any_url := false;
    job.scan := attachment.scan;
    job.scan_after := attachment.scan_after;
    job.scan_started_at := attachment.scan_started_at;
END
$$;
COMMENT ON FUNCTION imgpress_internal.describe_attachment(uuid) IS
    'A job for an attached table with the names that the table and its columns have now, but no kind yet; state: '
    'as attachment_columns() says';

CREATE OR REPLACE FUNCTION imgpress_internal.job_of(candidate uuid) RETURNS imgpress_internal.attached_job
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    described constant record := imgpress_internal.describe_attachment(candidate);
    job imgpress_internal.attached_job := described.job;
    attachment imgpress_internal.attachments;
    progress imgpress_internal.attachment_progress;
BEGIN
    SELECT * INTO attachment FROM imgpress_internal.attachments a WHERE a.id = candidate;
    SELECT * INTO progress FROM imgpress_internal.attachment_progress p WHERE p.attachment_id = candidate;
    IF described.state = 'detached' AND attachment.scan IS DISTINCT FROM 'clear'
        OR job.output_shape IS NULL OR job.url_shape IS NULL THEN
        IF attachment.scan = 'clear' THEN
            PERFORM imgpress_internal.forget_attachment(candidate);
        ELSE
            PERFORM imgpress_internal.stop_attachment(candidate);
        END IF;
        RETURN job;
    END IF;
    IF attachment.scan = 'clear' THEN
        RETURN imgpress_internal.clear_job(job, progress.batch);
    END IF;
    job := imgpress_internal.write_job(job, attachment.stale, progress.batch);
    IF job.kind IS NULL THEN
        job := imgpress_internal.read_job(job);
    END IF;
    IF job.kind IS NULL AND imgpress_internal.scan_is_due(candidate) THEN
        job := imgpress_internal.scan_job(job, progress.scan_gone_after);
    END IF;
    RETURN job;
END
$$;
COMMENT ON FUNCTION imgpress_internal.job_of(uuid) IS
    'What is to be done next for an attached table, whose attachment is held; its kind is NULL: nothing. Writing comes '
    'before reading, and reading before scans';

CREATE OR REPLACE FUNCTION imgpress_internal.next_attached_job() RETURNS imgpress_internal.attached_job
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
    queued constant uuid[] := imgpress_internal.bound_keys();
    candidate uuid;
    job imgpress_internal.attached_job;
BEGIN
    FOR candidate IN SELECT imgpress_internal.workable_attachments(moment) LOOP
        CONTINUE WHEN NOT (candidate = ANY (coalesce(queued, '{}'))
            OR imgpress_internal.scan_is_due(candidate)
            OR EXISTS (SELECT FROM imgpress_internal.attached_ends e
                       WHERE e.attachment_id = candidate AND e.due_at <= moment));
        CONTINUE WHEN NOT imgpress_internal.hold_attachment(candidate);
        INSERT INTO imgpress_internal.attachment_progress AS p (attachment_id, worked_at) VALUES (candidate, moment)
            ON CONFLICT (attachment_id) DO UPDATE SET worked_at = moment, retry_at = NULL;
        BEGIN
            job := imgpress_internal.job_of(candidate);
        EXCEPTION WHEN OTHERS THEN
            -- This one waits, and no other one does.
            RAISE WARNING 'attached table %: %', candidate, SQLERRM;
            job := NULL;
            PERFORM imgpress_internal.note_trouble(candidate, SQLERRM,
                SQLSTATE IN ('55P03', '40P01'), false, NULL, NULL);
        END;
        IF job.kind IS NOT NULL THEN
            RETURN job;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION imgpress_internal.next_attached_job() IS
    'What is to be done next for any attached table; its kind is NULL: nothing at present';

CREATE OR REPLACE FUNCTION imgpress_internal.stop_attachment(attachment uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM imgpress_internal.attached_keys k WHERE k.attachment_id = attachment;
    DELETE FROM imgpress_internal.attached_ends e WHERE e.attachment_id = attachment;
    UPDATE imgpress_internal.attachments a SET scan = NULL, scan_after = NULL WHERE a.id = attachment;
END
$$;
COMMENT ON FUNCTION imgpress_internal.stop_attachment(uuid) IS
    'Drops what is queued for a table that cannot be read any more; attaching it again scans it';

GRANT EXECUTE ON FUNCTION imgpress_internal.next_attached_job() TO imgpress_worker;
