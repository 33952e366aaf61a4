"""What the ad-hoc plugins return to Ansible, on workers and login nodes alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Arguments = Mapping[str, Any]
"""A task's options, as Ansible hands them over."""
Outcome = dict[str, Any]
PART = 1_000_000
"""Bytes of a log that travel in one round trip."""


def failed(text: str) -> Outcome:
    """Return what makes a result one of a failed task."""
    return {"failed": True, "msg": text}


def unreachable(text: str) -> Outcome:
    """Return the result for a host that could not be talked to."""
    return {"unreachable": True, "changed": False, "msg": text}
