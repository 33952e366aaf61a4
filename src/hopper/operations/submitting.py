"""Handing zips in: packed and checked first, all of them, then queued one by one."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hopper.bootstrap import commands
from hopper.bootstrap.state import read_state
from hopper.config.job_file import JobFile
from hopper.config.model import HopperConfig
from hopper.config.settings import problems
from hopper.dispatch.commands import arrival_to_json
from hopper.errors import HopperError, RejectedZip, UsageError
from hopper.home.at_home import FilesAtHome, arrival
from hopper.home.files import trouble
from hopper.home.pack import pack_command, pack_folder
from hopper.model.ids import new_job_id
from hopper.model.job import JobSpec
from hopper.operations.asking import find_backend
from hopper.operations.finding import job_before
from hopper.store.errors import NoAnswer

if TYPE_CHECKING:
    from hopper.dispatch.ports import Arrival
    from hopper.store.state import StateStore

Stage = Callable[[str, Path, Path | None], contextlib.AbstractContextManager[None]]
"""Shows a person that something goes on: what is done, to which file, and its copy if one grows."""


_OPTIONS = {"time_limit": "time-limit", "tags": "tag", "results": "result"}
"""Keys of a job file whose options are called otherwise."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What is to be queued."""

    sources: tuple[Path, ...] = ()
    """Zips and folders."""
    argv: tuple[str, ...] = ()
    """A command, in place of sources."""
    include: tuple[Path, ...] = ()
    wishes: JobFile = field(default_factory=JobFile)
    """Put over what the zips say."""
    hold: bool = False
    backend: str | None = None
    """Its name; None for the workers."""
    by: str | None = None
    """Who hands it in; None for the person whose process this is."""


@dataclass(frozen=True, kw_only=True)
class Queued:
    """A job that was queued."""

    job: str
    name: str
    state: str
    reason: str = ""
    packed: tuple[str, ...] = ()
    """Files that were packed because the command names them."""


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """A zip that is fit to be queued."""

    path: Path
    arrival: Arrival
    packed: tuple[str, ...] = ()


def wishes(said: Mapping[str, object]) -> JobFile:
    """Return what options say of a job; UsageError where one is wrong."""
    try:
        return JobFile.model_validate(
            {key: value for key, value in said.items() if value not in (None, (), {})}
        )
    except ValidationError as error:
        (place, *_), text = problems(error, JobFile)[0]
        option = _OPTIONS.get(str(place), str(place))
        raise UsageError(f"--{option}{text.removeprefix(str(place))}") from error


def wanted(said: Mapping[str, object]) -> JobFile:
    """Return what is said of a job by the keys of a job file; UsageError where one is wrong."""
    try:
        return JobFile.model_validate(said)
    except ValidationError as error:
        raise UsageError(problems(error, JobFile)[0][1]) from error


def submit(config: HopperConfig, submission: Submission, stage: Stage) -> list[Queued]:
    """Queue all of it; nothing is queued when one of the zips is not fit to be sent.

    Raises RejectedZip as UsageError, UnknownJob for an ``after`` that is no job, and what
    packing, copying and the store raise.
    """
    submission = replace(submission, backend=_batch_system(config, submission))
    home = FilesAtHome(config)
    with trouble(f"cannot pack in {config.paths.db}"):
        config.paths.db.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".packing-", dir=config.paths.db)
    with scratch as folder, read_state(config) as store:
        ready = _prepare(config, submission, home, store, Path(folder), stage)
        return [_queue(config, home, store, item, stage, submission) for item in ready]


def _batch_system(config: HopperConfig, submission: Submission) -> str:
    """Return the batch system that is meant; empty for the workers. UsageError."""
    name, said = submission.backend, submission.wishes
    backend = find_backend(config, name, workers=True) if name is not None else None
    if backend is not None and not backend.workers:
        return backend.name
    if said.cpus is not None or said.memory is not None or said.partition is not None:
        raise UsageError(
            "--cpus, --memory and --partition are for clusters; workers know nothing of them",
            way_out="name a cluster with --backend",
        )
    return ""


