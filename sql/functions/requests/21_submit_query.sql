-- Submitting with keys of one's own: what a query returns, and JSON. The functions run as whoever calls them, and call
-- those in imgpress_internal, which nobody else may.

CREATE OR REPLACE FUNCTION imgpress_internal.open_request(
    request_id uuid, webhook_url text, options jsonb, priority integer
) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    -- Not in the INSERT: psql would show it as the context of their errors.
    url constant text := imgpress_internal.checked_webhook_url(webhook_url);
    all_options constant jsonb := imgpress_internal.complete_options(options);
    granted constant smallint := imgpress_internal.granted_priority(priority::text);
BEGIN
    INSERT INTO imgpress.processing_requests (id, webhook_url, options, priority)
        VALUES (request_id, url, all_options, granted) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN true;
    END IF;
    IF NOT EXISTS (SELECT FROM imgpress.processing_requests r
                   WHERE r.id = request_id AND imgpress_internal.may_see(r.submitted_by)) THEN
        RAISE EXCEPTION 'request_id % cannot be used: it is not unique', request_id
            USING ERRCODE = 'unique_violation',
                  HINT = 'Give another id, for example gen_random_uuid(), or none.';
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION imgpress_internal.open_request(uuid, text, jsonb, integer) IS
    'Makes a request without products, which seal_request() completes in the same transaction. False if it has been '
    'submitted before; error 23505 if its id is somebody else''s';

CREATE OR REPLACE FUNCTION imgpress_internal.check_open(request_id uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A request without products is of this very transaction: nobody else sees it before it has some.
    PERFORM FROM imgpress.processing_requests r
        WHERE r.id = check_open.request_id AND r.submitted_by = imgpress_internal.caller() AND r.status = 'Pending'
          AND r.product_count = 0 AND NOT r.standing;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % was changed while it was being submitted, or the role was', request_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_open(uuid) IS
    'An error unless the request is one that the caller submits at this moment';

CREATE OR REPLACE FUNCTION imgpress_internal.store_products(
    request_id uuid, first_no integer, keys text[], names text[], image_nos text[], new_nos integer[],
    new_products integer[], new_urls text[]
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- A custom plan would hold a copy of the arrays.
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM imgpress_internal.check_open(request_id);
    INSERT INTO imgpress.products (request_id, product_no, serial_number, product_name, image_nos, key)
        SELECT store_products.request_id, first_no + p.place - 1, first_no + p.place - 1, p.name, p.image_nos::integer[],
               p.key
        FROM unnest(keys, names, image_nos) WITH ORDINALITY AS p(key, name, image_nos, place);
    INSERT INTO imgpress.images (request_id, image_no, first_product_no, url)
        SELECT store_products.request_id, i.image_no, i.product_no, i.url
        FROM unnest(new_nos, new_products, new_urls) AS i(image_no, product_no, url);
END
$$;
COMMENT ON FUNCTION imgpress_internal.store_products(uuid, integer, text[], text[], text[], integer[], integer[],
    text[]) IS
    'Stores the next products of a request that is being submitted, and the images that none before them names. '
    'image_nos: for each product an integer[] as text';

CREATE OR REPLACE FUNCTION imgpress_internal.seal_request(
    request_id uuid, products integer, images integer, last_no integer, key_type text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    standstill text;
BEGIN
    PERFORM imgpress_internal.check_open(request_id);
    UPDATE imgpress.processing_requests r
        SET product_count = products, image_count = images, last_image_no = last_no, key_type = seal_request.key_type
        WHERE r.id = seal_request.request_id;
    standstill := imgpress_internal.standstill();
    IF standstill IS NOT NULL THEN
        RAISE NOTICE 'the request has to wait: %', standstill;
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.seal_request(uuid, integer, integer, integer, text) IS
    'Completes a request that is being submitted: it has all its products now';

CREATE OR REPLACE FUNCTION imgpress.submit_query(
    query text, webhook_url text DEFAULT NULL, quality integer DEFAULT NULL, request_id uuid DEFAULT NULL,
    effort text DEFAULT NULL, priority integer DEFAULT NULL, options jsonb DEFAULT NULL
) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_submit_query';
COMMENT ON FUNCTION imgpress.submit_query(text, text, integer, uuid, text, integer, jsonb) IS
    'Submits what a query returns, otherwise like submit_csv(). First column: the key of a product, of any type; last '
    'column: its image URLs as text, text[] or jsonb; a second one of three or more: its name. The query runs once, '
    'with the rights of the caller. options: further options of its images, as in processing_requests.options. '
    'Example: SELECT imgpress.submit_query($$SELECT sku, title, photos FROM my_products$$)';
GRANT EXECUTE ON FUNCTION imgpress.submit_query(text, text, integer, uuid, text, integer, jsonb) TO imgpress_user;

CREATE OR REPLACE FUNCTION imgpress.submit_json(
    products jsonb, webhook_url text DEFAULT NULL, quality integer DEFAULT NULL, request_id uuid DEFAULT NULL,
    effort text DEFAULT NULL, priority integer DEFAULT NULL, options jsonb DEFAULT NULL
) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_submit_json';
COMMENT ON FUNCTION imgpress.submit_json(jsonb, text, integer, uuid, text, integer, jsonb) IS
    'Submits a JSON array of products, otherwise like submit_query(). Each is an object {"key", "name", "urls"} or an '
    'array [key, urls] or [key, name, urls]. A key is a text or a number; a name may be missing; urls is a text, or an '
    'array of texts or of objects with url, src or href';
GRANT EXECUTE ON FUNCTION imgpress.submit_json(jsonb, text, integer, uuid, text, integer, jsonb) TO imgpress_user;
