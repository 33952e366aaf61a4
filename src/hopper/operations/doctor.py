"""What ``hopper doctor`` and ``hopper workers check`` look at. Everything here changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from hopper.ansible.content import collection_folder, playbook_path
from hopper.ansible.inventory import BACKENDS_FILE
from hopper.ansible.looks import Look, look
from hopper.ansible.roster import Reading
from hopper.bootstrap import inventory
from hopper.bootstrap.settings import ansible_settings
from hopper.bootstrap.state import dispatching, read_state
from hopper.config.dispatch import TransferMode
from hopper.config.model import HopperConfig
from hopper.errors import HopperError, NotThere
from hopper.model.worker import Worker
from hopper.operations.asking import Asking
from hopper.operations.backend_looks import BackendCheck
from hopper.operations.backend_looks import check as check_backend
from hopper.store.check import check as check_store

LOOKS = "looks"
"""The folder in ``paths.db`` of the runs that look at workers."""
SKEW = 60.0
"""Seconds that a clock may differ before it is spoken of."""
_LOCAL = "local"
_ADVICE = (
    ("Host key verification failed", "log in once with ssh and compare the key it shows"),
    ("REMOTE HOST IDENTIFICATION", "its host key has changed: see 'ssh-keygen -R'"),
    ("Permission denied", "put your public key there: ssh-copy-id"),
    ("Could not resolve", "mend ansible_host in the inventory"),
    ("No route", "mend ansible_host in the inventory, or the network"),
    ("refused", "is sshd running there, on that port?"),
    ("timed out", "is it switched on, and reachable from here?"),
)


class Verdict(StrEnum):
    """How a check came out."""

    GOOD = "good"
    WARNING = "warning"
    """Works, but should be known."""
    BAD = "bad"
    """Jobs will not get through."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at."""

    subject: str
    verdict: Verdict
    said: str
    """What was found, in words."""
    way_out: str = ""


def good(subject: str, said: str) -> Check:
    """Return a check that came out well."""
    return Check(subject=subject, verdict=Verdict.GOOD, said=said)


def warning(subject: str, said: str, way_out: str = "") -> Check:
    """Return a check with something that should be known."""
    return Check(subject=subject, verdict=Verdict.WARNING, said=said, way_out=way_out)


def bad(subject: str, said: str, way_out: str = "") -> Check:
    """Return a check that came out badly."""
    return Check(subject=subject, verdict=Verdict.BAD, said=said, way_out=way_out)


def examine(config: HopperConfig) -> Iterator[Check]:
    """Yield everything there is to check, each as soon as it is known."""
    yield good("config", str(config.source))
    yield from _folders(config)
    yield _disk(config)
    yield from _ansible()
    yield from _state(config)
    try:
        reading = inventory.read_inventory(config)
    except HopperError as error:
        yield bad("inventory", error.what, error.way_out)
        yield from _programs(config, remote=True)
        return
    remote = any(worker.address != _LOCAL for worker in reading.workers.values())
    yield from _programs(config, remote=remote)
    yield good("inventory", f"{_count(len(reading.workers), 'worker')}, {_sources(reading)}")
    yield from _workers(config, reading)
    yield from _backends(config)


# --- at home


def _folders(config: HopperConfig) -> Iterator[Check]:
    paths = config.paths
    wrong = False
    for name in type(paths).model_fields:
        place: Path = getattr(paths, name)
        problem = unwritable(place.parent if name == "log" else place)
        if problem:
            wrong = True
            yield bad(f"paths.{name}", problem, f"make it yours, or set paths.{name}")
    if not wrong:
        yield good("folders", "all can be written to")


def unwritable(folder: Path) -> str:
    """Return why a folder cannot be written to, or could not be made; empty when all is well."""
    place = _existing(folder)
    if not place.is_dir():
        return f"{place} is no folder"
    if not os.access(place, os.W_OK | os.X_OK):
        made = "" if place == folder else f", so {folder} cannot be made"
        return f"{place} cannot be written to{made}"
    return ""


def _existing(path: Path) -> Path:
    return next((p for p in (path, *path.parents) if p.exists()), Path("/"))


def _disk(config: HopperConfig) -> Check:
    place = _existing(config.paths.inbox)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return bad("disk", f"{place}: {error.strerror}")
    said = f"{free / 1e9:.1f} GB free at home"
    if free < config.disk.home_low:
        low = f"{said}, less than disk.home_low ({config.disk.home_low / 1e9:.1f} GB)"
        return bad("disk", low, "results stay on the workers until there is room")
    return good("disk", said)


def _ansible() -> Iterator[Check]:
    try:
        playbook_path("sweep")
        yield good(
            "ansible", f"ansible-core {version('ansible-core')}, content in {collection_folder()}"
        )
    except HopperError as error:
        yield bad("ansible", error.what, error.way_out)


