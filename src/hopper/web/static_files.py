"""Serving the front-end files."""

from __future__ import annotations

from starlette.responses import Response
from starlette.staticfiles import StaticFiles as Folder
from starlette.types import Scope

FOR_EVER = "public, max-age=31536000, immutable"


class StaticFiles(Folder):
    """A folder of files whose addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file; a browser may keep what it asked for by its version."""
        answer = await super().get_response(path, scope)
        if scope["query_string"].startswith(b"v="):
            answer.headers["Cache-Control"] = FOR_EVER
        return answer
