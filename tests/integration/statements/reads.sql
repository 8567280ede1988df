-- case: all columns | ok
SELECT * FROM users
-- case: equality | ok
-- params: kanarie-1
SELECT id, email, ssn, age, born, balance, doc, photo, nick FROM users WHERE email = $1
-- case: equality reversed (lesson 11) | ok
-- params: kanarie-1
SELECT id FROM users WHERE $1 = email
-- case: equality with casts on the value | ok
-- params: kanarie-1 | 17 | 12.5
SELECT id FROM users WHERE email = $1::text AND NOT (age <> CAST($2 AS integer)) OR balance = $3::numeric
-- case: equality with casts on the column (lesson 13) | ok
-- params: kanarie-1
-- ways: extended binary named pipelined in_transaction literals
SELECT id FROM users WHERE email::text = $1 OR email::varchar = $1::varchar
-- case: inequality | ok
-- params: kanarie-1
SELECT id, email FROM users WHERE email <> $1 AND email != 'kanarie-7'
-- case: in and not in (lesson 11) | ok
-- params: kanarie-1 | kanarie-2 | kanarie-4
SELECT id FROM users WHERE email IN ($1, $2, 'kanarie-3', NULL) AND nick NOT IN ($3, 'kanarie two')
-- case: an optional filter, whose value is tested for NULL | ok
-- params: kanarie-1
SELECT id FROM users WHERE $1::text IS NULL OR email = $1
-- case: any of an array parameter (lesson 11) | ok
-- params: {kanarie-1,"kanarie-2",NULL}
-- ways: extended binary named pipelined in_transaction prepared
SELECT id FROM users WHERE email = ANY($1)
-- case: any of an array parameter with a cast | ok
-- params: {17,NULL,1733173317}
-- ways: extended binary named pipelined in_transaction
SELECT id FROM users WHERE age = ANY($1::int[]) AND email <> ALL ('{kanarie-3}')
-- case: any of an array constructor | ok
-- params: kanarie-1
SELECT id FROM users WHERE email = ANY (ARRAY[$1, 'kanarie-2']) OR nick = SOME (ARRAY['kanarie'::varchar])
-- case: any of a subquery | ok
SELECT id FROM users WHERE email = ANY (SELECT buyer FROM orders) AND email <> ALL (SELECT 'kanarie-2')
-- case: in of a subquery | ok
SELECT id FROM users WHERE email IN (SELECT buyer FROM orders WHERE total > 5) AND email NOT IN (VALUES ('kanarie-3'), ('kanarie-4'))
-- case: row comparison (lesson 11) | ok
-- params: kanarie-1 | 1733173317
SELECT id FROM users WHERE (email, age) = ($1, $2) OR (email, id) IN (('kanarie-2', 2), ('kanarie-3', 9))
-- case: row comparison with a subquery | ok
SELECT id FROM users WHERE (email, nick) IN (SELECT email, nick FROM users WHERE age = 17) AND ROW (email, note) <> ROW ('kanarie-9', 'a')
-- case: is distinct from | ok
-- params: kanarie-1
SELECT id FROM users WHERE email IS DISTINCT FROM $1 AND email IS NOT DISTINCT FROM 'kanarie-2'
-- case: null tests | ok
SELECT id, email IS NULL, ssn IS NOT NULL, doc ISNULL FROM users WHERE ssn IS NOT NULL AND born IS NULL
-- case: truth of a comparison | ok
SELECT id, email = 'kanarie-1', (email = 'kanarie-1') IS TRUE, NOT email = 'kanarie-1' AS other FROM users WHERE (email = 'kanarie-1') IS NOT TRUE
-- case: equality on a randomized field (lesson 14) | refused
-- params: kanarie ssn
SELECT id FROM users WHERE ssn = $1
-- case: in on a randomized field | refused
SELECT id FROM users WHERE ssn IN ('kanarie ssn')
-- case: between (lesson 11) | refused
-- params: 1 | 20
SELECT id FROM users WHERE age BETWEEN $1 AND $2
-- case: between of a plain column and protected bounds | refused
SELECT id FROM users WHERE 17 BETWEEN 0 AND age
-- case: ranges | refused
SELECT id FROM users WHERE age >= 17
-- case: row range | refused
SELECT id FROM users WHERE (email, id) > ('kanarie-1', 1)
-- case: like | refused
-- params: kanarie%
SELECT id FROM users WHERE email LIKE $1
-- case: not like (lesson 11) | refused
SELECT id FROM users WHERE email NOT LIKE 'kanarie%'
-- case: ilike | refused
SELECT id FROM users WHERE email ILIKE 'kanarie%'
-- case: similar to | refused
SELECT id FROM users WHERE email SIMILAR TO 'kanarie%'
-- case: regular expression | refused
SELECT id FROM users WHERE email ~* '^kanarie'
-- case: like any | refused
SELECT id FROM users WHERE email LIKE ANY (ARRAY['kanarie%'])
-- case: starts_with | refused
SELECT id FROM users WHERE starts_with(email, 'kanarie')
-- case: operator function spelled out | refused
SELECT id FROM users WHERE email OPERATOR(pg_catalog.~) 'kanarie'
-- case: equality spelled out | ok
SELECT id FROM users WHERE email OPERATOR(pg_catalog.=) 'kanarie-1'
-- case: equality by its function | refused
SELECT id FROM users WHERE texteq(email, 'kanarie-1')
-- case: a function of the column | refused
-- params: kanarie-1
SELECT id FROM users WHERE lower(email) = $1
-- case: a function of the value | refused
-- params: KANARIE-1
SELECT id FROM users WHERE email = lower($1)
-- case: a plain column compared with a protected one | refused
SELECT users.id FROM users JOIN plain ON plain.name = users.email
-- case: concatenation (lesson 17) | refused
SELECT email || 'x' FROM users
-- case: concat (lesson 17) | refused
SELECT concat(email, '-', nick) FROM users
-- case: length | refused
SELECT length(email) FROM users
-- case: cast to another type | refused
SELECT email::int FROM users
-- case: cast of a number to text | refused
SELECT age::text FROM users
-- case: cast within the family | ok
SELECT email::varchar, age::int8, nick::text, balance::numeric FROM users
-- case: arithmetic | refused
SELECT balance * 2 FROM users
-- case: greatest | refused
SELECT greatest(age, 5) FROM users
-- case: case and coalesce (lesson 17) | ok
-- params: kanarie-1 | kanarie none
SELECT id, CASE WHEN email = $1 THEN ssn ELSE 'kanarie other' END, COALESCE(email, $2), CASE email WHEN 'kanarie-2' THEN 'two' ELSE 'else' END FROM users
-- case: nullif (lesson 17) | ok
SELECT id, NULLIF(email, 'kanarie-1') AS n FROM users
-- case: nullif of a randomized field | refused
SELECT NULLIF(ssn, 'kanarie ssn') FROM users
-- case: common table expressions (lesson 17) | ok
-- params: kanarie-2
WITH u AS (SELECT id, email AS e, ssn FROM users), v (a, b) AS MATERIALIZED (SELECT e, ssn FROM u WHERE e = $1) SELECT a, b, u.* FROM v JOIN u ON u.e = v.a
-- case: recursive common table expression | ok
WITH RECURSIVE r (n, e) AS (SELECT 1, email FROM users WHERE id = 1 UNION ALL SELECT n + 1, e FROM r WHERE n < 3) SELECT * FROM r WHERE e = 'kanarie-1'
-- case: recursive, distinct, on a randomized field | refused
WITH RECURSIVE r (n, s) AS (SELECT 1, ssn FROM users UNION SELECT n + 1, s FROM r WHERE n < 3) SELECT * FROM r
-- case: search and cycle | refused
WITH RECURSIVE r (n, e) AS (SELECT 1, email FROM users UNION ALL SELECT n + 1, e FROM r WHERE n < 3) SEARCH BREADTH FIRST BY e SET o SELECT * FROM r
-- case: subqueries with stars (lesson 17) | ok
SELECT * FROM (SELECT * FROM (SELECT u.*, o.buyer AS bb FROM users u LEFT JOIN orders o ON o.user_id = u.id) x) y (a, b, c) WHERE bb = 'kanarie-1'
-- case: views (lesson 17) | ok
-- params: kanarie-1
SELECT * FROM contacts WHERE mail = $1
-- case: view and table | ok
SELECT c.mail, u.ssn FROM contacts AS c, users u WHERE c.mail = u.email AND u.note = c.note
-- case: aliases of tables and columns | ok
SELECT "U"."E" FROM users AS "U" (i, "E") WHERE "U"."E" = 'kanarie-1'
-- case: unions (lesson 17) | ok
SELECT email FROM users UNION SELECT buyer FROM orders UNION ALL SELECT 'kanarie-9'
-- case: intersect and except | ok
(SELECT email FROM users INTERSECT SELECT buyer FROM orders) EXCEPT SELECT 'kanarie-2'
-- case: a union of a randomized field | refused
SELECT ssn FROM users UNION SELECT ssn FROM users
-- case: union all of a randomized field | ok
SELECT ssn FROM users UNION ALL SELECT 'kanarie new' UNION ALL SELECT NULL
-- case: a union with a plain column | refused
SELECT email FROM users UNION ALL SELECT name FROM plain
-- case: joins on a shared key | ok
SELECT u.id, o.id, o.buyer FROM users u JOIN orders o ON u.email = o.buyer FULL JOIN plain p ON p.id = o.id
-- case: join using | ok
SELECT email, a.ssn FROM users a JOIN users b USING (email, id)
-- case: natural join of randomized fields | refused
SELECT a.id FROM users a NATURAL JOIN users b
-- case: join of fields of different keys | refused
SELECT 1 FROM users u JOIN users v ON u.email = v.nick
-- case: lateral | ok
SELECT u.id, l.buyer, l.n FROM users u, LATERAL (SELECT buyer, count(*) AS n FROM orders WHERE buyer = u.email GROUP BY buyer) l
-- case: join with values | ok
-- params: kanarie-1
SELECT u.id, v.n FROM users u JOIN (VALUES ($1, 1), ('kanarie-2', 2)) AS v (e, n) ON v.e = u.email
-- case: join with unnest | ok
-- params: {kanarie-1,kanarie-2}
-- ways: extended binary named pipelined in_transaction
SELECT u.id, t.o FROM unnest($1::text[]) WITH ORDINALITY AS t (e, o) JOIN users u ON u.email = t.e
-- case: exists | ok
SELECT id FROM users u WHERE EXISTS (SELECT FROM orders o WHERE o.buyer = u.email AND o.buyer <> 'kanarie-2')
-- case: scalar subquery | ok
SELECT id, (SELECT max(total) FROM orders WHERE buyer = users.email), (SELECT buyer FROM orders WHERE id = 1) FROM users
-- case: group by (lesson 12) | ok
SELECT email, count(*), max(id) FROM users GROUP BY email HAVING email <> 'kanarie-3' AND count(*) > 0
-- case: group by position and name | ok
SELECT nick AS n, note, count(ssn) FROM users GROUP BY n, 2
-- case: grouping sets | ok
SELECT age, note, grouping(age), count(*) FROM users GROUP BY ROLLUP (age, note)
-- case: group by a randomized field (lesson 12) | refused
SELECT ssn, count(*) FROM users GROUP BY ssn
-- case: distinct (lesson 12) | ok
SELECT DISTINCT age, nick FROM users
-- case: distinct on | ok
SELECT DISTINCT ON (age) age FROM users
-- case: distinct of a randomized field (lesson 12) | refused
SELECT DISTINCT ssn FROM users
-- case: distinct star | refused
SELECT DISTINCT * FROM users
-- case: count distinct (lesson 12) | ok
SELECT count(email), count(DISTINCT age), count(*) FILTER (WHERE email = 'kanarie-1'), count(ssn) FROM users
-- case: count distinct of a randomized field (lesson 12) | refused
SELECT count(DISTINCT ssn) FROM users
-- case: min and max (lesson 12) | refused
SELECT max(age) FROM users
-- case: min of a text | refused
SELECT min(email) FROM users
-- case: sum | refused
SELECT sum(balance) FROM users
-- case: string_agg | refused
SELECT string_agg(email, ',') FROM users
-- case: array_agg | ok
SELECT array_agg(email ORDER BY id), array_agg(age ORDER BY id), array_agg(ssn ORDER BY id), array_agg(born ORDER BY id) FROM users
-- case: array of a subquery | ok
SELECT ARRAY(SELECT email FROM users WHERE note = 'a' ORDER BY id)
-- case: array constructor | ok
SELECT ARRAY[email, nick2] FROM (SELECT email, email AS nick2 FROM users) u
-- case: json aggregates | ok
SELECT json_agg(email ORDER BY id), jsonb_agg(ssn ORDER BY id), json_build_object('e', max(id), 'list', jsonb_agg(nick ORDER BY id)) FROM users
-- case: row to json | ok
SELECT row_to_json(c) FROM contacts c WHERE id < 3
-- case: to_jsonb of all types | ok
SELECT to_jsonb(u) FROM users u WHERE id = 1
-- case: json by a field of it | refused
SELECT to_jsonb(u) ->> 'email' FROM users u
-- case: json operators | refused
-- params: kanarie
SELECT doc ->> $1 FROM users
-- case: json containment | refused
SELECT id FROM users WHERE doc @> '{"kanarie": [1]}'
-- case: json accessors in a chain (lesson 5) | refused
SELECT id FROM users WHERE doc -> 'kanarie' ->> 'kanarie' = 'kanarie'
-- case: json subscripts | refused
SELECT doc['kanarie'] FROM users
-- case: json path | refused
SELECT jsonb_path_query(doc, '$.kanarie') FROM users
-- case: json_table | refused
-- since: 17
SELECT * FROM users, JSON_TABLE(doc, '$.kanarie' COLUMNS (a int PATH '$'))
-- case: sql json constructors | ok
-- since: 16
SELECT JSON_OBJECT('e': email) FROM users
-- case: xml | refused
SELECT xmlelement(name kanarie, email) FROM users
-- case: whole row | refused
SELECT users FROM users
-- case: whole row compared | refused
SELECT id FROM users u WHERE u = (SELECT v FROM users v WHERE v.id = 1)
-- case: row constructor | refused
SELECT ROW (email, id) FROM users
-- case: count of whole rows | ok
SELECT count(u), count(u.*) FROM users u
-- case: order by | refused
SELECT id FROM users ORDER BY email
-- case: order by position (lesson 18) | refused
SELECT id, email FROM users ORDER BY 2
-- case: order by another position | ok
SELECT id, email FROM users ORDER BY 1
-- case: order by an output name | refused
SELECT id, email AS e FROM users ORDER BY e DESC NULLS LAST
-- case: order by a plain column with limit | ok
-- params: 2 | 1
SELECT email, ssn FROM users ORDER BY id LIMIT $1 OFFSET $2
-- case: window order (lesson 12) | refused
SELECT row_number() OVER (ORDER BY age) FROM users
-- case: window partition | ok
SELECT id, email, count(*) OVER (PARTITION BY age), first_value(ssn) OVER w, lag(email) OVER w FROM users WINDOW w AS (PARTITION BY nick ORDER BY id) ORDER BY id
-- case: window partition of a randomized field | refused
SELECT count(*) OVER (PARTITION BY ssn) FROM users
-- case: modifiers of expressions | ok
SELECT COALESCE(nick, 'kanarie none'), nth_value(nick, 2) OVER (ORDER BY id) FROM users
-- case: modifiers that all alternatives have | ok
SELECT COALESCE(nick, nick), CASE WHEN id = 1 THEN balance ELSE balance END, COALESCE(nick, 'x'::varchar(20)) FROM users
-- case: modifiers that not all alternatives have | ok
SELECT CASE WHEN id = 1 THEN nick END, COALESCE(balance, 5.25), COALESCE(balance, '5.25') FROM users
-- case: types of alternatives | ok
SELECT COALESCE(nick, 'x'::varchar), COALESCE('x'::varchar, nick), COALESCE(nick, 'x'::text), COALESCE('x', nick) FROM users
-- case: types of numbers | ok
SELECT COALESCE(age, 5), COALESCE(age, '5'::int8), COALESCE(age, '5'), COALESCE(5::int2, age) FROM users
-- case: a parameter among alternatives | ok
-- params: kanarie none | 17
SELECT COALESCE(nick, $1), CASE WHEN id = 1 THEN age ELSE $2 END FROM users
-- case: nullif of columns with limits | ok
SELECT NULLIF(nick, 'kanarie'), NULLIF(balance, 12.5), NULLIF(email, 'x') FROM users
-- case: limits and functions | ok
SELECT array_agg(nick), array_agg(balance), ARRAY(SELECT nick FROM users), (array_agg(nick))[1] FROM users
-- case: limits of an array's elements | ok
SELECT ARRAY[nick], ARRAY[nick, 'kanarie'], (ARRAY[nick])[1], unnest(ARRAY[nick]) FROM users
-- case: limits of set operations | ok
SELECT nick FROM users UNION ALL SELECT 'kanarie' UNION ALL SELECT nick FROM users
-- case: limits that set operations keep | ok
SELECT nick, balance FROM users UNION SELECT nick, balance FROM users
-- case: limits of values | ok
SELECT x FROM users, LATERAL (VALUES (nick), (nick)) v (x)
-- case: casts and limits | ok
SELECT nick::varchar, nick::text, nick::varchar(20), balance::numeric, lag(nick) OVER (ORDER BY id) FROM users
-- case: window functions with a default | ok
SELECT id, lag(email, 1, 'kanarie none') OVER (ORDER BY id), nth_value(email, 2) OVER (ORDER BY id) FROM users
-- case: ntile and rank | ok
SELECT id, email, rank() OVER (ORDER BY note), ntile(2) OVER (ORDER BY id) FROM users
-- case: ordered-set aggregate | refused
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY age) FROM users
-- case: mode | refused
SELECT mode() WITHIN GROUP (ORDER BY email) FROM users
-- case: only and sample | ok
SELECT id, email FROM ONLY users TABLESAMPLE BERNOULLI (100)
-- case: table command | ok
TABLE users
-- case: system columns | ok
SELECT email, tableoid::regclass::text FROM users WHERE ctid IS NOT NULL
-- case: set-returning function | refused
SELECT regexp_split_to_table(email, '-') FROM users
-- case: user function of a protected column | refused
SELECT twice(email) FROM users
-- case: user function of plain columns | ok
-- params: plain
SELECT twice($1), twice(name), email FROM plain, users WHERE users.email = 'kanarie-1'
-- case: collate on a column | refused
SELECT id FROM users WHERE email COLLATE "C" = 'kanarie-1'
-- case: at time zone | refused
SELECT born AT TIME ZONE 'UTC' FROM users
-- case: extract | refused
SELECT extract(year FROM born) FROM users
-- case: substring | refused
SELECT substring(email FROM 1 FOR 3) FROM users
-- case: overlay position trim | refused
SELECT position('kanarie' IN email) FROM users
-- case: is json | refused
SELECT id FROM users WHERE doc IS JSON
-- case: literals alone | ok
SELECT 'plain', 5, NULL, email FROM users
-- case: a number for a text | error 42883
SELECT id FROM users WHERE email = 1733173317
-- case: a literal under a cast that is compared with the column's type | ok
SELECT id FROM users WHERE age = '17'::numeric AND balance <> '12.5'::float8
-- case: a literal of another type | error 42883
SELECT id FROM users WHERE age = DATE '1973-03-31'
-- case: interval literal beside a protected value | ok
SELECT at + INTERVAL '1' DAY, email FROM plain, users WHERE email = 'kanarie-1'
-- case: fetch first | ok
SELECT email FROM users ORDER BY id FETCH FIRST 2 ROWS ONLY
-- case: for share skip locked | ok
SELECT email FROM users WHERE nick = 'kanarie' FOR SHARE SKIP LOCKED
-- case: explain | ok
-- ways: extended
EXPLAIN (COSTS off) SELECT id FROM plain
-- case: integers as text find each other | ok
-- params: 0017
SELECT id FROM users WHERE age = $1 OR age = '17' OR age = 17
-- case: numeric of another scale finds the same | ok
-- params: 12.500
SELECT id, balance FROM users WHERE balance = $1
-- case: an explicit cast cuts the value searched for | ok
-- params: kanarie much longer than twenty characters
-- ways: extended binary named pipelined in_transaction literals
SELECT id FROM users WHERE nick = $1::varchar(20)
-- case: an explicit cast cuts the value searched for, by EXECUTE | ok
-- params: kanarie much longer than twenty characters
-- ways: prepared
SELECT id FROM users WHERE nick = $1::varchar(20)
-- case: a value longer than the limit is not found | ok
-- params: kanarie much longer than twenty characters
-- ways: extended binary named pipelined in_transaction literals
SELECT id FROM users WHERE nick = $1
-- case: a value longer than the limit is not found, by EXECUTE | ok
-- params: kanarie much longer than twenty characters
-- ways: prepared
SELECT id FROM users WHERE nick = $1
-- case: a numeric with more digits is not found | ok
-- params: 12.501
-- ways: extended binary named pipelined in_transaction literals
SELECT id FROM users WHERE balance = $1
-- case: a numeric with more digits is not found, by EXECUTE | ok
-- params: 12.501
-- ways: prepared
SELECT id FROM users WHERE balance = $1
-- case: an integer beyond the type is not found | ok
-- ways: simple
SELECT id FROM users WHERE age = 17331733170000
-- case: trailing spaces do not matter to neither | ok
SELECT id FROM users WHERE nick = 'kanarie '
-- case: limit by a subquery and offset | ok
SELECT email FROM users ORDER BY id LIMIT (SELECT 1) OFFSET 1
-- case: correlated update target in exists | ok
SELECT id FROM users u WHERE u.email = (SELECT o.buyer FROM orders o WHERE o.buyer = u.email LIMIT 1)
-- case: empty in list by array | ok
-- params: {}
-- ways: extended binary named pipelined in_transaction
SELECT id FROM users WHERE email = ANY($1)
-- case: boolean test of in | ok
SELECT (email IN ('kanarie-1')) IS UNKNOWN, id FROM users

