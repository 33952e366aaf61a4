"""Where on the page what an explanation advises can be done."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_JOB = r"(?P<job_id>[^\s/]+)"
_PLACES = (
    (r"hopper release " + _JOB, "Release it", "job"),
    (r"hopper requeue --abandon " + _JOB, "Abandon and requeue it", "job"),
    (r"hopper requeue " + _JOB, "Requeue {job_id}", "job"),
    (r"hopper results " + _JOB, "Its results", "job"),
    (r"hopper logs (?:-f |--error )?" + _JOB, "Its output", "job"),
    (r"hopper explain " + _JOB, "Why {job_id}?", "explain_job"),
    (r"hopper workers resume", "Resume dispatching", "overview"),
    (r"hopper workers resume (?P<name>\S+)", "Resume {name}", "workers"),
    (r"hopper workers check (?P<name>\S+)", "Check {name}", "workers"),
    (r"hopper workers setup (?P<name>\S+)", "Set {name} up", "workers"),
    (r"hopper workers list", "Workers and their tags", "workers"),
    (r"hopper backend check (?P<name>\S+)", "Check {name}", "workers"),
    (r"hopper backend resume (?P<name>\S+)", "Resume {name}", "workers"),
    (r"hopper backend list", "Backends", "workers"),
)
"""Commands, what they are called on the page, and the routes where they can be done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advised:
    """What can be done."""

    said: str
    """As the command line has it: a command, or words."""
    words: str = ""
    """The same on the page; empty where it cannot be done there."""
    route: str = ""
    """The name of its route."""
    given: dict[str, str] = field(default_factory=dict)
    """What its route is given."""

    @property
    def command(self) -> bool:
        """Return True for a command, False for words."""
        return self.said.startswith("hopper ")


def advised(advice: Iterable[str]) -> list[Advised]:
    """Return what is advised with where on the page it can be done, each place once."""
    found: dict[str, Advised] = {}
    for said in advice:
        one = _placed(said)
        found.setdefault(one.words or one.said, one)
    return list(found.values())


def _placed(said: str) -> Advised:
    for pattern, words, route in _PLACES:
        match = re.fullmatch(pattern, said)
        if match is not None:
            named = match.groupdict()
            given = {"job_id": named["job_id"]} if "job_id" in named else {}
            return Advised(said=said, words=words.format(**named), route=route, given=given)
    return Advised(said=said)
