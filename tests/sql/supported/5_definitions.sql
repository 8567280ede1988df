-- # Definitions
-- a new view | works works
-- teardown: DROP VIEW IF EXISTS v
CREATE VIEW v AS SELECT id, F FROM users
-- a view that compares | works refused
-- teardown: DROP VIEW IF EXISTS v
CREATE VIEW v AS SELECT id FROM users WHERE F = 'x'
-- a materialized view | works works
-- teardown: DROP MATERIALIZED VIEW IF EXISTS v
CREATE MATERIALIZED VIEW v AS SELECT id, F FROM users
-- a view that computes | refused refused
CREATE VIEW v AS SELECT lower(F) FROM users
-- an index | works refused
-- teardown: DROP INDEX IF EXISTS i
CREATE INDEX i ON users (F)
-- a unique index | works refused
-- teardown: DROP INDEX IF EXISTS i
CREATE UNIQUE INDEX i ON users (F, id)
-- a hash index | works refused
-- teardown: DROP INDEX IF EXISTS i
CREATE INDEX i ON users USING hash (F)
-- a partial index on NULLs | works works
-- teardown: DROP INDEX IF EXISTS i
CREATE INDEX i ON users (id) WHERE F IS NULL
-- a partial index on a value | works refused
-- teardown: DROP INDEX IF EXISTS i
CREATE INDEX i ON users (id) WHERE F = 'x'
-- an index on an expression | refused refused
CREATE INDEX ON users (lower(F))
-- an index that carries it | works works
-- teardown: DROP INDEX IF EXISTS i
CREATE INDEX i ON users (id) INCLUDE (F)
-- a CHECK for NULL | works works
-- teardown: ALTER TABLE users DROP CONSTRAINT IF EXISTS k
ALTER TABLE users ADD CONSTRAINT k CHECK (F IS NOT NULL OR id > 0)
-- a CHECK for a value | works refused
-- teardown: ALTER TABLE users DROP CONSTRAINT IF EXISTS k
ALTER TABLE users ADD CONSTRAINT k CHECK (F <> 'never')
-- a CHECK of a pattern | refused refused
ALTER TABLE users ADD CHECK (F LIKE '%@%')
-- a default | works works
-- teardown: ALTER TABLE users ALTER F DROP DEFAULT
ALTER TABLE users ALTER F SET DEFAULT 'new'
-- a computed default | refused refused
ALTER TABLE users ALTER F SET DEFAULT current_user
-- NOT NULL | works works
BEGIN; DELETE FROM users WHERE F IS NULL; ALTER TABLE users ALTER F SET NOT NULL; ROLLBACK
-- another type | refused refused
ALTER TABLE users ALTER F TYPE varchar(10)
-- another name | refused refused
ALTER TABLE users RENAME COLUMN F TO other
-- another name of the table | refused refused
ALTER TABLE users RENAME TO others
-- a generated column | refused refused
ALTER TABLE users ADD COLUMN g text GENERATED ALWAYS AS (lower(F)) STORED
-- statistics of columns | works works
-- teardown: DROP STATISTICS IF EXISTS s
CREATE STATISTICS s ON F, note FROM users
-- statistics of an expression | refused refused
CREATE STATISTICS s ON (lower(F)), note FROM users
-- a policy of rows | works refused
-- teardown: DROP POLICY IF EXISTS r ON users
CREATE POLICY r ON users USING (F = 'x')
-- a policy of rows for NULLs | works works
-- teardown: DROP POLICY IF EXISTS r ON users
CREATE POLICY r ON users USING (F IS NULL)
-- a function that names the table | refused refused
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT F FROM users LIMIT 1 $$
-- a rule | refused refused
CREATE RULE r AS ON UPDATE TO users DO ALSO INSERT INTO plain (name) VALUES (new.F)
-- a child table | works works
-- teardown: DROP TABLE IF EXISTS child
CREATE TABLE child () INHERITS (users)
-- dropping the column | works works
BEGIN; ALTER TABLE users DROP COLUMN F CASCADE; ROLLBACK
