-- Secret headers that some origins want: who may use them, and under which URLs. Their values are written by
-- set_origin_header(), read by what downloads, and shown to nobody.

CREATE OR REPLACE FUNCTION imgpress_internal.plain_https_url(url text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_plain_https_url';
COMMENT ON FUNCTION imgpress_internal.plain_https_url(text) IS
    'The URL without query, in the form in which it is compared with origin_headers.url_prefix; NULL unless it is https '
    'and everybody reads the same path in it';

CREATE OR REPLACE FUNCTION imgpress_internal.origin_scope(url_prefix text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_origin_scope';
COMMENT ON FUNCTION imgpress_internal.origin_scope(text) IS
    'The prefix as origin_headers.url_prefix has it; NULL if it is none';

CREATE OR REPLACE FUNCTION imgpress_internal.header_objection(header_name text, value text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_header_objection';
COMMENT ON FUNCTION imgpress_internal.header_objection(text, text) IS
    'Why this cannot be the header of an origin, without the value; NULL if it can';

CREATE OR REPLACE FUNCTION imgpress.set_origin_header(url_prefix text, header_name text, value text, roles name[])
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    scope constant text := imgpress_internal.origin_scope(url_prefix);
    objection constant text := imgpress_internal.header_objection(coalesce(header_name, ''), coalesce(value, ''));
    missing name;
BEGIN
    IF scope IS NULL THEN
        RAISE EXCEPTION '% is not the beginning of https URLs', coalesce(quote_literal(url_prefix), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give https://, a host, perhaps a port, and a path that ends with a slash: '
                      'https://cdn.example.com/private/';
    END IF;
    IF objection IS NOT NULL THEN
        RAISE EXCEPTION '%', objection USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF coalesce(cardinality(roles), 0) = 0 THEN
        RAISE EXCEPTION 'no role is named that may use the header' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT coalesce(r.name, 'NULL') INTO missing FROM unnest(roles) AS r(name)
        WHERE NOT EXISTS (SELECT FROM pg_roles p WHERE p.rolname = r.name) LIMIT 1;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" does not exist', missing USING ERRCODE = 'undefined_object';
    END IF;
    PERFORM imgpress.drop_origin_header(url_prefix, header_name);
    INSERT INTO imgpress_internal.origin_headers (url_prefix, header_name, value, roles)
        VALUES (scope, header_name, value, roles);
END
$$;
COMMENT ON FUNCTION imgpress.set_origin_header(text, text, text, name[]) IS
    'Sends this header with downloads whose URL begins so, for requests and calls of members of these roles. It is sent '
    'to this host and port only, never after a redirect, and its value cannot be read again';

CREATE OR REPLACE FUNCTION imgpress.drop_origin_header(url_prefix text, header_name text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM imgpress_internal.origin_headers h
        WHERE h.url_prefix = imgpress_internal.origin_scope(drop_origin_header.url_prefix)
          AND lower(h.header_name) = lower(drop_origin_header.header_name);
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION imgpress.drop_origin_header(text, text) IS
    'Forgets a header of set_origin_header(); returns whether there was one';

CREATE OR REPLACE VIEW imgpress.origin_headers AS
    SELECT h.url_prefix, h.header_name, h.roles, h.set_at FROM imgpress_internal.origin_headers h;
COMMENT ON VIEW imgpress.origin_headers IS
    'The headers of set_origin_header(), without their values: nobody can read these';

CREATE OR REPLACE FUNCTION imgpress_internal.has_origin_headers() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM imgpress_internal.origin_headers)
$$;
COMMENT ON FUNCTION imgpress_internal.has_origin_headers() IS 'Whether any secret header is set';

CREATE OR REPLACE FUNCTION imgpress_internal.origin_headers_for(url text, role name) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    -- Of two prefixes of the URL, the longer one counts.
    SELECT array_agg(f.header_name || ': ' || f.value) FROM (
        SELECT DISTINCT ON (lower(h.header_name)) h.header_name, h.value
        FROM imgpress_internal.origin_headers h
        WHERE starts_with(imgpress_internal.plain_https_url(url), h.url_prefix)
          AND EXISTS (
              SELECT FROM pg_roles user_role JOIN pg_roles allowed ON allowed.rolname = ANY (h.roles)
              WHERE user_role.rolname = role AND pg_has_role(user_role.oid, allowed.oid, 'USAGE'))
        ORDER BY lower(h.header_name), length(h.url_prefix) DESC) f
$$;
COMMENT ON FUNCTION imgpress_internal.origin_headers_for(text, name) IS
    'The secret headers of a download on behalf of a role; NULL: none. For what downloads only: it shows their values';

GRANT EXECUTE ON FUNCTION
    imgpress.set_origin_header(text, text, text, name[]), imgpress.drop_origin_header(text, text) TO imgpress_admin;
GRANT SELECT ON imgpress.origin_headers TO imgpress_admin;
GRANT EXECUTE ON FUNCTION imgpress_internal.has_origin_headers(), imgpress_internal.origin_headers_for(text, name)
    TO imgpress_worker;
