"""``hopper demo``: three small real jobs on two workers on this machine, from zip to result."""

from __future__ import annotations

import itertools
import secrets
import signal
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml
from rich.table import Table
from rich.text import Text

from hopper.cli.common import console, examples, grid, state_text, table
from hopper.config.load import FILE_NAME, load
from hopper.documents.words import duration, printable
from hopper.errors import UsageError
from hopper.model.job import Job
from hopper.model.states import JobState

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.store.state import StateStore

JOBS = ("pi", "primes", "words")
WORKERS = ("here-1", "here-2")
INVENTORY = "inventory.yml"
ANSWER = "answer.txt"
"""What each job leaves in its results, one line."""
LONGEST_ANSWER = 1000


@click.command(epilog=examples("hopper demo", "hopper demo --dir /tmp/look"))
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("hopper-demo"),
    show_default=True,
    help="Where everything goes; a fresh folder in it when it is there already.",
)
@click.pass_context
def command(ctx: click.Context, *, folder: Path) -> None:
    """Run three small jobs on this machine, and show their results.

    They go through the real thing: a config, two workers, dispatch, results brought home.

    Exit code 1 when a job does not complete.
    """
    place = _fresh(folder)
    config = _write_settings(place)
    click.echo(f"three jobs for two workers on this machine, in {place}", err=True)
    submit(config, place)
    jobs = _dispatch(config)
    _show_results(config, jobs)
    well = len(jobs) == len(JOBS) and all(job.state is JobState.COMPLETED for job in jobs)
    if well:
        click.echo(f"\nLook around: cd {place} && hopper show pi")
    ctx.exit(0 if well else 1)


# --- setting up


def _fresh(folder: Path) -> Path:
    """Make the folder, or a fresh one in it."""
    tries = itertools.chain([folder], (folder / f"run-{n}" for n in itertools.count(2)))
    for place in tries:
        try:
            place.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"cannot make {place}: {error.strerror}") from error
        return place
    raise AssertionError  # numbers never end


def _write_settings(place: Path) -> HopperConfig:
    """Write a config and an inventory of two local workers, and make their folders."""
    hosts = {}
    for name in WORKERS:
        base = place.absolute() / "workers" / name
        for part in ("Inbox", "Outbox"):
            (base / part).mkdir(parents=True, mode=0o700)
        hosts[name] = {
            "ansible_connection": "local",
            "hopper_inbox": str(base / "Inbox"),
            "hopper_outbox": str(base / "Outbox"),
        }
    _write(place / INVENTORY, {"hopper_workers": {"hosts": hosts}})
    _write(place / FILE_NAME, {"inventory": INVENTORY, "poll": {"interval_seconds": 1}})
    return load(place / FILE_NAME)


def _write(path: Path, document: Mapping[str, object]) -> None:
    path.write_text("---\n" + yaml.safe_dump(document, sort_keys=False, width=1000), "utf-8")


def submit(config: HopperConfig, place: Path) -> None:
    """Pack the three jobs and hand them in, as ``hopper submit`` does."""
    from hopper.bootstrap import commands
    from hopper.dispatch.commands import arrival_to_json
    from hopper.home.at_home import FilesAtHome, arrival
    from hopper.home.pack import pack_folder
    from hopper.model.ids import new_job_id

    zips = place / "jobs"
    zips.mkdir()
    home = FilesAtHome(config)
    for name in JOBS:
        zip_path = zips / f"{name}.zip"
        with as_file(files("hopper.cli") / "demo_jobs" / name) as source:
            pack_folder(source, zip_path)
        facts = home.inspect(zip_path)
        job_id = new_job_id(name, secrets.choice)
        home.hand_in(zip_path, job_id)
        body = arrival_to_json(arrival(job_id, home.spec_of(facts, name), zip_path.name, facts))
        commands.give(config, {"do": "submit", **body})


# --- watching


