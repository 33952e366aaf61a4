"""What has happened."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Annotated

import anyio
from fastapi import APIRouter, Query, Response

from hopper.model.event import Event, EventKind
from hopper.store.values import to_json
from hopper.web.api import models
from hopper.web.api.answers import answer
from hopper.web.api.parts import LIMIT, Limit, Text, problems
from hopper.web.changing import apart
from hopper.web.following.state import LOOK_EVERY, Following
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite

router = APIRouter(tags=["Events"])
LONGEST_WAIT = 60.0


@router.get("/events", response_model=models.Events, responses=problems())
async def list_events(
    *,
    site: OfSite,
    _: Viewer,
    after: Annotated[
        int | None, Query(ge=0, le=1 << 53, description="The last one seen; else the newest.")
    ] = None,
    job: Text = "",
    worker: Text = "",
    by: Annotated[str, Query(max_length=200, description="Who did it.")] = "",
    kind: Annotated[list[EventKind], Query(description="One of these.")] = [],  # noqa: B006
    since: datetime | None = None,
    limit: Limit = LIMIT,
    wait: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for the first one.")
    ] = 0,
) -> Response:
    """List events, the oldest first: those after one, or the newest.

    With `after` and `wait` it answers as soon as there are any, or empty when there are none.
    """
    fits = _fitting(worker, by, frozenset(kind))
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    filtered = bool(worker or by or kind or since)
    look = partial(
        _find, site.following, fits=fits, job=job, since=since, limit=limit, filtered=filtered
    )
    start = after
    deadline = time.monotonic() + wait
    while True:
        found, last = await apart(partial(look, after=start))
        if found or start is None or time.monotonic() >= deadline:
            break
        start = last
        await _news(site.following, last, deadline)
    return answer(
        {
            "items": [to_json(event) for event in found],
            "after": last,
            "last_seq": site.following.store.last_seq,
        }
    )


def _fitting(worker: str, by: str, kinds: frozenset[EventKind]) -> Callable[[Event], bool]:
    def fits(event: Event) -> bool:
        return (
            (not kinds or event.kind in kinds)
            and worker in {"", event.worker}
            and by in {"", event.data.get("by")}
        )

    return fits


def _find(
    following: Following,
    *,
    after: int | None,
    fits: Callable[[Event], bool],
    job: str,
    since: datetime | None,
    limit: int,
    filtered: bool,
) -> tuple[list[Event], int]:
    """Return events, and how far has been looked. For a thread: it reads files alone."""
    newest = following.store.last_seq
    # Without a filter the newest need no search.
    first = max(0, newest - limit) if after is None and not filtered and not job else after or 0
    events = following.store.events(job=job or None, since=since, after=first)
    fitting = (event for event in events if fits(event))
    if after is None:
        found = list(deque(fitting, limit))
        return found, max([newest, *(event.seq for event in found)])
    found = list(islice(fitting, limit))
    if len(found) == limit:
        return found, found[-1].seq
    return found, max([newest, after, *(event.seq for event in found)])


async def _news(following: Following, seen: int, deadline: float) -> None:
    """Wait until there are further events."""
    while time.monotonic() < deadline and following.store.seen_seq <= seen:
        await anyio.sleep(min(LOOK_EVERY, max(0.0, deadline - time.monotonic())))
