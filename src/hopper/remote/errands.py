"""The kinds of orders and reports, as lines of the files that they travel in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hopper.model import wire
from hopper.model.batch import AnyOrder, AnyReport, BatchOrder, BatchReport
from hopper.model.orders import Order, Report
from hopper.remote import host, login_node
from hopper.remote.transport import Transport

KIND = "kind"
BATCH = "batch"


def order_line(order: AnyOrder) -> str:
    """Return an order as a line of the orders file."""
    return _line(order, batch=isinstance(order, BatchOrder))


def order_of(document: Mapping[str, Any]) -> AnyOrder:
    """Return the order in a line; TypeError or KeyError where there is none."""
    if document.get(KIND) == BATCH:
        return wire.from_json(BatchOrder, document)
    return wire.from_json(Order, document)


def report_line(report: AnyReport) -> str:
    """Return a report as a line of the reports file."""
    return _line(report, batch=isinstance(report, BatchReport))


def report_of(document: Mapping[str, Any]) -> AnyReport:
    """Return the report in a line; TypeError or KeyError where there is none."""
    if document.get(KIND) == BATCH:
        return wire.from_json(BatchReport, document)
    return wire.from_json(Report, document)


def _line(value: AnyOrder | AnyReport, *, batch: bool) -> str:
    kind = {KIND: BATCH} if batch else {}
    return json.dumps({**kind, **wire.to_json(value)}) + "\n"


def carry_out(transport: Transport, order: AnyOrder) -> AnyReport:
    """Do all that the order says; never raises for what the host or the line does."""
    if isinstance(order, BatchOrder):
        return login_node.carry_out(transport, order)
    return host.carry_out(transport, order)


def failed(order: AnyOrder, error: str, *, delivered: bool = True) -> AnyReport:
    """Return the report of an order of which nothing is known."""
    if isinstance(order, BatchOrder):
        return login_node.failed(order, error, delivered=delivered)
    return host.failed(order, error, delivered=delivered)
