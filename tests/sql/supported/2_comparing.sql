-- # Comparing
-- equality with a literal | works refused
SELECT id FROM users WHERE F = 'x'
-- equality with a parameter, either way round | works refused
-- params: x
SELECT id FROM users WHERE $1 = F
-- inequality | works refused
-- params: x
SELECT id FROM users WHERE $1 <> F OR F != 'y'
-- equality under casts of the value | works refused
-- params: x
SELECT id FROM users WHERE F = $1::text OR F = CAST('y' AS varchar)
-- equality under a cast of the column | works refused
-- params: x
SELECT id FROM users WHERE F::text = $1
-- a list | works refused
-- params: y
SELECT id FROM users WHERE F IN ('x', $1)
-- not in a list | works refused
SELECT id FROM users WHERE F NOT IN ('x', 'y')
-- in a subquery | works refused
SELECT id FROM users WHERE F IN (SELECT F FROM users WHERE id < 3)
-- not in a subquery | works refused
SELECT id FROM users WHERE F NOT IN (SELECT F FROM users WHERE id = 2)
-- any of an array parameter | works refused
-- params: {kanarie-1,kanarie-2}
SELECT id FROM users WHERE F = ANY ($1)
-- any of an array | works refused
-- params: x
SELECT id FROM users WHERE F = ANY (ARRAY['y', $1])
-- not any of an array literal | works refused
SELECT id FROM users WHERE F <> ALL ('{a,b}'::text[])
-- IS DISTINCT FROM | works refused
SELECT id FROM users WHERE F IS DISTINCT FROM 'x'
-- NULL tests | works works
SELECT id FROM users WHERE F IS NULL OR F IS NOT NULL
-- a NULL test of the parameter | works refused
-- params: x
SELECT id FROM users WHERE $1::text IS NULL OR F = $1
-- row comparison | works refused
SELECT id FROM users WHERE (F, id) = ('x', 1)
-- rows in a list | works refused
SELECT id FROM users WHERE (F, id) IN (('x', 1), ('y', 2))
-- simple CASE | works refused
SELECT CASE F WHEN 'x' THEN 1 WHEN 'y' THEN 2 ELSE 3 END FROM users
-- searched CASE | works refused
SELECT CASE WHEN F = 'x' THEN 'one' ELSE 'other' END FROM users
-- NULLIF | works refused
SELECT NULLIF(F, 'x') FROM users
-- a comparison as a result | works refused
SELECT id, F = 'x' AS found FROM users
-- a comparison in FILTER | works refused
SELECT count(*) FILTER (WHERE F = 'x') FROM users
-- a comparison in HAVING | works refused
SELECT F, count(*) FROM users GROUP BY F HAVING F = 'x'
-- self-join | works refused
SELECT a.id FROM users a JOIN users b ON b.F = a.F
-- join by USING | works refused
SELECT a.id FROM users a JOIN users b USING (F)
-- join with another table's field of the same key | works refused
SELECT u.id, o.id FROM users u LEFT JOIN orders o ON o.buyer = u.F
-- join with VALUES | works refused
SELECT id FROM users JOIN (VALUES ('x'), ('y')) AS v(f) ON v.f = F
-- join with an unnested array parameter | works refused
-- params: {kanarie-1,kanarie-2}
SELECT id FROM users JOIN unnest($1::text[]) AS v(f) ON v.f = F
-- join with a column that is not protected | refused refused
SELECT users.id FROM users JOIN plain ON plain.name = F
-- correlated EXISTS | works refused
SELECT id FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.buyer = u.F)
-- GROUP BY | works refused
SELECT F, count(*) FROM users GROUP BY F
-- GROUP BY position | works refused
SELECT F, count(*) FROM users GROUP BY 1
-- ROLLUP | works refused
SELECT F, count(*) FROM users GROUP BY ROLLUP (F)
-- DISTINCT | works refused
SELECT DISTINCT F FROM users
-- DISTINCT ON | works refused
SELECT DISTINCT ON (F) id FROM users
-- count(DISTINCT) | works refused
SELECT count(DISTINCT F) FROM users
-- UNION | works refused
SELECT F FROM users UNION SELECT 'x'
-- INTERSECT | works refused
SELECT F FROM users INTERSECT SELECT 'x'
-- EXCEPT | works refused
SELECT F FROM users EXCEPT SELECT F FROM users WHERE id = 1
-- PARTITION BY | works refused
SELECT row_number() OVER (PARTITION BY F ORDER BY id) FROM users
-- a lookup beside a range of another column | works refused
SELECT F FROM users WHERE F = 'x' AND id BETWEEN 1 AND 5 ORDER BY id LIMIT 1
-- a lookup for update | works refused
SELECT id, F FROM users WHERE F = 'x' FOR UPDATE SKIP LOCKED
-- more than | refused refused
SELECT id FROM users WHERE F > 'x'
-- BETWEEN | refused refused
SELECT id FROM users WHERE F BETWEEN 'a' AND 'b'
-- LIKE | refused refused
SELECT id FROM users WHERE F LIKE 'x%'
-- ILIKE with a parameter | refused refused
-- params: x
SELECT id FROM users WHERE F ILIKE $1
-- a regular expression | refused refused
SELECT id FROM users WHERE F ~ '^x'
-- SIMILAR TO | refused refused
SELECT id FROM users WHERE F SIMILAR TO 'x%'
-- equality of a function's result | refused refused
SELECT id FROM users WHERE lower(F) = 'x'
-- equality under a collation | refused refused
SELECT id FROM users WHERE F COLLATE "C" = 'x'
-- equality with a computed value | refused refused
SELECT id FROM users WHERE F = lower('X')
-- full-text search | refused refused
SELECT id FROM users WHERE to_tsvector('simple', F) @@ to_tsquery('simple', 'x')
