"""Java: pgjdbc with a dozen of its options, from simple queries to server-side prepares and rewritten batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.applications.stage import Stage, compiled, fetched

pytestmark = pytest.mark.timeout(600)  # packages are fetched once

_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


@pytest.fixture(scope="module")
def directory() -> Path:
    """Where the classes and the driver's archives are."""
    maven = ("mvn", "-B", "-q", _DEPENDENCIES, "-DoutputDirectory=jars", "-DincludeScope=runtime")
    directory = fetched("java", "mvn", maven, ["pom.xml"])
    sources = sorted(source.name for source in directory.glob("*.java"))
    return compiled(directory, ("javac", "-Xlint:all", "-Werror", "-cp", "jars/*", "-d", "classes", *sources))


@pytest.mark.parametrize("arguments", [(), ("metadata",)], ids=["statements", "metadata"])
def test_program(stage: Stage, directory: Path, arguments: tuple[str, ...]) -> None:
    """It reads what it wrote, of every type, and the server never saw it."""
    stage.assert_same(["java", "-Xshare:auto", "-cp", "classes:jars/*", "Application", *arguments], directory)
