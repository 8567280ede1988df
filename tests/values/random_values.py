"""Values made at random, most of them readable, that the codecs and a real server are compared on."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from uuid import UUID

_MONTHS = ("Jan", "february", "MAR", "Apr", "may", "Sept", "october", "Dec", "foo")
_UNITS = (
    *(
        "us",
        "ms",
        "s",
        "sec",
        "seconds",
        "m",
        "min",
        "hours",
        "h",
        "d",
        "days",
        "w",
        "week",
        "mon",
        "months",
        "y",
    ),
    *("year", "decade", "century", "mil", "usec", "foo"),
)
_ZONES = (
    "",
    "",
    "Z",
    "+05",
    " +05:30",
    "-0800",
    " UTC",
    " PST",
    " Europe/Berlin",
    " CST",
    " foo",
    " IST",
    "+16",
)


def random_texts(spelling: str, rng: random.Random, count: int) -> list[str]:
    """Texts of a type, most of which it can read; none for types that have no generator."""
    make = _TEXTS.get(spelling.partition("(")[0])
    return [make(rng) for _ in range(count)] if make else []


def random_binaries(spelling: str, rng: random.Random, count: int) -> list[bytes]:
    """Binary values of a type."""
    make = _BINARIES.get(spelling.partition("(")[0])
    return [make(rng) for _ in range(count)] if make else []


def _float(rng: random.Random) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return repr(struct.unpack(">d", b"\x3f" + rng.randbytes(7))[0])
    if kind == 1:
        return repr(rng.uniform(-1000, 1000))
    if kind == 2:
        return str(rng.randrange(10 ** rng.randrange(1, 35)))
    return (
        repr(2.0 ** rng.randrange(-140, 127))
        if kind == 3
        else f"{rng.randrange(10**4)}e{rng.randrange(-30, 34)}"
    )


def _number(rng: random.Random) -> str:
    digits = str(rng.randrange(10 ** rng.randrange(1, 30)))
    fraction = rng.choice(("", f".{rng.randrange(10 ** rng.randrange(1, 20))}"))
    return rng.choice(("", "-", "+")) + digits + fraction + rng.choice(("", "", f"e{rng.randrange(-30, 30)}"))


def _json(rng: random.Random, depth: int = 0) -> str:
    kind = rng.random()
    if kind < 0.3 and depth < 4:
        inner = [f"{_json_string(rng)} :{_json(rng, depth + 1)}" for _ in range(rng.randrange(6))]
        return "{" + ",".join(inner) + "}"
    if kind < 0.4 and depth < 4:
        return "[" + ", ".join(_json(rng, depth + 1) for _ in range(rng.randrange(5))) + " ]"
    if kind < 0.6:
        return _json_string(rng)
    return _number(rng).lstrip("+") if kind < 0.9 else rng.choice(("null", "true", "nul"))


def _json_string(rng: random.Random) -> str:
    pieces = (
        "a",
        "b",
        "é",
        "中",
        "😀",
        "\\n",
        "\\u0041",
        '\\"',
        "\\u20ac",
        "\\\\",
        "/",
        "\\/",
        " ",
        "\x7f",
        "\\u0001",
    )
    return '"' + "".join(rng.choice(pieces) for _ in range(rng.randrange(6))) + '"'


def _ip(rng: random.Random) -> str:
    if rng.random() < 0.4:
        return ".".join(str(rng.randrange(280)) for _ in range(4)) + rng.choice(("", f"/{rng.randrange(34)}"))
    words = [rng.choice(("0", "0", "1", "ffff", f"{rng.randrange(65536):x}")) for _ in range(8)]
    text = ":".join(words)
    if rng.random() < 0.4:
        start = rng.randrange(8)
        text = f"{':'.join(words[:start])}::{':'.join(words[rng.randrange(start, 8) + 1 :])}"
    return text + rng.choice(("", f"/{rng.randrange(130)}"))


def _array(rng: random.Random) -> str:
    pieces = (
        "a",
        "b",
        '"',
        "\\",
        ",",
        " ",
        "é",
        "NULL",
        '\\"',
        '""',
    )  # no braces: those are refused as nesting
    elements = ["".join(rng.choices(pieces, k=rng.randrange(4))) for _ in range(rng.randrange(4))]
    return "{" + ",".join(elements) + "}"


_TEXTS: dict[str, Callable[[random.Random], str]] = {
    "float8": _float,
    "float4": _float,
    "numeric": _number,
    "json": _json,
    "jsonb": _json,
    "inet": _ip,
    "text[]": _array,
    "uuid": lambda rng: str(UUID(bytes=rng.randbytes(16))),
    "int4": lambda rng: str(rng.randrange(-(2**32), 2**32)),
}


def _numeric_digits(rng: random.Random) -> bytes:
    digits = [rng.choice((0, 1, 10, 9999, rng.randrange(10000))) for _ in range(rng.randrange(6))]
    head = struct.pack(">HhHH", len(digits), rng.randrange(-5, 4), rng.choice((0, 0x4000)), rng.randrange(30))
    return head + struct.pack(f">{len(digits)}H", *digits)


def _moment(rng: random.Random) -> bytes:
    far = rng.randrange(-211_813_488_000_000_000, 9_223_371_331_200_000_000)
    return rng.choice((far, rng.randrange(-(10**16), 10**15))).to_bytes(8, "big", signed=True)


def _interval_parts(rng: random.Random) -> bytes:
    microseconds = rng.choice(
        (0, 1, -1, rng.randrange(-(10**14), 10**14), rng.randrange(-86400, 86400) * 10**6)
    )
    days, months = (rng.choice((0, 0, 1, -1, 12, rng.randrange(-1000, 1000))) for _ in range(2))
    return struct.pack(">qii", microseconds, days, months)


def _array_binary(rng: random.Random) -> bytes:
    elements = [
        rng.choice((None, b"", b"NULL", "é, ".encode(), b'a"\\{}')) for _ in range(rng.randrange(1, 5))
    ]
    head = struct.pack(">iiIii", 1, int(None in elements), 25, len(elements), 1)
    packed = [b"\xff" * 4 if one is None else struct.pack(">i", len(one)) + one for one in elements]
    return head + b"".join(packed)


_BINARIES: dict[str, Callable[[random.Random], bytes]] = {
    "numeric": _numeric_digits,
    "timestamptz": _moment,
    "interval": _interval_parts,
    "text[]": _array_binary,
    "float8": lambda rng: b"\x3f" + rng.randbytes(7),
    "date": lambda rng: rng.randrange(-2_451_545, 2_145_031_949).to_bytes(4, "big", signed=True),
    "time": lambda rng: rng.randrange(86_400_000_000).to_bytes(8, "big"),
}


def random_datetimes(rng: random.Random, count: int) -> list[str]:
    """Dates and times in many orders and spellings, readable and not."""
    make = (_iso, _iso, _postgres_style, _any_order)
    return [rng.choice(make)(rng) for _ in range(count)]


def _clock(rng: random.Random) -> str:
    hour, minute, second = rng.randrange(25), rng.randrange(61), rng.randrange(62)
    fraction = f".{rng.randrange(10 ** rng.randrange(1, 9))}"
    clock = rng.choice(
        (f"{hour % 14}:{minute:02d}", f"{hour:02d}:{minute:02d}:{second:02d}" + rng.choice(("", fraction)))
    )
    return clock + rng.choice(("", "", "", "AM", " pm"))


def _iso(rng: random.Random) -> str:
    year = rng.choice((rng.randrange(1, 10000), rng.randrange(1880, 2200), rng.randrange(10000, 290000)))
    date = f"{year:04d}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 30):02d}"
    time = (
        f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}.{rng.randrange(10**6):06d}"
    )
    return date + rng.choice(("", f" {time}{rng.choice(_ZONES)}", f"T{time}", f" {time} BC"))


def _postgres_style(rng: random.Random) -> str:
    date = [rng.choice(_MONTHS), str(rng.randrange(33))]
    rng.shuffle(date)
    year = rng.choice(("1999", "0044", "99", "5", "12345", "123456"))
    words = [
        rng.choice(("Wed", "thursday")),
        *date,
        _clock(rng),
        year + rng.choice(_ZONES),
        rng.choice(("", "", "BC")),
    ]
    return " ".join(words).strip()


def _any_order(rng: random.Random) -> str:
    parts = [
        rng.choice(("1999", "0044", "99", "07", "12345", "098")),
        rng.choice((rng.choice(_MONTHS), str(rng.randrange(14)))),
        str(rng.randrange(33)),
    ]
    rng.shuffle(parts)
    words = [rng.choice(("-", "/", ".", " ", ", ")).join(parts)]
    if rng.random() < 0.6:
        words.insert(rng.randrange(2), _clock(rng) + rng.choice(_ZONES))
    if rng.random() < 0.2:
        words.insert(rng.randrange(2), rng.choice(("Fri", "AD", "xday")))
    return " ".join(words)


def random_intervals(rng: random.Random, count: int) -> list[str]:
    """Intervals in words and in ISO 8601, readable and not."""
    return [rng.choice((_interval_words, _interval_words, _interval_iso))(rng) for _ in range(count)]


def _quantity(rng: random.Random) -> str:
    size = rng.choice(
        (str(rng.randrange(100)), str(rng.randrange(10**5)), f"{rng.uniform(0, 100):.{rng.randrange(1, 9)}f}")
    )
    return rng.choice(("", "", "-", "+")) + size


def _interval_words(rng: random.Random) -> str:
    words = [_quantity(rng) + rng.choice((" ", "")) + rng.choice(_UNITS) for _ in range(rng.randrange(4))]
    clock = (
        rng.choice(("", "-", "+")) + f"{rng.randrange(200)}:{rng.randrange(60):02d}:{rng.randrange(61):02d}"
    )
    words += rng.choice(
        ([], [], [clock], [f"{clock}.{rng.randrange(10**7)}"], [_quantity(rng)], [_quantity(rng), clock])
    )
    words += rng.choice(([], [], [], ["ago"]))
    return rng.choice(("", "", "@ ")) + rng.choice((" ", ", ")).join(words)


def _interval_iso(rng: random.Random) -> str:
    date = "".join(_quantity(rng) + unit for unit in "YMWD" if rng.random() < 0.5)
    time = "".join(_quantity(rng) + unit for unit in "HMS" if rng.random() < 0.5)
    return f"P{date}{f'T{time}' if time else ''}"
