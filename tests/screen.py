"""What a terminal shows of what is written to it: the little of it that the command line uses."""

import re

_STEERING = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


class Screen:
    """Lines of `columns` cells, without an end below; what scrolled away is kept."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0

    def write(self, text: str) -> None:
        at = 0
        while at < len(text):
            match = _STEERING.match(text, at)
            if match:
                self._steer(*match.groups())
            else:
                self._put(text[at])
            at = match.end() if match else at + 1

    @property
    def lines(self) -> list[str]:
        """The lines down to the last that is not empty."""
        shown = ["".join(line).rstrip() for line in self._lines]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def _steer(self, number: str, what: str) -> None:
        if what == "A":
            self._row = max(0, self._row - int(number or 1))
        elif what == "K":
            line = self._lines[self._row]
            line[0 if number == "2" else self._column :] = []
        else:
            assert what in "mhl", f"{what} is not known here"

    def _put(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._down()
        else:
            if self._column == self._columns:
                self._down()
                self._column = 0
            line = self._lines[self._row]
            line.extend(" " * (self._column + 1 - len(line)))
            line[self._column] = char
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append([])


def screen(written: str, columns: int) -> list[str]:
    """Return the lines that a terminal of so many columns shows in the end."""
    shown = Screen(columns)
    shown.write(written)
    return shown.lines
