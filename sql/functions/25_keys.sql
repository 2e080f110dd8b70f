-- Keys of REST clients: made, listed, rotated and revoked in SQL, checked by the gateway's functions.

CREATE OR REPLACE FUNCTION imgpress_internal.new_secret() RETURNS bytea
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
$$;
COMMENT ON FUNCTION imgpress_internal.new_secret() IS
    '32 bytes from two version 4 UUIDs, which hold 244 random bits from the server''s cryptographic generator';

CREATE OR REPLACE FUNCTION imgpress_internal.same_bytes(a bytea, b bytea) RETURNS boolean
    LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_same_bytes';
COMMENT ON FUNCTION imgpress_internal.same_bytes(bytea, bytea) IS
    'Whether two values are equal; takes the same time wherever they differ';

CREATE OR REPLACE FUNCTION imgpress_internal.hmac_sha256(key bytea, message bytea) RETURNS bytea
    LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_hmac_sha256';
COMMENT ON FUNCTION imgpress_internal.hmac_sha256(bytea, bytea) IS
    'HMAC with SHA-256 (RFC 2104), so that pgcrypto is not needed';

CREATE OR REPLACE FUNCTION imgpress_internal.key_scopes(OUT scope text, OUT role text) RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL SAFE ROWS 6 AS 'MODULE_PATHNAME', 'imgpress_key_scopes';
COMMENT ON FUNCTION imgpress_internal.key_scopes() IS
    'What a key may be for, and the role whose rights its owner needs for that';

CREATE OR REPLACE FUNCTION imgpress_internal.check_new_key(name text, scopes text[], expires timestamptz, owner name)
    RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known constant text[] := array(SELECT s.scope FROM imgpress_internal.key_scopes() s);
    one text;
    needed name;
BEGIN
    IF coalesce(btrim(name), '') = '' THEN
        RAISE EXCEPTION 'a key needs a name' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Say who uses it: SELECT imgpress.create_key(''shop frontend'').';
    END IF;
    IF coalesce(scopes, '{}') = '{}' THEN
        RAISE EXCEPTION 'a key needs a scope' USING ERRCODE = 'invalid_parameter_value',
            HINT = format('Scopes are %s.', array_to_string(known, ', '));
    END IF;
    IF expires <= clock_timestamp() THEN
        RAISE EXCEPTION 'expires is in the past: %', expires USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT coalesce(pg_has_role(imgpress_internal.caller(), to_regrole(quote_ident(owner)), 'USAGE'), false) THEN
        RAISE EXCEPTION 'role "%" is not a member of "%", whose key this would be', imgpress_internal.caller(), owner
            USING ERRCODE = 'insufficient_privilege',
                HINT = 'A key acts with the rights of its owner: only members of that role can make one.';
    END IF;
    FOREACH one IN ARRAY scopes LOOP
        IF one = ANY (known) IS NOT TRUE THEN
            RAISE EXCEPTION '%', imgpress_internal.unknown_name('scope', coalesce(one, 'NULL'), known)
                USING ERRCODE = 'invalid_parameter_value',
                    HINT = format('Scopes are %s.', array_to_string(known, ', '));
        END IF;
        SELECT s.role INTO needed FROM imgpress_internal.key_scopes() s WHERE s.scope = one;
        IF NOT pg_has_role(owner, needed, 'USAGE') THEN
            RAISE EXCEPTION 'role "%" lacks the rights for the scope "%"', owner, one
                USING ERRCODE = 'insufficient_privilege', HINT = format('Run GRANT %I TO %I.', needed, owner);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_new_key(text, text[], timestamptz, name) IS
    'Raises an error for a key that cannot be made, or not by the caller';

CREATE OR REPLACE FUNCTION imgpress.create_key(
    name text, scopes text[] DEFAULT '{submit,read}', expires timestamptz DEFAULT NULL, owner name DEFAULT NULL
) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    secret constant text := encode(imgpress_internal.new_secret(), 'hex');
    of_role constant name := coalesce(owner, imgpress_internal.caller());
    key_id integer;
