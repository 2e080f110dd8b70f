-- Repairing a request: its failed images are tried again, or its URLs replaced by others.

CREATE OR REPLACE FUNCTION imgpress_internal.checked_error_code(given text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known constant text[] := array(SELECT c.code FROM imgpress.error_codes() c);
BEGIN
    IF given <> ALL (known) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = imgpress_internal.unknown_name('error code', given, known);
    END IF;
    RETURN given;
END
$$;
COMMENT ON FUNCTION imgpress_internal.checked_error_code(text) IS 'Error 22023 for a code that imgpress does not have';

CREATE OR REPLACE FUNCTION imgpress.retry_failed(
    request_id uuid DEFAULT NULL, only_transient boolean DEFAULT false, error_code text DEFAULT NULL,
    host text DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    only_code text;
    only_host constant text := imgpress_internal.checked_host(host);
    again bigint := 0;
    one record;
    reset_images integer;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    IF request_id IS NOT NULL THEN
        PERFORM imgpress_internal.find_request(request_id);
    END IF;
    only_code := imgpress_internal.checked_error_code(error_code);
    FOR one IN
        SELECT r.id, r.standing FROM imgpress.processing_requests r
        WHERE r.failed_count > 0 AND (r.ended_at IS NOT NULL OR r.standing)
          AND (retry_failed.request_id IS NULL AND (r.status = 'Completed' OR r.standing)
               OR r.id = retry_failed.request_id)
          AND imgpress_internal.may_see(r.submitted_by)
        ORDER BY r.id FOR NO KEY UPDATE
    LOOP
        UPDATE imgpress.images i
            SET status = 'Pending', retry_at = clock_timestamp(), ended_at = NULL, attempts = 0,
                failed_attempts = 0, codec_crashes = 0, interruptions = 0,
                error_code = NULL, error = NULL, http_status = NULL
            WHERE i.request_id = one.id AND i.error_code IS NOT NULL AND i.status = 'Failed'
              AND (i.transient OR only_transient IS NOT TRUE)
              AND (only_code IS NULL OR i.error_code = only_code)
              AND (only_host IS NULL OR only_host = ANY (imgpress_internal.host_patterns(i.url)));
        GET DIAGNOSTICS reset_images = ROW_COUNT;
        CONTINUE WHEN reset_images = 0;
        UPDATE imgpress.processing_requests r
            SET status = 'Processing', run = CASE WHEN r.standing THEN r.run ELSE r.run + 1 END, reason = NULL,
                ended_at = NULL, started_at = coalesce(r.started_at, clock_timestamp()),
                failed_count = r.failed_count - reset_images
            WHERE r.id = one.id;
        again := again + reset_images;
    END LOOP;
    PERFORM imgpress_internal.wake_drainer();
    RETURN again;
END
$$;
COMMENT ON FUNCTION imgpress.retry_failed(uuid, boolean, text, text) IS
    'Puts the failed images of an ended request back into the queue; NULL: of all Completed requests, and attached '
    'tables, that the caller may see. only_transient: only images whose error may be temporary; error_code: only those '
    'with this error; host: only those from this host, or pattern, as in imgpress.hosts. Returns the number of images';
GRANT EXECUTE ON FUNCTION imgpress.retry_failed(uuid, boolean, text, text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress_internal.check_pairs(old text[], new text[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fault record;
BEGIN
    IF cardinality(old) IS DISTINCT FROM cardinality(new) THEN
        RAISE EXCEPTION 'old has % URLs, and new has %', coalesce(cardinality(old)::text, 'no list of'),
            coalesce(cardinality(new)::text, 'no list of') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT p.new INTO fault FROM unnest(old, new) AS p(old, new)
        WHERE imgpress_internal.is_http_url(btrim(p.new)) IS NOT TRUE OR octet_length(p.new) > 8192 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the new URL % is not an http:// or https:// URL of at most 8192 bytes',
            coalesce('"' || left(fault.new, 100) || '"', 'NULL') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT p.new, cardinality(u.urls) AS urls INTO fault FROM unnest(old, new) AS p(old, new)
        CROSS JOIN LATERAL (SELECT imgpress_internal.split_urls(p.new) AS urls) u
        WHERE cardinality(u.urls) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the new URL "%" is a list of % URLs', left(fault.new, 200), fault.urls
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'One URL takes the place of another. If it is one URL, write its comma as %2C.';
    END IF;
    SELECT p.old, min(btrim(p.new)) AS one, max(btrim(p.new)) AS other INTO fault
        FROM unnest(old, new) AS p(old, new) GROUP BY p.old HAVING count(DISTINCT btrim(p.new)) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the old URL "%" has two new ones, "%" and "%"', fault.old, fault.one, fault.other
            USING ERRCODE = 'cardinality_violation', HINT = 'Give each old URL once.';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_pairs(text[], text[]) IS
    'Error 22023 for a new URL that cannot be downloaded, or is a list of several; 21000 for an old one with two new '
    'ones';

CREATE OR REPLACE FUNCTION imgpress_internal.move_images(request_id uuid, nos integer[], targets integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    -- A request that was just submitted has no statistics yet: nested loops would take the square of the pairs.
    SET enable_nestloop = off SET jit = off
AS $$
BEGIN
    WITH named AS MATERIALIZED (
        SELECT p.product_no, n.image_no, n.place FROM imgpress.products p,
            LATERAL unnest(p.image_nos) WITH ORDINALITY AS n(image_no, place)
        WHERE p.request_id = move_images.request_id
    ), hit AS MATERIALIZED (
        SELECT n.product_no, array_agg(coalesce(m.target, n.image_no) ORDER BY n.place) AS image_nos
        FROM named n LEFT JOIN unnest(nos, targets) AS m(image_no, target) ON m.image_no = n.image_no
        GROUP BY 1 HAVING bool_or(m.target IS NOT NULL)
    )
    UPDATE imgpress.products p SET image_nos = h.image_nos FROM hit h
        WHERE p.request_id = move_images.request_id AND p.product_no = h.product_no;
    UPDATE imgpress.images i SET first_product_no = f.product_no
        FROM (
            SELECT m.target, min(o.first_product_no) AS product_no FROM unnest(nos, targets) AS m(image_no, target)
            JOIN imgpress.images o ON o.request_id = move_images.request_id AND o.image_no = m.image_no GROUP BY 1
        ) f
        WHERE i.request_id = move_images.request_id AND i.image_no = f.target AND i.first_product_no > f.product_no;
    DELETE FROM imgpress_internal.image_aliases a
        WHERE a.request_id = move_images.request_id AND a.image_no = ANY (nos);
END
$$;
COMMENT ON FUNCTION imgpress_internal.move_images(uuid, integer[], integer[]) IS
    'Has the products that name these images name others instead';

CREATE OR REPLACE FUNCTION imgpress_internal.drop_images(
    request_id uuid, nos integer[], OUT images integer, OUT succeeded integer, OUT failed integer,
    OUT source_size bigint, OUT output_size bigint
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    freed bigint[];
BEGIN
    WITH gone AS (
        DELETE FROM imgpress_internal.image_outputs o
            WHERE o.request_id = drop_images.request_id AND o.image_no = ANY (nos) RETURNING o.blob_id
    )
    SELECT array_agg(g.blob_id), coalesce(sum(b.source_bytes), 0), coalesce(sum(octet_length(b.bytes)), 0)
        INTO freed, source_size, output_size
        FROM gone g JOIN imgpress_internal.blobs b ON b.blob_id = g.blob_id;
    PERFORM imgpress_internal.sweep_blobs(freed);
    WITH gone AS (
        DELETE FROM imgpress.images i WHERE i.request_id = drop_images.request_id AND i.image_no = ANY (nos)
            RETURNING i.status
    )
    SELECT count(*), count(*) FILTER (WHERE g.status = 'Completed'), count(*) FILTER (WHERE g.status = 'Failed')
        INTO images, succeeded, failed FROM gone g;
END
$$;
COMMENT ON FUNCTION imgpress_internal.drop_images(uuid, integer[]) IS
    'Deletes images with their outputs, and tells what that takes off the counters of the request';

CREATE OR REPLACE FUNCTION imgpress_internal.settle_repair(
    request_id uuid, created integer, images integer, succeeded integer, failed integer,
    source_size bigint, output_size bigint
) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE imgpress.processing_requests r
        SET image_count = r.image_count + created - images, succeeded_count = r.succeeded_count - succeeded,
            failed_count = r.failed_count - failed, source_bytes = r.source_bytes - source_size,
            output_bytes = r.output_bytes - output_size,
            -- A number that was claimed is not used again: its output URL may be in caches for a year.
            last_image_no = greatest(n.last, r.claimed_up_to),
            status = CASE WHEN n.reopened THEN 'Processing' ELSE r.status END,
            run = CASE WHEN n.reopened THEN r.run + 1 ELSE r.run END,
            ended_at = CASE WHEN n.reopened THEN NULL ELSE r.ended_at END,
            started_at = CASE WHEN n.reopened THEN coalesce(r.started_at, clock_timestamp()) ELSE r.started_at END,
            reason = CASE WHEN n.reopened THEN NULL
                          WHEN r.status = 'Completed' THEN imgpress_internal.failure_summary(
                              r.id, r.failed_count - failed, r.image_count + created - images)
                          ELSE r.reason END
        FROM (SELECT max(i.image_no) AS last, created > 0 AND q.ended_at IS NOT NULL AS reopened
              FROM imgpress.images i, imgpress.processing_requests q
              WHERE i.request_id = settle_repair.request_id AND q.id = settle_repair.request_id
              GROUP BY q.ended_at) n
        WHERE r.id = settle_repair.request_id;
    -- What was merged may have been the last that a running request waited for.
    IF EXISTS (SELECT FROM imgpress.processing_requests r
               WHERE r.id = settle_repair.request_id AND r.status = 'Processing'
                 AND r.succeeded_count + r.failed_count = r.image_count) THEN
        PERFORM imgpress_internal.count_ended(ARRAY[request_id], '{0}', '{0}', '{0}', '{0}');
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.settle_repair(uuid, integer, integer, integer, integer, bigint, bigint) IS
    'After images of a request were created and deleted: its counters, and whether it is open. images to output_size: '
    'as from drop_images()';

CREATE OR REPLACE FUNCTION imgpress_internal.lock_for_repair(request_id uuid) RETURNS imgpress.processing_requests
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request imgpress.processing_requests;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM FROM imgpress.processing_requests r
        WHERE r.id = lock_for_repair.request_id AND imgpress_internal.may_see(r.submitted_by) FOR NO KEY UPDATE;
    request := imgpress_internal.find_request(request_id);
    IF request.standing THEN
        RAISE EXCEPTION 'request % belongs to an attached table', request_id
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Change the URL in the table.';
    ELSIF request.product_count = 0 THEN  -- by the very query that is submitted
        RAISE EXCEPTION 'request % is being submitted', request_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN request;
END
$$;
COMMENT ON FUNCTION imgpress_internal.lock_for_repair(uuid) IS
    'Locks and returns a request of the caller whose URLs are to be replaced; an error if they cannot be';

CREATE OR REPLACE FUNCTION imgpress_internal.create_replacements(
    request imgpress.processing_requests, old text[], new text[],
    OUT nos integer[], OUT targets integer[], OUT replaced bigint, OUT merged bigint, OUT not_found bigint
)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    -- As move_images().
    SET enable_nestloop = off SET jit = off
AS $$
BEGIN
    WITH pair AS MATERIALIZED (
        SELECT DISTINCT p.old AS old_url, btrim(p.new) AS new_url FROM unnest(old, new) AS p(old, new)
    ), found AS MATERIALIZED (
        SELECT p.old_url, p.new_url, i.image_no FROM pair p
        LEFT JOIN imgpress.images i ON i.request_id = request.id AND i.url = p.old_url
    ), goal AS MATERIALIZED (
        -- A URL that stays in the request has an image already; another gets one, with a number not used before.
        SELECT f.new_url, s.image_no AS there, min(f.image_no) AS first_no
        FROM found f
        LEFT JOIN imgpress.images s ON s.request_id = request.id AND s.url = f.new_url
            AND NOT EXISTS (SELECT FROM found c WHERE c.image_no = s.image_no AND c.new_url <> c.old_url)
        WHERE f.image_no IS NOT NULL GROUP BY 1, 2
    ), numbered AS MATERIALIZED (
        SELECT g.new_url, g.there, g.first_no,
               coalesce(g.there, request.last_image_no + row_number() OVER (
                   ORDER BY g.there NULLS FIRST, g.first_no))::integer AS target
        FROM goal g
    ), created AS (
        INSERT INTO imgpress.images (request_id, image_no, first_product_no, url)
            SELECT request.id, n.target, i.first_product_no, n.new_url FROM numbered n
            JOIN imgpress.images i ON i.request_id = request.id AND i.image_no = n.first_no
            WHERE n.there IS NULL
    )
    SELECT array_agg(f.image_no) FILTER (WHERE f.new_url <> f.old_url),
           array_agg(n.target) FILTER (WHERE f.new_url <> f.old_url),
           count(*) FILTER (WHERE n.there IS NULL AND f.image_no = n.first_no),
           count(*) FILTER (WHERE f.image_no IS NULL), count(f.image_no)
        INTO nos, targets, replaced, not_found, merged
        FROM found f LEFT JOIN numbered n ON n.new_url = f.new_url AND f.image_no IS NOT NULL;
    merged := merged - replaced;
END
$$;
COMMENT ON FUNCTION imgpress_internal.create_replacements(imgpress.processing_requests, text[], text[]) IS
    'Creates an image for each new URL that the request does not have. nos: the images of the old URLs; targets: those '
    'that take their places. replaced, merged, not_found: as replace_urls() returns them';

CREATE OR REPLACE FUNCTION imgpress.replace_urls(
    request_id uuid, old text[], new text[], OUT replaced bigint, OUT merged bigint, OUT not_found bigint
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- As move_images().
    SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    request imgpress.processing_requests;
    made record;
    gone record;
BEGIN
    request := imgpress_internal.lock_for_repair(request_id);
    PERFORM imgpress_internal.check_pairs(old, new);
    -- A worker that has one of them does not wait for a lock: it is told that its lease is gone.
    PERFORM FROM imgpress.images i WHERE i.request_id = replace_urls.request_id AND i.url = ANY (old)
        ORDER BY i.image_no FOR UPDATE;
    made := imgpress_internal.create_replacements(request, old, new);
    replaced := made.replaced;
    merged := made.merged;
    not_found := made.not_found;
    IF made.nos IS NOT NULL THEN
        PERFORM imgpress_internal.move_images(request_id, made.nos, made.targets);
        gone := imgpress_internal.drop_images(request_id, made.nos);
        PERFORM imgpress_internal.settle_repair(request_id, replaced::integer, gone.images, gone.succeeded, gone.failed,
                                                gone.source_size, gone.output_size);
        PERFORM imgpress_internal.wake_drainer();
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress.replace_urls(uuid, text[], text[]) IS
    'Replaces each old URL of a request by the new one in the same place: old images go with their outputs, new ones '
    'are processed, and a request that has ended is Processing again. replaced: became a new image; merged: the new URL '
    'was in the request already, and the products point to its image; not_found: old URLs that the request does not '
    'have. Example: SELECT * FROM imgpress.replace_urls(:''request'', array_agg(was), array_agg(is)) FROM my_pairs';

CREATE OR REPLACE FUNCTION imgpress.replace_url(
    request_id uuid, old text, new text, OUT replaced bigint, OUT merged bigint, OUT not_found bigint
)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM imgpress.replace_urls(request_id, ARRAY[old], ARRAY[new])
$$;
COMMENT ON FUNCTION imgpress.replace_url(uuid, text, text) IS 'replace_urls() for one URL';
GRANT EXECUTE ON FUNCTION imgpress.replace_urls(uuid, text[], text[]), imgpress.replace_url(uuid, text, text)
    TO imgpress_user;
