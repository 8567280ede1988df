-- # Writing
-- insert a literal | works works
INSERT INTO users (F) VALUES ('new')
-- insert a parameter | works works
-- params: new
INSERT INTO users (F) VALUES ($1)
-- insert NULL and DEFAULT | works works
INSERT INTO users (F) VALUES (NULL), (DEFAULT)
-- insert several rows, with functions in other columns | works works
-- params: newer
INSERT INTO users (F, note) VALUES ('new', lower('N')), ($1, 'n'), (NULL, upper('n'))
-- insert all columns by their order | works works
INSERT INTO plain SELECT id, note FROM users WHERE F IS NULL
-- insert an escaped literal | works works
INSERT INTO users (F) VALUES (E'new\t1'), ($$new 2$$), (U&'new\0033')
-- insert under a cast | works works
-- params: newer
INSERT INTO users (F) VALUES ('new'::text), (CAST($1 AS varchar))
-- insert with DEFAULT VALUES | works works
INSERT INTO users DEFAULT VALUES RETURNING F
-- insert an identity by hand | works works
INSERT INTO users (id, F) OVERRIDING SYSTEM VALUE VALUES (100, 'new')
-- insert what a function computes | refused refused
INSERT INTO users (F) VALUES (lower('NEW'))
-- insert a concatenation | refused refused
-- params: new
INSERT INTO users (F) VALUES ('a' || $1)
-- insert from a query with literals | works works
-- params: newer
INSERT INTO users (F) SELECT 'new' UNION ALL SELECT $1
-- insert from another column of the field | works works
INSERT INTO users (F) SELECT F FROM users WHERE F IS NULL
-- insert from a column that is not protected | refused refused
INSERT INTO users (F) SELECT name FROM plain
-- insert into a column that is not protected | refused refused
INSERT INTO plain (name) SELECT F FROM users
-- insert from an array | works works
INSERT INTO users (F) SELECT unnest(ARRAY['new', 'newer'])
-- insert from array parameters, as drivers insert in bulk | works works
-- params: {kanarie-5,kanarie-6} | {a,b}
-- ways: extended binary
INSERT INTO users (F, note) SELECT * FROM unnest($1::text[], $2::text[])
-- insert rows of a JSON parameter | works works
-- params: [{"F": "kanarie-5", "note": "n"}]
-- ways: extended binary
INSERT INTO users (F, note) SELECT F, note FROM json_to_recordset($1) AS j(F text, note text)
-- insert members of a JSON parameter one by one | refused refused
-- params: [{"F": "kanarie-5"}]
-- ways: extended binary
INSERT INTO users (F) SELECT j ->> 'F' FROM json_array_elements($1) AS j
-- insert with RETURNING | works works
INSERT INTO users (F) VALUES ('new') RETURNING id, F, users.*
-- do nothing on a conflict of the key | works works
INSERT INTO users (id, F) VALUES (1, 'new') ON CONFLICT (id) DO NOTHING
-- update on a conflict of the key | works works
INSERT INTO users (id, F) VALUES (1, 'new') ON CONFLICT (id) DO UPDATE SET F = excluded.F
-- update on a conflict, to a literal, under a condition | works works
INSERT INTO users (id, F) VALUES (1, 'new') ON CONFLICT (id) DO UPDATE SET F = 'newer' WHERE users.F IS NOT NULL
-- update on a conflict, if the value differs | works refused
INSERT INTO users (id, F) VALUES (1, 'new') ON CONFLICT (id) DO UPDATE SET F = excluded.F WHERE users.F IS DISTINCT FROM excluded.F
-- a conflict of the protected column | works refused
INSERT INTO users (F) VALUES ('x') ON CONFLICT (F) DO NOTHING
-- update to a literal | works works
UPDATE users SET F = 'new', note = 'n' WHERE id = 1
-- update to a parameter | works works
-- params: new
UPDATE users SET F = $1 WHERE id = 1 RETURNING F
-- update to NULL and DEFAULT | works works
UPDATE users SET F = NULL; UPDATE users SET F = DEFAULT
-- update several columns at once | works works
UPDATE users SET (F, note) = ('new', 'n') WHERE id = 1
-- update several columns from a query | works works
UPDATE users SET (F, note) = (SELECT 'new', 'n') WHERE id = 1
-- update from VALUES | works works
-- params: newer
UPDATE users SET F = v.f FROM (VALUES (1, 'new'), (2, $1)) AS v(id, f) WHERE v.id = users.id
-- update from another table's field of the same key | works refused
UPDATE orders SET buyer = u.F FROM users u WHERE u.id = orders.user_id
-- update by CASE | works works
UPDATE users SET F = CASE WHEN id = 1 THEN 'new' ELSE F END
-- update by CASE over several keys, as bulk updates of ORMs do | works works
-- params: new | newer
UPDATE users SET F = CASE WHEN id = 1 THEN $1 WHEN id = 2 THEN $2 ELSE NULL END WHERE id IN (1, 2)
-- update by COALESCE | works works
-- params: new
UPDATE users SET F = COALESCE($1, F) WHERE id = 1
-- update by NULLIF | works refused
-- params: new
UPDATE users SET F = NULLIF($1, '') WHERE id = 1
-- update by a function | refused refused
UPDATE users SET F = upper(F)
-- update to a value of an unprotected column | refused refused
UPDATE users SET F = note
-- update of an unprotected column to the value | refused refused
UPDATE users SET note = F
-- one parameter for a protected and an unprotected column | refused refused
-- ways: extended binary
-- params: new
UPDATE users SET F = $1, note = $1
-- one parameter stored and compared | works refused
-- params: x
UPDATE users SET F = $1 WHERE F = $1
-- update through a view | works refused
UPDATE contacts SET mail = 'new' WHERE mail = (SELECT F FROM users WHERE id = 1)
-- delete by equality | works refused
DELETE FROM users WHERE F = 'x'
-- delete with USING and RETURNING | works works
DELETE FROM users USING orders WHERE orders.user_id = users.id RETURNING users.F
-- merge | works works
MERGE INTO users u USING (VALUES (1, 'new'), (70, 'newer')) AS v(id, f) ON v.id = u.id WHEN MATCHED THEN UPDATE SET F = v.f WHEN NOT MATCHED THEN INSERT (id, F) VALUES (v.id, v.f)
-- merge that joins by the value | works refused
MERGE INTO users u USING (VALUES ('x')) AS v(f) ON v.f = u.F WHEN MATCHED THEN DELETE
-- write in a WITH query | works works
WITH moved AS (UPDATE users SET F = 'new' WHERE id = 1 RETURNING id, F) SELECT id, F FROM moved
-- copy rows into the table | works works
-- stdin: new
-- stdin: \\N
COPY users (F) FROM STDIN
-- copy rows of CSV | works works
-- stdin: f,note
-- stdin: "new, with a comma",n
COPY users (F, note) FROM STDIN WITH (FORMAT csv, HEADER true)
-- copy rows that meet a condition | works refused
-- stdin: new
COPY users (F) FROM STDIN WHERE F <> 'x'
-- copy rows from a file of the server | refused refused
COPY users (F) FROM '/var/lib/rows.csv'
