"""Files that are sent to be kept."""

from __future__ import annotations

from fastapi.responses import FileResponse

from hopper.model.job import Job
from hopper.operations.result_files import result_file
from hopper.web.changing import apart
from hopper.web.site import Site

SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


async def send_result(site: Site, job: Job, name: str) -> FileResponse:
    """Send a file that a job brought home. NotThere."""
    path = await apart(lambda: result_file(site.config, job, name))
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


def attachment(name: str) -> str:
    """Return the header that has a browser keep a file; nothing odd is left in its name."""
    clean = "".join(letter if letter in SAFE else "_" for letter in name).lstrip(".")
    return f'attachment; filename="{clean[-150:] or "file"}"'
