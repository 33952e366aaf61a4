"""Zips for tests: good ones, and ones that are wrong in a single way."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from hopper.config.model import HopperConfig, Zips

LIMITS: Zips = HopperConfig().zips
SCRIPT = ("run_job.sh", b"echo hi\n")


def zip_bytes(
    *members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Return a zip of those members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            # With a fixed time: contents name tests, which must be the same in all processes.
            info = name if isinstance(name, zipfile.ZipInfo) else _plain(name, method)
            archive.writestr(info, content)
    return buffer.getvalue()


def _plain(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = method, 0o600 << 16
    return info


def entry(name: str, change: Callable[[zipfile.ZipInfo], None]) -> zipfile.ZipInfo:
    """Return a member's header with a change made to it."""
    info = zipfile.ZipInfo(name)
    change(info)
    return info


def with_mode(name: str, mode: int) -> zipfile.ZipInfo:
    """Return a member's header with a Unix mode, type included."""
    return entry(name, lambda info: setattr(info, "external_attr", mode << 16))


def write(folder: Path, content: bytes, name: str = "job.zip") -> Path:
    """Write bytes to a file and return its path."""
    path = folder / name
    path.write_bytes(content)
    return path
