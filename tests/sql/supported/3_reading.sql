-- # Reading
-- all columns | works works
SELECT * FROM users
-- under another name | works works
SELECT u.F AS again, users.F FROM users u JOIN users ON u.id = users.id
-- qualified by schema | works works
SELECT public.users.F FROM public.users
-- TABLE | works works
TABLE users
-- cast to text | works works
SELECT F::text, CAST(F AS varchar) FROM users
-- with another order and a limit | works works
SELECT F FROM users ORDER BY id DESC LIMIT 2 OFFSET 1
-- a subquery in FROM | works works
SELECT s.f FROM (SELECT F AS f FROM users) AS s
-- a scalar subquery | works works
SELECT (SELECT F FROM users WHERE id = 1), id FROM orders
-- LATERAL | works works
SELECT o.id, l.f FROM orders o, LATERAL (SELECT F AS f FROM users WHERE users.id = o.user_id) AS l
-- WITH | works works
WITH a AS (SELECT F FROM users) SELECT * FROM a
-- WITH RECURSIVE | works works
WITH RECURSIVE r(n, f) AS (SELECT 1, F FROM users WHERE id = 1 UNION ALL SELECT n + 1, f FROM r WHERE n < 3) SELECT * FROM r
-- UNION ALL | works works
SELECT F FROM users UNION ALL SELECT 'y'
-- VALUES beside it | works works
SELECT v.f FROM (VALUES ('new'), ((SELECT F FROM users WHERE id = 1))) AS v(f)
-- COALESCE | works works
SELECT COALESCE(F, 'none') FROM users
-- CASE | works works
SELECT CASE WHEN id = 1 THEN F ELSE 'other' END FROM users
-- count | works works
SELECT count(F), count(*) FROM users
-- array_agg | works works
SELECT array_agg(F ORDER BY id) FROM users
-- any_value of a window | works works
SELECT first_value(F) OVER (ORDER BY id), lag(F) OVER (ORDER BY id), lead(F, 1, 'none') OVER (ORDER BY id) FROM users
-- elements of an array of values | works works
SELECT unnest(array_agg(F ORDER BY id)) FROM users
-- json_agg | works works
SELECT json_agg(F ORDER BY id) FROM users
-- jsonb_agg | works works
SELECT jsonb_agg(F ORDER BY id) FROM users
-- json_build_object | works works
SELECT json_build_object('id', id, 'f', F) FROM users
-- jsonb_build_object in jsonb_agg | works works
SELECT jsonb_agg(jsonb_build_object('f', F) ORDER BY id) FROM users
-- jsonb_object_agg | works works
SELECT jsonb_object_agg(id, F) FROM users
-- row_to_json of the table | works works
SELECT row_to_json(u) FROM users u
-- row_to_json of a subquery | works works
SELECT row_to_json(s) FROM (SELECT id, F AS f FROM users) AS s
-- to_jsonb of the value | works works
SELECT to_jsonb(F) FROM users
-- JSON of rows in an array, as web front ends ask for it | works works
SELECT COALESCE(json_agg(s), '[]')::text FROM (SELECT id, F AS f FROM users ORDER BY id) AS s
-- JSON with a default that has members | refused refused
SELECT COALESCE(json_agg(F), '["x"]') FROM users
-- JSON objects that are merged, less a member | works works
SELECT to_jsonb(u) - 'note' || jsonb_build_object('n', 1) FROM users u ORDER BY id
-- the JSON constructors of SQL | works works
SELECT JSON_OBJECT('f': F) FROM users ORDER BY id
-- an array of JSON documents | works works
SELECT array_agg(to_jsonb(u) ORDER BY id) FROM users u
-- JSON that is compared | refused refused
SELECT jsonb_agg(F) @> '[]' FROM users
-- a nested object by a subquery | works works
SELECT json_build_object('order', o.id, 'user', (SELECT row_to_json(s) FROM (SELECT F AS f FROM users WHERE users.id = o.user_id) AS s)) FROM orders o
-- the value as a JSON key | refused refused
SELECT json_object_agg(F, id) FROM users WHERE F IS NOT NULL
-- a member of JSON with the value | refused refused
SELECT to_jsonb(u) ->> 'F' FROM users u
-- a view | works works
SELECT mail, F FROM contacts JOIN users USING (id)
-- a sample | works works
SELECT u.F FROM users u TABLESAMPLE BERNOULLI (100)
-- a locked read | works works
SELECT F FROM users WHERE id = 1 FOR SHARE
-- a copy of the table | works works
COPY users (id, F) TO STDOUT
-- a copy of a query | works works
COPY (SELECT F FROM users WHERE id = 1) TO STDOUT WITH (FORMAT csv, HEADER)
-- a copy to a program of the server | refused refused
COPY (SELECT F FROM users) TO PROGRAM 'cat'
-- ORDER BY | refused refused
SELECT F FROM users ORDER BY F
-- min and max | refused refused
SELECT min(F) FROM users
-- string_agg | refused refused
SELECT string_agg(F, ',') FROM users
-- a function | refused refused
SELECT lower(F) FROM users
-- concatenation | refused refused
SELECT F || '!' FROM users
-- a function with a value in the list of results | refused refused
SELECT concat(F, note) FROM users
-- length | refused refused
SELECT length(F) FROM users
-- md5 | refused refused
SELECT md5(F) FROM users
-- a cast to another type | refused refused
SELECT F::bytea FROM users
-- a whole row | refused refused
SELECT u FROM users u
-- a function of the application | refused refused
SELECT twice(F) FROM users
-- ORDER BY in a window | refused refused
SELECT rank() OVER (ORDER BY F) FROM users
-- ORDER BY in an aggregate | refused refused
SELECT array_agg(id ORDER BY F) FROM users
-- WITHIN GROUP | refused refused
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY F) FROM users
