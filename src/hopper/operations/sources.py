"""The sources of the config: which workflow files they hold, as far as was last seen.

What was seen is kept in ``paths.db`` as ``sources.json``, which may be lost at any time.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hopper.config.model import HopperConfig
from hopper.config.workflows import Source
from hopper.errors import HopperError, NotThere
from hopper.model import wire
from hopper.operations.asking import Asking, find_backend
from hopper.operations.generate import SOURCE_TIME
from hopper.workflows import globs, shell

FILE_NAME = "sources.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """A source as it was last seen."""

    at: datetime
    sha: str = ""
    """The branch's newest commit; empty for a folder."""
    files: tuple[str, ...] = ()
    """The workflow files, below the source's folder."""
    more: bool = False
    """There are more files than hopper asks for."""
    error: str = ""
    """Why it could not be looked at; the rest is of the time before."""


def find_source(config: HopperConfig, name: str) -> Source:
    """Return the source of that name; UsageError where there is none."""
    for source in config.sources:
        if source.name == name:
            return source
    raise NotThere(
        f"there is no source {name!r} in {config.source}", way_out="see 'hopper source list'"
    )


def sync(config: HopperConfig, source: Source, asking: Asking, *, now: datetime) -> Synced:
    """Look at a source and keep what was seen; what went wrong is in the result's ``error``."""
    known = remembered(config)
    try:
        seen = _look(config, source, asking, now)
    except HopperError as error:
        before = known.get(source.name)
        seen = Synced(
            at=now,
            sha=before.sha if before else "",
            files=before.files if before else (),
            more=before.more if before else False,
            error=str(error),
        )
    _remember(config, {**known, source.name: seen})
    return seen


def _look(config: HopperConfig, source: Source, asking: Asking, now: datetime) -> Synced:
    backend = find_backend(config, source.backend, workers=True)
    step, work_dir = shell.list_files(source.workflows_glob), backend.work_dir
    if source.git is not None:
        clones = backend.clone_dir
        text = shell.in_clone(source.git, [step], clone_dir=clones, work_dir=work_dir)
    else:
        text = shell.in_folder(source.path or "~", [step], work_dir=work_dir)
    said = asking.ask(backend, text, git=source.git, within=SOURCE_TIME)
    fetched = shell.parse(said, f"{source.name} on {backend.name}")
    files = globs.match(source.workflows_glob, fetched.files)
    return Synced(at=now, sha=fetched.sha, files=files, more=fetched.more)


def remembered(config: HopperConfig) -> Mapping[str, Synced]:
    """Return what was last seen of the sources of the config, by name."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        said = json.loads((config.paths.db / FILE_NAME).read_bytes())
        names = {source.name for source in config.sources}
        return {name: wire.from_json(Synced, item) for name, item in said.items() if name in names}
    return {}


def _remember(config: HopperConfig, seen: Mapping[str, Synced]) -> None:
    folder = config.paths.db
    document = {name: wire.to_json(item) for name, item in seen.items()}
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{FILE_NAME}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file)
            Path(name).replace(folder / FILE_NAME)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
