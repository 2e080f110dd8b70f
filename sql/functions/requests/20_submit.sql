-- Submitting: as CSV text, as an array of products, and through a view for \copy.

CREATE OR REPLACE FUNCTION imgpress_internal.complete_options(given jsonb) RETURNS jsonb
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_complete_options';
COMMENT ON FUNCTION imgpress_internal.complete_options(jsonb) IS
    'All options of an image: those given, and the settings for those that are missing or null. Error 22023 for an '
    'unknown option or a value that it does not allow';

CREATE OR REPLACE FUNCTION imgpress_internal.check_options(options jsonb) RETURNS boolean
    LANGUAGE c STRICT IMMUTABLE AS 'MODULE_PATHNAME', 'imgpress_check_options';
COMMENT ON FUNCTION imgpress_internal.check_options(jsonb) IS
    'True; error 22023 for a value that its option does not allow. Ignores options that this version does not know';
GRANT EXECUTE ON FUNCTION imgpress_internal.check_options(jsonb) TO imgpress_worker, imgpress_admin;

ALTER TABLE imgpress.processing_requests
    ALTER COLUMN options SET DEFAULT imgpress_internal.complete_options('{}'),
    DROP CONSTRAINT IF EXISTS options_are_valid,
    ADD CONSTRAINT options_are_valid CHECK (imgpress_internal.check_options(options));

CREATE OR REPLACE FUNCTION imgpress_internal.is_http_url(url text) RETURNS boolean
    LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_is_http_url';
COMMENT ON FUNCTION imgpress_internal.is_http_url(text) IS
    'Whether a text begins with http:// or https:// and has a host';

CREATE OR REPLACE FUNCTION imgpress_internal.read_input(
    csv text, products imgpress.product_input[],
    OUT product_no integer, OUT serial_number bigint, OUT product_name text,
    OUT image_nos integer[], OUT new_nos integer[], OUT new_urls text[], OUT input_fields text[]
) RETURNS SETOF record
    LANGUAGE c STABLE ROWS 10000 AS 'MODULE_PATHNAME', 'imgpress_read_products';
COMMENT ON FUNCTION imgpress_internal.read_input(text, imgpress.product_input[]) IS
    'The products of a CSV or an array, in input order. image_nos: the numbers of all images of the product; new_nos '
    'and new_urls: number and URL of those that no earlier product names. input_fields: the row of a CSV, if it has more '
    'than serial number, name and URLs, or in another order. One error lists every fault of the input';

CREATE OR REPLACE FUNCTION imgpress.csv_faults(csv text, OUT line integer, OUT "column" text, OUT message text)
    RETURNS SETOF record
    LANGUAGE c STRICT STABLE ROWS 10 AS 'MODULE_PATHNAME', 'imgpress_csv_faults';
COMMENT ON FUNCTION imgpress.csv_faults(text) IS
    'Checks a CSV without storing anything: one row for each fault, with its line. After 1000 faults a last row '
    'without a line says how many more there are. No row: submit_csv() will accept the CSV';
