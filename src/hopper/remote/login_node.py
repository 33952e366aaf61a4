"""Carries out one order on one login node and reports what the batch system said."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hopper.errors import HopperError, TransportError
from hopper.model.batch import BatchOrder, BatchReport
from hopper.remote import batch_script, gather
from hopper.remote.batch_reading import BatchFindings, read, take_apart
from hopper.remote.host import ask, new_mark
from hopper.remote.transport import Transport

SYSTEM = "system"
"""The kind of the file with the batch system's own words."""
WORDS_LIMIT = 4000
"""Bytes of them that a report tells."""


def carry_out(transport: Transport, order: BatchOrder) -> BatchReport:
    """Do all that the order says; never raises for what the host or the line does.

    One round trip, save for files that did not fit into it.
    """
    try:
        large = batch_script.large_inputs(order)
        stdin = batch_script.payload(order, large)
    except OSError as error:
        return failed(order, f"a file to be sent cannot be read: {error}", delivered=False)
    try:
        _send(transport, order, large)
        return _carry_out(transport, order, stdin, large)
    except TransportError as error:
        return failed(order, str(error), delivered=error.delivered)
    except (HopperError, OSError) as error:
        return failed(order, str(error))


def failed(order: BatchOrder, error: str, *, delivered: bool = True) -> BatchReport:
    """Return the report of an order of which nothing is known."""
    return BatchReport(
        order=order.id, host=order.host, at=time.time(), error=error, delivered=delivered
    )


def _send(transport: Transport, order: BatchOrder, large: Sequence[batch_script.Large]) -> None:
    """Send the files that are too large to travel inside the round trip."""
    if not large:
        return
    mark = new_mark()
    reply = ask(transport, batch_script.render_prepare(order, large, mark), mark)
    places = read(reply.records).prepared
    for item in large:
        place = places.get((item.attempt, item.number))
        # Where there is none, the submission will be refused with the reason.
        if place is not None:
            transport.put(item.path, place)


def _carry_out(
    transport: Transport, order: BatchOrder, stdin: bytes, large: Sequence[batch_script.Large]
) -> BatchReport:
    mark = new_mark()
    before = time.time()
    reply = ask(transport, batch_script.render(order, mark, large), mark, stdin)
    after = time.time()
    found = read(reply.records)
    if found.unusable:
        return failed(order, found.unusable)
    raw = take_apart(found, reply.raw)
    report = BatchReport(
        order=order.id,
        host=order.host,
        at=after,
        clock_skew=None if found.clock is None else skew(found.clock, before, after),
        free_bytes=found.free_bytes,
        submitted=raw.submitted,
        answers=raw.answers,
        sides=tuple(found.sides),
        cancelled=raw.cancelled,
        withdrawn=tuple(found.withdrawn),
        cleaned=tuple(found.cleaned),
        log=raw.log,
        troubles=tuple(found.troubles),
    )
    return _gather(transport, order, found, raw.files, report)


def skew(clock: float, before: float, after: float) -> float:
    """Return by how many seconds a clock is surely off.

    It showed ``clock``, a whole second, at some time between two of ours; a visit may take long.
    """
    least, most = clock - after, clock + 1 - before
    return round(min(max(0.0, least), most), 1)


def _gather(
    transport: Transport,
    order: BatchOrder,
    found: BatchFindings,
    along: dict[str, bytes],
    report: BatchReport,
) -> BatchReport:
    asked = {item.attempt for item in order.follows if item.collect}
    haul = gather.gather(
        transport,
        gather.Offered(offers=found.offers, whole=found.offered_whole, asked=asked, along=along),
        Path(order.incoming),
        fetch_limit=order.fetch_limit,
    )
    return replace(
        report,
        collected=haul.collected,
        words=tuple((i.attempt, _end_of(i.path)) for i in haul.collected if i.kind == SYSTEM),
        gathered=haul.gathered,
        too_large=haul.too_large,
        troubles=(*report.troubles, *haul.troubles),
    )


def _end_of(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - WORDS_LIMIT))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
