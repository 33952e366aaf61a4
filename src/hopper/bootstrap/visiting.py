"""Talks with workers and login nodes beside the dispatcher."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace

from hopper.bootstrap.inventory import roster
from hopper.bootstrap.settings import LOOKS, sweep_settings
from hopper.config.model import HopperConfig
from hopper.model.batch import AnyOrder, AnyReport, BatchOrder, BatchReport
from hopper.model.orders import Order, Report


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
