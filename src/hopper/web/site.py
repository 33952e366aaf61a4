"""What the routes depend on, and how they get at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from hopper.config.model import HopperConfig

if TYPE_CHECKING:
    from hopper.web.following.state import Following
    from hopper.web.places import Places
    from hopper.web.rendering import Rendering
    from hopper.web.security.guard import Guard


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """All that one web page is made of."""

    config: HopperConfig
    following: Following
    """The state as it changes."""
    rendering: Rendering
    places: Places
    """Workers and backends, as they stand."""
    guard: Guard
    """Who may do what."""


def the_site(request: Request) -> Site:
    """Return the site that a request is for."""
    site: Site = request.app.state.site
    # Before anything is read: a page's stream goes on from here, so that it misses nothing.
    request.state.position = str(site.following.position)
    return site


OfSite = Annotated[Site, Depends(the_site)]
"""The parameter by which a route asks for its site."""
