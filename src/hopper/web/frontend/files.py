"""Which front-end files there are, which are missing, and URLs that change with their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PINS = Path(__file__).parent
STATIC = PINS.parent / "static"
VENDOR = "vendor"
"""The folder in ``STATIC`` of files taken from npm packages."""

_HASH_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """The files that pages link to, as found once.

    Attributes:
        folder: what they are served from.
        versions: for each file's path in ``folder`` the first digits of its content's SHA-256.
        missing: paths that pages link to where no file is, such as ``vendor/htmx.min.js``.
    """

    folder: Path
    versions: Mapping[str, str]
    missing: tuple[str, ...] = ()

    def has(self, path: str) -> bool:
        """Whether there is such a file, so that a page can do without."""
        return path in self.versions

    def address(self, path: str) -> str:
        """``path`` with its version as a query: ``app.css?v=0a1b2c3d4e5f``.

        A file that is not there has no version; a browser that asks for it gets a 404.
        """
        version = self.versions.get(path)
        return quote(path) + (f"?v={version}" if version else "")

    def trouble(self) -> str | None:
        """What is missing and what to do, in one line; None when all is there."""
        if not self.missing:
            return None
        listed = ", ".join(self.missing)
        return (
            f"pages are plain and do not update themselves, for want of {listed}: install Node.js"
            " with npm, run 'python -m hopper.web.frontend', and start hopper web again"
        )


def find_frontend(folder: Path = STATIC, pins: Path = PINS) -> Frontend:
    """Look at the files below ``folder`` once, and at what ``pins/files.json`` asks for.

    Raises:
        OSError: a file that is there cannot be read.
    """
    versions = dict(sorted(_versions(folder)))
    wanted: dict[str, str] = json.loads((pins / "files.json").read_text(encoding="utf-8"))
    return Frontend(
        folder=folder, versions=versions, missing=_missing(wanted.values(), present=versions)
    )


def _versions(folder: Path) -> Iterable[tuple[str, str]]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        # A build in progress beside a running server has a folder with a dot.
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield inside.as_posix(), digest[:_HASH_DIGITS]


def _missing(names: Iterable[str], *, present: Mapping[str, str]) -> tuple[str, ...]:
    """Of the taken files those that a browser loads and that are not there."""
    loaded = (f"{VENDOR}/{name}" for name in names if name.endswith((".css", ".js")))
    return tuple(sorted(path for path in loaded if path not in present))
