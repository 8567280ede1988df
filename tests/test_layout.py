"""Who may import whom, one door for each library, and a test beside every module (docs/architecture.md)."""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path.relative_to(ROOT)
    for package in ("crypto", "policy", "proxy")
    for path in (ROOT / package).rglob("*.py")
)

# A package, and what of this project a module of it may import. The most particular line counts.
MAY_IMPORT = {
    "crypto": {"crypto"},
    "policy": {"policy"},
    "proxy": {"crypto", "policy", "proxy"},
    "proxy/wire": {"proxy.wire"},
    "proxy/values": {"policy", "proxy.values", "proxy.errors"},
    "proxy/sql": {"policy", "proxy.sql", "proxy.errors"},
    "proxy/session": {
        *("crypto", "policy", "proxy.session", "proxy.sql", "proxy.wire", "proxy.values"),
        *("proxy.protector", "proxy.openers", "proxy.errors"),
    },
    "proxy/demo": {"proxy.demo"},
}
# Standard library that a pure core does without.
NOT_IN_A_CORE = {"asyncio", "socket", "ssl", "select", "selectors", "time", "threading", "subprocess"}
CORES = ("policy", "proxy/wire", "proxy/values", "proxy/sql", "proxy/session")

# Each library, and the only places that may import it.
DOORS = {
    "pglast": ["proxy/sql"],
    "cryptography": ["crypto/aead.py", "crypto/daead.py", "crypto/kdf.py", "proxy/tls.py"],
    "yaml": ["policy/loader.py"],
    "asyncpg": [
        *("proxy/catalog_snapshot.py", "proxy/introspect.py", "proxy/guards.py"),
        *("crypto/keystore_table.py", "crypto/keystore_listener.py"),
    ],
    "uvloop": ["proxy/app.py"],
    "psycopg": ["proxy/demo", "proxy/commands/demo.py"],
    "hvac": ["crypto/providers/vault.py", "crypto/providers/vault_session.py"],
    "requests": ["crypto/providers/vault_session.py", "crypto/providers/gcp_kms.py"],  # what these SDKs raise
    "boto3": ["crypto/providers/aws_kms.py"],
    "botocore": ["crypto/providers/aws_kms.py"],
    "google": ["crypto/providers/gcp_kms.py"],
    "google_crc32c": ["crypto/providers/gcp_kms.py"],
    "azure": ["crypto/providers/azure_key_vault.py"],
    "tenacity": ["crypto/providers/resilient.py"],
    "shamir_mnemonic": ["crypto/custodians.py"],
}
# Modules that import a library which only some installations have: nobody imports them at the top.
OPTIONAL = (
    "vault",
    "vault_kv",
    "vault_session",
    "aws_kms",
    "gcp_kms",
    "azure_key_vault",
    "resilient",
    "service",
)
OURS = {"crypto", "policy", "proxy"}

