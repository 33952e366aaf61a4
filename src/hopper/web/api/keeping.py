"""What the API keeps from one request to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from hopper.web.api.idempotency import Repeats
from hopper.web.meter import Meter
from hopper.web.security.documents import web_folder
from hopper.web.site import Site


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What is kept."""

    repeats: Repeats
    meter: Meter


def kept_for(site: Site) -> Kept:
    """Return what is kept for a site."""
    return Kept(
        repeats=Repeats(web_folder(site.config.paths.db)),
        meter=Meter(),
    )


def _kept(request: Request) -> Kept:
    kept: Kept = request.app.state.api_kept
    return kept


OfKept = Annotated[Kept, Depends(_kept)]
"""The parameter by which a route asks for it."""