@dataclass
class Screen:
    """The jobs as last seen, to be drawn at any time."""

    jobs: list[Job] = field(default_factory=list)

    def __rich__(self) -> Table:
        now = datetime.now(UTC)
        rows: list[list[str | Text]] = [
            [job.name, state_text(job), _worker(job), duration(_seconds(job, now))]
            for job in self.jobs
        ]
        return grid(("JOB", "STATE", "WORKER", ">TIME"), rows)


def _dispatch(config: HopperConfig) -> list[Job]:
    """Run the dispatcher until nothing is left to do; return the jobs as they ended."""
    from hopper.bootstrap.dispatcher import Listener, dispatch
    from hopper.dispatch.drive import Stop, Until

    stop = Stop()
    seen: list[Job] = []
    with _ended_by(stop), _watching() as draw:

        def after_tick(store: StateStore) -> None:
            seen[:] = sorted(store.jobs.values(), key=lambda job: job.submitted_at)
            draw(seen)

        dispatch(
            config,
            until=Until.IDLE,
            stop=stop,
            listener=Listener(
                on_event=lambda _: None,
                on_trouble=lambda text: click.echo(f"hopper: {printable(text)}", err=True),
                after_tick=after_tick,
            ),
        )
    return seen


@contextmanager
def _ended_by(stop: Callable[[], None]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


@contextmanager
def _watching() -> Iterator[Callable[[list[Job]], None]]:
    """Give what draws the jobs: a table in place on a terminal, a line a change in a pipe."""
    if not sys.stdout.isatty():
        told: dict[str, JobState] = {}

        def tell(jobs: list[Job]) -> None:
            for job in jobs:
                if told.get(job.id) is not job.state:
                    told[job.id] = job.state
                    where = f" on {_worker(job)}" if job.attempt is not None else ""
                    click.echo(f"{job.name}: {job.state}{where}")

        yield tell
        return
    from rich.live import Live

    screen = Screen()

    def draw(jobs: list[Job]) -> None:
        # Another list, since it is drawn in a thread of its own.
        screen.jobs = list(jobs)

    with Live(screen, console=console(), refresh_per_second=8, transient=True):
        yield draw


def _worker(job: Job) -> str:
    return job.attempt.worker if job.attempt is not None else "-"


def _seconds(job: Job, now: datetime) -> float:
    attempt = job.attempt
    began = (attempt.started_at or attempt.intended_at) if attempt is not None else None
    end = attempt.ended_at if attempt is not None else None
    return ((end or now) - began).total_seconds() if began is not None else 0.0


# --- what came home


def _show_results(config: HopperConfig, jobs: list[Job]) -> None:
    now = datetime.now(UTC)
    rows: list[list[str | Text]] = []
    for job in jobs:
        paths = result_paths(config, job)
        answer = next((text for path in paths if (text := answer_in(path))), job.reason)
        rows.append([job.name, state_text(job), _worker(job), duration(_seconds(job, now)), answer])
    if sys.stdout.isatty():
        click.echo()
    table(("JOB", "STATE", "WORKER", ">TIME", "ANSWER"), rows, empty="no jobs")
    click.echo("\nresults:")
    for job in jobs:
        for path in result_paths(config, job):
            click.echo(f"  {_short(path)}")


def result_paths(config: HopperConfig, job: Job) -> list[Path]:
    """Return where the results of a job's last attempt lie at home."""
    results = job.attempt.results if job.attempt is not None else ()
    return [config.paths.inbox / result.name for result in results]


def answer_in(path: Path) -> str:
    """Return the line that a job left as its answer in a result zip; empty when there is none."""
    with suppress(OSError, zipfile.BadZipFile, KeyError), zipfile.ZipFile(path) as results:
        for name in results.namelist():
            if name.rpartition("/")[2] == ANSWER:
                with results.open(name) as file:
                    return file.read(LONGEST_ANSWER).decode("utf-8", "replace").strip()
    return ""


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
