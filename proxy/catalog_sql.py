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
# Unless nobody else can be listening: whoever connects after this reads a catalogue that has the change. What
# nobody waits for would stay in the server's queue for a while.
NOTIFY = """
SELECT pg_catalog.pg_notify($1, $2)
WHERE ARRAY[pg_catalog.pg_backend_pid()] IS DISTINCT FROM (
  SELECT pg_catalog.array_agg(pid) FROM pg_catalog.pg_stat_activity
  WHERE datname = pg_catalog.current_database() AND application_name = 'pgveil'
)
"""

_RELATIONS = """
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
"""

PROBE = f"SELECT c.oid, n.nspname, c.relname {_RELATIONS} AND c.relname = ANY($1::text[]::name[])"

# Below FirstNormalObjectId stand the server's own.
SYSTEM_RELATIONS = f"SELECT pg_catalog.array_agg(c.oid) {_RELATIONS} AND c.oid < 16384"

# What a relation is built from ($1: the oids of those that are read).

RELATIONS = f"SELECT c.oid, n.nspname, c.relname, c.relkind::text {_RELATIONS} AND c.oid = ANY($1::oid[])"

# One row a relation and not one a column: ten times faster to receive.
COLUMNS = """
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
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY($1::oid[])
GROUP BY a.attrelid
"""
NOT_NULL, HAS_DEFAULT, GENERATED, IDENTITY = 1, 2, 4, 8

TYPES = """
SELECT t.oid, t.typname
FROM pg_catalog.pg_type t
WHERE t.oid IN (SELECT a.atttypid FROM pg_catalog.pg_attribute a
                WHERE a.attnum > 0 AND a.attrelid = ANY($1::oid[]))
"""

PARENTS = """
SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits
WHERE inhrelid = ANY($1::oid[]) ORDER BY inhrelid, inhseqno
"""

UNIQUE_INDEXES = """
SELECT i.indrelid, i.indkey::int2[], i.indnkeyatts
FROM pg_catalog.pg_index i
WHERE i.indisunique AND i.indisvalid AND NOT 0 = ANY(i.indkey::int2[])
  AND i.indrelid >= 16384 AND i.indrelid = ANY($1::oid[])
ORDER BY i.indexrelid
"""

_USER_VIEWS = """
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.oid = ANY($1::oid[])
"""

VIEWS = f"SELECT c.oid {_USER_VIEWS}"
VIEW_DEFINITIONS = f"SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid) {_USER_VIEWS}"
VIEW_DEFINITION = "SELECT pg_catalog.pg_get_viewdef($1::oid)"

# The server's own views over pg_attribute (oid 1249) that show types, and read what everybody may read.
TYPE_VIEWS = r"""
WITH over_attributes AS MATERIALIZED (
    SELECT c.oid, r.ev_action::text AS tree
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
    WHERE c.relkind = 'v' AND c.oid < 16384 AND r.ev_action::text LIKE '%:relid 1249 %'
), readable AS MATERIALIZED (
    SELECT v.oid, pg_catalog.pg_get_viewdef(v.oid) AS definition FROM over_attributes v
    WHERE NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(v.tree, ':relid (\d+)', 'g') read
                      WHERE NOT pg_catalog.has_table_privilege('public', read[1]::oid, 'SELECT'))
      AND pg_catalog.has_table_privilege('public', v.oid, 'SELECT')
)
SELECT oid, definition FROM readable
WHERE definition ~ '\matt(typid|typmod|len|ndims|byval|align|storage|collation)\M'
"""

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

