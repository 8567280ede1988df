"""Printing for a person: headings, statements, and tables whose columns stay aligned."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence

_WIDEST = 150
_BOLD, _DIM, _GREEN, _RED, _CYAN = "1", "2", "32", "31", "36"


class Screen:
    """Standard output, with colours where a person looks at it."""

    def __init__(self) -> None:
        self.width = min(shutil.get_terminal_size((110, 40)).columns, _WIDEST)
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def heading(self, text: str) -> None:
        self._print("")
        self._print(self._paint(text, _BOLD))

    def line(self, text: str = "") -> None:
        self._print(text)

    def note(self, text: str) -> None:
        self._print(self._paint(text, _DIM))

    def fact(self, name: str, text: str) -> None:
        """A short name, and one line that is cut to the screen's width."""
        self._print(f"  {name}   {fit(text, self.width - display_width(name) - 5).rstrip()}")

    def statement(self, sql: str) -> None:
        """SQL, wrapped and set in."""
        for part in textwrap.wrap(sql, self.width - 4):
            self._print("    " + self._paint(part, _CYAN))

    def error(self, text: str) -> None:
        for part in text.splitlines():
            self._print("    " + self._paint(part, _RED))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], green: int) -> None:
        """Rows below a head, cut to the screen's width; column `green` is what the application sees."""
        widths = self._widths([head, *rows])
        self._print("  " + self._paint("  ".join(map(fit, head, widths)).rstrip(), _DIM))
        for row in rows:
            cells = [fit(cell, width) for cell, width in zip(row, widths, strict=True)]
            cells[green] = self._paint(cells[green], _GREEN)
            self._print("  " + "  ".join(cells).rstrip())

    def _widths(self, rows: Sequence[Sequence[str]]) -> list[int]:
        """Every column as wide as its widest cell; while that is too much, the widest column gives way."""
        widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
        while sum(widths) + 2 * len(widths) > self.width:
            widest = widths.index(max(widths))
            widths[widest] -= 1
        return widths

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colours else text

    def _print(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def display_width(text: str) -> int:
    """How many cells of a terminal a text takes."""
    return sum(_cells(character) for character in text)


def fit(text: str, width: int) -> str:
    """A text filled up, or cut with an ellipsis, to exactly `width` cells of a terminal."""
    if (missing := width - display_width(text)) >= 0:
        return text + " " * missing
    kept, used = "", 0
    for character in text:
        if used + _cells(character) > width - 1:
            break
        kept += character
        used += _cells(character)
    return kept + "…" + " " * (width - 1 - used)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
