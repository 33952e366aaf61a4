"""What has changed between two looks at the state, and the memory of it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

ALL_KEPT = 5_000
"""Jobs that the memory of changes names at most, the oldest changes going first."""
_DIGITS = 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What is different since the version before."""

    version: int = 0
    """How many times something had changed, since this process began to look."""
    seq: int = 0
    """The number of the store's newest event by then."""
    jobs: Mapping[str, str] = field(default_factory=dict)
    """Jobs that are new or different, ours and others', with the runs that they are of."""
    new: frozenset[str] = frozenset()
    """Those of ``jobs`` that were not there before."""
    gone: Mapping[str, str] = field(default_factory=dict)
    """Jobs that are not live any more, with the runs that they were of."""
    runs: frozenset[str] = frozenset()
    """Runs of which a job, or what is known of the run itself, is different."""
    tables: frozenset[str] = frozenset()
    """``jobs``, ``runs``, ``workers``, ``externals``, ``clusters``, ``settings``, ``stored``;
    ``events`` when there are new ones."""
    whole: bool = False
    """Too much, or nobody knows what: all is to be shown anew."""

    @property
    def size(self) -> int:
        """How many jobs it names."""
        return len(self.jobs) + len(self.gone)

    def then(self, later: Changes) -> Changes:
        """Return both as one."""
        jobs = {job: run for job, run in self.jobs.items() if job not in later.gone}
        gone = {job: run for job, run in self.gone.items() if job not in later.jobs}
        return Changes(
            version=later.version,
            seq=later.seq,
            jobs={**jobs, **later.jobs},
            new=(self.new | later.new) - later.gone.keys(),
            gone={**gone, **later.gone},
            runs=self.runs | later.runs,
            tables=self.tables | later.tables,
            whole=self.whole or later.whole,
        )

    def of_run(self, run_id: str) -> Changes | None:
        """Return what concerns one run; None for nothing."""
        if self.whole:
            return self
        if run_id not in self.runs:
            return None
        jobs = {job: run for job, run in self.jobs.items() if run == run_id}
        gone = {job: run for job, run in self.gone.items() if run == run_id}
        return replace(
            self, jobs=jobs, gone=gone, new=self.new & jobs.keys(), runs=frozenset({run_id})
        )

    def of_job(self, job_id: str) -> Changes | None:
        """Return what concerns one job; None for nothing."""
        if self.whole:
            return self
        if job_id not in self.jobs and job_id not in self.gone:
            return None
        jobs = {job: run for job, run in self.jobs.items() if job == job_id}
        gone = {job: run for job, run in self.gone.items() if job == job_id}
        return replace(self, jobs=jobs, gone=gone, new=self.new & jobs.keys())

    def of_tables(self, tables: frozenset[str]) -> Changes | None:
        """Return it where one of these tables is concerned, else None."""
        return self if self.whole or self.tables & tables else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far somebody has seen the changes, as a text that a browser sends back."""

    seq: int
    version: int = 0
    process: str = ""
    """The process that the version is of: after its end only ``seq`` says anything."""

    def __str__(self) -> str:
        return f"{self.seq}.{self.version}.{self.process}" if self.process else str(self.seq)


def position_of(text: str) -> Position | None:
    """Return the position that a text stands for; None where it is none."""
    seq, _, rest = text.partition(".")
    version, _, process = rest.partition(".")
    if not _number(seq) or (rest and not _number(version)):
        return None
    return Position(seq=int(seq), version=int(version or 0), process=process)


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < _DIGITS


class Memory:
    """The last changes, for those who ask what has been since a version that they have seen."""

    def __init__(self, *, most: int = ALL_KEPT) -> None:
        self._most = most
        self._changes: deque[Changes] = deque()
        self._size = 0
        self._forgotten = 0
        """The last version that is not remembered."""

    def add(self, changes: Changes) -> None:
        """Keep these in mind."""
        self._changes.append(changes)
        self._size += changes.size + 1
        while self._size > self._most:
            oldest = self._changes.popleft()
            self._size -= oldest.size + 1
            self._forgotten = oldest.version

    def since(self, version: int) -> Changes | None:
        """Return all after that version as one; None for too much."""
        if version < self._forgotten:
            return None
        whole = Changes(version=version)
        for one in self._changes:
            if one.version > version:
                whole = whole.then(one)
        return whole
