"""Changes that people ask for on a page, and how they are told what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from anyio import to_thread
from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from hopper.bootstrap import commands
from hopper.errors import UnknownJob, UsageError
from hopper.web.problems import Conflict
from hopper.web.rendering import wants_part
from hopper.web.security.roles import Identity
from hopper.web.site import Site

CHANGED = "changed"
"""What htmx is told to trigger after a change, so that parts of the page look anew."""
MOST_TOLD = 3
"""Refusals that are told of one change."""

T = TypeVar("T")


async def apart(work: Callable[[], T]) -> T:
    """Do what may take its time in a thread, so that nobody else waits for it."""
    return await to_thread.run_sync(work)


async def give(site: Site, identity: Identity, body: Mapping[str, object]) -> Mapping[str, object]:
    """Have a change of the state made for somebody. Raises what ``commands.give`` raises."""
    asked = {**body, "by": identity.by}
    try:
        return await apart(lambda: commands.give(site.config, asked))
    finally:
        # Whoever made the change sees it when they look next.
        site.following.look()


async def change_jobs(
    site: Site, identity: Identity, body: Mapping[str, object], jobs: list[str]
) -> str:
    """Have something done to jobs; return what came of it in words.

    UnknownJob where there is no such live job, Conflict where it could be done to none of them.
    """
    try:
        answer = await give(site, identity, {**body, "jobs": jobs})
    except UsageError:
        unknown = [job for job in jobs if job not in site.following.store.jobs]
        if unknown:
            raise UnknownJob(unknown[0]) from None
        raise
    done, refused = _words(answer.get("done")), _words(answer.get("refused"))
    told = "; ".join(list(refused.values())[:MOST_TOLD])
    more = f" (and {len(refused) - MOST_TOLD} more)" if len(refused) > MOST_TOLD else ""
    if refused and not done:
        raise Conflict(told + more)
    if len(done) == 1:
        words = ": ".join(next(iter(done.items())))
    else:
        words = f"{len(done)} jobs: {', '.join(dict.fromkeys(done.values()))}"
    return f"{words}. Refused: {told}{more}" if refused else words


def changed(request: Request, site: Site, words: str, *, back: str) -> Response:
    """Return the answer to a change: a line for htmx, else the way back to the page."""
    if not wants_part(request):
        return RedirectResponse(back, status_code=303)
    answer = site.rendering.page(request, "toast.html", words=words)
    answer.headers["HX-Trigger"] = CHANGED
    return answer


def _words(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}
