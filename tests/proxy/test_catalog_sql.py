"""What is read from the catalogues of real servers."""

from __future__ import annotations

from pathlib import Path

from policy.check import check
from tests.policy.samples import policy_of
from tests.postgres import Database
from tests.proxy.catalogs import eventually, read, relation


async def test_relations_and_columns_are_as_the_server_has_them(database: Database) -> None:
    database.execute(
        """
        CREATE SCHEMA "Shop";
        CREATE TABLE "Shop"."Orders" (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            gone text,
            code varchar(12) NOT NULL UNIQUE,
            amount numeric(10, 2) DEFAULT 0,
            tags text[],
            twice numeric GENERATED ALWAYS AS (amount * 2) STORED,
            UNIQUE (code, amount)
        );
        ALTER TABLE "Shop"."Orders" DROP COLUMN gone;
        CREATE UNIQUE INDEX ON "Shop"."Orders" (lower(code));
        CREATE VIEW codes AS SELECT code AS c FROM "Shop"."Orders";
        CREATE MATERIALIZED VIEW frozen AS SELECT 1 AS one;
        CREATE SEQUENCE counter;
        """
    )
    catalog = await read(database)
    orders = relation(catalog, "Orders", "Shop")
    assert orders.kind == "r"
    assert [(c.name, c.number, c.type_name, c.modifier) for c in orders.columns] == [
        ("id", 1, "int8", -1),
        ("code", 3, "varchar", 16),
        ("amount", 4, "numeric", 655366),
        ("tags", 5, "_text", -1),
        ("twice", 6, "numeric", -1),
    ]
    identity, code, amount, _, twice = orders.columns
    assert (identity.identity, identity.not_null, code.not_null, amount.not_null) == (True, True, True, False)
    assert (amount.has_default, amount.generated) == (True, False)
    assert (twice.has_default, twice.generated) == (False, True)
    assert set(orders.unique_indexes) == {("id",), ("code",), ("code", "amount")}
    codes = relation(catalog, "codes")
    assert (codes.kind, relation(catalog, "frozen").kind) == ("v", "m")
    assert '"Shop"."Orders"' in str(codes.definition)  # whatever the search_path, names are qualified
    assert orders.definition is None
    assert catalog.lookup("public", "counter") is None
    assert catalog.database == database.name
    assert catalog.server_version // 10000 == database.postgres.version
    assert {"public", "Shop", "pg_catalog", "information_schema"} <= catalog.schemas


async def test_the_servers_own_relations_are_known_with_their_columns(database16: Database) -> None:
    catalog = await read(database16)
    pg_class = catalog.find("pg_class", ["public"])
    assert pg_class is not None
    assert pg_class.system
    assert pg_class.column("relname") is not None
    assert relation(catalog, "columns", "information_schema").column("column_name") is not None


async def test_temporary_relations_are_nobodys_business(database16: Database) -> None:
    with database16.connect() as connection:
        connection.execute("CREATE TEMPORARY TABLE private (a text)")
        catalog = await read(database16)
    assert catalog.named("private") == ()
    assert not any(schema.startswith("pg_temp") for schema in catalog.schemas)


async def test_partitions_and_children_know_their_parents_in_order(database: Database) -> None:
    database.execute(
        """
        CREATE TABLE logs (id int, at date, text text) PARTITION BY RANGE (at);
        CREATE TABLE logs_2024 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE a (x int);
        CREATE TABLE b (y int);
        CREATE TABLE c () INHERITS (b, a);
        """
    )
    catalog = await read(database)
    assert relation(catalog, "logs").kind == "p"
    assert relation(catalog, "logs_2024").parents == (relation(catalog, "logs").oid,)
    assert relation(catalog, "c").parents == (relation(catalog, "b").oid, relation(catalog, "a").oid)


async def test_search_paths_of_roles_and_databases(database: Database) -> None:
    name = database.name
    database.execute(f'ALTER DATABASE "{name}" SET search_path = "one one", "$user"')
    database.execute("CREATE ROLE pathfinder LOGIN")
    try:
        database.execute(f'ALTER ROLE pathfinder IN DATABASE "{name}" SET search_path = two')
        database.execute("ALTER ROLE pathfinder SET search_path = three; ALTER ROLE pathfinder SET jit = off")
        catalog = await read(database, user="ordinary")
    finally:
        database.execute(f'ALTER ROLE pathfinder IN DATABASE "{name}" RESET ALL; DROP ROLE pathfinder')
    assert catalog.role_settings == {
        ("", name): '"one one", "$user"',
        ("pathfinder", name): "two",
        ("pathfinder", ""): "three",
    }
    assert catalog.search_path("pathfinder") == "two"
    assert catalog.search_path("ordinary") == '"one one", "$user"'


async def test_the_servers_default_search_path(database: Database) -> None:
    assert (await read(database)).default_search_path == '"$user", public'


