"""Requests with an ``Idempotency-Key``: sent twice, they are done once and answered alike."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import Header

from hopper.documents.values import Json
from hopper.errors import UsageError
from hopper.store.codec import decode_object, encode
from hopper.store.errors import NoAnswer
from hopper.store.files import write_whole
from hopper.web.problems import Conflict
from hopper.web.security.documents import private_folder

FOLDER = "idempotency"
KEPT = 86_400.0
"""Seconds for which an answer is kept."""
MOST = 2000
"""Answers that are kept at most; the oldest go first."""

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Any text of your own. The same request with the same key is done once; "
        "for a day its answer is given again.",
    ),
]


class Repeats:
    """The answers to keys that were seen, in ``paths.db/web``: a restart forgets none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    async def once(
        self,
        key: str | None,
        who: str,
        request: str,
        work: Callable[[], Awaitable[tuple[int, Json | list[Json]]]],
    ) -> tuple[int, object, bool]:
        """Do the work, or return what came of it before: status, answer, and whether it is old.

        ``request`` tells one request from another: UsageError for a key that was used for
        another one. Conflict while the first is under way, or when nobody knows what came of it.
        """
        if key is None:
            return (*await work(), False)
        path = self._folder / hashlib.sha256(f"{who}\0{key}".encode()).hexdigest()
        asked = hashlib.sha256(request.encode()).hexdigest()
        known = await to_thread.run_sync(self._begin, path, asked)
        if known is not None:
            return _again(known, asked)
        try:
            status, made = await work()
        except NoAnswer:
            raise  # it may have been heard all the same
        except Exception:
            # It was refused, so nothing came of it: the next try may be right.
            path.unlink(missing_ok=True)
            raise
        done = {"asked": asked, "status": status, "answer": made}
        await to_thread.run_sync(lambda: write_whole(path, [encode(done)]))
        return status, made, False

    def _begin(self, path: Path, asked: str) -> Json | None:
        """Note that a request has begun; return what is known when it had before."""
        private_folder(self._folder)
        self._forget()
        try:
            with path.open("xb") as file:
                path.chmod(0o600)
                file.write(encode({"asked": asked}))
        except FileExistsError:
            try:
                return decode_object(path.read_bytes())
            except (OSError, ValueError):
                return {"asked": asked}
        return None

    def _forget(self) -> None:
        ages = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                ages.append((path.stat().st_mtime, path))
        ages.sort(reverse=True)
        old = time.time() - KEPT
        for number, (at, path) in enumerate(ages):
            if at < old or number >= MOST:
                path.unlink(missing_ok=True)


def _again(known: Json, asked: str) -> tuple[int, object, bool]:
    if known.get("asked") != asked:
        raise UsageError("that Idempotency-Key was used for another request", way_out="make a new")
    status = known.get("status")
    if not isinstance(status, int):
        raise Conflict(
            "the first request with that Idempotency-Key is under way, or broke off",
            way_out="look whether it was done, then use another key",
        )
    return status, known.get("answer"), True
