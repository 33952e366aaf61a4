"""What jobs have printed, as text, a part at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from hopper.model.job import Job
from hopper.operations.log_parts import Place, read_piece
from hopper.web.api.parts import Name, body_of, problems
from hopper.web.changing import apart
from hopper.web.finding import the_job
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter(tags=["Jobs"])
MOST = 8 << 20
USUAL = 1 << 20
_TEXT = "text/plain; charset=utf-8"


def _integer(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "integer"}, "required": True}


LOG: dict[int | str, dict[str, Any]] = {
    **problems(404),
    200: {
        **body_of("text/plain", description="The part of the log, byte for byte."),
        "headers": {
            "Hopper-Log-Attempt": _integer("Number of the attempt."),
            "Hopper-Log-Offset": _integer("Where the part begins in the whole log."),
            "Hopper-Log-Next": _integer("Where it ends: `offset` of the next part."),
            "Hopper-Log-Size": _integer("Bytes of the whole log, as far as it is known."),
            "Hopper-Log-Growing": {
                "description": "`true` while more may come.",
                "schema": {"type": "string", "enum": ["true", "false"]},
                "required": True,
            },
        },
    },
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LogQuery:
    """Which part of a log is asked for."""

    attempt: Annotated[int | None, Query(ge=1, le=1_000_000, description="Else the newest.")] = None
    error: Annotated[bool, Query(description="Of a run's task: its standard error.")] = False
    offset: Annotated[
        int, Query(ge=-MOST, le=1 << 53, description="First byte; below 0: from the end.")
    ] = 0
    limit: Annotated[int, Query(ge=1, le=MOST, description="Bytes at most.")] = USUAL
    tail: Annotated[
        int | None, Query(ge=0, le=100_000, description="Only so many lines of the end.")
    ] = None

    @property
    def place(self) -> Place:
        """The same for the operation."""
        return Place(
            attempt=self.attempt,
            errors=self.error,
            offset=self.offset,
            limit=self.limit,
            tail=self.tail,
        )


Asked = Annotated[LogQuery, Depends(LogQuery)]


@router.get("/jobs/{job}/log", response_class=Response, responses=LOG)
async def show_job_log(site: OfSite, _: Viewer, job: Name, asked: Asked) -> Response:
    """Show a part of what a job has printed; of a job that runs, it is read where it runs.

    To follow it, ask again with `offset` from `Hopper-Log-Next` while `Hopper-Log-Growing`.
    """
    return await log_of(site, await the_job(site, job), asked)


async def log_of(site: Site, job: Job, asked: LogQuery) -> Response:
    """Return a part of a job's log."""
    piece = await apart(lambda: read_piece(site.config, job, asked.place), far=True)
    headers = {
        "Hopper-Log-Attempt": str(piece.attempt),
        "Hopper-Log-Offset": str(piece.offset),
        "Hopper-Log-Next": str(piece.offset + len(piece.content)),
        "Hopper-Log-Size": str(piece.size),
        "Hopper-Log-Growing": "true" if piece.growing else "false",
    }
    return Response(piece.content, headers=headers, media_type=_TEXT)
