"""How runs stand, counted from rows: once for each change of a run, not for each request."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter

from hopper.dispatch.run_views import GroupView
from hopper.model.run import Run, RunState, run_state
from hopper.model.states import JobState
from hopper.web.following.index import JobIndex
from hopper.web.following.rows import JobRow

_GROUP_AND_STATE = attrgetter("group", "state")
_STATES = {state.value: state for state in JobState}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTally:
    """A run as it stands, without its jobs. Times are aware UTC."""

    run: Run
    state: RunState
    groups: tuple[GroupView, ...]
    all: GroupView
    started_at: datetime | None = None
    """When the first of its tasks started."""
    ended_at: datetime | None = None
    """When the last ended; None while one has not."""
    taken: int = 0
    """Tasks that took an equal task's result."""
    held: int = 0
    growing: tuple[JobRow, ...] = ()
    """The jobs whose CPU hours grow."""
    settled_hours: float = 0.0
    """CPU hours of the others."""

    def cpu_hours(self, now: float) -> float:
        """Return the CPU hours of all of its tasks; ``now`` in epoch seconds."""
        return self.settled_hours + sum(row.cpu_hours(now) or 0.0 for row in self.growing)


class Tallies:
    """The tallies of runs, each counted when it is asked for after a change."""

    def __init__(self, index: JobIndex) -> None:
        self._index = index
        self._known: dict[str, RunTally] = {}

    def forget(self, run_ids: Iterable[str]) -> None:
        """Count these anew when they are asked for."""
        for run_id in run_ids:
            self._known.pop(run_id, None)

    def of(self, run: Run) -> RunTally:
        """Return how a run stands, by its live jobs."""
        known = self._known.get(run.id)
        if known is None:
            known = self._known[run.id] = tally(run, self._index.of_run(run.id))
        return known

    def clear(self) -> None:
        """Count all anew."""
        self._known.clear()


def tally(run: Run, rows: Sequence[JobRow]) -> RunTally:
    """Return how a run stands, by the rows of its jobs in their order."""
    groups: defaultdict[str, Counter[JobState]] = defaultdict(Counter)
    for (group, state), count in Counter(map(_GROUP_AND_STATE, rows)).items():
        if state in _STATES:
            groups[group][_STATES[state]] += count
    whole: Counter[JobState] = Counter()
    for counts in groups.values():
        whole.update(counts)
    standing = run_state(whole.elements(), cancelled=run.cancelled)
    over = standing not in {RunState.PENDING, RunState.RUNNING}
    growing = tuple(row for row in rows if row.running_cpus)
    starts = [*chain.from_iterable(row.spans[::3] for row in rows)]
    starts += [row.started_at.timestamp() for row in rows if row.started_at is not None]
    ends = [row.state_since for row in rows if row.state_since is not None]
    return RunTally(
        run=run,
        state=standing,
        groups=tuple(GroupView(name=name, counts=counts) for name, counts in groups.items()),
        all=GroupView(name="", counts=whole),
        started_at=datetime.fromtimestamp(min(starts), UTC) if starts else None,
        ended_at=max(ends, default=run.created_at) if over else None,
        taken=sum(row.taken and row.state == JobState.COMPLETED for row in rows),
        held=sum(row.held for row in rows),
        growing=growing,
        settled_hours=sum(row.cpu_hours(0.0) or 0.0 for row in rows if not row.running_cpus),
    )
