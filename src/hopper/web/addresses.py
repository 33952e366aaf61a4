"""Addresses of the page's own routes, without a host: a proxy may give it any."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from fastapi import Request


def address(
    request: Request, name: str, /, query: dict[str, object] | None = None, **parts: object
) -> str:
    """Return the path of a route by its name; ``query`` goes behind it, but for empty values."""
    path = f"{request.scope.get('root_path', '')}{_path(request, name, parts)}"
    pairs = {key: value for key, value in (query or {}).items() if value not in (None, "", [], ())}
    return f"{path}?{urlencode(pairs, doseq=True)}" if pairs else path


def _path(request: Request, name: str, parts: Mapping[str, object]) -> str:
    quoted = {key: quote(str(value), safe="/") for key, value in parts.items()}
    try:
        return str(request.app.url_path_for(name, **quoted))
    except AssertionError:
        # A name with a slash where the route takes none: the page is shown, the link leads nowhere.
        quoted = {key: quote(str(value), safe="") for key, value in parts.items()}
        return str(request.app.url_path_for(name, **quoted))
