-- imgpress: compresses product images inside PostgreSQL.
\echo Use "CREATE EXTENSION imgpress" to load this file. \quit

-- Functions with their owner's rights find each other by name in this schema. Whoever made it before,
-- or put something into it, could have prepared a twin of theirs.
DO $guard$
BEGIN
    IF (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'imgpress') <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
       OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'imgpress'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'imgpress'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = 'imgpress'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oprnamespace = 'imgpress'::pg_catalog.regnamespace) THEN
        RAISE EXCEPTION 'schema "imgpress" exists already and is not an empty one of yours'
            USING ERRCODE = 'duplicate_schema', HINT = 'Look what is in it, then drop or rename it: imgpress makes its own.';
    END IF;
END
$guard$;
-- Roles belong to the whole cluster, so another database's imgpress may have made them already.
DO $roles$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['imgpress_user', 'imgpress_gateway', 'imgpress_admin', 'imgpress_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END
$roles$;

COMMENT ON ROLE imgpress_user IS 'imgpress: may submit, watch, cancel and retry requests and call the compress functions';
COMMENT ON ROLE imgpress_gateway IS 'imgpress: what the HTTP gateway needs and nothing else';
COMMENT ON ROLE imgpress_admin IS 'imgpress: may do what imgpress_user may, purge, schedule maintenance and read the webhook secrets';
COMMENT ON ROLE imgpress_worker IS 'imgpress: the drainer works under this role';
GRANT imgpress_user TO imgpress_admin;
-- Requests, products, images and outputs.
--
-- Children carry no foreign keys: only the functions of this schema write them, and a per-row check
-- would cost more than the row itself in a request of a million images. A trigger on
-- processing_requests removes the children of a deleted request instead.

CREATE TABLE imgpress.processing_requests (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    status        text NOT NULL DEFAULT 'Pending'
                  CHECK (status IN ('Pending', 'Processing', 'Completed', 'Failed')),
    quality       smallint NOT NULL DEFAULT 50 CHECK (quality BETWEEN 1 AND 100),
    effort        text NOT NULL DEFAULT 'balanced' CHECK (effort IN ('fast', 'balanced', 'small')),
    webhook_url   text CHECK (octet_length(webhook_url) <= 2048),
    reason        text,
    product_count integer NOT NULL DEFAULT 0,
    image_count   integer NOT NULL DEFAULT 0,
    copy_count    integer NOT NULL DEFAULT 0,
    claimed_count integer NOT NULL DEFAULT 0,
    done_count    integer NOT NULL DEFAULT 0,
    failed_count  integer NOT NULL DEFAULT 0,
    source_bytes  bigint NOT NULL DEFAULT 0,
    output_bytes  bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_at    timestamptz,
    started_at    timestamptz,
    ended_at      timestamptz,
    announced     text
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

COMMENT ON TABLE imgpress.processing_requests IS 'One row for each submitted request; a row is Completed in the transaction that stores its last output';
COMMENT ON COLUMN imgpress.processing_requests.status IS 'Pending (not started), Processing, Completed (every image ended, some perhaps with an error) or Failed (the request as a whole, see reason)';
COMMENT ON COLUMN imgpress.processing_requests.quality IS 'JPEG quality of the outputs, 1 to 100 (IJG scale)';
COMMENT ON COLUMN imgpress.processing_requests.effort IS 'What a smaller file may cost: fast, balanced or small; what the submitter gave, or the setting imgpress.effort of the submitting session';
COMMENT ON COLUMN imgpress.processing_requests.webhook_url IS 'Gets a signed POST when the request has ended';
COMMENT ON COLUMN imgpress.processing_requests.reason IS 'Why a Failed request failed';
COMMENT ON COLUMN imgpress.processing_requests.copy_count IS 'Images whose URL stands earlier in the request: they end together with the first one, without work of their own';
COMMENT ON COLUMN imgpress.processing_requests.claimed_count IS 'Images 1 to claimed_count have been handed to a drainer at least once, or are copies of such';
COMMENT ON COLUMN imgpress.processing_requests.done_count IS 'Images with an output';
COMMENT ON COLUMN imgpress.processing_requests.failed_count IS 'Images set aside, see imgpress.failures';
COMMENT ON COLUMN imgpress.processing_requests.source_bytes IS 'Downloaded bytes of the images that have an output; a copy counts as much as its original';
COMMENT ON COLUMN imgpress.processing_requests.output_bytes IS 'Bytes of the outputs, copies included';
COMMENT ON COLUMN imgpress.processing_requests.announced IS 'What the last webhook told (status and done_count): the same is not told twice';
COMMENT ON COLUMN imgpress.processing_requests.claimed_at IS 'When a drainer last took images of this request: whoever waits longest is served next';

-- Requests with images that nobody has taken yet, in the order of their turn.
CREATE INDEX processing_requests_turn ON imgpress.processing_requests (claimed_at NULLS FIRST, created_at)
    WHERE claimed_count < image_count AND status IN ('Pending', 'Processing');
CREATE INDEX processing_requests_ended ON imgpress.processing_requests (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE imgpress.products (
    request_id    uuid NOT NULL,
    product_no    integer NOT NULL,
    serial_number integer NOT NULL,
    product_name  text NOT NULL,
    PRIMARY KEY (request_id, product_no)
);

COMMENT ON TABLE imgpress.products IS 'The products of a request in input order; names and serial numbers may repeat';
COMMENT ON COLUMN imgpress.products.product_no IS '1, 2, 3, ... in input order';
COMMENT ON COLUMN imgpress.products.serial_number IS 'As the input gave it';

-- Half-filled pages keep the two updates of an image (claim, finish) on its page and out of every
-- index: no index covers a column that changes on the way to success.
CREATE TABLE imgpress.images (
    request_id      uuid NOT NULL,
    position        integer NOT NULL,
    product_no      integer NOT NULL,
    copy_of         integer,
    attempts        smallint NOT NULL DEFAULT 0,
    failed_attempts smallint NOT NULL DEFAULT 0,
    codec_crashes   smallint NOT NULL DEFAULT 0,
    lease_token     bigint,
    retry_at        timestamptz,
    ended_at        timestamptz,
    transient       boolean NOT NULL DEFAULT false,
    status          text NOT NULL DEFAULT 'Pending'
                    CHECK (status IN ('Pending', 'Processing', 'Completed', 'Failed')),
    url             text NOT NULL,
    error_code      text,
    error           text,
    PRIMARY KEY (request_id, position)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

COMMENT ON TABLE imgpress.images IS 'One row for each image URL of a request';
COMMENT ON COLUMN imgpress.images.position IS '1, 2, 3, ... over the whole request in input order';
COMMENT ON COLUMN imgpress.images.copy_of IS 'Position of the first image of the request with the same URL, if that is another one: this image is never worked on, but ends as that one does';
COMMENT ON COLUMN imgpress.images.attempts IS 'Times that work on it was begun; counted before the work';
COMMENT ON COLUMN imgpress.images.failed_attempts IS 'Attempts that ended with a transient error, limited by imgpress.max_attempts';
COMMENT ON COLUMN imgpress.images.codec_crashes IS 'Times that it ended the codec process that held it; set aside at the third';
COMMENT ON COLUMN imgpress.images.lease_token IS 'Who may finish it: only the holder of this token';
COMMENT ON COLUMN imgpress.images.retry_at IS 'When the next attempt is due, where one is';
COMMENT ON COLUMN imgpress.images.transient IS 'The last error is of a kind that may pass by itself: a later attempt may succeed';
COMMENT ON COLUMN imgpress.images.error_code IS 'Short name of the last error, e.g. http_status, timeout, damaged_image';
COMMENT ON COLUMN imgpress.images.error IS 'The last error in words';

CREATE INDEX images_retry ON imgpress.images (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX images_copies ON imgpress.images (request_id, copy_of, position) WHERE copy_of IS NOT NULL;
CREATE INDEX images_errors ON imgpress.images (request_id, position) WHERE error_code IS NOT NULL;

CREATE TABLE imgpress.outputs (
    request_id   uuid NOT NULL,
    position     integer NOT NULL,
    content_type text NOT NULL,
    etag         text NOT NULL,
    width        integer NOT NULL,
    height       integer NOT NULL,
    source_bytes integer NOT NULL,
    kept_source  boolean NOT NULL,
    warning      text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    bytes        bytea NOT NULL,
    PRIMARY KEY (request_id, position)
);
-- Images do not compress any further: don't let TOAST try.
ALTER TABLE imgpress.outputs ALTER COLUMN bytes SET STORAGE EXTERNAL;

COMMENT ON TABLE imgpress.outputs IS 'The compressed images';
COMMENT ON COLUMN imgpress.outputs.kept_source IS 'The source''s own bytes, because no JPEG of this quality would have been smaller';
COMMENT ON COLUMN imgpress.outputs.width IS 'Pixels as stored, before any EXIF orientation';
COMMENT ON COLUMN imgpress.outputs.height IS 'Pixels as stored, before any EXIF orientation';
COMMENT ON COLUMN imgpress.outputs.source_bytes IS 'Size of the downloaded image in bytes';
COMMENT ON COLUMN imgpress.outputs.warning IS 'What is remarkable about this success, if anything';
COMMENT ON COLUMN imgpress.outputs.etag IS 'Validator for HTTP caches, without quotes';

CREATE TABLE imgpress.leases (
    token       bigint PRIMARY KEY,
    request_ids uuid[] NOT NULL,
    positions   integer[] NOT NULL,
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE imgpress.leases IS 'Batches of images that a drainer has claimed and not finished yet; what a dead drainer left here is rescued';

-- The same URL a hundred thousand times must not end in one transaction of minutes: what is left of
-- such a crowd is noted here, and ended in portions.
CREATE TABLE imgpress.copies_due (
    request_id uuid NOT NULL,
    position   integer NOT NULL,
    reached    integer NOT NULL DEFAULT 0,
    PRIMARY KEY (request_id, position)
);
COMMENT ON TABLE imgpress.copies_due IS 'Images that have ended while copies of them are still to end likewise';
COMMENT ON COLUMN imgpress.copies_due.reached IS 'Copies up to this position have ended';

CREATE FUNCTION imgpress.delete_children() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM imgpress.outputs c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.images c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.copies_due c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.products c USING gone WHERE c.request_id = gone.id;
    DELETE FROM imgpress.webhook_deliveries c USING gone WHERE c.request_id = gone.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION imgpress.delete_children() IS 'Internal: takes products, images, outputs and deliveries along with a deleted request';

CREATE TRIGGER delete_children AFTER DELETE ON imgpress.processing_requests
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION imgpress.delete_children();
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
    serial_number    integer,
    product_name     text,
    input_image_urls text
);
COMMENT ON TYPE imgpress.product_input IS
    'One product for imgpress.submit(); input_image_urls is a list like in the CSV (a comma splits where the next URL begins) or the text of an array';

CREATE FUNCTION imgpress.read_input(
    csv text, products imgpress.product_input[],
    OUT product_no integer, OUT serial_number integer, OUT product_name text,
    OUT "position" integer, OUT image_no integer, OUT url text, OUT copy_of integer
) RETURNS SETOF record
    LANGUAGE c STABLE ROWS 10000 AS 'MODULE_PATHNAME', 'imgpress_read_input';
COMMENT ON FUNCTION imgpress.read_input(text, imgpress.product_input[]) IS
    'Internal: the images of a CSV (or of an array of products) in input order, copy_of being the position where the same URL stands first; one error names every fault';

CREATE FUNCTION imgpress.csv_faults(csv text, OUT line integer, OUT "column" text, OUT message text)
    RETURNS SETOF record
    LANGUAGE c STRICT STABLE ROWS 10 AS 'MODULE_PATHNAME', 'imgpress_csv_faults';
COMMENT ON FUNCTION imgpress.csv_faults(text) IS
    'Checks a CSV without storing anything: every fault with its line; no row means that submit_csv() will take it';

CREATE FUNCTION imgpress.csv_faults(csv bytea, OUT line integer, OUT "column" text, OUT message text)
    RETURNS SETOF record
    LANGUAGE c STRICT STABLE ROWS 10 AS 'MODULE_PATHNAME', 'imgpress_csv_faults_of_bytes';
COMMENT ON FUNCTION imgpress.csv_faults(bytea) IS
    'Checks the bytes of a CSV file likewise, its encoding (UTF-8) first';

CREATE FUNCTION imgpress.csv_text(csv bytea) RETURNS text
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_csv_text';
COMMENT ON FUNCTION imgpress.csv_text(bytea) IS
    'The text of a CSV file in UTF-8; error 22P04 with the line where it is not: SELECT imgpress.submit_csv(imgpress.csv_text(pg_read_binary_file(''products.csv'')))';

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
    serial_number    integer,
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
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(string_agg(p.bytes, '' ORDER BY p.part_no), '') FROM imgpress.upload_parts p WHERE p.upload_id = $1
$$;
COMMENT ON FUNCTION imgpress.upload_bytes(uuid) IS 'Internal: the parts of an upload put together';

CREATE FUNCTION imgpress.submit_upload(
    upload_id uuid, webhook_url text DEFAULT NULL, quality integer DEFAULT 50, effort text DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    csv text := imgpress.csv_text(imgpress.upload_bytes(upload_id));
BEGIN
    DELETE FROM imgpress.upload_parts p WHERE p.upload_id = submit_upload.upload_id;
    RETURN imgpress.submit_csv(csv, webhook_url, quality, effort => effort);
END
$$;
COMMENT ON FUNCTION imgpress.submit_upload(uuid, text, integer, text) IS 'Submits the CSV whose parts are in imgpress.upload_parts, like submit_csv(), and removes the parts';

CREATE FUNCTION imgpress.upload_faults(upload_id uuid, OUT line integer, OUT "column" text, OUT message text) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM imgpress.csv_faults(imgpress.upload_bytes($1))
$$;
COMMENT ON FUNCTION imgpress.upload_faults(uuid) IS 'Checks the CSV whose parts are in imgpress.upload_parts, like csv_faults()';
-- Webhooks after Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): an outbox that is
-- written in the transaction that ends a request, and delivered by the drainer.

CREATE TABLE imgpress.webhook_deliveries (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id       text NOT NULL DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', ''),
    request_id       uuid NOT NULL,
    url              text NOT NULL,
    payload          text NOT NULL,
    status           text NOT NULL DEFAULT 'Pending' CHECK (status IN ('Pending', 'Delivered', 'Failed')),
    attempts         smallint NOT NULL DEFAULT 0,
    lease_token      bigint,
    next_attempt_at  timestamptz DEFAULT now(),
    last_http_status integer,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz
);
COMMENT ON TABLE imgpress.webhook_deliveries IS 'Webhook messages and how their delivery went';
COMMENT ON COLUMN imgpress.webhook_deliveries.message_id IS 'Header webhook-id: the same on every attempt, so that a receiver can tell repetitions';
COMMENT ON COLUMN imgpress.webhook_deliveries.payload IS 'The exact body, as it is signed';
COMMENT ON COLUMN imgpress.webhook_deliveries.next_attempt_at IS 'When the next attempt is due; during an attempt: when its lease ends';

CREATE INDEX webhook_deliveries_due ON imgpress.webhook_deliveries (next_attempt_at) WHERE status = 'Pending';
CREATE INDEX webhook_deliveries_request ON imgpress.webhook_deliveries (request_id);

CREATE TABLE imgpress.webhook_secrets (
    secret     text PRIMARY KEY CHECK (secret LIKE 'whsec_%' AND octet_length(decode(substr(secret, 7), 'base64')) BETWEEN 24 AND 64),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE imgpress.webhook_secrets IS 'Signing keys of the webhooks: insert a second one to rotate (messages are signed with every key here), delete the old one when the receivers have the new';

CREATE FUNCTION imgpress.webhook_secret() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM imgpress.webhook_secrets) THEN
        -- Two version 4 UUIDs hold 244 random bits of the server's strong source.
        INSERT INTO imgpress.webhook_secrets (secret) VALUES (
            'whsec_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'));
    END IF;
    RETURN (SELECT s.secret FROM imgpress.webhook_secrets s ORDER BY s.created_at DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION imgpress.webhook_secret() IS 'The newest secret for verifying webhook signatures; made at the first call or message';

CREATE FUNCTION imgpress.hmac_sha256(key bytea, message bytea) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    block bytea := CASE WHEN octet_length(key) > 64 THEN sha256(key) ELSE key END;
    inner_pad bytea;
    outer_pad bytea;
BEGIN
    block := block || decode(repeat('00', 64 - octet_length(block)), 'hex');
    inner_pad := block;
    outer_pad := block;
    FOR i IN 0..63 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(block, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(block, i) # 92);
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END
$$;
COMMENT ON FUNCTION imgpress.hmac_sha256(bytea, bytea) IS 'Internal: HMAC with SHA-256 (RFC 2104), so that no other extension is needed';

CREATE FUNCTION imgpress.webhook_signature(message_id text, unix_time bigint, payload text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg('v1,' || encode(imgpress.hmac_sha256(
               decode(substr(s.secret, 7), 'base64'),
               convert_to($1 || '.' || $2 || '.' || $3, 'UTF8')), 'base64'), ' ' ORDER BY s.created_at)
    FROM imgpress.webhook_secrets s
$$;
COMMENT ON FUNCTION imgpress.webhook_signature(text, bigint, text) IS
    'Internal: value of the header webhook-signature, one signature for each secret';

CREATE FUNCTION imgpress.webhook_payload(request imgpress.processing_requests) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_build_object(
        'type', CASE request.status WHEN 'Completed' THEN 'request.completed' ELSE 'request.failed' END,
        'timestamp', to_char(request.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'data', json_build_object(
            'request_id', request.id, 'status', request.status, 'reason', request.reason,
            'products', request.product_count, 'images', request.image_count,
            'succeeded', request.done_count, 'failed', request.failed_count,
            'source_bytes', request.source_bytes, 'output_bytes', request.output_bytes))::text
$$;
COMMENT ON FUNCTION imgpress.webhook_payload(imgpress.processing_requests) IS 'Internal: the body of the message that a request has ended';

CREATE FUNCTION imgpress.claim_deliveries(
    token bigint, slots integer, lease interval, OUT id bigint, OUT url text, OUT payload text, OUT headers text[]
) RETURNS SETOF record
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unix_time bigint := extract(epoch FROM clock_timestamp())::bigint;
    due bigint[];
BEGIN
    due := array(
        SELECT d.id FROM imgpress.webhook_deliveries d
        WHERE d.status = 'Pending' AND d.next_attempt_at <= clock_timestamp()
        ORDER BY d.next_attempt_at LIMIT slots FOR UPDATE SKIP LOCKED);
    IF due = '{}' THEN
        RETURN;
    END IF;
    PERFORM imgpress.webhook_secret();
    RETURN QUERY
        UPDATE imgpress.webhook_deliveries d
            SET attempts = d.attempts + 1, lease_token = token, next_attempt_at = clock_timestamp() + lease
            WHERE d.id = ANY (due)
            RETURNING d.id, d.url, d.payload, ARRAY[
                'content-type: application/json',
                'webhook-id: ' || d.message_id,
                'webhook-timestamp: ' || unix_time,
                'webhook-signature: ' || imgpress.webhook_signature(d.message_id, unix_time, d.payload)];
END
$$;
COMMENT ON FUNCTION imgpress.claim_deliveries(bigint, integer, interval) IS 'Internal: webhook messages that are due, signed for this attempt';

CREATE FUNCTION imgpress.finish_delivery(
    delivery_id bigint, token bigint, http_status integer, error text, retry_after_seconds integer, delays double precision[]
) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE imgpress.webhook_deliveries d
        SET lease_token = NULL, last_http_status = nullif($3, 0), last_error = $4,
            status = CASE WHEN $4 IS NULL THEN 'Delivered'
                          WHEN $3 = 410 OR d.attempts > cardinality($6) THEN 'Failed'
                          ELSE 'Pending' END,
            ended_at = CASE WHEN $4 IS NULL OR $3 = 410 OR d.attempts > cardinality($6) THEN clock_timestamp() END,
            -- Up to a tenth later, so that a receiver's restart does not meet all of them at once.
            next_attempt_at = clock_timestamp() + greatest($6[d.attempts] * (1 + random() / 10), $5) * interval '1 second'
        WHERE d.id = $1 AND d.lease_token = $2
$$;
COMMENT ON FUNCTION imgpress.finish_delivery(bigint, bigint, integer, text, integer, double precision[]) IS
    'Internal: records one attempt; error NULL means delivered. delays[n] is the pause behind the n-th attempt in seconds; 410 Gone ends it';

CREATE FUNCTION imgpress.rescue_deliveries() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE imgpress.webhook_deliveries d SET lease_token = NULL, next_attempt_at = clock_timestamp()
        WHERE d.status = 'Pending' AND d.lease_token IS NOT NULL
$$;
COMMENT ON FUNCTION imgpress.rescue_deliveries() IS 'Internal: what a dead drainer was delivering is due again';
-- The queue as the drainer sees it: claim, finish, renew, rescue. Each is one short transaction.
--
-- Nobody has counted the images of a request that has just come, so the planner's guesses would be
-- wild here: a bitmap of a million images for a claim of 64, or 20 ms of compiling a statement of
-- 0.1 ms. Plans are made once, and read by index.

CREATE FUNCTION imgpress.end_of_share(request_id uuid, claimed integer, share integer) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found integer;
    last integer;
BEGIN
    SELECT count(*), max(o.position) INTO found, last
        FROM (
            SELECT i.position FROM imgpress.images i
            WHERE i.request_id = end_of_share.request_id AND i.position > claimed AND i.copy_of IS NULL
            ORDER BY i.position LIMIT share
        ) o;
    IF found < share THEN  -- nothing but copies is left behind it
        SELECT max(i.position) INTO last FROM imgpress.images i WHERE i.request_id = end_of_share.request_id;
    END IF;
    -- No image at all: a parallel restore may have loaded the request before its images.
    RETURN coalesce(last, claimed);
END
$$;
COMMENT ON FUNCTION imgpress.end_of_share(uuid, integer, integer) IS
    'Internal: the position up to which a request has so many images behind the claimed ones, copies not counted';

CREATE FUNCTION imgpress.claim_fresh(token bigint, slots integer, held_requests uuid[], held_counts integer[])
    RETURNS SETOF imgpress.images
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turn record;
    waiting integer;
    slots_left integer := slots;
    share integer;
    ids uuid[] := '{}';
    firsts integer[] := '{}';
    lasts integer[] := '{}';
BEGIN
    SELECT greatest(count(*), 1) INTO waiting
        FROM (SELECT FROM imgpress.processing_requests q
              WHERE q.claimed_count < q.image_count AND q.status IN ('Pending', 'Processing') LIMIT 32) w;
    -- Whoever was served longest ago is served first. A request may hold no more than half of the
    -- slots that the others leave, so that there is always one for a newcomer: a single slow
    -- origin cannot fill the window. A turn costs as much as several images, so it is for 32 of
    -- them where many wait; but a first turn is short, lest newcomers wait long for each other.
    FOR turn IN
        SELECT q.id, q.claimed_count, q.image_count - q.claimed_count AS unclaimed, coalesce(h.held, 0) AS held
        FROM imgpress.processing_requests q
        LEFT JOIN unnest(held_requests, held_counts) AS h(id, held) ON h.id = q.id
        WHERE q.claimed_count < q.image_count AND q.status IN ('Pending', 'Processing')
          AND (h.held IS NULL OR h.held + 2 <= slots)  -- who holds too much must not be in others' way
        ORDER BY q.claimed_at NULLS FIRST, q.created_at
        LIMIT least(slots, 32)
        FOR UPDATE OF q SKIP LOCKED
    LOOP
        share := least(turn.unclaimed, slots_left,
                       greatest(slots / waiting, CASE WHEN turn.claimed_count = 0 THEN 2 ELSE 32 END),
                       greatest((slots_left - turn.held) / 2, CASE WHEN turn.held = 0 THEN 1 ELSE 0 END));
        CONTINUE WHEN share <= 0;
        ids := ids || turn.id;
        firsts := firsts || turn.claimed_count + 1;
        lasts := lasts || imgpress.end_of_share(turn.id, turn.claimed_count, share);
        slots_left := slots_left - share;
        EXIT WHEN slots_left <= slots / 16;  -- turns for one or two images would cost more than they bring
    END LOOP;
    RETURN QUERY UPDATE imgpress.images i
        SET status = 'Processing', attempts = i.attempts + 1, lease_token = token
        FROM unnest(ids, firsts, lasts) AS t(id, first, last)
        WHERE i.request_id = t.id AND i.position >= t.first AND i.position <= t.last AND i.copy_of IS NULL
        RETURNING i.*;
    UPDATE imgpress.processing_requests q
        SET claimed_count = t.last, claimed_at = clock_timestamp(),
            status = 'Processing', started_at = coalesce(q.started_at, clock_timestamp())
        FROM unnest(ids, lasts) AS t(id, last)
        WHERE q.id = t.id;
END
$$;
COMMENT ON FUNCTION imgpress.claim_fresh(bigint, integer, uuid[], integer[]) IS
    'Internal: claims images that were never tried, fairly over the waiting requests; held_* say how many images of which request the drainer holds';

-- PL/pgSQL also where SQL would do: it keeps its plans, an SQL function is planned at every call.
CREATE FUNCTION imgpress.claim_retries(token bigint, slots integer) RETURNS SETOF imgpress.images
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();  -- a variable, as an index wants it
BEGIN
    RETURN QUERY
        WITH due AS MATERIALIZED (
            SELECT i.request_id, i.position FROM imgpress.images i
            WHERE i.retry_at <= moment ORDER BY i.retry_at LIMIT slots FOR UPDATE SKIP LOCKED
        )
        UPDATE imgpress.images i
            SET status = 'Processing', attempts = i.attempts + 1, lease_token = token, retry_at = NULL
            FROM due WHERE i.request_id = due.request_id AND i.position = due.position
            RETURNING i.*;
END
$$;
COMMENT ON FUNCTION imgpress.claim_retries(bigint, integer) IS 'Internal: claims images whose next attempt is due';

CREATE FUNCTION imgpress.claim_images(
    token bigint, slots integer, retry_slots integer, held_requests uuid[], held_counts integer[], lease interval,
    OUT request_id uuid, OUT "position" integer, OUT url text, OUT quality smallint,
    OUT attempts smallint, OUT failed_attempts smallint, OUT codec_crashes smallint, OUT effort text
) RETURNS SETOF record
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    claimed imgpress.images[];
BEGIN
    SELECT array_agg(i) INTO claimed FROM imgpress.claim_retries(token, least(slots, retry_slots)) i;
    claimed := claimed || (
        SELECT array_agg(i) FROM imgpress.claim_fresh(
            token, slots - coalesce(cardinality(claimed), 0), held_requests, held_counts) i);
    IF claimed IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO imgpress.leases (token, request_ids, positions, expires_at)
        SELECT token, array_agg(c.request_id), array_agg(c.position), clock_timestamp() + lease FROM unnest(claimed) c;
    -- Each request is looked up once, not for each image: while somebody holds an old snapshot, that
    -- leads through every version of the row since then.
    RETURN QUERY
        WITH r AS MATERIALIZED (
            SELECT q.id, q.quality, q.effort FROM imgpress.processing_requests q
            WHERE q.id = ANY (array(SELECT DISTINCT d.request_id FROM unnest(claimed) d))
        )
        SELECT c.request_id, c.position, c.url, r.quality, c.attempts, c.failed_attempts, c.codec_crashes, r.effort
        FROM unnest(claimed) c JOIN r ON r.id = c.request_id;
END
$$;
COMMENT ON FUNCTION imgpress.claim_images(bigint, integer, integer, uuid[], integer[], interval) IS
    'Internal: claims up to so many images under one lease, of them up to retry_slots whose next attempt is due; their attempts are counted by it';

CREATE FUNCTION imgpress.announce_end(request_id uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request imgpress.processing_requests;
BEGIN
    SELECT * INTO STRICT request FROM imgpress.processing_requests r WHERE r.id = announce_end.request_id;
    -- A retry that changed nothing is no news.
    IF request.webhook_url IS NOT NULL AND request.announced IS DISTINCT FROM request.status || ' ' || request.done_count THEN
        INSERT INTO imgpress.webhook_deliveries (request_id, url, payload)
            VALUES (request.id, request.webhook_url, imgpress.webhook_payload(request));
        UPDATE imgpress.processing_requests r SET announced = request.status || ' ' || request.done_count
            WHERE r.id = request.id;
    END IF;
    PERFORM pg_notify('imgpress', json_build_object('request_id', request.id, 'status', request.status)::text);
END
$$;
COMMENT ON FUNCTION imgpress.announce_end(uuid) IS
    'Internal: puts the webhook of an ended request into the outbox and sends NOTIFY imgpress, in the transaction that ends it';

CREATE FUNCTION imgpress.count_ended(
    request_ids uuid[], done_counts integer[], failed_counts integer[], source_sizes bigint[], output_sizes bigint[]
) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended uuid;
    any_ended boolean := false;
BEGIN
    FOR ended IN
        UPDATE imgpress.processing_requests q
            SET done_count = q.done_count + c.done, failed_count = q.failed_count + c.failed,
                source_bytes = q.source_bytes + c.source_size, output_bytes = q.output_bytes + c.output_size,
                status = CASE WHEN q.done_count + q.failed_count + c.done + c.failed = q.image_count
                              THEN 'Completed' ELSE q.status END,
                ended_at = CASE WHEN q.done_count + q.failed_count + c.done + c.failed = q.image_count
                                THEN clock_timestamp() END
            FROM unnest(request_ids, done_counts, failed_counts, source_sizes, output_sizes)
                AS c(id, done, failed, source_size, output_size)
            WHERE q.id = c.id AND q.status = 'Processing'
            RETURNING CASE WHEN q.status = 'Completed' THEN q.id END
    LOOP
        IF ended IS NOT NULL THEN
            PERFORM imgpress.announce_end(ended);
            any_ended := true;
        END IF;
    END LOOP;
    RETURN any_ended;
END
$$;
COMMENT ON FUNCTION imgpress.count_ended(uuid[], integer[], integer[], bigint[], bigint[]) IS
    'Internal: moves the counters of requests, each given once, and ends those whose last image has ended; returns whether there was one';

CREATE FUNCTION imgpress.finish_images(
    tokens bigint[], request_ids uuid[], positions integer[], statuses text[], retry_delays_ms bigint[],
    failed_attempts smallint[], codec_crashes smallint[], transients boolean[], error_codes text[], errors text[],
    source_sizes bigint[], output_sizes bigint[]
) RETURNS TABLE (no integer, stored boolean, copied boolean, ended boolean)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    owned integer[];
    free_requests uuid[];
    with_copies boolean;
    copies_due boolean := false;
    requests_ended boolean;
BEGIN
    -- Requests before images, as everywhere: whoever locks in this order cannot deadlock. What
    -- another session holds is put off, so that an open transaction delays its own request only.
    SELECT coalesce(array_agg(l.id), '{}'), bool_or(l.copy_count > 0) INTO free_requests, with_copies
        FROM (
            SELECT r.id, r.copy_count FROM imgpress.processing_requests r WHERE r.id = ANY (request_ids)
            ORDER BY r.id FOR UPDATE SKIP LOCKED
        ) l;
    WITH result AS MATERIALIZED (
        SELECT * FROM unnest(tokens, request_ids, positions, statuses, retry_delays_ms, failed_attempts,
                             codec_crashes, transients, error_codes, errors) WITH ORDINALITY
            AS t(token, request_id, position, status, delay_ms, failed_attempts, codec_crashes, transient, error_code, error, no)
    ), updated AS (
        UPDATE imgpress.images i
            SET status = r.status, lease_token = NULL, error_code = r.error_code, error = r.error,
                failed_attempts = r.failed_attempts, codec_crashes = r.codec_crashes, transient = r.transient,
                retry_at = clock_timestamp() + r.delay_ms * interval '1 millisecond',
                ended_at = CASE WHEN r.status IN ('Completed', 'Failed') THEN clock_timestamp() END
            FROM result r
            WHERE i.request_id = r.request_id AND i.position = r.position AND i.lease_token = r.token
              AND r.request_id = ANY (free_requests)
            RETURNING r.no::integer AS no
    )
    SELECT array_agg(u.no) INTO owned FROM updated u;

    SELECT imgpress.count_ended(array_agg(c.id), array_agg(c.done), array_agg(c.failed),
                                array_agg(c.source_size), array_agg(c.output_size))
        INTO requests_ended
        FROM (
            SELECT request_ids[o.no] AS id,
                   count(*) FILTER (WHERE statuses[o.no] = 'Completed')::integer AS done,
                   count(*) FILTER (WHERE statuses[o.no] = 'Failed')::integer AS failed,
                   coalesce(sum(source_sizes[o.no]), 0)::bigint AS source_size,
                   coalesce(sum(output_sizes[o.no]), 0)::bigint AS output_size
            FROM unnest(owned) AS o(no) GROUP BY 1
        ) c;
    IF with_copies THEN
        INSERT INTO imgpress.copies_due AS d (request_id, position)
            SELECT request_ids[o.no], positions[o.no] FROM unnest(owned) AS o(no)
            WHERE statuses[o.no] IN ('Completed', 'Failed')
              AND EXISTS (SELECT FROM imgpress.images c
                          WHERE c.request_id = request_ids[o.no] AND c.copy_of = positions[o.no] AND c.status = 'Pending')
            ON CONFLICT (request_id, position) DO UPDATE SET reached = 0;
        copies_due := FOUND;
    END IF;
    RETURN QUERY
        SELECT o.no, true, copies_due, requests_ended FROM unnest(owned) AS o(no)
        UNION ALL
        SELECT b.no::integer, false, copies_due, requests_ended FROM unnest(request_ids) WITH ORDINALITY AS b(id, no)
        WHERE b.id <> ALL (free_requests)
          AND EXISTS (SELECT FROM imgpress.processing_requests r WHERE r.id = b.id);
END
$$;
COMMENT ON FUNCTION imgpress.finish_images(bigint[], uuid[], integer[], text[], bigint[], smallint[], smallint[], boolean[], text[], text[], bigint[], bigint[]) IS
    'Internal: records outcomes, each fenced by its lease token, moves the counters and closes requests; returns the ordinals that were still ours (stored: the caller stores their outputs in the same transaction) and those of requests that another session holds (not stored: try again later); copied: call end_copies() when the outputs are stored; ended: a request has ended';

CREATE FUNCTION imgpress.end_copies_of(request uuid, portion integer) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    note record;
    original imgpress.images;
    source_size integer;
    output_size integer;
    ended integer;
    last integer;
    room integer := portion;
    done integer := 0;
    failed integer := 0;
    source_sizes bigint := 0;
    output_sizes bigint := 0;
BEGIN
    FOR note IN
        SELECT d.position, d.reached FROM imgpress.copies_due d WHERE d.request_id = request ORDER BY d.position LIMIT portion
    LOOP
        EXIT WHEN room = 0;
        SELECT * INTO original FROM imgpress.images o WHERE o.request_id = request AND o.position = note.position;
        SELECT o.source_bytes, octet_length(o.bytes) INTO source_size, output_size
            FROM imgpress.outputs o WHERE o.request_id = request AND o.position = note.position;
        -- A parallel restore may have loaded the note before its image, or that before its output.
        CONTINUE WHEN original.status IS NULL OR original.status = 'Completed' AND output_size IS NULL;
        WITH updated AS (
            UPDATE imgpress.images i
                SET status = original.status, attempts = original.attempts, transient = original.transient,
                    error_code = original.error_code, error = original.error, ended_at = clock_timestamp()
                FROM (
                    SELECT c.position FROM imgpress.images c
                    WHERE c.request_id = request AND c.copy_of = note.position AND c.position > note.reached AND c.status = 'Pending'
                    ORDER BY c.position LIMIT room
                ) n
                WHERE i.request_id = request AND i.position = n.position AND original.status IN ('Completed', 'Failed')
                RETURNING i.position
        ), stored AS (
            INSERT INTO imgpress.outputs (request_id, position, content_type, etag, width, height, source_bytes, kept_source, warning, bytes)
                SELECT request, u.position, o.content_type, o.etag, o.width, o.height, o.source_bytes, o.kept_source, o.warning, o.bytes
                FROM updated u, imgpress.outputs o WHERE o.request_id = request AND o.position = note.position
        )
        SELECT count(*), max(u.position) INTO ended, last FROM updated u;
        IF ended < room THEN  -- there are no more; those of an image that is tried again follow it later
            DELETE FROM imgpress.copies_due d WHERE d.request_id = request AND d.position = note.position;
        ELSE
            UPDATE imgpress.copies_due d SET reached = last WHERE d.request_id = request AND d.position = note.position;
        END IF;
        room := room - ended;
        IF output_size IS NULL THEN
            failed := failed + ended;
        ELSE
            done := done + ended;
            source_sizes := source_sizes + ended * source_size::bigint;
            output_sizes := output_sizes + ended * output_size::bigint;
        END IF;
    END LOOP;
    PERFORM imgpress.count_ended(ARRAY[request], ARRAY[done], ARRAY[failed], ARRAY[source_sizes], ARRAY[output_sizes]);
    RETURN done + failed;
END
$$;
COMMENT ON FUNCTION imgpress.end_copies_of(uuid, integer) IS
    'Internal: ends up to so many copies of a request, whose row is locked, as their originals have ended';

CREATE FUNCTION imgpress.end_copies(portion integer, after uuid, OUT ended integer, OUT remaining boolean, OUT served uuid)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    turns constant integer := 8;
    requests uuid[] := '{}';
    next_one uuid;
    one uuid;
BEGIN
    -- Requests take turns, or a small one would wait for the crowd of another.
    ended := 0;
    served := after;
    FOR i IN 1 .. turns LOOP
        SELECT d.request_id INTO next_one FROM imgpress.copies_due d
            WHERE served IS NULL OR d.request_id > served ORDER BY d.request_id LIMIT 1;
        IF next_one IS NULL THEN  -- round the end
            SELECT d.request_id INTO next_one FROM imgpress.copies_due d ORDER BY d.request_id LIMIT 1;
        END IF;
        EXIT WHEN next_one IS NULL OR next_one = ANY (requests);
        requests := requests || next_one;
        served := next_one;
    END LOOP;
    FOREACH one IN ARRAY requests LOOP
        -- As in finish_images(): what another session holds is put off.
        PERFORM FROM imgpress.processing_requests r WHERE r.id = one FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
            ended := ended + imgpress.end_copies_of(one, greatest(portion / cardinality(requests), 1));
        END IF;
    END LOOP;
    remaining := EXISTS (SELECT FROM imgpress.copies_due);
END
$$;
COMMENT ON FUNCTION imgpress.end_copies(integer, uuid) IS
    'Internal: ends up to so many copies of images that have ended; remaining: there are more; served: the request that was served last, after whose id the next call goes on';

CREATE FUNCTION imgpress.renew_leases(tokens bigint[], lease interval) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE imgpress.leases l SET expires_at = clock_timestamp() + $2 WHERE l.token = ANY ($1)
$$;
COMMENT ON FUNCTION imgpress.renew_leases(bigint[], interval) IS 'Internal: the holder of these leases is alive';

CREATE FUNCTION imgpress.release_leases(tokens bigint[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rescued bigint;
BEGIN
    WITH released AS (
        DELETE FROM imgpress.leases l WHERE l.token = ANY (tokens) RETURNING l.*
    ), held AS MATERIALIZED (
        SELECT released.token, h.request_id, h.position
        FROM released, unnest(released.request_ids, released.positions) AS h(request_id, position)
    )
    UPDATE imgpress.images i SET status = 'Pending', lease_token = NULL, retry_at = clock_timestamp()
        FROM held h WHERE i.request_id = h.request_id AND i.position = h.position AND i.lease_token = h.token;
    GET DIAGNOSTICS rescued = ROW_COUNT;
    RETURN rescued;
END
$$;
COMMENT ON FUNCTION imgpress.release_leases(bigint[]) IS
    'Internal: ends leases; images still under them are due again at once. Returns how many were';

CREATE FUNCTION imgpress.rescue_leases(expired_only boolean) RETURNS bigint
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT imgpress.release_leases(array(
        SELECT l.token FROM imgpress.leases l WHERE NOT $1 OR l.expires_at < clock_timestamp()))
$$;
COMMENT ON FUNCTION imgpress.rescue_leases(boolean) IS
    'Internal: puts back what a dead drainer held; a starting drainer rescues all, since it is the only one of its database';

CREATE FUNCTION imgpress.next_due(OUT due timestamptz, OUT copies boolean, OUT deliveries boolean)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
BEGIN
    due := least(
        (SELECT min(i.retry_at) FROM imgpress.images i WHERE i.retry_at IS NOT NULL),
        (SELECT min(d.next_attempt_at) FROM imgpress.webhook_deliveries d WHERE d.status = 'Pending'));
    copies := EXISTS (SELECT FROM imgpress.copies_due);
    deliveries := EXISTS (
        SELECT FROM imgpress.webhook_deliveries d WHERE d.status = 'Pending' AND d.next_attempt_at <= moment);
END
$$;
COMMENT ON FUNCTION imgpress.next_due() IS
    'Internal: when an idle drainer has to look again, if nobody wakes it before, and whether end_copies() and claim_deliveries() have something to do now';
-- A request after it was submitted: status, products, outputs, cancel, retry, purge.

CREATE FUNCTION imgpress.find_request(request_id uuid) RETURNS imgpress.processing_requests
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request imgpress.processing_requests;
BEGIN
    SELECT * INTO request FROM imgpress.processing_requests r WHERE r.id = find_request.request_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % does not exist', coalesce(request_id::text, 'NULL') USING ERRCODE = 'no_data_found';
    END IF;
    RETURN request;
END
$$;
COMMENT ON FUNCTION imgpress.find_request(uuid) IS 'Internal: the request, or error P0002';

CREATE FUNCTION imgpress.request_status(request_id uuid) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    word text;
BEGIN
    SELECT r.status INTO word FROM imgpress.processing_requests r WHERE r.id = request_status.request_id;
    RETURN coalesce(word, (imgpress.find_request(request_id)).status);
END
$$;
COMMENT ON FUNCTION imgpress.request_status(uuid) IS
    'Pending, Processing, Completed or Failed; error P0002 for an unknown id';

CREATE FUNCTION imgpress.request_products(
    request_id uuid,
    OUT serial_number integer, OUT product_name text, OUT input_image_urls text, OUT output_image_urls text
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- Right behind a large submission the tables have no statistics, and the planner would take a
    -- nested loop for the cheapest way to join what it believes to be a few rows.
    SET enable_nestloop = off
AS $$
BEGIN
    PERFORM imgpress.find_request(request_id);
    RETURN QUERY
        SELECT p.serial_number, p.product_name, i.inputs,
               CASE WHEN i.all_ended THEN i.outputs ELSE '' END
        FROM imgpress.products p
        JOIN (
            SELECT g.product_no, string_agg(g.url, ',' ORDER BY g.position) AS inputs,
                   string_agg(CASE WHEN g.status = 'Completed' THEN imgpress.output_url(g.request_id, g.position, g.url)
                                   ELSE 'Error processing image' END, ',' ORDER BY g.position) AS outputs,
                   bool_and(g.status IN ('Completed', 'Failed')) AS all_ended
            FROM imgpress.images g WHERE g.request_id = request_products.request_id GROUP BY g.product_no
        ) i ON i.product_no = p.product_no
        WHERE p.request_id = request_products.request_id
        ORDER BY p.product_no;
END
$$;
COMMENT ON FUNCTION imgpress.request_products(uuid) IS
    'The products of a request in input order. output_image_urls is empty until every image of the product has ended; an image that failed leaves "Error processing image" at its place';

CREATE FUNCTION imgpress.output_image(
    request_id uuid, image_position integer,
    OUT content_type text, OUT etag text, OUT created_at timestamptz, OUT bytes bytea
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.content_type, o.etag, o.created_at, o.bytes
    FROM imgpress.outputs o WHERE o.request_id = $1 AND o.position = $2
$$;
COMMENT ON FUNCTION imgpress.output_image(uuid, integer) IS 'One output with what HTTP needs to serve it; no row where there is none';

CREATE FUNCTION imgpress.output_etag(request_id uuid, image_position integer) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.etag FROM imgpress.outputs o WHERE o.request_id = $1 AND o.position = $2
$$;
COMMENT ON FUNCTION imgpress.output_etag(uuid, integer) IS 'The validator of one output without its bytes; NULL where there is none';

CREATE FUNCTION imgpress.cancel(request_id uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stopped integer;
BEGIN
    PERFORM FROM imgpress.processing_requests r WHERE r.id = cancel.request_id FOR UPDATE;
    IF (imgpress.find_request(request_id)).ended_at IS NOT NULL THEN
        RETURN imgpress.request_status(request_id);
    END IF;
    UPDATE imgpress.images i
        SET status = 'Failed', lease_token = NULL, retry_at = NULL, ended_at = clock_timestamp(),
            error_code = 'cancelled', error = 'the request was cancelled'
        WHERE i.request_id = cancel.request_id AND i.status IN ('Pending', 'Processing');
    GET DIAGNOSTICS stopped = ROW_COUNT;
    DELETE FROM imgpress.copies_due d WHERE d.request_id = cancel.request_id;
    UPDATE imgpress.processing_requests r
        SET status = 'Failed', reason = 'cancelled', ended_at = clock_timestamp(),
            claimed_count = r.image_count, failed_count = r.failed_count + stopped
        WHERE r.id = cancel.request_id;
    PERFORM imgpress.announce_end(request_id);
    PERFORM imgpress.wake_drainer();
    RETURN 'Failed';
END
$$;
COMMENT ON FUNCTION imgpress.cancel(uuid) IS
    'Ends a request as Failed (reason: cancelled); outputs that exist stay. Returns the status; a request that has ended already is left as it is';

CREATE FUNCTION imgpress.retry_failed(request_id uuid DEFAULT NULL, only_transient boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    again bigint := 0;
    one record;
    reset_images integer;
BEGIN
    IF request_id IS NOT NULL THEN
        PERFORM imgpress.find_request(request_id);
    END IF;
    FOR one IN
        SELECT r.id, r.copy_count FROM imgpress.processing_requests r
        WHERE r.failed_count > 0 AND r.ended_at IS NOT NULL
          AND (retry_failed.request_id IS NULL AND r.status = 'Completed' OR r.id = retry_failed.request_id)
        ORDER BY r.id FOR UPDATE
    LOOP
        UPDATE imgpress.images i
            SET status = 'Pending', retry_at = CASE WHEN i.copy_of IS NULL THEN clock_timestamp() END, ended_at = NULL, attempts = 0,
                failed_attempts = 0, codec_crashes = 0, error_code = NULL, error = NULL
            WHERE i.request_id = one.id AND i.error_code IS NOT NULL AND i.status = 'Failed'
              AND (i.transient OR NOT only_transient);
        GET DIAGNOSTICS reset_images = ROW_COUNT;
        CONTINUE WHEN reset_images = 0;
        UPDATE imgpress.processing_requests r
            SET status = 'Processing', reason = NULL, ended_at = NULL, failed_count = r.failed_count - reset_images
            WHERE r.id = one.id;
        IF one.copy_count > 0 THEN
            -- Copies follow their original. Where cancel() came between the two, that has ended already.
            INSERT INTO imgpress.copies_due (request_id, position)
                SELECT DISTINCT c.request_id, c.copy_of
                FROM imgpress.images c JOIN imgpress.images o ON o.request_id = c.request_id AND o.position = c.copy_of
                WHERE c.request_id = one.id AND c.copy_of IS NOT NULL AND c.status = 'Pending'
                  AND o.status IN ('Completed', 'Failed');
        END IF;
        again := again + reset_images;
    END LOOP;
    PERFORM imgpress.wake_drainer();
    RETURN again;
END
$$;
COMMENT ON FUNCTION imgpress.retry_failed(uuid, boolean) IS
    'Tries the failed images of an ended request again (NULL: of all requests that completed, but not of cancelled ones), all of them or those whose error may pass by itself; returns how many';

CREATE FUNCTION imgpress.purge(older_than interval) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    purged bigint;
BEGIN
    IF older_than IS NULL OR older_than < interval '0' THEN
        RAISE EXCEPTION 'older_than must be an interval of zero or more' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- What somebody else is changing is purged the next time.
    DELETE FROM imgpress.processing_requests r WHERE r.id IN (
        SELECT q.id FROM imgpress.processing_requests q
        WHERE q.ended_at <= clock_timestamp() - older_than ORDER BY q.id FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$$;
COMMENT ON FUNCTION imgpress.purge(interval) IS
    'Deletes requests that ended longer ago than this, with their products, images and outputs; returns how many requests';
-- What is going on, for people and dashboards.

CREATE VIEW imgpress.progress AS
    SELECT r.id AS request_id, r.status, r.product_count AS products, r.image_count AS images,
           r.done_count AS done, r.failed_count AS failed,
           round(100.0 * (r.done_count + r.failed_count) / nullif(r.image_count, 0), 1) AS percent,
           r.source_bytes AS bytes_in, r.output_bytes AS bytes_out,
           round(100.0 * (1 - r.output_bytes::numeric / nullif(r.source_bytes, 0)), 1) AS percent_saved,
           coalesce(r.ended_at, now()) - r.started_at AS working_time,
           round((r.done_count + r.failed_count)
                 / nullif(extract(epoch FROM coalesce(r.ended_at, now()) - r.started_at), 0)::numeric, 1) AS images_per_second,
           r.reason, r.created_at, r.started_at, r.ended_at, r.quality, r.effort
    FROM imgpress.processing_requests r;
COMMENT ON VIEW imgpress.progress IS 'How far each request is; bytes_in and bytes_out count the images that have an output';

CREATE VIEW imgpress.failures AS
    SELECT i.request_id, p.serial_number, p.product_name, i.position, i.url, i.attempts, i.error_code, i.error, i.ended_at AS failed_at
    FROM imgpress.images i JOIN imgpress.products p USING (request_id, product_no)
    WHERE i.status = 'Failed' AND i.error_code IS NOT NULL;
COMMENT ON VIEW imgpress.failures IS 'Images that were set aside, with the reason; imgpress.retry_failed(request_id) tries them again';

CREATE VIEW imgpress.results AS
    SELECT o.request_id, p.serial_number, p.product_name, o.position, i.url,
           imgpress.output_url(o.request_id, o.position, i.url) AS output_url,
           o.content_type, o.width, o.height, o.source_bytes AS bytes_in, octet_length(o.bytes) AS bytes_out,
           round(100.0 * (1 - octet_length(o.bytes)::numeric / nullif(o.source_bytes, 0)), 1) AS percent_saved,
           o.kept_source, o.warning, o.created_at AS finished_at
    FROM imgpress.outputs o JOIN imgpress.images i USING (request_id, position)
         JOIN imgpress.products p USING (request_id, product_no);
COMMENT ON VIEW imgpress.results IS 'Images that have an output. kept_source: the source''s own bytes without their metadata, since nothing smaller came out; warning: what is remarkable about a success, for example a truncated source';

CREATE VIEW imgpress.workers AS
    SELECT w.database, w.pid, CASE WHEN w.fetching + w.waiting + w.compressing > 0 THEN 'working' ELSE 'idle' END AS state,
           w.started_at, w.fetching, w.waiting, w.compressing, w.finished
    FROM imgpress.worker_state() w;
COMMENT ON VIEW imgpress.workers IS 'The drainers of this cluster: images being fetched, fetched and waiting for a codec, being compressed, and finished since the start';
-- Regular work, registered with pg_cron where it is installed.

CREATE FUNCTION imgpress.schedule_maintenance(
    purge_older_than interval DEFAULT interval '30 days', purge_schedule text DEFAULT '17 3 * * *',
    retry_schedule text DEFAULT '*/15 * * * *', retry_for interval DEFAULT interval '1 day'
) RETURNS TABLE (job_name text, schedule text, command text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is not installed in database "%"', current_database()
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'CREATE EXTENSION pg_cron first, or call imgpress.purge() and imgpress.retry_recent() from a scheduler of yours.';
    END IF;
    FOR job_name, schedule, command IN VALUES
        ('imgpress purge', purge_schedule, format('SELECT imgpress.purge(%L)', purge_older_than)),
        ('imgpress retry', retry_schedule, format('SELECT imgpress.retry_recent(%L)', retry_for))
    LOOP
        PERFORM cron.schedule(job_name, schedule, command);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress.schedule_maintenance(interval, text, text, interval) IS
    'Registers purge and retry with pg_cron (again: changes them) and returns the jobs; error 55000 where pg_cron is not installed';

CREATE FUNCTION imgpress.retry_recent(younger_than interval DEFAULT interval '1 day') RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(sum(imgpress.retry_failed(r.id, only_transient => true)), 0)::bigint
    FROM (
        SELECT q.id FROM imgpress.processing_requests q
        WHERE q.status = 'Completed' AND q.failed_count > 0 AND q.created_at > clock_timestamp() - $1
        ORDER BY q.id  -- the order in which everybody locks requests
    ) r
$$;
COMMENT ON FUNCTION imgpress.retry_recent(interval) IS
    'Tries the images of recently submitted requests again whose error may pass by itself (time-outs, lost connections, 5xx); returns how many';
-- Who may do what. Nothing is for PUBLIC: several functions reach the network.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA imgpress FROM PUBLIC;
GRANT USAGE ON SCHEMA imgpress TO imgpress_user, imgpress_gateway, imgpress_admin, imgpress_worker;

GRANT EXECUTE ON FUNCTION
    imgpress.compress_image(bytea, integer, text), imgpress.compress_image_url(text, integer, text),
    imgpress.submit_csv(text, text, integer, uuid, text), imgpress.submit(imgpress.product_input[], text, integer, uuid, text),
    imgpress.csv_faults(text), imgpress.csv_faults(bytea), imgpress.csv_text(bytea), imgpress.request_status(uuid), imgpress.request_products(uuid),
    imgpress.output_image(uuid, integer), imgpress.output_etag(uuid, integer), imgpress.output_url(uuid, integer, text),
    imgpress.wait(uuid, interval), imgpress.cancel(uuid), imgpress.retry_failed(uuid, boolean),
    imgpress.worker_state()
    TO imgpress_user;
GRANT SELECT ON imgpress.processing_requests, imgpress.products, imgpress.images, imgpress.outputs,
    imgpress.webhook_deliveries, imgpress.csv_upload, imgpress.progress, imgpress.failures, imgpress.results, imgpress.workers
    TO imgpress_user;
GRANT INSERT ON imgpress.csv_upload TO imgpress_user;

GRANT EXECUTE ON FUNCTION
    imgpress.submit_csv(text, text, integer, uuid, text), imgpress.submit_upload(uuid, text, integer, text),
    imgpress.upload_faults(uuid), imgpress.request_status(uuid), imgpress.request_products(uuid),
    imgpress.output_image(uuid, integer), imgpress.output_etag(uuid, integer)
    TO imgpress_gateway;
GRANT INSERT ON imgpress.upload_parts TO imgpress_gateway;

GRANT EXECUTE ON FUNCTION
    imgpress.purge(interval), imgpress.retry_recent(interval), imgpress.webhook_secret(),
    imgpress.schedule_maintenance(interval, text, text, interval)
    TO imgpress_admin;
GRANT SELECT, INSERT, DELETE ON imgpress.webhook_secrets TO imgpress_admin;

GRANT SELECT, INSERT, UPDATE, DELETE ON imgpress.processing_requests, imgpress.images, imgpress.outputs,
    imgpress.copies_due, imgpress.leases, imgpress.webhook_deliveries TO imgpress_worker;
GRANT EXECUTE ON FUNCTION
    imgpress.claim_fresh(bigint, integer, uuid[], integer[]), imgpress.claim_retries(bigint, integer),
    imgpress.claim_images(bigint, integer, integer, uuid[], integer[], interval), imgpress.announce_end(uuid),
    imgpress.end_of_share(uuid, integer, integer), imgpress.count_ended(uuid[], integer[], integer[], bigint[], bigint[]),
    imgpress.end_copies_of(uuid, integer),
    imgpress.end_copies(integer, uuid),
    imgpress.finish_images(bigint[], uuid[], integer[], text[], bigint[], smallint[], smallint[], boolean[], text[], text[], bigint[], bigint[]),
    imgpress.renew_leases(bigint[], interval), imgpress.release_leases(bigint[]), imgpress.rescue_leases(boolean),
    imgpress.next_due(), imgpress.webhook_secret(), imgpress.webhook_signature(text, bigint, text),
    imgpress.webhook_payload(imgpress.processing_requests), imgpress.hmac_sha256(bytea, bytea),
    imgpress.claim_deliveries(bigint, integer, interval),
    imgpress.finish_delivery(bigint, bigint, integer, text, integer, double precision[]), imgpress.rescue_deliveries()
    TO imgpress_worker;

-- pg_dump takes the data along; a restored copy works only where its database is named in
-- imgpress.databases, and rescues what was in flight.
SELECT pg_catalog.pg_extension_config_dump('imgpress.processing_requests', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.products', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.images', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.outputs', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.copies_due', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.leases', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_deliveries_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_secrets', '');

-- A drainer that was waiting for this extension begins at commit.
SELECT imgpress.wake_drainer();
