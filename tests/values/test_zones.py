"""Time zones: changes of clocks, years far away, names and abbreviations."""

from __future__ import annotations

import pytest

from proxy.errors import InvalidValue
from proxy.values.gregorian import DAY, HOUR, MINUTE, SECOND, day_number
from proxy.values.zone_names import named_zone
from proxy.values.zones import Zone, session_zone, zone
from tests.values.support import ISO, settings


def moment(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Microseconds from 2000-01-01 of a date and time."""
    return day_number(year, month, day) * DAY + hour * HOUR + minute * MINUTE


@pytest.fixture
def berlin() -> Zone:
    return session_zone("Europe/Berlin")


def test_summer_and_winter(berlin: Zone) -> None:
    assert (berlin.offset_at(moment(2024, 1, 1)), berlin.name_at(moment(2024, 1, 1))) == (3600, "CET")
    assert (berlin.offset_at(moment(2024, 7, 1)), berlin.name_at(moment(2024, 7, 1))) == (7200, "CEST")


def test_a_time_that_is_left_out_has_the_offset_before_and_a_repeated_one_that_after(berlin: Zone) -> None:
    assert berlin.offset_of(moment(2024, 3, 31, 2, 30)) == 3600
    assert berlin.offset_of(moment(2024, 10, 27, 2, 30)) == 3600
    assert berlin.offset_of(moment(2024, 10, 27, 1, 30)) == 7200


def test_years_that_python_has_not(berlin: Zone) -> None:
    summer = day_number(294_000, 7, 1) * DAY
    assert berlin.offset_at(summer) == 7200
    assert berlin.offset_of(day_number(-4000, 7, 1) * DAY) == 53 * 60 + 28  # local mean time


@pytest.mark.parametrize(
    ("name", "hours"), [("<+02>-02", 2), ("<-03>+03", -3), ("XYZ-5", 5), ("Etc/GMT+4", -4)]
)
def test_fixed_offsets(name: str, hours: int) -> None:
    found = session_zone(name)
    assert found.offset_at(0) == found.offset_of(0) == hours * HOUR // SECOND


def test_names_in_any_case() -> None:
    found = zone("europe/berlin")
    assert found is not None
    assert found.name_at(0) == "CET"
    assert zone("Europe/Nowhere") is None
    assert zone("../../etc/passwd") is None
    assert zone("localtime") is None
    assert zone("ADT-15:60") is zone("ADT-15:00:60") is None


def test_an_unknown_session_zone_is_refused() -> None:
    with pytest.raises(InvalidValue) as caught:
        session_zone("Mars/Olympus")
    assert caught.value.sqlstate == "0A000"


def test_abbreviations() -> None:
    assert named_zone("pst", ISO) == -8 * 3600
    assert named_zone("utc", ISO) == named_zone("z", ISO) == 0
    assert isinstance(named_zone("europe/berlin", ISO), Zone)
    assert named_zone("ist", ISO) is None  # India's, Israel's and Ireland's
    assert named_zone("nonsense", ISO) is None


def test_an_abbreviation_with_another_meaning_in_the_sessions_zone_is_not_read() -> None:
    """PostgreSQL 18 reads CST as China's in Shanghai, 16 as America's."""
    assert named_zone("cst", settings(time_zone="Asia/Shanghai")) is None
    assert named_zone("cst", settings(time_zone="America/Chicago")) == -6 * 3600
