-- The keys of REST clients, and the secret that signs output URLs.

CREATE TABLE imgpress_internal.keys (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                text NOT NULL,
    owner               name NOT NULL,
    scopes              text[] NOT NULL,
    hash                bytea NOT NULL,
    previous_hash       bytea,
    previous_expires_at timestamptz,
    expires_at          timestamptz,
    revoked_at          timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    rotated_at          timestamptz,
    last_used_at        timestamptz,
    CONSTRAINT name_is_not_empty CHECK (name <> ''),
    CONSTRAINT scopes_are_not_empty CHECK (scopes <> '{}'),
    CONSTRAINT hash_is_sha256 CHECK (octet_length(hash) = 32 AND octet_length(previous_hash) = 32),
    CONSTRAINT previous_expires CHECK (num_nulls(previous_hash, previous_expires_at) <> 1)
);
COMMENT ON TABLE imgpress_internal.keys IS
    'One row for each key of a REST client; the view imgpress.keys shows them. hash: SHA-256 of the secret part of the '
    'key, which is stored nowhere. previous_hash: that of the key before its last rotation, until previous_expires_at';

CREATE TABLE imgpress_internal.url_secret (
    only_row boolean PRIMARY KEY DEFAULT true,
    secret   bytea NOT NULL,
    CONSTRAINT one_row CHECK (only_row)
);
COMMENT ON TABLE imgpress_internal.url_secret IS
    'The key that signs output URLs while imgpress.signed_urls is on. It is not dumped: a restored database makes one '
    'of its own, and URLs that were signed before are void there';
