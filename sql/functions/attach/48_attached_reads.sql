-- Attached tables as their process sees them, third part: recording what it has read.

CREATE OR REPLACE FUNCTION imgpress_internal.changed_rows(
    attachment uuid, keys text[], present boolean[], urls text[], digests bytea[], again text
) RETURNS imgpress_internal.changed_row[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_changes constant integer := 5;  -- an hour
BEGIN
    RETURN array(
        SELECT ROW(w.kind, s.key, s.url, s.digest, r.product_no, NOT same.url, CASE
                   WHEN w.kind = 'gone' THEN r.wanted || r.shown
                   -- What the output shows stays until the new images have ended.
                   WHEN w.kind = 'changed' THEN array(SELECT unnest(r.wanted) EXCEPT SELECT unnest(r.shown))
                   END, NULL)::imgpress_internal.changed_row
        FROM unnest(keys, present, urls, digests) WITH ORDINALITY AS s (key, present, url, digest, place)
        -- Each row by its key: the planner may take the table for an empty one still, and would read all of it.
        LEFT JOIN LATERAL (
            SELECT k.* FROM imgpress_internal.attached_rows k
            WHERE k.attachment_id = attachment AND k.key = s.key OFFSET 0
        ) r ON true
        CROSS JOIN LATERAL (SELECT r.url_digest IS NOT DISTINCT FROM s.digest AS url) same
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN NOT s.present THEN CASE WHEN r.key IS NOT NULL THEN 'gone' END
                WHEN r.key IS NULL THEN CASE WHEN s.digest IS NOT NULL THEN 'new' END
                -- Only a change that comes after a write counts: a trigger of the table may cause one each time.
                WHEN NOT same.url AND r.changes >= most_changes
                    AND r.changes_since > clock_timestamp() - interval '1 hour'
                    THEN CASE WHEN r.state <> 'paused' THEN 'restless' END
                WHEN NOT same.url OR s.digest IS NOT NULL AND (again = 'refresh' AND r.state IN ('done', 'failed')
                                                               OR again = 'repair' AND r.state = 'failed')
                    THEN 'changed' END AS kind
        ) w
        WHERE w.kind IS NOT NULL
        ORDER BY s.place);
END
$$;
COMMENT ON FUNCTION imgpress_internal.changed_rows(uuid, text[], boolean[], text[], bytea[], text) IS
    'Compares rows of an attached table, as they have been read, with what is known about them, and returns those for '
    'which there is something to do. again: as for take_rows()';

