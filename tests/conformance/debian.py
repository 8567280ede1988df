"""Debian's packages and their sources, unpacked into a directory: nothing is installed, nothing is changed.

apt gets a configuration of its own, made of the machine's sources with those of source packages added.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

_SOURCES = Path("/etc/apt/sources.list")
_STANZA = re.compile(r"\n\s*\n")


class Missing(Exception):
    """Something that a suite needs is not on this machine; the message says what to install."""


def require(program: str, package: str) -> None:
    """Raises Missing where a program is not there."""
    if shutil.which(program) is None:
        raise Missing(f"{program} is not installed (apt-get install {package})")


def installed(package: str) -> str:
    """The version of an installed package. Raises Missing."""
    require("dpkg-query", "dpkg")
    words = ["dpkg-query", "--show", "--showformat=${Version}", package]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout:
        raise Missing(f"{package} is not installed (apt-get install {package})")
    return done.stdout


class Debian:
    """What is fetched, in `directory`; what is there already is not fetched again."""

    def __init__(self, directory: Path) -> None:
        require("apt-get", "apt")
        self.directory = directory
        self._apt = directory / "apt"

    def package(self, name: str, version: str = "") -> Path:
        """The files of a package, as they would be below /."""
        root = self.directory / name
        if not root.exists():
            fetched = self.directory / f"{name}.deb.d"
            fetched.mkdir(parents=True, exist_ok=True)
            self._run(fetched, "download", f"{name}={version}" if version else name)
            (archive,) = fetched.glob("*.deb")
            subprocess.run(["dpkg", "-x", str(archive), str(root)], check=True)
        return root

    def source(self, name: str, version: str) -> Path:
        """The sources of a package, with Debian's patches."""
        root = self.directory / f"{name}.source"
        if not root.exists():
            require("dpkg-source", "dpkg-dev")
            fetched = self.directory / f"{name}.source.d"
            fetched.mkdir(parents=True, exist_ok=True)
            self._run(fetched, "source", "--download-only", f"{name}={version}")
            (description,) = fetched.glob("*.dsc")
            subprocess.run(
                ["dpkg-source", "--no-check", "-x", str(description), str(root)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        return root

    def _run(self, directory: Path, *words: str) -> None:
        environment = {**os.environ, "APT_CONFIG": str(self._configuration())}
        subprocess.run(["apt-get", "-qq", *words], cwd=directory, env=environment, check=True)

    def _configuration(self) -> Path:
        configuration = self._apt / "apt.conf"
        if configuration.exists():
            return configuration
        for part in ("parts", "lists/partial", "cache/archives/partial"):
            (self._apt / part).mkdir(parents=True, exist_ok=True)
        for number, file in enumerate([_SOURCES, *Path(f"{_SOURCES}.d").glob("*")]):
            if file.exists() and (text := with_sources(file.read_text(), _codename())):
                suffix = ".sources" if file.suffix == ".sources" else ".list"
                (self._apt / "parts" / f"{number}{suffix}").write_text(text)
        written = self._apt / "unready.conf"
        written.write_text(
            f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{self._apt}/parts";\n'
            f'Dir::State::lists "{self._apt}/lists";\nDir::Cache "{self._apt}/cache";\n'
            'APT::Sandbox::User "root";\n'
        )
        subprocess.run(
            ["apt-get", "-qq", "update"], env={**os.environ, "APT_CONFIG": str(written)}, check=True
        )
        return written.rename(configuration)


def with_sources(text: str, codename: str) -> str:
    """Those of apt's sources that are for a release of Debian, with their source packages."""
    if "Types:" in text:
        stanzas = [stanza for stanza in _STANZA.split(text) if _is_for(stanza, codename)]
        return "\n\n".join(re.sub(r"(?m)^Types:.*$", "Types: deb deb-src", stanza) for stanza in stanzas)
    lines = [line for line in text.splitlines() if line.startswith("deb ") and _is_for(line, codename)]
    return "\n".join(line for one in lines for line in (one, "deb-src" + one.removeprefix("deb")))


def _is_for(text: str, codename: str) -> bool:
    """Whether a stanza or line has the suite, or its updates, and not another of a similar name."""
    return re.search(rf"(?m)^(?:Suites:(?:.*\s)?|deb\s.*\s){re.escape(codename)}\b", text) is not None


def _codename() -> str:
    return platform.freedesktop_os_release()["VERSION_CODENAME"]
