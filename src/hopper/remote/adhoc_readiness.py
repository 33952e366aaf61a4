"""What ``probe`` and ``setup_inbox`` do on one host: can it be a worker, and what is missing."""

from __future__ import annotations

from dataclasses import asdict

from hopper.errors import TransportError
from hopper.remote.adhoc_results import Arguments, Outcome, unreachable
from hopper.remote.readiness import Readiness, inspect
from hopper.remote.transport import Transport


def probe(transport: Transport, arguments: Arguments, *, check: bool = False) -> Outcome:
    """Look whether the host can be a worker; changes nothing, ``check`` or not."""
    del check
    return _inspected(transport, arguments, make=False, would_make=False)


def setup_inbox(transport: Transport, arguments: Arguments, *, check: bool = False) -> Outcome:
    """Make the Inbox and the Outbox where they are missing, and say what else is."""
    return _inspected(transport, arguments, make=not check, would_make=check)


def _inspected(
    transport: Transport, arguments: Arguments, *, make: bool, would_make: bool
) -> Outcome:
    try:
        seen = inspect(transport, inbox=arguments["inbox"], outbox=arguments["outbox"], make=make)
    except TransportError as error:
        return unreachable(str(error))
    absent = would_make and not (seen.inbox.exists and seen.outbox.exists)
    outcome = _shown(seen, changed=bool(seen.made) or absent)
    folders = (seen.inbox, seen.outbox)
    if make and not all(folder.exists and folder.writable for folder in folders):
        outcome["failed"] = True
    return outcome


def _shown(seen: Readiness, *, changed: bool) -> Outcome:
    return {
        "changed": changed,
        "ready": not seen.missing,
        "missing": list(seen.missing),
        "advice": list(seen.advice),
        "made": list(seen.made),
        "inbox": asdict(seen.inbox),
        "outbox": asdict(seen.outbox),
        "tools": seen.tools,
        "zips": list(seen.zips),
        "boot_id": seen.boot_id,
        "clock_skew": seen.clock_skew,
        "free_bytes": seen.free_bytes,
        "msg": "; ".join(seen.missing) or "ready",
        "summary": _summary(seen),
    }


def _summary(seen: Readiness) -> list[str]:
    free = "unknown" if seen.free_bytes is None else f"{seen.free_bytes / 1e9:.1f} GB"
    return [
        "; ".join(seen.missing) or "ready",
        f"Inbox {seen.inbox.path}, Outbox {seen.outbox.path}",
        f"{len(seen.zips)} zips in its Inbox",
        f"unpacks by {seen.tools.get('unpacker') or 'nothing'}",
        f"free space {free}, clock ahead by {seen.clock_skew} s",
        *seen.advice,
    ]