def _programs(config: HopperConfig, *, remote: bool) -> Iterator[Check]:
    wanted = [("ssh", "openssh-client")] if remote else []
    if config.dispatch.transfer_mode is TransferMode.RSYNC:
        wanted.append(("rsync", "rsync"))
    for program, package in wanted:
        found = shutil.which(program)
        if found is None:
            yield bad(program, "is not here", f"install {package}")
        else:
            yield good(program, found)


def _state(config: HopperConfig) -> Iterator[Check]:
    folder = config.paths.db
    if not folder.is_dir():
        yield good("state", f"none yet; it will be in {folder}")
        return
    findings = check_store(folder)
    for finding in findings:
        place = f"{finding.file}:{finding.line}" if finding.line else str(finding.file)
        said = f"{place}: {finding.what}"
        make = warning if finding.harmless else bad
        yield make("state", said, finding.way_out)
    if not findings:
        yield good("state", f"{folder} is sound")
    yield _dispatcher(config)
    if not findings:
        with read_state(config) as store:
            if store.settings.get("paused"):
                yield warning("paused", "nothing is launched", "'hopper workers resume'")


def _dispatcher(config: HopperConfig) -> Check:
    held = dispatching(config)
    if held is None:
        return warning("dispatch", "does not run", "'hopper dispatch', or 'hopper service install'")
    return good("dispatch", f"runs, pid {held.pid} on {held.host} since {held.started}")


# --- backends


def _backends(config: HopperConfig) -> Iterator[Check]:
    with Asking(config) as asking:
        for backend in config.backends:
            if backend.workers:
                continue
            try:
                yield of_backend(check_backend(config, backend, asking))
            except HopperError as error:
                yield bad(backend.name, error.what, error.way_out)


def of_backend(seen: BackendCheck) -> Check:
    """Return what a look at a backend comes to."""
    said = [seen.error, *(f"missing: {item}" for item in seen.missing), *seen.advice]
    text = "; ".join(part for part in said if part)
    if not seen.ok:
        return bad(seen.backend, text)
    free = "" if seen.free_bytes is None else f", {seen.free_bytes / 1e9:.1f} GB free"
    return warning(seen.backend, text) if text else good(seen.backend, f"ready{free}")


# --- workers


def look_at(
    config: HopperConfig, reading: Reading, names: Sequence[str] = (), *, make: bool = False
) -> list[Look]:
    """Look at workers, all when none is named; ``make`` makes their folders. HopperError."""
    settings = replace(ansible_settings(config), inventory=reading.sources.paths)
    chosen = [worker.name for worker in chosen_workers(reading, names)]
    return look(settings, chosen, config.paths.db / LOOKS, make=make)


def chosen_workers(reading: Reading, names: Sequence[str]) -> list[Worker]:
    """Return the workers of those names, all for none. UsageError for one that is not there."""
    unknown = [name for name in names if name not in reading.workers]
    if unknown:
        known = ", ".join(list(reading.workers)[:8])
        raise NotThere(f"no worker {', '.join(unknown)}", way_out=f"there are {known}")
    return [reading.workers[name] for name in dict.fromkeys(names)] or [*reading.workers.values()]


def _workers(config: HopperConfig, reading: Reading) -> Iterator[Check]:
    try:
        looks = look_at(config, reading)
    except HopperError as error:
        yield bad("workers", error.what, error.way_out)
        return
    for seen in looks:
        yield of_worker(seen, reading.workers[seen.worker])


def of_worker(seen: Look, worker: Worker) -> Check:
    """Return what a look at a worker comes to."""
    subject = seen.worker
    if seen.unreachable:
        return bad(subject, seen.unreachable, _mend(seen.unreachable))
    if seen.missing:
        folders = any("Inbox" in text or "Outbox" in text for text in seen.missing)
        setup = f"'hopper workers setup {subject}'" if folders else "install it there"
        return bad(subject, "; ".join(seen.missing), setup)
    notes = [*seen.advice, *_skew(seen)]
    if worker.drained:
        notes.append("drained: takes no new jobs")
    make: Callable[[str, str], Check] = warning if notes else good
    return make(subject, "; ".join(notes) or _facts(seen))


def _skew(seen: Look) -> list[str]:
    skew = seen.clock_skew
    if skew is None or abs(skew) < SKEW:
        return []
    return [f"its clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"]


def _facts(seen: Look) -> str:
    free = "" if seen.free_bytes is None else f", {seen.free_bytes / 1e9:.1f} GB free"
    return f"ready{free}, unpacks by {seen.tools.get('unpacker')}"


def _mend(said: str) -> str:
    return next((way_out for mark, way_out in _ADVICE if mark.lower() in said.lower()), "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sources(reading: Reading) -> str:
    names = [Path(path).name for path in reading.sources.paths]
    return ", ".join(name for name in names if name != BACKENDS_FILE) or "no file"