async def test_the_servers_default_behind_a_setting_of_ones_own(database: Database) -> None:
    """Only a superuser may look into the server's files; others get what is built in."""
    database.execute("ALTER SYSTEM SET search_path = everywhere")
    database.execute("SELECT pg_reload_conf()")
    database.execute(f'ALTER DATABASE "{database.name}" SET search_path = here')
    try:
        await eventually(lambda: database.postgres.execute("SHOW search_path") == [("everywhere",)])
        superuser, ordinary = await read(database), await read(database, user="ordinary")
    finally:
        database.execute("ALTER SYSTEM RESET search_path")
        database.execute("SELECT pg_reload_conf()")
    await eventually(lambda: database.postgres.execute("SHOW search_path") == [('"$user", public',)])
    assert superuser.default_search_path == "everywhere"
    assert ordinary.default_search_path == '"$user", public'


HAZARDOUS = """
CREATE TABLE people (
    id int PRIMARY KEY,
    email text UNIQUE CHECK (email LIKE '%@%') DEFAULT 'none',
    name text,
    name_length int GENERATED ALWAYS AS (length(name)) STORED,
    code text NOT NULL CHECK (code IS NOT NULL),
    born date,
    EXCLUDE USING hash (code WITH =)
);
CREATE INDEX people_lower ON people (lower(name));
CREATE UNIQUE INDEX people_covering ON people (id) INCLUDE (name) WHERE name IS NOT NULL;
CREATE TABLE letters (email text REFERENCES people (email), text text) PARTITION BY LIST (email);
CREATE TABLE letters_rest PARTITION OF letters DEFAULT;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER watch BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE RULE quiet AS ON DELETE TO people DO INSTEAD NOTHING;
CREATE POLICY own ON people USING (name = current_user);
"""
HAZARDS = """\
  people:
    email: equal
    name: random
    code: equal
    born: random
  letters:
    email: equal
"""


async def test_check_finds_in_a_real_catalogue_what_would_go_wrong(
    database: Database, tmp_path: Path
) -> None:
    database.execute(HAZARDOUS)
    policy = policy_of(tmp_path, HAZARDS)
    found = [str(finding) for finding in check(policy, await read(database, policy))]
    expected = [
        ":7:5: error: public.people.email: it has a DEFAULT, which the server would store in plaintext",
        ":7:5: error: public.people.email: the check constraint people_email_check would see ciphertext",
        ":7:5: error: public.people.email: the foreign key letters_email_fkey pairs it with public.let",
        ":7:5: warning: public.people.email: the trigger watch on its table sees ciphertext",
        ":7:5: warning: public.people.email: the rule quiet on its table sees ciphertext",
        ":8:5: warning: public.people.name: the index people_lower computes on it",
        ":8:5: error: public.people.name: the generated column name_length is computed from it",
        ":8:5: error: public.people.name: the row security policy own would see ciphertext",
        ":9:5: error: public.people.code: the exclusion constraint people_code_excl would compare ciphertext",
        ":10:5: error: public.people.born: it is of type date, and ciphertext of date is kept in bytea",
        ":12:5: error: public.letters.email: the foreign key letters_email_fkey pairs it with public.peo",
        ":12:5: error: public.letters.email: the table is partitioned by it",
    ]
    for line in expected:
        assert any(line in finding for finding in found), line
    assert not any("people_covering" in finding or "people_email_key" in finding for finding in found)
    assert not any("people_code_check" in finding or "_not_null" in finding for finding in found)
    assert any("public.letters_rest.email: the foreign key" in finding for finding in found)


async def test_functions_that_may_change_the_search_path(database: Database) -> None:
    parsed = (
        ""
        if database.postgres.version < 14
        else (
            "CREATE FUNCTION parsed() RETURNS text RETURN set_config('search_path', 'x', false);"
            "CREATE FUNCTION calls_parsed() RETURNS text BEGIN ATOMIC SELECT parsed(); END;"
            "CREATE FUNCTION harmless_parsed() RETURNS int RETURN 1;"
        )
    )
    database.execute(
        """
        CREATE FUNCTION direct() RETURNS text LANGUAGE sql AS
            'SELECT set_config(''search_path'', ''x'', false)';
        CREATE FUNCTION sets() RETURNS void LANGUAGE plpgsql AS 'BEGIN SET LOCAL search_path TO x; END';
        CREATE FUNCTION calls() RETURNS text LANGUAGE sql AS 'SELECT Direct()';
        CREATE PROCEDURE "calls again"() LANGUAGE sql AS 'SELECT public.calls()';
        CREATE FUNCTION runs(what text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE what; END';
        CREATE FUNCTION runs_first(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE $1; END';
        CREATE FUNCTION step(text, int) RETURNS text LANGUAGE sql AS 'SELECT direct()';
        CREATE AGGREGATE total(int) (SFUNC = step, STYPE = text);
        CREATE FUNCTION pinned() RETURNS int LANGUAGE sql SET search_path = x AS 'SELECT 1';
        CREATE FUNCTION harmless(direction int) RETURNS int LANGUAGE plpgsql AS
            'BEGIN UPDATE t SET role = 1; EXECUTE format(''DROP TABLE %I'', direction); RETURN 1; END';
        CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM direct(); RETURN NEW; END';
        """
        + parsed
    )
    expected = {"direct", "sets", "calls", "calls again", "runs", "runs_first", "step", "total"}
    assert (await read(database)).path_changers == expected | (
        {"parsed", "calls_parsed"} if parsed else set()
    )


async def test_without_functions_nothing_changes_the_search_path(database: Database) -> None:
    assert (await read(database)).path_changers == frozenset()
