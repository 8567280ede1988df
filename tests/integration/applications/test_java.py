"""Java: pgjdbc with a dozen of its options (simple queries, server-side prepares, batches), and Hibernate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.applications.stage import Stage, compiled, fetched
from tests.postgres import newest_only

pytestmark = [newest_only(), pytest.mark.timeout(600)]  # packages are fetched once

_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


@pytest.fixture(scope="module")
def directory() -> Path:
    """Where the classes and the driver's archives are."""
    maven = ("mvn", "-B", "-q", _DEPENDENCIES, "-DoutputDirectory=jars", "-DincludeScope=runtime")
    directory = fetched("java", "mvn", maven, ["pom.xml"])
    sources = sorted(source.name for source in directory.glob("*.java"))
    return compiled(directory, ("javac", "-Xlint:all", "-Werror", "-cp", "jars/*", "-d", "classes", *sources))


_JAVA = ("java", "-Xshare:auto", "-cp", "classes:jars/*", "Application")


def test_statements(stage: Stage, directory: Path) -> None:
    """It reads what it wrote, of every type and with every option, and the server never saw it."""
    stage.assert_same(_JAVA, directory)


def test_metadata(stage: Stage, directory: Path) -> None:
    """DatabaseMetaData says what it says of tables with no encryption."""
    stage.compared((*_JAVA, "metadata"), directory)


def test_hibernate(stage: Stage, directory: Path) -> None:
    """It finds its tables valid, makes and changes them, and works with entities and queries."""
    refused = ["sorted by a protected column"]
    stage.assert_same((*_JAVA, "hibernate"), directory, refused=refused)
