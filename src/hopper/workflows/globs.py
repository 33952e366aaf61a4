"""Globs of workflow files: where to search for them, and which of what is found they mean."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache

DEEPEST = 20
"""Folders below the start that ``**`` reaches."""
_WILD = re.compile(r"[*?\[]")


def search(glob: str) -> tuple[str, int, str]:
    """Return the folder to search (``.`` for the top), how many levels below it, and a name.

    The name is what ``find -name`` may look for: the glob's last part.
    """
    parts = _parts(glob)
    start: list[str] = []
    while len(parts) > 1 and not _WILD.search(parts[0]):
        start.append(parts.pop(0))
    depth = DEEPEST if "**" in parts else len(parts)
    name = "*" if not parts or parts[-1] == "**" else parts[-1]
    return "/".join(start) or ".", depth, name


def match(glob: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that the glob means, sorted, without a leading ``./``.

    ``**`` stands for any folders, also none; ``*`` and ``?`` for no slash. What is below a
    folder ``.git``, or leads out of the folder, never fits.
    """
    pattern = tuple(_parts(glob))
    plain = {"/".join(_parts(name)) for name in names}
    return tuple(sorted(n for n in plain if _stays(n) and _fits(pattern, tuple(n.split("/")))))


def _parts(glob: str) -> list[str]:
    return [part for part in glob.split("/") if part not in {"", "."}]


def _stays(name: str) -> bool:
    parts = name.split("/")
    return name != "" and name.isprintable() and ".." not in parts and ".git" not in parts


@lru_cache(maxsize=100_000)
def _fits(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        return _fits(rest, parts) or (bool(parts) and _fits(pattern, parts[1:]))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], first) and _fits(rest, parts[1:])
