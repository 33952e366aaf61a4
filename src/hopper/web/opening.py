"""A site from a config."""

from __future__ import annotations

from hopper.config.model import HopperConfig
from hopper.web.following.state import Following
from hopper.web.frontend.files import find_frontend
from hopper.web.places import Places
from hopper.web.rendering import Rendering
from hopper.web.security.documents import web_folder
from hopper.web.security.guard import Guard, GuardRules
from hopper.web.security.hosts import check_binding
from hopper.web.site import Site


def open_site(config: HopperConfig) -> Site:
    """Return what the pages of a config are made of. Raises what opening the state raises.

    UsageError where others would reach a page that asks for no login.
    """
    web = config.web
    guard = Guard(web_folder(config.paths.db), GuardRules.of(web))
    check_binding(host=web.host, allowed_hosts=web.allowed_hosts, anybody=guard.anybody)
    places = Places(config)
    places.read_ahead()
    frontend = find_frontend()
    return Site(
        config=config,
        following=Following(config.paths.db),
        places=places,
        rendering=Rendering(frontend.address, frontend.trouble() or ""),
        guard=guard,
    )
