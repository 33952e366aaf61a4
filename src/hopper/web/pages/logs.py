"""Logs of jobs and tasks: shown a part at a time, followed while they grow, and sent whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from hopper.errors import HopperError, NotThere, UsageError
from hopper.model.attempt import Attempt
from hopper.model.job import Job
from hopper.operations.log_pieces import (
    Piece,
    attempt_of,
    file_at_home,
    is_live,
    piece_at_home,
)
from hopper.operations.log_text import plain_text, whole_end
from hopper.web.addresses import address
from hopper.web.changing import apart
from hopper.web.downloads import attachment
from hopper.web.far_logs import FarLogs
from hopper.web.finding import the_job
from hopper.web.problems import wants_json
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter()
Place = Annotated[int | None, Query(ge=0, le=1 << 52)]
Number = Annotated[int | None, Query(ge=1, le=1_000_000)]

KINDS = ("output", "error")
SHOWN = 1 << 18
"""Bytes that are shown at first, and more at a time."""
NOT_ASKED = -1
"""Stands for the place of a log that nothing is known of yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogView:
    """What the viewer shows of a log, for ``log_viewer.html``."""

    address: str
    """Where more of it is asked for."""
    kind: str
    attempt: Attempt | None
    text: str = ""
    start: int = 0
    """The place of the first byte that is shown."""
    next: int = 0
    """The place from which on more may come."""
    first: int = 0
    size: int = 0
    live: bool = False
    """More may come, now or once it has started."""
    remark: str = ""
    trouble: str = ""
    """Why nothing can be shown now."""

    @property
    def earlier(self) -> bool:
        """True where there is more before what is shown."""
        return self.start > self.first


def far_logs(request: Request) -> FarLogs:
    """Return the looks at logs where jobs run."""
    found: FarLogs = request.app.state.far_logs
    return found


Far = Annotated[FarLogs, Depends(far_logs)]


# --- a job's log


@router.get("/jobs/{job_id}/logs", name="job_logs")
async def job_logs(
    request: Request, site: OfSite, far: Far, _: Viewer, job_id: str, attempt: Number = None
) -> Response:
    """Show the log of a job."""
    job = await the_job(site, job_id)
    view = await view_of_log(site, far, job, "output", attempt, _job_log(request, job, "output"))
    return site.rendering.page(request, "log_page.html", section="jobs", job=job, log=view)


@router.get("/jobs/{job_id}/logs/{kind}", name="job_log")
async def job_log(
    *,
    request: Request,
    site: OfSite,
    far: Far,
    _: Viewer,
    job_id: str,
    kind: str,
    attempt: Number = None,
    start: Place = None,
    before: Place = None,
    download: str = "",
) -> Response:
    """Give a job's log: whole as text, a part as JSON, a page for browsers."""
    job = await the_job(site, job_id)
    wanted = Wanted(kind=kind, attempt=attempt, start=start, before=before, download=download)
    back = _job_log(request, job, kind)
    return await answer_log(request, site, far, job, wanted, back)


def _job_log(request: Request, job: Job, kind: str) -> str:
    return address(request, "job_log", job_id=job.id, kind=kind)


