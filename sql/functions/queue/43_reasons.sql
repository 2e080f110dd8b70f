-- Why a request has ended as it has.

CREATE OR REPLACE FUNCTION imgpress_internal.failure_summary(request_id uuid, failed integer, images integer)
    RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN failed > 0 THEN
        format('%s of %s images failed: ', failed, images) || string_agg(
            c.error_code || CASE WHEN c.with_it < failed THEN ' ' || c.with_it ELSE '' END, ', '
            ORDER BY c.with_it DESC, c.error_code) END
    FROM (
        SELECT i.error_code, count(*) AS with_it FROM imgpress.images i
        WHERE i.request_id = failure_summary.request_id AND i.error_code IS NOT NULL AND i.status = 'Failed'
            AND failed > 0
        GROUP BY 1
    ) c
$$;
COMMENT ON FUNCTION imgpress_internal.failure_summary(uuid, integer, integer) IS
    'What processing_requests.reason says of a Completed request of so many images: how many have failed, and by what, '
    'the most frequent error first; NULL if none has';
GRANT EXECUTE ON FUNCTION imgpress_internal.failure_summary(uuid, integer, integer) TO imgpress_worker;