GRANT EXECUTE ON FUNCTION imgpress.csv_faults(text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.csv_faults(csv bytea, OUT line integer, OUT "column" text, OUT message text)
    RETURNS SETOF record
    LANGUAGE c STRICT STABLE ROWS 10 AS 'MODULE_PATHNAME', 'imgpress_csv_faults_of_bytes';
COMMENT ON FUNCTION imgpress.csv_faults(bytea) IS
    'Checks the bytes of a CSV file: first the encoding (UTF-8, or UTF-16 with a byte order mark), then like '
    'csv_faults(text)';
GRANT EXECUTE ON FUNCTION imgpress.csv_faults(bytea) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.ignored_columns(csv text) RETURNS text[]
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_ignored_columns';
COMMENT ON FUNCTION imgpress.ignored_columns(text) IS
    'The columns of a CSV that submit_csv() does not use, by heading, or by number if they have none';
GRANT EXECUTE ON FUNCTION imgpress.ignored_columns(text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress_internal.csv_headings(csv text) RETURNS text[]
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_csv_headings';
COMMENT ON FUNCTION imgpress_internal.csv_headings(text) IS 'The headings of a CSV, as they are written';

CREATE OR REPLACE FUNCTION imgpress_internal.usual_headings() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT ARRAY['S. No.', 'Product Name', 'Input Image Urls'] $$;
COMMENT ON FUNCTION imgpress_internal.usual_headings() IS
    'What the columns are called where the input had no headings, or exactly these';

CREATE OR REPLACE FUNCTION imgpress.csv_text(csv bytea) RETURNS text
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_csv_text';
COMMENT ON FUNCTION imgpress.csv_text(bytea) IS
    'The text of a CSV file in UTF-8, or in UTF-16 with a byte order mark. Error 22P04 names the line that is in '
    'neither. Example: SELECT imgpress.submit_csv(imgpress.csv_text(pg_read_binary_file(''products.csv'')))';
GRANT EXECUTE ON FUNCTION imgpress.csv_text(bytea) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress_internal.url_objection(url text) RETURNS text
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_url_objection';
COMMENT ON FUNCTION imgpress_internal.url_objection(text) IS
    'Why no connection may be made to a URL whose host is written as an address, as the error of an image says it; '
    'NULL if one may. NULL for a name too: its addresses are checked when it is connected to';

CREATE OR REPLACE FUNCTION imgpress_internal.checked_webhook_url(given text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    webhook_url constant text := nullif(btrim(given), '');
    objection text;
BEGIN
    IF NOT imgpress_internal.is_http_url(webhook_url) THEN
        RAISE EXCEPTION 'webhook_url "%" is not an http:// or https:// URL', webhook_url
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF webhook_url ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'webhook_url contains a control character, such as a line end: percent-encode it'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(webhook_url) > 2048 THEN
        RAISE EXCEPTION 'webhook_url is longer than 2048 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    objection := imgpress_internal.url_objection(webhook_url);
    IF objection IS NOT NULL THEN
        RAISE EXCEPTION 'webhook_url: %', objection
            USING ERRCODE = 'invalid_parameter_value', HINT = imgpress_internal.error_hint(objection, NULL);
    END IF;
    RETURN webhook_url;
END
$$;
COMMENT ON FUNCTION imgpress_internal.checked_webhook_url(text) IS
    'The webhook URL without spaces around it; NULL if nothing else is left. Error 22023 for one that cannot be called';

CREATE OR REPLACE FUNCTION imgpress_internal.store_request(
    csv text, products imgpress.product_input[], webhook_url text, request_id uuid, options jsonb
) RETURNS uuid
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    new_id uuid := coalesce(request_id, gen_random_uuid());
    stored_products integer;
    stored_images integer;
    last_no integer;
    header text[];
BEGIN
    IF NOT imgpress_internal.open_request(new_id, webhook_url, options - 'priority',
                                          imgpress_internal.checked_priority(options ->> 'priority')) THEN
        RETURN new_id;  -- this request has been submitted before
    END IF;
    WITH input AS MATERIALIZED (
        SELECT * FROM imgpress_internal.read_input(csv, products)
    ), new_products AS (
        INSERT INTO imgpress.products (request_id, product_no, serial_number, product_name, image_nos, input_fields)
        SELECT new_id, i.product_no, i.serial_number, i.product_name, i.image_nos, i.input_fields FROM input i
    ), new_images AS (
        INSERT INTO imgpress.images (request_id, image_no, first_product_no, url)
        SELECT new_id, n.image_no, i.product_no, n.url FROM input i, unnest(i.new_nos, i.new_urls) AS n(image_no, url)
    )
    SELECT count(*), sum(cardinality(i.new_nos)), max(i.new_nos[cardinality(i.new_nos)])
        INTO stored_products, stored_images, last_no FROM input i;
    PERFORM imgpress_internal.seal_request(new_id, stored_products, stored_images, last_no, NULL);
    header := imgpress_internal.csv_headings(csv);
    IF header <> imgpress_internal.usual_headings() THEN
        UPDATE imgpress.processing_requests r SET input_header = header WHERE r.id = new_id;
    END IF;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION imgpress_internal.store_request(text, imgpress.product_input[], text, uuid, jsonb) IS
    'Stores a request with its products and images; if the input has a fault, raises an error and stores nothing. '
    'options: those of its images, and priority';

CREATE OR REPLACE FUNCTION imgpress.submit_csv(
    csv text, webhook_url text DEFAULT NULL, quality integer DEFAULT NULL, request_id uuid DEFAULT NULL,
    effort text DEFAULT NULL, priority integer DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- A custom plan would hold a copy of the CSV.
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF csv IS NULL THEN
        RAISE EXCEPTION 'csv is NULL' USING ERRCODE = 'bad_copy_file_format';
    END IF;
    RETURN imgpress_internal.store_request(
        csv, NULL::imgpress.product_input[], webhook_url, request_id,
        jsonb_build_object('quality', quality, 'effort', effort, 'priority', priority));
END
$$;
COMMENT ON FUNCTION imgpress.submit_csv(text, text, integer, uuid, text, integer) IS
    'Submits a CSV with the columns serial number, product name and image URLs; returns the request id. Work starts '
    'when the transaction commits. '
    'quality, effort and priority default to the settings of these names; other options are settings only. '
    'A request_id that was submitted before is returned, and nothing is stored again; error 23505 if the request is '
    'somebody else''s';

CREATE OR REPLACE FUNCTION imgpress.submit(
    products imgpress.product_input[], webhook_url text DEFAULT NULL, quality integer DEFAULT NULL,
    request_id uuid DEFAULT NULL, effort text DEFAULT NULL, priority integer DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN imgpress_internal.store_request(
        NULL::text, coalesce(products, '{}'), webhook_url, request_id,
        jsonb_build_object('quality', quality, 'effort', effort, 'priority', priority));
END
$$;
COMMENT ON FUNCTION imgpress.submit(imgpress.product_input[], text, integer, uuid, text, integer) IS
    'Submits the products of a query, otherwise like submit_csv(). Example: SELECT imgpress.submit(array_agg((id, '
    'name, urls)::imgpress.product_input ORDER BY id)) FROM my_products';

-- The view for \copy: its triggers collect the rows while the statement runs, and submit them as CSV text when it
-- ends.
CREATE OR REPLACE VIEW imgpress.csv_upload AS
    SELECT NULL::text AS serial_number, NULL::text AS product_name, NULL::text AS input_image_urls WHERE false;
COMMENT ON VIEW imgpress.csv_upload IS
    'For loading a CSV with psql: \copy imgpress.csv_upload FROM ''products.csv'' CSV submits the file as one request, '
    'whose id a notice tells. Without HEADER, so that the columns are found by their names. Reading the view returns '
    'no rows';

CREATE OR REPLACE FUNCTION imgpress_internal.begin_csv_upload() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'imgpress_begin_csv_upload';
COMMENT ON FUNCTION imgpress_internal.begin_csv_upload() IS 'Begins a COPY into imgpress.csv_upload';

CREATE OR REPLACE FUNCTION imgpress_internal.collect_csv_upload() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'imgpress_collect_csv_upload';
COMMENT ON FUNCTION imgpress_internal.collect_csv_upload() IS 'Collects one row of a COPY into imgpress.csv_upload';

CREATE OR REPLACE FUNCTION imgpress_internal.submit_csv_upload() RETURNS trigger
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan  -- as submit_csv()
    AS 'MODULE_PATHNAME', 'imgpress_submit_csv_upload';
COMMENT ON FUNCTION imgpress_internal.submit_csv_upload() IS
    'Submits the rows of a COPY into imgpress.csv_upload when it ends. The first row is the header; if it is a product '
    'instead, the columns are those of the view';

CREATE OR REPLACE TRIGGER begin BEFORE INSERT ON imgpress.csv_upload
    FOR EACH STATEMENT EXECUTE FUNCTION imgpress_internal.begin_csv_upload();
CREATE OR REPLACE TRIGGER collect INSTEAD OF INSERT ON imgpress.csv_upload
    FOR EACH ROW EXECUTE FUNCTION imgpress_internal.collect_csv_upload();
CREATE OR REPLACE TRIGGER submit AFTER INSERT ON imgpress.csv_upload
    FOR EACH STATEMENT EXECUTE FUNCTION imgpress_internal.submit_csv_upload();

GRANT EXECUTE ON FUNCTION
    imgpress.submit_csv(text, text, integer, uuid, text, integer),
    imgpress.submit(imgpress.product_input[], text, integer, uuid, text, integer)
    TO imgpress_user;
GRANT SELECT, INSERT ON imgpress.csv_upload TO imgpress_user;
