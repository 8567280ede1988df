-- case: insert parameters (lesson 3) | ok
-- params: kanarie-5 | kanarie ssn | 41 | 1973-03-31 | 99.90
INSERT INTO users (email, ssn, age, born, balance) VALUES ($1, $2, $3, $4, $5) RETURNING *
-- case: insert with casts around the parameters (lesson 2) | ok
-- params: kanarie-5 | 41 | 1973-03-31 | 99.90 | {"kanarie": 1}
INSERT INTO users (email, age, born, balance, doc) VALUES ($1::varchar, $2::int4, CAST($3 AS date), $4::numeric, $5::jsonb) RETURNING id, age
-- case: a parameter in parentheses and with two casts | ok
-- params: kanarie-5 | 41
INSERT INTO users (email, age) VALUES ((($1::text)::varchar), ($2))
-- case: insert mixed (lesson 3) | ok
-- params: kanarie-5
INSERT INTO users VALUES (DEFAULT, $1, 'kanarie ssn', 1733173317, DATE '1973-03-31', 5, '{"kanarie": true}', '\x6b616e61726965', 'kanarie', 'plain note') RETURNING email, ssn, age, born, balance, doc, photo, nick
-- case: insert of several rows | ok
INSERT INTO users (email, ssn) VALUES ('kanarie-5', 'kanarie a'), ('kanarie-6', NULL), (NULL, 'kanarie b'), ('kanarie-7', DEFAULT) RETURNING id, email, ssn
-- case: insert without a column list | ok
INSERT INTO users VALUES (77, 'kanarie-5') RETURNING email
-- case: insert default values | ok
INSERT INTO users DEFAULT VALUES RETURNING id, email
-- case: literals in every spelling | ok
INSERT INTO users (email, ssn, nick) VALUES (E'kanarie\t\'5\'', U&'kanarie \0041', $$kanarie $1 'x'$$), ($q$kanarie-$$-6$q$, 'kanarie ''quoted''', E'kanarie\u0041'), ('kana'
  'rie-7', n'kanarie', ' kanarie ') RETURNING email, ssn, nick
