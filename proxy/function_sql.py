"""SQL that reads the server's functions; the rest of its catalogue is read by `proxy/catalog_sql.py`."""

from __future__ import annotations

# Functions of these names ($1), and those that give rows of a relation. Parameters come twice: all of them by
# name and mode, the inputs by the attributes of their composite type, as JSON.
SIGNATURES = """
SELECT n.nspname, p.proname,
       CASE WHEN result.typtype = 'c' THEN result.typrelid ELSE 0 END::int8,
       result.oid <> declared.oid,
       p.proargnames, p.proargmodes::text[],
       ARRAY(SELECT pg_catalog.array_to_json(ARRAY(
                        SELECT a.attname::text FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                        ORDER BY a.attnum))::text
             FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS input (type, place)
             JOIN pg_catalog.pg_type own ON own.oid = input.type
             JOIN pg_catalog.pg_type t ON t.oid = CASE WHEN own.typelem <> 0 AND own.typlen = -1
                                                       THEN own.typelem ELSE own.oid END
             ORDER BY input.place),
       ARRAY(SELECT own.typelem <> 0 AND own.typlen = -1
             FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS input (type, place)
             JOIN pg_catalog.pg_type own ON own.oid = input.type
             ORDER BY input.place)
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_type declared ON declared.oid = p.prorettype
JOIN pg_catalog.pg_type result
ON result.oid = CASE WHEN declared.typelem <> 0 AND declared.typlen = -1
                     THEN declared.typelem ELSE declared.oid END
WHERE p.oid >= 16384 AND (p.proname = ANY($1::text[]::name[]) OR result.typtype = 'c')
ORDER BY n.nspname, p.proname, p.oid
"""

# The code of trigger functions in languages that can be read ($1).
TRIGGER_CODE = """
SELECT p.proname, p.prosrc FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.oid >= 16384 AND l.lanname = ANY($1::text[])
  AND p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
ORDER BY p.proname, p.oid
"""

# Functions whose code names a table ($1: a pattern of the names), or depends on one ($2: their oids).
NAMING_FUNCTIONS = """
SELECT n.nspname, p.proname, p.prosrc,
       ARRAY(SELECT d.refobjid FROM pg_catalog.pg_depend d
             WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = ANY($2::oid[]))
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384
  AND (p.prosrc ~* $1
       OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
                    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.refobjid = ANY($2::oid[])))
ORDER BY n.nspname, p.proname, p.oid
"""

# Since PostgreSQL 15 a publication may have columns and a row filter.
PUBLICATIONS = """
SELECT t.pubname, t.schemaname, t.tablename, pg_catalog.to_jsonb(t) ->> 'attnames',
       pg_catalog.to_jsonb(t) ->> 'rowfilter'
FROM pg_catalog.pg_publication_tables t
ORDER BY t.pubname, t.schemaname, t.tablename
"""
