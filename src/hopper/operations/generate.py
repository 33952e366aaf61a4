"""From a workflow to a run that can be entered: its tasks are read at home or got from a backend.

A workflow is one of the config (a command that prints tasks), a file of a source, or a file at
home.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hopper.bootstrap import commands
from hopper.config.backends import Backend
from hopper.config.model import HopperConfig
from hopper.config.names import nearest
from hopper.config.workflows import GitClone, Source, Workflow
from hopper.dispatch.run_acts import NewRun
from hopper.errors import NotThere, UsageError
from hopper.model.ids import new_job_id
from hopper.model.run import GitVersion, Run
from hopper.operations.asking import Asking, find_backend
from hopper.workflows import globs, shell
from hopper.workflows.documents import LARGEST, Document, parse
from hopper.workflows.planning import plan_run

SOURCE_TIME = timedelta(minutes=10)
"""What a clone of a source may take."""


# --- which workflow is meant


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Where the tasks of a run come from: one of ``file``, ``workflow`` and ``source``."""

    name: str
    """What the run's workflow is called."""
    backend: Backend
    file: Path | None = None
    """A file at home."""
    workflow: Workflow | None = None
    source: Source | None = None
    source_file: str = ""
    """Below the source's folder."""

    @property
    def git(self) -> GitClone | None:
        """The repository that it is from, if any."""
        owner = self.workflow or self.source
        return owner.git if owner is not None else None

    @property
    def max_concurrent(self) -> int | None:
        """What the config says of tasks at a time."""
        owner = self.workflow or self.source
        return owner.max_concurrent if owner is not None else None


def find_recipe(
    config: HopperConfig, reference: str, backend: str | None, *, files: bool = True
) -> Recipe:
    """Return the workflow that a person means.

    Args:
        config: the config.
        reference: the name of a workflow of the config, ``SOURCE:FILE``, or a file at home.
        backend: where the tasks of a file at home run; may be left out when there is but one.
        files: whether a file at home may be meant, which only somebody at home may ask for.

    Raises UsageError where it is none of these, or the backend does not fit.
    """
    for workflow in config.workflows:
        if workflow.name == reference:
            own = _own_backend(config, workflow.backend, backend, reference)
            return Recipe(name=reference, backend=own, workflow=workflow)
    name, colon, file = reference.partition(":")
    for source in config.sources:
        if colon and source.name == name:
            own = _own_backend(config, source.backend, backend, reference)
            return Recipe(name=reference, backend=own, source=source, source_file=_plain(file))
    path = Path(reference).expanduser()
    if files and path.is_file():
        place = find_backend(config, backend, workers=True)
        return Recipe(name=path.stem, backend=place, file=path)
    names = [workflow.name for workflow in config.workflows]
    hint = nearest(reference, names, "workflows") if names else "the config has no workflows"
    raise NotThere(
        f"there is no workflow, no SOURCE:FILE and no file {reference!r}; {hint}",
        way_out="see 'hopper workflow list'",
    )


def _plain(file: str) -> str:
    found = globs.match("**", [file])
    if not found:
        raise UsageError(f"{file!r} is no file below a source's folder")
    return found[0]


def _own_backend(config: HopperConfig, own: str, said: str | None, reference: str) -> Backend:
    if said is not None and said != own:
        raise UsageError(f"{reference} runs on {own}, not on {said}")
    return find_backend(config, own, workers=True)


# --- its tasks


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """The tasks of a workflow as they were found now."""

    recipe: Recipe
    document: Document
    git: GitVersion | None = None
    base: str = ""
    """The folder that relative working folders are below, without a repository."""
    files: Path | None = None
    """The folder at home that inputs are below; None where there is none."""


def draft(recipe: Recipe, asking: Asking) -> Draft:
    """Get the tasks of a workflow. InvalidWorkflow, SourceError, HopperError."""
    if recipe.file is not None:
        return Draft(recipe=recipe, document=parse(_content(recipe.file), recipe.file.name))
    if recipe.workflow is not None:
        login_shell = recipe.backend.login_shell
        step = shell.run_command(recipe.workflow.command, login_shell=login_shell)
        folder, within = asking.folder(recipe.backend), recipe.workflow.timeout
    else:
        step = shell.read_file(recipe.source_file)
        folder, within = _folder(recipe.source), SOURCE_TIME
    fetched = _fetch(recipe, step, asking, folder=folder, within=within)
    git = _version(recipe, fetched.sha)
    return Draft(
        recipe=recipe,
        document=parse(fetched.content, recipe.source_file or recipe.name),
        git=git,
        files=_at_home(git.folder if git is not None else folder, recipe.backend),
        base="" if recipe.workflow is not None or recipe.git is not None else folder,
    )


def _at_home(folder: str, backend: Backend) -> Path | None:
    """Return the folder as one at home, where workflows for the workers have theirs."""
    return Path(folder).expanduser() if backend.workers else None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _folder(source: Source | None) -> str:
    return source.path if source is not None and source.path is not None else "~"


def _fetch(
    recipe: Recipe, step: str, asking: Asking, *, folder: str, within: timedelta
) -> shell.Fetched:
    backend, git = recipe.backend, recipe.git
    if git is None:
        text = shell.in_folder(folder, [step], work_dir=backend.work_dir)
    else:
        text = shell.in_clone(git, [step], clone_dir=backend.clone_dir, work_dir=backend.work_dir)
    said = asking.ask(backend, text, git=git, within=within)
    return shell.parse(said, f"{recipe.name} on {backend.name}")


def _version(recipe: Recipe, sha: str) -> GitVersion | None:
    git = recipe.git
    if git is None:
        return None
    folder = shell.clone_folder(git, recipe.backend.clone_dir, sha)
    home = _at_home(folder, recipe.backend)
    return GitVersion(
        repo=git.repo,
        branch=git.branch,
        sha=sha,
        folder=str(home or folder),
        size=_size(home) if home is not None else 0,
    )


def _size(folder: Path) -> int:
    """Return about how many bytes go into the zip of each task; what is odd is told by packing."""
    files = (path for path in folder.rglob("*") if ".git" not in path.parts and path.is_file())
    return sum(path.stat().st_size for path in files)


def plan(
    config: HopperConfig,
    drawn: Draft,
    *,
    now: datetime,
    most: int | None = None,
    array: str | None = None,
    user: str | None = None,
) -> NewRun:
    """Return the run that a draft comes to. InvalidWorkflow, UsageError.

    ``most`` (tasks at a time) and ``array`` (``auto`` or ``never``) go before what the workflow
    and the config say; ``user`` is who asks for it, if not the person whose process this is.
    """
    recipe, document = drawn.recipe, drawn.document
    owner = recipe.workflow or recipe.source
    run = Run(
        id=new_job_id(recipe.name, secrets.choice),
        workflow=recipe.name,
        backend=recipe.backend.name,
        on_workers=recipe.backend.workers,
        created_at=now,
        max_concurrent=most or document.max_concurrent or recipe.max_concurrent,
        array=array or document.array,
        git=drawn.git,
        base=drawn.base,
        description=document.description or (owner.description if owner is not None else ""),
        user=user if user is not None else commands.person(),
        warnings=document.warnings,
    )
    return plan_run(
        document,
        run,
        recipe.backend,
        environments=config.environments,
        retries=config.dispatch.retries,
        files=config.source.parent if recipe.file is not None else drawn.files,
    )
