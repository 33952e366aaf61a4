"""Changes that people and programs ask for, and how people are told what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from hopper.bootstrap import commands
from hopper.errors import NotThere, UsageError
from hopper.web.problems import Conflict
from hopper.web.rendering import wants_part
from hopper.web.security.roles import Identity
from hopper.web.site import Site

CHANGED = "changed"
"""What htmx is told to trigger after a change, so that parts of the page look anew."""
MOST_TOLD = 3
"""Refusals that are told of one change."""
FAR = CapacityLimiter(8)
"""For what asks other hosts, so that it does not take the threads of everything else."""

T = TypeVar("T")


async def apart(work: Callable[[], T], *, far: bool = False) -> T:
    """Do what takes its time in a thread; ``far``: it asks other hosts."""
    return await to_thread.run_sync(work, limiter=FAR if far else None)


async def changing(site: Site, work: Callable[[], T], *, far: bool = False) -> T:
    """Do what changes the state, in a thread; afterwards the state is looked at anew.

    Input is right by now: what is refused all the same is a Conflict.
    """
    try:
        return await apart(work, far=far)
    except NotThere:
        raise
    except UsageError as error:
        raise Conflict(error.what, way_out=error.way_out) from error
    finally:
        # Whoever made the change sees it when they look next.
        site.following.look()


async def give(site: Site, who: Identity, body: Mapping[str, object]) -> Mapping[str, object]:
    """Have a change of the state made for somebody.

    Conflict where what stands there does not allow it, NoAnswer where a dispatcher is silent.
    """
    asked = {**body, "by": who.by}
    return await changing(site, lambda: commands.give(site.config, asked))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a change of several jobs: a few words on each, by id."""

    done: Mapping[str, str]
    refused: Mapping[str, str]

    def told(self) -> str:
        """Return it as one line. Conflict where it could be done to none of them."""
        some = "; ".join(list(self.refused.values())[:MOST_TOLD])
        if len(self.refused) > MOST_TOLD:
            some += f" (and {len(self.refused) - MOST_TOLD} more)"
        if self.refused and not self.done:
            raise Conflict(some)
        if len(self.done) == 1:
            words = ": ".join(next(iter(self.done.items())))
        else:
            words = f"{len(self.done)} jobs: {', '.join(dict.fromkeys(self.done.values()))}"
        return f"{words}. Refused: {some}" if self.refused else words


def outcome_of(answer: Mapping[str, object]) -> Outcome:
    """Return what an answer of ``give`` tells of jobs."""
    return Outcome(done=_words(answer.get("done")), refused=_words(answer.get("refused")))


async def change_jobs(
    site: Site, who: Identity, body: Mapping[str, object], jobs: Sequence[str]
) -> Outcome:
    """Have the same done to live jobs, and return what came of it. Conflict, NoAnswer."""
    return outcome_of(await give(site, who, {**body, "jobs": list(jobs)}))


def changed(request: Request, site: Site, words: str, *, back: str) -> Response:
    """Return the answer to a change: a line for htmx, else the way back to the page."""
    if not wants_part(request):
        return RedirectResponse(back, status_code=303)
    answer = site.rendering.page(request, "toast.html", words=words)
    answer.headers["HX-Trigger"] = CHANGED
    return answer


def _words(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}
