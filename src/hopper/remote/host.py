"""Carries out one order on one host and reports what it did and showed."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path

from hopper.errors import HopperError, TransportError
from hopper.model.orders import Launch, LogPart, Order, Report
from hopper.remote import gather, records, script
from hopper.remote.reading import Findings, read
from hopper.remote.transport import Transport

HALF_SECOND = 0.5
"""What a whole second of the worker's clock hides on average."""


def carry_out(transport: Transport, order: Order) -> Report:
    """Do all that the order says; never raises for what the host or the line does.

    One round trip, save for zips above ``inline_limit`` and for results that did not fit
    into it.
    """
    unreadable = [(item.attempt, why) for item in order.launches if (why := _unreadable(item))]
    if unreadable:
        missing = {attempt for attempt, _ in unreadable}
        kept = tuple(item for item in order.launches if item.attempt not in missing)
        report = carry_out(transport, replace(order, launches=kept))
        return replace(report, troubles=(*report.troubles, *unreadable))
    try:
        _send_large_zips(transport, order)
        return _carry_out(transport, order)
    except TransportError as error:
        return failed(order, str(error), delivered=error.delivered)
    except (HopperError, OSError) as error:
        return failed(order, str(error))


def _unreadable(launch: Launch) -> str:
    """Return why a zip at home cannot be read, which is no fault of the worker's."""
    try:
        with Path(launch.zip_path).open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"its zip cannot be read: {error}"
    return ""


def failed(order: Order, error: str, *, delivered: bool = True) -> Report:
    """Return the report of an order of which nothing is known."""
    return Report(order=order.id, host=order.host, at=time.time(), error=error, delivered=delivered)


def _carry_out(transport: Transport, order: Order) -> Report:
    mark = new_mark()
    text = script.render(order, mark)
    before = time.time()
    reply = ask(transport, text, mark, script.payload(order))
    after = time.time()
    findings = read(reply.records)
    report = _report(order, findings, at=after, middle=(before + after) / 2)
    if findings.log is not None:
        attempt, size, offset, length = findings.log
        part = reply.raw[:length].decode("latin-1")
        report = replace(report, log=LogPart(attempt=attempt, size=size, offset=offset, text=part))
    return _gather(transport, order, findings, reply.raw, report)


def new_mark() -> str:
    """Return what tells the worker's answer from all else that its login shell prints."""
    return f"HOPPER-{secrets.token_hex(8)}"


def ask(transport: Transport, text: str, mark: str, stdin: bytes = b"") -> records.Reply:
    """Run a script on the host and read its answer; TransportError where it is not whole."""
    script_bytes = text.encode("utf-8", "surrogateescape")
    answer = transport.exec(script.command(text), script_bytes + stdin)
    try:
        return records.parse(answer.stdout, mark)
    except TransportError as error:
        said = answer.stderr.decode("utf-8", "replace").strip()[-300:]
        raise TransportError(f"{error} (exit code {answer.code}) {said}".strip()) from error


def _send_large_zips(transport: Transport, order: Order) -> None:
    """Send the zips that are too large to travel inside the round trip."""
    large = [item for item in order.launches if item.zip_size > order.inline_limit]
    if not large:
        return
    mark = new_mark()
    reply = ask(transport, script.render_prepare(order, large, mark), mark)
    places = read(reply.records).prepared
    for item in large:
        # Where there is no place for it, the launch will be refused with the reason.
        if item.attempt in places:
            transport.put(Path(item.zip_path), places[item.attempt][0])


def _report(order: Order, f: Findings, *, at: float, middle: float) -> Report:
    return Report(
        order=order.id,
        host=order.host,
        at=at,
        boot_id=f.boot_id,
        clock_skew=None if f.clock is None else round(f.clock + HALF_SECOND - middle, 1),
        free_bytes=f.free_bytes,
        inbox=f.inbox,
        outbox=f.outbox,
        missing=tuple(f.missing),
        zips=tuple(f.zips),
        sightings=tuple(f.sightings),
        externals=f.externals(),
        launched=tuple(f.launched),
        cancelled=tuple(f.cancelled),
        discarded=tuple(f.discarded),
        released=tuple(f.released),
        cleaned=tuple(f.cleaned),
        troubles=tuple(f.troubles),
    )


def _gather(transport: Transport, order: Order, f: Findings, raw: bytes, report: Report) -> Report:
    asked = {i.attempt for i in order.follows} | {i.attempt for i in order.externals}
    along = gather.split_raw(f.offers, raw)
    haul = gather.gather(
        transport,
        gather.Offered(offers=f.offers, whole=f.offered_whole, asked=asked, along=along),
        Path(order.incoming),
        fetch_limit=order.fetch_limit,
    )
    return replace(
        report,
        collected=haul.collected,
        gathered=haul.gathered,
        too_large=haul.too_large,
        troubles=(*report.troubles, *haul.troubles),
    )
