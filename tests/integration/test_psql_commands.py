"""psql's backslash commands, as a person types them: through pgveil they answer as on a plain twin."""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.pair import Pair

# What is typed in each session. `[16]` before a line: from that major version on.
_SESSIONS = {
    "tables and columns": r"""
\d
\d+
\d users
\d+ users
\d orders
\d+ contacts
\d contacts
\d plain
\d users_email_key
\d users_id_seq
\d "Mixed Case"
\d other.users
\d+ other.*
\d nosuch
\dt
\dt+
\dt other.*
\dt *.users
\di
\di+
\dv
\dv+
\ds
\dm
\dP
\dS pg_am
""",
    "other objects": r"""
\df
\df+ twice
\df twice text
\da
\dn
\dn+
\du
\du+
\dg
\l
\l postgres
\dx
\dx+
\dp
\z users
\ddp
\dT
\dT+
\dD
\dc utf8_to_koi8_r
\dC
\dd
\do || text
\dO
\dL
\db
\dA
\dAc
\dF
\dFd
\dFp
\dFt
\dy
\dX
\dRp
\dRs
\drds
\des
\det
\deu
\dew
\dl
\dconfig search_path
[16] \drg
\sf twice
\sf+ twice
\sv contacts
\sv+ contacts
\sf nosuch
\sv users
""",
    "how results look": r"""
PEOPLE;
\x
PEOPLE;
\x auto
PEOPLE;
\x off
PEOPLE \gx
\a
PEOPLE;
\f '|'
PEOPLE \g
\t
PEOPLE;
\t
\a
\H
PEOPLE;
\H
\C People
PEOPLE;
\C
\pset null '(none)'
\pset border 2
\pset format csv
PEOPLE;
\pset format aligned
\pset linestyle unicode
PEOPLE;
\T id=x
\pset
""",
    "the query buffer": r"""
FIND 'kanarie-1'
\p
\g
\r
\p
FIND 'kanarie-2' \gdesc
PEOPLE \gdesc
SELECT * FROM contacts \gdesc
SELECT nosuch FROM users \gdesc
SELECT email AS mail, age AS years FROM users WHERE id = 1 \gset his_
\echo :his_mail :his_years
FIND :'his_mail';
SELECT email FROM users WHERE false \gset
SELECT format('SELECT email, %s FROM users WHERE id = 1', n) FROM (VALUES ('age'), ('nick')) v (n) \gexec
SELECT note, age, nick FROM users WHERE id IN (1, 2) ORDER BY id \crosstabview note age nick
SELECT note, email, count(*) FROM users GROUP BY 1, 2 ORDER BY min(id) \crosstabview
[16] FIND 'kanarie-1' \watch i=0.01 c=2
[16] FIND $1 \bind kanarie-2 \g
[16] INSERT INTO users (email, age) VALUES ($1, $2) RETURNING id, email, age \bind kanarie-7 1733173317 \gx
[16] FIND $1 \bind kanarie-7 \gset found_
[16] \echo :found_age
[16] SELECT email FROM users WHERE age = $1 \bind kanarie \g
""",
    "variables": r"""
\set mail kanarie-1
\echo :mail
FIND :'mail';
\set column age
SELECT :column FROM users ORDER BY id;
SELECT :"column" FROM users WHERE id = 1;
\unset mail
\echo :mail
\setenv MAIL kanarie-2
\getenv mail MAIL
FIND :'mail';
\echo :ROW_COUNT :ERROR :SQLSTATE
SELECT emali FROM users;
\echo :ERROR :SQLSTATE :LAST_ERROR_MESSAGE
\errverbose
\if :ERROR
\echo yes
\else
\echo no
\endif
\set VERBOSITY verbose
SELECT 1/0;
\set VERBOSITY sqlstate
SELECT nosuch FROM users;
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO users (email) VALUES ('kanarie-1');
FIND 'kanarie-1';
ROLLBACK;
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT off
UPDATE users SET nick = 'kanarie two' WHERE id = 1 RETURNING nick;
ROLLBACK;
\set AUTOCOMMIT on
\set SINGLELINE on
SELECT nick FROM users WHERE id = 1
\set SINGLELINE off
\set FETCH_COUNT 1
PEOPLE;
SELECT 1/(id - 2) FROM users ORDER BY id;
\unset FETCH_COUNT
\set SHOW_ALL_RESULTS off
SELECT 1 \; SELECT email FROM users WHERE id = 1;
\set SHOW_ALL_RESULTS on
SELECT email FROM users WHERE id = 2 \; SELECT age FROM users WHERE id = 1;
\set HIDE_TABLEAM on
\set ECHO queries
FIND 'kanarie-1';
\set ECHO none
\set ECHO_HIDDEN on
\d plain
\set ECHO_HIDDEN off
\timing on
SELECT email FROM users WHERE id = 1;
\timing off
""",
    "files": r"""
\copy users (email, ssn, age, born) TO 'FILES/out.txt'
\copy (SELECT email, doc, balance FROM users ORDER BY id) TO 'FILES/out.csv' CSV HEADER
\copy orders (buyer, note) FROM 'FILES/in.csv' CSV HEADER
SELECT buyer, note FROM orders ORDER BY id;
\copy users (email, age) FROM 'FILES/bad.csv' CSV
\echo :ERROR :SQLSTATE
\copy orders (buyer) FROM pstdin
kanarie typed
\.
COPY orders (buyer) FROM STDIN;
kanarie typed again
\.
\copy users (email) TO pstdout
COPY users (email, age) TO STDOUT;
FIND 'kanarie-1' \g FILES/result.txt
\! cat FILES/out.txt FILES/out.csv FILES/result.txt
\o FILES/o.txt
PEOPLE;
\qecho to the file
\o
\! cat FILES/o.txt
FIND 'kanarie-2' \g | cat -n
\i FILES/script.sql
\ir FILES/script.sql
\cd FILES
\i script.sql
\i nosuch.sql
FIND 'kanarie-1'
\w FILES/written.sql
\r
\! cat FILES/written.sql
\i FILES/written.sql
;
\warn a warning
""",
    "the connection": r"""
\pset format unaligned
\conninfo
\encoding
\encoding LATIN1
FIND 'kanarie-1';
\encoding UTF8
\encoding nosuch
\c
FIND 'kanarie-1';
\c - ordinary
SELECT current_user;
FIND 'kanarie-1';
\c - postgres
\conninfo
\password ordinary
correct horse
correct horse
SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'ordinary';
ALTER ROLE ordinary PASSWORD NULL;
LISTEN news;
NOTIFY news, 'hello';
SELECT 1;
\h TRUNCATE
\copyright
""",
    "large objects": r"""
\pset format unaligned
\lo_import FILES/picture 'a picture'
\set picture :LASTOID
\lo_list
\dl+
\lo_export :picture FILES/exported
\! cat FILES/exported
\lo_unlink :picture
\lo_list
""",
    "partitions, indexes and publications": r"""
CREATE TABLE parts (id int, at date, note text) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE INDEX parts_note ON parts (note);
CREATE PUBLICATION news FOR TABLE users (id, email), plain;
COMMENT ON COLUMN users.born IS 'the day of birth';
\d parts
\d+ parts
\d+ parts_1
\dP+
\dPi
\dti+ users*
\di+ users_email_key
\dtv
\dt+ users
\d+ users
\dd users
\dRp+
\d plain
\dt public.(users|plain)
\dt us*s
\df+ public.*
\dp users
\z contacts
\dT+ *date*
\dn+ public
COMMENT ON COLUMN users.born IS NULL;
DROP PUBLICATION news;
DROP TABLE parts;
""",
    "an editor": r"""
\setenv PSQL_EDITOR touch
\ef twice
\p
\g
\ev contacts
\p
\g
\ef
\r
FIND 'kanarie-1'
\e
;
\ef nosuch
\ev nosuch
SELECT mail FROM contacts ORDER BY id;
\prompt 'who? ' who
kanarie-2
FIND :'who';
\echo -n no line
\echo
\set
\if :{?who} \echo known \endif
\s FILES/history
\?
\h COPY
""",
    "prepared statements and pipelines": r"""
[18] FIND $1 \parse found
[18] \bind_named found kanarie-1 \g
[18] \bind_named found kanarie-2 \gx
[18] \close_prepared found
[18] \bind_named found kanarie-2 \g
[18] \startpipeline
[18] INSERT INTO users (email, age) VALUES ($1, $2) RETURNING email \bind kanarie-8 8 \sendpipeline
[18] FIND $1 \bind kanarie-8 \sendpipeline
[18] \flushrequest
[18] \getresults 1
[18] \echo :PIPELINE_RESULT_COUNT
[18] \syncpipeline
[18] SELECT 1/0 \bind \sendpipeline
[18] FIND $1 \bind kanarie-8 \sendpipeline
[18] \syncpipeline
[18] FIND $1 \parse again
[18] \bind_named again kanarie-1 \sendpipeline
[18] SELECT nosuch FROM users WHERE email = $1 \bind kanarie \sendpipeline
[18] \endpipeline
[18] \bind_named again kanarie-1 \g
""",
}
# Words in these sessions; FILES is a directory of the test's own.
_WORDS = {
    "PEOPLE": "SELECT email, ssn, age, born, balance, doc, photo, nick FROM users ORDER BY id",
    "FIND": "SELECT email, age FROM users WHERE email =",
}
_FILES = {
    "in.csv": 'buyer,note\n"kanarie, in",a\nkanarie in,\n',
    "bad.csv": "kanarie-9,9\nkanarie-1,not a number\n",
    "script.sql": "SELECT email FROM users WHERE id = 1;\n\\echo of the script\n",
    "picture": "a picture\n",
}
# What differs between two runs of psql, whoever answers.
_OWN = (
    (r"(?m)^.* \(every [\d.]+s\)$", "at this time, every so often"),
    (r"Time: [\d.]+ ms.*", "Time: some ms"),
    (r"\b\d+ (bytes|kB|MB)\b", "some kB"),
    (r"LOCATION: .*", "LOCATION"),
    (r'(port "?|Port\|)\d+', r"\1N"),
    (r"(PID[ |])\d+", r"\1N"),
    (r"\b(lo_\w+ |\|?)\d{5,}\b", r"\1N"),
    (r'(?m)^((ERROR|CONTEXT): .*?): ".*$', r"\1"),  # pgveil quotes no value
    (r"(?m)^CONTEXT: +unnamed portal parameter.*\n", ""),
    (r"(Key \(email\)=)\(.*?\)", r"\1(a value)"),  # the server tells of the ciphertext
    (r"\btest_\d+\b", "DATABASE"),
    (r" +", " "),  # columns are as wide as what they hold
    (r"-{2,}", "--"),
    (r"(?m) $", ""),
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """What the sessions read, and where they write to."""
    for name, text in _FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def filled(pair: Pair) -> Iterator[Pair]:
    """Both databases with their rows; afterwards a look for leaks."""
    pair.restore()
    yield pair
    pair.assert_no_leak()


def _typed(session: str, version: int, files: Path) -> str:
    """What is typed into psql of a version."""
    typed = ""
    for line in session.strip().splitlines(keepends=True):
        since = re.match(r"\[(\d+)\] ", line)
        if since is None or version >= int(since[1]):
            typed += line.removeprefix(since[0] if since else "")
    for word, meaning in (_WORDS | {"FILES": str(files)}).items():
        typed = typed.replace(word, meaning)
    return typed + "\n"


def _session(program: Path, dsn: str, typed: str) -> tuple[list[str], list[str]]:
    """The lines of both outputs of one session."""
    done = subprocess.run(
        [str(program), "-X", "-a", dsn],  # it echoes what is typed
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,  # no terminal: a password is read from the same input
    )
    assert done.returncode == 0, done.stderr
    shown = []
    for text in (done.stdout, done.stderr):
        for pattern, instead in _OWN:
            text = re.sub(pattern, instead, text)
        shown.append(text.splitlines())
    return shown[0], shown[1]


@pytest.mark.parametrize("name", _SESSIONS)
def test_a_session(filled: Pair, files: Path, name: str) -> None:
    """Each line is answered as in a session with the plain twin."""
    postgres = filled.veil.database.postgres
    typed = _typed(_SESSIONS[name], postgres.version, files)
    if not typed.strip():
        pytest.skip(f"psql {postgres.version} has none of these")
    through = _session(postgres.psql, filled.veil.dsn(), typed)
    direct = _session(postgres.psql, filled.plain.dsn + "?application_name=directly", typed)
    for seen, expected in zip(through, direct, strict=True):
        difference = "\n".join(difflib.unified_diff(expected, seen, "direct", "pgveil", lineterm=""))
        assert not difference, difference
