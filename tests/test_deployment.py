"""The container image and the deployment examples: checked as far as that goes without a container engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from policy import loader
from proxy import config as configuration
from proxy.embedded import free_port
from tests.postgres import Database
from tests.proxy_process import Veil, Veils

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
COMPOSE = ROOT / "config" / "docker-compose.yaml"
KUBERNETES = ROOT / "config" / "kubernetes.yaml"
POLICY = (
    "version: 1\nclasses: {pii: {sensitivity: high, mode: randomized}}\ntables: {users: {full_name: pii}}\n"
)


class Image:
    """What the last stage of the Dockerfile says."""

    def __init__(self) -> None:
        text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        last = max(i for i, line in enumerate(lines) if line.startswith("FROM "))
        self.instructions = [tuple(line.split(maxsplit=1)) for line in lines[last:]]
        self.entrypoint: list[str] = json.loads(self.only("ENTRYPOINT"))
        self.arguments: list[str] = json.loads(self.only("CMD"))
        self.health: list[str] = json.loads(self.only("HEALTHCHECK").partition("CMD ")[2])
        self.environment = dict(word.split("=", 1) for word in shlex.split(self.only("ENV")))

    def only(self, name: str) -> str:
        [value] = [rest for instruction, rest in self.instructions if instruction == name]
        return value


def test_the_dockerfile_has_no_lint() -> None:
    done = subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_a_numbered_user_without_rights() -> None:
    user, _, group = Image().only("USER").partition(":")
    assert int(user) > 1000
    assert int(group) > 1000


def test_every_file_that_the_image_copies_is_let_into_its_context() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert names == let_in
    assert all((ROOT / name).exists() for name in names)
    project = (ROOT / "pyproject.toml").read_text()
    assert all(file in names for file in re.findall(r'"(README\.md|LICENSE)"', project))


def test_the_start_command_works_where_nothing_can_be_written(veil: Veils, database18: Database) -> None:
    """The entry point, arguments, environment and health check of the image, on a read-only directory."""
    proxy = veil(database18, POLICY, start=False)
    database18.execute("CREATE TABLE users (id int, full_name text)")
    proxy.make_keys()
    files = sorted(proxy.directory.rglob("*"))
    process = start_as_in_the_image(proxy)
    try:
        wait_until_healthy(proxy, process)
        proxy.execute("INSERT INTO users VALUES (1, 'kanarie')")  # the first use of a field makes its key
        assert proxy.execute("SELECT full_name FROM users") == [("kanarie",)]
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert {path.name for path in set(proxy.directory.rglob("*")) - set(files)} <= {"keystore.json.lock"}
    assert "Traceback" not in output


def start_as_in_the_image(proxy: Veil) -> subprocess.Popen[str]:
    """The image's command with its configuration's path moved, and no right to write but the keys."""
    image = Image()
    arguments = [word.replace("/etc/pgveil", str(proxy.directory)) for word in image.arguments]
    path = image.environment["PATH"].replace("/opt/pgveil/bin", str(BIN)).replace("$PATH", os.environ["PATH"])
    for folder in (proxy.directory, *filter(Path.is_file, proxy.directory.iterdir())):
        folder.chmod(folder.stat().st_mode & ~0o222)
    return subprocess.Popen(
        [*without_rights(), *image.entrypoint, *arguments],
        cwd=proxy.directory,
        env={**image.environment, "PATH": path, "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def without_rights() -> list[str]:
    """What makes root obey the bits of files as everybody does (`--cap-drop=ALL`, no-new-privileges)."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root needs setpriv (util-linux) to give up its rights")
    return [setpriv, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


def health_check(port: int) -> list[str]:
    """The image's health check, of another port."""
    python, *arguments = Image().health
    assert python == "python"
    return [sys.executable, *(word.replace(":9632", f":{port}") for word in arguments)]


def wait_until_healthy(proxy: Veil, process: subprocess.Popen[str]) -> None:
    """Run the image's health check, on the test's port, until it passes."""
    check = health_check(proxy.admin_port)
    for _ in range(100):
        if subprocess.run(check, capture_output=True).returncode == 0:
            return
        assert process.poll() is None, process.communicate()[0]
    pytest.fail("the health check never passed")


def test_the_health_check_fails_where_nobody_listens() -> None:
    check = health_check(free_port())
    assert subprocess.run(check, capture_output=True).returncode == 1


class TestCompose:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]

    def test_only_pgveil_reaches_both_sides(self) -> None:
        assert set(self.services["application"]["networks"]).isdisjoint(self.services["database"]["networks"])
        assert set(self.services["pgveil"]["networks"]) == {"front", "back"}

    def test_only_pgveil_has_the_keys(self) -> None:
        mounting = {
            name
            for name, service in self.services.items()
            if any(str(volume).startswith("keys:") for volume in service.get("volumes", ()))
        }
        assert mounting == {"pgveil", "keys"}

    def test_pgveil_runs_read_only_without_rights(self) -> None:
        for name in ("pgveil", "keys"):
            service = self.services[name]
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert "no-new-privileges:true" in service["security_opt"]

    def test_every_file_that_is_mounted_exists(self) -> None:
        for service in self.services.values():
            for volume in service.get("volumes", ()):
                source = volume.split(":")[0]
                assert not source.startswith(".") or (COMPOSE.parent / source).exists(), source

    def test_the_settings_make_a_configuration(self) -> None:
        config = configuration.load(ROOT / "config" / "pgveil.yaml", self.services["pgveil"]["environment"])
        assert not config.warnings
        assert str(config.keys.keystore.file).startswith("/var/lib/pgveil/")
        assert [str(endpoint) for endpoint in config.listen] == ["0.0.0.0:6432"]

    def test_what_a_service_waits_for_exists(self) -> None:
        for service in self.services.values():
            for other, condition in service.get("depends_on", {}).items():
                assert other in self.services
                if condition["condition"] == "service_healthy" and other != "pgveil":  # its image has one
                    assert "healthcheck" in self.services[other]


