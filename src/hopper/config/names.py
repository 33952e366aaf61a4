"""Whether the names in a config are each there once, and those that are spoken of exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Protocol

from hopper.config.backends import Backend
from hopper.config.seed_worker import SeedWorker
from hopper.config.workflows import Environment, Source, Workflow


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def check_names(
    *,
    workers: Sequence[SeedWorker],
    backends: Sequence[Backend],
    environments: Sequence[Environment],
    workflows: Sequence[Workflow],
    sources: Sequence[Source],
) -> None:
    """Raise ValueError for a name that is there twice, or that names no backend."""
    for what, items in (
        ("workers", workers),
        ("backends", backends),
        ("environments", environments),
        ("workflows", workflows),
        ("sources", sources),
    ):
        _refuse_twins(what, items)
    shared = sorted({w.name for w in workers} & {b.name for b in backends})
    if shared:
        raise ValueError(f"{shared[0]} names both a worker and a backend; rename one")
    known = [backend.name for backend in backends]
    spoken_of = [(f"workflow {workflow.name}", workflow.backend) for workflow in workflows]
    spoken_of += [(f"source {source.name}", source.backend) for source in sources]
    for who, backend in spoken_of:
        if backend not in known:
            hint = nearest(backend, known, "backends")
            raise ValueError(f"{who}: there is no backend {backend}; {hint}")


def nearest(wrong: str, known: Iterable[str], what: str) -> str:
    """Return a hint at the name that may have been meant, or at all there are."""
    names = list(known)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"the {what} are {', '.join(names)}" if names else f"the config has no {what}"


def _refuse_twins(what: str, items: Sequence[_Named]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.name in seen:
            raise ValueError(f"{what}: the name {item.name} is there twice; each needs its own")
        seen.add(item.name)
