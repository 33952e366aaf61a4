"""The composition root: the only place where ports meet adapters.

What only some commands need is imported where it is: a look at the state is to be quick.
"""

from __future__ import annotations

import secrets
import select
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hopper.config.launch_template import DEFAULT_TEMPLATE, shell_line
from hopper.config.model import HopperConfig
from hopper.dispatch.ports import Letter, NoFleet, NoRoster, OrderSettings, Upkeeping
from hopper.dispatch.settings import BackOff, PolicySettings
from hopper.errors import ConfigError, HopperError, UsageError
from hopper.model.batch import AnyOrder, AnyReport, BatchOrder, BatchReport
from hopper.model.event import Event
from hopper.model.ids import ATTEMPT_ID, JOB_ID
from hopper.model.job import Job
from hopper.model.orders import Order, Report
from hopper.store.errors import LockHeld
from hopper.store.lock import Holder, StateLock, holder
from hopper.store.mailbox import ANSWER_SECONDS, Command, Doorbell, Mailbox, ask
from hopper.store.state import StateStore

if TYPE_CHECKING:
    from hopper.ansible.roster import InventoryRoster, Reading
    from hopper.ansible.runs import AnsibleSettings
    from hopper.ansible.sweep import Sources, SweepSettings
    from hopper.backends.systems import Systems
    from hopper.dispatch.drive import Stop, Until
    from hopper.dispatch.loop import Dispatcher
    from hopper.home.at_home import FilesAtHome

RUNS = "runs"
SCRIPTS = "scripts"
"""Folder below ``paths.db`` of the scripts that were submitted."""
LOOKS = "looks"
"""Folder below ``paths.db`` of the runs of commands that only look."""
DAY = 86_400.0
DISPATCH_COMMAND = "hopper dispatch"
LOCK_PATIENCE = 5.0
"""Seconds to wait for another short command to let go of the state folder."""
GLANCE = 0.1
"""Seconds between glances at whether the queue folder has changed."""
JOB_SECONDS = 0.01
"""What a command may take the dispatcher for each job that it names."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


# --- settings


def ansible_settings(config: HopperConfig) -> AnsibleSettings:
    """Return what every playbook run is started with."""
    from hopper.ansible.runs import AnsibleSettings

    own = config.source.parent / "ansible.cfg"
    dispatch = config.dispatch
    return AnsibleSettings(
        inventory=config.inventory,
        config_file=own if own.is_file() else None,
        ssh_options=dispatch.ssh_options,
        connect_timeout=max(1, int(dispatch.connect_timeout.total_seconds())),
        keep_connections=max(300, int(3 * config.poll.interval_seconds)),
    )


def policy_settings(config: HopperConfig) -> PolicySettings:
    """Return what of the config the policy depends on."""
    dispatch = config.dispatch
    back_off, quarantine = dispatch.backoff, dispatch.quarantine
    return PolicySettings(
        max_concurrent=dispatch.max_concurrent,
        default_time_limit=dispatch.time_limit,
        grace=dispatch.cancel_grace,
        retry=BackOff(
            first=back_off.first,
            factor=back_off.factor,
            longest=back_off.longest,
            jitter=back_off.jitter,
        ),
        quarantine_after=quarantine.after_jobs,
        quarantine=BackOff(first=quarantine.first, longest=quarantine.longest),
        keep_failed=dispatch.keep_failed,
        lost_after=dispatch.lost_after,
        settle_seconds=config.poll.settle_seconds,
        settle_timeout=dispatch.settle_timeout,
        poll_longest=timedelta(seconds=config.poll.interval_seconds),
        bulk_limit=dispatch.bulk_limit,
    )


def order_settings(config: HopperConfig) -> OrderSettings:
    """Return what of the config goes into every order."""
    dispatch = config.dispatch
    template = dispatch.launch
    return OrderSettings(
        command=template.shell_line,
        # A template that runs no run_job.sh is for zips of another make.
        task_command="" if template.needs_run_job else shell_line(DEFAULT_TEMPLATE),
        unpack_dirname=dispatch.remote_unpack_dirname,
        transfer_mode=str(dispatch.transfer_mode),
        inline_limit=dispatch.inline_limit,
        bulk_limit=dispatch.bulk_limit,
        deadline=dispatch.order_timeout,
        home_low=config.disk.home_low,
    )


def sweep_settings(config: HopperConfig, notify: Path | None, name: str = RUNS) -> SweepSettings:
    """Return how sweeps are run; ``name`` is the folder of their runs below ``paths.db``."""
    from hopper.ansible.sweep import SweepSettings

    return SweepSettings(
        ansible=ansible_settings(config),
        folder=config.paths.db / name,
        threads=config.dispatch.threads,
        transfer_mode=str(config.dispatch.transfer_mode),
        notify=notify,
    )


# --- the workers


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


def systems(config: HopperConfig) -> Systems:
    """Return the batch systems of the config. ConfigError for a kind that nobody knows."""
    from hopper.ansible.content import collection_folder
    from hopper.backends.systems import Systems
    from hopper.backends.zip_jobs import ZipLaunch

    templates = collection_folder() / "roles" / "batch_submit" / "templates"
    dispatch = config.dispatch
    launch = ZipLaunch(
        command=dispatch.launch.shell_line,
        unpack_dirname=dispatch.remote_unpack_dirname,
        time_limit=dispatch.time_limit,
    )
    return Systems(config.backends, templates, config.paths.db / SCRIPTS, launch)


# --- the dispatcher


class _Box:
    """The mailbox, in the dispatcher's words."""

    def __init__(self, folder: Path) -> None:
        self._mailbox = Mailbox(folder)

    def take(self) -> Sequence[Letter]:
        return [Letter(id=command.id, body=command.body) for command in self._mailbox.take()]

    def answer(self, letter: Letter, body: Mapping[str, object]) -> None:
        self._mailbox.answer(Command(id=letter.id, body=letter.body), body)


