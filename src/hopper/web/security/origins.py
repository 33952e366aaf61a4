"""Whether a request that changes something was made by one of our own pages."""

from __future__ import annotations

from hopper.web.security.hosts import Authority, parse_authority

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def same_site(
    *,
    host: Authority,
    secure: bool,
    origin: str | None,
    fetch_site: str | None,
) -> bool:
    """Tell whether the browser says that the request comes from this very site.

    ``origin`` and ``fetch_site`` are the headers ``Origin`` and ``Sec-Fetch-Site``, None
    where there is none. ``secure`` tells that the request came by https. True where there
    is neither header: browsers always send one of them, programs none.
    """
    if fetch_site is not None:
        return fetch_site == "same-origin" and (origin in (None, "null") or _names(origin, host))
    if origin is None:
        return True
    # Not the other way round: https may have ended at a proxy.
    return _names(origin, host) and not (secure and origin.lower().startswith("http:"))


def _names(origin: str | None, host: Authority) -> bool:
    scheme, separator, rest = (origin or "").lower().partition("://")
    default = _PORTS.get(scheme)
    authority = parse_authority(rest) if separator and default else None
    if authority is None or authority.host != host.host:
        return False
    return (authority.port or default) == (host.port or default)
