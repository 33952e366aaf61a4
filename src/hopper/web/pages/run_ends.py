"""When runs may end, from how long tasks like theirs took: by light rows, so quickly. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from hopper.web.following.rows import JobRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Took:
    """Seconds that tasks took: by their ids, else by their groups."""

    same: dict[str, float]
    alike: dict[str, float]

    def seconds(self, row: JobRow) -> float | None:
        """Return how long a task may take; None where nothing like it has ended yet."""
        return self.same.get(row.task, self.alike.get(row.group))


def took(rows: Iterable[JobRow]) -> Took:
    """Return how long the completed ones of these took."""
    same: defaultdict[str, list[float]] = defaultdict(list)
    alike: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        seconds = _seconds(row)
        if seconds is not None:
            same[row.task].append(seconds)
            alike[row.group].append(seconds)
    return Took(
        same={task: median(times) for task, times in same.items()},
        alike={group: median(times) for group, times in alike.items()},
    )


def _seconds(row: JobRow) -> float | None:
    if row.state != "completed" or row.taken or len(row.spans) < 3:
        return None
    start, end = row.spans[-3], row.spans[-2]
    return end - start if end >= start else None


def time_left(rows: Sequence[JobRow], known: Took, *, most: int, now: float) -> timedelta | None:
    """Return how long a run with these tasks may still take; None where that cannot be said.

    ``most`` of them run at a time; which waits for which is left aside. ``now`` is in epoch
    seconds.
    """
    left: list[float] = []
    for row in rows:
        if row.over:
            continue
        seconds = known.seconds(row)
        if seconds is None:
            return None
        ran = now - row.spans[-3] if row.running_cpus else 0.0
        left.append(max(0.0, seconds - ran))
    # No sooner than its longest task, and no sooner than all of them take side by side.
    return timedelta(seconds=max(*left, sum(left) / max(1, most))) if left else None
