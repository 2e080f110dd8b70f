-- What can be done with an attached table: detach(), pause(), resume(), reconcile(), and the view of all.

CREATE OR REPLACE FUNCTION imgpress_internal.own_attachments(relation regclass)
    RETURNS SETOF imgpress_internal.attachments
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    one imgpress_internal.attachments;
    caller constant name := imgpress_internal.caller();
    owner constant name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = relation);
BEGIN
    PERFORM imgpress_internal.lock_tables();
    FOR one IN SELECT * FROM imgpress_internal.attachments a WHERE a.relation = own_attachments.relation
               ORDER BY a.id FOR UPDATE
    LOOP
        IF NOT imgpress_internal.may_see(coalesce(owner, one.attached_by)) THEN
            RAISE EXCEPTION 'only the owner of % may do that, or a member of imgpress_admin', relation
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEXT one;
    END LOOP;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not attached', coalesce(relation::text, 'NULL')
            USING ERRCODE = 'no_data_found', HINT = 'The view imgpress.attachments lists the tables that are.';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.own_attachments(regclass) IS
    'The attachments of a table, locked; error 42501 if they are not the caller''s, P0002 if there is none';

CREATE OR REPLACE FUNCTION imgpress_internal.detach_one(attachment_id uuid, clear_outputs boolean) RETURNS text[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statements constant text[] := array(SELECT imgpress_internal.drop_statements(attachment_id));
    owner constant name := (SELECT s.owner FROM imgpress_internal.attachment_state(attachment_id) s);
BEGIN
    IF owner IS NULL THEN
        PERFORM imgpress_internal.forget_attachment(attachment_id);
        RETURN '{}';
    END IF;
    UPDATE imgpress_internal.attachments a
        SET detached_at = coalesce(a.detached_at, clock_timestamp()),
            scan = CASE WHEN a.scan = 'clear' THEN a.scan END,
            scan_after = CASE WHEN a.scan = 'clear' THEN a.scan_after END
        WHERE a.id = attachment_id;
    IF clear_outputs THEN
        PERFORM imgpress_internal.begin_scan(attachment_id, 'clear');
    END IF;
    RETURN statements;
END
$$;
COMMENT ON FUNCTION imgpress_internal.detach_one(uuid, boolean) IS
    'Notes that an attachment is detached, or forgets it if its table is gone; returns the statements that drop the '
    'triggers';

CREATE OR REPLACE FUNCTION imgpress_internal.detach(relation regclass, clear_outputs boolean) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    detached integer := 0;
    statements text[] := '{}';
    one uuid;
BEGIN
    FOR one IN SELECT o.id FROM imgpress_internal.own_attachments(relation) o LOOP
        statements := statements || imgpress_internal.detach_one(one, clear_outputs);
        detached := detached + 1;
    END LOOP;
    RETURN detached::text || statements;
END
$$;
COMMENT ON FUNCTION imgpress_internal.detach(regclass, boolean) IS
    'The half of imgpress.detach() that changes imgpress''s own tables';

CREATE OR REPLACE FUNCTION imgpress.detach(relation regclass, clear_outputs boolean DEFAULT false) RETURNS integer
    LANGUAGE c SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    AS 'MODULE_PATHNAME', 'imgpress_detach';
COMMENT ON FUNCTION imgpress.detach(regclass, boolean) IS
    'Ends the attachments of a table: removes the triggers and returns how many attachments it had. The outputs are '
    'kept, in the table and as pictures; clear_outputs: what imgpress has written is set to NULL, in the background, '
    'and the pictures are deleted';

CREATE OR REPLACE FUNCTION imgpress_internal.detach_all() RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    caller constant name := imgpress_internal.caller();
    detached integer := 0;
    left_out text;
    statements text[] := '{}';
    one record;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    FOR one IN
        SELECT a.id, a.relation, a.detached_at, c.relowner, CASE WHEN c.relowner IS NULL
            THEN imgpress_internal.may_see(a.attached_by) ELSE pg_has_role(caller, c.relowner, 'USAGE') END AS is_own
        FROM imgpress_internal.attachments a LEFT JOIN pg_class c ON c.oid = a.relation
        ORDER BY a.relation, a.id FOR UPDATE OF a
    LOOP
        IF NOT one.is_own THEN
            left_out := concat_ws(', ', left_out, one.relation::text);
            CONTINUE;
        END IF;
        detached := detached + CASE WHEN one.detached_at IS NULL THEN 1 ELSE 0 END;
        statements := statements || imgpress_internal.detach_one(one.id, false);
    END LOOP;
    IF left_out IS NOT NULL AND imgpress_internal.may_see('imgpress_admin') THEN
        RAISE NOTICE 'tables of others stay attached: %', left_out;
    END IF;
    RETURN detached::text || statements;
END
$$;
COMMENT ON FUNCTION imgpress_internal.detach_all() IS
    'The half of imgpress.detach_all() that changes imgpress''s own tables';

CREATE OR REPLACE FUNCTION imgpress.detach_all() RETURNS integer
    LANGUAGE c SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    AS 'MODULE_PATHNAME', 'imgpress_detach';
COMMENT ON FUNCTION imgpress.detach_all() IS
    'Detaches all tables that the caller owns, and forgets those that are gone; returns how many attachments these '
    'were. As a superuser before DROP EXTENSION imgpress, which the triggers would prevent';

CREATE OR REPLACE FUNCTION imgpress.pause(relation regclass) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    paused integer;
BEGIN
    UPDATE imgpress_internal.attachments a
        SET paused_at = clock_timestamp(),
            paused_reason = format('%s called imgpress.pause()', imgpress_internal.caller())
        FROM imgpress_internal.own_attachments(pause.relation) o WHERE a.id = o.id AND a.paused_at IS NULL;
    GET DIAGNOSTICS paused = ROW_COUNT;
    RETURN paused;
END
$$;
COMMENT ON FUNCTION imgpress.pause(regclass) IS
    'Neither reads nor writes an attached table until imgpress.resume(); changed rows are noted meanwhile. Returns how '
    'many of its attachments were paused by this';

CREATE OR REPLACE FUNCTION imgpress.resume(relation regclass) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    resumed integer;
BEGIN
    UPDATE imgpress_internal.attachments a SET paused_at = NULL, paused_reason = NULL
        FROM imgpress_internal.own_attachments(resume.relation) o WHERE a.id = o.id AND a.paused_at IS NOT NULL;
    GET DIAGNOSTICS resumed = ROW_COUNT;
    UPDATE imgpress_internal.attachment_progress p SET failures = 0, retry_at = NULL, trouble = NULL
        FROM imgpress_internal.attachments a
        WHERE a.relation = resume.relation AND p.attachment_id = a.id AND p.trouble IS NOT NULL;
    PERFORM imgpress_internal.wake_attachments();
    RETURN resumed;
END
$$;
COMMENT ON FUNCTION imgpress.resume(regclass) IS
    'Goes on with a table that was paused; returns how many of its attachments were';

CREATE OR REPLACE FUNCTION imgpress.reconcile(relation regclass, refresh boolean DEFAULT false) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    begun integer := 0;
    one record;
BEGIN
    FOR one IN SELECT o.id, s.state, s.reason FROM imgpress_internal.own_attachments(reconcile.relation) o
                   CROSS JOIN LATERAL imgpress_internal.attachment_state(o.id) s
    LOOP
        CONTINUE WHEN one.state = 'detached';
        PERFORM imgpress_internal.begin_scan(one.id, CASE WHEN refresh THEN 'refresh' ELSE 'repair' END);
        begun := begun + 1;
    END LOOP;
    IF begun = 0 THEN
        RAISE EXCEPTION '% is detached: %', relation, one.reason
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Call imgpress.attach() again.';
    END IF;
    RETURN begun;
END
$$;
COMMENT ON FUNCTION imgpress.reconcile(regclass, boolean) IS
    'Reads the whole attached table once, in the background and in portions, and sets right what no trigger has seen: '
    'new partitions, rows of a restore, rows that are gone. refresh: also asks again for each picture. Returns the '
    'number of scans that are due; imgpress.attachments shows their progress';

CREATE OR REPLACE VIEW imgpress.attachments WITH (security_barrier) AS
    SELECT s.relation, a.id AS request_id, s.key_columns, s.url_column, s.output_column, s.error_column,
           CASE WHEN s.state = 'active' AND p.trouble IS NOT NULL THEN 'failing' ELSE s.state END AS state,
           coalesce(s.reason, p.trouble) AS reason,
           k.waiting + w.waiting AS waiting, w.done, w.failed,
           w.left_alone, least(k.behind_since, w.behind_since) AS behind_since,
           a.scan, a.scan_rows, a.scan_started_at, r.options, a.overwrite, a.stale, a.replicated, a.attached_by,
           a.attached_at
    FROM imgpress.processing_requests r
        JOIN imgpress_internal.attachments a ON a.id = r.id
        LEFT JOIN imgpress_internal.attachment_progress p ON p.attachment_id = a.id
        CROSS JOIN LATERAL imgpress_internal.attachment_state(a.id) s
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(cardinality(q.keys)), 0) AS waiting, min(q.queued_at) AS behind_since
            FROM imgpress_internal.attached_keys q WHERE q.attachment_id = a.id
        ) k
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE c.state = 'waiting') AS waiting,
                   count(*) FILTER (WHERE c.state = 'done') AS done,
                   count(*) FILTER (WHERE c.state = 'failed') AS failed,
                   count(*) FILTER (WHERE c.state IN ('kept', 'paused')) AS left_alone,
                   min(c.since) FILTER (WHERE c.state = 'waiting') AS behind_since
            FROM imgpress_internal.attached_rows c WHERE c.attachment_id = a.id
        ) w
    WHERE r.standing;
COMMENT ON VIEW imgpress.attachments IS
    'One row for each attached table and output column. state: active, paused, failing (it is tried again) or '
    'detached, and the reason. Numbers of rows: waiting to be looked at, for their pictures or to be written, done, '
    'failed, and '
    'left alone (their output comes from others, or their URL changes too often). behind_since: when the one that has '
    'waited longest was changed. scan: backfill, refresh, repair or clear while the whole table is read, with '
    'scan_rows so far';
GRANT SELECT ON imgpress.attachments TO imgpress_reader;
GRANT SELECT ON imgpress_internal.attachments, imgpress_internal.attached_keys, imgpress_internal.attached_rows,
    imgpress_internal.attachment_progress TO imgpress_views;

GRANT EXECUTE ON FUNCTION imgpress.detach(regclass, boolean), imgpress.detach_all(), imgpress.pause(regclass),
    imgpress.resume(regclass), imgpress.reconcile(regclass, boolean) TO imgpress_user;
