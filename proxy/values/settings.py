"""The session settings that decide how a value is spelled."""

from __future__ import annotations

from dataclasses import dataclass, replace

UTF8 = "utf-8"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session's ParameterStatus messages say about the spelling of values.

    Shapes: `encoding` is a Python codec name ("utf-8"; `python_encoding` gives it for PostgreSQL's name), the
    others are the server's own strings: `date_style` "ISO, MDY", `interval_style` "postgres", `time_zone`
    "Europe/Berlin". There are no defaults: a wrong guess here would change values silently.
    """

    encoding: str
    date_style: str
    interval_style: str
    time_zone: str

    def in_utf8(self) -> Settings:
        """The same for a text that has become UTF-8 by now."""
        return self if self.encoding == UTF8 else replace(self, encoding=UTF8)
