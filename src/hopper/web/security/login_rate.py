"""How often a login may be tried."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

WINDOW = 15 * 60.0
"""Seconds in which failures are counted together."""
KEPT = 10_000
"""Counters at a time; the one unused for longest is forgotten."""
OF_BOTH = 5
"""Failures of one name from one address."""
OF_ADDRESS = 20
"""Of one address with any names."""
OF_NAME = 100
"""Of one name from anywhere: so high that nobody is easily locked out by others."""


@dataclass(slots=True)
class _Counter:
    since: float
    failures: int


class LoginRate:
    """Counts failed logins in memory. Times are seconds of a clock that only rises.

    An attempt counts as failed when it begins, so that many at once are counted too.
    """

    def __init__(self) -> None:
        self._counters: OrderedDict[tuple[str, ...], _Counter] = OrderedDict()

    def begin(self, address: str, name: str, now: float) -> float:
        """Count an attempt; return 0, or the seconds to wait, and then it was not counted."""
        limits = _limits(address, name)
        waits = [self._wait(key, limit, now) for key, limit in limits]
        if max(waits) > 0:
            return max(waits)
        for key, _ in limits:
            self._count(key, now)
        return 0.0

    def succeeded(self, address: str, name: str) -> None:
        """Take the attempt back: it was the right password."""
        for key, _ in _limits(address, name):
            counter = self._counters.get(key)
            if counter is None:
                continue
            counter.failures -= 1
            if key[0] == "both" or counter.failures <= 0:
                del self._counters[key]

    def __len__(self) -> int:
        return len(self._counters)

    def _wait(self, key: tuple[str, ...], limit: int, now: float) -> float:
        counter = self._counters.get(key)
        if counter is None or counter.failures < limit:
            return 0.0
        return max(0.0, counter.since + WINDOW - now)

    def _count(self, key: tuple[str, ...], now: float) -> None:
        counter = self._counters.pop(key, None)
        if counter is None or now >= counter.since + WINDOW:
            counter = _Counter(since=now, failures=0)
        counter.failures += 1
        self._counters[key] = counter
        while len(self._counters) > KEPT:
            self._counters.popitem(last=False)


def _limits(address: str, name: str) -> list[tuple[tuple[str, ...], int]]:
    place, name = _place(address), name[:64]
    return [
        (("both", place, name), OF_BOTH),
        (("address", place), OF_ADDRESS),
        (("name", name), OF_NAME),
    ]


def _place(address: str) -> str:
    """Return the address; of IPv6 the network that one person has."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(ip), 64), strict=False))
    return str(getattr(ip, "ipv4_mapped", None) or ip)
