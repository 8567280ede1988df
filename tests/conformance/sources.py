"""Source distributions of Python, unpacked beside an environment that has what they are of installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Collection
from pathlib import Path


def fetch(place: Path, requirement: str, others: Collection[str], tops: Collection[str] | None) -> Path:
    """Install a distribution and others in `place`/venv, unpack its sources in `place`/suite.

    `tops`: the directories that are wanted of the sources; None: all of them. What is there is not fetched
    again. Returns the Python of the environment.
    """
    python = place / "venv/bin/python"
    if (place / "ready").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", str(place / "venv")], check=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", requirement, *others], check=True)
    download = ["download", "--no-deps", "--no-binary", ":all:", "--dest", str(place)]
    subprocess.run([*pip, *download, requirement], check=True)
    (archive,) = place.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            _, _, member.name = member.name.partition("/")
            if member.name and (tops is None or member.name.partition("/")[0] in tops):
                tar.extract(member, place / "suite", filter="data")
    (place / "ready").touch()
    return python
