-- The results of a request as a CSV.

CREATE OR REPLACE FUNCTION imgpress.result_csv(request_id uuid) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request constant imgpress.processing_requests := imgpress_internal.find_request(request_id);
    keyed constant boolean := request.key_type IS NOT NULL;
    key_heading constant text[] := CASE WHEN keyed THEN ARRAY['Key'] ELSE '{}' END;
    headings constant text[] := coalesce(request.input_header, imgpress_internal.usual_headings());
    -- A file that was such a result itself has the column already, perhaps with other punctuation in its heading: its
    -- old outputs are replaced.
    place constant integer := coalesce(
        (SELECT min(h.place) FROM unnest(headings) WITH ORDINALITY AS h(heading, place)
         WHERE lower(regexp_replace(h.heading, '[[:space:]!-/:-@\[-`{-~]', '', 'g')) = 'outputimageurls'),
        cardinality(headings) + 1);
BEGIN
    RETURN QUERY
        SELECT string_to_table(q.record, E'\n')
        FROM (
            SELECT 0 AS product_no, key_heading || headings[:place - 1]
                || coalesce(headings[place], 'Output Image Urls') || headings[place + 1:] AS fields
            UNION ALL
            SELECT p.product_no, CASE WHEN keyed THEN ARRAY[p.key] ELSE '{}' END || f.fields[:place - 1]
                || coalesce(array_to_string(p.output_urls, ',', 'Error processing image'), '') || f.fields[place + 1:]
            FROM imgpress.product_results p
            CROSS JOIN LATERAL (
                -- OFFSET 0 has each product looked up by its key. Before the first statistics the planner would read all.
                SELECT coalesce(i.input_fields, ARRAY[p.serial_number::text, p.product_name,
                                                      array_to_string(p.input_urls, ',')]) AS fields
                FROM imgpress.products i WHERE i.request_id = p.request_id AND i.product_no = p.product_no OFFSET 0
            ) f
            WHERE p.request_id = result_csv.request_id
        ) r
        CROSS JOIN LATERAL (
            SELECT string_agg(CASE WHEN f.field ~ '[",\n\r]|^\s|\s$' THEN '"' || replace(f.field, '"', '""') || '"'
                                   ELSE coalesce(f.field, '') END, ',' ORDER BY f.place) AS record
            FROM unnest(r.fields) WITH ORDINALITY AS f(field, place)
        ) q
        ORDER BY r.product_no;
END
$$;
COMMENT ON FUNCTION imgpress.result_csv(uuid) IS
    'The CSV that was submitted, all its columns as they were, with a last one "Output Image Urls" as from '
    'request_products(); if it has such a column, this gets new contents. One row for each line of the file. In psql: '
    'SELECT * FROM imgpress.result_csv(:''request'') \g (format=unaligned tuples_only=on) results.csv';
GRANT EXECUTE ON FUNCTION imgpress.result_csv(uuid) TO imgpress_reader;