# The version of everything that a snapshot is built from, or that a view's definition may name: three arrays,
# of catalogues, oids and versions. Every DDL statement writes new row versions (xmin), and a version is a sum
# over the rows that belong together. Row and version go into the hash apart: of one int8 it would take the
# upper half xor the lower one. The server's own relations have one version together, under oid 0; their
# attributes, of which there are thousands, change with a new major version only, which is a new server.
# Others are many, too, and are counted by xmin: one that has changed has an xmin that none had before.
VERSIONS = """
WITH kept AS (
    SELECT CASE WHEN c.oid < 16384 THEN 0::oid ELSE c.oid END AS object, c.oid, c.xmin
    FROM pg_catalog.pg_class c
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
), composite AS (
    SELECT c.reltype AS object, c.oid, c.xmin FROM pg_catalog.pg_class c
    WHERE c.relkind = 'c' AND c.oid >= 16384
), attributes AS (
    SELECT a.attrelid, a.xmin, pg_catalog.count(*) AS seed FROM pg_catalog.pg_attribute a
    WHERE a.attnum > 0 AND a.attrelid >= 16384 GROUP BY a.attrelid, a.xmin
), versioned AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid AS class, object, oid, xmin, 1 AS seed FROM kept
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, k.object, k.oid, a.xmin, 16 + a.seed
    FROM kept k JOIN attributes a ON a.attrelid = k.oid
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, k.object, r.oid, r.xmin, 2
    FROM kept k JOIN pg_catalog.pg_rewrite r ON r.ev_class = k.oid
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, k.object, i.inhparent, i.xmin, 3
    FROM kept k JOIN pg_catalog.pg_inherits i ON i.inhrelid = k.oid
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, indrelid, indexrelid, xmin, 4
    FROM pg_catalog.pg_index WHERE indisunique AND indrelid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, oid, xmin, 5 FROM pg_catalog.pg_class
    WHERE relkind IN ('S', 'i', 'I') AND relpersistence <> 't' AND oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, object, oid, xmin, 1 FROM composite
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, c.object, c.oid, a.xmin, 16 + a.seed
    FROM composite c JOIN attributes a ON a.attrelid = c.oid
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.oid, t.xmin, 2 FROM pg_catalog.pg_type t
    WHERE t.oid >= 16384 AND t.typtype <> 'c'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_type element WHERE element.typarray = t.oid)
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, enumtypid, oid, xmin, 3 FROM pg_catalog.pg_enum
    UNION ALL
    SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid, oid, xmin, 1 FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp_'
    UNION ALL
    SELECT 'pg_catalog.pg_db_role_setting'::pg_catalog.regclass, setdatabase, setrole, xmin, 1
    FROM pg_catalog.pg_db_role_setting
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, oid, xmin, 1
    FROM pg_catalog.pg_proc WHERE oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, oid, oid, xmin, 1
    FROM pg_catalog.pg_operator WHERE oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, oid, oid, xmin, 1
    FROM pg_catalog.pg_collation WHERE oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, oid, oid, xmin, 1
    FROM pg_catalog.pg_ts_config WHERE oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, oid, oid, xmin, 1
    FROM pg_catalog.pg_ts_dict WHERE oid >= 16384
), summed AS (
    SELECT class, object,
           (pg_catalog.sum(pg_catalog.hashint8extended(xmin::text::int8, (oid::int8 << 16) | seed))
            % 9223372036854775807)::int8 AS version
    FROM versioned GROUP BY class, object
)
SELECT pg_catalog.array_agg(class), pg_catalog.array_agg(object), pg_catalog.array_agg(version) FROM summed
"""

SYSTEM_FUNCTIONS = "SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE oid < 16384"
FUNCTIONS = "SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE oid >= 16384"
PROBE_FUNCTIONS = "SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE proname = ANY($1::text[]::name[])"

_FUNCTIONS = """
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.oid >= 16384
  AND p.prorettype NOT IN (
      'pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
"""

# Functions that may change search_path ($1: words that do, $2: languages that have such words, $3: those that
# are trusted). One that executes a parameter may, too. A body that was parsed (PostgreSQL 14) holds oids.
PATH_CHANGERS = f"""
SELECT p.oid, p.proname {_FUNCTIONS} AND l.lanname <> ALL($3::text[]) AND (
    l.lanname <> ALL($2::text[])
    OR p.prosrc ~* $1
    OR p.prosrc ~* pg_catalog.concat('\\yexecute\\s+(\\$\\d+', (
        SELECT pg_catalog.string_agg('|' || pg_catalog.regexp_replace(name, '(\\W)', '\\\\\\1', 'g'), '')
        FROM pg_catalog.unnest(p.proargnames) name WHERE name <> ''), ')(\\W|$)')
    OR (pg_catalog.to_jsonb(p) ->> 'prosqlbody') ~ pg_catalog.concat(
        ':funcid ', 'pg_catalog.set_config(text,text,bool)'::pg_catalog.regprocedure::oid,
        '\\y|:relid ', 'pg_catalog.pg_settings'::pg_catalog.regclass::oid, '\\y')
)
"""  # noqa: S608

