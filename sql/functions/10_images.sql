-- Single images: compressing, naming, serving.

-- Not STRICT, since NULL for an option means its setting.
CREATE OR REPLACE FUNCTION imgpress.compress_image(image bytea, quality integer DEFAULT NULL,
    effort text DEFAULT NULL) RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_compress_image';
COMMENT ON FUNCTION imgpress.compress_image(bytea, integer, text) IS
    'Compresses one image to a JPEG that is never larger than the image itself, in a helper process. quality and '
    'effort default to the settings imgpress.quality (50 unless changed) and imgpress.effort';
GRANT EXECUTE ON FUNCTION imgpress.compress_image(bytea, integer, text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.compress_image_url(url text, quality integer DEFAULT NULL,
    effort text DEFAULT NULL) RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_compress_image_url';
COMMENT ON FUNCTION imgpress.compress_image_url(text, integer, text) IS
    'Downloads one image and compresses it like compress_image(). Private addresses are refused unless '
    'imgpress.allowed_networks contains them';
GRANT EXECUTE ON FUNCTION imgpress.compress_image_url(text, integer, text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.compress_images(
    images bytea[], quality integer DEFAULT NULL, effort text DEFAULT NULL,
    OUT "position" integer, OUT bytes bytea, OUT error text, OUT error_code text, OUT content_type text,
    OUT width integer, OUT height integer, OUT source_bytes integer
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'imgpress_compress_images';
COMMENT ON FUNCTION imgpress.compress_images(bytea[], integer, text) IS
    'Compresses images like compress_image(), as many at a time as there are codecs. One row for each, as it ends: its '
    'position in the array and the bytes, or the error';
GRANT EXECUTE ON FUNCTION imgpress.compress_images(bytea[], integer, text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.compress_image_urls(
    urls text[], quality integer DEFAULT NULL, effort text DEFAULT NULL,
    OUT "position" integer, OUT url text, OUT bytes bytea, OUT error text, OUT error_code text, OUT content_type text,
    OUT width integer, OUT height integer, OUT source_bytes integer
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'imgpress_compress_image_urls';
COMMENT ON FUNCTION imgpress.compress_image_urls(text[], integer, text) IS
    'Downloads images and compresses them like compress_image_url(), many at a time. One row for each, as it ends: its '
    'position in the array, and the bytes or the error';
GRANT EXECUTE ON FUNCTION imgpress.compress_image_urls(text[], integer, text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.output_url(request_id uuid, image_no integer, source_url text,
    output_format text) RETURNS text
    LANGUAGE c STRICT STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'imgpress_served_url';
COMMENT ON FUNCTION imgpress.output_url(uuid, integer, text, text) IS
    'The public URL of an output, built according to imgpress.public_url and imgpress.output_url_style. output_format: '
    'as in imgpress.images; it decides the extension. With imgpress.signed_urls the URL is signed, if the caller may '
    'see the request';
GRANT EXECUTE ON FUNCTION imgpress.output_url(uuid, integer, text, text) TO imgpress_reader;

CREATE OR REPLACE FUNCTION imgpress_internal.image_behind(request_id uuid, image_no integer) RETURNS integer
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (SELECT a.image_no FROM imgpress_internal.image_aliases a WHERE a.request_id = $1 AND a.alias = $2), $2)
$$;
COMMENT ON FUNCTION imgpress_internal.image_behind(uuid, integer) IS
    'The image behind an output URL with this number. Usually the image with the same number; version 0.1.0 gave '
    'repeated URLs numbers of their own';

CREATE OR REPLACE FUNCTION imgpress.output_image(
    request_id uuid, image_no integer,
    OUT content_type text, OUT etag text, OUT created_at timestamptz, OUT bytes bytea
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.content_type, b.etag, o.created_at, b.bytes
    FROM imgpress_internal.image_outputs o JOIN imgpress_internal.blobs b USING (blob_id)
    WHERE o.request_id = $1 AND o.image_no = imgpress_internal.image_behind($1, $2) AND EXISTS (
          SELECT FROM imgpress.processing_requests r WHERE r.id = $1 AND imgpress_internal.may_see(r.submitted_by))
$$;
COMMENT ON FUNCTION imgpress.output_image(uuid, integer) IS
    'One output with what an HTTP server needs to serve it; no row if there is no such output';
GRANT EXECUTE ON FUNCTION imgpress.output_image(uuid, integer) TO imgpress_reader;

CREATE OR REPLACE FUNCTION imgpress.output_etag(request_id uuid, image_no integer) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.etag FROM imgpress_internal.image_outputs o JOIN imgpress_internal.blobs b USING (blob_id)
    WHERE o.request_id = $1 AND o.image_no = imgpress_internal.image_behind($1, $2) AND EXISTS (
          SELECT FROM imgpress.processing_requests r WHERE r.id = $1 AND imgpress_internal.may_see(r.submitted_by))
$$;
COMMENT ON FUNCTION imgpress.output_etag(uuid, integer) IS
    'The ETag of one output, without reading its bytes; NULL if there is no such output';
GRANT EXECUTE ON FUNCTION imgpress.output_etag(uuid, integer) TO imgpress_reader;
