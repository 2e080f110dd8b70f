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
        ARRAY['file', 'webhook_url'] || array(SELECT jsonb_object_keys(imgpress_internal.complete_options('{}')));
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
EXCEPTION WHEN bad_copy_file_format THEN
    GET STACKED DIAGNOSTICS csv_faults = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION USING ERRCODE = 'bad_copy_file_format', MESSAGE = SQLERRM, DETAIL = csv_faults,
        HINT = 'Correct what "details" lists, and upload the file again.';
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

CREATE OR REPLACE FUNCTION imgpress_internal.request_summary(
    id uuid,
    OUT request_id uuid, OUT status text, OUT reason text, OUT products integer, OUT images integer,
    OUT succeeded integer, OUT failed integer, OUT source_bytes bigint, OUT output_bytes bigint,
    OUT created_at timestamptz, OUT started_at timestamptz, OUT ended_at timestamptz
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT r.id, r.status, r.reason, r.product_count, r.image_count, r.succeeded_count, r.failed_count,
               r.source_bytes, r.output_bytes, r.created_at, r.started_at, r.ended_at
        FROM imgpress.processing_requests r
        WHERE r.id = request_summary.id AND imgpress_internal.may_see(r.submitted_by);
END
$$;
COMMENT ON FUNCTION imgpress_internal.request_summary(uuid) IS
    'The answer about the status of a request; no row for an unknown id, or if the caller may not see it';

CREATE OR REPLACE FUNCTION imgpress_internal.request_etag(request_id uuid) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT to_hex(hashtextextended(concat_ws(' ', r.id, r.run, r.status, r.succeeded_count, r.failed_count,
            imgpress.output_url(r.id, 1, 'http://host/image', 'jpeg'), e.extversion), 0))
        FROM imgpress.processing_requests r, pg_extension e
        WHERE r.id = request_etag.request_id AND imgpress_internal.may_see(r.submitted_by) AND e.extname = 'imgpress');
END
$$;
COMMENT ON FUNCTION imgpress_internal.request_etag(uuid) IS
    'A digest that changes when the status or the products of a request would be answered differently: it covers id, '
    'run, status, counts, the settings of output URLs and the version of imgpress. NULL for an unknown id';

CREATE OR REPLACE FUNCTION imgpress_internal.output_slice(
    request_id uuid, image_no integer, skipped integer, most integer,
    OUT content_type text, OUT etag text, OUT size integer, OUT created bigint, OUT bytes bytea
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT o.content_type, o.etag, octet_length(o.bytes), floor(extract(epoch FROM o.created_at))::bigint,
               substring(o.bytes FROM skipped + 1 FOR most)
        FROM imgpress.outputs o
        WHERE o.request_id = output_slice.request_id
          AND o.image_no = imgpress_internal.image_behind(output_slice.request_id, output_slice.image_no);
END
$$;
COMMENT ON FUNCTION imgpress_internal.output_slice(uuid, integer, integer, integer) IS
    'Up to "most" bytes of an output after the first "skipped". size: of the whole output. created: in seconds since '
    '1970, rounded down. No row if there is no such output';

GRANT INSERT ON imgpress_internal.upload_parts TO imgpress_gateway;
GRANT EXECUTE ON FUNCTION
    imgpress_internal.submit_upload(uuid, jsonb), imgpress_internal.upload_faults(uuid, jsonb),
    imgpress_internal.request_summary(uuid), imgpress_internal.request_etag(uuid),
    imgpress_internal.output_slice(uuid, integer, integer, integer)
    TO imgpress_gateway;
