"""Reads the workers of an Ansible inventory, as Ansible itself resolves it.

A run of ``playbooks/workers.yml`` takes a second of CPU; what it said is kept and holds until a
file of the inventory changes, for scripts and inventory plugins a minute.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hopper.ansible import runs
from hopper.ansible.content import playbook
from hopper.ansible.inventory_sources import fingerprint, is_dynamic, missing
from hopper.ansible.runs import AnsibleSettings
from hopper.config.backends import Backend
from hopper.config.seed_worker import SeedWorker
from hopper.errors import ConfigError, HopperError
from hopper.model.worker import Worker

__all__ = ["backends_inventory", "fingerprint", "read_workers", "seed_inventory"]

DYNAMIC_SECONDS = 60.0
"""How long holds what a script or an inventory plugin said."""
PATIENCE = 120.0
"""Seconds that a reading may take."""
KEPT = 8
"""Readings of other inventories that are kept."""
BACKENDS_GROUP = "hopper_backends"
BACKENDS_FILE = "config-backends.json"
"""The inventory that hopper writes of the login nodes which the config names itself."""
LOCALHOST = "localhost"
VARIABLES = (
    "hopper_inbox",
    "hopper_outbox",
    "hopper_slots",
    "hopper_gpus",
    "hopper_tags",
    "hopper_drained",
)
_OTHER = frozenset({"hopper_hosts"})  # of the ad-hoc playbooks
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "off", "0", "n", "f"})


def read_workers(
    settings: AnsibleSettings, group: str, cache_folder: Path, *, may_be_empty: bool = False
) -> list[Worker]:
    """Return the workers of the inventory, the hosts of ``group``, in its order.

    Raises ConfigError, naming host and variable, where one of them is not right; where the
    inventory cannot be read; and for an empty group unless ``may_be_empty``.
    """
    if gone := missing(settings.inventory):
        raise ConfigError(
            f"the inventory {gone[0]} is not there",
            way_out="write it ('hopper init' makes one) or set 'inventory:' in the config",
        )
    roster = _roster(settings, group, cache_folder / "inventory")
    if not roster and not may_be_empty:
        raise ConfigError(
            f"group {group} has no hosts in {', '.join(settings.inventory)}",
            way_out=f"list the workers under {group}: there, or run 'hopper workers add'",
        )
    return [_worker(host, said) for host, said in roster.items()]


def seed_inventory(workers: Sequence[SeedWorker], group: str, folder: Path) -> Path:
    """Write the config's own workers as an inventory; return its path.

    The file is written anew only when it would say something else.
    """
    hosts = {worker.name: worker.host_variables() for worker in workers}
    return _written(group, hosts, folder / "config-workers.json")


def backends_inventory(backends: Sequence[Backend], folder: Path) -> Path:
    """Write the login nodes that the config names itself as an inventory; return its path.

    The file is written anew only when it would say something else.
    """
    hosts = {item.name: item.host_variables() for item in backends if item.host is None}
    if any(item.host == LOCALHOST for item in backends):
        hosts[LOCALHOST] = {"ansible_connection": "local"}
    return _written(BACKENDS_GROUP, hosts, folder / BACKENDS_FILE)


def _written(group: str, hosts: Mapping[str, object], path: Path) -> Path:
    text = json.dumps({group: {"hosts": hosts}}, indent=1)
    with suppress(OSError):
        if path.read_text("utf-8") == text:
            return path
    _write(path, text)
    return path


# --- what Ansible says


def _roster(settings: AnsibleSettings, group: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{_key(settings, group)}.json"
    longest = DYNAMIC_SECONDS if is_dynamic(settings.inventory) else None
    if (kept := _kept(path, longest)) is not None:
        return kept
    roster = _ask_ansible(settings, group, folder)
    # What went wrong may have been mended outside of the inventory.
    if all("error" not in said for said in roster.values()):
        _write(path, json.dumps(roster))
        _trim(folder)
    return roster


def _key(settings: AnsibleSettings, group: str) -> str:
    sources = list(settings.inventory)
    if settings.config_file is not None:
        sources.append(str(settings.config_file))
    parts = [fingerprint(sources), group, str(Path.cwd())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _kept(path: Path, longest: float | None) -> dict[str, Any] | None:
    try:
        if longest is not None and abs(time.time() - path.stat().st_mtime) > longest:
            return None
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _ask_ansible(settings: AnsibleSettings, group: str, folder: Path) -> dict[str, Any]:
    run_folder = runs.new_folder(folder)
    answer = run_folder / "workers.json"
    extravars = {"workers_group": group, "workers_file": str(answer)}
    run = runs.start(run_folder, playbook("workers"), extravars, settings)
    try:
        if not run.wait(PATIENCE):
            run.kill()
            raise ConfigError(
                f"the inventory {', '.join(settings.inventory)} took over {PATIENCE:.0f} s to read"
            )
        unread = _unread(run_folder)
        if run.failed or unread or not answer.exists():
            raise ConfigError(
                f"the inventory {', '.join(settings.inventory)} cannot be read: "
                f"{unread or run.said()}",
                way_out=f"see 'ansible-inventory -i {settings.inventory[0]} --list'",
            )
        document: dict[str, Any] = json.loads(answer.read_text("utf-8"))
        return document
    finally:
        run.remove()


def _unread(run_folder: Path) -> str:
    """Return what Ansible says of a source that it could not read; it only warns."""
    with suppress(OSError):
        text = (run_folder / "artifacts" / "run" / "stdout").read_text("utf-8", "replace")
        flat = " ".join(text.split())
        for mark in ("Failed to parse", "Unable to parse"):
            start = flat.find(mark)
            if start >= 0:
                return flat[start : start + 400].split(" [WARNING]")[0]
    return ""


def _trim(folder: Path) -> None:
    kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in kept[:-KEPT]:
        path.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise HopperError(f"cannot write {path}: {error.strerror or error}") from error


# --- what it means


def _worker(host: str, said: Mapping[str, Any]) -> Worker:
    if "error" in said:
        raise _wrong(host, str(said.get("variable")), str(said["error"]))
    values: Mapping[str, Any] = said["variables"]
    for name in values:
        if name.startswith("hopper_") and name not in VARIABLES and name not in _OTHER:
            hint = _nearest(name)
            raise ConfigError(f"host {host}: {name} is no variable of hopper's; {hint}")
    return Worker(
        name=host,
        address=_address(host, values),
        inbox=_path(host, values, "hopper_inbox", "~/Inbox"),
        outbox=_path(host, values, "hopper_outbox", "~/Outbox"),
        slots=_count(host, values, "hopper_slots", least=1, default=1),
        gpus=_count(host, values, "hopper_gpus", least=0, default=0),
        tags=_tags(host, values),
        drained=_flag(host, values, "hopper_drained"),
    )


def _nearest(name: str) -> str:
    # Without the prefix, which would make all of them alike.
    own = [variable.removeprefix("hopper_") for variable in VARIABLES]
    close = difflib.get_close_matches(name.removeprefix("hopper_"), own, n=1, cutoff=0.5)
    return f"did you mean hopper_{close[0]}?" if close else f"there are {', '.join(VARIABLES)}"


def _address(host: str, values: Mapping[str, Any]) -> str:
    if values.get("ansible_connection") == "local":
        return "local"
    user, port = values.get("ansible_user"), values.get("ansible_port")
    address = str(values.get("ansible_host") or host)
    return (f"{user}@" if user else "") + address + (f":{port}" if port else "")


def _path(host: str, values: Mapping[str, Any], name: str, default: str) -> str:
    value = values.get(name, default)
    if (
        not isinstance(value, str)
        or not value.isprintable()
        or not (value.startswith(("/", "~/")) or value == "~")
    ):
        raise _wrong(host, name, f"it must be an absolute path or begin with ~/, not {value!r}")
    return value


def _count(host: str, values: Mapping[str, Any], name: str, *, least: int, default: int) -> int:
    value = values.get(name, default)
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)  # a template gives text
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _wrong(host, name, f"it must be a whole number from {least}, not {value!r}")
    return value


def _tags(host: str, values: Mapping[str, Any]) -> frozenset[str]:
    value = values.get("hopper_tags", [])
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(
        isinstance(word, str) and word and not any(c.isspace() or c == "," for c in word)
        for word in words
    ):
        raise _wrong(host, "hopper_tags", f"it must be a list of words, not {value!r}")
    return frozenset(words)


def _flag(host: str, values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name, False)
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise _wrong(host, name, f"it must be true or false, not {value!r}")


def _wrong(host: str, variable: str, why: str) -> ConfigError:
    return ConfigError(f"host {host}: {variable}: {why}", way_out="mend it in the inventory")
