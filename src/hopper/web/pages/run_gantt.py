"""What the drawing of a run shows: its tasks, or groups of them where there are many."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hopper.web.charts.gantt import Item, Span, gantt, together
from hopper.web.following.rows import JobRow
from hopper.web.pages.run_looks import RunLook, job_of, sections, task_word
from hopper.web.site import Site

MOST = 150
"""Rows of one drawing."""
LOOKS = {
    "completed": "ok",
    "failed": "bad",
    "dep_failed": "bad",
    "cancelled": "off",
    "running": "busy",
    "settling": "busy",
    "submitted": "busy",
}
EARLIER = "wait"
"""How an attempt looks that was followed by another."""


def drawing(site: Site, look: RunLook, *, group: str, page: int, deps: bool) -> dict[str, object]:
    """Return what the template of the drawing asks for."""
    now = time.time()
    groups = sections(look, "")
    by_groups = not group and len(look.rows) > MOST and len(groups) > 1
    rows = [row for row in look.rows if not group or row.group == group]
    if by_groups:
        items = [_group_item(one.name, look.rows, now) for one in groups]
    else:
        items = [
            Item(key=row.id, label=row.task or row.name, spans=spans(row, now)) for row in rows
        ]
    begun = sorted((item for item in items if item.spans), key=lambda item: item.spans[0][0])
    shown = begun[(page - 1) * MOST : page * MOST]
    if deps and not by_groups:
        shown = _with_deps(site, look, shown)
    return {
        "chart": gantt(shown, dependencies=deps and not by_groups),
        "by_groups": by_groups,
        "deps": deps,
        "words": {row.id: task_word(row) for row in rows},
        "waiting": len(items) - len(begun),
        "last": max(1, -(-len(begun) // MOST)),
    }


def spans(row: JobRow, now: float) -> tuple[Span, ...]:
    """Return when a task's attempts ran; ``now`` in epoch seconds."""
    triples = list(zip(*[iter(row.spans)] * 3, strict=True))
    found: list[Span] = []
    for number, (start, end, _) in enumerate(triples):
        newest = number == len(triples) - 1 and number == row.attempts - 1
        look = LOOKS.get(row.state, EARLIER) if newest else EARLIER
        found.append((start, max(start, now if end < 0 else end), look))
    return tuple(found)


def _item(row: JobRow, now: float) -> Item:
    return Item(key=row.id, label=row.task or row.name, spans=spans(row, now))


def _group_item(name: str, rows: Sequence[JobRow], now: float) -> Item:
    every = [span for row in rows if row.group == name for span in spans(row, now)]
    return Item(key=name, label=name, spans=together(every))


def _with_deps(site: Site, look: RunLook, items: Sequence[Item]) -> list[Item]:
    rows = {row.id: row for row in look.rows}
    found = []
    for item in items:
        job = job_of(site, look, rows[item.key])
        after = job.spec.after if job is not None else ()
        found.append(Item(key=item.key, label=item.label, spans=item.spans, after=after))
    return found
