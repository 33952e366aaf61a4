"""The application: routes, what stands before them, and what lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp

from hopper import __version__
from hopper.web import uploads
from hopper.web.api import v1
from hopper.web.bodies import Bodies
from hopper.web.compressing import Compressed
from hopper.web.far_logs import FarLogs
from hopper.web.following import stream
from hopper.web.meter import Metered
from hopper.web.pages import (
    accounts,
    events,
    job,
    job_changes,
    jobs,
    login,
    logs,
    older,
    overview,
    queue,
    run,
    run_changes,
    runs,
    settings,
    sources,
    task,
    terminal,
    workers,
    workflows,
)
from hopper.web.pages.job_rows import send_rows
from hopper.web.planning import Planning
from hopper.web.prefix import Prefix
from hopper.web.problems import tell_problems
from hopper.web.scratch import clear_dead
from hopper.web.security.middleware import GuardMiddleware
from hopper.web.security.proxies import believe_proxies
from hopper.web.site import Site
from hopper.web.static_files import StaticFiles

STATIC = Path(__file__).parent / "static"
PAGES = (
    login,
    stream,
    overview,
    jobs,
    job_changes,
    job,
    workers,
    queue,
    events,
    settings,
    accounts,
    runs,
    run,
    run_changes,
    task,
    logs,
    terminal,
    workflows,
    sources,
    older,
)


def create_app(site: Site) -> ASGIApp:
    """Return the application of a site."""
    far_logs = FarLogs(site.config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A server that was killed cannot have done that.
        await to_thread.run_sync(clear_dead, site.config.paths.db / uploads.FOLDER)
        running = [
            asyncio.create_task(site.following.run()),
            asyncio.create_task(far_logs.keep()),
        ]
        try:
            yield
        finally:
            for one in running:
                one.cancel()
                with suppress(asyncio.CancelledError):
                    await one
            site.following.close()

    app = FastAPI(
        title="hopper",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.site = site
    app.state.far_logs = far_logs
    app.state.planning = Planning()
    app.state.terminals = set()
    send_rows(site)
    tell_problems(app)
    for page in PAGES:
        app.include_router(page.router, include_in_schema=False)
    kept = v1.attach(app, site)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    guarded = GuardMiddleware(Compressed(Bodies(app)), site.guard)
    # The prefix first: the guard leads to the login below it.
    whole = Prefix(Metered(guarded, kept.meter), site.config.web.root_path)
    return believe_proxies(whole, site.config.web.trusted_proxies)
