"""The command line: one file per command, each parses, makes one call and renders."""

from __future__ import annotations

from hopper.cli.main import main

__all__ = ["main"]
