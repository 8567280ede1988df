"""How long keys are used, as a policy says it; and what it must not say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from policy.loader import PolicyError, load
from policy.model import Policy
from policy.rotation import DAY, KeyRules, Rotation

REST = "version: 1\nclasses: {c: {mode: randomized%s}}\ntables: {t: {a: c}}\n"


def policy_with(directory: Path, text: str, in_class: str = "") -> Policy:
    path = directory / "policy.yaml"
    path.write_text(REST % in_class + text)
    return load(path)


def test_defaults(tmp_path: Path) -> None:
    policy = policy_with(tmp_path, "")
    assert policy.rotation == Rotation(30 * DAY, 90 * DAY, 365 * DAY, window=7 * DAY, automatic=True)
    assert policy.keys == KeyRules(grace=DAY)
    assert policy.classes["c"].rotate_every == 30 * DAY


def test_all_of_it(tmp_path: Path) -> None:
    text = "rotation: {fields: 7d, tables: 12h, master: never, window: 0s, automatic: false}\n"
    with pytest.raises(PolicyError, match="window: must be 1s or more"):
        policy_with(tmp_path, text)
    policy = policy_with(tmp_path, text.replace("0s", "1h") + "keys: {grace: unlimited}\n")
    assert policy.rotation == Rotation(7 * DAY, DAY / 2, math.inf, window=3600, automatic=False)
    assert policy.keys.grace == math.inf
    assert policy.classes["c"].rotate_every == 7 * DAY


@pytest.mark.parametrize(("written", "seconds"), [("90d", 90 * DAY), ("never", math.inf), ("30s", 30)])
def test_a_class_has_a_word_of_its_own(tmp_path: Path, written: str, seconds: float) -> None:
    policy = policy_with(tmp_path, "rotation: {fields: 7d}\n", f", rotate_every: {written}")
    assert policy.classes["c"].rotate_every == seconds


def test_no_grace_at_all(tmp_path: Path) -> None:
    assert policy_with(tmp_path, "keys: {grace: 0s}\n").keys.grace == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rotation: {feilds: 7d}\n", "4:12: unknown key 'feilds' in rotation (did you mean 'fields'?)"),
        ("rotation: {fields: 7}\n", None),
        ("rotation: {fields: weekly}\n", "4:20: fields: must be a time: a number with ms, s, min, h or d"),
        ("rotation: {fields: 0d}\n", "4:20: fields: must be 1s or more; or never"),
        ("rotation: {fields: [7d]}\n", "4:20: fields must be a time, or never"),
        ("rotation: {automatic: yes}\n", "4:23: automatic 'yes' must be one of false, true"),
        ("rotation: 7d\n", "4:11: rotation must be a mapping (key: value)"),
        ("keys: {grace: forever}\n", "4:15: grace: must be a time"),
        ("keys: {grece: 1d}\n", "4:8: unknown key 'grece' in keys (did you mean 'grace'?)"),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, text: str, expected: str | None) -> None:
    if expected is None:
        policy_with(tmp_path, text)
        return
    with pytest.raises(PolicyError) as caught:
        policy_with(tmp_path, text)
    (finding,) = caught.value.findings
    assert finding.startswith(f"{tmp_path / 'policy.yaml'}:{expected}")


def test_a_class_says_it_wrong(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"policy\.yaml:2:47: rotate_every: must be a time"):
        policy_with(tmp_path, "", ", rotate_every: monthly")
