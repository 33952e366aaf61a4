"""Which jobs an address asks for: its filter, order and page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from hopper.errors import UsageError
from hopper.web.following.listing import DEFAULT_SORT, JobFilter, check_sort
from hopper.web.security.roles import Identity

ROWS = 100
"""Jobs on one page."""
MINE = "mine"
"""The cookie of who wants to see only their own jobs."""
LONGEST = 200
"""Characters of a value that is searched for."""
MOST_PAGES = 1_000_000
COLUMNS = (
    ("id", "Job", ""),
    ("name", "Name", "wide"),
    ("workflow", "Workflow", "roomy"),
    ("run", "Run", "wide"),
    ("user", "User", "wide"),
    ("state", "State", ""),
    ("backend", "Where", ""),
    ("cpu_hours", "CPU h", "num wide"),
    ("cpus", "Resources", "wide"),
    ("utilization", "Used", "num wide"),
    ("submitted", "Submitted", "num wide"),
)
"""The columns: what each is sorted by, its heading, its classes."""
_FALLING_FIRST = frozenset({"submitted", "cpu_hours", "utilization", "cpus"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What an address asks for."""

    wanted: JobFilter
    sort: str = DEFAULT_SORT
    descending: bool = True
    page: int = 1
    mine: bool = False
    """Only the person's own jobs, whatever user is chosen."""

    @property
    def offset(self) -> int:
        """How many rows the pages before have."""
        return (self.page - 1) * ROWS

    @property
    def narrow(self) -> bool:
        """True when not all live jobs are asked for."""
        return self.wanted != JobFilter()

    def query(self, **other: object) -> dict[str, object]:
        """Return the address's query, with some values changed; ``page`` starts anew."""
        wanted = self.wanted
        usual = (DEFAULT_SORT, True)
        said: dict[str, object] = {
            "state": sorted(wanted.states),
            "user": "" if self.mine else wanted.user,
            "backend": wanted.backend,
            "run": wanted.run,
            "workflow": wanted.workflow,
            "origin": wanted.origin,
            "tag": sorted(wanted.tags),
            "text": wanted.text,
            "history": "1" if wanted.history else "",
            "sort": "" if (self.sort, self.descending) == usual else self.sort,
            "order": "" if (self.sort, self.descending) == usual else self.order,
        }
        return {**said, **other}

    @property
    def order(self) -> str:
        """``desc`` or ``asc``."""
        return "desc" if self.descending else "asc"

    def turned(self, column: str) -> dict[str, object]:
        """Return the query that a click on a column's heading leads to."""
        down = not self.descending if column == self.sort else column in _FALLING_FIRST
        return self.query(sort=column, order="desc" if down else "asc")


def asked_jobs(request: Request, identity: Identity) -> Asked:
    """Return what the address of a request asks for. UsageError for what makes no sense."""
    query = request.query_params
    mine = request.cookies.get(MINE) == "1"
    sort = query.get("sort") or DEFAULT_SORT
    check_sort(sort)
    wanted = JobFilter(
        user=identity.name if mine else _text(query, "user"),
        backend=_text(query, "backend"),
        run=_text(query, "run"),
        workflow=_text(query, "workflow"),
        origin=_text(query, "origin"),
        states=frozenset(value for value in query.getlist("state") if value),
        tags=frozenset(",".join(query.getlist("tag")).replace(",", " ").split()),
        text=_text(query, "text"),
        history=query.get("history", "") not in {"", "0"},
    )
    return Asked(
        wanted=wanted,
        sort=sort,
        descending=query.get("order", "desc") != "asc",
        page=_page(query.get("page", "1")),
        mine=mine,
    )


def _text(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "").strip()
    if len(value) > LONGEST:
        raise UsageError(f"{name} is longer than {LONGEST} characters")
    return value


def _page(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:9]) <= MOST_PAGES:
        raise UsageError(f"{text[:20]!r} is no page", way_out="count from 1")
    return int(text[:9])
