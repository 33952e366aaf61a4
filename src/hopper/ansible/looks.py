"""Looks at workers, or sets them up, by one run of ``playbooks/probe.yml`` or ``setup_inbox.yml``.

Every host appends its result to a file of the run, so that nothing is read off printed text.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hopper.ansible import runs
from hopper.ansible.content import playbook
from hopper.ansible.runs import AnsibleSettings
from hopper.errors import HopperError

PATIENCE = 60.0
"""Seconds that a look may take, and some more for each host."""
PATIENCE_A_HOST = 15.0
_PREAMBLE = re.compile(r'Data could not be sent to remote host ".*?"\. Make sure .*? ssh: ')
"""What Ansible says before ssh's own words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What a worker has of what it needs, or why it cannot be told."""

    worker: str
    unreachable: str = ""
    """Why it could not be reached, in Ansible's or ssh's words; nothing else holds then."""
    missing: tuple[str, ...] = ()
    """What keeps it from taking jobs, in words."""
    advice: tuple[str, ...] = ()
    """What would be better but is not needed, in words."""
    made: tuple[str, ...] = ()
    """Folders that were made now."""
    inbox: str = ""
    outbox: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    """unpacker, tar, sha256 and session, each with the command found; empty for none."""
    zips: tuple[str, ...] = ()
    """What lies in its Inbox."""
    clock_skew: float | None = None
    """Seconds that its clock is ahead of ours."""
    free_bytes: int | None = None

    @property
    def ready(self) -> bool:
        """True when it can take jobs."""
        return not self.unreachable and not self.missing


def look(
    settings: AnsibleSettings, workers: Sequence[str], folder: Path, *, make: bool = False
) -> list[Look]:
    """Look at workers of the inventory, in the order given; ``make`` makes their folders.

    ``folder`` is where the run's folder is made. A worker that cannot be reached is a Look
    that says so. HopperError where Ansible itself fails.
    """
    if not workers:
        return []
    run_folder = runs.new_folder(folder)
    report = run_folder / "looks.jsonl"
    extravars: dict[str, object] = {
        "hopper_hosts": list(workers),
        "worker_inbox_report": str(report),
    }
    name = "setup_inbox" if make else "probe"
    run = runs.start(run_folder, playbook(name), extravars, settings)
    try:
        ended = run.wait(PATIENCE + PATIENCE_A_HOST * len(workers))
        if not ended:
            run.kill()
        found = {str(line.get("host")): line for line in _lines(report)}
        if not found:
            raise HopperError(f"the workers cannot be looked at: {run.said()}")
        why = run.said() if ended else "it did not answer in time"
        # A host that cannot be reached fails the run, which is nothing to be kept.
        shutil.rmtree(run_folder, ignore_errors=True)
        return [_look(worker, found.get(worker), why) for worker in workers]
    finally:
        run.remove()


def _lines(report: Path) -> list[dict[str, Any]]:
    lines = []
    with suppress(OSError):
        for text in report.read_text("utf-8").splitlines():
            with suppress(ValueError):
                lines.append(json.loads(text))
    return lines


def _look(worker: str, said: Mapping[str, Any] | None, otherwise: str) -> Look:
    if said is None:
        return Look(worker=worker, unreachable=otherwise)
    if said.get("unreachable") or "ready" not in said:
        text = _PREAMBLE.sub("", " ".join(str(said.get("msg", "")).split()))
        return Look(worker=worker, unreachable=text or otherwise)
    return Look(
        worker=worker,
        missing=tuple(said["missing"]),
        advice=tuple(said["advice"]),
        made=tuple(said["made"]),
        inbox=said["inbox"]["path"],
        outbox=said["outbox"]["path"],
        tools=dict(said["tools"]),
        zips=tuple(said["zips"]),
        clock_skew=said["clock_skew"],
        free_bytes=said["free_bytes"],
    )
