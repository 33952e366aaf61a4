"""What a person sees while something takes long; on a terminal's stderr, never in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that something is under way."""
    if not sys.stderr.isatty():
        yield
        return
    from hopper.cli.common import console

    with console(stderr=True).status(what):
        yield
