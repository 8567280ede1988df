-- case: copy in | ok
-- stdin: kanarie-5\tkanarie \\t ssn\tn
-- stdin: \\N\t\\N\tn
-- stdin: kanarie-6\t\tn
COPY users (email, ssn, note) FROM STDIN
-- case: copy in csv | ok
-- stdin: email,ssn,age
-- stdin: kanarie-5,"kanarie, "" and ""
-- stdin: second line",17
-- stdin: ,"",
COPY users (email, ssn, age) FROM STDIN WITH (FORMAT csv, HEADER true)
-- case: copy in with options of the old kind | ok
-- stdin: kanarie-5;none
COPY users (email, ssn) FROM STDIN DELIMITER ';' NULL 'none'
-- case: copy in of all columns | ok
-- stdin: 70\tkanarie-5\tkanarie\t1733173317\t1973-03-31\t1.5\t{"kanarie": 1}\t\\\\x6b616e61726965\tkanarie\tn
COPY users FROM STDIN
-- case: copy in with a condition | ok
-- stdin: kanarie-5\tyes
-- stdin: kanarie-6\tno
COPY users (email, note) FROM STDIN WHERE note = 'yes'
-- case: copy in with a protected condition | ok
-- stdin: kanarie-5\tyes
-- stdin: kanarie-6\tno
COPY users (email, note) FROM STDIN WHERE email <> 'kanarie-6'
-- case: copy in of a value that does not fit | error 22P02
-- stdin: kanarie
COPY users (age) FROM STDIN
-- case: copy in of too long a value | error 22001
-- stdin: kanarie longer than twenty characters
COPY users (nick) FROM STDIN
-- case: copy in of too few columns | error 22P04
-- stdin: kanarie
COPY users (email, ssn) FROM STDIN
-- case: copy in of too many columns | error 22P04
-- stdin: kanarie\tkanarie\tkanarie
COPY users (email, ssn) FROM STDIN
-- case: copy in of a doubled key | error 23505
-- stdin: kanarie-1
COPY users (email) FROM STDIN
-- case: copy out | ok
COPY users TO STDOUT
-- case: copy out of some columns | ok
COPY users (nick, id, email) TO STDOUT WITH (FORMAT csv, HEADER, FORCE_QUOTE (email))
-- case: copy out of a query | ok
COPY (SELECT id, email AS e, ssn, upper(note) FROM users WHERE email = 'kanarie-1') TO STDOUT
-- case: copy out of a join | ok
COPY (SELECT u.email, o.buyer, u.born FROM users u JOIN orders o ON o.buyer = u.email) TO STDOUT (FORMAT csv)
-- case: copy out of returning | ok
COPY (INSERT INTO users (email) VALUES ('kanarie-5') RETURNING id, email) TO STDOUT
-- case: copy out of an order | refused
COPY (SELECT email FROM users ORDER BY email) TO STDOUT
-- case: copy to a file | refused
COPY users TO '/tmp/never'
-- case: copy from a file | refused
COPY users (email) FROM '/tmp/never'
-- case: copy to a program | refused
COPY (SELECT email FROM users) TO PROGRAM 'cat >/dev/null'
-- case: copy of an unprotected table | ok
-- stdin: seven\t7
COPY plain (name, value) FROM STDIN
-- case: copy out of unprotected columns | ok
COPY users (id, note) TO STDOUT
-- case: copy in a batch | ok
-- ways: simple
-- stdin: kanarie-5
INSERT INTO users (ssn) VALUES ('kanarie'); COPY users (email) FROM STDIN; UPDATE users SET nick = 'kanarie' WHERE email = 'kanarie-5'; COPY users (email, nick) TO STDOUT; SELECT 1
-- case: copy and freeze | ok
-- ways: simple
-- stdin: kanarie-5
BEGIN; TRUNCATE users; COPY users (email) FROM STDIN WITH (FREEZE); COMMIT
-- case: copy with an encoding of its own | ok
-- stdin: kanarie-5 \xe9
COPY users (email) FROM STDIN WITH (ENCODING 'latin1')
-- case: copy with default marker | ok
-- stdin: kanarie-5\t\\D
COPY users (email, id) FROM STDIN WITH (DEFAULT '\D')
-- case: copy into a view | error
-- stdin: kanarie-5
COPY contacts (mail) FROM STDIN
-- case: copy in by the extended protocol | ok
-- stdin: kanarie-5\tkanarie ssn
-- ways: extended named
COPY users (email, ssn) FROM STDIN
-- case: an error of copy in by the extended protocol | error 22P02
-- stdin: kanarie
-- ways: extended named
COPY users (age) FROM STDIN
