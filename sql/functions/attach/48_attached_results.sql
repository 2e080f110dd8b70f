-- Attached tables as their process sees them, third part: recording what it has read or written.

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

CREATE OR REPLACE FUNCTION imgpress_internal.add_attached_images(attachment uuid, product integer, after integer,
    urls text[], OUT wanted integer[], OUT last integer)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH element AS (
        SELECT u.url, u.place, min(u.place) OVER (PARTITION BY u.url) AS first
        FROM unnest(urls) WITH ORDINALITY AS u(url, place)
    ), image AS (
        SELECT e.url, e.place, after + row_number() OVER (ORDER BY e.place) AS no FROM element e WHERE e.place = e.first
    ), added AS (
        INSERT INTO imgpress.images (request_id, image_no, first_product_no, url)
            SELECT attachment, i.no, product, i.url FROM image i
    )
    SELECT coalesce(array_agg(i.no ORDER BY e.place), '{}'), coalesce(max(i.no), after) INTO wanted, last
        FROM element e JOIN image i ON i.place = e.first;
END
$$;
COMMENT ON FUNCTION imgpress_internal.add_attached_images(uuid, integer, integer, text[]) IS
    'Appends the images of one row, numbered from after + 1; a URL that the row repeats is one image';

CREATE OR REPLACE FUNCTION imgpress_internal.take_rows(
    attachment uuid, keys text[], present boolean[], urls text[], digests bytea[], url_shape text, output_shape text,
    again text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_changes constant integer := 5;  -- an hour
    one record;
    added record;
    last_product integer;
    last_image integer;
    first_image integer;
    obsolete integer[] := '{}';
    products integer := 0;
    fresh boolean;
    often boolean;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM FROM imgpress.processing_requests r WHERE r.id = attachment FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT p.last_product_no, greatest(p.last_image_no, r.last_image_no) INTO last_product, last_image
        FROM imgpress_internal.attachment_progress p, imgpress.processing_requests r
        WHERE p.attachment_id = attachment AND r.id = attachment;
    first_image := last_image;
    FOR one IN
        SELECT s.key, s.present, s.url, s.digest, r.key AS known, r.product_no, r.url_digest, r.wanted, r.shown,
               r.shown_digest, r.state, r.changes, r.changes_since
        FROM unnest(keys, present, urls, digests) AS s(key, present, url, digest)
        LEFT JOIN imgpress_internal.attached_rows r ON r.attachment_id = attachment AND r.key = s.key
        WHERE CASE
            WHEN NOT s.present THEN r.key IS NOT NULL
            WHEN r.key IS NULL THEN s.digest IS NOT NULL
            WHEN r.url_digest IS DISTINCT FROM s.digest THEN true
            WHEN s.digest IS NULL THEN false
            WHEN again = 'refresh' THEN r.state IN ('done', 'failed')
            WHEN again = 'repair' THEN r.state = 'failed'
            ELSE false END
    LOOP
        IF NOT one.present THEN
            obsolete := obsolete || one.wanted || one.shown;
            DELETE FROM imgpress.products p WHERE p.request_id = attachment AND p.product_no = one.product_no;
            DELETE FROM imgpress_internal.attached_rows r WHERE r.attachment_id = attachment AND r.key = one.key;
            products := products - 1;
            CONTINUE;
        END IF;
        fresh := one.known IS NULL;
        -- Only a change that comes after a write counts: a trigger of the table may cause one each time.
        often := NOT fresh AND one.url_digest IS DISTINCT FROM one.digest AND one.changes >= most_changes
            AND one.changes_since > clock_timestamp() - interval '1 hour';
        IF often THEN
            IF one.state <> 'paused' THEN
                UPDATE imgpress_internal.attached_rows r
                    SET state = 'paused', since = now(),
                        reason = 'its URL has changed more than 5 times within an hour, each time after it was written'
                    WHERE r.attachment_id = attachment AND r.key = one.key;
                INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no, due_at)
                    VALUES (attachment, one.product_no, one.changes_since + interval '1 hour');
            END IF;
            CONTINUE;
        END IF;
        IF fresh THEN
            last_product := last_product + 1;
            one.product_no := last_product;
            products := products + 1;
        END IF;
        added := (NULL::integer[], NULL::integer);
        SELECT a.wanted, a.last INTO added FROM imgpress_internal.add_attached_images(
            attachment, one.product_no, last_image,
            CASE WHEN one.digest IS NULL THEN '{}'::text[]
                 ELSE imgpress_internal.attached_urls(one.url, url_shape, output_shape IN ('text', 'bytea')) END) a;
        last_image := added.last;
        IF fresh THEN
            INSERT INTO imgpress.products (request_id, product_no, serial_number, product_name, image_nos, key)
                VALUES (attachment, one.product_no, one.product_no, one.key, added.wanted, one.key);
            INSERT INTO imgpress_internal.attached_rows (attachment_id, key, product_no, url_digest, wanted, state)
                VALUES (attachment, one.key, one.product_no, one.digest, added.wanted, 'waiting');
        ELSE
            UPDATE imgpress.products p SET image_nos = added.wanted
                WHERE p.request_id = attachment AND p.product_no = one.product_no;
            -- What the output shows stays until the new images have ended.
            obsolete := obsolete || array(SELECT unnest(one.wanted) EXCEPT SELECT unnest(one.shown));
            UPDATE imgpress_internal.attached_rows r
                SET url_digest = one.digest, wanted = added.wanted, state = 'waiting', reason = NULL, since = now(),
                    changes = CASE
                        WHEN one.url_digest IS NOT DISTINCT FROM one.digest THEN r.changes
                        WHEN r.changes_since > clock_timestamp() - interval '1 hour'
                            THEN r.changes + (r.shown_digest IS NOT DISTINCT FROM r.url_digest)::integer
                        ELSE 1 END,
                    changes_since = CASE WHEN r.changes_since > clock_timestamp() - interval '1 hour'
                        THEN r.changes_since ELSE clock_timestamp() END
                WHERE r.attachment_id = attachment AND r.key = one.key;
        END IF;
        -- Perhaps the output is to be cleared meanwhile.
        IF added.wanted = '{}' OR NOT fresh AND one.url_digest IS DISTINCT FROM one.digest THEN
            INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no)
                VALUES (attachment, one.product_no);
        END IF;
    END LOOP;
    UPDATE imgpress.processing_requests r
        SET product_count = r.product_count + products,
            image_count = r.image_count + (SELECT count(*) FROM imgpress.images i WHERE i.request_id = attachment
                                           AND i.image_no > first_image AND i.image_no <= last_image),
            last_image_no = CASE WHEN last_image > first_image THEN last_image ELSE r.last_image_no END
        WHERE r.id = attachment AND (products <> 0 OR last_image > first_image);
    UPDATE imgpress_internal.attachment_progress p
        SET last_product_no = last_product, last_image_no = last_image, failures = 0, trouble = NULL
        WHERE p.attachment_id = attachment
          AND (p.last_product_no, p.last_image_no, p.failures) IS DISTINCT FROM (last_product, last_image, 0::smallint);
    IF obsolete <> '{}' THEN
        PERFORM imgpress_internal.drop_attached_images(attachment, obsolete);
    END IF;
    IF last_image > first_image THEN
        PERFORM imgpress_internal.wake_drainer();
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.take_rows(uuid, text[], boolean[], text[], bytea[], text, text, text) IS
    'Compares rows of an attached table, as they have been read, with what is known about them: appends images for '
    'new and changed URLs, deletes what belongs to rows that are gone. again: refresh asks for the images of unchanged '
    'rows again, repair for those of rows that have failed';