def _check_tags(what: str, spec: JobSpec, backend: str) -> None:
    tags = spec.requirements.tags
    if backend and tags:
        raise UsageError(
            f"{what} asks for a worker with {', '.join(sorted(tags))}; {backend} has no workers",
            way_out="leave out the tags, or --backend",
        )


def _prepare(
    config: HopperConfig,
    submission: Submission,
    home: FilesAtHome,
    store: StateStore,
    folder: Path,
    stage: Stage,
) -> list[_Ready]:
    ready: list[_Ready] = []
    backend = submission.backend or ""
    for path, name, packed in _zips(config, submission, folder, stage):
        try:
            with stage("checking", path, None):
                facts = home.inspect(path)
            spec = submission.wishes.over(home.spec_of(facts, name))
        except RejectedZip as error:
            raise UsageError(f"{path.name}: {error}") from error
        _check_tags(path.name, spec, backend)
        earlier = {item.arrival.spec.name: item.arrival.job_id for item in ready}
        before = [earlier.get(other) or job_before(store, other) for other in spec.after]
        spec = replace(spec, after=tuple(dict.fromkeys(before)))
        job_id = new_job_id(spec.name, secrets.choice)
        source = name if packed is not None else path.name
        ready.append(
            _Ready(
                path=path,
                arrival=arrival(job_id, spec, source, facts, backend),
                packed=packed or (),
            )
        )
    return ready


def _zips(
    config: HopperConfig, submission: Submission, folder: Path, stage: Stage
) -> list[tuple[Path, str, tuple[str, ...] | None]]:
    """Return each zip with its job's name, and what was packed of itself if it was packed."""
    own = [path for _, path in config.paths]
    if submission.argv:
        name = _name_of(submission.argv)
        target = folder / f"{name[:100]}.zip"
        with stage("packing", target, target):
            packed = pack_command(
                submission.argv,
                submission.include,
                submission.wishes.to_yaml(),
                target,
                exclude=own,
            )
        return [(target, name, packed.automatic)]
    found: list[tuple[Path, str, tuple[str, ...] | None]] = []
    for number, source in enumerate(submission.sources):
        if source.is_dir():
            name = source.resolve().name
            target = folder / f"{number}.zip"
            with stage("packing", source, target):
                pack_folder(source, target, exclude=own)
            found.append((target, name, ()))
        else:
            found.append((source, source.name.removesuffix(".zip"), None))
    return found


def _name_of(argv: Sequence[str]) -> str:
    """Return a job's name from its command: that of the script, not of what runs it."""
    files = [word for word in argv if not word.startswith("-") and Path(word).is_file()]
    return Path(files[0] if files else argv[0]).stem or "command"


def _queue(
    config: HopperConfig,
    home: FilesAtHome,
    store: StateStore,
    item: _Ready,
    stage: Stage,
    submission: Submission,
) -> Queued:
    new = item.arrival
    with stage("copying", item.path, config.paths.queue / f".{new.job_id}.zip"):
        copy = home.hand_in(item.path, new.job_id)
    try:
        asked = {"hold": submission.hold, **commands.asked_by(submission.by)}
        answer = commands.give(config, {"do": "submit", **asked, **arrival_to_json(new)})
    except NoAnswer:
        # It may have been heard all the same.
        store.refresh()
        if new.job_id not in store.jobs:
            copy.unlink(missing_ok=True)
            raise
        answer = {"state": str(store.jobs[new.job_id].state)}
    except HopperError:
        copy.unlink(missing_ok=True)
        raise
    return Queued(
        job=new.job_id,
        name=new.spec.name,
        state=str(answer.get("state", "pending")),
        reason=str(answer.get("reason", "")),
        packed=item.packed,
    )
