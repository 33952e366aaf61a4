"""Handing zips in by the browser, and what waits for its turn."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from hopper.web.addresses import address
from hopper.web.changing import apart, changed
from hopper.web.following.listing import JobFilter
from hopper.web.following.rows import JobRow
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Operator, Viewer
from hopper.web.site import OfSite
from hopper.web.standing import rank, workers_names
from hopper.web.uploads import largest, uploads
from hopper.web.wishes import submit_received

router = APIRouter()

SHOWN = 100
"""Waiting jobs that are listed."""
REFUSED = 20
_LOOKED_THROUGH = 200


@router.get("/queue", name="queue")
async def queue(request: Request, site: OfSite, _: Viewer) -> Response:
    """Show what waits, in the order in which it will start, and what was refused."""
    index = site.following.index
    waiting = in_order(
        (row for row in index.rows.values() if row.state == "pending"), workers_names(site.config)
    )
    newest = index.page(
        JobFilter(states=frozenset({"failed"}), origin="zip"), limit=_LOOKED_THROUGH
    )
    refused = [row for row in newest.rows if row.attempts == 0][:REFUSED]
    names = [backend.name for backend in site.config.backends if not backend.workers]
    return site.rendering.page(
        request,
        "queue_part.html" if wants_part(request) else "queue.html",
        section="queue",
        waiting=waiting[:SHOWN],
        more=len(waiting) - SHOWN,
        refused=refused,
        backends=names,
        folder=str(site.config.paths.queue),
        largest=largest(site.config),
        paused=site.following.store.settings.get("paused") is True,
        trouble=site.following.trouble,
    )


def in_order(rows: Iterable[JobRow], on_workers: Container[str]) -> list[tuple[int | None, JobRow]]:
    """Return waiting jobs as they will be looked at, those for workers with their place, from 1.

    Held ones come last and have no place; nor have those for backends, where each goes by the
    room that there is.
    """
    ordered = sorted(rows, key=rank)
    found: list[tuple[int | None, JobRow]] = []
    place = 0
    for row in ordered:
        counts = not row.held and row.backend in on_workers
        place += counts
        found.append((place if counts else None, row))
    return found


@router.post("/queue", name="hand_in")
async def hand_in(request: Request, site: OfSite, identity: Operator) -> Response:
    """Take zips, with what is wanted of them in the form's fields, and queue them."""
    async with uploads(request, site.config) as received:
        queued = await apart(
            lambda: submit_received(site.config, received, received.fields, by=identity.by)
        )
    if wants_json(request):
        return JSONResponse({"queued": [asdict(one) for one in queued]}, status_code=201)
    words = f"queued: {', '.join(one.job for one in queued)}"
    return changed(request, site, words, back=address(request, "queue"))
