-- What the HTTP gateway calls besides functions for users. It passes their JSON on as it is: only these
-- functions know the fields of an upload and of a status.

CREATE OR REPLACE FUNCTION imgpress_internal.unknown_name(kind text, name text, known text[]) RETURNS text
    LANGUAGE c STRICT IMMUTABLE AS 'MODULE_PATHNAME', 'imgpress_unknown_name';
COMMENT ON FUNCTION imgpress_internal.unknown_name(text, text, text[]) IS
    'The message about a name that is not known: suggests the nearest one, or lists all. kind: what the names stand '
    'for, for example option';

CREATE OR REPLACE FUNCTION imgpress_internal.field_faults(fields jsonb, OUT field text, OUT message text)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known constant text[] :=
        ARRAY['file', 'webhook_url', 'priority']
        || array(SELECT jsonb_object_keys(imgpress_internal.complete_options('{}')));
    value jsonb;
BEGIN
    FOR field, value IN SELECT f.key, f.value FROM jsonb_each(fields) f LOOP
        message := CASE
            WHEN field <> ALL (known) THEN imgpress_internal.unknown_name('field', field, known)
            WHEN field = 'file' AND value = 'null' THEN 'the form has no field "file" with the CSV'
            WHEN field = 'file' THEN 'file is given more than once'
            WHEN jsonb_typeof(value) = 'array' THEN field || ' is given more than once'
            WHEN jsonb_typeof(value) = 'object' THEN field || ' is not UTF-8 text, or contains a zero byte'
            END;
        IF message IS NULL THEN
            BEGIN
                IF field = 'webhook_url' THEN
                    PERFORM imgpress_internal.checked_webhook_url(value #>> '{}');
                ELSIF field = 'priority' THEN
                    PERFORM imgpress_internal.checked_priority(value #>> '{}');
                ELSE
                    PERFORM imgpress_internal.complete_options(jsonb_build_object(field, value));
                END IF;
            EXCEPTION WHEN data_exception THEN
                message := SQLERRM;
            END;
        END IF;
        IF message IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.field_faults(jsonb) IS
    'One row for each field of an upload that is unknown or has a value that it does not allow. fields: as for '
    'submit_upload()';

CREATE OR REPLACE FUNCTION imgpress_internal.upload_bytes(upload_id uuid) RETURNS bytea
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'imgpress_upload_bytes';
COMMENT ON FUNCTION imgpress_internal.upload_bytes(uuid) IS 'The parts of an upload, joined in order';

CREATE OR REPLACE FUNCTION imgpress_internal.submit_upload(upload_id uuid, fields jsonb) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan  -- as submit_csv()
AS $$
DECLARE
    faults constant text[] := array(SELECT f.message FROM imgpress_internal.field_faults(fields) f);
    csv text;
    csv_faults text;
    request_id uuid;
BEGIN
    IF cardinality(faults) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = CASE cardinality(faults)
            WHEN 1 THEN faults[1] ELSE format('the form has %s fields that are not valid', cardinality(faults)) END;
    END IF;
    csv := imgpress.csv_text(imgpress_internal.upload_bytes(upload_id));
    DELETE FROM imgpress_internal.upload_parts p WHERE p.upload_id = submit_upload.upload_id;
    request_id := imgpress_internal.store_request(
        csv, NULL::imgpress.product_input[], fields ->> 'webhook_url', upload_id, fields - 'webhook_url');
    RETURN json_strip_nulls(json_build_object(
        'request_id', request_id, 'ignored_columns', nullif(imgpress.ignored_columns(csv), '{}')));
EXCEPTION
    WHEN bad_copy_file_format THEN
        GET STACKED DIAGNOSTICS csv_faults = PG_EXCEPTION_DETAIL;
        RAISE EXCEPTION USING ERRCODE = 'bad_copy_file_format', MESSAGE = SQLERRM, DETAIL = csv_faults,
            HINT = 'Correct what "details" lists, and upload the file again.';
    WHEN insufficient_privilege THEN  -- for the gateway it would be a right that its login lacks
        RAISE EXCEPTION USING ERRCODE = 'invalid_authorization_specification', MESSAGE = SQLERRM;
END
$$;
COMMENT ON FUNCTION imgpress_internal.submit_upload(uuid, jsonb) IS
    'Submits the CSV whose parts are in upload_parts, and deletes the parts. fields: the other fields of the upload by '
    'name, each as a string; null if it is empty, an array if it is given more than once, an object if it is not text; '
    'file only if it is missing (null) or given more than once. '
    'upload_id becomes the id of the request. Returns the answer to the upload: request_id, and ignored_columns if the '
    'CSV has any';

CREATE OR REPLACE FUNCTION imgpress_internal.upload_faults(
    upload_id uuid, fields jsonb, OUT line integer, OUT "column" text, OUT field text, OUT message text
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT NULL::integer, NULL::text, f.field, f.message FROM imgpress_internal.field_faults(fields) f;
    RETURN QUERY SELECT f.line, f."column", 'file', f.message
        FROM imgpress.csv_faults(imgpress_internal.upload_bytes(upload_id)) f WHERE NOT fields ? 'file';
END
$$;
COMMENT ON FUNCTION imgpress_internal.upload_faults(uuid, jsonb) IS
    'Every fault that submit_upload() finds with the same arguments: first those of fields, then those of the CSV as '
    'from csv_faults(), whose field is "file"';

CREATE OR REPLACE FUNCTION imgpress_internal.output_slice(
    request_id uuid, image_no integer, skipped integer, most integer, expires bigint, signature text,
    OUT refusal text, OUT max_age bigint,
    OUT content_type text, OUT etag text, OUT size integer, OUT created bigint, OUT bytes bytea
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF imgpress_internal.is_signed(request_id, image_no, expires, signature) IS NOT TRUE THEN
        refusal := 'forbidden';
        RETURN NEXT;
        RETURN;
    END IF;
    IF imgpress_internal.signed_url_lifetime() IS NOT NULL THEN
        max_age := expires - floor(extract(epoch FROM clock_timestamp()))::bigint;
    END IF;
    RETURN QUERY
        SELECT NULL::text, max_age, b.content_type, b.etag, octet_length(b.bytes),
               floor(extract(epoch FROM o.created_at))::bigint,
               substring(b.bytes FROM skipped + 1 FOR most)
        FROM imgpress_internal.image_outputs o JOIN imgpress_internal.blobs b USING (blob_id)
        WHERE o.request_id = output_slice.request_id
          AND o.image_no = imgpress_internal.image_behind(output_slice.request_id, output_slice.image_no);
END
$$;
COMMENT ON FUNCTION imgpress_internal.output_slice(uuid, integer, integer, integer, bigint, text) IS
    'Whoever knows the URL of an output may see it. expires and signature: from the URL, for imgpress.signed_urls; '
    'refusal: forbidden if they do not allow it. max_age: for so many seconds they do; NULL: for ever. '
    'Up to "most" bytes of an output after the first "skipped". size: of the whole output. created: in seconds since '
    '1970, rounded down. No row if there is no such output';

-- What the gateway may call. The functions whose names end in _as check the key of the request, act for its owner, and
-- then do what their names say: in one call, because behind a pooler the next one may come from another client. The
-- first three parameters are those of act_for_key(). Where a request is refused before anything is done, "refusal" says
-- so in a result, for an error would be written to the server's log each time.

CREATE OR REPLACE FUNCTION imgpress_internal.admit(key_id integer, secret_hash bytea, demand text, scope text)
    RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN imgpress_internal.act_for_key(key_id, secret_hash, demand, scope);
END
$$;
COMMENT ON FUNCTION imgpress_internal.admit(integer, bytea, text, text) IS
    'Why a request with this key is refused, or NULL; as for act_for_key()';

CREATE OR REPLACE FUNCTION imgpress_internal.status_as(
    key_id integer, secret_hash bytea, demand text, request_id uuid, OUT refusal text, OUT etag text, OUT answer json
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    refusal := imgpress_internal.act_for_key(key_id, secret_hash, demand, 'read');
    IF refusal IS NULL THEN
        SELECT to_hex(hashtextextended(concat_ws(' ', r.id, r.run, r.status, r.succeeded_count, r.failed_count,
                   r.image_count, r.last_image_no,
                   imgpress.output_url(r.id, 1, 'http://host/image', 'jpeg'), e.extversion), 0)),
               row_to_json(s)
            INTO etag, answer
            FROM imgpress.processing_requests r, pg_extension e, LATERAL (
                SELECT r.id AS request_id, r.status, r.reason, r.product_count AS products, r.image_count AS images,
                       r.succeeded_count AS succeeded, r.failed_count AS failed, r.source_bytes, r.output_bytes,
                       r.created_at, r.started_at, r.ended_at
            ) s
            WHERE r.id = status_as.request_id AND imgpress_internal.may_see(r.submitted_by)
                AND e.extname = 'imgpress';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.status_as(integer, bytea, text, uuid) IS
    'What is answered about the status of a request; NULL for an unknown id, or one that the caller may not see. etag: a '
    'digest that changes when the status or the products of a request would be answered differently: it covers id, '
    'run, status, counts, replaced URLs, the settings of output URLs and the version of imgpress';

CREATE OR REPLACE FUNCTION imgpress_internal.raise_refusal(refusal text, scope text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF refusal = 'forbidden' THEN
        RAISE EXCEPTION 'the key lacks the scope "%"', scope USING ERRCODE = 'invalid_authorization_specification';
    ELSIF refusal IS NOT NULL THEN
        RAISE EXCEPTION 'the key is not valid' USING ERRCODE = 'invalid_password';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.raise_refusal(text, text) IS
    'Error 28P01 or 28000 for what act_for_key() returns, unless that is NULL';

CREATE OR REPLACE FUNCTION imgpress_internal.products_as(
    key_id integer, secret_hash bytea, demand text, request_id uuid
) RETURNS SETOF json
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.raise_refusal(
        imgpress_internal.act_for_key(key_id, secret_hash, demand, 'read'), 'read');
    RETURN QUERY SELECT row_to_json(p) FROM (
        SELECT r.serial_number, r.product_name, r.input_image_urls, r.output_image_urls
        FROM imgpress.request_products(request_id) r) p;
END
$$;
COMMENT ON FUNCTION imgpress_internal.products_as(integer, bytea, text, uuid) IS
    'The products of a request as they are answered, in input order';

CREATE OR REPLACE FUNCTION imgpress_internal.result_csv_as(
    key_id integer, secret_hash bytea, demand text, request_id uuid
) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.raise_refusal(
        imgpress_internal.act_for_key(key_id, secret_hash, demand, 'read'), 'read');
    RETURN QUERY SELECT * FROM imgpress.result_csv(request_id);
END
$$;
COMMENT ON FUNCTION imgpress_internal.result_csv_as(integer, bytea, text, uuid) IS 'result_csv() for the owner of a key';

CREATE OR REPLACE FUNCTION imgpress_internal.store_part(upload_id uuid, part_no integer, bytes bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO imgpress_internal.upload_parts (upload_id, part_no, bytes) VALUES (upload_id, part_no, bytes);
END
$$;
COMMENT ON FUNCTION imgpress_internal.store_part(uuid, integer, bytea) IS
    'Stores a part of an upload, until submit_upload() in the same transaction';

CREATE OR REPLACE FUNCTION imgpress_internal.submit_upload_as(
    key_id integer, secret_hash bytea, demand text, upload_id uuid, fields jsonb
) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.raise_refusal(
        imgpress_internal.act_for_key(key_id, secret_hash, demand, 'submit'), 'submit');
    RETURN imgpress_internal.submit_upload(upload_id, fields);
END
$$;
COMMENT ON FUNCTION imgpress_internal.submit_upload_as(integer, bytea, text, uuid, jsonb) IS
    'submit_upload() for the owner of a key';

-- In version 0.1.0 it stored the parts itself.
REVOKE ALL ON imgpress_internal.upload_parts FROM imgpress_gateway;
GRANT EXECUTE ON FUNCTION
    imgpress_internal.admit(integer, bytea, text, text),
    imgpress_internal.status_as(integer, bytea, text, uuid),
    imgpress_internal.products_as(integer, bytea, text, uuid),
    imgpress_internal.result_csv_as(integer, bytea, text, uuid),
    imgpress_internal.store_part(uuid, integer, bytea),
    imgpress_internal.submit_upload_as(integer, bytea, text, uuid, jsonb),
    imgpress_internal.upload_faults(uuid, jsonb),
    imgpress_internal.output_slice(uuid, integer, integer, integer, bigint, text)
    TO imgpress_gateway;
