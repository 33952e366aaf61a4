"""One order, carried out on a worker in memory as the shell scripts would do it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from hopper.model.orders import (
    Collected,
    ExternalSighting,
    Follow,
    Launch,
    LaunchResult,
    Order,
    Report,
    Sighting,
)
from tests.fakes.farm_worker import FakeWorker, Side, is_result_of

if TYPE_CHECKING:
    from tests.fakes.farm import Farm


class Visit:
    """One order on one worker, act by act as ``order.sh`` does them."""

    def __init__(self, farm: Farm, worker: FakeWorker, order: Order, slow: float) -> None:
        self.farm, self.worker, self.order = farm, worker, order
        self.now = farm.clock.now()
        self.slow = slow
        self.collected: list[Collected] = []
        self.gathered: list[str] = []
        self.too_large: list[str] = []

    def carry_out(self) -> Report:
        self.farm.settle(self.worker, self.now)
        order, worker = self.order, self.worker
        missing = () if worker.set_up else ("inbox /home/w/Inbox",)
        zips = tuple(f"{name}.zip" for name in worker.zips) if worker.set_up else ()
        cancelled = tuple((t.attempt, *self._cancel(t.attempt, t.name)) for t in order.cancels)
        discarded = tuple((t.attempt, self._discard(t.attempt, t.name)) for t in order.discards)
        for release in order.releases:
            for name in release.files:
                worker.outbox.pop(name, None)
        cleaned = tuple(t.attempt for t in order.cleans if self._clean(t.attempt))
        launched = tuple(self._launch(launch) for launch in order.launches)
        sightings = tuple(self._follow(follow) for follow in order.follows)
        externals = tuple(
            self._external(item.attempt, item.name, item.collect) for item in order.externals
        )
        return Report(
            order=order.id,
            host=order.host,
            at=self.now.timestamp(),
            boot_id=str(worker.boot),
            clock_skew=0.0,
            free_bytes=10**12,
            inbox="/home/w/Inbox",
            outbox="/home/w/Outbox",
            missing=missing,
            zips=zips,
            sightings=sightings,
            externals=externals,
            launched=launched,
            cancelled=cancelled,
            discarded=discarded,
            released=tuple(release.attempt for release in order.releases),
            cleaned=cleaned,
            collected=tuple(self.collected),
            gathered=tuple(self.gathered),
            too_large=tuple(self.too_large),
        )

    def _cancel(self, attempt: str, name: str) -> tuple[str, str]:
        side = self.worker.sides.setdefault(attempt, Side(boot=self.worker.boot))
        side.cancelled = True
        if not side.run:
            side.run = True
            side.how, side.code, side.ended = "cancelled", 143, self.now
            return "dead", ""
        if side.how:
            return "dead", ""
        if side.immortal and side.boot == self.worker.boot:
            return "alive", "4711"
        side.how, side.code, side.ended = "cancelled", 143, self.now
        if self.worker.zips.get(name) == attempt:
            del self.worker.zips[name]
        return "dead", ""

    def _discard(self, attempt: str, name: str) -> str:
        verdict, _ = self._cancel(attempt, name)
        for result in [r for r in self.worker.outbox if is_result_of(r, name)]:
            del self.worker.outbox[result]
        return verdict

    def _clean(self, attempt: str) -> bool:
        if self.worker.stuck_remains:
            return False
        self.worker.sides.pop(attempt, None)
        return True

    def _launch(self, launch: Launch) -> LaunchResult:
        side = self.worker.sides.get(launch.attempt)
        if side is not None and side.run:
            return LaunchResult(attempt=launch.attempt, verdict="again")
        refusal = self._refusal(launch)
        if refusal is not None:
            return LaunchResult(
                attempt=launch.attempt, verdict="refused", why=refusal, text=f"is {refusal}"
            )
        if side is not None and side.begins is not None and side.begins > self.now:
            return LaunchResult(attempt=launch.attempt, verdict="underway")
        if self.worker.refuses:
            return LaunchResult(
                attempt=launch.attempt, verdict="refused", why=self.worker.refuses, text="no"
            )
        begins = self.now + timedelta(seconds=self.slow)
        side = Side(launch=launch, begins=begins, boot=self.worker.boot)
        self.worker.sides[launch.attempt] = side
        if not self.slow:
            self.farm.start(self.worker, launch.attempt, side, self.now)
        return LaunchResult(attempt=launch.attempt, verdict="now")

    def _refusal(self, launch: Launch) -> str | None:
        if not self.worker.set_up:
            return "setup"
        others = [name for name in self.worker.zips if name != launch.name]
        if len(others) >= launch.slots:
            return "busy"
        return None if self.farm.files.has_zip(launch.zip_path) else "torn"

    def _follow(self, follow: Follow) -> Sighting:
        side = self.worker.sides.get(follow.attempt) if self.worker.set_up else None
        phase = _phase(side, self.worker.boot)
        if side is None or phase in {"absent", "staged"}:
            return Sighting(attempt=follow.attempt, phase=phase)
        if phase != "running" and follow.collect:
            self._collect(follow.attempt, follow.name, phase)
        return Sighting(
            attempt=follow.attempt,
            phase=phase,
            how=side.how,
            exit_code=side.code if side.how else None,
            started_at=side.started.timestamp() if side.started else None,
            ended_at=side.ended.timestamp() if side.ended else None,
            group="4711" if phase == "running" else "",
        )

    def _collect(self, attempt: str, name: str, phase: str) -> None:
        if phase != "ended" and self.worker.zips.get(name) == attempt:
            del self.worker.zips[name]
        results = {r: c for r, c in self.worker.outbox.items() if is_result_of(r, name)}
        limit = self.order.fetch_limit
        if limit is not None and any(len(content) > limit for content in results.values()):
            self.too_large.append(attempt)
            return
        for number, (result, content) in enumerate(results.items()):
            self._bring(attempt, "result", result, content, number)
        self._bring(attempt, "log", "log.home", b"a log\n", len(results))
        self.gathered.append(attempt)

    def _bring(self, attempt: str, kind: str, name: str, content: bytes, number: int) -> None:
        path = f"{self.order.incoming}/{attempt}/{number}.{kind}"
        self.farm.files.write(path, content)
        self.collected.append(
            Collected(
                attempt=attempt,
                kind=kind,
                name=name,
                path=path,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )

    def _external(self, attempt: str, name: str, collect: bool) -> ExternalSighting:
        results = {r: c for r, c in self.worker.outbox.items() if is_result_of(r, name)}
        if collect:
            for number, (result, content) in enumerate(results.items()):
                self._bring(attempt, "result", result, content, number)
            self.gathered.append(attempt)
        return ExternalSighting(
            name=name,
            in_inbox=name in self.worker.zips and self.worker.set_up,
            results=tuple((result, len(content)) for result, content in results.items()),
        )


def _phase(side: Side | None, boot: int) -> str:
    if side is None:
        return "absent"
    if side.how:
        return "ended"
    if not side.run:
        return "staged" if side.boot == boot else "absent"
    return "running" if side.boot == boot else "rebooted"
