-- What attach() refuses: tables, columns and keys that cannot be attached.

CREATE OR REPLACE FUNCTION imgpress_internal.base_type(of_type oid) RETURNS oid
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE step AS (
        SELECT t.oid, t.typtype, t.typbasetype FROM pg_type t WHERE t.oid = $1
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM step s JOIN pg_type t ON t.oid = s.typbasetype
            WHERE s.typtype = 'd'
    )
    SELECT s.oid FROM step s WHERE s.typtype <> 'd';
$$;
COMMENT ON FUNCTION imgpress_internal.base_type(oid) IS 'The type under a domain; otherwise the type itself';

CREATE OR REPLACE FUNCTION imgpress_internal.check_attachable(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    class pg_class;
    problem text;
    remedy text;
BEGIN
    SELECT * INTO class FROM pg_class c WHERE c.oid = relation;
    SELECT p.problem, p.remedy INTO problem, remedy FROM (VALUES
        (class.relkind = 'v', 'is a view', 'Attach the table that it reads.'),
        (class.relkind = 'm', 'is a materialized view', 'Attach the table that it reads.'),
        (class.relkind = 'f', 'is a foreign table', 'Attach the table in the database where it is.'),
        (class.relkind NOT IN ('r', 'p', 'v', 'm', 'f'), 'is not a table', NULL),
        (class.relpersistence = 't', 'is a temporary table', 'Other sessions cannot see its rows: attach another one.'),
        (class.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
            OR class.relnamespace = 'pg_toast'::regnamespace, 'is a system table', NULL),
        (EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'imgpress'
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = relation AND d.deptype = 'e'),
            'belongs to imgpress', NULL),
        (class.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = relation),
            'has tables that inherit from it', 'Their rows would fire no trigger: attach each of these tables instead.')
        ) p (found, problem, remedy) WHERE p.found LIMIT 1;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% % and cannot be attached', relation, problem
            USING ERRCODE = 'wrong_object_type',
                  HINT = coalesce(remedy, 'Attach a table of your own, also a partitioned one.');
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_attachable(regclass) IS
    'Error 42809 for what cannot be attached: views, foreign, temporary and system tables, those that others inherit '
    'from, and imgpress''s own';

CREATE OR REPLACE FUNCTION imgpress_internal.attachable_column(relation regclass, role text, column_name text)
    RETURNS pg_attribute
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_column pg_attribute;
    kind text;
    allowed constant text[] := CASE role
        WHEN 'url' THEN ARRAY['text', 'character varying', 'text[]', 'character varying[]', 'jsonb']
        WHEN 'output' THEN ARRAY['text', 'character varying', 'text[]', 'character varying[]', 'jsonb', 'bytea']
        WHEN 'error' THEN ARRAY['text', 'character varying'] END;
BEGIN
    SELECT * INTO found_column FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% => %: % has no such column', role, coalesce(quote_literal(column_name), 'NULL'), relation
            USING ERRCODE = 'undefined_column',
                  HINT = 'Its columns: ' || (
                      SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
                      WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped) || '.';
    END IF;
    kind := format_type(imgpress_internal.base_type(found_column.atttypid), NULL);
    IF kind <> ALL (allowed) THEN
        RAISE EXCEPTION 'column "%" of % has type %, which is none for %', column_name, relation, kind,
            CASE role WHEN 'url' THEN 'URLs' WHEN 'output' THEN 'outputs' ELSE 'errors' END
            USING ERRCODE = 'datatype_mismatch',
                  HINT = format('%s => a column of type %s.', role, array_to_string(allowed, ', '));
    END IF;
    IF role IN ('output', 'error') AND found_column.attgenerated <> '' THEN
        RAISE EXCEPTION 'column "%" of % is generated, so nothing can be written to it', column_name, relation
            USING ERRCODE = 'generated_always', HINT = format('%s => another column.', role);
    END IF;
    IF role IN ('output', 'error') AND found_column.attnotnull THEN
        RAISE EXCEPTION 'column "%" of % is NOT NULL, but is NULL until there is an %', column_name, relation, role
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', relation, column_name);
    END IF;
    RETURN found_column;
END
$$;
COMMENT ON FUNCTION imgpress_internal.attachable_column(regclass, text, text) IS
    'A column that attach() is to use as url, output, error or key; an error if it is none, or cannot be that';

CREATE OR REPLACE FUNCTION imgpress_internal.check_attached_columns(
    relation regclass, key text[], url text, output text, error text
) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    url_type text;
    output_type text;
    twice text;