BEGIN
    PERFORM imgpress_internal.check_new_key(name, scopes, expires, of_role);
    INSERT INTO imgpress_internal.keys AS k (name, owner, scopes, hash, expires_at)
        VALUES (btrim(name), of_role, scopes, sha256(convert_to(secret, 'UTF8')), expires)
        RETURNING k.id INTO key_id;
    RETURN format('ipk_%s_%s', key_id, secret);
END
$$;
COMMENT ON FUNCTION imgpress.create_key(text, text[], timestamptz, name) IS
    'Makes a key for a REST client and shows it, this once: only a digest of it is stored. scopes: what it is for, of '
    'submit, read, manage, compress, operate and metrics. expires: NULL means never. owner: the role for which the '
    'gateway acts, the caller unless another one is named';

CREATE OR REPLACE FUNCTION imgpress_internal.find_key(key_id integer) RETURNS imgpress_internal.keys
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_key imgpress_internal.keys;
BEGIN
    SELECT * INTO found_key FROM imgpress_internal.keys k
        WHERE k.id = key_id AND imgpress_internal.may_see(k.owner) FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'key % does not exist', coalesce(key_id::text, 'NULL') USING ERRCODE = 'no_data_found';
    END IF;
    RETURN found_key;
END
$$;
COMMENT ON FUNCTION imgpress_internal.find_key(integer) IS
    'The row of a key, locked; error P0002 if there is none that the caller may see';

CREATE OR REPLACE FUNCTION imgpress.revoke_key(key_id integer) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    since timestamptz := (imgpress_internal.find_key(key_id)).revoked_at;
BEGIN
    IF since IS NULL THEN
        UPDATE imgpress_internal.keys k SET revoked_at = clock_timestamp() WHERE k.id = key_id
            RETURNING k.revoked_at INTO since;
    END IF;
    RETURN since;
END
$$;
COMMENT ON FUNCTION imgpress.revoke_key(integer) IS
    'Makes a key void, for ever and at once; returns since when it is. Members of its owner and of imgpress_admin may';

CREATE OR REPLACE FUNCTION imgpress.rotate_key(
    key_id integer, grace interval DEFAULT interval '1 day', expires timestamptz DEFAULT NULL
) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    secret constant text := encode(imgpress_internal.new_secret(), 'hex');
    old constant imgpress_internal.keys := imgpress_internal.find_key(key_id);
BEGIN
    IF old.revoked_at IS NOT NULL THEN
        RAISE EXCEPTION 'key % was revoked', key_id USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Make another one: SELECT imgpress.create_key(...).';
    END IF;
    IF coalesce(grace, '-1') < interval '0' THEN
        RAISE EXCEPTION 'grace must not be negative or NULL' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF expires IS NULL AND old.expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'key % has expired', key_id USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Say how long the new one is valid: expires => now() + interval ''90 days''.';
    END IF;
    PERFORM imgpress_internal.check_new_key(old.name, old.scopes, expires, old.owner);
    UPDATE imgpress_internal.keys k
        SET hash = sha256(convert_to(secret, 'UTF8')), previous_hash = old.hash, rotated_at = clock_timestamp(),
            previous_expires_at = least(clock_timestamp() + grace, old.expires_at),
            expires_at = coalesce(expires, old.expires_at)
        WHERE k.id = key_id;
    RETURN format('ipk_%s_%s', key_id, secret);
END
$$;
COMMENT ON FUNCTION imgpress.rotate_key(integer, interval, timestamptz) IS
    'Gives a key a new secret and shows it, this once. The old one stays valid for the time of grace. expires: until '
    'when the new one is valid; NULL leaves that as it was. Members of the key''s owner may';

CREATE OR REPLACE VIEW imgpress.keys WITH (security_barrier) AS
    SELECT k.id, k.name, k.owner, k.scopes,
           CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'
                WHEN k.expires_at <= now() THEN 'expired'
                WHEN to_regrole(quote_ident(k.owner)) IS NULL THEN 'its owner does not exist'
                ELSE 'valid' END AS state,
           k.expires_at, k.created_at, k.rotated_at,
           CASE WHEN k.previous_expires_at > now() THEN k.previous_expires_at END AS old_secret_until,
           k.revoked_at, k.last_used_at
    FROM imgpress_internal.keys k
    WHERE imgpress_internal.may_see(k.owner);
