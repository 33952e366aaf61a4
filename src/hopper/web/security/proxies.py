"""What reverse proxies say of a request: whom it is from, and whether it came by https."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


def believe_proxies(app: ASGIApp, trusted: Sequence[str]) -> ASGIApp:
    """Take X-Forwarded-For and -Proto from these addresses or networks, from nobody else.

    X-Forwarded-Host is taken from nobody: a proxy is to keep the header Host.
    """
    if not trusted:
        return app
    # Starlette and uvicorn write the same protocol in types of their own.
    return cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", app), list(trusted)))
