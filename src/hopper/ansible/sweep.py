"""The workers, reached through runs of ``playbooks/sweep.yml`` that stay for further orders.

An empty playbook run costs 0.8 s of CPU, an order over a warm connection some hundredths. So
a sweep is started when there are orders, takes more through a file and a doorbell, and ends
when there has been nothing to do for a while (docs/decisions/0002-lingering-sweep.md).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from hopper.ansible import runs
from hopper.ansible.content import playbook
from hopper.ansible.runs import AnsibleSettings, Run
from hopper.errors import HopperError
from hopper.model.batch import AnyOrder, AnyReport, BatchReport
from hopper.model.orders import Report
from hopper.remote.errands import failed, order_line, report_of
from hopper.remote.fanout import END_LINE

R = TypeVar("R", Report, BatchReport)
CLOSE_PATIENCE = 5.0
"""Seconds that a sweep with nothing to do is given to end by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepSettings:
    """How sweeps are run."""

    ansible: AnsibleSettings
    folder: Path
    """Where run folders are made."""
    threads: int = 32
    transfer_mode: str = "scp"
    linger: float = 45.0
    """Seconds without an order after which a sweep ends."""
    longest: float = 1800.0
    """Seconds after which a sweep makes room for a fresh one."""
    notify: Path | None = None
    """The dispatcher's doorbell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """An inventory as it was at one time."""

    paths: tuple[str, ...]
    """As ``ansible -i`` takes them."""
    files: str = ""
    """Another one when a file has changed: a sweep keeps what it has read."""
    workers: str | None = None
    """Another one when the workers have, as a script's may though no file does; None while they
    are not known."""

    def agree(self, later: Sources) -> bool:
        """Return True when what was read from these is what the later ones hold."""
        return later == (self if self.workers is not None else replace(self, workers=later.workers))


class Sweep:
    """One run of ``sweep.yml`` and the orders that are under way in it."""

    def __init__(self, settings: SweepSettings, inventory: Sources) -> None:
        self._folder = runs.new_folder(settings.folder)
        self._orders = self._folder / "orders.jsonl"
        self._reports = self._folder / "reports.jsonl"
        self._bell = self._folder / "bell"
        self._orders.touch(mode=0o600)
        self._reports.touch(mode=0o600)
        os.mkfifo(self._bell, mode=0o600)
        # Held open at this end too, so that no ring is lost and none blocks.
        self._bell_fd = os.open(self._bell, os.O_RDWR | os.O_NONBLOCK)
        self._offset = 0
        self.pending: dict[str, AnyOrder] = {}
        self.inventory = inventory
        self.started = self.last_used = time.monotonic()
        self.ending = False
        extravars: dict[str, object] = {
            "hopper_sweep_orders": str(self._orders),
            "hopper_sweep_results": str(self._reports),
            "hopper_sweep_doorbell": str(self._bell),
            "hopper_sweep_threads": settings.threads,
            "hopper_sweep_connect_timeout": settings.ansible.connect_timeout,
            "hopper_sweep_transfer_mode": settings.transfer_mode,
        }
        if settings.notify is not None:
            extravars["hopper_sweep_notify"] = str(settings.notify)
        ansible = replace(settings.ansible, inventory=inventory.paths)
        self._run: Run = runs.start(self._folder, playbook("sweep"), extravars, ansible)

    def send(self, orders: Sequence[AnyOrder]) -> None:
        """Give it more orders; they are under way from now on."""
        self._write("".join(order_line(order) for order in orders))
        self.pending.update((order.id, order) for order in orders)
        self.last_used = time.monotonic()

    def receive(self) -> list[AnyReport]:
        """Return the reports that came since the last call; of a dead sweep, the failures."""
        ended = self._run.ended
        reports = self._read()
        for report in reports:
            self.pending.pop(report.order, None)
        if reports:
            self.last_used = time.monotonic()
        if ended and self.pending:
            said = self._run.said()
            reports += [
                failed(order, f"the Ansible run ended early: {said}")
                for order in self.pending.values()
            ]
            self.pending.clear()
        return reports

    @property
    def ended(self) -> bool:
        """True once its process is gone."""
        return self._run.ended

    def end(self) -> None:
        """Tell it that there will be no more orders."""
        if not self.ending:
            self.ending = True
            with suppress(OSError):
                self._write(END_LINE)

    def close(self, patience: float = CLOSE_PATIENCE) -> None:
        """End it, by force if it does not end by itself, and remove its folder."""
        self.end()
        if not self._run.wait(patience):
            self._run.cancel()
            if not self._run.wait(CLOSE_PATIENCE):
                self._run.kill()
        os.close(self._bell_fd)
        self._run.remove()

    def _write(self, lines: str) -> None:
        with self._orders.open("a", encoding="utf-8") as file:
            file.write(lines)
        with suppress(BlockingIOError):
            os.write(self._bell_fd, b".")

    def _read(self) -> list[AnyReport]:
        reports = []
        with self._reports.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                try:
                    reports.append(report_of(json.loads(line)))
                except (ValueError, TypeError, KeyError, AttributeError):
                    # Torn by a full disk: whose it was shows when the run has ended without it.
                    self.end()
        return reports


class SweepFleet:
    """Sends orders to workers and receives their reports; large transfers have their own sweep.

    ``inventory`` is asked before each batch; when it says something else than before, a new
    sweep takes the next orders and the old one ends once its own are reported.
    """

    def __init__(self, settings: SweepSettings, inventory: Callable[[], Sources]) -> None:
        self._settings = settings
        self._inventory = inventory
        self._sweeps: dict[bool, Sweep] = {}
        self._leaving: list[Sweep] = []
        self._reports: list[AnyReport] = []
        """What has come in and was not yet asked for."""
        runs.purge(settings.folder)

    def send(self, orders: Sequence[AnyOrder]) -> None:
        """Have the orders carried out; each will be answered by one report, at some time."""
        for bulk in (False, True):
            batch = [order for order in orders if (order.deadline is None) is bulk]
            if not batch:
                continue
            try:
                self._sweep(bulk).send(batch)
            except (HopperError, OSError) as error:
                self._reports += [failed(o, str(error), delivered=False) for o in batch]

    def receive(self) -> list[Report]:
        """Return the workers' reports that have come in; sweeps that are done with are let go."""
        return self._take(Report)

    def receive_batch(self) -> list[BatchReport]:
        """Return the login nodes' reports that have come in, likewise."""
        return self._take(BatchReport)

    def _take(self, kind: type[R]) -> list[R]:
        for sweep in [*self._sweeps.values(), *self._leaving]:
            self._reports += sweep.receive()
        self._let_go()
        taken = [report for report in self._reports if isinstance(report, kind)]
        self._reports = [report for report in self._reports if not isinstance(report, kind)]
        return taken

    @property
    def pending(self) -> frozenset[str]:
        """Ids of the orders that are not reported yet."""
        sweeps = [*self._sweeps.values(), *self._leaving]
        ids = {order for sweep in sweeps for order in sweep.pending}
        return frozenset(ids | {report.order for report in self._reports})

    @property
    def resting(self) -> bool:
        """True when no Ansible process of ours runs."""
        return not self._sweeps and not self._leaving

    def close(self, patience: float = CLOSE_PATIENCE) -> None:
        """End all sweeps. What the workers have been told to run goes on running."""
        sweeps = [*self._sweeps.values(), *self._leaving]
        for sweep in sweeps:
            sweep.end()
        for sweep in sweeps:
            sweep.close(patience)
        self._sweeps.clear()
        self._leaving.clear()

    def prepare(self, inventory: Sources) -> None:
        """Start the sweep that the first orders will need, while the workers are still read."""
        self._sweeps[False] = Sweep(self._settings, inventory)

    def _sweep(self, bulk: bool) -> Sweep:
        inventory = self._inventory()
        sweep = self._sweeps.get(bulk)
        if sweep is not None:
            if sweep.ended or sweep.ending or not sweep.inventory.agree(inventory):
                self._leaving.append(self._sweeps.pop(bulk))
                sweep.end()
                sweep = None
            else:
                sweep.inventory = inventory
        if sweep is None:
            sweep = self._sweeps[bulk] = Sweep(self._settings, inventory)
        return sweep

    def _let_go(self) -> None:
        now = time.monotonic()
        for bulk, sweep in list(self._sweeps.items()):
            idle = not sweep.pending and now - sweep.last_used > self._settings.linger
            if idle or sweep.ended or now - sweep.started > self._settings.longest:
                self._leaving.append(self._sweeps.pop(bulk))
                sweep.end()
        for sweep in list(self._leaving):
            if sweep.ended and not sweep.pending:
                self._leaving.remove(sweep)
                sweep.close()
