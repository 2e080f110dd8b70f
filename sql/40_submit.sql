-- Ways in: CSV text, an array of products, a view for \copy, and an upload in parts.

CREATE FUNCTION imgpress.check_submission(webhook_url text, quality integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF quality IS NULL OR quality NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'quality % is out of range', coalesce(quality::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give an integer from 1 to 100; 50 is the default.';
    END IF;
    IF NOT imgpress.is_http_url(webhook_url) THEN
        RAISE EXCEPTION 'webhook_url "%" is not an http:// or https:// URL', webhook_url
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF webhook_url ~ '[\x01-\x1f\x7f-\x9f]' THEN
        RAISE EXCEPTION 'webhook_url has a control character in it, such as a line end'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Percent-encode it, or leave it out.';
    END IF;
    IF octet_length(webhook_url) > 2048 THEN
        RAISE EXCEPTION 'webhook_url is longer than 2048 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress.check_submission(text, integer) IS 'Internal: refuses a bad webhook URL or quality';

CREATE FUNCTION imgpress.store_request(
    csv text, products imgpress.product_input[], webhook_url text, quality integer, request_id uuid, effort text
) RETURNS uuid
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    new_id uuid := coalesce(request_id, gen_random_uuid());
    webhook text := nullif(btrim(webhook_url), '');
    stored_products integer;
    stored_images integer;
    stored_copies integer;
BEGIN
    PERFORM imgpress.check_submission(webhook, quality);
    INSERT INTO imgpress.processing_requests (id, webhook_url, quality, effort)
        VALUES (new_id, webhook, quality, imgpress.effort_or_setting(effort)) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN new_id;  -- the same request again
    END IF;
    WITH input AS MATERIALIZED (
        SELECT * FROM imgpress.read_input(csv, products)
    ), new_products AS (
        INSERT INTO imgpress.products (request_id, product_no, serial_number, product_name)
        SELECT new_id, i.product_no, i.serial_number, i.product_name FROM input i WHERE i.image_no = 1
    ), new_images AS (
        INSERT INTO imgpress.images (request_id, position, product_no, copy_of, url)
        SELECT new_id, i."position", i.product_no, i.copy_of, i.url FROM input i
    )
    SELECT max(i.product_no), max(i."position"), count(i.copy_of)
        INTO stored_products, stored_images, stored_copies FROM input i;
    UPDATE imgpress.processing_requests r
        SET product_count = stored_products, image_count = stored_images, copy_count = stored_copies
        WHERE r.id = new_id;
    IF NOT EXISTS (SELECT FROM imgpress.worker_state() w WHERE w.database = current_database()) THEN
        RAISE NOTICE 'no drainer is running for database "%": the request waits for one', current_database()
            USING HINT = 'imgpress must be in shared_preload_libraries, and the database in imgpress.databases.';
    END IF;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION imgpress.store_request(text, imgpress.product_input[], text, integer, uuid, text) IS
    'Internal: stores a request with its products and images, or nothing';

CREATE FUNCTION imgpress.submit_csv(
    csv text, webhook_url text DEFAULT NULL, quality integer DEFAULT 50, request_id uuid DEFAULT NULL,
    effort text DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- A plan for this one call would hold a copy of the CSV.
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN imgpress.store_request(coalesce(csv, ''), NULL::imgpress.product_input[], webhook_url, quality, request_id, effort);
END
$$;
COMMENT ON FUNCTION imgpress.submit_csv(text, text, integer, uuid, text) IS
    'Submits a CSV (serial number, product name, image URLs) and returns the request id; work starts at commit. effort is fast, balanced or small (NULL: the setting imgpress.effort). The same request_id twice is the same request';

CREATE FUNCTION imgpress.submit(
    products imgpress.product_input[], webhook_url text DEFAULT NULL, quality integer DEFAULT 50, request_id uuid DEFAULT NULL,
    effort text DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN imgpress.store_request(NULL::text, coalesce(products, '{}'), webhook_url, quality, request_id, effort);
END
$$;
COMMENT ON FUNCTION imgpress.submit(imgpress.product_input[], text, integer, uuid, text) IS
    'Submits products out of a query: SELECT imgpress.submit(array_agg((id, name, urls)::imgpress.product_input ORDER BY id)) FROM my_products';

-- The view for \copy: rows are collected while the statement runs and submitted at its end, so that
-- one COPY is one request.
CREATE UNLOGGED TABLE imgpress.csv_upload_rows (
    backend_pid      integer NOT NULL DEFAULT pg_backend_pid(),
    row_no           bigint GENERATED ALWAYS AS IDENTITY,
    serial_number    bigint,
    product_name     text,
    input_image_urls text
);
COMMENT ON TABLE imgpress.csv_upload_rows IS 'Internal: rows of a COPY into imgpress.csv_upload while it runs';

CREATE VIEW imgpress.csv_upload AS
    SELECT serial_number, product_name, input_image_urls FROM imgpress.csv_upload_rows WHERE false;
COMMENT ON VIEW imgpress.csv_upload IS
    'Load it: \copy imgpress.csv_upload FROM ''products.csv'' CSV HEADER submits the file as one request and tells its id; always empty to read';

CREATE FUNCTION imgpress.collect_csv_upload() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO imgpress.csv_upload_rows (serial_number, product_name, input_image_urls)
        VALUES (NEW.serial_number, NEW.product_name, NEW.input_image_urls);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION imgpress.collect_csv_upload() IS 'Internal: takes one row of a COPY into imgpress.csv_upload';

CREATE FUNCTION imgpress.submit_csv_upload() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    collected imgpress.product_input[];
BEGIN
    WITH taken AS (
        DELETE FROM imgpress.csv_upload_rows WHERE backend_pid = pg_backend_pid() RETURNING *
    )
    SELECT array_agg((serial_number, product_name, input_image_urls)::imgpress.product_input ORDER BY row_no)
        INTO collected FROM taken;
    RAISE NOTICE 'imgpress request %', imgpress.submit(collected);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION imgpress.submit_csv_upload() IS 'Internal: submits the rows of a COPY into imgpress.csv_upload at its end';

CREATE TRIGGER collect INSTEAD OF INSERT ON imgpress.csv_upload
    FOR EACH ROW EXECUTE FUNCTION imgpress.collect_csv_upload();
CREATE TRIGGER submit AFTER INSERT ON imgpress.csv_upload
    FOR EACH STATEMENT EXECUTE FUNCTION imgpress.submit_csv_upload();

-- An upload in parts: whoever receives a large CSV over the network can COPY it in as it arrives.
CREATE UNLOGGED TABLE imgpress.upload_parts (
    upload_id uuid NOT NULL,
    part_no   integer NOT NULL,
    bytes     bytea NOT NULL,
    PRIMARY KEY (upload_id, part_no)
);
ALTER TABLE imgpress.upload_parts ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE imgpress.upload_parts IS 'A CSV on its way in: COPY its UTF-8 bytes here in parts of any size, then call imgpress.submit_upload() in the same transaction';

CREATE FUNCTION imgpress.upload_bytes(upload_id uuid) RETURNS bytea
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_upload_bytes';
COMMENT ON FUNCTION imgpress.upload_bytes(uuid) IS 'Internal: the parts of an upload put together';

CREATE FUNCTION imgpress.submit_upload(
    upload_id uuid, webhook_url text DEFAULT NULL, quality integer DEFAULT 50, effort text DEFAULT NULL,
    OUT request_id uuid, OUT ignored_columns text[]
) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    csv text := imgpress.csv_text(imgpress.upload_bytes(upload_id));
BEGIN
    DELETE FROM imgpress.upload_parts p WHERE p.upload_id = submit_upload.upload_id;
    request_id := imgpress.submit_csv(csv, webhook_url, quality, effort => effort);
    ignored_columns := imgpress.ignored_columns(csv);
END
$$;
COMMENT ON FUNCTION imgpress.submit_upload(uuid, text, integer, text) IS 'Submits the CSV whose parts are in imgpress.upload_parts, like submit_csv(), and removes the parts; returns the request id and the columns that are not used';

CREATE FUNCTION imgpress.upload_faults(upload_id uuid, OUT line integer, OUT "column" text, OUT message text) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM imgpress.csv_faults(imgpress.upload_bytes($1))
$$;
COMMENT ON FUNCTION imgpress.upload_faults(uuid) IS 'Checks the CSV whose parts are in imgpress.upload_parts, like csv_faults()';
