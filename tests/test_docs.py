"""The documentation is tested: what it lists is all that there is, its links resolve, its examples run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from policy import loader
from policy.document import DocumentError
from policy.types import TYPES
from proxy import config as configuration
from proxy.audit.record import EVENTS
from proxy.cli import COMMANDS
from proxy.metrics import METRICS
from proxy.settings import SETTINGS
from tests.documents import README, ROOT, anchors, blocks, code, documents, links, rows, section

DOCS = ROOT / "docs"


def test_every_setting_is_described() -> None:
    described = {
        code(row[0])[0]: row for row in rows((DOCS / "configuration.md").read_text()) if code(row[0])
    }
    for setting in SETTINGS.values():
        name, variable, default, text = described[setting.name]
        assert code(variable) == [setting.environment]
        expected = setting.default or ("required" if setting.required else "none")
        assert default.strip("`") == expected, setting.name
        assert text.endswith((".", "!")), f"{name} has no description"


def test_no_setting_is_described_that_does_not_exist() -> None:
    table = section((DOCS / "configuration.md").read_text(), "Settings")
    assert {code(row[0])[0] for row in rows(table)} == set(SETTINGS)


def test_every_metric_is_described_and_no_other() -> None:
    table = section((DOCS / "operations.md").read_text(), "Metrics")
    described = {code(row[0])[0]: row[1] for row in rows(table)}
    assert described == {f"pgveil_{metric.name}": metric.kind for metric in METRICS}


def test_every_event_of_the_audit_trail_is_described_and_no_other() -> None:
    table = section((DOCS / "audit.md").read_text(), "Events")
    assert {event for row in rows(table) for event in code(row[0])} == set(EVENTS)


def test_every_sqlstate_is_described_and_no_other() -> None:
    described = {sqlstate for row in rows((DOCS / "errors.md").read_text()) for sqlstate in code(row[0])}
    assert described == set(_sqlstates())


def _sqlstates() -> Iterator[str]:
    """Every SQLSTATE that stands in the sources as a string."""
    for path in (ROOT / "proxy").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                value = node.value
                if re.fullmatch(r"(?:[0-5][0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}", value) and not value.isalpha():
                    yield value


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_described(command: str) -> None:
    text = section((DOCS / "operations.md").read_text(), "Commands")
    assert f"`pgveil {command}" in text
    for option in _options(command):
        assert f"`{option}" in text, f"pgveil {command}: {option}"


def _options(command: str) -> set[str]:
    """The options and actions of a command, as its help prints them."""
    shown = _help(command)
    actions = re.findall(r"^    (\w+) ", shown, re.MULTILINE)
    options = set(re.findall(r"--[a-z][a-z-]*", shown))
    for action in actions:
        options |= set(re.findall(r"--[a-z][a-z-]*", _help(command, action))) | {f"pgveil {command} {action}"}
    return options - {"--help"}


def _help(*words: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "proxy", *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_commands_that_are_not_there_yet_are_not_promised() -> None:
    known = set(COMMANDS)
    for path in documents():
        for block in blocks(path.read_text()):
            if block.language == "sh":
                used = set(re.findall(r"^\s*pgveil ([a-z]+)", block.text, re.MULTILINE))
                assert used <= known, f"{path.name}:{block.line}"


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(path: Path) -> None:
    for link in links(path.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{link}: there is no such file"
        if anchor:
            assert anchor in anchors(file.read_text()), f"{link}: there is no such heading"


def test_the_index_of_decisions_has_each_of_them() -> None:
    directory = DOCS / "decisions"
    index = (directory / "README.md").read_text()
    listed = [link for link in links(index) if re.match(r"\d{4}-", link)]
    assert listed == sorted(path.name for path in directory.glob("[0-9]*.md"))
    for row in rows(index):
        [title] = re.findall(r"\[(.*)\]", row[1])
        [file] = links(row[1])
        assert re.match(rf"# 0*{int(file[:4])}\. {re.escape(title)}\n", (directory / file).read_text())


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^## \[?{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_architecture_names_no_file_that_does_not_exist() -> None:
    """A module may be written with its path from the root, or from proxy/."""
    text = (DOCS / "architecture.md").read_text()
    for name in code(text):
        if name.endswith((".py", "/")) or re.fullmatch(r"(crypto|policy|proxy)/\w+", name):
            assert any((folder / name).exists() for folder in (ROOT, ROOT / "proxy")), name


def test_the_architecture_names_every_package() -> None:
    text = (DOCS / "architecture.md").read_text()
    for path in (ROOT / "proxy").glob("*/__init__.py"):
        assert f"{path.parent.name}/" in text, path


def test_the_readme_names_every_type() -> None:
    aliases = {"bpchar": "char"}
    text = README.read_text()
    assert all(re.search(rf"`{aliases.get(name, name)}(\(n\))?`", text) for name in TYPES)


def _yaml() -> list[object]:
    return [
        pytest.param(block.text, id=f"{path.name}:{block.line}")
        for path in documents()
        for block in blocks(path.read_text())
        if block.language == "yaml"
    ]


@pytest.mark.parametrize("text", _yaml())
def test_yaml_examples_load(text: str, tmp_path: Path) -> None:
    """Each is a whole policy, or a part of a configuration."""
    file = tmp_path / "example.yaml"
    file.write_text(text)
    if text.startswith("version:"):
        assert list(loader.load(file).fields())
        return
    rest = {
        name: value
        for name, value in (
            ("upstream", "postgresql://127.0.0.1"),
            ("maintenance", "postgresql://pgveil@127.0.0.1/app"),
        )
        if not re.search(rf"^{name}:", text, re.MULTILINE)
    }
    try:
        loaded = configuration.load(file, {SETTINGS[name].environment: value for name, value in rest.items()})
    except DocumentError as error:
        pytest.fail("\n".join(error.findings))
    assert loaded.warnings == ()
