"""How the progress of a run looks: bars on a terminal, lines in a pipe. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hopper.cli.run_tables import RUN_STYLES, cost_text, counts_text
from hopper.dispatch.run_views import GroupView, RunView
from hopper.documents.words import duration, printable
from hopper.model.states import JobState

if TYPE_CHECKING:
    from hopper.pricing import Estimate

NAME_WIDTH = 24
COUNTS_WIDTH = 44
"""Columns that the words beside a bar may take."""
PARTS = (
    ("completed", "green"),
    ("not_well", "red"),
    ("under_way", "blue"),
)
FULL, EMPTY = "━", "─"


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A look at a run."""

    view: RunView
    at: datetime
    left: timedelta | None = None
    cost: Estimate | None = None


def progress(look: Progress, width: int, height: int) -> RenderableType:
    """Return the bars of a run's groups for a terminal of that size."""
    view = look.view
    parts: list[RenderableType] = [_head(look)]
    shown = view.groups[: max(1, height - 5)]
    drawn = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        drawn.add_column(no_wrap=True, overflow="ellipsis")
    room = max(10, width - NAME_WIDTH - COUNTS_WIDTH)
    for group in shown:
        name = Text(printable(group.name))
        name.truncate(NAME_WIDTH, overflow="ellipsis")
        drawn.add_row(name, bar(group, room), _beside(group))
    parts.append(drawn)
    if len(shown) < len(view.groups):
        parts.append(Text(f"and {len(view.groups) - len(shown)} more groups"))
    if look.cost is not None:
        parts.append(Text(f"cost {cost_text(look.cost)}"))
    return Group(*parts)


def _head(look: Progress) -> Text:
    view = look.view
    state = (str(view.state), RUN_STYLES[view.state])
    said = Text.assemble((view.run.id, "bold"), "  ", state, f"  {counts_text(view)}")
    begun = view.started_at
    if begun is not None:
        took = ((view.ended_at or look.at) - begun).total_seconds()
        said.append(f"  {duration(took)}")
    if look.left is not None:
        said.append(f", about {duration(look.left.total_seconds())} left")
    return said


def bar(group: GroupView, width: int) -> Text:
    """Return a group's bar: what completed, went wrong, is under way and is still to come."""
    drawn, done, filled = Text(), 0, 0
    for name, style in PARTS:
        done += getattr(group, name)
        end = done * width // max(1, group.total)
        drawn.append(FULL * (end - filled), style=style)
        filled = end
    drawn.append(EMPTY * (width - filled), style="dim")
    return drawn


def _beside(group: GroupView) -> Text:
    said = Text(f"{group.completed}/{group.total}")
    if group.under_way:
        said.append(f", {group.under_way} under way", style="blue")
    if group.not_well:
        said.append(f", {group.not_well} not well", style="red")
    return said


def changes(before: RunView | None, now: RunView) -> Iterator[str]:
    """Yield a tab-separated line for each group that stands otherwise than before."""
    known = {group.name: group.counts for group in before.groups} if before is not None else {}
    for group in now.groups:
        if known.get(group.name) == group.counts:
            continue
        counts = [f"{group.counts[s]} {s}" for s in JobState if group.counts.get(s)]
        yield "\t".join((printable(group.name), f"{group.completed}/{group.total}", *counts))
