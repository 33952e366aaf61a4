"""Changes of the workers in the inventory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hopper.bootstrap import commands
from hopper.errors import UsageError
from hopper.model.event import EventKind

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


def jobs_on(config: HopperConfig, worker: str) -> list[str]:
    """Return the ids of the jobs that are on a worker."""
    from hopper.bootstrap.state import read_state

    with read_state(config) as store:
        return [
            job.id
            for job in store.jobs.values()
            if (attempt := job.open_attempt) is not None and attempt.worker == worker
        ]


def drained_of(config: HopperConfig, names: Sequence[str]) -> set[str]:
    """Return which workers are drained; UsageError for names that are none."""
    from hopper.bootstrap.inventory import read_inventory
    from hopper.operations.doctor import chosen_workers

    reading = read_inventory(config)
    return {worker.name for worker in chosen_workers(reading, names) if worker.drained}


def set_drained(config: HopperConfig, names: Sequence[str], *, drained: bool) -> None:
    """Write into the inventory whether workers are drained. UsageError."""
    from hopper.ansible.inventory_file import set_var

    for name in names:
        change = partial(set_var, host=name, key="hopper_drained", value=drained)
        edit_inventory(config, name, change)


def inventory_files(config: HopperConfig) -> list[Path]:
    """Return the inventory's files. UsageError where the config names none."""
    files = [Path(source) for source in config.inventory if "," not in source]
    if not files:
        raise UsageError(
            f"{config.source} names no inventory file",
            way_out="set 'inventory: inventory.yml' there",
        )
    return files


def edit_inventory(config: HopperConfig, name: str, change: Callable[[Path], None]) -> Path:
    """Make the change in the first inventory file that has the worker; return the file."""
    if any(worker.name == name for worker in config.workers):
        raise UsageError(
            f"{name} is named in the config itself", way_out=f"edit it in {config.source}"
        )
    refusal: UsageError | None = None
    for file in inventory_files(config):
        try:
            change(file)
        except UsageError as error:
            refusal = refusal or error
        else:
            return file
    raise refusal or UsageError(f"no worker {name}")


def drain(config: HopperConfig, names: Sequence[str], *, by: str | None = None) -> dict[str, int]:
    """Send no new jobs to these workers; return how many each still has. UsageError."""
    drained_of(config, names)
    set_drained(config, names, drained=True)
    _note(config, names, EventKind.WORKER_DRAINED, by)
    return {name: len(jobs_on(config, name)) for name in names}


def resume(config: HopperConfig, names: Sequence[str], *, by: str | None = None) -> None:
    """Let these workers take jobs again: ends drain, quarantine and back-off. UsageError."""
    drained = drained_of(config, names)
    back = [name for name in names if name in drained]
    set_drained(config, back, drained=False)
    _note(config, back, EventKind.WORKER_RESUMED, by)
    commands.give(config, {"do": "look", "workers": list(names), **commands.asked_by(by)})


def _note(config: HopperConfig, names: Sequence[str], kind: EventKind, by: str | None) -> None:
    for name in names:
        commands.give(
            config, {"do": "note", "kind": str(kind), "worker": name, **commands.asked_by(by)}
        )