CREATE OR REPLACE FUNCTION imgpress_internal.forget_keys(places text[], xmins text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM imgpress_internal.attached_keys k
        USING unnest(places::tid[], xmins::xid[]) AS q(place, made_by)
        WHERE k.ctid = q.place AND k.xmin = q.made_by;
END
$$;
COMMENT ON FUNCTION imgpress_internal.forget_keys(text[], text[]) IS
    'Takes keys off the queue, in the transaction that records what was read';

CREATE OR REPLACE FUNCTION imgpress_internal.advance_scan(attachment uuid, started_at timestamptz, after text[],
    rows integer, at_end boolean, gone_after text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE imgpress_internal.attachments a
        SET scan_after = coalesce(after, a.scan_after), scan_rows = a.scan_rows + rows
        WHERE a.id = attachment AND a.scan_started_at = started_at AND a.scan IS NOT NULL;
    IF FOUND AND (at_end OR gone_after IS NOT NULL) THEN
        UPDATE imgpress_internal.attachment_progress p SET scan_gone_after = coalesce(gone_after, '')
            WHERE p.attachment_id = attachment;
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.advance_scan(uuid, timestamptz, text[], integer, boolean, text) IS
    'Notes how far the scan has come that was started then. at_end: it has read the last row of the table';

CREATE OR REPLACE FUNCTION imgpress_internal.record_writes(
    attachment uuid, keys text[], outcomes text[], digests bytea[], finals text[], errors text[], ends bigint[]
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    one record;
    obsolete integer[] := '{}';
    clears constant boolean := EXISTS (
        SELECT FROM imgpress_internal.attachments a WHERE a.id = attachment AND a.scan = 'clear');
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM FROM imgpress.processing_requests r WHERE r.id = attachment FOR NO KEY UPDATE;
    FOR one IN
        SELECT w.outcome, w.digest, w.final::integer[] AS final, w.error, coalesce(t.tries, 0::smallint) AS tries, r.*
        FROM unnest(keys, outcomes, digests, finals, errors) AS w(key, outcome, digest, final, error)
        JOIN imgpress_internal.attached_rows r ON r.attachment_id = attachment AND r.key = w.key
        LEFT JOIN (
            SELECT e.product_no, max(e.tries) AS tries FROM imgpress_internal.attached_ends e WHERE e.id = ANY (ends)
            GROUP BY e.product_no
        ) t ON t.product_no = r.product_no
    LOOP
        IF one.outcome = 'written' THEN
            IF one.final IS NULL THEN
                obsolete := obsolete || array(SELECT unnest(one.shown) EXCEPT SELECT unnest(one.wanted));
            ELSE
                obsolete := obsolete || array(SELECT unnest(one.shown || one.wanted) EXCEPT SELECT unnest(one.final));
            END IF;
            UPDATE imgpress_internal.attached_rows r
                SET wanted = coalesce(one.final, r.wanted), shown = coalesce(one.final, '{}'),
                    shown_digest = CASE WHEN one.final IS NOT NULL THEN r.url_digest END, written = one.digest,
                    state = CASE WHEN one.final IS NULL AND NOT clears THEN 'waiting'
                                 WHEN one.error IS NULL THEN 'done' ELSE 'failed' END,
                    reason = one.error, since = now()
                WHERE r.attachment_id = attachment AND r.key = one.key;
            UPDATE imgpress.products p SET image_nos = one.final
                WHERE p.request_id = attachment AND p.product_no = one.product_no AND p.image_nos <> one.final;
        ELSIF one.outcome = 'kept' THEN
            UPDATE imgpress_internal.attached_rows r
                SET state = 'kept', since = now(), written = CASE WHEN clears THEN NULL ELSE r.written END,
                    reason = 'the output column holds a value that imgpress has not written'
                WHERE r.attachment_id = attachment AND r.key = one.key;
        ELSE
            UPDATE imgpress_internal.attached_rows r
                SET state = 'waiting', reason = CASE one.outcome
                    WHEN 'refused' THEN 'a trigger of the table did not let it be written' ELSE one.reason END
                WHERE r.attachment_id = attachment AND r.key = one.key;
            INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no, tries, due_at)
                SELECT attachment, one.product_no, least(one.tries + 1, 100), clock_timestamp() + CASE one.outcome
                    WHEN 'missed' THEN least(0.1 * 2 ^ least(one.tries, 10), 5) * interval '1 second'
                    ELSE least(2 ^ least(one.tries, 12), 3600) * interval '1 second' END
                WHERE NOT clears;
            IF one.tries % 4 = 2 AND NOT clears THEN
                -- Perhaps it is not locked, but gone or changed in a way that no trigger has told.
                INSERT INTO imgpress_internal.attached_keys (attachment_id, queued_at, keys)
                    VALUES (attachment, now(), ARRAY[one.key]);
            END IF;
        END IF;
    END LOOP;
    DELETE FROM imgpress_internal.attached_ends e WHERE e.id = ANY (ends);
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
            WHERE e.id = ANY (ends);
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
    imgpress_internal.take_rows(uuid, text[], boolean[], text[], bytea[], text, text, text),
    imgpress_internal.forget_keys(text[], text[]),
    imgpress_internal.advance_scan(uuid, timestamptz, text[], integer, boolean, text),
    imgpress_internal.record_writes(uuid, text[], text[], bytea[], text[], text[], bigint[]),
    imgpress_internal.note_trouble(uuid, text, boolean, boolean, text[], bigint[])
    TO imgpress_worker;
