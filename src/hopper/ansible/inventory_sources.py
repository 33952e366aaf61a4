"""What an inventory is read from: its files, and whether it can change without any of them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

BESIDE = ("group_vars", "host_vars")
_PLUGIN = re.compile(rb"^plugin\s*:", re.MULTILINE)
_HEAD = 65_536


def is_host_list(source: str) -> bool:
    """Tell whether a source is a list of hosts, ``a,b,``, and no file."""
    return "," in source and not Path(source).exists()


def missing(sources: Sequence[str]) -> list[str]:
    """Return the sources that are files or folders and are not there."""
    return [s for s in sources if not is_host_list(s) and not Path(s).exists()]


def fingerprint(sources: Sequence[str]) -> str:
    """Return what changes whenever a file of the inventory does.

    Sources are as ``ansible -i`` takes them; ``group_vars`` and ``host_vars`` beside them count.
    """
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source}\n".encode("utf-8", "surrogateescape"))
        if not is_host_list(source):
            for line in _lines(Path(source)):
                digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _lines(source: Path) -> Iterator[str]:
    base = source if source.is_dir() else source.parent
    yield from _stamps([source] if not source.is_dir() else _below(source))
    if not source.is_dir():
        for name in BESIDE:
            yield from _stamps(_below(base / name))


def _stamps(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            yield f"{path} is gone\n"
            continue
        yield f"{path} {status.st_mtime_ns} {status.st_size} {status.st_ino} {status.st_mode}\n"


def _below(folder: Path) -> list[Path]:
    return sorted(Path(root, name) for root, _, names in os.walk(folder) for name in names)


def is_dynamic(sources: Sequence[str]) -> bool:
    """Tell whether some source is a script or a plugin, whose hosts change by themselves."""
    return any(
        _is_program(path)
        for source in sources
        if not is_host_list(source)
        for path in _programs(Path(source))
    )


def _programs(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    return [p for p in _below(source) if not set(BESIDE) & set(p.relative_to(source).parts[:-1])]


def _is_program(path: Path) -> bool:
    if not path.is_file():
        return False
    if os.access(path, os.X_OK):
        return True
    if path.suffix not in {".yml", ".yaml"}:
        return False
    try:
        with path.open("rb") as file:
            return _PLUGIN.search(file.read(_HEAD)) is not None
    except OSError:
        return False
