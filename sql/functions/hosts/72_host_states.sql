-- What has been learnt about hosts, beside the rules for them.

CREATE OR REPLACE FUNCTION imgpress_internal.host_state(
    OUT host text, OUT connections integer, OUT allowed integer, OUT waiting integer, OUT per_second double precision,
    OUT paused_until timestamptz, OUT last_error text
) RETURNS SETOF record
    LANGUAGE c VOLATILE ROWS 32 AS 'MODULE_PATHNAME', 'imgpress_host_state';
COMMENT ON FUNCTION imgpress_internal.host_state() IS
    'What the worker of this database has learnt about hosts: the source of the view imgpress.host_states';
GRANT EXECUTE ON FUNCTION imgpress_internal.host_state() TO imgpress_admin;

CREATE OR REPLACE VIEW imgpress.host_states AS
    SELECT s.host, s.connections, s.allowed AS connections_allowed, s.waiting,
           round(s.per_second::numeric, 1) AS requests_per_second,
           greatest(p.paused_until, CASE WHEN s.paused_until > now() THEN s.paused_until END)
               AS paused_until,
           CASE WHEN p.paused_until IS NOT NULL THEN 'paused in imgpress.hosts'
                WHEN s.paused_until > now() THEN 'the host has asked for it (Retry-After)' END AS pause_reason,
           s.last_error
    FROM imgpress_internal.host_state() s
    LEFT JOIN LATERAL (
        SELECT max(h.paused_until) AS paused_until FROM imgpress.hosts h
        WHERE h.host = ANY (imgpress_internal.host_patterns('http://' || s.host)) AND h.paused_until > now()
    ) p ON true;
COMMENT ON VIEW imgpress.host_states IS
    'One row for each host that the worker of this database downloads from, or has lately; the busiest 32. connections: '
    'in use. connections_allowed: how many the host can bear, as learnt, within the limits. waiting: downloads that wait '
    'for a connection. requests_per_second: of late. last_error: of a download, since the worker started';
GRANT SELECT ON imgpress.host_states TO imgpress_admin;
