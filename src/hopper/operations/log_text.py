"""A job's output made fit for a terminal, and the last lines of it. Pure."""

from __future__ import annotations

import codecs
import re

_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
)
"""What terminals take for commands: colours, titles, movements."""
_PARTLY = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*)?\Z")


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


def plain_text(text: str) -> str:
    """Return a log's text for a page: without colours, and with nothing that cannot be shown."""
    if text.isprintable():
        return text
    lines = _SEQUENCE.sub("", text).replace("\r\n", "\n")
    return "".join(_shown(character) for character in lines)


def whole_end(content: bytes) -> int:
    """Return where a piece of a log that goes on may be cut: before what is not whole yet.

    That is a character of several bytes, a command to a terminal, or a return that may belong to
    a newline.
    """
    end = len(content)
    for back in range(1, min(4, end) + 1):
        byte = content[end - back]
        if 0xC0 <= byte < 0xF8:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            end -= back if length > back else 0
            break
        if byte < 0x80 or byte >= 0xF8:
            break
    found = _PARTLY.search(content, max(0, end - 64), end)
    if found is not None:
        return found.start()
    return end - 1 if content[end - 1 : end] == b"\r" else end
