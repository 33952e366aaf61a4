"""The kinds of batch systems: hopper's own and those of other packages."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from hopper.backends.base import Backend, BackendSettings
from hopper.errors import ConfigError

GROUP = "hopper.backends"
"""The entry points of other packages: the name is the kind, the object a ``Backend`` class."""

BUILT_IN = {
    "slurm": "hopper.backends.slurm:Slurm",
    "pbs": "hopper.backends.pbs:Pbs",
    "lsf": "hopper.backends.lsf:Lsf",
    "gridengine": "hopper.backends.gridengine:GridEngine",
    "local": "hopper.backends.local:Local",
}


def kinds() -> list[str]:
    """Return the known kinds, hopper's own first."""
    return [*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - {*BUILT_IN})]


def backend(settings: BackendSettings) -> Backend:
    """Return the backend of the settings' kind.

    Raises ConfigError for a kind that nobody knows, and for one whose package does not load.
    """
    return _maker(settings.kind)(settings)


def _maker(kind: str) -> Callable[[BackendSettings], Backend]:
    if kind in BUILT_IN:
        module, _, name = BUILT_IN[kind].partition(":")
        return cast("Callable[[BackendSettings], Backend]", getattr(import_module(module), name))
    for point in entry_points(group=GROUP):
        if point.name == kind:
            try:
                return cast("Callable[[BackendSettings], Backend]", point.load())
            except Exception as error:
                raise ConfigError(
                    f"the backend type {kind!r} of {point.value} does not load: {error}",
                    way_out="mend or remove the package that brings it",
                ) from error
    raise ConfigError(
        f"there is no backend type {kind!r}", way_out=f"use one of {', '.join(kinds())}"
    )
