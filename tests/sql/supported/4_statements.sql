-- # Statements of the session
-- PREPARE of an insert | works works
PREPARE p AS INSERT INTO users (F) VALUES ($1)
-- PREPARE of a lookup, with its type | works refused
PREPARE p (text) AS SELECT id FROM users WHERE F = $1
-- DECLARE and FETCH | works works
BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id, F FROM users ORDER BY id; FETCH 2 FROM c; FETCH LAST FROM c; FETCH BACKWARD 1 FROM c; MOVE FIRST FROM c; CLOSE c; COMMIT
-- a cursor that outlives its transaction | works works
BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT F FROM users; COMMIT; FETCH ALL FROM c; CLOSE c
-- a binary cursor | works works
BEGIN; DECLARE c BINARY CURSOR FOR SELECT F FROM users; FETCH ALL FROM c; COMMIT
-- a cursor over a lookup | works refused
BEGIN; DECLARE c CURSOR FOR SELECT id FROM users WHERE F = 'x'; FETCH c; COMMIT
-- update where a cursor stands | works works
BEGIN; DECLARE c CURSOR FOR SELECT id FROM users FOR UPDATE; FETCH c; UPDATE users SET F = 'new' WHERE CURRENT OF c; COMMIT
-- EXPLAIN of a write | works works
EXPLAIN (COSTS OFF) UPDATE users SET F = 'new' WHERE id = 1
-- EXPLAIN of an order | refused refused
EXPLAIN SELECT F FROM users ORDER BY F
-- LOCK | works works
BEGIN; LOCK TABLE users IN SHARE MODE; SELECT F FROM users; COMMIT
-- TRUNCATE | works works
TRUNCATE users; INSERT INTO users (F) VALUES ('new')
-- ANALYZE | works works
ANALYZE users (F)
-- COMMENT | works works
COMMENT ON COLUMN users.F IS 'protected'
-- GRANT of a column | works works
GRANT SELECT (F) ON users TO PUBLIC
-- DO with a statement on the table | refused refused
DO $$ BEGIN UPDATE users SET F = 'new'; END $$
-- savepoints | works works
BEGIN; SAVEPOINT a; UPDATE users SET F = 'new' WHERE id = 1; ROLLBACK TO a; SELECT F FROM users WHERE id = 1; COMMIT
-- CREATE TABLE AS | refused refused
CREATE TABLE copied AS SELECT F FROM users
-- SELECT INTO | refused refused
SELECT F INTO copied FROM users
-- SQL inside a function's argument | refused refused
SELECT query_to_xml('SELECT F FROM users', true, true, '')
-- a temporary table in front of it | refused refused
CREATE TEMP TABLE users (F text)
