-- Images, one at a time: compressing, naming, serving.

-- Not STRICT: an option that is NULL is the setting.
CREATE OR REPLACE FUNCTION imgpress.compress_image(image bytea, quality integer DEFAULT NULL,
    effort text DEFAULT NULL) RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_compress_image';
COMMENT ON FUNCTION imgpress.compress_image(bytea, integer, text) IS
    'Compresses one image to a JPEG in a helper process; the result is never larger than the image. quality and effort '
    'are the settings imgpress.quality (50 where nobody has changed it) and imgpress.effort where they are NULL';
GRANT EXECUTE ON FUNCTION imgpress.compress_image(bytea, integer, text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.compress_image_url(url text, quality integer DEFAULT NULL,
    effort text DEFAULT NULL) RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_compress_image_url';
COMMENT ON FUNCTION imgpress.compress_image_url(text, integer, text) IS
    'Downloads one image and compresses it like compress_image(). Reaches public addresses, and others only if '
    'imgpress.allowed_networks names them';
GRANT EXECUTE ON FUNCTION imgpress.compress_image_url(text, integer, text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.output_url(request_id uuid, image_no integer, source_url text,
    output_format text) RETURNS text
    LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_served_url';
COMMENT ON FUNCTION imgpress.output_url(uuid, integer, text, text) IS
    'Public URL of an output, after imgpress.public_url and imgpress.output_url_style; it ends in the extension of '
    'what is served: output_format is that of imgpress.images';
GRANT EXECUTE ON FUNCTION imgpress.output_url(uuid, integer, text, text) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress_internal.image_behind(request_id uuid, image_no integer) RETURNS integer
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (SELECT a.image_no FROM imgpress_internal.image_aliases a WHERE a.request_id = $1 AND a.alias = $2), $2)
$$;
COMMENT ON FUNCTION imgpress_internal.image_behind(uuid, integer) IS
    'The image that an output URL with this number shows: that one, but for numbers that version 0.1.0 gave to '
    'repeated URLs';

CREATE OR REPLACE FUNCTION imgpress.output_image(
    request_id uuid, image_no integer,
    OUT content_type text, OUT etag text, OUT created_at timestamptz, OUT bytes bytea
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.content_type, o.etag, o.created_at, o.bytes
    FROM imgpress.outputs o WHERE o.request_id = $1 AND o.image_no = imgpress_internal.image_behind($1, $2)
$$;
COMMENT ON FUNCTION imgpress.output_image(uuid, integer) IS
    'One output with what HTTP needs to serve it; no row where there is none';
GRANT EXECUTE ON FUNCTION imgpress.output_image(uuid, integer) TO imgpress_user, imgpress_gateway;

CREATE OR REPLACE FUNCTION imgpress.output_etag(request_id uuid, image_no integer) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.etag FROM imgpress.outputs o
    WHERE o.request_id = $1 AND o.image_no = imgpress_internal.image_behind($1, $2)
$$;
COMMENT ON FUNCTION imgpress.output_etag(uuid, integer) IS
    'The validator of one output without its bytes; NULL where there is none';
GRANT EXECUTE ON FUNCTION imgpress.output_etag(uuid, integer) TO imgpress_user, imgpress_gateway;
