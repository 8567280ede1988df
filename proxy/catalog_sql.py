"""All SQL that reads the server's catalogue, for PostgreSQL 13 and later.

It runs with an empty search_path; names are qualified, operators and functions then come from pg_catalog.
Source: PostgreSQL documentation, chapter 52 (system catalogs).
"""

from __future__ import annotations

# A session may hold locks on what is read here while it waits for the result: so reading never waits long.
PREPARE_SESSION = """
SET search_path TO '';
SET lock_timeout TO '1s';
SET statement_timeout TO '60s';
SET jit TO off;
"""

CHANNEL = "pgveil_catalog"
NOTIFY = "SELECT pg_catalog.pg_notify($1, $2)"

_RELATIONS = """
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
"""

RELATIONS = f"SELECT c.oid, n.nspname, c.relname, c.relkind::text {_RELATIONS}"

PROBE = f"SELECT c.oid, n.nspname, c.relname {_RELATIONS} AND c.relname = ANY($1::text[]::name[])"

# One row a relation and not one a column: ten times faster to receive.
COLUMNS = f"""
SELECT a.attrelid,
       pg_catalog.array_agg(a.attname::text ORDER BY a.attnum),
       pg_catalog.array_agg(a.attnum ORDER BY a.attnum),
       pg_catalog.array_agg(a.atttypid ORDER BY a.attnum),
       pg_catalog.array_agg(a.atttypmod ORDER BY a.attnum),
       pg_catalog.array_agg((CASE WHEN a.attnotnull THEN 1 ELSE 0 END)
           + (CASE WHEN a.atthasdef AND a.attgenerated = '' THEN 2 ELSE 0 END)
           + (CASE WHEN a.attgenerated <> '' THEN 4 ELSE 0 END)
           + (CASE WHEN a.attidentity <> '' THEN 8 ELSE 0 END) ORDER BY a.attnum)
FROM pg_catalog.pg_attribute a
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT c.oid {_RELATIONS})
GROUP BY a.attrelid
"""  # noqa: S608
NOT_NULL, HAS_DEFAULT, GENERATED, IDENTITY = 1, 2, 4, 8

TYPES = """
SELECT t.oid, t.typname
FROM pg_catalog.pg_type t
WHERE t.oid IN (SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attnum > 0)
"""

PARENTS = "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits ORDER BY inhrelid, inhseqno"

UNIQUE_INDEXES = """
SELECT i.indrelid, i.indkey::int2[], i.indnkeyatts
FROM pg_catalog.pg_index i
WHERE i.indisunique AND i.indisvalid AND NOT 0 = ANY(i.indkey::int2[])
  AND i.indrelid >= 16384
"""  # 16384 is FirstNormalObjectId: below it stand the server's own

_USER_VIEWS = """
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

VIEWS = f"SELECT c.oid {_USER_VIEWS}"
VIEW_DEFINITIONS = f"SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid) {_USER_VIEWS}"
VIEW_DEFINITION = "SELECT pg_catalog.pg_get_viewdef($1::oid)"

SCHEMAS = r"SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_|^pg_toast$'"

SERVER = """
SELECT pg_catalog.current_database(), pg_catalog.current_setting('server_version_num')::int4,
       session_user, s.reset_val, s.boot_val
FROM pg_catalog.pg_settings s
WHERE s.name = 'search_path'
"""

# search_path as ALTER ROLE and ALTER DATABASE set it, "" standing for every role or every database.
ROLE_SETTINGS = """
SELECT CASE WHEN s.setrole = 0 THEN '' ELSE r.rolname END,
       CASE WHEN s.setdatabase = 0 THEN '' ELSE d.datname END,
       pg_catalog.substr(entry, 13)
FROM pg_catalog.pg_db_role_setting s
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) entry
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE entry LIKE 'search\\_path=%'
  AND (s.setrole = 0 OR r.oid IS NOT NULL)
  AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