-- What is compared with a field, or stands beside its values, is given back as PostgreSQL shows it.

-- case: a value beside a column has no limits of the column | ok
SELECT COALESCE(balance, 5), COALESCE(balance, 5.555), COALESCE(nick, 'kanarie that is longer than twenty') FROM users

-- case: a value beside a column in UNION and VALUES | ok
SELECT balance FROM users UNION ALL SELECT 5.555 UNION ALL VALUES (7), (1234567890123.5)

-- case: a parameter beside a column | ok
-- params: 5.555
SELECT COALESCE(balance, $1) FROM users

-- case: a value beside a column that makes another type of it | refused
SELECT COALESCE(age, 5.5) FROM users

-- case: a value that is compared and shown | ok
SELECT x, id FROM (VALUES (-0.01), (12.50)) v(x) LEFT JOIN users ON balance = x

-- case: a value that is compared and shown, and is another one there | refused
SELECT x, id FROM (VALUES (1.234)) v(x) LEFT JOIN users ON balance = x

-- case: a value of a CTE that is compared and shown | refused
WITH w AS (SELECT 12.5 AS x) SELECT x, id FROM w LEFT JOIN users ON balance = x

-- case: values that equal nothing are told from each other | ok
SELECT count(*) FROM (VALUES (1.234), (1.235)) v(x), (VALUES (1.235)) w(y) LEFT JOIN users ON balance = y WHERE x = y

-- case: a cast within a cast | refused
SELECT id FROM users WHERE age = '70000'::int2::int4
-- case: literals of every type that are tested for NULL beside a protected one | ok
SELECT id FROM users WHERE 1733173317 IS NULL OR age = 1733173317 OR -1733173317 IS NULL OR 1733173317::int IS NULL OR '1733173317'::int IS NULL
-- case: an optional filter as drivers interpolate it | ok
-- params: kanarie-1
-- ways: literals
SELECT id FROM users WHERE ($1::text IS NULL OR email = $1::text) AND ($1 IS NOT NULL)
