"""Serving the page: the socket, the server, and the dispatcher beside it."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import uvicorn
from starlette.types import ASGIApp

from hopper.config.model import HopperConfig
from hopper.errors import UsageError
from hopper.web.beside import DispatcherBeside
from hopper.web.connections import Connections, Limits

CLOSING_SECONDS = 5
"""What open answers are given when the server ends; streams come back by themselves."""
BACKLOG = 1024
OTHER_FILES = 500
"""Open files besides the connections."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen(host: str, port: int) -> socket.socket:
    """Return the socket that the page is served on. UsageError where it cannot be had."""
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            way_out="choose another with --host and --port, or web.host and web.port",
        ) from error
    return listening


def affordable(limits: Limits) -> Limits:
    """Let this process have as many files open as it needs; return what it can have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(limits.connections, max(soft // 2, soft - OTHER_FILES))
    return replace(limits, connections=most)


def page_address(listening: socket.socket, config: HopperConfig) -> str:
    """Return where a browser on this machine finds the page."""
    host, port = listening.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - told, not bound
        host = socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{config.web.root_path}/"


def serve(
    app: ASGIApp,
    listening: socket.socket,
    *,
    connections: Connections,
    beside: DispatcherBeside | None,
    ready: Callable[[], None],
) -> None:
    """Serve until told to end (SIGINT, SIGTERM)."""
    server = _Server(
        uvicorn.Config(
            app,
            http=connections.protocol(),
            loop="uvloop",
            ws="websockets-sansio",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            # Who may speak for others is decided by what stands before the routes.
            proxy_headers=False,
            timeout_graceful_shutdown=CLOSING_SECONDS,
        ),
        ready,
    )

    async def both() -> None:
        dispatching = asyncio.create_task(beside.run()) if beside is not None else None
        try:
            await server.serve(sockets=[listening])
        finally:
            if dispatching is not None:
                dispatching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await dispatching

    for number in ENDING:
        signal.signal(number, server.handle_exit)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(both())


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to ``serve``: uvicorn would raise them again before the dispatcher ends."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
