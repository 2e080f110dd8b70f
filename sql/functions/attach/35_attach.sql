-- attach(), and what an attachment is like at present.

CREATE OR REPLACE FUNCTION imgpress.attachment_trigger() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'imgpress_attachment_trigger';
COMMENT ON FUNCTION imgpress.attachment_trigger() IS
    'Of the triggers that imgpress.attach() puts on a table. Before DROP EXTENSION imgpress they have to go: '
    'SELECT imgpress.detach_all()';

CREATE OR REPLACE FUNCTION imgpress_internal.triggers_of(attachment_id uuid)
    RETURNS TABLE (name name, kind text, enabled "char")
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.tgname, CASE WHEN t.tgtype & 4 <> 0 THEN 'INSERT' WHEN t.tgtype & 16 <> 0 THEN 'UPDATE'
                          WHEN t.tgtype & 8 <> 0 THEN 'DELETE' ELSE 'TRUNCATE' END, t.tgenabled
    FROM imgpress_internal.attachments a JOIN pg_trigger t ON t.tgrelid = a.relation
    WHERE a.id = $1 AND t.tgfoid = 'imgpress.attachment_trigger()'::regprocedure
      AND t.tgargs = convert_to(a.id::text, 'SQL_ASCII') || '\x00'
    ORDER BY 1;
$$;
COMMENT ON FUNCTION imgpress_internal.triggers_of(uuid) IS 'The triggers that an attachment has on its table';

