-- What is written in C++.

CREATE FUNCTION imgpress.effort_or_setting(effort text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'imgpress_effort_or_setting';
COMMENT ON FUNCTION imgpress.effort_or_setting(text) IS
    'Internal: the effort itself, or for NULL the setting imgpress.effort; refuses any other word than fast, balanced, small';

-- Not STRICT: an effort of NULL is the setting.
CREATE FUNCTION imgpress.compress_image(image bytea, quality integer DEFAULT 50, effort text DEFAULT NULL) RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_compress_image';
COMMENT ON FUNCTION imgpress.compress_image(bytea, integer, text) IS
    'Compresses one image (JPEG, PNG, WebP, GIF) to a JPEG of this quality (1 to 100) with this effort (fast, balanced, small; NULL: the setting imgpress.effort) in a helper process; the result is never larger than the source';

CREATE FUNCTION imgpress.compress_image_url(url text, quality integer DEFAULT 50, effort text DEFAULT NULL) RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_compress_image_url';
COMMENT ON FUNCTION imgpress.compress_image_url(text, integer, text) IS
    'Downloads one image and compresses it like compress_image(); only public addresses and imgpress.allowed_networks are reached';

CREATE TYPE imgpress.product_input AS (
    serial_number    bigint,
    product_name     text,
    input_image_urls text
);
COMMENT ON TYPE imgpress.product_input IS
    'One product for imgpress.submit(); input_image_urls is a list like in the CSV (a comma splits where the next URL begins) or the text of an array';

CREATE FUNCTION imgpress.read_input(
    csv text, products imgpress.product_input[],
    OUT product_no integer, OUT serial_number bigint, OUT product_name text,
    OUT "position" integer, OUT image_no integer, OUT url text, OUT copy_of integer
) RETURNS SETOF record
    LANGUAGE c STABLE ROWS 10000 AS 'MODULE_PATHNAME', 'imgpress_read_input';
COMMENT ON FUNCTION imgpress.read_input(text, imgpress.product_input[]) IS
    'Internal: the images of a CSV (or of an array of products) in input order, copy_of being the position where the same URL stands first; one error names every fault';

CREATE FUNCTION imgpress.csv_faults(csv text, OUT line integer, OUT "column" text, OUT message text)
    RETURNS SETOF record
    LANGUAGE c STRICT STABLE ROWS 10 AS 'MODULE_PATHNAME', 'imgpress_csv_faults';
COMMENT ON FUNCTION imgpress.csv_faults(text) IS
    'Checks a CSV without storing anything: every fault with its line (the first 1000, and a last row without a line that tells how many more); no row means that submit_csv() will take it';

CREATE FUNCTION imgpress.csv_faults(csv bytea, OUT line integer, OUT "column" text, OUT message text)
    RETURNS SETOF record
    LANGUAGE c STRICT STABLE ROWS 10 AS 'MODULE_PATHNAME', 'imgpress_csv_faults_of_bytes';
COMMENT ON FUNCTION imgpress.csv_faults(bytea) IS
    'Checks the bytes of a CSV file likewise, its encoding (UTF-8, or UTF-16 with a byte order mark) first';

CREATE FUNCTION imgpress.ignored_columns(csv text) RETURNS text[]
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_ignored_columns';
COMMENT ON FUNCTION imgpress.ignored_columns(text) IS
    'The headings of a CSV that submit_csv() has no use for; a column without a heading is named by its number';

CREATE FUNCTION imgpress.csv_text(csv bytea) RETURNS text
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_csv_text';
COMMENT ON FUNCTION imgpress.csv_text(bytea) IS
    'The text of a CSV file in UTF-8 or, with a byte order mark, in UTF-16; error 22P04 with the line where it is not: SELECT imgpress.submit_csv(imgpress.csv_text(pg_read_binary_file(''products.csv'')))';

CREATE FUNCTION imgpress.output_url(request_id uuid, "position" integer, source_url text) RETURNS text
    LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_output_url';
COMMENT ON FUNCTION imgpress.output_url(uuid, integer, text) IS
    'Public URL of an output, after imgpress.public_url and imgpress.output_url_style';

CREATE FUNCTION imgpress.is_http_url(url text) RETURNS boolean
    LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_is_http_url';
COMMENT ON FUNCTION imgpress.is_http_url(text) IS 'Whether a text begins with http:// or https:// and has a host';

CREATE FUNCTION imgpress.wake_drainer() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'imgpress_wake_drainer';
COMMENT ON FUNCTION imgpress.wake_drainer() IS 'Internal: wakes the drainer of this database when the transaction commits';

CREATE FUNCTION imgpress.wake_drainer_trigger() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'imgpress_wake_drainer_trigger';
COMMENT ON FUNCTION imgpress.wake_drainer_trigger() IS 'Internal: wakes the drainer of this database when the transaction commits';

CREATE TRIGGER wake_drainer AFTER INSERT ON imgpress.processing_requests
    FOR EACH STATEMENT EXECUTE FUNCTION imgpress.wake_drainer_trigger();

CREATE FUNCTION imgpress.wait(request_id uuid, timeout interval DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'imgpress_wait';
COMMENT ON FUNCTION imgpress.wait(uuid, interval) IS
    'Waits until a request has ended or the time-out has passed (NULL: no limit) and returns its status';

CREATE FUNCTION imgpress.worker_state(
    OUT database text, OUT pid integer, OUT started_at timestamptz, OUT fetching integer,
    OUT waiting integer, OUT compressing integer, OUT finished bigint
) RETURNS SETOF record
    LANGUAGE c VOLATILE ROWS 4 AS 'MODULE_PATHNAME', 'imgpress_worker_state';
COMMENT ON FUNCTION imgpress.worker_state() IS 'Internal: what each drainer of this cluster is doing, see the view imgpress.workers';
