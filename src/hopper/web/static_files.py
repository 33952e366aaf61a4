"""Serving the front-end files."""

from __future__ import annotations

from typing import TypeGuard

from anyio import Path
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
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
        if _whole(answer, scope):
            # In one piece it can be compressed.
            content = await Path(answer.path).read_bytes()
            return Response(content, headers=dict(answer.headers))
        return answer


def _whole(answer: Response, scope: Scope) -> TypeGuard[FileResponse]:
    plain = scope["method"] == "GET" and "range" not in Headers(scope=scope)
    return plain and isinstance(answer, FileResponse) and answer.status_code == 200
