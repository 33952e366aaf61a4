"""The dispatcher beside the web page: a process of its own that ends with this one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

from hopper.bootstrap.state import dispatching
from hopper.config.model import HopperConfig

MISTAKE = 2
"""The exit code of a mistake in the config: trying again mends nothing."""
AGAIN_AFTER = 5.0
"""Seconds until a dispatcher that has ended is started again, or another one's end looked for."""
END_PATIENCE = 60.0
"""Seconds that it may take to end; its jobs run on whatever becomes of it."""


class DispatcherBeside:
    """Keeps a dispatcher running for as long as nobody else dispatches."""

    def __init__(self, config: HopperConfig, *, quiet: bool) -> None:
        self._config = config
        self._words = ["dispatch", "--with-parent", *(["--quiet"] if quiet else [])]
        self._process: asyncio.subprocess.Process | None = None
        self.trouble = ""
        """Why none is running."""

    async def run(self) -> None:
        """Start it, and start it again when it ends; until cancelled, which ends it as well."""
        try:
            while True:
                held = dispatching(self._config)
                if held is None:
                    code = await self._one()
                    self.trouble = f"the dispatcher ended with exit code {code}"
                    if code == MISTAKE:
                        self.trouble += "; mend the config, and start 'hopper web' again"
                        return
                await asyncio.sleep(AGAIN_AFTER)
        finally:
            await self._end()

    async def _one(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "hopper",
            "--config",
            str(self._config.source),
            *self._words,
            stdin=asyncio.subprocess.PIPE,
            # Ctrl-C at the terminal is for this process, which passes it on in its own time.
            start_new_session=True,
        )
        self.trouble = ""
        return await self._process.wait()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), END_PATIENCE)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