"""

# What postgresql.conf says, for a login whose own search_path hides it. Needs the rights of a superuser.
FILE_SETTING = """
SELECT setting FROM pg_catalog.pg_file_settings
WHERE name = 'search_path' AND error IS NULL ORDER BY seqno DESC LIMIT 1
"""

# Changes when anything that is read here changes: every DDL statement writes new row versions. Row and
# version go into the hash apart: of one int8 it would take the upper half xor the lower one.
FINGERPRINT = """
SELECT pg_catalog.sum(pg_catalog.hashint8extended(v.version, (v.oid::int8 << 16) | v.seed))::text
FROM (
    SELECT c.oid, c.xmin::text::int8 AS version, 1 AS seed FROM pg_catalog.pg_class c
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
    UNION ALL
    SELECT a.attrelid, a.xmin::text::int8, 16 + a.attnum FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE a.attnum > 0 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
    UNION ALL SELECT oid, xmin::text::int8, 2 FROM pg_catalog.pg_rewrite
    UNION ALL SELECT inhrelid, xmin::text::int8, 3 FROM pg_catalog.pg_inherits
    UNION ALL SELECT indexrelid, xmin::text::int8, 4 FROM pg_catalog.pg_index WHERE indisunique
    UNION ALL SELECT oid, xmin::text::int8, 5 FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp_'
    UNION ALL SELECT setrole, xmin::text::int8, 6 FROM pg_catalog.pg_db_role_setting
) v
"""

# The rest is read for the relations that hold protected columns ($1: their oids).

DEFAULTS = """
SELECT d.adrelid, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
FROM pg_catalog.pg_attrdef d
WHERE d.adrelid = ANY($1::oid[])
"""

INDEXES = """
SELECT i.indrelid, c.relname, i.indisprimary, i.indisunique, i.indisexclusion,
       i.indkey::int2[], i.indnkeyatts,
       ARRAY(SELECT d.refobjsubid FROM pg_catalog.pg_depend d
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = i.indrelid
               AND d.refobjsubid > 0),
       pg_catalog.pg_get_indexdef(i.indexrelid)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY($1::oid[])
ORDER BY c.relname
"""

CHECK_CONSTRAINTS = """
SELECT c.conrelid, c.conname, c.conkey, pg_catalog.pg_get_constraintdef(c.oid)
FROM pg_catalog.pg_constraint c
WHERE c.contype = 'c' AND c.conrelid = ANY($1::oid[])
ORDER BY c.conname
"""

# Seen from both ends: a protected column may refer to another, or be referred to.
FOREIGN_KEYS = """
SELECT c.conrelid, c.conname, c.conkey, c.confrelid, c.confkey, pg_catalog.pg_get_constraintdef(c.oid)
FROM pg_catalog.pg_constraint c
WHERE c.contype = 'f' AND c.conrelid = ANY($1::oid[])
UNION ALL
SELECT c.confrelid, c.conname, c.confkey, c.conrelid, c.conkey, pg_catalog.pg_get_constraintdef(c.oid)
FROM pg_catalog.pg_constraint c
WHERE c.contype = 'f' AND c.confrelid = ANY($1::oid[])
ORDER BY 2
"""

TRIGGERS = """
SELECT t.tgrelid, t.tgname, pg_catalog.pg_get_triggerdef(t.oid)
FROM pg_catalog.pg_trigger t
WHERE NOT t.tgisinternal AND t.tgrelid = ANY($1::oid[])
ORDER BY t.tgname
"""

RULES = """
SELECT r.ev_class, r.rulename, pg_catalog.pg_get_ruledef(r.oid)
FROM pg_catalog.pg_rewrite r
WHERE r.rulename <> '_RETURN' AND r.ev_class = ANY($1::oid[])
ORDER BY r.rulename
"""

ROW_POLICIES = """
SELECT p.polrelid, p.polname,
       ARRAY(SELECT d.refobjsubid FROM pg_catalog.pg_depend d
             WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = p.polrelid
               AND d.refobjsubid > 0)
FROM pg_catalog.pg_policy p
WHERE p.polrelid = ANY($1::oid[])
ORDER BY p.polname
"""

PARTITION_KEYS = """
SELECT p.partrelid, p.partattrs::int2[],
       ARRAY(SELECT d.refobjsubid FROM pg_catalog.pg_depend d
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = p.partrelid
               AND d.objsubid = 0 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.refobjid = p.partrelid AND d.refobjsubid > 0),
       pg_catalog.pg_get_partkeydef(p.partrelid)
FROM pg_catalog.pg_partitioned_table p
WHERE p.partrelid = ANY($1::oid[])
"""

# Until PostgreSQL 14 the generated column itself depends on its sources, since 15 its pg_attrdef entry does.
GENERATED_COLUMNS = """
SELECT a.attrelid, a.attname,
       ARRAY(SELECT d.refobjsubid FROM pg_catalog.pg_depend d
             WHERE ((d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = a.attrelid
                     AND d.objsubid = a.attnum)
                 OR (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid))
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid
               AND d.refobjsubid > 0 AND d.refobjsubid <> a.attnum)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
WHERE a.attgenerated <> '' AND a.attrelid = ANY($1::oid[])
ORDER BY a.attname
"""

# Whether the login may read the secrets of roles (a superuser may, or who was granted these columns).
SCRAM_READABLE = """
SELECT pg_catalog.bool_and(
         pg_catalog.has_column_privilege('pg_catalog.pg_authid'::pg_catalog.regclass, c, 'SELECT'))
  FROM pg_catalog.unnest(ARRAY['rolname', 'rolpassword', 'rolcanlogin', 'rolvaliduntil']) AS c
"""

# The secret of a role that can log in at this moment.
SCRAM_OF_ROLE = """
SELECT rolpassword
  FROM pg_catalog.pg_authid
 WHERE rolname OPERATOR(pg_catalog.=) $1
   AND rolcanlogin
   AND (rolvaliduntil IS NULL OR rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.now())
"""
