"""Times as files write them."""

from __future__ import annotations

import pytest

from policy.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5min", 300), ("1h", 3600), ("2 d", 172800), ("7", 7), ("0s", 0)],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1.5h", "1w", "1m", "1 day", "1h30min", "1" * 13])
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match="must be a time"):
        parse_duration(text)
