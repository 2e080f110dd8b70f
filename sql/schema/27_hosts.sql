-- Rules for the hosts that images are downloaded from, and what is sent to them.

CREATE TABLE imgpress.hosts (
    host                text PRIMARY KEY,
    requests_per_second double precision,
    connections         integer,
    paused_until        timestamptz,
    note                text,
    host_no             integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    CONSTRAINT requests_per_second_in_range CHECK (requests_per_second BETWEEN 0.001 AND 100000),
    CONSTRAINT connections_in_range CHECK (connections BETWEEN 1 AND 1024)
);
COMMENT ON TABLE imgpress.hosts IS
    'Rules for the hosts of image URLs, edited by administrators; they take effect within a second. Where several rows '
    'are for a host, the most specific one with a value counts, and any of them can pause it';
COMMENT ON COLUMN imgpress.hosts.host IS
    'As in the URLs, in lower case: img.example.com is the host with any port, img.example.com:8443 only with this '
    'one, *.example.com every host below the domain';
COMMENT ON COLUMN imgpress.hosts.requests_per_second IS
    'Limit on the downloads from each such host that a worker begins; NULL: none';
COMMENT ON COLUMN imgpress.hosts.connections IS
    'Limit on simultaneous connections to each such host; NULL: imgpress.connections_per_host';
COMMENT ON COLUMN imgpress.hosts.paused_until IS
    'No download begins before; infinity: before imgpress.resume_host()';
COMMENT ON COLUMN imgpress.hosts.note IS 'For people';
COMMENT ON COLUMN imgpress.hosts.host_no IS 'See images.host_no';

ALTER TABLE imgpress.images ADD COLUMN host_no integer;
COMMENT ON COLUMN imgpress.images.host_no IS
    'The row of imgpress.hosts whose pause keeps the image waiting; NULL: none does';
-- Only images that were set aside are in it, so the way to success touches it as little as the other indexes.
CREATE INDEX images_of_paused_hosts ON imgpress.images (host_no) WHERE host_no IS NOT NULL;

CREATE TABLE imgpress_internal.origin_headers (
    url_prefix  text NOT NULL,
    header_name text NOT NULL,
    value       text NOT NULL,
    roles       name[] NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (url_prefix, header_name)
);
COMMENT ON TABLE imgpress_internal.origin_headers IS
    'Secret headers of origins; the view imgpress.origin_headers shows them without their values, which nobody may '
    'read. They are not dumped: after a restore they have to be set again';
