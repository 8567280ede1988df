"""What a session asks the server about the relations that its own open transaction has made or changed.

It runs in the application's session, whatever is set there: operators are written with their schema, too, and
the answer, which is JSON, comes in base64, which is the same in every encoding. For PostgreSQL 13 and later.

A transaction holds a lock on each relation that it has made, changed or dropped, until its end, or until it
is rolled back to a savepoint before; who only reads and writes rows holds a weaker one. A view that names
such a relation is asked for as well: a column or table that is renamed has another name in its definition.
A definition is not read while it would have to wait for another transaction's lock, which the application's
own statement may have nothing to do with: pg_get_viewdef() locks the view and all that it names.
Sources: PostgreSQL documentation, 13.3.1 (table-level locks), 54.12 (pg_locks), and chapter 53.
"""

from __future__ import annotations

# $1: names, as JSON, of relations that are asked for in any case, in whatever schema they are; of functions
# only whether there are any.
INQUIRY = """
WITH asked (name) AS MATERIALIZED (
    SELECT name::pg_catalog.name FROM pg_catalog.json_array_elements_text($1::pg_catalog.json) name
), locked (oid) AS MATERIALIZED (
    SELECT l.relation FROM pg_catalog.pg_locks l
    WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
      AND l.locktype OPERATOR(pg_catalog.=) 'relation'
      AND l.relation OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
      AND l.mode OPERATOR(pg_catalog.<>) ALL (
          '{AccessShareLock,RowShareLock,RowExclusiveLock}'::pg_catalog.text[])
), named AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relnamespace FROM pg_catalog.pg_class c
    WHERE c.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
      AND c.relname OPERATOR(pg_catalog.=) ANY (SELECT a.name FROM asked a)
), touched (oid) AS MATERIALIZED (
    SELECT l.oid FROM locked l UNION SELECT n.oid FROM named n
), wanted (oid) AS MATERIALIZED (
    SELECT t.oid FROM touched t
    UNION
    SELECT r.ev_class FROM touched t
    JOIN pg_catalog.pg_depend d
      ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
     AND d.refobjid OPERATOR(pg_catalog.=) t.oid
     AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid
    JOIN pg_catalog.pg_rewrite r ON r.oid OPERATOR(pg_catalog.=) d.objid
), held (oid) AS MATERIALIZED (
    SELECT l.relation FROM pg_catalog.pg_locks l
    JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) l.database
    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
      AND l.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
      AND l.locktype OPERATOR(pg_catalog.=) 'relation'
      AND l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'
), kept (oid) AS MATERIALIZED (
    SELECT r.ev_class FROM held h
    JOIN pg_catalog.pg_depend d
      ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
     AND d.refobjid OPERATOR(pg_catalog.=) h.oid
     AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid
    JOIN pg_catalog.pg_rewrite r ON r.oid OPERATOR(pg_catalog.=) d.objid
), relations AS (
    SELECT pg_catalog.json_build_array(
        c.oid::pg_catalog.int8, n.nspname, c.relname, c.relkind,
        CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}'::pg_catalog."char"[])
              AND NOT EXISTS (SELECT FROM kept k WHERE k.oid OPERATOR(pg_catalog.=) c.oid)
             THEN pg_catalog.pg_get_viewdef(c.oid) END,
        ARRAY(SELECT i.inhparent::pg_catalog.int8 FROM pg_catalog.pg_inherits i
              WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid ORDER BY i.inhseqno),
        ARRAY(SELECT d.refobjsubid FROM pg_catalog.pg_depend d
              WHERE c.relkind OPERATOR(pg_catalog.=) 'p'
                AND d.classid OPERATOR(pg_catalog.=)
                    'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
                AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.objsubid OPERATOR(pg_catalog.=) 0
                AND d.refclassid OPERATOR(pg_catalog.=) d.classid
                AND d.refobjid OPERATOR(pg_catalog.=) c.oid AND d.refobjsubid OPERATOR(pg_catalog.>) 0),
        (SELECT p.partattrs::pg_catalog.int2[] FROM pg_catalog.pg_partitioned_table p
         WHERE p.partrelid OPERATOR(pg_catalog.=) c.oid),
        (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
             a.attname, a.attnum, a.atttypid::pg_catalog.int8, t.typname, a.atttypmod, a.attnotnull,
             a.atthasdef AND a.attgenerated OPERATOR(pg_catalog.=) '',
             a.attgenerated OPERATOR(pg_catalog.<>) '',
             a.attidentity OPERATOR(pg_catalog.<>) '',
             (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d
              WHERE d.adrelid OPERATOR(pg_catalog.=) c.oid AND d.adnum OPERATOR(pg_catalog.=) a.attnum)
         ) ORDER BY a.attnum)
         FROM pg_catalog.pg_attribute a
         JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
         WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0
           AND NOT a.attisdropped)
    ) AS relation
    FROM wanted w
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) w.oid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::pg_catalog."char"[])
      AND c.relpersistence OPERATOR(pg_catalog.<>) 't'
)
SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.json_build_object(
    'touched', (SELECT pg_catalog.json_agg(t.oid::pg_catalog.int8) FROM touched t),
    'changed', EXISTS (SELECT FROM locked),
    'functions', (SELECT pg_catalog.json_agg(p.proname) FROM pg_catalog.pg_proc p
                  WHERE p.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
                    AND p.proname OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT a.name FROM asked a))),
    'temporary', (SELECT pg_catalog.json_agg(n.relname) FROM named n
                  WHERE n.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()),
    'relations', (SELECT pg_catalog.json_agg(r.relation) FROM relations r),
    'schemas', (SELECT pg_catalog.json_agg(n.nspname) FROM pg_catalog.pg_namespace n),
    'path', pg_catalog.current_schemas(false)
)::pg_catalog.text, 'UTF8'), 'base64')
"""
