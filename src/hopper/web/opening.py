"""A site from a config."""

from __future__ import annotations

from hopper.config.model import HopperConfig
from hopper.web.following.state import Following
from hopper.web.frontend.files import find_frontend
from hopper.web.rendering import Rendering
from hopper.web.site import Site


def open_site(config: HopperConfig) -> Site:
    """Return what the pages of a config are made of. Raises what opening the state raises."""
    frontend = find_frontend()
    return Site(
        config=config,
        following=Following(config),
        rendering=Rendering(frontend.address, frontend.trouble() or ""),
    )
