"""Templates into answers: whole pages, and fragments for htmx."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.routing import NoMatchFound

from hopper import __version__
from hopper.config.memory import format_memory
from hopper.documents.words import ago, duration, size_text
from hopper.operations.log_text import plain_text
from hopper.web.addresses import address

HTMX = {
    "allowEval": False,
    "allowScriptTags": False,
    "includeIndicatorStyles": False,
    "selfRequestsOnly": True,
    # What a logged-out person may not see must not come back from the browser's store.
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        {
            "code": "[45]..",
            "error": True,
            "swap": True,
            "target": "#toasts",
            "swapOverride": "beforeend",
        },
    ],
}
"""What htmx is told: nothing that a strict Content-Security-Policy forbids."""
PAGES = (
    ("overview", "Overview"),
    ("jobs", "Jobs"),
    ("runs", "Runs"),
    ("workflows", "Workflows"),
    ("sources", "Sources"),
    ("workers", "Workers"),
    ("queue", "Queue"),
    ("events", "Events"),
    ("settings", "Settings"),
)
"""The pages that each page leads to: the names of their routes, and what they are called."""
TEMPLATES = Path(__file__).parent / "templates"


class Rendering:
    """Renders templates; every value from outside is escaped."""

    def __init__(self, static_url: Callable[[str], str], missing: str = "") -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        self._environment.filters.update(
            ago=ago,
            duration=duration,
            size=_size,
            memory=format_memory,
            iso=_iso,
            plain=plain_text,
            hours=_hours,
        )
        self._environment.globals.update(
            version=__version__, missing=missing, htmx_config=json.dumps(HTMX)
        )
        self._static_url = static_url

    def page(
        self, request: Request, template: str, *, status: int = 200, **values: object
    ) -> HTMLResponse:
        """Return a template as the answer to a request, be it a whole page or a part."""
        return HTMLResponse(self.text(request, template, **values), status_code=status)

    def text(self, request: Request, template: str, **values: object) -> str:
        """Return a template's text; it may ask for ``url(name, …)`` and ``static(file)``."""
        known = {**self._of_request(request), **values}
        return self._environment.get_template(template).render(known)

    def shared(self, template: str, *, root: str, **values: object) -> str:
        """Return a text that is the same for everybody; it knows no more than ``root``."""
        return self._environment.get_template(template).render(root=root, **values)

    def _of_request(self, request: Request) -> Mapping[str, object]:
        root = request.scope.get("root_path", "")
        visit = request.scope.get("state", {}).get("visit")
        return {
            "url": lambda name, /, **parts: address(request, name, **parts),
            "static": lambda file: f"{root}/static/{self._static_url(file)}",
            "pages": [pair for pair in PAGES if has_page(request, pair[0])],
            "root": root,
            "here": request.url.path.removeprefix(root),
            "position": getattr(request.state, "position", ""),
            "identity": visit.identity if visit is not None else None,
            "csrf_token": visit.csrf_token() if visit is not None else "",
            "section": "",
        }


def has_page(request: Request, name: str, /, **parts: str) -> bool:
    """Return whether there is a route of that name that takes these parts."""
    try:
        request.app.url_path_for(name, **parts)
    except NoMatchFound:
        return False
    return True


def wants_part(request: Request) -> bool:
    """Return True where htmx asks for a part of a page, not for all of it."""
    return request.headers.get("hx-request") == "true" and not request.headers.get("hx-boosted")


def _hours(amount: float, digits: int = 2) -> str:
    if 0 < amount < 0.5 * 10**-digits:
        return f"<{10**-digits:.{digits}f}"
    return f"{amount:,.{digits}f}"


def _size(count: int | None) -> str:
    return size_text(count) if count is not None else "\u2013"


def _iso(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment is not None else ""
