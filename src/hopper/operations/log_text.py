"""A job's output made fit for a terminal, and the last lines of it. Pure."""

from __future__ import annotations

import codecs


class TerminalText:
    """Decodes a log piece by piece; a terminal is given no control sequence of it.

    Newlines and tabs stay; a carriage return, by which progress bars redraw, begins a new line.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._after_return = False

    def feed(self, part: bytes) -> str:
        """Return the text of the next bytes."""
        shown = []
        for character in self._decoder.decode(part):
            if character == "\n" and self._after_return:
                self._after_return = False
                continue
            self._after_return = character == "\r"
            shown.append(_shown(character))
        return "".join(shown)


def _shown(character: str) -> str:
    if character == "\r":
        return "\n"
    if character in "\n\t" or character.isprintable():
        return character
    return "\N{REPLACEMENT CHARACTER}"


def last_lines(content: bytes, count: int) -> bytes | None:
    """Return the last lines of what is the end of a log, None when it holds no more than these.

    A last line that is not ended yet counts.
    """
    end = len(content) - 1 if content.endswith(b"\n") else len(content)
    place = end
    for _ in range(count):
        place = content.rfind(b"\n", 0, place)
        if place < 0:
            return None
    return content[place + 1 :] if count else b""