CREATE OR REPLACE FUNCTION imgpress_internal.column_names(of_table oid, numbers smallint[], names name[]) RETURNS name[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(a.attname ORDER BY w.place)
    FROM (SELECT * FROM unnest(numbers) WITH ORDINALITY n (number, place) WHERE numbers IS NOT NULL
          UNION ALL
          SELECT a.attnum, n.place FROM unnest(names) WITH ORDINALITY n (name, place)
              LEFT JOIN pg_attribute a ON a.attrelid = of_table AND a.attname = n.name
              WHERE numbers IS NULL) w (number, place)
    LEFT JOIN pg_attribute a ON a.attrelid = of_table AND a.attnum = w.number AND NOT a.attisdropped;
$$;
COMMENT ON FUNCTION imgpress_internal.column_names(oid, smallint[], name[]) IS
    'The present names of columns that are given by number, or else by name; NULL in the place of one that is gone';

CREATE OR REPLACE FUNCTION imgpress_internal.columns_of_trigger(attachment_id uuid) RETURNS name[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(c.attname ORDER BY n.place) FROM (
        SELECT t.tgrelid, v.found[1]::smallint AS number, min(v.place) AS place
        FROM imgpress_internal.triggers_of($1) k
            JOIN imgpress_internal.attachments a ON a.id = $1
            JOIN pg_trigger t ON t.tgrelid = a.relation AND t.tgname = k.name
            CROSS JOIN LATERAL regexp_matches(t.tgqual::text, '\{VAR :varno \d+ :varattno (\d+) ', 'g')
                WITH ORDINALITY v (found, place)
        WHERE k.kind = 'UPDATE' GROUP BY 1, 2) n
    JOIN pg_attribute c ON c.attrelid = n.tgrelid AND c.attnum = n.number
$$;
COMMENT ON FUNCTION imgpress_internal.columns_of_trigger(uuid) IS
    'The URL column and the key columns as the condition of the trigger for UPDATE has them: in this order, and also '
    'right in a dump that was made just after a column was renamed. If it cannot be read, the stored names count';

CREATE OR REPLACE FUNCTION imgpress_internal.attachment_state(
    attachment_id uuid,
    OUT relation regclass, OUT owner name, OUT key_columns name[], OUT url_column name, OUT output_column name,
    OUT error_column name, OUT state text, OUT reason text
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stored imgpress_internal.attachments;
    anchors imgpress_internal.attachment_anchors;
    names name[];
    present name[];
    known name[];
    kinds text[];
    enabled "char"[];
BEGIN
    SELECT * INTO stored FROM imgpress_internal.attachments a WHERE a.id = attachment_id;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO anchors FROM imgpress_internal.attachment_anchors n
        WHERE n.attachment_id = attachment_state.attachment_id AND n.relation = stored.relation;
    IF anchors.relation IS NULL THEN
        present := imgpress_internal.columns_of_trigger(attachment_id);
        IF cardinality(present) = 1 + cardinality(stored.key_columns) THEN
            stored.url_column := present[1];
            stored.key_columns := present[2:];
        END IF;
    END IF;
    names := stored.key_columns || ARRAY[stored.url_column, stored.output_column, stored.error_column];
    present := imgpress_internal.column_names(stored.relation,
        CASE WHEN anchors.relation IS NOT NULL
             THEN anchors.key_attnums || ARRAY[anchors.url_attnum, anchors.output_attnum, anchors.error_attnum] END,
        names);
    relation := stored.relation;
    owner := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = stored.relation);
    SELECT array_agg(coalesce(n.present, n.name) ORDER BY n.place) INTO known
        FROM unnest(names, present) WITH ORDINALITY n (name, present, place);
    key_columns := known[:cardinality(stored.key_columns)];
    url_column := known[cardinality(stored.key_columns) + 1];
    output_column := known[cardinality(stored.key_columns) + 2];
    error_column := known[cardinality(stored.key_columns) + 3];
    SELECT array_agg(t.kind), array_agg(t.enabled) INTO kinds, enabled
        FROM imgpress_internal.triggers_of(attachment_id) t;
    reason := CASE
        WHEN owner IS NULL THEN format('table %s is gone', stored.table_name)
        WHEN stored.detached_at IS NOT NULL THEN 'imgpress.detach() was called'
        ELSE (SELECT format('column "%s" is gone', n.name) FROM unnest(names, present) n (name, present)
              WHERE n.name IS NOT NULL AND n.present IS NULL LIMIT 1)
        END;
    reason := coalesce(reason, (
        SELECT format('its trigger for %s is gone', k.kind) FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) k (kind)
        WHERE k.kind <> ALL (coalesce(kinds, '{}')) LIMIT 1));
    state := CASE WHEN reason IS NOT NULL THEN 'detached' END;
    reason := coalesce(reason, stored.paused_reason,
        CASE WHEN imgpress_internal.is_hidden_from_owner(stored.relation)
             THEN 'row security is forced on the owner of the table, so that it may not see all rows' END);
    state := coalesce(state, CASE WHEN reason IS NOT NULL THEN 'paused' END, 'active');
    reason := coalesce(reason,
        CASE WHEN 'D' = ANY (enabled)
             THEN 'its triggers are disabled: enable them, then call imgpress.reconcile()' END);
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION imgpress_internal.attachment_state(uuid) IS
    'What an attachment is like at present: table, its owner, the names of the columns, and the state: active, paused '
    'or detached, with the reason. No row if there is none of this id';
GRANT EXECUTE ON FUNCTION imgpress_internal.attachment_state(uuid) TO imgpress_reader;

CREATE OR REPLACE FUNCTION imgpress_internal.partitions_of(of_table oid) RETURNS oid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Unlike pg_partition_tree(), it does not wait for a lock of the table.
    WITH RECURSIVE part AS (
        SELECT c.oid, c.relkind FROM pg_class c WHERE c.oid = of_table AND c.relkind = 'p'
        UNION ALL
        SELECT c.oid, c.relkind FROM part p
            JOIN pg_inherits i ON i.inhparent = p.oid AND p.relkind = 'p' AND NOT i.inhdetachpending
            JOIN pg_class c ON c.oid = i.inhrelid
    )
    SELECT coalesce(array_agg(p.oid ORDER BY p.oid), '{}') FROM part p WHERE p.relkind <> 'p';
$$;
COMMENT ON FUNCTION imgpress_internal.partitions_of(oid) IS 'The partitions of a table that hold rows';

CREATE OR REPLACE FUNCTION imgpress_internal.partition_files_of(of_table oid) RETURNS oid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- A foreign table has no file.
    SELECT coalesce(array_agg(f.file ORDER BY f.file), '{}') FROM pg_class c
        CROSS JOIN LATERAL (SELECT CASE WHEN c.relfilenode = 0 THEN c.oid ELSE c.relfilenode END AS file) f
        WHERE c.oid = ANY (imgpress_internal.partitions_of(of_table));
$$;
COMMENT ON FUNCTION imgpress_internal.partition_files_of(oid) IS
    'The numbers of the files of these partitions: TRUNCATE of a partition fires no trigger, but gives it another file';

CREATE OR REPLACE FUNCTION imgpress_internal.set_anchors(attachment_id uuid) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO imgpress_internal.attachment_anchors
        SELECT a.id, a.relation, array_agg(k.attnum ORDER BY n.place), u.attnum, o.attnum, e.attnum,
               imgpress_internal.partition_files_of(a.relation)
        FROM imgpress_internal.attachments a
            CROSS JOIN unnest(a.key_columns) WITH ORDINALITY n (name, place)
            JOIN pg_attribute k ON k.attrelid = a.relation AND k.attname = n.name
            JOIN pg_attribute u ON u.attrelid = a.relation AND u.attname = a.url_column
            JOIN pg_attribute o ON o.attrelid = a.relation AND o.attname = a.output_column
            LEFT JOIN pg_attribute e ON e.attrelid = a.relation AND e.attname = a.error_column
        WHERE a.id = attachment_id
        GROUP BY a.id, u.attnum, o.attnum, e.attnum
    ON CONFLICT ON CONSTRAINT attachment_anchors_pkey DO UPDATE
        SET relation = excluded.relation, key_attnums = excluded.key_attnums, url_attnum = excluded.url_attnum,
            output_attnum = excluded.output_attnum, error_attnum = excluded.error_attnum,
            partition_files = excluded.partition_files;
$$;
COMMENT ON FUNCTION imgpress_internal.set_anchors(uuid) IS
    'Notes the numbers of the columns that an attachment names, and the partitions of its table';

CREATE OR REPLACE FUNCTION imgpress_internal.attachment_columns(
    attachment_id uuid,
    OUT relation regclass, OUT owner name, OUT key_columns name[], OUT url_column name, OUT output_column name,
    OUT error_column name, OUT state text, OUT reason text
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known oid[];
    found_now oid[];
BEGIN
    SELECT s.* INTO relation, owner, key_columns, url_column, output_column, error_column, state, reason
        FROM imgpress_internal.attachment_state(attachment_columns.attachment_id) s;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF state <> 'detached' THEN
        UPDATE imgpress_internal.attachments a
            SET table_name = a.relation::text, key_columns = attachment_columns.key_columns,
                url_column = attachment_columns.url_column, output_column = attachment_columns.output_column,
                error_column = attachment_columns.error_column
            WHERE a.id = attachment_columns.attachment_id
              AND (a.table_name, a.key_columns, a.url_column, a.output_column, a.error_column) IS DISTINCT FROM
                  (a.relation::text, attachment_columns.key_columns, attachment_columns.url_column,
                   attachment_columns.output_column, attachment_columns.error_column);
        -- If somebody has locked it: the next time. Nobody else's table is to wait for that.
        UPDATE imgpress.processing_requests r SET submitted_by = attachment_columns.owner
            WHERE r.id = (
                SELECT o.id FROM imgpress.processing_requests o
                WHERE o.id = attachment_columns.attachment_id AND o.submitted_by <> attachment_columns.owner
                FOR NO KEY UPDATE SKIP LOCKED);
        SELECT n.partition_files INTO known FROM imgpress_internal.attachment_anchors n
            WHERE n.attachment_id = attachment_columns.attachment_id AND n.relation = attachment_columns.relation;
        found_now := imgpress_internal.partition_files_of(attachment_columns.relation);
        IF known IS NULL THEN
            PERFORM imgpress_internal.set_anchors(attachment_columns.attachment_id);
        ELSIF known <> found_now THEN
            UPDATE imgpress_internal.attachment_anchors n SET partition_files = found_now
                WHERE n.attachment_id = attachment_columns.attachment_id;
            PERFORM imgpress_internal.begin_scan(attachment_columns.attachment_id, 'repair');
        END IF;
    END IF;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION imgpress_internal.attachment_columns(uuid) IS
    'As attachment_state(), and notes what has changed: names of columns, the owner of the table. A scan becomes due '
    'when partitions have come or gone, or were truncated';

CREATE OR REPLACE FUNCTION imgpress_internal.begin_scan(attachment_id uuid, kind text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE imgpress_internal.attachments a
        -- What has been asked for and not done yet stays asked for.
        SET scan = CASE WHEN a.scan = 'refresh' AND kind <> 'clear' THEN a.scan ELSE kind END,
            scan_after = NULL, scan_rows = 0, scan_started_at = clock_timestamp()
        WHERE a.id = attachment_id AND a.scan IS DISTINCT FROM 'clear';
    UPDATE imgpress_internal.attachment_progress p SET scan_gone_after = NULL, scan_again = false
        WHERE p.attachment_id = begin_scan.attachment_id AND (p.scan_gone_after IS NOT NULL OR p.scan_again);
    SELECT imgpress_internal.wake_attachments();
$$;
COMMENT ON FUNCTION imgpress_internal.begin_scan(uuid, text) IS
    'Makes a scan of the whole table due, from its first row';

CREATE OR REPLACE FUNCTION imgpress_internal.forget_attachment(attachment_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM imgpress_internal.lock_tables();
    DELETE FROM imgpress.processing_requests r WHERE r.id = forget_attachment.attachment_id AND r.standing;
    DELETE FROM imgpress_internal.attached_keys k WHERE k.attachment_id = forget_attachment.attachment_id;
    DELETE FROM imgpress_internal.attached_rows w WHERE w.attachment_id = forget_attachment.attachment_id;
    DELETE FROM imgpress_internal.attached_ends e WHERE e.attachment_id = forget_attachment.attachment_id;
    DELETE FROM imgpress_internal.attachment_progress p WHERE p.attachment_id = forget_attachment.attachment_id;
    DELETE FROM imgpress_internal.attachment_anchors n WHERE n.attachment_id = forget_attachment.attachment_id;
    DELETE FROM imgpress_internal.attachments a WHERE a.id = forget_attachment.attachment_id;
END
$$;
COMMENT ON FUNCTION imgpress_internal.forget_attachment(uuid) IS
    'Deletes an attachment with its request, and so with its images and outputs';

CREATE OR REPLACE FUNCTION imgpress_internal.change_of(relation regclass, column_name text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Another text is a change, also where a collation or a type calls it equal: 1.0 and 1.00.
    SELECT format(
        CASE WHEN c.base IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'oid'::regtype, 'uuid'::regtype,
                             'bool'::regtype, 'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype,
                             'float4'::regtype, 'float8'::regtype, 'bytea'::regtype, 'jsonb'::regtype)
             THEN 'OLD.%1$I IS DISTINCT FROM NEW.%1$I'
             WHEN c.base IN ('text[]'::regtype, 'varchar[]'::regtype)
             THEN 'OLD.%1$I COLLATE pg_catalog."C" IS DISTINCT FROM NEW.%1$I COLLATE pg_catalog."C"'
             ELSE 'OLD.%1$I::pg_catalog.text COLLATE pg_catalog."C" IS DISTINCT FROM '
                  'NEW.%1$I::pg_catalog.text COLLATE pg_catalog."C"' END, c.attname)
    FROM (SELECT a.attname, imgpress_internal.base_type(a.atttypid) AS base FROM pg_attribute a
          WHERE a.attrelid = relation AND a.attname = column_name) c;
$$;
COMMENT ON FUNCTION imgpress_internal.change_of(regclass, text) IS
    'The condition of a trigger that an UPDATE changes this column';

CREATE OR REPLACE FUNCTION imgpress_internal.trigger_statements(attachment_id uuid) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a imgpress_internal.attachments;
    trigger record;
BEGIN
    SELECT * INTO a FROM imgpress_internal.attachments t WHERE t.id = attachment_id;
    FOR trigger IN
        SELECT format('imgpress_%s_%s', lower(t.kind), left(a.id::text, 8)) AS name, t.* FROM (VALUES
            ('INSERT', 'ROW', format('NEW.%I IS NOT NULL', a.url_column)),
            ('UPDATE', 'ROW', (
                SELECT string_agg(imgpress_internal.change_of(a.relation, c.name), ' OR ' ORDER BY c.place)
                FROM unnest(a.url_column || a.key_columns) WITH ORDINALITY c (name, place))),
            ('DELETE', 'ROW', format('OLD.%I IS NOT NULL', a.url_column)),
            ('TRUNCATE', 'STATEMENT', NULL)) t (kind, level, condition)
    LOOP
        RETURN NEXT format('CREATE TRIGGER %I AFTER %s ON %s FOR EACH %s%s EXECUTE FUNCTION '
            'imgpress.attachment_trigger(%L)', trigger.name, trigger.kind, a.relation, trigger.level,
            ' WHEN (' || trigger.condition || ')', a.id);
        IF a.replicated THEN
            RETURN NEXT format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', a.relation, trigger.name);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION imgpress_internal.trigger_statements(uuid) IS 'The statements that create the triggers';

CREATE OR REPLACE FUNCTION imgpress_internal.drop_statements(attachment_id uuid) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('DROP TRIGGER %I ON %s', t.name, a.relation)
    FROM imgpress_internal.attachments a, imgpress_internal.triggers_of(a.id) t WHERE a.id = attachment_id;
$$;
COMMENT ON FUNCTION imgpress_internal.drop_statements(uuid) IS 'The statements that drop the triggers';

-- attach(): the half that runs as imgpress_owner. It answers with the id and the statements for the other one.

CREATE OR REPLACE FUNCTION imgpress_internal.check_attach(
    relation regclass, key text[], url text, output text, error text, stale text
) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner constant name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = relation);
BEGIN
    IF NOT pg_has_role(imgpress_internal.caller(), owner, 'USAGE') THEN
        RAISE EXCEPTION 'only the owner of % can attach it', relation USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF stale IS NULL OR stale NOT IN ('keep', 'null') THEN
        RAISE EXCEPTION 'stale => % is neither ''keep'' nor ''null''', coalesce(quote_literal(stale), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'When a URL changes, the old output is kept until the new one is there, or is set to NULL.';
    END IF;
    PERFORM imgpress_internal.check_attachable(relation);
    PERFORM imgpress_internal.check_attached_columns(relation, key, url, output, error);
    PERFORM imgpress_internal.check_attached_key(relation, key);
    PERFORM imgpress_internal.check_replica_identity(relation);
    PERFORM imgpress_internal.check_row_security(relation);
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_attach(regclass, text[], text, text, text, text) IS
    'An error with the remedy, if the caller may not attach the table, or it cannot be attached like this';

CREATE OR REPLACE FUNCTION imgpress_internal.attachment_at(relation regclass, key text[], output text)
    RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    other record;
BEGIN
    SELECT a.id, a.scan, s.state, s.relation, s.key_columns INTO other
        FROM imgpress_internal.attachments a CROSS JOIN LATERAL imgpress_internal.attachment_state(a.id) s
        WHERE (s.relation = attachment_at.relation
               OR s.relation IN (SELECT p.relid FROM pg_partition_ancestors(attachment_at.relation) p)
               OR attachment_at.relation IN (SELECT p.relid FROM pg_partition_ancestors(s.relation) p))
          AND s.output_column = output
        ORDER BY s.state = 'detached', s.relation <> attachment_at.relation LIMIT 1;
    IF other.state <> 'detached' THEN
        RAISE EXCEPTION 'column "%" of % is the output of an attachment already', output, other.relation
            USING ERRCODE = 'duplicate_object',
                  HINT = format('output => another column, or first: SELECT imgpress.detach(%L)', other.relation);
    ELSIF other.scan = 'clear' THEN
        RAISE EXCEPTION 'the outputs in column "%" of % are being cleared', output, relation
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Attach it when imgpress.attachments does not show the old attachment any more.';
    ELSIF other.relation <> relation THEN
        RETURN NULL;
    ELSIF other.key_columns <> key::name[] THEN
        RAISE EXCEPTION '% was attached before with another key: (%)', relation,
            array_to_string(other.key_columns, ', ')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('Attach it with that key again, or first: SELECT imgpress.detach(%L, '
                      'clear_outputs => true)', relation);
    END IF;
    RETURN other.id;
END
$$;
COMMENT ON FUNCTION imgpress_internal.attachment_at(regclass, text[], text) IS
    'The attachment that has written to this column with this key, and is detached; error 42710 if it is not detached, '
    '55000 if attach() cannot go on with it';

CREATE OR REPLACE FUNCTION imgpress_internal.attach(
    relation regclass, key text[], url text, output text, error text, quality integer, effort text, options jsonb,
    backfill boolean, overwrite boolean, stale text, replicated boolean
) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    owner constant name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = relation);
    all_options constant jsonb := imgpress_internal.complete_options(
        coalesce(options, '{}') || jsonb_strip_nulls(jsonb_build_object('quality', quality, 'effort', effort)));
    old_id uuid;
    old_options jsonb;
    new_id uuid;
    dropped text[];
    standstill text;
BEGIN
    PERFORM imgpress_internal.lock_tables();
    PERFORM imgpress_internal.check_attach(relation, key, url, output, error, stale);
    old_id := imgpress_internal.attachment_at(relation, key, output);
    new_id := coalesce(old_id, gen_random_uuid());
    dropped := array(SELECT imgpress_internal.drop_statements(new_id));
    SELECT r.options INTO old_options FROM imgpress.processing_requests r WHERE r.id = new_id FOR NO KEY UPDATE;
    -- Whoever waits for a request of their own comes before the pictures of tables, a backfill for instance.
    INSERT INTO imgpress.processing_requests (
            id, submitted_by, status, started_at, standing, priority, options, key_type)
        VALUES (new_id, owner, 'Processing', clock_timestamp(), true, -10, all_options, (
            SELECT string_agg(format_type(a.atttypid, a.atttypmod), ', ' ORDER BY array_position(key, a.attname::text))
            FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (key)))
        ON CONFLICT (id) DO UPDATE SET options = excluded.options, submitted_by = excluded.submitted_by;
    INSERT INTO imgpress_internal.attachments AS a (id, relation, table_name, key_columns, url_column, output_column,
            error_column, overwrite, stale, replicated, attached_by)
        VALUES (new_id, relation, relation::text, key, url, output, error, coalesce(overwrite, false), stale,
                coalesce(replicated, false), imgpress_internal.caller())
        ON CONFLICT (id) DO UPDATE
            SET key_columns = excluded.key_columns, url_column = excluded.url_column,
                output_column = excluded.output_column, error_column = excluded.error_column,
                overwrite = excluded.overwrite, stale = excluded.stale, replicated = excluded.replicated,
                attached_by = excluded.attached_by, attached_at = now(), detached_at = NULL, paused_at = NULL,
                paused_reason = NULL;
    PERFORM imgpress_internal.set_anchors(new_id);
    IF backfill THEN
        PERFORM imgpress_internal.begin_scan(new_id,
            CASE WHEN old_options <> all_options THEN 'refresh' ELSE 'backfill' END);
    END IF;
    standstill := imgpress_internal.standstill();
    IF standstill IS NOT NULL THEN
        RAISE NOTICE 'the table has to wait: %', standstill;
    END IF;
    RETURN new_id::text || dropped || array(SELECT imgpress_internal.trigger_statements(new_id));
END
$$;
COMMENT ON FUNCTION imgpress_internal.attach(
    regclass, text[], text, text, text, integer, text, jsonb, boolean, boolean, text, boolean) IS
    'The half of imgpress.attach() that checks and stores the attachment. Returns its id, and the statements that '
    'create the triggers, which the caller runs';

CREATE OR REPLACE FUNCTION imgpress.attach(
    relation regclass, key text[], url text, output text, error text DEFAULT NULL, quality integer DEFAULT NULL,
    effort text DEFAULT NULL, options jsonb DEFAULT NULL, backfill boolean DEFAULT true,
    overwrite boolean DEFAULT false, stale text DEFAULT 'keep', replicated boolean DEFAULT false
) RETURNS uuid
    LANGUAGE c SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    AS 'MODULE_PATHNAME', 'imgpress_attach';
COMMENT ON FUNCTION imgpress.attach(
    regclass, text[], text, text, text, integer, text, jsonb, boolean, boolean, text, boolean) IS
    'As attach() with one key column, for a key of several: key => ARRAY[''tenant'', ''id'']';

CREATE OR REPLACE FUNCTION imgpress.attach(
    relation regclass, key text, url text, output text, error text DEFAULT NULL, quality integer DEFAULT NULL,
    effort text DEFAULT NULL, options jsonb DEFAULT NULL, backfill boolean DEFAULT true,
    overwrite boolean DEFAULT false, stale text DEFAULT 'keep', replicated boolean DEFAULT false
) RETURNS uuid
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT imgpress.attach($1, ARRAY[$2], $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);
$$;
COMMENT ON FUNCTION imgpress.attach(
    regclass, text, text, text, text, integer, text, jsonb, boolean, boolean, text, boolean) IS
    'Attaches a table: for each row whose URL is set or changes, the picture is compressed and the result is written '
    'into the row. url: a column of URLs; output: the column for output URLs, or of type bytea for the bytes; error: '
    'one for the reason of a failure. Example: SELECT imgpress.attach(''products'', key => ''id'', '
    'url => ''photo_url'', output => ''photo_small_url''). Returns the id of the standing request; '
    'imgpress.attachments shows how it goes';

GRANT EXECUTE ON FUNCTION imgpress.attachment_trigger(),
    imgpress.attach(regclass, text[], text, text, text, integer, text, jsonb, boolean, boolean, text, boolean),
    imgpress.attach(regclass, text, text, text, text, integer, text, jsonb, boolean, boolean, text, boolean)
    TO imgpress_user;
