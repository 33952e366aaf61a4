"""What every answer says to the browser about what a page may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

_POLICY: dict[str, tuple[str, ...]] = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'", "data:"),
    "font-src": ("'self'",),
    "connect-src": ("'self'",),
    "manifest-src": ("'self'",),
    "form-action": ("'self'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
}
_CLOSED = ("camera", "geolocation", "microphone", "payment", "usb", "browsing-topics")

CSP = b"content-security-policy"
Raw = list[tuple[bytes, bytes]]


def policy(more: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return the Content-Security-Policy, with more sources for what a single page needs.

    A page with a policy of its own sets the header itself; all others get the strict one.
    """
    rules = dict(_POLICY)
    for name, sources in (more or {}).items():
        rules[name] = (*(one for one in rules.get(name, ()) if one != "'none'"), *sources)
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())


_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _CLOSED).encode("ascii")),
)
_UNLESS_SET: tuple[tuple[bytes, bytes], ...] = (
    (CSP, policy().encode("ascii")),
    # What people see here is not for a proxy's or a library computer's disk.
    (b"cache-control", b"no-store"),
)


def with_security(headers: Iterable[tuple[bytes, bytes]]) -> Raw:
    """Return an answer's headers with ours. Its own policy and cache rule stay."""
    fixed = {name for name, _ in _ALWAYS}
    kept = [(name, value) for name, value in headers if name.lower() not in fixed]
    there = {name.lower() for name, _ in kept}
    return [*kept, *_ALWAYS, *(pair for pair in _UNLESS_SET if pair[0] not in there)]
