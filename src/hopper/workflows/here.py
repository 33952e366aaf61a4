"""Runs the shell text of ``shell`` on this machine, for backends that are the workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from hopper.errors import HopperError
from hopper.model.batch import Said
from hopper.workflows.shell import KEY_NAME

PATIENCE = 5.0
"""Seconds between TERM and KILL, in which the text tidies up."""
TIMED_OUT = 124


def run(text: str, *, key: Path | None, within: timedelta) -> Said:
    """Run shell text and return what it said; code 124 when it was ended by the time limit.

    ``key``: a deploy key that it is lent. HopperError where it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="hopper-") as uploads:
        try:
            if key is not None:
                lent = Path(uploads) / KEY_NAME
                lent.touch(mode=0o600)
                shutil.copyfile(key, lent)
            process = subprocess.Popen(
                ["sh", "-c", text],
                env={**os.environ, "hopper_uploads": uploads},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise HopperError(f"no shell can be run here: {error}") from error
        return _said(process, within.total_seconds())


def _said(process: subprocess.Popen[bytes], seconds: float) -> Said:
    code = None
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        code = TIMED_OUT
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=PATIENCE)
        _signal(process, signal.SIGKILL)
        out, err = process.communicate()
    except BaseException:
        _signal(process, signal.SIGKILL)
        raise
    return Said(
        code=process.returncode if code is None else code,
        stdout=out.decode("utf-8", "replace"),
        stderr=err.decode("utf-8", "replace"),
    )


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
