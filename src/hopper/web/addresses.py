"""Addresses of the page's own routes, without a host: a proxy may give it any."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from fastapi import Request


def address(
    request: Request, name: str, /, query: dict[str, object] | None = None, **parts: object
) -> str:
    """Return the path of a route by its name; ``query`` goes behind it, but for empty values."""
    quoted = {key: quote(str(value), safe="/") for key, value in parts.items()}
    path = f"{request.scope.get('root_path', '')}{request.app.url_path_for(name, **quoted)}"
    pairs = {key: value for key, value in (query or {}).items() if value not in (None, "", [], ())}
    return f"{path}?{urlencode(pairs, doseq=True)}" if pairs else path
