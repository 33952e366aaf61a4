"""The files that ``hopper init`` writes: a commented config, an inventory, an example job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

EXAMPLE_JOB = "hello"
"""The example job's folder among the starter files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StarterFile:
    """One file to be written."""

    path: PurePosixPath
    """Relative to where the person wants it."""
    content: bytes
    mode: int


def starter_files() -> tuple[StarterFile, ...]:
    """Return all files that a new hopper folder begins with, sorted by path."""
    return tuple(sorted(_below(files("hopper.config") / "templates"), key=lambda file: file.path))


def _below(folder: Traversable, prefix: str = "") -> Iterator[StarterFile]:
    for entry in folder.iterdir():
        if entry.name == "__pycache__":
            continue
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _below(entry, f"{path}/")
        else:
            mode = 0o755 if entry.name.endswith(".sh") else 0o644
            yield StarterFile(path=PurePosixPath(path), content=entry.read_bytes(), mode=mode)
