"""The config that is in force, for admins."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import Response

from hopper.config.load import InvalidConfig, load
from hopper.config.model import HopperConfig
from hopper.documents.settings import masked_config
from hopper.errors import HopperError
from hopper.web.changing import apart
from hopper.web.security.access import Admin
from hopper.web.site import OfSite

router = APIRouter()

PACKAGES = ("jobhopper", "ansible-core", "fastapi", "uvicorn", "tinydb", "pydantic")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A folder or file of the config's ``paths``."""

    name: str
    path: str
    there: bool
    free: int | None
    """Bytes free where it is."""


@router.get("/settings", name="settings")
async def settings(request: Request, site: OfSite, _: Admin) -> Response:
    """Show the config in force with its secrets masked, and what is wrong with its file."""
    config = site.config
    wrong = await apart(lambda: problems(config))
    return site.rendering.page(
        request,
        "settings.html",
        section="settings",
        source=str(config.source),
        text=config_text(config),
        problems=wrong,
        versions=versions(),
        places=await apart(lambda: places(config)),
    )


def config_text(config: HopperConfig) -> str:
    """Return the config in force as YAML, without what nobody but its owner is to know."""
    return yaml.safe_dump(masked_config(config), sort_keys=False, allow_unicode=True, width=1000)


def problems(config: HopperConfig) -> tuple[str, ...]:
    """Return what is wrong with the config's file as it is now; empty when all is right."""
    try:
        now = load(config.source)
    except InvalidConfig as error:
        return error.problems
    except HopperError as error:
        return (str(error),)
    same = now.model_dump(exclude={"web"}) == config.model_dump(exclude={"web"})
    return () if same else ("the file has changed since 'hopper web' was started: start it again",)


def versions() -> list[tuple[str, str]]:
    """Return what this server is made of."""
    found = [("Python", sys.version.split()[0])]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def places(config: HopperConfig) -> list[Place]:
    """Return the config's paths with the space there."""
    return [
        Place(name=name, path=str(path), there=path.exists(), free=_free(path))
        for name, path in config.paths
    ]


def _free(path: Path) -> int | None:
    there = next((place for place in (path, *path.parents) if place.exists()), None)
    try:
        return shutil.disk_usage(there).free if there is not None else None
    except OSError:
        return None
