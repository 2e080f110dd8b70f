-- Images that have not changed since the same user last submitted them with the same options: their output is the blob
-- that exists. What is known of sources, and which blobs are still shown.

CREATE OR REPLACE FUNCTION imgpress_internal.encoder_version() RETURNS integer
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_encoder_version';
COMMENT ON FUNCTION imgpress_internal.encoder_version() IS
    'Incremented when the encoders make other outputs of the same sources, which are then made anew';

CREATE OR REPLACE FUNCTION imgpress_internal.source_key_prefix(submitted_by name, options jsonb) RETURNS bytea
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The length keeps a name and a URL apart. With the name in it, nobody's key is found for anybody else.
    RETURN convert_to(format('%s %s %s %s', imgpress_internal.encoder_version(), options - 'refresh',
        octet_length(submitted_by::text), submitted_by), getdatabaseencoding());
END
$$;
COMMENT ON FUNCTION imgpress_internal.source_key_prefix(name, jsonb) IS
    'What source_key() adds to the URLs of a request: its owner, and all that decides what becomes of an image';

CREATE OR REPLACE FUNCTION imgpress_internal.source_key(prefix bytea, url text) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN sha256(prefix || convert_to(url, getdatabaseencoding()));
END
$$;
COMMENT ON FUNCTION imgpress_internal.source_key(bytea, text) IS 'The key of a URL in imgpress_internal.sources';

CREATE OR REPLACE FUNCTION imgpress_internal.etag_of(request_id uuid, image_no integer) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.etag FROM imgpress_internal.image_outputs o JOIN imgpress_internal.blobs b USING (blob_id)
    WHERE o.request_id = $1 AND o.image_no = $2
$$;
COMMENT ON FUNCTION imgpress_internal.etag_of(uuid, integer) IS
    'The etag of one output, whoever asks; NULL if there is no such output';

CREATE OR REPLACE FUNCTION imgpress_internal.resolve_unchanged(outcomes imgpress_internal.outcome[])
    RETURNS imgpress_internal.outcome[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    blob record;
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(outcomes) o WHERE o.blob_id IS NOT NULL) THEN
        RETURN outcomes;
    END IF;
    -- A blob that is locked here stays until the commit. SKIP LOCKED: whoever has locked it is about to delete it.
    FOR blob IN
        SELECT o.ordinality::integer AS no, b.blob_id, b.output_format, b.source_bytes, b.size
        FROM unnest(outcomes) WITH ORDINALITY AS o
        LEFT JOIN LATERAL (
            SELECT x.blob_id, x.output_format, x.source_bytes, octet_length(x.bytes) AS size
            FROM imgpress_internal.blobs x WHERE x.blob_id = o.blob_id
            FOR KEY SHARE SKIP LOCKED
        ) b ON true
        WHERE o.blob_id IS NOT NULL
    LOOP
        IF blob.blob_id IS NOT NULL THEN
            outcomes[blob.no].output_format := blob.output_format;
            outcomes[blob.no].source_bytes := blob.source_bytes;
            outcomes[blob.no].output_bytes := blob.size;
        ELSE
            outcomes[blob.no].status := 'Pending';
            outcomes[blob.no].uncounted := true;
            outcomes[blob.no].retry_delay_ms := 0;
            outcomes[blob.no].transient := true;  -- claim_images() then gives it out as one that nothing is known of
        END IF;
    END LOOP;
    RETURN outcomes;
END
$$;
COMMENT ON FUNCTION imgpress_internal.resolve_unchanged(imgpress_internal.outcome[]) IS
    'Locks the blobs of images that have not changed, so that they are not swept, and completes their outcomes. An '
    'image whose blob has gone in the meantime is due again, without any condition, and its attempt does not count';