class _Bell:
    """Sleeps until somebody rings at the state folder's door, or a folder gets or loses a file."""

    def __init__(self, doorbell: Doorbell, watched: Path) -> None:
        self._doorbell = doorbell
        self._watched = watched
        self._seen = self._stamp()

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            # What came in since the last wait began may not have been seen by the tick.
            before, self._seen = self._seen, self._stamp()
            left = end - time.monotonic()
            if self._seen != before or left <= 0:
                break
            if select.select([self._doorbell], [], [], min(left, GLANCE))[0]:
                break
        self._doorbell.drain()

    def _stamp(self) -> int:
        try:
            return self._watched.stat().st_mtime_ns
        except OSError:
            return 0


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told of what happens while the dispatcher runs."""

    on_event: Callable[[Event], None]
    on_trouble: Callable[[str], None]
    after_tick: Callable[[StateStore], None] = lambda _: None


def dispatch(config: HopperConfig, *, until: Until, stop: Stop, listener: Listener) -> None:
    """Run the dispatcher until its end. LockHeld where another one runs."""
    from hopper.ansible.sweep import SweepFleet
    from hopper.dispatch.drive import drive
    from hopper.dispatch.loop import Dispatcher, Ports
    from hopper.home.at_home import FilesAtHome
    from hopper.home.task_zips import PackedTasks
    from hopper.store.eventlines import EventLines
    from hopper.workflows.generated import GeneratedTasks

    folder = config.paths.db
    backends = systems(config)
    lock = StateLock.acquire(folder, command=DISPATCH_COMMAND)
    store = StateStore.open(folder, lock=lock)
    doorbell = Doorbell.open(folder)
    lines = EventLines(config.paths.log, listener.on_event)
    try:
        for warning in store.warnings:
            listener.on_trouble(warning)
        workers = roster(config, listener.on_trouble)
        fleet = SweepFleet(sweep_settings(config, folder / "wake"), workers.sources)
        try:
            fleet.prepare(sources(config))
            workers.workers()
        except HopperError:
            fleet.close(0.0)
            raise
        home = FilesAtHome(config)
        dispatcher = Dispatcher(
            Ports(
                store=store,
                fleet=fleet,
                home=home,
                roster=workers,
                mailbox=_Box(folder),
                log=lines,
                clock=SystemClock(),
                upkeep=_upkeep(store, home, config),
                systems=backends,
                clusters=fleet,
                generated=GeneratedTasks(config),
                shelf=home,
                task_zips=PackedTasks(config.paths, backends.worker_script),
            ),
            policy_settings(config),
            order_settings(config),
        )
        drive(
            dispatcher,
            _Bell(doorbell, config.paths.queue),
            stop,
            until,
            on_trouble=listener.on_trouble,
            after_tick=lambda: listener.after_tick(store),
        )
    finally:
        doorbell.close()
        lines.close()
        store.close()
        lock.release()


def _upkeep(store: StateStore, home: FilesAtHome, config: HopperConfig) -> Upkeeping:
    from hopper.ansible.runs import purge

    mailbox = Mailbox(config.paths.db)

    def keep_up(now: datetime) -> Collection[str]:
        mailbox.clean(now.timestamp())
        open_attempts = {
            attempt.id for job in store.jobs.values() if (attempt := job.open_attempt) is not None
        }
        home.purge(open_attempts)
        purge(config.paths.db / LOOKS, older_than=DAY)
        days = config.retention.history_days
        return store.maintain(
            now,
            keep=timedelta(days=config.retention.days),
            history=timedelta(days=days) if days is not None else None,
            on_gone=lambda job: forget_texts(config, job),
        ).problems

    return keep_up


def forget_texts(config: HopperConfig, job: Job) -> None:
    """Remove the logs and scripts in ``paths.db`` of a job that goes away for good."""
    from hopper.backends.systems import script_path
    from hopper.home.at_home import LOGS

    # What names a folder to be removed is looked at once more.
    if JOB_ID.match(job.id):
        shutil.rmtree(config.paths.db / LOGS / job.id, ignore_errors=True)
    for name in {name for attempt in job.attempts for name in (attempt.id, attempt.array)}:
        if ATTEMPT_ID.match(name):
            with suppress(OSError):
                script_path(config.paths.db / SCRIPTS, name).unlink()


# --- other commands


def read_state(config: HopperConfig) -> StateStore:
    """Open the state for reading; follows what the dispatcher writes."""
    return StateStore.open(config.paths.db, readonly=True)


def dispatching(config: HopperConfig) -> Holder | None:
    """Return who dispatches now, None when nobody does."""
    held = holder(config.paths.db)
    return held if held is not None and held.command == DISPATCH_COMMAND else None


def command(config: HopperConfig, body: Mapping[str, object]) -> Mapping[str, object]:
    """Have a change of the state made: by the dispatcher when one runs, else here.

    Raises UsageError or HopperError with the refusal, NoAnswer when a dispatcher holds the
    state and does not answer within 10 s (and some more for many jobs).
    """
    folder = config.paths.db
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return _direct(config, body)
        except LockHeld:
            held = holder(folder)
            if held is not None and held.command == DISPATCH_COMMAND:
                return _checked(ask(folder, body, timeout=_answer_patience(body)))
            if time.monotonic() > deadline:
                raise


def _answer_patience(body: Mapping[str, object]) -> float:
    """Return the seconds that an answer may take: each job may be a file to move."""
    jobs = body.get("jobs")
    return ANSWER_SECONDS + (JOB_SECONDS * len(jobs) if isinstance(jobs, list) else 0.0)


def _checked(answer: Mapping[str, object]) -> Mapping[str, object]:
    error = answer.get("error")
    if error is None:
        return answer
    raise UsageError(str(error)) if answer.get("usage") else HopperError(str(error))


def _direct(config: HopperConfig, body: Mapping[str, object]) -> Mapping[str, object]:
    with state_for_change(config) as dispatcher:
        return dispatcher.carry_out(body)


@contextmanager
def state_for_change(config: HopperConfig) -> Iterator[Dispatcher]:
    """Hold the state for a moment while no dispatcher does. LockHeld when one does."""
    from hopper.dispatch.loop import Dispatcher, Ports
    from hopper.home.at_home import FilesAtHome
    from hopper.store.eventlines import EventLines

    folder = config.paths.db
    lock = StateLock.acquire(folder)
    store = StateStore.open(folder, lock=lock)
    lines = EventLines(config.paths.log)
    try:
        yield Dispatcher(
            Ports(
                store=store,
                fleet=NoFleet(),
                home=FilesAtHome(config),
                roster=NoRoster(),
                mailbox=_Box(folder),
                log=lines,
                clock=SystemClock(),
                upkeep=lambda _: (),
                systems=systems(config),
            ),
            policy_settings(config),
            order_settings(config),
        )
    finally:
        lines.close()
        store.close()
        lock.release()


def login_words(config: HopperConfig, worker: str) -> list[str]:
    """Return the local command by which a worker is reached; empty when it is this machine."""
    from hopper.ansible import terminal

    sources = read_inventory(config).sources
    settings = replace(ansible_settings(config), inventory=sources.paths)
    return terminal.login_words(settings, worker, config.paths.db / LOOKS)


class Visitor:
    """Talks to workers beside the dispatcher, to look only: for scan, logs and checks."""

    def __init__(self, config: HopperConfig) -> None:
        from hopper.ansible.sweep import SweepFleet

        self.roster = roster(config, lambda _: None)
        settings = sweep_settings(config, None, f"{LOOKS}/{secrets.token_hex(4)}")
        self._folder = settings.folder
        self._fleet = SweepFleet(replace(settings, linger=3600.0), self.roster.sources)

    def carry_out(self, orders: Sequence[Order], timeout: float = 150.0) -> dict[str, Report]:
        """Have orders carried out and return the reports by host, as far as they came in time."""
        reports = self._reports(orders, timeout)
        return {report.host: report for report in reports if isinstance(report, Report)}

    def ask(self, order: BatchOrder, timeout: float = 150.0) -> BatchReport:
        """Have a login node carry out an order; a report with ``error`` when none came in time."""
        for report in self._reports([order], timeout):
            if isinstance(report, BatchReport):
                return report
        error = f"no answer within {timeout:.0f} s"
        return BatchReport(order=order.id, host=order.host, at=time.time(), error=error)

    def _reports(self, orders: Sequence[AnyOrder], timeout: float) -> list[AnyReport]:
        self._fleet.send(orders)
        wanted = {order.id for order in orders}
        reports: list[AnyReport] = []
        deadline = time.monotonic() + timeout
        while wanted and time.monotonic() < deadline:
            new: list[AnyReport] = [*self._fleet.receive(), *self._fleet.receive_batch()]
            wanted -= {report.order for report in new}
            reports += new
            if wanted:
                time.sleep(0.02)
        return reports

    def close(self) -> None:
        """Let go of the workers."""
        self._fleet.close(5.0)
        shutil.rmtree(self._folder, ignore_errors=True)
