"""A scenario on a batch system whose dispatcher dies, and whose orders go wrong, at any step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hopper.dispatch.changes import Changes
from hopper.dispatch.loop import Dispatcher, Ports
from hopper.dispatch.run_acts import NewRun, NewTask, run_body
from hopper.dispatch.settings import BackOff, PolicySettings
from hopper.model.attempt import Attempt, Remains
from hopper.model.backend import BatchTarget
from hopper.model.batch import BatchOrder, Query, Said, Submission
from hopper.model.job import Job, JobSpec
from hopper.model.native import BatchReading, Followed, NativePhase, NativeSighting
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import Task
from tests.fakes.clock import FakeClock
from tests.fakes.cluster import Cluster, Line
from tests.fakes.cluster_values import Fault, Plan, Start
from tests.fakes.home import FakeHome
from tests.fakes.rig import ORDERS, check_moves
from tests.fakes.shelf import FakeShelf
from tests.fakes.small import FakeLog, FakeMailbox, FakeRoster
from tests.fakes.store import FakeStore
from tests.unit.dispatch.killing import Death, Killed, Mortal

POLICY = PolicySettings(
    retry=BackOff(first=timedelta(seconds=2), longest=timedelta(seconds=2)),
    keep_failed=timedelta(hours=1),
)
C, F = JobState.COMPLETED, JobState.FAILED
EXPECTED = {
    "one": C,
    "two": C,
    "again": C,
    "bad": F,
    "long": JobState.CANCELLED,
    "early": JobState.CANCELLED,
    "later": C,
    "never": JobState.DEP_FAILED,
    "maker": C,
    "made": C,
    "no": F,
    "twice": C,
    "same": C,
}
ATTEMPTS = dict.fromkeys(("one", "two", "bad", "later", "maker", "made"), 1) | {
    "again": 2,
    "twice": 2,
    "never": 0,
    "no": 0,
}
"""How often each command starts."""
AFTER = {"later": "one", "never": "bad"}


QUEUE = Query(name="jobs", shell="cl queue")  # noqa: S604 # a field


class TinySystems:
    """A batch system of a few words, with job arrays and without accounting."""

    def targets(self) -> Mapping[str, BatchTarget]:
        target = BatchTarget(name="cl", kind="tiny", host="cl", array_limit=3, arrays=True)
        return {"cl": target}

    def submission(self, job: Job, attempt: Attempt, run: Run | None) -> Submission:
        del run
        name = attempt.array or attempt.id
        return Submission(
            attempt=attempt.id,
            script=f"{job.id} {attempt.id}",
            command=f"cl submit {name}",
            lookup=f"cl lookup {name}",
        )

    def array_submission(
        self, members: Sequence[tuple[Attempt, Submission]], job: Job, run: Run | None
    ) -> Submission:
        del job, run
        array = members[0][0].array
        tasks = tuple((attempt.array_index, single.script) for attempt, single in members)
        return Submission(
            attempt=array,
            script="array",
            command=f"cl submit {array}",
            lookup=f"cl lookup {array}",
            tasks=tasks,
        )

    def member_id(self, backend: str, native_id: str, index: int) -> str:
        del backend
        return f"{native_id}_{index}"

    def queries(
        self, backend: str, jobs: Sequence[Followed], *, now: datetime, others: bool
    ) -> Sequence[Query]:
        del backend, now, others
        return [QUEUE] if jobs else []

    def read(
        self, backend: str, answers: Mapping[str, Said], jobs: Sequence[Followed]
    ) -> BatchReading:
        del backend, jobs
        said = answers.get("jobs")
        if said is None:
            return BatchReading(accounting=False)
        phases = {"Q": NativePhase.QUEUED, "R": NativePhase.RUNNING}
        found = [line.split() for line in said.stdout.splitlines()]
        return BatchReading(
            jobs=tuple(NativeSighting(native_id=n, phase=phases[word]) for n, word in found),
            queue_seen=True,
            accounting=False,
        )

    def native_id(self, backend: str, said: Said) -> str:
        del backend
        return said.stdout.strip() if said.code == 0 else ""

    def refusal(self, backend: str, said: Said) -> str:
        del backend
        return said.stderr.strip() if said.stderr.startswith("refused") else ""

    def limit_reached(self, said: Said) -> str:
        return said.stderr.strip() if said.stderr.startswith("limit") else ""

    def lookup_command(self, backend: str, attempt: str) -> str:
        del backend
        return f"cl lookup {attempt}"

    def cancel_command(self, backend: str, native_ids: Sequence[str]) -> str:
        del backend
        return f"cl cancel {' '.join(native_ids)}"


class Maker:
    """What the task ``maker`` writes."""

    def tasks(self, run: Run, job: Job, existing: Mapping[str, str]) -> tuple[NewTask, ...]:
        del run, job
        assert "made" not in existing
        return (new_task("made"),)


def new_task(name: str) -> NewTask:
    task = Task(
        id=name,
        command="true",
        generates_source="tasks.json" if name == "maker" else "",
        cache=name in {"two", "same"},
        cache_key="k" if name in {"two", "same"} else "",
    )
    after = (job_id(AFTER[name]),) if name in AFTER else ()
    spec = JobSpec(name=name, retries=1 if name == "again" else 0, after=after)
    return NewTask(job=job_id(name), spec=spec, task=task)


def job_id(name: str) -> str:
    return f"{name}-abcdef"


@dataclass(kw_only=True)
class World:
    """All that outlives a dispatcher. ``faults``: by the number of the order."""

    death: Death
    faults: Mapping[int, Fault] = field(default_factory=dict)
    deaths: int = 0
    clock: FakeClock = field(default_factory=FakeClock)
    store: FakeStore = field(default_factory=FakeStore)
    home: FakeHome = field(default_factory=FakeHome)
    shelf: FakeShelf = field(default_factory=FakeShelf)
    letters: FakeMailbox = field(default_factory=FakeMailbox)
    done: set[str] = field(default_factory=set)
    """What people have done."""
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = Cluster(self.clock, self.home.write)
        self.cluster.limit = 6
        self.cluster.plans = {
            "again": [Plan(exit_code=1), Plan()],
            "bad": [Plan(exit_code=7)],
            "long": [Plan(seconds=5000)],
            "early": [Plan(seconds=5000)],
            "no": [Plan(refused=True)],
        }
        self.cluster.fault = self._fault
        self.cluster.on_start = self._started

    def _fault(self, order: BatchOrder, number: int) -> Fault:
        del order
        return self.faults.get(number, Fault())

    def _started(self, start: Start) -> None:
        job = self.store.jobs[start.job]
        if job.state.terminal:
            self.wrong.append(f"{start.job} started when it was {job.state}")
        if self.cluster.running(start.job):
            self.wrong.append(f"{start.job} started when another of its attempts ran")

    # --- what people do

    def _once(self, what: str, when: object, act: Callable[[], object]) -> None:
        if when and what not in self.done:
            self.done.add(what)
            act()

    def _start_run(self, name: str, *tasks: str) -> None:
        run = Run(id=name, workflow="w", backend="cl", created_at=self.clock.now())
        new = NewRun(run=run, tasks=tuple(new_task(task) for task in tasks))
        self.letters.leave(**run_body(new))

    def _people(self) -> None:
        def state(name: str) -> JobState | None:
            job = self.store.jobs.get(job_id(name))
            return job.state if job is not None else None

        def ask(do: str, name: str) -> Callable[[], object]:
            return lambda: self.letters.leave(do=do, jobs=[job_id(name)])

        self._once("stop", state("long") is JobState.RUNNING, ask("cancel", "long"))
        early = state("early") is JobState.SUBMITTED
        self._once("stop early", early, ask("cancel", "early"))
        self._once("anew", state("twice") is C, ask("requeue", "twice"))
        self._once("same", state("two") is C, lambda: self._start_run("run-b", "same"))

    # --- a life

    def live(self) -> None:
        """Run dispatchers, one after the other, until the scenario is at its end."""
        first = [name for name in EXPECTED if name not in {"made", "same"}]
        self._start_run("run-a", *first)
        for _ in range(3):
            try:
                self._life()
            except Killed:
                self.deaths += 1
            else:
                return
        raise AssertionError("it died more often than it was killed")

    def _life(self) -> None:
        box = FakeMailbox(self.letters.letters)
        box.answers = self.letters.answers
        death = self.death
        ports = Ports(
            store=_MortalStore(self.store, death),
            systems=TinySystems(),
            fleet=_NoFleet(),
            clusters=Mortal(Line(self.cluster), death, "send"),
            home=Mortal(self.home, death, "land"),
            roster=FakeRoster(),
            mailbox=Mortal(box, death, "answer"),
            log=FakeLog(),
            clock=self.clock,
            upkeep=lambda _: (),
            shelf=Mortal(self.shelf, death, "keep", "take"),
            generated=Maker(),
        )
        dispatcher = Dispatcher(ports, POLICY, ORDERS)
        dispatcher.start()
        deadline = self.clock.monotonic() + 900
        while not self._over(dispatcher):
            assert self.clock.monotonic() < deadline, self._left()
            wait = min(dispatcher.tick(), 1.0)
            event = self.cluster.next_event()
            self.clock.advance(max(0.01, wait if event is None else min(wait, event)))

    def _over(self, dispatcher: Dispatcher) -> bool:
        self._people()
        return (
            len(self.store.jobs) == len(EXPECTED)
            and dispatcher.idle
            and not self.letters.letters
            and self.cluster.next_event() is None
        )

    def _left(self) -> str:
        return str({job.spec.name: str(job.state) for job in self.store.jobs.values()})


class _MortalStore:
    def __init__(self, store: FakeStore, death: Death) -> None:
        self._store, self._death = store, death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, changes: Changes) -> None:
        if changes:
            self._death.call(lambda: self._store.commit(changes))


class _NoFleet:
    def send(self, orders: object) -> None:
        raise AssertionError(orders)

    def receive(self) -> list[Any]:
        return []

    def close(self, patience: float) -> None:
        del patience


def check(world: World) -> None:
    """Nothing lost, nothing twice, nothing left."""
    jobs = {job.spec.name: job for job in world.store.jobs.values()}
    assert {name: job.state for name, job in jobs.items()} == EXPECTED
    assert not world.wrong, world.wrong
    assert not world.cluster.wrong, world.cluster.wrong
    assert not world.cluster.alive()
    starts = world.cluster.starts
    assert len({start.attempt for start in starts}) == len(starts), "an attempt ran twice"
    ran = Counter(start.job for start in starts)
    for name, count in ATTEMPTS.items():
        assert ran[job_id(name)] == count, name
    assert ran[job_id("long")] == 1
    # Its equal's result is not kept where the dispatcher dies just before.
    assert ran[job_id("same")] <= world.deaths
    check_moves(world.store.told)
    kept = {
        attempt.id
        for job in jobs.values()
        for attempt in job.attempts
        if attempt.remains is not Remains.GONE
    }
    assert all(attempt.outcome is not None for job in jobs.values() for attempt in job.attempts)
    assert set(world.cluster.sides) <= kept | _arrays(jobs.values()), "left behind"


def _arrays(jobs: Iterable[Job]) -> set[str]:
    """Return the arrays of which a member is kept."""
    kept = (item for job in jobs for item in job.attempts if item.remains is not Remains.GONE)
    return {place[0] for item in kept if (place := item.array_place)}
