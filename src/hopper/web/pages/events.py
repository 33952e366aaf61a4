"""What has happened, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from hopper.model import wire
from hopper.model.event import Event, EventKind
from hopper.store.state import StateStore
from hopper.web.changing import apart
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite

router = APIRouter()

ROWS = 100
STEP = 500
"""Events that are looked through at first; each further look goes four times as far back."""
FARTHEST = 200_000
"""Events that one page looks through at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFilter:
    """Which events are wanted; empty for what does not matter."""

    kind: str = ""
    job: str = ""
    worker: str = ""
    by: str = ""

    def __call__(self, event: Event) -> bool:
        """Return True for one that is wanted."""
        return (
            self.kind in {"", event.kind}
            and self.job in {"", event.job}
            and self.worker in {"", event.worker}
            and self.by in {"", event.data.get("by")}
        )

    def query(self, **other: object) -> dict[str, object]:
        """Return it as an address's query."""
        said = {"kind": self.kind, "job": self.job, "worker": self.worker, "by": self.by}
        return {**said, **other}


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Some events, the newest first."""

    events: tuple[Event, ...]
    older: int | None
    """The number below which the next page is; None on the last."""
    searched_to: int = 1
    """The oldest number that was looked at."""


Text = Annotated[str, Query(max_length=200)]


@router.get("/events", name="events")
async def events(
    request: Request,
    site: OfSite,
    _: Viewer,
    *,
    kind: Text = "",
    job: Text = "",
    worker: Text = "",
    by: Text = "",
    before: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show events: those numbered below ``before``, or the newest."""
    wanted = EventFilter(kind=kind, job=job.strip(), worker=worker.strip(), by=by.strip())
    found = await apart(lambda: look(site.following.store, wanted, before))
    if wants_json(request):
        body = {"events": [wire.to_json(event) for event in found.events], "older": found.older}
        return JSONResponse(body)
    return site.rendering.page(
        request,
        "events_part.html" if wants_part(request) else "events.html",
        section="events",
        wanted=wanted,
        found=found,
        before=before,
        kinds=[str(kind) for kind in EventKind],
        workers=sorted(site.following.store.workers),
    )


def look(store: StateStore, wanted: EventFilter, before: int | None) -> EventPage:
    """Return a page of events. Goes back step by step: the newest are what is asked for.

    May be called in any thread: events are read from their files.
    """
    newest = store.last_seq + 1
    top = low = min(before or newest, newest)
    found: list[Event] = []
    step = STEP
    while low > 1 and len(found) <= ROWS and top - low < FARTHEST:
        high, low = low, max(1, low - step)
        some = [event for event in _between(store, low, high, wanted.job) if wanted(event)]
        found += reversed(some)
        step *= 4
    if len(found) > ROWS:
        last = found[ROWS - 1].seq
        return EventPage(events=tuple(found[:ROWS]), older=last, searched_to=last)
    return EventPage(events=tuple(found), older=low if low > 1 else None, searched_to=low)


def _between(store: StateStore, low: int, high: int, job: str) -> Iterator[Event]:
    for event in store.events(after=low - 1, job=job or None):
        if event.seq >= high:
            return
        yield event
