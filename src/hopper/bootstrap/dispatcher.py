"""``hopper dispatch``: the loop, with all its ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hopper.ansible.sweep import SweepFleet
from hopper.bootstrap.adapters import LetterBox, QueueBell, SystemClock
from hopper.bootstrap.backends import systems
from hopper.bootstrap.inventory import roster, sources
from hopper.bootstrap.settings import order_settings, policy_settings, sweep_settings
from hopper.bootstrap.state import DISPATCH_COMMAND
from hopper.bootstrap.upkeep import upkeep
from hopper.config.model import HopperConfig
from hopper.dispatch.drive import Stop, Until, drive
from hopper.dispatch.loop import Dispatcher, Ports
from hopper.errors import HopperError
from hopper.home.at_home import FilesAtHome
from hopper.home.task_zips import PackedTasks
from hopper.model.event import Event
from hopper.store.eventlines import EventLines
from hopper.store.lock import StateLock
from hopper.store.mailbox import Doorbell
from hopper.store.state import StateStore
from hopper.workflows.generated import GeneratedTasks


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told of what happens while the dispatcher runs."""

    on_event: Callable[[Event], None]
    on_trouble: Callable[[str], None]
    after_tick: Callable[[StateStore], None] = lambda _: None


def dispatch(config: HopperConfig, *, until: Until, stop: Stop, listener: Listener) -> None:
    """Run the dispatcher until its end. LockHeld where another one runs."""
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
                mailbox=LetterBox(folder),
                log=lines,
                clock=SystemClock(),
                upkeep=upkeep(store, home, config),
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
            QueueBell(doorbell, config.paths.queue),
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
