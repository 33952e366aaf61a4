"""Finds what wildcards mean among many ids."""

from __future__ import annotations

import fnmatch
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

_WILD = re.compile(r"[*?\[]")
MOST_TRIES = 20_000_000
"""Comparisons of an id with a pattern, for all patterns together: some seconds."""


class TooManyTries(ValueError):
    """So many wildcards over so many ids would take minutes."""


def is_pattern(text: str) -> bool:
    """Return whether it holds a wildcard."""
    return _WILD.search(text) is not None


class Ids:
    """Ids in their order, to be asked for those that match a pattern.

    Only those are tried that share the pattern's text before its first wildcard, or behind its
    last one, whichever are fewer.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._place = {own: place for place, own in enumerate(ids)}
        self._forward = sorted(ids)
        self._backward = sorted(own[::-1] for own in ids)
        self._found: dict[str, tuple[str, ...]] = {}
        self.tries = 0
        """Comparisons made so far."""

    def __contains__(self, own: str) -> bool:
        return own in self._place

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Return the ids that match, in their order. TooManyTries when it would take too long."""
        if pattern not in self._found:
            before, middle, behind = _parts(pattern)
            candidates = self._candidates(before, behind)
            self.tries += len(candidates)
            if self.tries > MOST_TRIES:
                raise TooManyTries(f"{pattern!r} and the wildcards before it take too long")
            head, tail = len(before), len(behind)
            # Patterns that differ before and behind their wildcards share one regular expression.
            fits = None if middle == "*" else _regex(middle).match
            found = [
                own
                for own in candidates
                if len(own) >= head + tail
                and own.startswith(before)
                and own.endswith(behind)
                and (fits is None or fits(own[head : len(own) - tail]))
            ]
            self._found[pattern] = tuple(sorted(found, key=self._place.__getitem__))
        return self._found[pattern]

    def _candidates(self, before: str, behind: str) -> Sequence[str]:
        forward = _range(self._forward, before)
        backward = _range(self._backward, behind[::-1])
        if len(backward) < len(forward):
            return [own[::-1] for own in self._backward[backward.start : backward.stop]]
        return self._forward[forward.start : forward.stop]


def _parts(pattern: str) -> tuple[str, str, str]:
    """Return the text before the wildcards, all from the first to the last, the text behind."""
    if not is_pattern(pattern):
        return pattern, "", ""
    before = _WILD.split(pattern, maxsplit=1)[0]
    # Where a set ends is for fnmatch to find.
    behind = "" if "[" in pattern else re.split(r"[*?]", pattern)[-1]
    return before, pattern[len(before) : len(pattern) - len(behind)], behind


@lru_cache(maxsize=1024)
def _regex(wild: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(wild))


def _range(items: Sequence[str], prefix: str) -> range:
    """Return where the items that begin with a prefix are among sorted ones."""
    start = bisect_left(items, prefix)
    end = bisect_left(items, prefix + "\U0010ffff") if prefix else len(items)
    return range(start, end)
