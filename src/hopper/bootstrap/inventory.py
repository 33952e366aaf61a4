"""The workers that the inventory and the config name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from hopper.bootstrap.settings import LOOKS, ansible_settings
from hopper.config.model import HopperConfig
from hopper.errors import ConfigError

if TYPE_CHECKING:
    from hopper.ansible.roster import InventoryRoster, Reading
    from hopper.ansible.sweep import Sources


def roster(config: HopperConfig, on_trouble: Callable[[str], None]) -> InventoryRoster:
    """Return the inventory's workers."""
    from hopper.ansible.roster import InventoryRoster

    return InventoryRoster(lambda: read_inventory(config), on_trouble)


def sources(config: HopperConfig) -> Sources:
    """Return what the inventory is read from, as it is now. ConfigError where there is nothing."""
    from hopper.ansible.inventory import backends_inventory, fingerprint, seed_inventory
    from hopper.ansible.sweep import Sources

    paths = config.inventory
    if config.workers:
        group, folder = config.dispatch.workers_group, config.paths.db
        paths = (*paths, str(seed_inventory(config.workers, group, folder)))
    if config.backends:
        paths = (*paths, str(backends_inventory(config.backends, config.paths.db)))
    if not paths:
        raise ConfigError(
            f"{config.source} names no inventory, no workers and no backends",
            way_out="set 'inventory:', or run 'hopper workers add'",
        )
    return Sources(paths=paths, files=fingerprint(paths))


def read_inventory(config: HopperConfig) -> Reading:
    """Read the workers of the inventory and of the config's own list. ConfigError."""
    from hopper.ansible.inventory import read_workers
    from hopper.ansible.roster import Reading

    group, folder = config.dispatch.workers_group, config.paths.db
    settings = ansible_settings(config)
    all_of_it = sources(config)
    if config.workers and settings.inventory:
        listed = read_workers(settings, group, folder, may_be_empty=True)
        own = {worker.name for worker in listed}
        twins = sorted(own & {worker.name for worker in config.workers})
        if twins:
            raise ConfigError(
                f"worker {', '.join(twins)} is in the inventory and under 'workers:'",
                way_out=f"take it out of {config.source}",
            )
    workers = []
    if config.inventory or config.workers:
        whole = replace(settings, inventory=all_of_it.paths)
        workers = read_workers(whole, group, folder, may_be_empty=bool(config.backends))
    return Reading(
        workers={worker.name: worker for worker in workers},
        sources=replace(all_of_it, workers=str(workers)),
    )


def login_words(config: HopperConfig, worker: str) -> list[str]:
    """Return the local command by which a worker is reached; empty when it is this machine."""
    from hopper.ansible import terminal

    sources = read_inventory(config).sources
    settings = replace(ansible_settings(config), inventory=sources.paths)
    return terminal.login_words(settings, worker, config.paths.db / LOOKS)
