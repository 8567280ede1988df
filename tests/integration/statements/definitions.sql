-- case: comment, grant, statistics | ok
-- ways: simple
COMMENT ON COLUMN users.email IS 'an address'; GRANT SELECT ON users TO ordinary; REVOKE SELECT ON users FROM ordinary
-- case: statistics on an expression | refused
CREATE STATISTICS s ON (email = 'kanarie'), note FROM users
-- teardown: DROP STATISTICS IF EXISTS s
-- case: statistics on columns | ok
-- ways: simple
CREATE STATISTICS s ON email, nick FROM users
-- teardown: DROP STATISTICS IF EXISTS s
-- case: publication with a row filter | ok
-- ways: simple
CREATE PUBLICATION p FOR TABLE users WHERE (email = 'kanarie')
-- teardown: DROP PUBLICATION IF EXISTS p
-- case: publication whose row filter is changed | ok
-- ways: simple
ALTER PUBLICATION p SET TABLE users WHERE (email <> 'kanarie')
-- setup: CREATE PUBLICATION p
-- teardown: DROP PUBLICATION IF EXISTS p
-- case: publication of a table | ok
-- ways: simple
CREATE PUBLICATION p FOR TABLE users
-- teardown: DROP PUBLICATION IF EXISTS p
-- case: default of a view's column | ok
-- ways: simple
ALTER VIEW contacts ALTER COLUMN mail SET DEFAULT 'kanarie'
-- teardown: ALTER VIEW public.contacts ALTER COLUMN mail DROP DEFAULT
-- case: default of a view's column by alter table | ok
-- ways: simple
ALTER TABLE contacts ALTER mail SET DEFAULT 'kanarie'
-- teardown: ALTER VIEW public.contacts ALTER COLUMN mail DROP DEFAULT
-- case: move a protected table to another schema | refused
ALTER TABLE public.orders SET SCHEMA other
-- teardown: ALTER TABLE IF EXISTS other.orders SET SCHEMA public
-- case: rename a schema of protected tables | refused
ALTER SCHEMA public RENAME TO hidden
-- teardown: DO $$ BEGIN IF to_regnamespace('hidden') IS NOT NULL THEN ALTER SCHEMA hidden RENAME TO public; END IF; END $$
-- case: rename a protected table | refused
ALTER TABLE orders RENAME TO purchases
-- case: rename a protected column | refused
ALTER TABLE users RENAME COLUMN email TO mail
-- case: rename an unprotected column | ok
-- ways: simple
BEGIN; ALTER TABLE users RENAME COLUMN note TO memo; ROLLBACK
-- case: rows of a child table | ok
-- ways: simple
-- setup: CREATE TABLE public.heir () INHERITS (public.users)
-- teardown: DROP TABLE IF EXISTS public.heir
INSERT INTO heir (email, ssn) VALUES ('kanarie-5', 'kanarie') RETURNING email; SELECT email, ssn FROM users WHERE email = 'kanarie-5'
-- case: a child table | ok
-- ways: simple
CREATE TABLE child () INHERITS (users)
-- teardown: DROP TABLE IF EXISTS public.child
-- case: a table like a protected one | ok
-- ways: simple
CREATE TABLE alike (LIKE plain INCLUDING ALL)
-- teardown: DROP TABLE IF EXISTS public.alike
-- case: make a table a child | refused
ALTER TABLE child INHERIT users
-- setup: CREATE TABLE public.child (LIKE public.users)
-- teardown: DROP TABLE IF EXISTS public.child
-- case: a temporary table with the name of a protected one | refused
CREATE TEMP TABLE users (email text)
-- case: a temporary view with the name of a protected one | refused
CREATE TEMP VIEW users AS SELECT 1 AS id, name AS email FROM plain
-- case: select into a temporary table of that name | refused
SELECT 1 AS id, 'x' AS email INTO TEMP users
-- case: create table as, of that name | refused
CREATE TEMP TABLE users AS SELECT 1 AS id
-- case: create table as of protected values | refused
CREATE TABLE taken AS SELECT email FROM users
-- case: create table as of plain values | ok
-- ways: simple
CREATE TABLE taken AS SELECT id, note FROM users
-- teardown: DROP TABLE IF EXISTS public.taken
-- case: select into | refused
SELECT email INTO taken FROM users
-- case: create table as execute | refused
-- ways: simple
PREPARE q AS SELECT email FROM users; CREATE TABLE taken AS EXECUTE q
-- case: a materialized view | ok
-- ways: simple
CREATE MATERIALIZED VIEW m AS SELECT id, email FROM users
-- teardown: DROP MATERIALIZED VIEW IF EXISTS public.m
-- case: a view with a protected literal | ok
-- ways: simple
CREATE VIEW v AS SELECT id, ssn FROM users WHERE email = 'kanarie-1'
-- teardown: DROP VIEW IF EXISTS public.v
-- case: a view that orders by a protected column | refused
CREATE VIEW v AS SELECT id FROM users ORDER BY email
-- case: a default is encrypted | ok
-- ways: simple
ALTER TABLE users ALTER nick SET DEFAULT 'kanarie default'
-- teardown: ALTER TABLE public.users ALTER nick DROP DEFAULT
-- case: a default by a function | refused
ALTER TABLE users ALTER nick SET DEFAULT 'kanarie' || 'x'
-- case: a check constraint with a protected literal | ok
-- ways: simple
ALTER TABLE users ADD CONSTRAINT c CHECK (email <> 'kanarie none')
-- teardown: ALTER TABLE public.users DROP CONSTRAINT IF EXISTS c
-- case: a check constraint on a range | refused
ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0)
-- case: change of type | refused
ALTER TABLE users ALTER email TYPE varchar(10)
-- case: change of type by an expression | refused
ALTER TABLE users ALTER email TYPE text USING 'kanarie'
-- case: a generated column | refused
ALTER TABLE users ADD COLUMN g text GENERATED ALWAYS AS (email || 'kanarie') STORED
-- case: a new column copied from a protected one | refused
ALTER TABLE users ALTER note TYPE text USING email
-- case: index on a deterministic field | ok
-- ways: simple
CREATE INDEX i ON users USING hash (nick)
-- teardown: DROP INDEX IF EXISTS public.i
-- case: index on an expression | refused
CREATE INDEX i ON users (lower(email))
-- case: partial index with a protected literal | ok
-- ways: simple
CREATE INDEX i ON users (id) WHERE email = 'kanarie-1'
-- teardown: DROP INDEX IF EXISTS public.i
-- case: unique index on a randomized field | refused
CREATE UNIQUE INDEX i ON users (ssn)
-- case: a foreign key to an unprotected column | refused
ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (buyer) REFERENCES other.users (email)
-- case: a foreign key between fields of one key | ok
-- ways: simple
BEGIN; ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (buyer) REFERENCES users (email) NOT VALID; ROLLBACK
-- case: a trigger with a protected condition | ok
-- ways: simple
CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW WHEN (NEW.email = 'kanarie-1') EXECUTE FUNCTION suppress_redundant_updates_trigger()
-- teardown: DROP TRIGGER IF EXISTS t ON public.users
-- case: a row policy with a protected literal | ok
-- ways: simple
CREATE POLICY p ON users USING (email = 'kanarie-1')
-- teardown: DROP POLICY IF EXISTS p ON public.users
-- case: a row policy that is altered | ok
-- ways: simple
ALTER POLICY p ON users USING (email = 'kanarie-1')
-- setup: CREATE POLICY p ON public.users
-- teardown: DROP POLICY IF EXISTS p ON public.users
-- case: a row policy on a randomized column that is altered | refused
ALTER POLICY p ON users USING (ssn = 'kanarie ssn')
-- case: a schema with a table that only has the name of a protected one | ok
-- ways: simple
CREATE SCHEMA fresh CREATE TABLE users (email text DEFAULT 'plain') CREATE VIEW v AS SELECT email FROM users
-- teardown: DROP SCHEMA IF EXISTS fresh CASCADE
-- case: a schema with a view of a protected table | refused
CREATE SCHEMA fresh CREATE VIEW v AS SELECT id FROM public.users WHERE email = 'kanarie-1'
-- case: a rule | refused
CREATE RULE r AS ON INSERT TO plain DO ALSO INSERT INTO users (email) VALUES ('kanarie')
-- case: a domain with a default | ok
-- ways: simple
CREATE DOMAIN dom AS text DEFAULT 'plain'; DROP DOMAIN dom
-- case: the search path hidden in pg_settings (lesson 9) | refused
-- ways: simple
SET search_path = other; UPDATE pg_settings SET setting = 'public' WHERE name = 'search_path'; INSERT INTO users (email) VALUES ('kanarie-5')
-- case: the search path hidden in a do block (lesson 9) | refused
-- ways: simple
SET search_path = other; DO $$ BEGIN PERFORM set_config('search_path', 'public', false); END $$; INSERT INTO users (email) VALUES ('kanarie-5')
-- case: the search path changed by a function (lesson 9) | refused
-- ways: simple
-- setup: CREATE FUNCTION public.go() RETURNS text LANGUAGE sql AS 'SELECT set_config(''search_path'', ''public'', false)'
-- teardown: DROP FUNCTION IF EXISTS public.go()
SET search_path = other, public; SELECT go(); INSERT INTO users (email) VALUES ('kanarie-5')
-- case: security label, owner, cluster | ok
-- ways: simple
ALTER TABLE users OWNER TO postgres; ALTER TABLE users CLUSTER ON users_pkey; ALTER TABLE users SET (fillfactor = 90)
-- case: reindex | ok
-- ways: simple extended
REINDEX TABLE users
-- case: set statistics | ok
-- ways: simple
ALTER TABLE users ALTER email SET STATISTICS 5
-- case: alter a view's definition | ok
-- ways: simple
CREATE OR REPLACE VIEW contacts AS SELECT id, email AS mail, note FROM public.users
-- case: copy through create table in other schema of the same name | ok
-- ways: simple
CREATE TABLE other.orders (buyer text); INSERT INTO other.orders (buyer) VALUES ('plain'); DROP TABLE other.orders
-- case: create a table and write protected values in one transaction | ok
-- ways: simple
BEGIN; CREATE TABLE fresh (a int); INSERT INTO fresh VALUES (1); INSERT INTO users (email) VALUES ('kanarie-5'); ROLLBACK
-- case: an index on another table by a subquery | refused
CREATE INDEX i ON plain (id) WHERE EXISTS (SELECT 1 FROM users WHERE email = 'kanarie-1')
-- case: a default of another table by a subquery | refused
ALTER TABLE plain ALTER name SET DEFAULT (SELECT note FROM users WHERE email = 'kanarie-1')
-- case: a row policy of a temporary table by a subquery | ok
-- ways: simple
CREATE TEMP TABLE t (a int); CREATE POLICY p ON t USING (EXISTS (SELECT 1 FROM users WHERE email = 'kanarie-1')); DROP TABLE t
