-- What the catalogue says of the tables: the twin's columns really have the logical types.

-- case: pg_attribute, by its bare name | ok
SELECT attname, attnum, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
WHERE attrelid = 'users'::regclass ORDER BY attnum

-- case: every column of pg_attribute that describes a type, as pg_type has it | ok
SELECT a.attname, a.atttypid, a.atttypmod, a.attlen, a.attndims, a.attbyval, a.attalign, a.attstorage, a.attcollation,
  t.typname, t.typlen = a.attlen, t.typbyval = a.attbyval, t.typalign = a.attalign, t.typstorage = a.attstorage
FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = 'public.users'::regclass ORDER BY a.attnum

-- case: references with their schema, as SQLAlchemy writes them | ok
SELECT pg_catalog.pg_attribute.attname, "pg_catalog".pg_attribute.atttypid::regtype::text, pg_attribute.attlen
FROM pg_catalog.pg_class LEFT OUTER JOIN pg_catalog.pg_attribute
  ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attribute.attnum > 0
WHERE pg_catalog.pg_class.relname IN ('users', 'orders') AND relkind = 'r'
  AND pg_catalog.pg_table_is_visible(pg_class.oid)
ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum

-- case: the database before the schema | error 0A000
SELECT attname FROM nowhere.pg_catalog.pg_attribute WHERE attrelid = 'users'::regclass

-- case: comments, quotes and parameters | ok
-- params: users | 0
SELECT a."attname", /* pg_attribute */ atttypid::regtype::text FROM "pg_attribute"/**/a
WHERE attrelid = $1::text::regclass AND attnum > $2::int2 ORDER BY attnum -- pg_attribute

-- case: names of its own for its columns | ok
SELECT x.n, x.t::regtype::text FROM pg_attribute AS x(r, n, t) WHERE r = 'users'::regclass ORDER BY 1

-- case: in a common table expression, a subquery, LATERAL and EXISTS | ok
WITH a AS (SELECT attrelid, attname, atttypid FROM pg_attribute)
SELECT c.relname, a.attname, l.typname, (SELECT max(attlen) FROM pg_attribute WHERE attrelid = c.oid)
FROM pg_class c JOIN a ON a.attrelid = c.oid
CROSS JOIN LATERAL (SELECT typname FROM pg_type JOIN pg_attribute p ON p.atttypid = pg_type.oid
                    WHERE p.attrelid = c.oid AND p.attname = a.attname) l
WHERE c.relname = 'users' AND c.relnamespace = 'public'::regnamespace
  AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND atttypid = 'date'::regtype) ORDER BY 2

-- case: a common table expression that has its name | ok
WITH pg_attribute AS (SELECT 1 AS one) SELECT * FROM pg_attribute

-- case: joined by the names of columns | ok
SELECT attname, atttypid::regtype::text FROM pg_attribute JOIN (VALUES ('users'::regclass::oid)) v(attrelid)
USING (attrelid) ORDER BY attnum

-- case: in a set operation, and under a cursor | ok
-- ways: simple
BEGIN; DECLARE c CURSOR FOR SELECT attname, atttypid::regtype::text FROM pg_attribute
WHERE attrelid = 'users'::regclass UNION SELECT 'x', 'y' ORDER BY 1; FETCH ALL FROM c; COMMIT

-- case: prepared in SQL | ok
-- ways: simple
PREPARE p(regclass) AS SELECT attname, atttypid::regtype::text FROM pg_attribute WHERE attrelid = $1 ORDER BY attnum;
EXECUTE p('users')

-- case: copied out | ok
-- ways: simple
COPY (SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'users'::regclass
ORDER BY attnum) TO STDOUT

-- case: TABLE, and stars | ok
SELECT t.attname, t.attlen FROM (TABLE pg_attribute) t JOIN (SELECT pg_attribute.* FROM pg_catalog.pg_attribute) s
USING (attrelid, attnum) WHERE t.attrelid = 'users'::regclass ORDER BY attnum

-- case: inserted from | ok
INSERT INTO plain (name, value) SELECT attname, attlen FROM pg_attribute
WHERE attrelid = 'users'::regclass AND attnum > 0 ORDER BY attnum RETURNING name, value

-- case: written from, in UPDATE and DELETE | ok
UPDATE plain SET name = a.atttypid::regtype::text FROM pg_attribute a
WHERE a.attrelid = 'users'::regclass AND a.attname = 'born' RETURNING plain.name

-- case: deleted by | ok
DELETE FROM plain USING pg_attribute a WHERE a.attrelid = 'users'::regclass AND a.atttypid = 'date'::regtype