BEGIN
    IF coalesce(cardinality(key), 0) = 0 THEN
        RAISE EXCEPTION 'key names no column' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'key => the column, or an array of the columns, of the primary key or of a unique one.';
    END IF;
    PERFORM imgpress_internal.attachable_column(relation, 'key', k.name) FROM unnest(key) k (name);
    url_type := format_type(imgpress_internal.base_type(
        (imgpress_internal.attachable_column(relation, 'url', url)).atttypid), NULL);
    output_type := format_type(imgpress_internal.base_type(
        (imgpress_internal.attachable_column(relation, 'output', output)).atttypid), NULL);
    IF error IS NOT NULL THEN
        PERFORM imgpress_internal.attachable_column(relation, 'error', error);
    END IF;
    SELECT c.name INTO twice FROM unnest(key || ARRAY[url, output, error]) c (name)
        WHERE c.name IS NOT NULL GROUP BY 1 HAVING count(*) > 1 LIMIT 1;
    IF twice IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of % cannot have two roles in an attachment', twice, relation
            USING ERRCODE = 'duplicate_column',
                  HINT = 'key, url, output and error are different columns: ALTER TABLE ... ADD COLUMN.';
    END IF;
    IF url_type LIKE '%[]' AND output_type NOT LIKE '%[]' AND output_type <> 'jsonb' THEN
        RAISE EXCEPTION 'column "%" holds lists of URLs, but an output of type % is for one', url, output_type
            USING ERRCODE = 'datatype_mismatch', HINT = 'output => a column of type text[] or jsonb.';
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_attached_columns(regclass, text[], text, text, text) IS
    'An error for columns that cannot be attached';

CREATE OR REPLACE FUNCTION imgpress_internal.check_attached_key(relation regclass, key text[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    numbers constant smallint[] := array(
        SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (key) ORDER BY 1);
    nullable text;
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
            AND i.indexprs IS NULL
            AND array(SELECT n FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k (n, place)
                      WHERE k.place <= i.indnkeyatts ORDER BY 1) = numbers) THEN
        RAISE EXCEPTION '(%) is not a unique key of %', array_to_string(key, ', '), relation
            USING ERRCODE = 'invalid_foreign_key',
                  HINT = 'key => the columns of its primary key, or of a unique index that is neither partial nor '
                      'deferrable nor on an expression.';
    END IF;
    SELECT a.attname INTO nullable FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attnum = ANY (numbers) AND NOT a.attnotnull LIMIT 1;
    IF nullable IS NOT NULL THEN
        RAISE EXCEPTION 'key column "%" of % may be NULL', nullable, relation
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', relation, nullable);
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_attached_key(regclass, text[]) IS
    'An error unless each row has exactly one value of these columns, and no other row has it';

CREATE OR REPLACE FUNCTION imgpress_internal.check_replica_identity(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    blocked regclass;
BEGIN
    SELECT c.oid::regclass INTO blocked
        FROM pg_publication p
            JOIN pg_publication_tables t ON t.pubname = p.pubname AND p.pubupdate
            JOIN pg_namespace n ON n.nspname = t.schemaname
            JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = t.tablename
            LEFT JOIN LATERAL pg_partition_tree(r.oid) m ON true
            JOIN pg_class c ON c.oid = coalesce(m.relid, r.oid)
        WHERE (c.oid = relation OR c.oid = ANY (imgpress_internal.partitions_of(relation)))
          AND c.relkind = 'r' AND c.relreplident <> 'f' AND pg_get_replica_identity_index(c.oid) IS NULL
        LIMIT 1;
    IF blocked IS NOT NULL THEN
        RAISE EXCEPTION '% is published without a replica identity, so that its rows cannot be updated', blocked
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('ALTER TABLE %s REPLICA IDENTITY USING INDEX ..., or FULL', blocked);
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_replica_identity(regclass) IS
    'Error 55000 if PostgreSQL would refuse each UPDATE of the table, because of a publication';

CREATE OR REPLACE FUNCTION imgpress_internal.is_always_true(expression pg_node_tree) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- pg_get_expr() locks the tables that an expression is about, also those of a subquery, and would wait for
    -- somebody's migration. A constant is about none.
    SELECT CASE WHEN expression::text LIKE '{CONST %' THEN pg_get_expr(expression, 0) = 'true' ELSE false END;
$$;
COMMENT ON FUNCTION imgpress_internal.is_always_true(pg_node_tree) IS
    'Whether the expression of a policy is the constant true';

CREATE OR REPLACE FUNCTION imgpress_internal.is_hidden_from_owner(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.relrowsecurity AND c.relforcerowsecurity AND NOT o.rolsuper AND NOT o.rolbypassrls
        AND (EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive)
             OR NOT EXISTS (
                 SELECT FROM pg_policy p
                 WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*'
                   AND imgpress_internal.is_always_true(p.polqual)
                   AND (p.polwithcheck IS NULL OR imgpress_internal.is_always_true(p.polwithcheck))
                   AND EXISTS (SELECT FROM unnest(p.polroles) r WHERE r = 0 OR pg_has_role(c.relowner, r, 'USAGE'))))
    FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner WHERE c.oid = relation;
$$;
COMMENT ON FUNCTION imgpress_internal.is_hidden_from_owner(regclass) IS
    'Whether row security may hide rows from the owner of the table, as whom imgpress reads it: a row that it does not '
    'see would be taken for one that is gone';

CREATE OR REPLACE FUNCTION imgpress_internal.check_row_security(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF imgpress_internal.is_hidden_from_owner(relation) THEN
        RAISE EXCEPTION 'row security of % is forced on its owner, as whom imgpress reads and writes it', relation
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, or give the owner a policy: CREATE POLICY '
                      '... ON %s TO %I USING (true)', relation, relation,
                      (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = relation));
    END IF;
END
$$;
COMMENT ON FUNCTION imgpress_internal.check_row_security(regclass) IS
    'Error 55000 if row security may hide rows from the owner of the table';