CREATE OR REPLACE FUNCTION imgpress_internal.pause_rows(attachment uuid, rows imgpress_internal.changed_row[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    restless text;
    paused record;
BEGIN
    FOR restless IN SELECT c.key FROM unnest(rows) c WHERE c.kind = 'restless' LOOP
        UPDATE imgpress_internal.attached_rows r
            SET state = 'paused', since = now(),
                reason = 'its URL has changed more than 5 times within an hour, each time after it was written'
            WHERE r.attachment_id = attachment AND r.key = restless
            RETURNING r.product_no, r.changes_since INTO paused;
        INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no, due_at)
            VALUES (attachment, paused.product_no, paused.changes_since + interval '1 hour');
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.pause_rows(uuid, imgpress_internal.changed_row[]) IS
    'Leaves restless rows, whose URL changes too often, alone for a while';

CREATE OR REPLACE FUNCTION imgpress_internal.forget_rows(attachment uuid, rows imgpress_internal.changed_row[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone record;
BEGIN
    FOR gone IN SELECT c.key, c.product_no FROM unnest(rows) c WHERE c.kind = 'gone' LOOP
        DELETE FROM imgpress.products p WHERE p.request_id = attachment AND p.product_no = gone.product_no;
        DELETE FROM imgpress_internal.attached_rows r WHERE r.attachment_id = attachment AND r.key = gone.key;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.forget_rows(uuid, imgpress_internal.changed_row[]) IS
    'Deletes what is known about rows that are gone, but for their images';

CREATE OR REPLACE FUNCTION imgpress_internal.append_images(
    attachment uuid, rows imgpress_internal.changed_row[], url_shape text, single boolean, last_product integer,
    last_image integer
) RETURNS imgpress_internal.changed_row[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanting imgpress_internal.changed_row[];
BEGIN
    WITH numbered AS (
        SELECT c.kind, c.key, c.digest, c.url_changed, c.place, c.url, coalesce(c.product_no, last_product
            + (row_number() OVER (PARTITION BY c.product_no IS NULL ORDER BY c.place))::integer) AS product_no
        FROM unnest(rows) WITH ORDINALITY
            c (kind, key, url, digest, product_no, url_changed, obsolete, wanted, place)
        WHERE c.kind IN ('new', 'changed')
    ), element AS (
        SELECT n.kind, n.key, n.digest, n.url_changed, n.place AS of_row, n.product_no, u.url, u.place,
               u.place IS NOT NULL
                   AND row_number() OVER (PARTITION BY n.place, u.url ORDER BY u.place) = 1 AS is_first
        FROM numbered n LEFT JOIN LATERAL unnest(
            CASE WHEN n.digest IS NOT NULL THEN imgpress_internal.attached_urls(n.url, url_shape, single) END
            ) WITH ORDINALITY AS u (url, place) ON true
    ), counted AS (
        SELECT e.*, (count(*) FILTER (WHERE e.is_first) OVER (ORDER BY e.of_row, e.place))::integer AS images
        FROM element e
    ), image AS (
        -- A URL that a row repeats is one image, and has the number of its first place.
        SELECT c.*, last_image + min(c.images) OVER (PARTITION BY c.of_row, c.url) AS no FROM counted c
    ), added AS (
        INSERT INTO imgpress.images (request_id, image_no, first_product_no, url)
            SELECT attachment, i.no, i.product_no, i.url FROM image i WHERE i.is_first ORDER BY i.no
    ), wanted AS (
        SELECT i.of_row, i.kind, i.key, i.digest, i.product_no, i.url_changed,
               coalesce(array_agg(i.no ORDER BY i.place) FILTER (WHERE i.place IS NOT NULL), '{}') AS nos
        FROM image i GROUP BY 1, 2, 3, 4, 5, 6
    )
    SELECT array_agg(ROW(w.kind, w.key, NULL, w.digest, w.product_no, w.url_changed, NULL, w.nos)
                     ::imgpress_internal.changed_row ORDER BY w.of_row)
        INTO wanting FROM wanted w;
    RETURN wanting;
END
$$;
COMMENT ON FUNCTION imgpress_internal.append_images(uuid, imgpress_internal.changed_row[], text, boolean, integer,
    integer) IS
    'Appends the images of new and changed rows, numbered behind last_image, and returns these with the numbers of '
    'their products and images';

CREATE OR REPLACE FUNCTION imgpress_internal.store_rows(attachment uuid, rows imgpress_internal.changed_row[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO imgpress.products (request_id, product_no, serial_number, product_name, image_nos, key)
        SELECT attachment, c.product_no, c.product_no, c.key, c.wanted, c.key FROM unnest(rows) c
        ON CONFLICT ON CONSTRAINT products_pkey DO UPDATE SET image_nos = excluded.image_nos;
    INSERT INTO imgpress_internal.attached_rows AS r (attachment_id, key, product_no, url_digest, wanted, state)
        SELECT attachment, c.key, c.product_no, c.digest, c.wanted, 'waiting' FROM unnest(rows) c
        ON CONFLICT ON CONSTRAINT attached_rows_pkey DO UPDATE
            SET url_digest = excluded.url_digest, wanted = excluded.wanted, state = 'waiting', reason = NULL,
                since = now(), changes = CASE
                    WHEN r.url_digest IS NOT DISTINCT FROM excluded.url_digest THEN r.changes
                    WHEN r.changes_since > clock_timestamp() - interval '1 hour'
                        THEN r.changes + (r.shown_digest IS NOT DISTINCT FROM r.url_digest)::integer
                    ELSE 1 END,
                changes_since = CASE WHEN r.changes_since > clock_timestamp() - interval '1 hour'
                    THEN r.changes_since ELSE clock_timestamp() END;
    -- Perhaps the output is to be cleared meanwhile.
    INSERT INTO imgpress_internal.attached_ends (attachment_id, product_no)
        SELECT attachment, c.product_no FROM unnest(rows) c
        WHERE c.wanted = '{}' OR c.kind = 'changed' AND c.url_changed;
END
$$;
COMMENT ON FUNCTION imgpress_internal.store_rows(uuid, imgpress_internal.changed_row[]) IS
    'Stores what new and changed rows want now';

CREATE OR REPLACE FUNCTION imgpress_internal.count_rows(attachment uuid, products integer, last_product integer,
    last_image integer, images integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE imgpress.processing_requests r
        SET product_count = r.product_count + products, image_count = r.image_count + images,
            last_image_no = CASE WHEN images > 0 THEN last_image ELSE r.last_image_no END
        WHERE r.id = attachment AND (products <> 0 OR images > 0);
    UPDATE imgpress_internal.attachment_progress p
        SET last_product_no = last_product, last_image_no = last_image, failures = 0, trouble = NULL
        WHERE p.attachment_id = attachment
          AND (p.last_product_no, p.last_image_no, p.failures) IS DISTINCT FROM (last_product, last_image, 0::smallint);
END
$$;
COMMENT ON FUNCTION imgpress_internal.count_rows(uuid, integer, integer, integer, integer) IS
    'Counts products that came less those that went, and images that came, and notes the last numbers';

CREATE OR REPLACE FUNCTION imgpress_internal.take_rows(
    attachment uuid, keys text[], present boolean[], urls text[], digests bytea[], url_shape text, output_shape text,
    again text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last_product integer;
    last_image integer;
    rows imgpress_internal.changed_row[];
    wanting imgpress_internal.changed_row[];
    change record;
    obsolete integer[];
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM FROM imgpress.processing_requests r WHERE r.id = attachment FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT p.last_product_no, greatest(p.last_image_no, r.last_image_no) INTO last_product, last_image
        FROM imgpress_internal.attachment_progress p, imgpress.processing_requests r
        WHERE p.attachment_id = attachment AND r.id = attachment;
    rows := imgpress_internal.changed_rows(attachment, keys, present, urls, digests, again);
    PERFORM imgpress_internal.pause_rows(attachment, rows);
    PERFORM imgpress_internal.forget_rows(attachment, rows);
    wanting := imgpress_internal.append_images(attachment, rows, url_shape, output_shape IN ('text', 'bytea'),
                                               last_product, last_image);
    PERFORM imgpress_internal.store_rows(attachment, wanting);
    SELECT (count(*) FILTER (WHERE c.kind = 'new'))::integer AS came,
           (count(*) FILTER (WHERE c.kind = 'gone'))::integer AS went,
           coalesce((SELECT max(n) FROM unnest(wanting) w, unnest(w.wanted) n), last_image) AS last_image
        INTO change FROM unnest(rows) c;
    PERFORM imgpress_internal.count_rows(attachment, change.came - change.went, last_product + change.came,
                                         change.last_image, change.last_image - last_image);
    obsolete := array(SELECT o FROM unnest(rows) c, unnest(c.obsolete) o);
    IF obsolete <> '{}' THEN
        PERFORM imgpress_internal.drop_attached_images(attachment, obsolete);
    END IF;
    IF change.last_image > last_image THEN
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

GRANT EXECUTE ON FUNCTION
    imgpress_internal.take_rows(uuid, text[], boolean[], text[], bytea[], text, text, text),
    imgpress_internal.forget_keys(text[], text[]),
    imgpress_internal.advance_scan(uuid, timestamptz, text[], integer, boolean, text)
    TO imgpress_worker;