COMMENT ON VIEW imgpress.keys IS
    'The keys of REST clients whose owner the reader is a member of; all of them for imgpress_admin. last_used_at is '
    'exact to a minute. old_secret_until: how long the secret from before the last rotation is valid';

CREATE OR REPLACE FUNCTION imgpress_internal.note_use(key_id integer) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE imgpress_internal.keys SET last_used_at = clock_timestamp()
        WHERE id = (SELECT k.id FROM imgpress_internal.keys k
                    WHERE k.id = $1 AND (k.last_used_at > clock_timestamp() - interval '1 minute') IS NOT TRUE
                    FOR NO KEY UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION imgpress_internal.note_use(integer) IS
    'Sets last_used_at of a key if that is a minute old, unless another transaction has the row locked';

CREATE OR REPLACE FUNCTION imgpress_internal.act_for_key(key_id integer, secret_hash bytea, demand text, scope text)
    RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_act_for_key';
COMMENT ON FUNCTION imgpress_internal.act_for_key(integer, bytea, text, text) IS
    'Checks the key of a REST request for a scope. secret_hash: SHA-256 of its secret part. key_id NULL: the request '
    'has none; demand says whether that is refused: always, if any (key exists, revoked ones too) or never. Returns '
    'why the request is refused: unauthorized, or forbidden (the key is valid, but not for this scope). NULL: it is '
    'not, and the calling function acts for the owner of the key, as after act_as()';

-- Signed output URLs.

CREATE OR REPLACE FUNCTION imgpress_internal.signed_url_lifetime() RETURNS integer
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'imgpress_signed_url_lifetime';
COMMENT ON FUNCTION imgpress_internal.signed_url_lifetime() IS
    'The setting imgpress.signed_url_lifetime in seconds; NULL if imgpress.signed_urls is off';

CREATE OR REPLACE FUNCTION imgpress_internal.sign_url(request_id uuid, image_no integer, expires bigint) RETURNS text
    LANGUAGE sql STRICT STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT encode(imgpress_internal.hmac_sha256(s.secret,
        convert_to(concat_ws(' ', $1::text, $2::text, $3::text), 'UTF8')), 'hex')
    FROM imgpress_internal.url_secret s
$$;
COMMENT ON FUNCTION imgpress_internal.sign_url(uuid, integer, bigint) IS
    'The signature of an output URL that is valid until expires, in seconds since 1970';

CREATE OR REPLACE FUNCTION imgpress_internal.url_signature(request_id uuid, image_no integer, expires bigint)
    RETURNS text
    LANGUAGE plpgsql STRICT STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT imgpress_internal.sign_url(r.id, url_signature.image_no, url_signature.expires)
        FROM imgpress.processing_requests r
        WHERE r.id = url_signature.request_id AND imgpress_internal.may_see(r.submitted_by));
END
$$;
COMMENT ON FUNCTION imgpress_internal.url_signature(uuid, integer, bigint) IS
    'The signature of an output URL, for output_url(); NULL if there is no such request, or the caller may not see it';

CREATE OR REPLACE FUNCTION imgpress_internal.is_signed(
    request_id uuid, image_no integer, expires bigint, signature text
) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT imgpress_internal.signed_url_lifetime() IS NULL
        OR $3 > extract(epoch FROM clock_timestamp()) AND imgpress_internal.same_bytes(
            convert_to($4, 'UTF8'), convert_to(imgpress_internal.sign_url($1, $2, $3), 'UTF8'))
$$;
COMMENT ON FUNCTION imgpress_internal.is_signed(uuid, integer, bigint, text) IS
    'True if an output may be served: its URL is signed and has not expired, or need not be';

INSERT INTO imgpress_internal.url_secret (secret) VALUES (imgpress_internal.new_secret()) ON CONFLICT DO NOTHING;

GRANT SELECT ON imgpress.keys TO imgpress_reader;
GRANT EXECUTE ON FUNCTION
    imgpress.create_key(text, text[], timestamptz, name), imgpress.rotate_key(integer, interval, timestamptz),
    imgpress.revoke_key(integer)
    TO imgpress_reader;