# Modules (or whole packages) that no test imports by name: the tests that go through them.
TESTED_THROUGH = {
    "crypto/opening.py": "tests/crypto/test_manager.py",
    "crypto/providers/http_errors.py": "tests/crypto/providers",
    "crypto/providers/service.py": "tests/crypto/providers/test_vault.py",
    "crypto/record_json.py": "tests/crypto/test_keystore_file.py",
    "crypto/local_rotation.py": "tests/proxy/commands/test_rotate.py",
    "crypto/rehearsal.py": "tests/proxy/commands/test_rotate.py",
    "proxy/key_report.py": "tests/proxy/commands/test_status.py",
    "proxy/master_key.py": "tests/proxy/commands/test_rotate.py",
    "proxy/rotations.py": "tests/proxy/commands/test_rotate.py",
    "proxy/__main__.py": "tests/proxy_process.py",
    "proxy/commands/keys": "tests/proxy/commands/test_keys.py",
    "proxy/commands/audited.py": "tests/integration/test_audit.py",
    "proxy/commands/holder.py": "tests/proxy/commands/test_keys.py",
    "proxy/commands/login.py": "tests/proxy/commands/test_guard.py",
    "proxy/commands/passphrases.py": "tests/proxy/commands/test_keys.py",
    "proxy/key_fingerprints.py": "tests/integration/test_wrong_keystore.py",
    "proxy/sql/conditions.py": "tests/sql/fixtures",
    "proxy/sql/mentions.py": "tests/sql/fixtures",
    "proxy/sql/code.py": "tests/sql/fixtures",
    "proxy/sql/column_references.py": "tests/sql/fixtures",
    "proxy/sql/constants.py": "tests/sql/fixtures",
    "proxy/sql/context.py": "tests/sql/fixtures",
    "proxy/sql/redirect.py": "tests/sql/test_catalog_types.py",
    "proxy/sql/copy_statement.py": "tests/sql/fixtures",
    "proxy/sql/ddl.py": "tests/sql/fixtures",
    "proxy/sql/dml.py": "tests/sql/fixtures",
    "proxy/sql/documents.py": "tests/sql/fixtures",
    "proxy/sql/dynamic.py": "tests/sql/fixtures",
    "proxy/sql/expressions.py": "tests/sql/fixtures",
    "proxy/sql/functions.py": "tests/sql/fixtures",
    "proxy/sql/json_constructors.py": "tests/sql/fixtures",
    "proxy/sql/json_functions.py": "tests/sql/fixtures",
    "proxy/sql/operators.py": "tests/sql/fixtures",
    "proxy/sql/queries.py": "tests/sql/fixtures",
    "proxy/sql/scope.py": "tests/sql/fixtures",
    "proxy/sql/json_records.py": "tests/sql/fixtures",
    "proxy/sql/sources.py": "tests/sql/fixtures",
    "proxy/sql/alter_table.py": "tests/sql/fixtures",
    "proxy/sql/column_definitions.py": "tests/sql/fixtures",
    "proxy/sql/constraints.py": "tests/sql/fixtures",
    "proxy/sql/definitions.py": "tests/sql/fixtures",
    "proxy/sql/tables.py": "tests/sql/fixtures",
    "proxy/sql/roles.py": "tests/sql/fixtures",
    "proxy/sql/unify.py": "tests/sql/fixtures",
    "proxy/sql/value.py": "tests/sql/fixtures",
    "proxy/session/bodies.py": "tests/session/test_malformed.py",
    "proxy/session/copy_input.py": "tests/session/test_frontend.py",
    "proxy/session/inquiry_replies.py": "tests/session/test_inquiry.py",
    "proxy/session/planning.py": "tests/session/test_frontend.py",
    "proxy/session/refusals.py": "tests/session/test_frontend.py",
    "proxy/session/script_replies.py": "tests/session/test_script.py",
    "proxy/session/script_sender.py": "tests/session/test_script.py",
}


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """Absolute names of what a file imports: modules, and names from them."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def below(path: Path, place: str) -> bool:
    """Whether a path is a place (a file or a folder), or in it."""
    return path.is_relative_to(place)


def named(name: str, allowed: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_only_what_its_place_allows(module: Path) -> None:
    place = max((place for place in MAY_IMPORT if below(module, place)), key=len)
    core = any(below(module, place) for place in CORES)
    for name in imports(ROOT / module):
        library = name.partition(".")[0]
        if library in OURS:
            assert named(name, MAY_IMPORT[place]), f"{place} must not import {name}"
        elif library in sys.stdlib_module_names:
            assert not (core and library in NOT_IN_A_CORE), f"{place} is pure: no {library}"
        else:
            assert any(below(module, door) for door in DOORS[library]), f"{library} is not for {module}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_leaves_optional_libraries_alone_until_they_are_needed(module: Path) -> None:
    """Whoever imports them at the top makes every command need them, and wait for them."""
    optional = {f"crypto.providers.{name}" for name in OPTIONAL}
    if module.parent == Path("crypto/providers") and module.stem in OPTIONAL:
        return
    for node in ast.parse((ROOT / module).read_text()).body:
        if isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
            assert not names & optional, module


@pytest.mark.parametrize("module", [path for path in MODULES if path.name != "__init__.py"], ids=str)
def test_has_a_test(module: Path) -> None:
    """A test file of its name, or one that imports it, or one that TESTED_THROUGH names."""
    tests = sorted((ROOT / "tests").rglob("*.py"))
    name = ".".join(module.with_suffix("").parts)
    tested = any(test.name == f"test_{module.stem}.py" for test in tests) or any(
        named(imported, {name}) for test in tests for imported in imports(test)
    )
    through = any(below(module, place) for place in TESTED_THROUGH)
    assert tested or through, f"nothing below tests/ is for {module}"


def test_no_exception_is_stale() -> None:
    places = [*MAY_IMPORT, *TESTED_THROUGH, *TESTED_THROUGH.values()]
    assert [place for place in places if not (ROOT / place).exists()] == []