# Functions that call one of $1 (their oids), which $2 finds by name and $3 in a body that was parsed.
PATH_CHANGER_CALLERS = f"""
SELECT p.oid, p.proname {_FUNCTIONS} AND p.oid <> ALL($1::oid[]) AND (
    (l.lanname = ANY($4::text[]) AND (p.prosrc ~* $2 OR (pg_catalog.to_jsonb(p) ->> 'prosqlbody') ~ $3))
    OR EXISTS (SELECT FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = p.oid
               AND (a.aggtransfn::oid = ANY($1::oid[]) OR a.aggfinalfn::oid = ANY($1::oid[])))
)
"""  # noqa: S608

# The same for what only the relations with protected columns are read with ($1: their oids).
DETAIL_VERSIONS = """
SELECT v.object,
       (pg_catalog.sum(pg_catalog.hashint8extended(v.xmin::text::int8, (v.oid::int8 << 16) | v.seed))
        % 9223372036854775807)::int8
FROM (
    SELECT adrelid AS object, oid, xmin, 1 AS seed FROM pg_catalog.pg_attrdef WHERE adrelid = ANY($1::oid[])
    UNION ALL SELECT indrelid, indexrelid, xmin, 2 FROM pg_catalog.pg_index WHERE indrelid = ANY($1::oid[])
    UNION ALL SELECT conrelid, oid, xmin, 3 FROM pg_catalog.pg_constraint WHERE conrelid = ANY($1::oid[])
    UNION ALL SELECT confrelid, oid, xmin, 4 FROM pg_catalog.pg_constraint WHERE confrelid = ANY($1::oid[])
    UNION ALL SELECT tgrelid, oid, xmin, 5 FROM pg_catalog.pg_trigger WHERE tgrelid = ANY($1::oid[])
    UNION ALL SELECT polrelid, oid, xmin, 6 FROM pg_catalog.pg_policy WHERE polrelid = ANY($1::oid[])
    UNION ALL SELECT partrelid, partrelid, xmin, 7 FROM pg_catalog.pg_partitioned_table
    WHERE partrelid = ANY($1::oid[])
) v
GROUP BY v.object
"""

# The relations whose columns, definition or details name an object that has changed ($1: its catalogue, $2:
# its oid): whatever depends on it, and what depends on that. A composite's type does not depend on its entry
# in pg_class: there it is the other way round.
DEPENDENTS = """
WITH RECURSIVE touched (class, object) AS (
    SELECT changed.class, changed.object
    FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::oid[])) changed (class, object)
    UNION
    SELECT next.class, next.object FROM touched CROSS JOIN LATERAL (
        SELECT d.classid AS class, d.objid AS object FROM pg_catalog.pg_depend d
        WHERE d.refclassid = touched.class AND d.refobjid = touched.object
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, c.reltype FROM pg_catalog.pg_class c
        WHERE touched.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = touched.object
          AND c.relkind = 'c'
    ) next
), found (class, object) AS MATERIALIZED (SELECT class, object FROM touched)
SELECT object FROM found WHERE class = 'pg_catalog.pg_class'::pg_catalog.regclass
UNION SELECT r.ev_class FROM found f JOIN pg_catalog.pg_rewrite r
ON f.class = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = f.object
UNION SELECT i.indrelid FROM found f JOIN pg_catalog.pg_index i
ON f.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND i.indexrelid = f.object
UNION SELECT d.adrelid FROM found f JOIN pg_catalog.pg_attrdef d
ON f.class = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.oid = f.object
UNION SELECT relation FROM found f JOIN pg_catalog.pg_constraint c
ON f.class = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND c.oid = f.object
CROSS JOIN LATERAL (VALUES (c.conrelid), (c.confrelid)) of (relation)
UNION SELECT t.tgrelid FROM found f JOIN pg_catalog.pg_trigger t
ON f.class = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = f.object
UNION SELECT p.polrelid FROM found f JOIN pg_catalog.pg_policy p
ON f.class = 'pg_catalog.pg_policy'::pg_catalog.regclass AND p.oid = f.object
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
       pg_catalog.pg_get_indexdef(i.indexrelid), i.indexrelid
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
