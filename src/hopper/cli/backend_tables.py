"""How backends look in tables and as JSON. Pure."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from hopper.dispatch.backend_views import BackendStanding, BackendView
from hopper.documents.words import ago, printable
from hopper.model.states import JobState

STYLES = {
    BackendStanding.READY: "green",
    BackendStanding.BUSY: "blue",
    BackendStanding.PAUSED: "yellow",
    BackendStanding.NEVER_SEEN: "yellow",
}
"""All others are red."""
COLUMNS = ("BACKEND", "TYPE", "STATE", ">JOBS", ">WAITING", ">SEEN", "REMARK")


def backend_row(view: BackendView, now: datetime) -> tuple[str | Text, ...]:
    """Return a backend as a row of ``COLUMNS``."""
    target = view.target
    most = f"/{target.max_concurrent}" if target is not None else ""
    return (
        view.name,
        target.kind if target is not None else "-",
        Text(str(view.standing), style=STYLES.get(view.standing, "red")),
        f"{view.under_way}{most}",
        str(view.counts.get(JobState.PENDING, 0)),
        ago(view.record.last_contact, now).partition(" ")[0],
        printable(_remark(view, now)),
    )


def _remark(view: BackendView, now: datetime) -> str:
    parts = []
    if view.since is not None:
        parts.append(f"for {ago(view.since, now)}")
    due = view.record.contact_not_before
    if view.since is not None and due is not None and due > now:
        parts.append(f"tried again in {ago(now, due)}")
    if view.standing is BackendStanding.NEEDS_LOGIN:
        parts.append(f"run 'hopper backend login {view.name}'")
    if view.paused and view.standing is not BackendStanding.PAUSED:
        parts.append("paused")
    if view.detail:
        parts.append(view.detail)
    return ", ".join(parts)
