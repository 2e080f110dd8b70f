-- Attached tables as their process sees them, fourth part: recording what it has written, or what went wrong.

CREATE OR REPLACE FUNCTION imgpress_internal.drop_attached_images(attachment uuid, nos integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    freed bigint[];
BEGIN
    WITH image AS (
        DELETE FROM imgpress.images i WHERE i.request_id = attachment AND i.image_no = ANY (nos) RETURNING i.status
    ), output AS (
        DELETE FROM imgpress_internal.image_outputs o WHERE o.request_id = attachment AND o.image_no = ANY (nos)
        RETURNING o.blob_id
    ), size AS (
        SELECT sum(b.source_bytes) AS source, sum(octet_length(b.bytes)) AS output
        FROM output o JOIN imgpress_internal.blobs b ON b.blob_id = o.blob_id
    )
    UPDATE imgpress.processing_requests r
        SET image_count = r.image_count - i.images, succeeded_count = r.succeeded_count - i.succeeded,
            failed_count = r.failed_count - i.failed,
            source_bytes = r.source_bytes - o.source_size, output_bytes = r.output_bytes - o.output_size
        FROM (SELECT count(*) AS images, count(*) FILTER (WHERE status = 'Completed') AS succeeded,
                     count(*) FILTER (WHERE status = 'Failed') AS failed FROM image) i,
             (SELECT coalesce(s.source, 0) AS source_size, coalesce(s.output, 0) AS output_size FROM size s) o
        WHERE r.id = attachment
        RETURNING (SELECT array_agg(DISTINCT d.blob_id) FROM output d) INTO freed;
    PERFORM imgpress_internal.sweep_blobs(freed);
    -- A claim must not wait for numbers that are not there any more.
    UPDATE imgpress.processing_requests r
        SET last_image_no = greatest(r.claimed_up_to, coalesce(
            (SELECT max(i.image_no) FROM imgpress.images i WHERE i.request_id = attachment), 0))
        WHERE r.id = attachment;
END
$$;
COMMENT ON FUNCTION imgpress_internal.drop_attached_images(uuid, integer[]) IS
    'Deletes images of an attachment with their outputs, and takes them off the counters. One that a drainer holds is '
    'then finished in vain';

CREATE OR REPLACE FUNCTION imgpress_internal.record_outcomes(attachment uuid, keys text[], outcomes text[],
    digests bytea[], finals text[], errors text[], clears boolean) RETURNS integer[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obsolete integer[];
BEGIN
    WITH known AS MATERIALIZED (
        SELECT w.outcome, w.digest, w.final::integer[] AS final, w.error, w.outcome = 'written' AS is_written, r.*
        FROM unnest(keys, outcomes, digests, finals, errors) w (of_key, outcome, digest, final, error)
        CROSS JOIN LATERAL (
            SELECT k.* FROM imgpress_internal.attached_rows k
            WHERE k.attachment_id = attachment AND k.key = w.of_key OFFSET 0
        ) r
    ), recorded AS (
        -- All of them exist; so each is found by its key, whatever the planner thinks of the table.
        INSERT INTO imgpress_internal.attached_rows (
                attachment_id, key, product_no, wanted, shown, shown_digest, written, state, reason, since)
            SELECT k.attachment_id, k.key, k.product_no,
                   CASE WHEN k.is_written THEN coalesce(k.final, k.wanted) ELSE k.wanted END,
                   CASE WHEN k.is_written THEN coalesce(k.final, '{}') ELSE k.shown END,
                   CASE WHEN NOT k.is_written THEN k.shown_digest WHEN k.final IS NOT NULL THEN k.url_digest END,
                   CASE WHEN k.is_written THEN k.digest WHEN k.outcome <> 'kept' OR NOT clears THEN k.written END,
                   CASE WHEN k.outcome = 'kept' THEN 'kept'
                        WHEN NOT k.is_written OR k.final IS NULL AND NOT clears THEN 'waiting'
                        WHEN k.error IS NULL THEN 'done' ELSE 'failed' END,
                   CASE k.outcome WHEN 'written' THEN k.error
                                  WHEN 'kept' THEN 'the output column holds a value that imgpress has not written'
                                  WHEN 'refused' THEN 'a trigger of the table did not let it be written'
                                  ELSE k.reason END,
                   CASE WHEN k.outcome IN ('written', 'kept') THEN now() ELSE k.since END
            FROM known k
            ON CONFLICT ON CONSTRAINT attached_rows_pkey DO UPDATE
                SET wanted = excluded.wanted, shown = excluded.shown, shown_digest = excluded.shown_digest,
                    written = excluded.written, state = excluded.state, reason = excluded.reason,
                    since = excluded.since
    ), product AS (
        INSERT INTO imgpress.products (request_id, product_no, serial_number, product_name, image_nos, key)
            SELECT attachment, k.product_no, k.product_no, k.key, k.final, k.key FROM known k
            WHERE k.is_written AND k.final <> k.wanted
            ON CONFLICT ON CONSTRAINT products_pkey DO UPDATE SET image_nos = excluded.image_nos
    )
    SELECT array_agg(o.no) INTO obsolete FROM known k
        CROSS JOIN LATERAL (
            SELECT CASE WHEN k.final IS NULL THEN k.shown ELSE k.shown || k.wanted END AS had,
                   coalesce(k.final, k.wanted) AS keeps
        ) n
        CROSS JOIN LATERAL (SELECT unnest(n.had) EXCEPT SELECT unnest(n.keeps)) o (no)
        WHERE k.is_written AND NOT n.had <@ n.keeps;
    RETURN obsolete;
END
$$;
COMMENT ON FUNCTION imgpress_internal.record_outcomes(uuid, text[], text[], bytea[], text[], text[], boolean) IS
    'Records what became of each row. Returns the images that no output shows any more';

CREATE OR REPLACE FUNCTION imgpress_internal.postpone_writes(attachment uuid, keys text[], outcomes text[],
    ends bigint[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH tried AS (
        SELECT t.product_no, max(t.key) AS key, max(t.outcome) AS outcome, max(t.tries) AS tries FROM (
            SELECT r.product_no, w.key, w.outcome, 0 AS tries FROM unnest(keys, outcomes) w (key, outcome)
            CROSS JOIN LATERAL (
                SELECT k.product_no FROM imgpress_internal.attached_rows k
                WHERE k.attachment_id = attachment AND k.key = w.key OFFSET 0
            ) r WHERE w.outcome IN ('missed', 'refused')
            UNION ALL
            SELECT e.product_no, NULL, NULL, e.tries FROM imgpress_internal.attached_ends e
            WHERE e.attachment_id = attachment AND e.id = ANY (ends)) t
        GROUP BY 1 HAVING max(t.key) IS NOT NULL
    ), later AS (
        INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no, tries, due_at)
            SELECT attachment, t.product_no, least(t.tries + 1, 100), clock_timestamp() + CASE t.outcome
                WHEN 'missed' THEN least(0.1 * 2 ^ least(t.tries, 10), 5) * interval '1 second'
                ELSE least(2 ^ least(t.tries, 12), 3600) * interval '1 second' END
            FROM tried t
    )
    -- Perhaps it is not locked, but gone or changed in a way that no trigger has told.
    INSERT INTO imgpress_internal.attached_keys (attachment_id, queued_at, keys)
        SELECT attachment, now(), array_agg(t.key) FROM tried t WHERE t.tries % 4 = 2 HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION imgpress_internal.postpone_writes(uuid, text[], text[], bigint[]) IS
    'Tries rows again, ever later, that could not be written';

CREATE OR REPLACE FUNCTION imgpress_internal.record_writes(
    attachment uuid, keys text[], outcomes text[], digests bytea[], finals text[], errors text[], ends bigint[]
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obsolete integer[];
    clears constant boolean := EXISTS (
        SELECT FROM imgpress_internal.attachments a WHERE a.id = attachment AND a.scan = 'clear');
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM FROM imgpress.processing_requests r WHERE r.id = attachment FOR NO KEY UPDATE;
    obsolete := imgpress_internal.record_outcomes(attachment, keys, outcomes, digests, finals, errors, clears);
    IF NOT clears AND outcomes && ARRAY['missed', 'refused'] THEN
        PERFORM imgpress_internal.postpone_writes(attachment, keys, outcomes, ends);
    END IF;
    DELETE FROM imgpress_internal.attached_ends e WHERE e.attachment_id = attachment AND e.id = ANY (ends);
    UPDATE imgpress_internal.attachment_progress p
        SET failures = 0, trouble = NULL, batch = least(2 * p.batch, 1000)
        WHERE p.attachment_id = attachment AND (p.failures > 0 OR p.batch < 1000 OR p.trouble IS NOT NULL);
    IF clears THEN
        UPDATE imgpress_internal.attachments a SET scan_after = ARRAY[keys[cardinality(keys)]] WHERE a.id = attachment;
    END IF;
    IF obsolete <> '{}' THEN
        PERFORM imgpress_internal.drop_attached_images(attachment, obsolete);
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.record_writes(uuid, text[], text[], bytea[], text[], text[], bigint[]) IS
    'Records what became of rows that were to be written: written (the output is now this), kept (it is somebody '
    'else''s), missed (the row was locked, or is not as it was) or refused (by a trigger). Deletes images that no '
    'output shows any more';

CREATE OR REPLACE FUNCTION imgpress_internal.note_trouble(
    attachment uuid, message text, locked boolean, slow boolean, keys text[], ends bigint[]
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows constant integer := cardinality(keys);
    fails integer;
BEGIN
    IF NOT locked AND NOT slow AND rows > 1 THEN
        -- Perhaps only one row causes it: fewer at once find it.
        UPDATE imgpress_internal.attachment_progress p SET batch = greatest(rows / 8, 1), trouble = message
            WHERE p.attachment_id = attachment;
        RETURN;
    END IF;
    UPDATE imgpress_internal.attachment_progress p
        SET failures = least(p.failures + 1, 100), trouble = CASE WHEN locked THEN p.trouble ELSE message END
        WHERE p.attachment_id = attachment RETURNING p.failures INTO fails;
    IF rows = 1 AND NOT locked THEN
        UPDATE imgpress_internal.attached_rows r SET reason = message
            WHERE r.attachment_id = attachment AND r.key = keys[1];
        UPDATE imgpress_internal.attached_ends e
            SET tries = least(e.tries + 1, 100),
                due_at = clock_timestamp() + least(2 ^ least(e.tries, 12), 3600) * interval '1 second'
            WHERE e.attachment_id = attachment AND e.id = ANY (ends);
    END IF;
    UPDATE imgpress_internal.attachment_progress p
        SET retry_at = clock_timestamp() + CASE
            WHEN locked THEN least(0.1 * 2 ^ least(fails, 10), 5)
            WHEN slow THEN least(60 * 2 ^ least(fails - 1, 6), 3600)
            WHEN rows = 1 AND fails < 4 THEN 0
            ELSE least(2 ^ least(fails, 9), 300) END * interval '1 second'
        WHERE p.attachment_id = attachment;
END
$$;
COMMENT ON FUNCTION imgpress_internal.note_trouble(uuid, text, boolean, boolean, text[], bigint[]) IS
    'After an error in a transaction of a table''s owner: when the table is tried again, with fewer rows at once, or '
    'its only row later. locked: only a lock was in the way; slow: the time limit was reached';

GRANT EXECUTE ON FUNCTION
    imgpress_internal.record_writes(uuid, text[], text[], bytea[], text[], text[], bigint[]),
    imgpress_internal.note_trouble(uuid, text, boolean, boolean, text[], bigint[])
    TO imgpress_worker;