-- case: numbers in every spelling | ok
INSERT INTO users (age, balance) VALUES (-1733173317, -12.5), (5, 1e2), ('-7', '1733173317.00'), (0, .5), (1733173317, 1733173317) RETURNING age, balance
-- case: a plus before a number | ok
INSERT INTO users (age) VALUES (+5) RETURNING age
-- case: a minus apart from its number | ok
INSERT INTO users (age, balance) VALUES (- 5, -/* x */1.5), (-0, -0.0) RETURNING age, balance
-- case: a minus before a minus | refused
INSERT INTO users (age) VALUES (- - 5) RETURNING age
-- case: hexadecimal and underscored integers | ok
INSERT INTO users (age) VALUES (0x1F), (1_733_173_317), (0o17), (0b11) RETURNING age
-- case: a typed literal | ok
INSERT INTO users (born, age) VALUES (date '1973-03-31', int4 '1733173317'), ('1973-03-31'::date, '1733173317'::int) RETURNING born, age
-- case: functions on the other columns | ok
-- params: kanarie-5
INSERT INTO users (email, note) VALUES ($1, upper('note') || length('x')) RETURNING email, note
-- case: insert from values | ok
INSERT INTO users (email, note) SELECT * FROM (VALUES ('kanarie-5', 'a'), ('kanarie-6', 'b')) AS v (e, n) WHERE n <> 'z' RETURNING email
-- case: insert select of literals (lesson 3) | ok
INSERT INTO users (email, ssn, note) SELECT 'kanarie-5', 'kanarie ssn', name FROM plain WHERE id = 1 RETURNING email, ssn
-- case: insert select of parameters | ok
-- params: kanarie-5 | kanarie ssn
INSERT INTO users (email, ssn, note) SELECT $1, $2::text, name FROM plain WHERE id = 1 RETURNING email, ssn
-- case: insert select of the same field | ok
INSERT INTO users (ssn, note) SELECT ssn, note FROM users WHERE email = 'kanarie-1' RETURNING ssn
-- case: insert select of a field that shares the key | ok
INSERT INTO users (email) SELECT buyer FROM orders WHERE buyer = 'kanarie-9' RETURNING email
-- case: insert select of another field | refused
INSERT INTO users (nick) SELECT email FROM users
-- case: insert select of a protected column into a plain one | refused
INSERT INTO plain (name) SELECT email FROM users
-- case: insert select star | refused
INSERT INTO plain SELECT * FROM users
-- case: insert select of a plain column into a protected one | refused
INSERT INTO users (email) SELECT name FROM plain
-- case: insert select distinct literal | ok
INSERT INTO users (email) SELECT DISTINCT 'kanarie-5' FROM plain RETURNING email
-- case: insert union of literals and the field | ok
INSERT INTO users (nick) SELECT 'kanarie five' UNION ALL SELECT nick FROM users WHERE id = 1 RETURNING nick
-- case: a common table expression of literals | ok
WITH new AS (SELECT 'kanarie-5' AS e, 'kanarie ssn' AS s) INSERT INTO users (email, ssn) SELECT e, s FROM new RETURNING email, ssn
-- case: a literal for a protected and a plain column at once | refused
WITH new AS (SELECT 'kanarie-5' AS e) INSERT INTO users (email, note) SELECT e, e FROM new
-- case: data-modifying common table expression (lesson 3) | ok
WITH i AS (INSERT INTO users (email) VALUES ('kanarie-5') RETURNING id, email) INSERT INTO orders (user_id, buyer) SELECT id, email FROM i RETURNING buyer
-- case: data-modifying CTEs one after the other | ok
WITH d AS (DELETE FROM orders WHERE buyer = 'kanarie-1' RETURNING buyer), u AS (UPDATE users SET ssn = 'kanarie new' WHERE email = 'kanarie-2' RETURNING ssn) SELECT buyer, ssn FROM d, u
-- case: expression into a protected column | refused
INSERT INTO users (email) VALUES ('kanarie' || '-5')
-- case: function of a literal into a protected column | refused
INSERT INTO users (email) VALUES (lower('KANARIE-5'))
-- case: format into a protected column | refused
-- params: kanarie
INSERT INTO users (email) VALUES (format('%s-5', $1::text))
-- case: arithmetic into a protected column | refused
UPDATE users SET age = age + 1
-- case: arithmetic of literals into a protected column | refused
UPDATE users SET age = 1733173316 + 1
-- case: current_date into a protected column | refused
UPDATE users SET born = current_date
-- case: collate on a literal | refused
INSERT INTO users (email) VALUES ('kanarie-5' COLLATE "C")
-- case: cast to a foreign type | refused
INSERT INTO users (email) VALUES ('kanarie-5'::name)
-- case: casts to other types that are assigned | ok
INSERT INTO users (email, balance, born) VALUES (1733173317::int, '-1733173.317'::float8, '1973-03-31 10:11:12+01'::timestamptz) RETURNING email, balance, born
-- case: parameters under such casts | ok
-- params: 1733173317 | 17.33 | 1973-03-31 10:11:12
INSERT INTO users (email, age, born) VALUES ($1::int, $2::numeric, CAST($3 AS timestamp)) RETURNING email, age, born
-- case: a number for a text | ok
INSERT INTO users (nick) VALUES ('1733173317') RETURNING nick
-- case: coalesce and case of values | ok
-- params: \N | kanarie-5
INSERT INTO users (email, ssn) VALUES (COALESCE($1, $2), CASE WHEN true THEN 'kanarie yes' ELSE 'kanarie no' END) RETURNING email, ssn
-- case: nullif of values | ok
-- params: kanarie-5
INSERT INTO users (email) VALUES (NULLIF($1, 'kanarie-6')) RETURNING email
-- case: null with a cast | ok
INSERT INTO users (age, born, photo) VALUES (CAST(NULL AS int), NULL::date, NULL::bytea) RETURNING age
-- case: null spellings | ok
INSERT INTO users (email, ssn, age, doc) VALUES (NULL, NULL::text, (NULL), NULL::jsonb) RETURNING email, ssn
-- case: empty strings are not visible (lessons 7 and 15) | ok
INSERT INTO users (email, ssn, nick, photo) VALUES ('', '', '', '') RETURNING email, ssn, nick, photo
-- case: a value that looks like an envelope (lesson 7) | ok
-- params: pgv1:AQNbxk1NAAAAkanarie | pgv1: | \xff5056016b616e61726965
INSERT INTO users (email, ssn, photo) VALUES ($1, $2, $3) RETURNING email, ssn, photo
-- case: a text too long for the logical type | error 22001
-- params: kanarie longer than twenty characters
INSERT INTO users (nick) VALUES ($1)
-- case: trailing spaces beyond the limit | ok
INSERT INTO users (nick) VALUES ('kanarie                            ') RETURNING nick
-- case: no integer | error 22P02
-- params: kanarie
INSERT INTO users (age) VALUES ($1)
-- case: an integer out of range | error 22003
-- params: 17331733170000
INSERT INTO users (age) VALUES ($1)
-- case: numeric out of range | error 22003
-- params: 17331733171733173317
INSERT INTO users (balance) VALUES ($1)
-- case: no date | error
-- params: kanarie
INSERT INTO users (born) VALUES ($1)
-- case: a date that does not exist | error 22008
-- params: 1973-02-30
INSERT INTO users (born) VALUES ($1)
-- case: no json | error 22P02
-- params: {kanarie
INSERT INTO users (doc) VALUES ($1)
-- case: numeric is rounded to its scale | ok
INSERT INTO users (balance) VALUES (1.005), ('-0.001'), (2.50) RETURNING balance
-- case: update with parameters | ok
-- params: kanarie-5 | kanarie ssn | 1
UPDATE users SET email = $1, ssn = $2 WHERE id = $3 RETURNING email, ssn
-- case: update with a protected condition | ok
-- params: kanarie-5 | kanarie-1
UPDATE users SET email = $1 WHERE email = $2 RETURNING *
-- case: one parameter in two roles (lesson 4) | ok
-- params: kanarie-2
UPDATE orders SET buyer = $1 WHERE buyer <> $1 RETURNING buyer
-- case: one parameter for two fields | ok
-- params: kanarie
-- ways: extended binary named pipelined in_transaction literals
INSERT INTO users (email, nick, ssn) VALUES ($1::text, $1::text, $1::text) RETURNING email, nick, ssn
-- case: one parameter for a field and a plain column | refused
-- params: same
-- ways: extended binary named pipelined in_transaction prepared
INSERT INTO users (email, note) VALUES ($1, $1) RETURNING email, note
-- case: one parameter for a field and a plain condition | refused
-- params: a
-- ways: extended binary named pipelined in_transaction prepared
UPDATE users SET ssn = $1 WHERE note = $1 RETURNING id, ssn
-- case: set row | ok
UPDATE users SET (email, ssn) = ('kanarie-5', 'kanarie ssn'), (nick, note) = ROW ('kanarie', 'x') WHERE id = 1 RETURNING email, ssn, nick
-- case: set row by a subquery | ok
UPDATE users SET (ssn, note) = (SELECT 'kanarie sub', name FROM plain WHERE id = 1) WHERE id = 2 RETURNING ssn, note
-- case: set row by a subquery of the same field | ok
UPDATE users SET (ssn, nick) = (SELECT u.ssn, u.nick FROM users u WHERE u.email = 'kanarie-2') WHERE id = 1 RETURNING ssn, nick
-- case: swap two fields of different keys | refused
UPDATE users SET email = nick, nick = email
-- case: update from (lesson 11) | ok
UPDATE users SET note = o.note FROM orders o WHERE o.buyer = users.email AND o.total > 5 AND o.buyer = 'kanarie-2' RETURNING users.email, o.buyer
-- case: update from, the field of the other table | ok
UPDATE orders SET buyer = u.email FROM users u WHERE u.id = orders.user_id RETURNING buyer
-- case: update set default and null | ok
UPDATE users SET email = DEFAULT, ssn = NULL WHERE id = 1
-- case: update by a scalar subquery | ok
UPDATE orders SET buyer = (SELECT email FROM users WHERE id = 2) WHERE id = 1 RETURNING buyer
-- case: update by case on a protected condition | ok
UPDATE users SET ssn = CASE WHEN email = 'kanarie-1' THEN 'kanarie one' WHEN email IS NULL THEN NULL ELSE ssn END RETURNING id, ssn
-- case: update with an alias | ok
UPDATE users AS u SET ssn = 'kanarie z' WHERE u.email IN ('kanarie-1', 'kanarie-2') RETURNING u.ssn
-- case: update only | ok
UPDATE ONLY public.users SET "ssn" = 'kanarie z' WHERE "users"."email" = 'kanarie-1'
-- case: assignment to a part of json | refused
UPDATE users SET doc['kanarie'] = '1'
-- case: jsonb_set | refused
UPDATE users SET doc = jsonb_set(doc, '{kanarie}', '1')
-- case: delete with a condition | ok
-- params: kanarie-1
DELETE FROM users WHERE email = $1 RETURNING id, email, ssn
-- case: delete using | ok
DELETE FROM orders USING users u WHERE u.email = orders.buyer AND u.nick = 'kanarie' RETURNING orders.buyer
-- case: delete by a randomized field | refused
-- params: kanarie ssn
DELETE FROM users WHERE ssn = $1
-- case: delete with a boolean as the condition of a protected column | refused
DELETE FROM users WHERE email ~ 'kanarie'
-- case: on conflict do update (lesson 3) | ok
-- params: kanarie-1 | kanarie new
INSERT INTO users (email, ssn) VALUES ($1, $2) ON CONFLICT (email) DO UPDATE SET ssn = excluded.ssn, nick = 'kanarie up' RETURNING id, email, ssn, nick
-- case: on conflict do update with a condition | ok
INSERT INTO users AS u (email, ssn) VALUES ('kanarie-1', 'kanarie new') ON CONFLICT (email) DO UPDATE SET email = 'kanarie-8', ssn = u.ssn WHERE u.email = 'kanarie-1' RETURNING email, ssn
-- case: on conflict do nothing | ok
INSERT INTO users (email) VALUES ('kanarie-1') ON CONFLICT DO NOTHING
-- case: on conflict on constraint | ok
INSERT INTO users (email, note) VALUES ('kanarie-1', 'n') ON CONFLICT ON CONSTRAINT users_email_key DO UPDATE SET note = excluded.note RETURNING email
-- case: a violation of unique | error 23505
-- params: kanarie-1
INSERT INTO users (email) VALUES ($1)
-- case: on conflict, excluded into a plain column | refused
INSERT INTO users (email, ssn) VALUES ('kanarie-1', 'kanarie') ON CONFLICT (email) DO UPDATE SET note = excluded.ssn
-- case: merge (lesson 3) | ok
MERGE INTO users u USING (VALUES ('kanarie-1', 'kanarie merged'), ('kanarie-5', 'kanarie new')) AS v (e, s) ON u.email = v.e WHEN MATCHED THEN UPDATE SET ssn = v.s WHEN NOT MATCHED THEN INSERT (email, ssn) VALUES (v.e, v.s)
-- case: merge from a field of the same key | ok
MERGE INTO users u USING (SELECT DISTINCT buyer FROM orders) o ON u.email = o.buyer WHEN NOT MATCHED THEN INSERT (email, nick) VALUES (o.buyer, 'kanarie') WHEN MATCHED THEN DELETE
-- case: merge returning | ok
-- since: 17
MERGE INTO users u USING (SELECT 'kanarie-1' AS e) v ON u.email = v.e WHEN MATCHED THEN UPDATE SET ssn = 'kanarie m' RETURNING merge_action(), u.email, u.ssn
-- case: merge on a randomized field | refused
MERGE INTO users u USING (SELECT 'kanarie' AS s) v ON u.ssn = v.s WHEN MATCHED THEN DELETE
-- case: merge of an expression | refused
MERGE INTO users u USING plain p ON u.id = p.id WHEN MATCHED THEN UPDATE SET email = p.name
-- case: returning old and new | ok
-- since: 18
UPDATE users SET email = 'kanarie-8' WHERE email = 'kanarie-1' RETURNING old.email, new.email, old.ssn
-- case: returning with names for old and new | ok
-- since: 18
UPDATE users SET email = 'kanarie-8' WHERE email = 'kanarie-1' RETURNING WITH (OLD AS o, NEW AS n) o.email AS was, n.email AS is_now
-- case: returning an expression | refused
INSERT INTO users (email) VALUES ('kanarie-5') RETURNING email || 'x'
-- case: insert through a view | ok
-- params: kanarie-5
INSERT INTO contacts (mail, note) VALUES ($1, 'n') RETURNING mail
-- case: update through a view | ok
UPDATE contacts SET mail = 'kanarie-5' WHERE mail = 'kanarie-1' RETURNING id, mail
-- case: delete through a view | ok
DELETE FROM contacts WHERE mail = 'kanarie-1' RETURNING mail
-- case: unnest of an array parameter | ok
-- params: {kanarie-5,kanarie-6}
-- ways: extended binary named pipelined in_transaction
INSERT INTO users (email) SELECT unnest($1::text[]) RETURNING email
-- case: unnest in from | ok
-- params: {kanarie-5,kanarie-6}
-- ways: extended binary named pipelined in_transaction
INSERT INTO users (email) SELECT e FROM unnest($1::text[]) AS e RETURNING email
-- case: unnest of several arrays | ok
-- params: {kanarie-5,kanarie-6} | {a,b} | {17,NULL}
-- ways: extended binary named pipelined in_transaction
INSERT INTO users (email, note, age) SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) RETURNING email, note, age
-- case: unnest of an array literal | ok
INSERT INTO users (email) SELECT * FROM unnest(ARRAY['kanarie-5', 'kanarie-6']) RETURNING email
-- case: json records into a protected table | ok
INSERT INTO users (email) SELECT email FROM json_populate_recordset(null::users, '[{"email": "kanarie-5"}]')
-- case: a record type | refused
INSERT INTO users SELECT (ROW (70, 'kanarie-5', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::users).*
-- case: more values than columns | error 42601
INSERT INTO users (email) VALUES ('one', 'two')
-- case: unknown column | error 42703
-- params: x
INSERT INTO users (nosuch) VALUES ($1)
-- case: insert overriding | ok
INSERT INTO users (id, email) OVERRIDING SYSTEM VALUE VALUES (50, 'kanarie-5') RETURNING email
-- case: select for update | ok
SELECT id, email FROM users WHERE email = 'kanarie-1' FOR UPDATE OF users NOWAIT
-- case: comments everywhere | ok
INSERT /* ' kan */ INTO -- " '
  users /* nested /* ' */ */ (email, ssn) VALUES ('kanarie-5' /* a ' b */, -- it's
  'kanarie ssn') RETURNING email
