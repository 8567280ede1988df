-- case: several statements in one text | ok
-- ways: simple
INSERT INTO plain (name) VALUES ('x'); INSERT INTO users (email, ssn) VALUES ('kanarie-5', 'kanarie'); SELECT email FROM users WHERE email = 'kanarie-5'; SELECT count(*) FROM plain; UPDATE users SET nick = 'kanarie' WHERE email = 'kanarie-5' RETURNING nick;
-- case: the second statement of a text (lesson 3) | ok
-- ways: simple
SELECT 1; INSERT INTO users (email) VALUES ('kanarie-5')
-- case: an empty text | ok
-- ways: simple
;
-- case: only a comment | ok
-- ways: simple
-- nothing
-- case: an error in a text takes the statements before it back | error 22012
-- ways: simple
INSERT INTO users (email) VALUES ('kanarie-5'); SELECT 1/0; INSERT INTO users (email) VALUES ('kanarie-6')
-- case: a refusal in a text lets nothing of it happen | refused
-- ways: simple
INSERT INTO users (email) VALUES ('kanarie-5'); SELECT max(email) FROM users; INSERT INTO users (email) VALUES ('kanarie-6')
-- case: explicit transactions in a text | ok
-- ways: simple
BEGIN; INSERT INTO users (email) VALUES ('kanarie-5'); SAVEPOINT s; INSERT INTO users (email) VALUES ('kanarie-6'); ROLLBACK TO s; RELEASE s; COMMIT; SELECT email FROM users WHERE email IN ('kanarie-5', 'kanarie-6')
-- case: prepare and execute in one text | ok
-- ways: simple
PREPARE q AS SELECT name FROM plain WHERE id = $1; EXECUTE q (1); DEALLOCATE q
-- case: prepare of protected values in one text | ok
-- ways: simple
PREPARE q AS SELECT id FROM users WHERE email = $1; EXECUTE q ('kanarie-1'); DEALLOCATE q
-- case: prepare with types | ok
-- ways: simple
PREPARE q (varchar, int4, date) AS INSERT INTO users (email, age, born) VALUES ($1, $2, $3)
-- case: execute of an unknown name | error 26000
-- ways: simple
EXECUTE nosuch ('x')
-- case: execute with an expression | ok
-- ways: simple
PREPARE q AS SELECT name FROM plain WHERE id = $1; EXECUTE q (1 + 1)
-- case: cursors (lesson 23) | ok
-- ways: simple
BEGIN; DECLARE c CURSOR FOR SELECT id, email, ssn FROM users WHERE email <> 'kanarie-2' ORDER BY id; FETCH 1 FROM c; FETCH ALL FROM c; MOVE BACKWARD ALL IN c; FETCH NEXT FROM c; CLOSE c; COMMIT
-- case: cursor with hold and scroll (lesson 23) | ok
-- ways: simple
DECLARE "C 1" SCROLL CURSOR WITH HOLD FOR SELECT email, age FROM users ORDER BY id; FETCH LAST "C 1"; FETCH FIRST "C 1"; FETCH ABSOLUTE 2 FROM "C 1"; FETCH RELATIVE -1 FROM "C 1"; CLOSE "C 1"
-- case: update where current of | ok
-- ways: simple
BEGIN; DECLARE c CURSOR FOR SELECT * FROM users WHERE email = 'kanarie-2' FOR UPDATE; FETCH c; UPDATE users SET ssn = 'kanarie current' WHERE CURRENT OF c RETURNING ssn; DELETE FROM users WHERE CURRENT OF c; COMMIT
-- case: cursor of the same name for something else | ok
-- ways: simple
BEGIN; DECLARE c CURSOR FOR SELECT email FROM users ORDER BY id; FETCH c; CLOSE c; DECLARE c CURSOR FOR SELECT name FROM plain ORDER BY id; FETCH c; COMMIT
-- case: declare with an order by a protected column | refused
-- ways: simple
BEGIN; DECLARE c CURSOR FOR SELECT email FROM users ORDER BY email; FETCH c; COMMIT
-- case: discard all (lesson 8) | ok
-- ways: simple
DISCARD ALL
-- case: search path to another schema (lesson 9) | ok
-- ways: simple
SET search_path = other; INSERT INTO users (email, note) VALUES ('plain text', 'n') RETURNING email; SET search_path = public; INSERT INTO users (email) VALUES ('kanarie-5') RETURNING email; SET search_path = "$user", public; SELECT email FROM users WHERE email = 'kanarie-5'
-- case: search path in a string | ok
-- ways: simple
SET search_path = 'other', 'public'; INSERT INTO users (email) VALUES ('plain text') RETURNING email; SET SCHEMA 'public'; SELECT email FROM users WHERE email = 'kanarie-1'
-- case: search path by set_config (lesson 9) | ok
-- ways: simple
SELECT set_config('search_path', 'other, public', false); INSERT INTO users (email) VALUES ('plain text') RETURNING email; SELECT set_config('search_path', 'public', false); SELECT email FROM users WHERE email = 'kanarie-1'
-- case: search path local in one text | refused
-- ways: simple
BEGIN; SET LOCAL search_path = other; INSERT INTO users (email) VALUES ('plain text'); COMMIT; INSERT INTO users (email) VALUES ('kanarie-5') RETURNING email
-- case: search path rolled back in one text | refused
-- ways: simple
SET search_path = other; BEGIN; SET search_path = public; SELECT email FROM users WHERE email = 'kanarie-1'; ROLLBACK; INSERT INTO users (email) VALUES ('plain text') RETURNING email
-- case: search path rolled back to a savepoint in one text | refused
-- ways: simple
BEGIN; SAVEPOINT s; SET search_path = other; INSERT INTO users (email) VALUES ('plain text') RETURNING email; ROLLBACK TO SAVEPOINT s; INSERT INTO users (email) VALUES ('kanarie-5') RETURNING email; COMMIT
-- case: search path of a name not written as it is folded | ok
-- ways: simple
SET search_path TO Other; INSERT INTO Users (Email) VALUES ('plain text') RETURNING EMAIL; SET search_path TO "public"; INSERT INTO USERS (EMAIL) VALUES ('kanarie-5') RETURNING Email
-- case: search path that a function hides | refused
-- ways: simple
SELECT set_config('search' || '_path', 'other', false); INSERT INTO users (email) VALUES ('kanarie-5')
-- case: search path by a set_config() that EXPLAIN does not run | refused
-- ways: simple
EXPLAIN SELECT set_config('search_path', 'other', false); INSERT INTO users (email) VALUES ('kanarie-5')
-- case: other schema by name (lesson 9) | ok
-- params: plain text
INSERT INTO other.users (email) VALUES ($1) RETURNING email
-- case: both schemas with full names | ok
SELECT public.users.email, other.users.email FROM public.users, other.users WHERE public.users.email = 'kanarie-1'
-- case: both schemas, copy from one to the other | refused
INSERT INTO other.users (email) SELECT email FROM public.users
-- case: database, schema, table | error
INSERT INTO nosuchdb.public.users (email) VALUES ('kanarie-5')
-- case: quoted identifiers | ok
SELECT "email" AS "E M", "public"."users"."ssn" FROM "public"."users" WHERE "users"."email" = 'kanarie-1'
-- case: quoted identifiers of another case | error 42P01
INSERT INTO "Users" ("email") VALUES ('plain')
-- case: unicode identifiers | ok
INSERT INTO U&"\0075sers" (U&"em!0061il" UESCAPE '!') VALUES ('kanarie-5') RETURNING U&"\0065mail"
-- case: identifiers with blanks | ok
INSERT INTO "Mixed Case" ("e mail") VALUES ('plain') RETURNING "e mail"
-- case: unknown syntax on unprotected tables (lesson 1) | error 42601
SELCT * FORM plain
-- case: unknown syntax on protected tables (lesson 1) | error 42601
INSERT INTO users (email) VALUES ('kanarie-5'
-- case: unknown syntax that names a protected table (lesson 1) | error 42601
UPSERT INTO users (email) VALUES ('kanarie-5')
-- case: unparseable text with a protected name quoted | error 42601
FROBNICATE "users" 'kanarie'
-- case: substr with no argument (lesson 25) | error
SELECT substr() FROM users
-- case: substr with no argument on a plain table (lesson 25) | error
SELECT substr() FROM plain
-- case: functions with no arguments | ok
SELECT now() IS NULL, email FROM users WHERE email = 'kanarie-1'
-- case: a function that has no such arguments | error
SELECT count(), json_agg(), array_agg(), lag() OVER (), first_value() OVER (), unnest() FROM plain
-- case: functions with no arguments beside a protected table | error
SELECT id, json_build_object('plain'), json_agg() FROM users
-- case: do block that names a protected table | refused
DO $$ BEGIN INSERT INTO users (email) VALUES ('kanarie-5'); END $$
-- case: do block that names none | ok
DO $$ BEGIN UPDATE plain SET value = 7 WHERE id = 1; END $$
-- case: function body that names a protected table | refused
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ INSERT INTO users (email) VALUES ('kanarie-5') $$
-- case: sql-standard function body | refused
CREATE FUNCTION f() RETURNS void BEGIN ATOMIC INSERT INTO users (email) VALUES ('kanarie-5'); END
-- case: query_to_xml of a protected table | refused
SELECT query_to_xml('SELECT 1 FROM users WHERE email = ''kanarie-1''', true, false, '')
-- case: xml of a table | refused
SELECT table_to_xml('users', true, false, '')
-- case: explain refuses what is refused | refused
EXPLAIN SELECT id FROM users WHERE email > 'kanarie'
-- case: explain analyze of execute | ok
-- ways: simple
PREPARE q AS SELECT name FROM plain WHERE id = $1; EXPLAIN (COSTS off, ANALYZE off) EXECUTE q (1)
-- case: settings that change literals of the next text only | ok
-- ways: simple
SET standard_conforming_strings = off; SELECT 1; INSERT INTO users (email) VALUES ('kanarie\'); SELECT 2; --')
-- case: escapes in e strings | ok
INSERT INTO users (email) VALUES (E'kanarie\\\'\x41\101\u00e9\n') RETURNING email
-- case: dollar quotes with a tag of another alphabet | ok
INSERT INTO users (email) VALUES ($ñ$kanarie $$ $ñ$) RETURNING email
-- case: a parameter beside dollar quotes | ok
-- ways: extended named pipelined in_transaction
-- params: kanarie-1
SELECT $x$ $1 $x$, id FROM users WHERE email = $1
-- case: numbers glued to words | error
SELECT id FROM users WHERE email='kanarie-1'AND age=1733173317AND id=1
-- case: literals glued to words | ok
SELECT'x',id FROM users WHERE(email)='kanarie-1'OR'kanarie-2'=email
-- case: comments that look like literals | ok
SELECT id /* 'in a comment */ FROM users -- 'in another
WHERE email = 'kanarie-1' -- '
-- case: nested comments | ok
/* a /* b */ ' */ SELECT /**/ email /* $1 */ FROM users WHERE email = /* ; */ 'kanarie-1'
-- case: a semicolon in a literal | ok
SELECT id FROM users WHERE email = '; DROP TABLE users; kanarie'
-- case: a very long list (lesson 26) | ok
SELECT id FROM users WHERE age IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,65,66,67,68,69,70)
-- case: the same shape with other literals (lesson 18) | ok
-- ways: simple
SELECT id, email FROM users ORDER BY 1 LIMIT 1; SELECT id, email FROM users ORDER BY 1 LIMIT 2; SELECT id FROM users WHERE age = 17; SELECT id FROM users WHERE age = -17; SELECT id FROM users WHERE age = '17'
-- case: the same shape ordered by the protected column | refused
-- ways: simple
SELECT id, email FROM users ORDER BY 1 LIMIT 1; SELECT id, email FROM users ORDER BY 2 LIMIT 1
-- case: group by positions of the same shape | refused
-- ways: simple
SELECT note, ssn, count(*) FROM users GROUP BY 1, 2
-- case: group by position of the plain column | error 42803
SELECT note, ssn, count(*) FROM users GROUP BY 1
-- case: listen and notify | ok
LISTEN something
-- case: lock and truncate | ok
-- ways: simple
BEGIN; LOCK TABLE users IN SHARE MODE; TRUNCATE orders RESTART IDENTITY; ROLLBACK
-- case: vacuum and analyze | ok
-- ways: simple extended
VACUUM (ANALYZE) users
-- case: show | ok
SHOW search_path
-- case: set role makes the search path unknown in a text | refused
-- ways: simple
SET ROLE NONE; SELECT email FROM users WHERE email = 'kanarie-1'
-- case: a setting switches nothing off (lesson 6) | ok
-- ways: simple
SET pgveil.enabled = 'off'; SET "encryption.mapping" = 'off'; INSERT INTO users (email) VALUES ('kanarie-5') RETURNING email
-- case: equality has no false positives (lesson 16) | ok
SELECT count(*) FROM users WHERE email IN ('kanarie-1', 'kanarie-11', 'kanarie-') OR nick = 'kanarie tw'
