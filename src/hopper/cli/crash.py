"""What becomes of an error that nobody foresaw: one line, and a file with the details."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from hopper import __version__
from hopper.errors import HopperError

FILE_NAME = "crash.log"


class InternalError(HopperError):
    """A mistake in hopper itself; ``path`` is the file with the details."""

    def __init__(self, error: BaseException, path: Path | None) -> None:
        self.path = path
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        where = f"details in {path}" if path else "the details could not be written down"
        super().__init__(f"internal error: {said}", way_out=where)


def crashed(error: BaseException, config_file: object) -> InternalError:
    """Write the details down, for this user alone; return the error that says where."""
    trace = "".join(traceback.format_exception(error))
    text = (
        f"hopper {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{datetime.now(UTC).isoformat(timespec='seconds')}\n\n{trace}"
    )
    return InternalError(error, _written(text, config_file))


def _written(text: str, config_file: object) -> Path | None:
    content = text.encode("utf-8", "backslashreplace")
    with suppress(Exception):
        folder = _state_folder(config_file)
        if folder is not None:
            path = folder / FILE_NAME
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            return _fill(os.open(path, flags, 0o600), path, content)
    with suppress(OSError):
        descriptor, name = tempfile.mkstemp(prefix="hopper-crash-", suffix=".log")
        return _fill(descriptor, Path(name), content)
    return None


def _state_folder(config_file: object) -> Path | None:
    if "pydantic" not in sys.modules and not isinstance(config_file, Path):
        # Whatever failed had not come as far as the config.
        return None
    from hopper.config.load import load

    folder = load(config_file if isinstance(config_file, Path) else None).paths.db
    return folder if folder.is_dir() else None


def _fill(descriptor: int, path: Path, content: bytes) -> Path:
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
    return path