-- case: aggregated by type | ok
SELECT atttypid::regtype::text, count(*), array_agg(attname ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'users'::regclass AND attnum > 0 GROUP BY atttypid ORDER BY 1

-- case: what a derived table cannot do: grouping by the primary key, locking, system columns, rows | ok
-- ways: simple
SELECT attname, count(*) FROM pg_attribute WHERE attrelid = 'users'::regclass GROUP BY attrelid, attnum ORDER BY 1;
SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass ORDER BY attnum FOR SHARE;
SELECT a.tableoid, attname FROM pg_attribute a WHERE attrelid = 'users'::regclass ORDER BY attnum;
SELECT ctid IS NOT NULL FROM pg_attribute WHERE attrelid = 'users'::regclass;
SELECT (a).attname FROM pg_attribute a WHERE attrelid = 'users'::regclass ORDER BY attnum;
SELECT row_to_json(a) ->> 'attname' FROM pg_attribute a WHERE attrelid = 'users'::regclass ORDER BY attnum;
SELECT attname FROM ONLY pg_attribute WHERE attrelid = 'users'::regclass ORDER BY attnum;
SELECT attname FROM pg_attribute * WHERE attrelid = 'users'::regclass ORDER BY attnum;
SELECT count(*) > 0 FROM pg_attribute TABLESAMPLE SYSTEM (100)

-- case: a row as a function's argument | ok
SELECT information_schema._pg_truetypid(a.*, t.*)::regtype::text, information_schema._pg_truetypmod(a.*, t.*)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE attrelid = 'users'::regclass ORDER BY a.attnum

-- case: information_schema.columns, every column that says something of a type | ok
SELECT table_schema, table_name, column_name, ordinal_position, is_nullable, data_type, character_maximum_length,
  character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision,
  interval_type, character_set_name, collation_name, domain_name, udt_schema, udt_name, dtd_identifier, is_updatable
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2, 4

-- case: information_schema.columns, of all relations | ok
SELECT table_schema, table_name, column_name, data_type, udt_name FROM information_schema.columns
WHERE table_schema <> 'kept' ORDER BY 1, 2, 3

-- case: information_schema.columns, with the schema before its columns | ok
-- params: users
SELECT information_schema.columns.column_name, columns.udt_name FROM information_schema.columns
WHERE information_schema.columns.table_name = $1 AND table_schema = 'public'
ORDER BY information_schema.columns.ordinal_position

-- case: information_schema.columns by search_path | ok
-- ways: simple
BEGIN; SET LOCAL search_path = information_schema; SELECT 1;
SELECT column_name, data_type FROM columns WHERE table_name = 'users' AND table_schema = 'public' ORDER BY 1; COMMIT

-- case: the other views of information_schema that name types | ok
-- ways: simple
SELECT udt_name, table_name, column_name FROM information_schema.column_udt_usage
WHERE table_schema = 'public' ORDER BY 1, 2, 3;
SELECT object_name, collection_type_identifier, data_type FROM information_schema.element_types
WHERE object_schema = 'public' ORDER BY 1, 2;
SELECT count(*) FROM information_schema.attributes;
SELECT count(*) FROM information_schema.column_domain_usage WHERE table_schema = 'public'

-- case: a table of the application that has the name of such a view | ok
-- setup: CREATE TABLE public.columns (data_type text); INSERT INTO public.columns VALUES ('mine')
-- teardown: DROP TABLE public.columns
-- ways: simple
SELECT columns.data_type FROM columns;
SELECT c.data_type, count(i.data_type) > 0 FROM columns c, information_schema.columns i GROUP BY 1;
SELECT public.columns.data_type FROM public.columns, information_schema.columns LIMIT 1

-- case: pgjdbc's getColumns | ok
SELECT * FROM (SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)
  AS attnotnull, a.atttypmod, a.attlen, t.typtypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum)
  AS attnum, nullif(a.attidentity, '') AS attidentity, nullif(a.attgenerated, '') AS attgenerated, dsc.description,
  t.typbasetype, t.typtype
  FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid)
  JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid)
  LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum)
  LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
  LEFT JOIN pg_catalog.pg_class dc ON (dc.oid = dsc.classoid AND dc.relname = 'pg_class')
  LEFT JOIN pg_catalog.pg_namespace dn ON (dc.relnamespace = dn.oid AND dn.nspname = 'pg_catalog')
  WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname LIKE 'public' AND c.relname LIKE 'users') c
WHERE true AND attname LIKE '%' ORDER BY nspname, relname, attnum

-- case: Hibernate's and Prisma's questions | ok
-- ways: simple
SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale
FROM information_schema.columns WHERE table_schema = 'public' AND table_name IN ('users', 'orders', 'plain')
ORDER BY table_name, column_name;
SELECT oid.namespace, info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) AS formatted_type,
  info.numeric_precision, info.numeric_scale, info.datetime_precision, info.data_type, info.udt_name,
  info.is_nullable, info.is_identity, info.character_maximum_length
FROM information_schema.columns info
JOIN pg_attribute att ON att.attname = info.column_name
JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname AS namespace FROM pg_class
      JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace) AS oid
  ON oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema
WHERE namespace = ANY (ARRAY['public']) ORDER BY namespace, info.table_name, ordinal_position

-- case: merged from | ok
MERGE INTO plain USING pg_attribute a ON a.attrelid = 'users'::regclass AND a.attname = 'born' AND plain.id = 1
WHEN MATCHED THEN UPDATE SET name = a.atttypid::regtype::text

-- case: an error has its place in the statement as it was written | error 42703
SELECT attname, pg_catalog.pg_attribute.nope FROM pg_catalog.pg_attribute

-- case: what is written to the catalogue is not redirected | error 42703
UPDATE pg_attribute SET nope = 1 WHERE attrelid = 0
