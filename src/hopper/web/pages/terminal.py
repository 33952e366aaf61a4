"""A terminal in the folder of a job, where it runs: for operators, where the config allows it."""

from __future__ import annotations

import contextlib
import os

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import Response
from starlette.websockets import WebSocketDisconnect

from hopper.bootstrap import commands
from hopper.errors import HopperError, NotThere
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.operations.terminals import Terminal, attempt_with_folder, terminal_for
from hopper.web.changing import apart
from hopper.web.finding import the_job
from hopper.web.pages.logs import Number
from hopper.web.security.access import Operator
from hopper.web.security.headers import policy
from hopper.web.security.roles import Identity
from hopper.web.site import OfSite, Site
from hopper.web.terminal.program import Program, environment_of
from hopper.web.terminal.talking import Talk

router = APIRouter()

MOST = 8
"""Terminals that are open at a time."""
# xterm writes style elements of its own.
POLICY = policy({"style-src": ("'unsafe-inline'",)})
LONGEST_WHY = 120
"""Bytes of a reason that a websocket may close with."""


def _allowed(site: Site) -> None:
    if not site.config.web.terminal:
        raise NotThere("there are no terminals here", way_out="set 'web.terminal: true'")


@router.get("/jobs/{job_id}/terminal", name="terminal")
async def terminal(
    request: Request, site: OfSite, _: Operator, job_id: str, attempt: Number = None
) -> Response:
    """Show the page of a terminal, which opens it."""
    _allowed(site)
    job = await the_job(site, job_id)
    chosen = attempt_with_folder(job, attempt)
    answer = site.rendering.page(
        request, "terminal.html", section="jobs", job=job, attempt=chosen, number=attempt
    )
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@router.websocket("/jobs/{job_id}/terminal/socket", name="terminal_socket")
async def talk(socket: WebSocket, identity: Operator, job_id: str, attempt: Number = None) -> None:
    """Open the terminal, and stay until it ends."""
    site: Site = socket.app.state.site
    open_now: set[object] = socket.app.state.terminals
    await socket.accept()
    place = object()
    try:
        _room(site, open_now)
        open_now.add(place)
        program = await _opened(site, identity, job_id, attempt)
        talking = Talk(socket, program)
        await talking.close(await talking.run())
    except (HopperError, OSError) as refusal:
        why = str(refusal).encode()[:LONGEST_WHY].decode("utf-8", "ignore")
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(1011, why)
    finally:
        open_now.discard(place)


def _room(site: Site, open_now: set[object]) -> None:
    _allowed(site)
    if len(open_now) >= MOST:
        raise HopperError(f"{MOST} terminals are open already")


async def _opened(site: Site, identity: Identity, job_id: str, attempt: int | None) -> Program:
    job = await the_job(site, job_id)
    opened = await apart(lambda: terminal_for(site.config, job, attempt))
    await apart(lambda: _note(site, identity, job, opened))
    return await Program.start(opened.words, environment_of(os.environ))


def _note(site: Site, identity: Identity, job: Job, opened: Terminal) -> None:
    """Put on record who opened it; without that there is none."""
    body = {
        "do": "note",
        "kind": str(EventKind.TERMINAL_OPENED),
        "job": job.id,
        "reason": f"attempt {opened.attempt} on {opened.place}",
        "by": identity.by,
    }
    commands.give(site.config, body)
