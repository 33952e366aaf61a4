"""Names and addresses of this server: which a request may be for, which need a login."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hopper.errors import UsageError

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_]"
                   r"(?:[a-z0-9_-]*[a-z0-9_])?)*\Z", re.ASCII)  # fmt: skip
_PORT = re.compile(r"[0-9]{1,5}\Z", re.ASCII)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What a Host header or an origin names: a name or an address in its one form, a port."""

    host: str
    port: int | None = None

    @property
    def address(self) -> Address | None:
        """The address, None when it is a name."""
        return address_of(self.host)


def address_of(host: str) -> Address | None:
    """Return the IP address that a text is, without brackets and zone; None for a name."""
    if "%" in host:
        return None
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def parse_authority(text: str) -> Authority | None:
    """Return what a Host header means, None when it is not one.

    Nothing but the plain form is taken: no user, no zone, no letters beyond ASCII.
    """
    host, port = _split(text.lower())
    if port is not None and not (_PORT.match(port) and 0 < int(port) < 65536):
        return None
    if host.startswith("["):
        ip = address_of(host[1:-1])
        if not host.endswith("]") or ip is None or ":" not in host:
            return None
        plain = str(ip)
    else:
        ip = address_of(host)
        plain = str(ip) if ip is not None else host.removesuffix(".")
        if ":" in host or not _NAME.match(plain):
            return None
    return Authority(host=plain, port=int(port) if port is not None else None)


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, closing, rest = text.partition("]")
        if not rest:
            return host + closing, None
        return (host + closing, rest[1:]) if rest.startswith(":") else ("", None)
    host, colon, port = text.partition(":")
    return host, port if colon else None


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's own, which no other machine reaches."""
    if host.lower().removesuffix(".") == "localhost":
        return True
    ip = address_of(host.strip("[]"))
    return ip is not None and ip.is_loopback


class HostRule:
    """The hosts that a request may be for; all others are refused.

    Else a page of a stranger could have its own name lead here (DNS rebinding) and read along.
    ``bound`` is the address that the server listens on. Addresses need no list where it
    listens on all: only names can be made to lead elsewhere.
    """

    def __init__(self, bound: str, allowed: Iterable[str] = ()) -> None:
        own = address_of(bound.strip("[]"))
        self._any_address = own is not None and own.is_unspecified
        self._hosts = {"localhost", str(own) if own is not None else bound.lower()}
        self._suffixes: list[str] = []
        for text in allowed:
            self._allow(text)

    def _allow(self, text: str) -> None:
        wild = text.startswith("*.")
        authority = parse_authority(text.removeprefix("*."))
        if authority is None and address_of(text) is not None:
            authority = Authority(host=str(address_of(text)))
        if authority is None:
            raise UsageError(
                f"web.allowed_hosts: {text!r} is no name of a host",
                way_out="write it as jobs.example.org or *.example.org",
            )
        if wild:
            self._suffixes.append(f".{authority.host}")
        else:
            self._hosts.add(authority.host)

    def takes(self, authority: Authority) -> bool:
        """Tell whether a request for this host is for us."""
        ip = authority.address
        if ip is not None and (ip.is_loopback or self._any_address):
            return True
        host = authority.host
        return host in self._hosts or any(host.endswith(end) for end in self._suffixes)


def check_binding(*, host: str, allowed_hosts: Iterable[str], anybody: bool) -> None:
    """Raise UsageError where others would reach a server that lets everybody in.

    ``anybody`` tells that there is a user or a token, so that a login is asked for.
    """
    if anybody:
        return
    way_out = (
        "first 'hopper web user add NAME --role admin', or 'hopper web token create NAME "
        "--role viewer' for a program"
    )
    if not is_loopback(host):
        raise UsageError(
            f"{host} is reached by other machines, and there are no users", way_out=way_out
        )
    far = [name for name in allowed_hosts if not is_loopback(name)]
    if far:
        raise UsageError(
            f"web.allowed_hosts has {far[0]}, so others get here through a proxy, and there are "
            "no users",
            way_out=way_out,
        )
