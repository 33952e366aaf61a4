"""The keys of the web page."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from hopper.config.settings import Settings, key
from hopper.config.units import Duration, Size
from hopper.config.values import Word, as_list

_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*\Z")


def _root_path(value: str) -> str:
    value = value.rstrip("/")
    if not _ROOT_PATH.match(value) or ".." in value.split("/"):
        raise ValueError(f"{value!r} must be a path such as /hopper")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError as error:
        raise ValueError(f"{value!r} is no address and no network") from error


class Web(Settings):
    """Where the page is served, and to whom."""

    host: Word = key(
        "127.0.0.1",
        "The address to listen on. On any other than this machine's own, users or tokens must "
        "have been made ('hopper web user add').",
    )
    port: int = key(8000, "The port to listen on; 0 for one that is free.", ge=0, le=65_535)
    root_path: Annotated[str, AfterValidator(_root_path)] = key(
        "", "The path below which a reverse proxy serves the page, such as /hopper."
    )
    allowed_hosts: Annotated[tuple[Word, ...], BeforeValidator(as_list)] = key(
        (),
        "Names by which browsers may call it besides this machine's own and 'host': "
        "hopper.example.org, or *.example.org.",
        unit="list of names",
    )
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(as_list)
    ] = key(
        ("127.0.0.1", "::1"),
        "Addresses or networks of reverse proxies, whose X-Forwarded headers are believed.",
        unit="list of networks",
    )
    session: Duration = key("30d", "How long a login lasts.", unit="duration")
    terminal: bool = key(
        False, "Whether operators may open a terminal in the folder of a job, where it runs."
    )
    max_upload: Size | None = key(
        None, "Largest zip that is taken in the browser; zips.max_size without it.", unit="size"
    )

    @property
    def session_time(self) -> timedelta:
        """How long a login lasts."""
        return self.session
