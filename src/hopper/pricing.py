"""What runs would cost on rented machines: prices by instance type, and the estimate.

The price data has the shape of instances.vantage.sh: a list of instance types, each with
``vCPU`` and ``pricing`` by region and system, whose prices per hour are texts. Of it, what
counts is kept for a day in a file of hopper's. Without data there is no estimate, and no error.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

from hopper.config.pricing import PriceType, Pricing

FILE_NAME = "prices.json"
FRESH = timedelta(hours=24)
"""How long prices from the web count as new."""
PATIENCE = timedelta(hours=1)
"""How long a web that gave none is left alone."""
TIMEOUT = 20.0
"""Seconds that the web may be silent."""
LARGEST = 512 * 1024**2
"""Bytes of price data."""
_SYSTEM = "linux"
_FORMAT = 1

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """An instance type in one region."""

    vcpus: int
    prices: Mapping[str, float]
    """USD per hour, by price type."""


Prices = Mapping[str, Instance]
"""Instances by type, of one region."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a task used, as far as its cost depends on it."""

    partition: str
    """As the task names it."""
    cpus: int
    elapsed_seconds: float | None
    """None where the batch system does not tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a run's completed tasks would have cost."""

    total: float
    """USD."""
    costed: int
    """Tasks that it is the sum of."""
    uncosted: int
    """Tasks on partitions without a price, or without times."""
    region: str
    price_type: PriceType


def estimate(
    pricing: Pricing | None, prices: Prices | None, work: Iterable[Work]
) -> Estimate | None:
    """Return what the work would cost; None without a pricing section or without prices.

    A task costs its hours, times its share of the instance's CPUs, times the price per hour.
    """
    if pricing is None or not prices:
        return None
    costs = [_cost(pricing, prices, item) for item in work]
    known = [cost for cost in costs if cost is not None]
    return Estimate(
        total=math.fsum(known),
        costed=len(known),
        uncosted=len(costs) - len(known),
        region=pricing.region,
        price_type=pricing.price_type,
    )


def _cost(pricing: Pricing, prices: Prices, work: Work) -> float | None:
    instance = prices.get(pricing.partitions.get(work.partition, ""))
    if instance is None or work.elapsed_seconds is None or work.elapsed_seconds < 0:
        return None
    price = instance.prices.get(pricing.price_type)
    if price is None:
        return None
    return work.elapsed_seconds / 3600 * (work.cpus / instance.vcpus) * price


def fetch(url: str) -> bytes:
    """Return what is at an http or https address. OSError or ValueError when it cannot be had."""
    # The config takes only http and https, and urllib goes to nothing else from there.
    request = urllib.request.Request(url, headers={"User-Agent": "hopper"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            content = bytes(answer.read(LARGEST + 1))
    except HTTPException as error:
        raise OSError(f"{url}: {error!r}") from error
    if len(content) > LARGEST:
        raise ValueError(f"{url} is larger than {LARGEST} bytes")
    return content


def load_prices(
    pricing: Pricing, folder: Path, *, now: datetime, fetch: Fetch | None = fetch
) -> Prices | None:
    """Return the prices of the region; None when there are none to be had.

    Prices from the web are asked for once a day, and when that fails older ones count; a file
    is read again when it has changed.

    Args:
        pricing: where prices come from.
        folder: where hopper keeps what it knows (``paths.db``).
        now: the time, aware.
        fetch: gets the content of an address; None to make do with what is known.
    """
    source = _source(pricing)
    if source is None:
        return None
    place = folder / FILE_NAME
    kept = _Kept.read(place, source=source, region=pricing.region)
    if not kept.due(now, from_file=pricing.file is not None):
        return kept.prices
    if pricing.file is None and fetch is None:
        return kept.prices
    new = _new(pricing, fetch)
    _Kept.write(
        place,
        source=source,
        region=pricing.region,
        prices=new or kept.prices,
        at=now if new else kept.at,
        tried=now,
    )
    return new or kept.prices


def _source(pricing: Pricing) -> str | None:
    """Return what tells this price data from other; None for a file that is not there."""
    if pricing.file is None:
        return pricing.url
    try:
        facts = pricing.file.stat()
    except OSError:
        return None
    return f"{pricing.file}:{facts.st_mtime_ns}:{facts.st_size}"


def _new(pricing: Pricing, fetch: Fetch | None) -> Prices | None:
    try:
        if pricing.file is not None:
            content = pricing.file.read_bytes()
        elif fetch is not None:
            content = fetch(pricing.url)
        else:
            return None
        return read_prices(content, pricing.region) or None
    except (OSError, ValueError, RecursionError):
        return None


def read_prices(content: bytes, region: str) -> dict[str, Instance]:
    """Return the instances of a region that price data tells of. ValueError for what is no list.

    What is odd in it is left out.
    """
    items = json.loads(content)
    if not isinstance(items, list):
        raise ValueError("price data must be a list of instance types")  # noqa: TRY004 - as JSON's own
    found = {}
    for item in items:
        name, instance = _instance(item, region)
        if instance is not None:
            found[name] = instance
    return found


def _instance(item: object, region: str) -> tuple[str, Instance | None]:
    here: Any = item
    for key in ("pricing", region, _SYSTEM):
        here = here.get(key) if isinstance(here, dict) else None
    if not isinstance(here, dict) or not isinstance(item, dict):
        return "", None
    name, vcpus = item.get("instance_type"), _positive(item.get("vCPU"))
    prices = {kind.value: _positive(here.get(kind.value)) for kind in PriceType}
    known = {kind: price for kind, price in prices.items() if price is not None}
    if not isinstance(name, str) or vcpus is None or vcpus < 1 or not known:
        return "", None
    return name, Instance(vcpus=int(vcpus), prices=known)


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What is known from before."""

    prices: Prices | None = None
    at: datetime | None = None
    """When the prices came; None when there are none."""
    tried: datetime | None = None
    """When they were last asked for."""

    def due(self, now: datetime, *, from_file: bool) -> bool:
        """Return whether it is time to look for new ones."""
        if from_file and self.prices is not None:
            return False
        recent = self.tried is not None and timedelta(0) <= now - self.tried < PATIENCE
        fresh = self.at is not None and timedelta(0) <= now - self.at < FRESH
        return not (recent or fresh)

    @classmethod
    def read(cls, place: Path, *, source: str, region: str) -> _Kept:
        """Return what the file says of this price data; nothing when it is not readable."""
        try:
            said = json.loads(place.read_bytes())
            if [said["format"], said["source"], said["region"]] != [_FORMAT, source, region]:
                return cls()
            at, tried = said["at"], said["tried"]
            instances = {
                str(name): Instance(vcpus=int(vcpus), prices={k: float(p) for k, p in own.items()})
                for name, (vcpus, own) in said["instances"].items()
            }
            return cls(
                prices=instances or None,
                at=None if at is None else datetime.fromisoformat(at),
                tried=datetime.fromisoformat(tried),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()

    @staticmethod
    def write(
        place: Path,
        *,
        source: str,
        region: str,
        prices: Prices | None,
        at: datetime | None,
        tried: datetime,
    ) -> None:
        """Keep it; where that cannot be, it is asked for again."""
        document = {
            "format": _FORMAT,
            "source": source,
            "region": region,
            "at": at.isoformat() if at is not None else None,
            "tried": tried.isoformat(),
            "instances": {
                name: [instance.vcpus, dict(instance.prices)]
                for name, instance in (prices or {}).items()
            },
        }
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(document, file)
                Path(name).replace(place)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
