"""What a round of answers of squeue, sacct and sinfo comes to, and what was wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hopper.backends import slurm_reading as reading
from hopper.backends.words import complaint, one_line
from hopper.model.batch import Said
from hopper.model.native import ClusterInfo, NativeSighting

_DISABLED = re.compile(r"accounting storage is disabled", re.IGNORECASE)
_MARK = re.compile(r"=hopper-(queue|accounting|others|machines) (\d{1,3})")


def _sections(text: str) -> dict[str, tuple[list[str], int]]:
    """Return the lines before each mark, and the code that the command ended with."""
    sections: dict[str, tuple[list[str], int]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("=") and (mark := _MARK.fullmatch(line)):
            sections[mark[1]], lines = (lines, int(mark[2])), []
        elif line:
            lines.append(line)
    return sections


@dataclass(frozen=True, kw_only=True, slots=True)
class Poll:
    """What one query for a portion of the jobs said."""

    queue: Mapping[str, NativeSighting] = field(default_factory=dict)
    accounting: Mapping[str, NativeSighting] = field(default_factory=dict)
    queue_said: str = ""
    accounting_said: str = ""
    enabled: bool = True
    asked: bool = False
    """Whether the accounting was asked."""


def poll_said(said: Said | None) -> Poll:
    """Return what the query for a portion of the jobs said; nothing for no answer."""
    if said is None:
        return Poll(queue_said="squeue was not asked")
    parts = _sections(said.stdout)
    queue, queue_said = _section(parts, "queue", "squeue", reading.read_queue, said)
    if "accounting" not in parts:
        return Poll(queue=queue, queue_said=queue_said)
    accounting, told = _section(parts, "accounting", "sacct", reading.read_accounting, said)
    enabled = not (told and _DISABLED.search(said.stderr))
    return Poll(
        queue=queue,
        accounting=accounting,
        queue_said=queue_said,
        accounting_said=told if enabled else "",
        enabled=enabled,
        asked=True,
    )


def _section(
    parts: Mapping[str, tuple[list[str], int]],
    name: str,
    program: str,
    read: Callable[[Iterable[str]], reading.Lines],
    said: Said,
) -> tuple[dict[str, NativeSighting], str]:
    """Return the jobs of a section, and what was wrong with it."""
    lines, code = parts.get(name, ([], -1))
    if code:
        return {}, complaint(said, program)
    found = read(lines)
    wrong = f"{program}: not understood: {one_line(found.garbled)}" if found.garbled else ""
    return found.jobs, wrong


def accounting_seen(polls: Sequence[Poll]) -> bool:
    """Whether all that was asked of the accounting was answered, and something was."""
    told = all(poll.enabled and not poll.accounting_said for poll in polls)
    return told and any(poll.asked for poll in polls)


def elsewhere(
    answers: Mapping[str, Said],
) -> tuple[dict[str, NativeSighting], ClusterInfo | None, str, bool]:
    """Return the jobs of all users, the machines, what was wrong, and if all jobs were told."""
    found: dict[str, NativeSighting] = {}
    info, trouble, whole = None, "", False
    if said := answers.get("others"):
        parts = _sections(said.stdout)
        found, trouble = _section(parts, "others", "squeue", reading.read_queue, said)
        whole = not trouble
    if said := answers.get("machines"):
        lines, code = _sections(said.stdout).get("machines", ([], -1))
        info = reading.read_machines(lines) if not code else None
        trouble = trouble or (complaint(said, "sinfo") if code else "")
    return found, info, trouble, whole