# --- what all logs share


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What of a log is asked for."""

    kind: str
    attempt: int | None = None
    start: int | None = None
    """From that place on."""
    before: int | None = None
    """What comes before that place."""
    download: str = ""

    @property
    def errors(self) -> bool:
        """True for the standard error. UsageError for no kind of log."""
        if self.kind not in KINDS:
            raise NotThere(f"there is no log {self.kind!r}", way_out="output or error")
        return self.kind == "error"


async def answer_log(
    request: Request, site: Site, far: FarLogs, job: Job, wanted: Wanted, here: str
) -> Response:
    """Answer a request for a log, in the form that the caller reads."""
    errors = _checked(job, wanted)
    attempt = attempt_of(job, wanted.attempt)
    if wants_json(request):
        piece = await piece_of(site, far, job, attempt, wanted)
        return JSONResponse(_document(piece, over=job.state.terminal))
    if wanted.download or "text/html" not in request.headers.get("accept", ""):
        return await _whole(site, far, job, attempt, errors=errors, keep=bool(wanted.download))
    view = await view_of_log(site, far, job, wanted.kind, wanted.attempt, here)
    return site.rendering.page(request, "log_page.html", section="jobs", job=job, log=view)


def _checked(job: Job, wanted: Wanted) -> bool:
    if wanted.errors and job.task is None:
        raise UsageError(f"{job.id} has its standard error in its log", way_out="ask for output")
    return wanted.errors


async def view_of_log(
    site: Site, far: FarLogs, job: Job, kind: str, number: int | None, here: str
) -> LogView:
    """Return what the viewer shows at first; what goes wrong is told in it."""
    attempt = attempt_of(job, number)
    query = f"?attempt={attempt.number}" if attempt is not None else ""
    known = LogView(
        address=f"{here}{query}", kind=kind, attempt=attempt, live=not job.state.terminal
    )
    if attempt is None:
        words = "It has not run yet." if not job.state.terminal else "It never ran."
        return replace(known, remark=words)
    wanted = Wanted(kind=kind, attempt=number)
    try:
        if await _at_far_end(site, job, attempt, errors=wanted.errors):
            # Whoever has it may take long to answer; the page asks once it is there.
            return replace(known, next=NOT_ASKED)
        piece = await piece_of(site, far, job, attempt, wanted)
    except (HopperError, OSError) as refusal:
        return replace(known, trouble=str(refusal))
    content = _cut(piece)
    return LogView(
        address=known.address,
        kind=kind,
        attempt=attempt,
        text=plain_text(content.decode("utf-8", "replace")),
        start=piece.start,
        next=piece.start + len(content),
        first=piece.first,
        size=piece.size,
        live=piece.live,
        remark=piece.remark,
    )


async def _at_far_end(site: Site, job: Job, attempt: Attempt, *, errors: bool) -> bool:
    if not attempt.open:
        return False
    path, _ = await apart(lambda: file_at_home(site.config, job, attempt, errors=errors))
    return is_live(attempt, path)


async def piece_of(
    site: Site, far: FarLogs, job: Job, attempt: Attempt | None, wanted: Wanted
) -> Piece:
    """Return a part of a log of at most SHOWN bytes. NotThere, NoContact."""
    if attempt is None:
        return Piece(start=0, content=b"", size=0, live=not job.state.terminal)
    errors, start, limit = wanted.errors, wanted.start, SHOWN
    if wanted.before is not None:
        start = max(0, wanted.before - SHOWN)
        limit = max(0, wanted.before - start)
    path, remark = await apart(lambda: file_at_home(site.config, job, attempt, errors=errors))
    if is_live(attempt, path):
        return await far.piece(job, attempt, errors=errors, start=start, limit=limit)
    if path is None:
        raise NotThere(f"the log of attempt {attempt.number} did not come home")
    total = attempt.error_bytes if errors else attempt.log_bytes
    total = 0 if remark else total
    return await apart(lambda: piece_at_home(path, total, start, limit, remark))


def _cut(piece: Piece) -> bytes:
    """Return what can be shown of a piece: what is not whole comes with the next."""
    more = piece.live or piece.end < piece.size
    return piece.content[: whole_end(piece.content)] if more else piece.content


def _document(piece: Piece, *, over: bool) -> dict[str, object]:
    content = _cut(piece)
    return {
        "start": piece.start,
        "next": piece.start + len(content),
        "first": piece.first,
        "size": piece.size,
        "live": piece.live and not over,
        "remark": piece.remark,
        "text": plain_text(content.decode("utf-8", "replace")),
    }


async def _whole(
    site: Site, far: FarLogs, job: Job, attempt: Attempt | None, *, errors: bool, keep: bool
) -> Response:
    """Send a log as it is, a part at a time. NotThere where there is none."""
    if attempt is None:
        raise NotThere(f"{job.id} is {job.state} and has not run")
    wanted = Wanted(kind=KINDS[errors], attempt=attempt.number, start=0)
    first = await piece_of(site, far, job, attempt, wanted)

    async def parts() -> AsyncIterator[bytes]:
        piece, top = first, first.size
        yield piece.content
        while piece.content and piece.end < top:
            then = Wanted(kind=wanted.kind, attempt=attempt.number, start=piece.end)
            piece = await piece_of(site, far, job, attempt, then)
            yield piece.content

    headers = {"X-Content-Type-Options": "nosniff"}
    if keep:
        headers["Content-Disposition"] = attachment(f"{job.id}-{attempt.number}-{wanted.kind}.log")
    return StreamingResponse(parts(), media_type="text/plain; charset=utf-8", headers=headers)
