"""The prices that a run's cost is estimated by."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator

from hopper.config.settings import Settings, key
from hopper.config.values import HomePath, Word

PRICES_URL = "https://instances.vantage.sh/instances.json"
_InstanceType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,60}$")]


class PriceType(StrEnum):
    """Which of an instance's prices counts."""

    ONDEMAND = "ondemand"
    SPOT_AVG = "spot_avg"
    SPOT_MIN = "spot_min"
    SPOT_MAX = "spot_max"


class Pricing(Settings):
    """What the machines of partitions would cost as rented ones."""

    region: Word = key("us-east-1", "The region whose prices count.", unit="AWS region")
    price_type: PriceType = key(
        "ondemand",
        "Which price counts.",
        unit="ondemand, spot_avg, spot_min or spot_max",
    )
    partitions: dict[str, _InstanceType] = Field(
        description="Partitions, and the instance types that they are like.",
        json_schema_extra={"unit": "name: type"},
    )
    file: HomePath | None = key(None, "Price data on disk, in place of the url.", unit="file")
    url: str = key(PRICES_URL, "Where price data comes from; kept for 24 h.", unit="URL")

    @field_validator("url")
    @classmethod
    def _is_web(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or not value.isprintable():
            raise ValueError(f"{value!r} is not an http or https address; for a file use file")
        return value
