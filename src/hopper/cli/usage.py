"""What an attempt on a batch system used, in lines and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hopper.documents.words import duration, size_text
from hopper.model.attempt import Attempt
from hopper.model.task import Usage


def usage_lines(attempt: Attempt) -> Iterator[tuple[str, str]]:
    """Yield what is known of where an attempt ran and what it used, with its names."""
    if attempt.node:
        yield "  node", attempt.node
    if attempt.waits_for:
        yield "  waits for", attempt.waits_for
    if attempt.usage is not None and (said := _used(attempt.usage)):
        yield "  used", ", ".join(said)


def _used(usage: Usage) -> list[str]:
    efficiency, hours = usage.cpu_efficiency, usage.cpu_hours
    memory, elapsed = usage.peak_memory, usage.elapsed_seconds
    said = (
        f"{efficiency:.0%} of its CPU time" if efficiency is not None else "",
        f"{hours:.2f} CPU hours" if hours is not None else "",
        f"{size_text(memory)} of memory at most" if memory is not None else "",
        duration(elapsed) if elapsed is not None else "",
    )
    return [text for text in said if text]