class TestKubernetes:
    maps, deployment = yaml.safe_load_all(KUBERNETES.read_text())
    config_map: dict[str, str] = maps["data"]
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    sidecar: dict[str, Any] = pod["initContainers"][0]

    def test_the_configuration_and_the_policy_load(self, tmp_path: Path) -> None:
        for name, text in self.config_map.items():
            (tmp_path / name).write_text(text)
        config = configuration.load(tmp_path / "pgveil.yaml", {})
        assert not config.warnings
        assert config.listen[0].local
        assert config.upstream.sslmode == "verify-full"
        assert len(list(loader.load(config.policy).fields())) == 2

    def test_every_path_of_the_configuration_is_mounted(self) -> None:
        mounts = {mount["mountPath"] for mount in self.sidecar["volumeMounts"]}
        paths = re.findall(
            r"/(?:etc|run)/[\w./-]+", self.config_map["pgveil.yaml"] + str(self.sidecar["args"])
        )
        assert {str(Path(path).parent) for path in paths} == mounts

    def test_it_is_a_sidecar_that_runs_read_only_without_rights(self) -> None:
        assert self.sidecar["restartPolicy"] == "Always"
        context = {**self.pod["securityContext"], **self.sidecar["securityContext"]}
        assert context["runAsNonRoot"] is True
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}

    def test_the_probes_ask_pages_that_pgveil_has(self) -> None:
        port = self.sidecar["ports"][0]
        assert re.search(
            rf"^admin: 0\.0\.0\.0:{port['containerPort']}\b", self.config_map["pgveil.yaml"], re.MULTILINE
        )
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert self.sidecar[probe]["httpGet"]["path"] in ("/livez", "/readyz")
            assert self.sidecar[probe]["httpGet"]["port"] == port["name"]

    def test_secrets_are_files_that_only_pgveil_mounts(self) -> None:
        [secret] = [volume for volume in self.pod["volumes"] if "secret" in volume]
        assert secret["secret"]["defaultMode"] & 0o037 == 0
        for container in self.pod["containers"]:
            assert secret["name"] not in {mount["name"] for mount in container.get("volumeMounts", ())}
            assert not any("secretKeyRef" in str(variable) for variable in container.get("env", ()))
