"""Words that go to a batch system, and the words that it answers with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hopper.backends.base import BackendSettings, Followed
from hopper.errors import HopperError
from hopper.model.batch import Said
from hopper.model.task import BatchResources

TIMED_OUT = 124
SEPARATOR = "\x1f"
"""Between the fields of a line: no name or reason holds it unless on purpose."""

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@=+,/-]{0,254}\Z", re.ASCII)
_PATH = re.compile(r"(?:~/)?[A-Za-z0-9_./@+=-]+\Z", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)
_LONGEST_LINE = 300
_LONGEST_NAME = 100
_GPUS = re.compile(r"gpu(?::(?!\d+\Z)[A-Za-z0-9_.-]+)?(?::(\d{1,4}))?\Z", re.ASCII)


def word(value: str, what: str) -> str:
    """Return a value that goes to a batch system as it is.

    Raises HopperError for one with blanks, quotes or other characters that no partition, account
    or resource has.
    """
    if not _WORD.match(value):
        raise HopperError(
            f"the {what} {value!r} cannot be given to a batch system",
            way_out="use letters, digits and . : @ = + , / _ -",
        )
    return value


def log_path(log: str) -> str:
    """Return the path without suffix of a log for a directive, relative to the home folder.

    No batch system expands ``~``, but all of them take a relative path from where the submit
    command ran, which is the home folder. Raises HopperError for characters that their patterns,
    host prefixes and lists make something else of.
    """
    if not _PATH.match(log):
        raise HopperError(
            f"the log path {log!r} cannot be given to a batch system",
            way_out="choose a work folder with letters, digits and . _ / @ + = - in its path",
        )
    return log.removeprefix("~/")


def safe_name(name: str, limit: int = _LONGEST_NAME) -> str:
    """Return a name in which all that a batch system may not take is an underscore."""
    return _UNSAFE.sub("_", name)[:limit].strip("_.-") or "job"


def full_name(name: str, attempt: str) -> str:
    """Return the name of a job where there is room for both: ``NAME.ATTEMPT``."""
    return f"{safe_name(name)}.{word(attempt, 'attempt')}"


def short_name(name: str, attempt: str, limit: int) -> str:
    """Return the name of a job where there is little room: the attempt, then of the name."""
    return f"{word(attempt, 'attempt')}.{safe_name(name)}"[:limit].rstrip("_.-")


def partition_of(settings: BackendSettings, resources: BatchResources) -> str:
    """Return the partition or queue to ask for; empty for the system's default."""
    name = resources.partition or settings.default_partition
    name = (settings.partitions or {}).get(name, name)
    return word(name, "partition") if name else ""


def gpu_count(resources: BatchResources) -> int:
    """Return how many GPUs are asked for, by number or by a ``gres`` in the words of Slurm."""
    counts = [_GPUS.match(part.strip()) for part in resources.gres.split(",")]
    return max(resources.gpus, sum(int(match[1] or 1) for match in counts if match))


def one_line(text: str) -> str:
    """Return a text as one printable line of moderate length."""
    if text.isalnum() and len(text) <= _LONGEST_LINE:
        return text
    # No more of what may be megabytes than could be shown.
    flat = " ".join(text[: 10 * _LONGEST_LINE].split())
    clean = flat if flat.isprintable() else "".join(c if c.isprintable() else "?" for c in flat)
    return clean if len(clean) <= _LONGEST_LINE else f"{clean[: _LONGEST_LINE - 1]}…"


def complaint(said: Said, what: str) -> str:
    """Return in one line why a command gave no answer."""
    if said.code == TIMED_OUT:
        return f"{what} did not answer in time"
    words = one_line(said.stderr) or one_line(said.stdout)
    return f"{what}: {words}" if words else f"{what} ended with code {said.code}"


def refusal_in(said: Said, trouble: re.Pattern[str], mistake: re.Pattern[str]) -> str:
    """Return the words of a refusal; empty where it is not known to be one.

    ``trouble`` are words of a system that could not be asked, which go before those of a
    ``mistake``.
    """
    text = said.stderr if said.stderr.strip() else said.stdout
    if said.code in {0, TIMED_OUT, 126, 127} or trouble.search(text):
        return ""
    return one_line(text) if mistake.search(text) else ""


def last_line(said: Said, pattern: re.Pattern[str]) -> str:
    """Return the first group of the last line of the output that is of a pattern, or nothing."""
    for line in reversed(said.stdout.split("\n")):
        match = pattern.fullmatch(line.strip())
        if match:
            return match[1]
    return ""


def portions(ids: Iterable[str], room: int = 80_000) -> list[list[str]]:
    """Return ids in portions that fit into a shell text each; at least one portion.

    Linux takes 128 KiB as one argument, which a shell text is to ``sh -c``.
    """
    found: list[list[str]] = [[]]
    length = 0
    for native in dict.fromkeys(ids):
        if length > room:
            found.append([])
            length = 0
        found[-1].append(native)
        length += len(native) + 3
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Portion:
    """Jobs that one query asks about."""

    number: int
    words: tuple[str, ...]
    """What is asked for: ids, that of the array in the place of its members'."""
    ids: tuple[str, ...]

    @property
    def name(self) -> str:
        """The query's name."""
        return portion_name("jobs", self.number)


def asked_portions(
    jobs: Iterable[Followed], native_id: re.Pattern[str], array_of: Callable[[str], str]
) -> list[Portion]:
    """Return the jobs to ask about in portions: those whose id is a ``native_id``.

    ``array_of`` returns the id of a member's array, that of another job as it is.
    """
    members: dict[str, list[str]] = {}
    for native in dict.fromkeys(job.native_id for job in jobs):
        if not native_id.match(native):
            continue
        members.setdefault(array_of(native), []).append(native)
    return [
        Portion(number=n, words=tuple(words), ids=tuple(i for w in words for i in members[w]))
        for n, words in enumerate(portions(members))
        if words
    ]


def portion_name(name: str, number: int) -> str:
    """Return the name of the query for a portion: ``jobs``, ``jobs_2``."""
    return f"{name}_{number + 1}" if number else name


def joined(lines: Iterable[str]) -> str:
    """Return shell text of several lines as one, for a subshell."""
    return "( " + "\n".join(lines) + "\n)"
