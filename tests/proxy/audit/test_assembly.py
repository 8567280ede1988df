"""From the configuration to a trail, and what of it is refused before anything is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.model import Policy
from proxy.addresses import SyslogAddress
from proxy.audit.assembly import check_trail, fingerprint, open_sink
from proxy.config import Audit, ConfigError

POLICY, DEMANDING = Policy({}, {}), Policy({}, {}, audit_required=True)


def configured(sink: str, file: Path = Path("none")) -> Audit:
    return Audit(sink, file, 1 << 20, 3600.0, SyslogAddress("unix", "/dev/log"))


@pytest.mark.parametrize(
    ("sink", "name"), [("file", "none"), ("stdout", "standard output"), ("syslog", "syslog unix:/dev/log")]
)
def test_sinks(sink: str, name: str) -> None:
    assert str(open_sink(configured(sink))) == name


def test_no_trail_unless_somebody_wants_one() -> None:
    assert open_sink(configured("none")) is None
    check_trail(configured("none"), POLICY)
    with pytest.raises(ConfigError, match="the policy refuses work without an audit trail"):
        check_trail(configured("none"), DEMANDING)


def test_a_file_is_tried_before_anything_is_begun(tmp_path: Path) -> None:
    check_trail(configured("file", tmp_path / "new" / "audit.jsonl"), DEMANDING)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"audit\.file: .*audit\.jsonl"):
        check_trail(configured("file", tmp_path / "file" / "audit.jsonl"), POLICY)


def test_fingerprints(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    assert fingerprint(None) is fingerprint(file) is None
    file.write_bytes(b"")
    assert fingerprint(file) == "e3b0c44298fc1c14"
