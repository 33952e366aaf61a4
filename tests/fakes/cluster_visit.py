"""An order carried out step by step on the login node in memory, as ``batch.sh`` does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hopper.model.batch import (
    BatchOrder,
    BatchReport,
    FollowBatch,
    Said,
    SideSighting,
    Submission,
    SubmitResult,
    Submitted,
    Withdrawal,
)
from hopper.model.orders import Collected
from tests.fakes.cluster_values import (
    DIGEST,
    Side,
)

if TYPE_CHECKING:
    from tests.fakes.cluster import Cluster


class Visit:
    """One order, step by step as ``batch.sh`` takes them."""

    def __init__(self, cluster: Cluster, order: BatchOrder) -> None:
        self.cluster, self.order = cluster, order
        self.alive = True
        self.submitted: list[SubmitResult] = []
        self.withdrawn: list[str] = []
        self.cancelled: list[tuple[str, Said]] = []
        self.cleaned: list[str] = []
        self.answers: list[tuple[str, Said]] = []
        self.sides: list[SideSighting] = []
        self.collected: list[Collected] = []
        self.gathered: list[str] = []

    def report(self) -> BatchReport:
        order = self.order
        return BatchReport(
            order=order.id,
            host=order.host,
            at=self.cluster.clock.now().timestamp(),
            clock_skew=0.0,
            free_bytes=10**12,
            submitted=tuple(self.submitted),
            answers=tuple(self.answers),
            sides=tuple(self.sides),
            cancelled=tuple(self.cancelled),
            withdrawn=tuple(self.withdrawn),
            cleaned=tuple(self.cleaned),
            collected=tuple(self.collected),
            gathered=tuple(self.gathered),
        )

    def carry_out(self) -> Iterator[None]:
        order = self.order
        self._take_turn()
        for cancel in order.cancels:
            self.cancelled.append((cancel.attempt, self.cluster.said_to(cancel.command)))
            yield
        for withdrawal in order.withdrawals:
            yield from self._withdraw(withdrawal)
        yield from self._clean()
        for submission in order.submissions:
            yield from self._submit(submission)
        for query in order.queries:
            self.answers.append((query.name, self.cluster.said_to(query.shell)))
        self.sides += [self._follow(follow) for follow in order.follows]
        yield

    def _take_turn(self) -> None:
        line, life, number = self.order.turn.split()
        self.line, self.turn = line, (int(life), int(number))
        self.cluster.turns[line] = max(self.turn, self.cluster.turns.get(line, (0, 0)))

    def _clean(self) -> Iterator[None]:
        order, sides = self.order, self.cluster.sides
        for attempt in order.cleans:
            sides.pop(attempt, None)
            self.cleaned.append(attempt)
            yield
        for attempt, array, index in order.array_cleans:
            sides.pop(attempt, None)
            if array in sides:
                sides[array].tasks.pop(index, None)
                if not sides[array].tasks:
                    del sides[array]
            self.cleaned.append(attempt)
            yield

    # --- submit

    def _submit(self, item: Submission) -> Iterator[None]:
        sides = self.cluster.sides
        settled = item.attempt not in sides
        if settled:
            sides[item.attempt] = Side(owner=self)
            yield
        else:
            yield from self._submit_again(item)
            if self.submitted and self.submitted[-1].attempt == item.attempt:
                return
        side = sides.get(item.attempt)
        if self.cluster.turns[self.line] > self.turn:
            if settled:
                sides.pop(item.attempt, None)
            self._say(item.attempt, Submitted.UNDERWAY, 0, "a later order has been there")
        elif side is None:
            self._say(item.attempt, Submitted.REFUSED, 1, "no such folder\n")
        else:
            side.script, side.tasks = item.script, dict(item.tasks)
            yield from self._hand_in(item, side)

    def _hand_in(self, item: Submission, side: Side) -> Iterator[None]:
        side.tried = True
        yield
        said = self.cluster.said_to(item.command, side.script, side.tasks)
        yield
        side.said = said
        side.submitted = said.code == 0
        if not side.submitted:
            side.owner = None
        yield
        self.submitted.append(SubmitResult(attempt=item.attempt, verdict=Submitted.NOW, said=said))

    def _submit_again(self, item: Submission) -> Iterator[None]:
        """What is told of a side folder that was there."""
        side = self.cluster.sides[item.attempt]
        if side.submitted:
            self._again(item.attempt, side)
            return
        if side.owner is not None and side.owner is not self and side.owner.alive:
            self._say(item.attempt, Submitted.UNDERWAY, 0, "")
            return
        side.owner = self
        yield
        if side.tried:
            found = self._known_before(item.attempt, item.lookup, side)
            if found is not None:
                self.submitted.append(found)
            yield

    def _again(self, attempt: str, side: Side) -> None:
        self.submitted.append(
            SubmitResult(attempt=attempt, verdict=Submitted.AGAIN, said=side.said)
        )

    def _known_before(self, attempt: str, lookup: str, side: Side) -> SubmitResult | None:
        if side.started is not None:
            said = Said(code=0, stdout=f"{side.native}\n", stderr="")
        else:
            said = self.cluster.said_to(lookup)
            if not said.stdout:
                return None
        side.said, side.submitted = said, True
        return SubmitResult(attempt=attempt, verdict=Submitted.FOUND, said=said)

    def _say(self, attempt: str, verdict: Submitted, code: int, words: str) -> None:
        said = Said(code=code, stdout="", stderr=words)
        self.submitted.append(SubmitResult(attempt=attempt, verdict=verdict, said=said))

    # --- withdraw and follow

    def _withdraw(self, item: Withdrawal) -> Iterator[None]:
        sides = self.cluster.sides
        if self.cluster.turns[self.line] > self.turn:
            return
        side = sides.setdefault(item.attempt, Side())
        side.cancel = side.cancel or side.started is None
        yield
        side.run = True
        yield
        group = item.array or item.attempt
        whole = sides.get(group)
        if whole is None or not (whole.submitted or whole.tried):
            self.withdrawn.append(item.attempt)
        elif whole.submitted:
            self._again(item.attempt, whole)
        elif (found := self._known_before(item.attempt, item.lookup, whole)) is not None:
            self.submitted.append(found)
        else:
            self.withdrawn.append(item.attempt)
        yield

    def _follow(self, item: FollowBatch) -> SideSighting:
        self.cluster._settle(self.cluster.clock.now())
        side = self.cluster.sides.get(item.attempt) or Side()
        if item.collect and (side.code is not None or item.over):
            path = f"{self.order.incoming}/{item.attempt}/0.log"
            self.cluster.write(path, b"a log\n")
            self.collected.append(
                Collected(
                    attempt=item.attempt, kind="log", name="log", path=path, size=6, sha256=DIGEST
                )
            )
            self.gathered.append(item.attempt)
        return SideSighting(
            attempt=item.attempt,
            native=side.native,
            started_at=side.started,
            exit_code=side.code,
            ended_at=side.ended,
        )
