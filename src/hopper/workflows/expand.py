"""From a workflow's tasks to those of a run: what each depends on, and that it can end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hopper.workflows.documents import Document
from hopper.workflows.errors import MOST_TOLD, InvalidWorkflow
from hopper.workflows.patterns import Ids, TooManyTries, is_pattern
from hopper.workflows.tasks import TaskEntry

MOST_EDGES = 2_000_000
"""Dependencies of a batch; each is kept with its job."""
_LONGEST_CYCLE = 8
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskPlan:
    """A task of a run, knowing what it waits for."""

    entry: TaskEntry
    deps: tuple[str, ...]
    """Ids of tasks of the run, wildcards written out. Equal ones share one tuple."""

    @property
    def id(self) -> str:
        """The task's id."""
        return self.entry.id


def expand(document: Document, *, existing: Mapping[str, str] = NOTHING) -> tuple[TaskPlan, ...]:
    """Return the tasks of a document with their dependencies written out, in their order.

    Args:
        document: the tasks.
        existing: ids of the tasks that the run has already, with the ids of their jobs. New
            tasks may depend on these, and must not have their ids.

    Raises InvalidWorkflow, and so takes none of them, when an id is there twice, a dependency
    is missing, a wildcard matches nothing, or tasks wait for each other in a circle.
    """
    problems = list(_doubled(document, existing))
    if problems:
        raise InvalidWorkflow(problems)
    search = _Search(document, existing)
    plans = tuple(TaskPlan(entry=task, deps=search.deps(task)) for task in document.tasks)
    if search.problems:
        raise InvalidWorkflow(search.problems)
    circle = find_cycle({plan.id: plan.deps for plan in plans})
    if circle:
        raise InvalidWorkflow(
            [f"{document.what}: task {circle[0]}: deps go in a circle: {_arrows(circle)}"]
        )
    return plans


def _doubled(document: Document, existing: Mapping[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    for task in document.tasks:
        if task.id in existing:
            yield f"{document.what}: task {task.id}: id is in the run already"
        elif task.id in seen:
            yield f"{document.what}: task {task.id}: id is there twice"
        seen.add(task.id)


class _Search:
    """Looks up what tasks depend on."""

    def __init__(self, document: Document, existing: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._edges = 0
        self._what = document.what
        self._groups = document.groups
        self._ids = Ids([*existing, *(task.id for task in document.tasks)])
        self._sets: dict[tuple[str, ...], tuple[tuple[str, ...], frozenset[str]]] = {}

    def deps(self, task: TaskEntry) -> tuple[str, ...]:
        """Return the ids of a task's dependencies; what is wrong goes to the problems."""
        if not task.deps or self._edges > MOST_EDGES or len(self.problems) >= MOST_TOLD:
            return ()
        try:
            found = self._others(task)
        except ValueError as error:
            self.problems.append(f"{self._what}: task {task.id}: deps: {error}")
            return ()
        self._edges += len(found)
        if self._edges > MOST_EDGES:
            self.problems.append(
                f"{self._what}: task {task.id}: deps: more than {MOST_EDGES} in all; let tasks "
                "wait for one in between that waits for the group"
            )
        return found

    def _others(self, task: TaskEntry) -> tuple[str, ...]:
        found, as_set = self._together(task.deps)
        if task.id not in as_set:
            return found
        if task.id in task.deps:
            raise ValueError(f"it depends on itself by {task.id!r}")
        for dep in task.deps:
            if self._meant(dep) == (task.id,):
                raise ValueError(f"{dep!r} matches no task but itself")
        return tuple(own for own in found if own != task.id)

    def _together(self, deps: tuple[str, ...]) -> tuple[tuple[str, ...], frozenset[str]]:
        found = self._sets.get(deps)
        if found is None:
            merged = dict.fromkeys(own for dep in deps for own in self._meant(dep))
            found = self._sets[deps] = tuple(merged), frozenset(merged)
        return found

    def _meant(self, dep: str) -> tuple[str, ...]:
        if dep in self._ids:
            return (dep,)
        if dep in self._groups:
            return self._groups[dep]
        if not is_pattern(dep):
            raise ValueError(f"there is no task {dep!r}")
        try:
            found = self._ids.matching(dep)
        except TooManyTries as error:
            raise ValueError(str(error)) from error
        if not found:
            raise ValueError(f"{dep!r} matches no task")
        return found


def find_cycle(deps: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return tasks that wait for each other in a circle, the first of them again at the end.

    Empty where there is none. Ids that are no keys depend on nothing.
    """
    done: set[str] = set()
    for start in deps:
        if start in done:
            continue
        path, on_path = [start], {start}
        steps = [iter(deps[start])]
        while steps:
            following = next((own for own in steps[-1] if own not in done and own in deps), None)
            if following is None:
                steps.pop()
                last = path.pop()
                on_path.discard(last)
                done.add(last)
            elif following in on_path:
                return (*path[path.index(following) :], following)
            else:
                path.append(following)
                on_path.add(following)
                steps.append(iter(deps[following]))
    return ()


def _arrows(circle: tuple[str, ...]) -> str:
    if len(circle) > _LONGEST_CYCLE:
        half = _LONGEST_CYCLE // 2
        circle = (*circle[:half], "…", *circle[-half:])
    return " → ".join(circle)
