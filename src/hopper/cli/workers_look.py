"""Looking at workers for ``hopper workers check``, ``setup`` and ``add``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from hopper.cli.common import print_json, table
from hopper.documents.words import size_text
from hopper.documents.workers import look_document

if TYPE_CHECKING:
    from hopper.ansible.looks import Look
    from hopper.config.model import HopperConfig


def look_and_show(
    config: HopperConfig, names: Sequence[str], *, make: bool, as_json: bool = False
) -> bool:
    """Look at workers and print what was seen; tell whether all can take jobs."""
    from hopper.bootstrap.inventory import read_inventory
    from hopper.cli.progress import busy
    from hopper.operations.doctor import look_at

    with busy("setting up the workers" if make else "looking at the workers"):
        reading = read_inventory(config)
        looks = look_at(config, reading, names, make=make)
    if as_json:
        print_json([look_document(seen) for seen in looks])
    else:
        from hopper.cli.doctor import MARKS
        from hopper.operations.doctor import of_worker

        checks = [of_worker(seen, reading.workers[seen.worker]) for seen in looks]
        rows: list[list[str | Text]] = [
            [
                seen.worker,
                MARKS[one.verdict],
                size_text(seen.free_bytes),
                _clock(seen),
                "; ".join(text for text in (*_made(seen), one.said, one.way_out) if text),
            ]
            for seen, one in zip(looks, checks, strict=True)
        ]
        table(("WORKER", "", ">FREE", ">CLOCK", "FOUND"), rows, empty="no workers")
    return all(seen.ready for seen in looks)


def _made(seen: Look) -> list[str]:
    return [f"made {folder}" for folder in seen.made]


def _clock(seen: Look) -> str:
    return "-" if seen.clock_skew is None else f"{seen.clock_skew:+.1f} s"
