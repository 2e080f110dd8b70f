"""All objects of imgpress in a database, with definitions, comments and grants."""

_OBJECTS = """
WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname IN ('imgpress', 'imgpress_internal'))
SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), obj_description(p.oid,
       'pg_proc'),
       (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(p.proacl) a),
       pg_get_userbyid(p.proowner)
FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'relation', c.oid::regclass::text, c.relkind::text || array_to_string(c.reloptions, ' '),
       obj_description(c.oid, 'pg_class'),
       (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(c.relacl) a),
       pg_get_userbyid(c.relowner)
FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'v', 'c', 'S')
UNION ALL
SELECT 'view', c.oid::regclass::text, pg_get_viewdef(c.oid), NULL, NULL, NULL
FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind = 'v'
UNION ALL
SELECT 'column', c.oid::regclass || '.' || a.attname, format_type(a.atttypid, a.atttypmod)
       || a.attnotnull || a.attstorage::text,
       col_description(c.oid, a.attnum), pg_get_expr(d.adbin, d.adrelid), NULL
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'v', 'c')
UNION ALL
SELECT 'constraint', o.conrelid::regclass || '.' || o.conname, pg_get_constraintdef(o.oid), NULL,
       NULL, NULL
FROM pg_constraint o WHERE o.connamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), NULL, NULL, NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'trigger', t.tgrelid::regclass || '.' || t.tgname, pg_get_triggerdef(t.oid), NULL, NULL, NULL
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace IN (SELECT oid
       FROM ours) AND NOT t.tgisinternal
UNION ALL
SELECT 'policy', p.polrelid::regclass || '.' || p.polname, concat_ws(' ', p.polcmd, p.polpermissive,
       p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck,
       p.polrelid), c.relrowsecurity, c.relforcerowsecurity), obj_description(p.oid, 'pg_policy'),
       NULL, NULL
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'schema', n.nspname, NULL, obj_description(n.oid, 'pg_namespace'),
       (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(n.nspacl) a), NULL
FROM pg_namespace n WHERE n.oid IN (SELECT oid FROM ours)
UNION ALL
SELECT 'dumped', c::regclass::text, NULL, NULL, NULL, NULL FROM pg_extension e,
       unnest(e.extconfig) c WHERE e.extname = 'imgpress'
UNION ALL
SELECT 'member', pg_describe_object(d.classid, d.objid, 0), NULL, NULL, NULL, NULL
FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'imgpress'
       AND d.deptype = 'e'
"""


def schema_objects(cluster, database):
    """{(kind, name): (definition, comment, grants or default, owner)}"""
    return {row[:2]: row[2:] for row in cluster.query(_OBJECTS, database=database)}
