"""Taking over from a jobhopper: its config becomes hopper's, its open jobs are listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from hopper.config.jobhopper_db import OpenJob, open_jobs
from hopper.config.load import InvalidConfig, read_bytes, validated
from hopper.config.model import HopperConfig
from hopper.config.yaml_text import parse_mapping
from hopper.errors import ConfigError

__all__ = ["INVENTORY_NAME", "Converted", "OpenJob", "convert"]

INVENTORY_NAME = "inventory.yml"
"""What the converted config calls the inventory, beside itself."""

_KNOWN: Mapping[str, tuple[str, ...]] = {
    "paths": ("inbox", "queue", "running", "done", "failed", "db", "log"),
    "poll": ("interval_seconds", "settle_seconds"),
    "dispatch": ("ssh_options", "transfer_mode", "remote_unpack_dirname", "launch"),
}
_WORKER_KEYS = ("name", "host", "user", "port", "inbox_dir", "outbox_dir")


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """What a jobhopper's config and database come to."""

    yaml_text: str
    """A ``hopper.yaml`` to be written into the same folder."""
    inventory_yaml_text: str
    """The inventory that it names."""
    open_jobs: tuple[OpenJob, ...]
    warnings: tuple[str, ...]
    """What was left out or could not be found, a line each."""


def convert(config_file: Path) -> Converted:
    """Return what a ``jobhopper.yaml`` and the database it names come to. Changes no file.

    ConfigError when the config is not one of jobhopper's, or says what hopper cannot do.
    """
    raw, _ = parse_mapping(read_bytes(config_file), str(config_file))
    warnings: list[str] = []
    kept = _known_keys(raw, config_file, warnings)
    paths = _group(kept, "paths")
    seed_db = str(paths.get("db", "./state/jobhopper.db"))
    paths["db"] = _folder_for(seed_db)
    kept["paths"] = paths
    config = _checked(kept, config_file)
    if not config.workers:
        warnings.append(f"{config_file} names no workers; add some with 'hopper workers add'")
    database = (config.source.parent / Path(seed_db).expanduser()).absolute()
    jobs: tuple[OpenJob, ...] = ()
    if database.is_file():
        jobs = open_jobs(database, config.paths, warnings)
    else:
        warnings.append(f"there is no database {database}, so no open jobs were taken over")
    return Converted(
        yaml_text=_config_text(kept, config_file.name),
        inventory_yaml_text=_inventory_text(config, config_file.name),
        open_jobs=jobs,
        warnings=tuple(warnings),
    )


def _known_keys(
    raw: Mapping[object, object], place: Path, warnings: list[str]
) -> dict[object, object]:
    """Return the config with only the keys that jobhopper had."""
    kept: dict[object, object] = {}
    for name, value in raw.items():
        if name == "workers":
            kept[name] = _workers(value, warnings)
        elif name not in _KNOWN or not isinstance(value, dict):
            warnings.append(f"{place}: {name} is no key of jobhopper's and was left out")
        else:
            kept[name] = {k: v for k, v in value.items() if k in _KNOWN[str(name)]}
            left = [k for k in value if k not in _KNOWN[str(name)]]
            warnings += [f"{place}: {name}.{k} is no key of jobhopper's; left out" for k in left]
    if not kept.keys() & {"paths", "workers"}:
        raise ConfigError(
            f"{place} is no jobhopper config: it has neither paths nor workers",
            way_out="name a jobhopper.yaml",
        )
    return kept


def _workers(value: object, warnings: list[str]) -> object:
    if not isinstance(value, list):
        return value
    kept: list[object] = []
    for worker in value:
        if not isinstance(worker, dict):
            return value
        left = [key for key in worker if key not in _WORKER_KEYS]
        warnings += [f"worker {worker.get('name')}: {key} was left out" for key in left]
        kept.append({key: item for key, item in worker.items() if key in _WORKER_KEYS})
    return kept


def _group(kept: Mapping[object, object], name: str) -> dict[object, object]:
    value = kept.get(name)
    return dict(value) if isinstance(value, dict) else {}


def _folder_for(seed_db: str) -> str:
    """Return a folder beside the seed's database file; the file itself is left alone."""
    parent, slash, name = seed_db.rpartition("/")
    folder = "db" if PurePosixPath(name).name != "db" else "hopper-db"
    return f"{parent}{slash}{folder}"


def _checked(kept: Mapping[object, object], place: Path) -> HopperConfig:
    try:
        return validated(kept, place)
    except InvalidConfig as error:
        raise InvalidConfig(
            error.problems, way_out="mend it there, then import it again"
        ) from error


def _config_text(kept: Mapping[object, object], name: str) -> str:
    body: dict[object, object] = {"inventory": INVENTORY_NAME}
    body.update((key, value) for key, value in kept.items() if key != "workers" and value)
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=1000)
    return (
        "---\n"
        f"# Made from {name} by 'hopper import'. All keys: docs/reference/config.md,\n"
        "# or 'hopper config show' for those in force.\n" + text
    )


def _inventory_text(config: HopperConfig, name: str) -> str:
    hosts = {worker.name: worker.host_variables() for worker in config.workers}
    group = {config.dispatch.workers_group: {"hosts": hosts}}
    text = yaml.safe_dump(group, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n# The workers of {name}.\n{text}"
