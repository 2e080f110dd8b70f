-- imgpress: compresses product images inside PostgreSQL.
\echo Use "CREATE EXTENSION imgpress" to load this file. \quit

-- Functions with their owner's rights find each other by name in this schema. Whoever made it before,
-- or put something into it, could have prepared a twin of theirs.
DO $guard$
BEGIN
    IF (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'imgpress') <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
       OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'imgpress'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'imgpress'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = 'imgpress'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oprnamespace = 'imgpress'::pg_catalog.regnamespace) THEN
        RAISE EXCEPTION 'schema "imgpress" exists already and is not an empty one of yours'
            USING ERRCODE = 'duplicate_schema', HINT = 'Look what is in it, then drop or rename it: imgpress makes its own.';
    END IF;
END
$guard$;
