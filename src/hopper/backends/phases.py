"""What a native state means, for systems that tell it in one word."""

from __future__ import annotations

from collections.abc import Collection

from hopper.model.native import NativePhase


def phase_of(
    state: str,
    started: float | None,
    *,
    over: Collection[str],
    live: Collection[str],
    waiting: Collection[str],
) -> NativePhase:
    """Return where a job stands by its native state and when it started."""
    if state in over:
        return NativePhase.ENDED
    if state in live:
        return NativePhase.RUNNING
    # A state that is new to us: the job is there, and with a start it runs.
    if state in waiting or started is None:
        return NativePhase.QUEUED
    return NativePhase.RUNNING