CREATE OR REPLACE FUNCTION imgpress_internal.remember_sources(downloaded imgpress_internal.sources[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF downloaded IS NULL THEN
        RETURN;
    END IF;
    -- SKIP LOCKED: the transaction of a user who deletes requests may have locked it for long, and this is a cache.
    INSERT INTO imgpress_internal.sources AS s
        SELECT DISTINCT ON (d.key) d.* FROM unnest(downloaded) AS d
        LEFT JOIN LATERAL (
            SELECT true AS found FROM imgpress_internal.sources x WHERE x.key = d.key FOR NO KEY UPDATE SKIP LOCKED
        ) free ON true
        LEFT JOIN LATERAL (
            SELECT true AS found FROM imgpress_internal.sources x WHERE x.key = d.key OFFSET 0
        ) there ON true
        WHERE free.found OR there.found IS NULL
        ORDER BY d.key
        ON CONFLICT (key) DO UPDATE
            SET blob_id = excluded.blob_id, digest = excluded.digest, etag = excluded.etag,
                last_modified = excluded.last_modified, stored_at = excluded.stored_at;
END
$$;
COMMENT ON FUNCTION imgpress_internal.remember_sources(imgpress_internal.sources[]) IS
    'Records what sources were when they were downloaded, and the blobs that were made of them; of two that are the '
    'same one, either';

CREATE OR REPLACE FUNCTION imgpress_internal.sweep_blobs(candidates bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked bigint[];
    swept bigint[];
BEGIN
    WITH earlier AS (
        DELETE FROM imgpress_internal.unswept_blobs u WHERE u.ctid = ANY (array(
            SELECT x.ctid FROM imgpress_internal.unswept_blobs x FOR UPDATE SKIP LOCKED)) RETURNING u.blob_id
    )
    SELECT array_agg(DISTINCT c.blob_id) INTO candidates
        FROM (SELECT e.blob_id FROM earlier e UNION ALL SELECT unnest(candidates)) c(blob_id);
    IF candidates IS NULL THEN
        RETURN;
    END IF;
    IF current_setting('transaction_isolation') = 'read committed' THEN
        locked := array(
            SELECT b.blob_id FROM imgpress_internal.blobs b WHERE b.blob_id = ANY (candidates)
            ORDER BY b.blob_id FOR UPDATE SKIP LOCKED);
        -- A statement of its own: it sees the outputs that were committed before their blobs were locked.
        WITH deleted AS (
            DELETE FROM imgpress_internal.blobs b
            WHERE b.blob_id = ANY (locked)
              AND NOT EXISTS (SELECT FROM imgpress_internal.image_outputs o WHERE o.blob_id = b.blob_id OFFSET 0)
            RETURNING b.blob_id
        )
        SELECT array_agg(d.blob_id) INTO swept FROM deleted d;
        DELETE FROM imgpress_internal.sources s WHERE s.key = ANY (array(
            SELECT x.key FROM imgpress_internal.sources x WHERE x.blob_id = ANY (swept)
            ORDER BY x.key FOR UPDATE SKIP LOCKED));
    END IF;
    -- Those that are locked, and all of them where one snapshot serves the whole transaction: it does not show which
    -- outputs others have stored since.
    INSERT INTO imgpress_internal.unswept_blobs (blob_id)
        SELECT c.blob_id FROM (SELECT unnest(candidates) EXCEPT SELECT unnest(locked)) AS c(blob_id)
        WHERE EXISTS (SELECT FROM imgpress_internal.blobs b WHERE b.blob_id = c.blob_id OFFSET 0);
END
$$;
COMMENT ON FUNCTION imgpress_internal.sweep_blobs(bigint[]) IS
    'Deletes the blobs among these that no output shows any more, and what is known of their sources. Whoever deletes '
    'outputs calls this with their blobs';

GRANT EXECUTE ON FUNCTION
    imgpress_internal.encoder_version(), imgpress_internal.source_key_prefix(name, jsonb),
    imgpress_internal.source_key(bytea, text), imgpress_internal.resolve_unchanged(imgpress_internal.outcome[]),
    imgpress_internal.remember_sources(imgpress_internal.sources[])
    TO imgpress_worker;
