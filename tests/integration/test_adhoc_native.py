"""The ad-hoc acts on a batch system with native ids: a toy whose queue is a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hopper.errors import UsageError
from hopper.model.batch import Query, Said, Submission
from hopper.model.native import BatchReading, Followed, NativePhase, NativeSighting
from hopper.model.task import Task
from hopper.remote import adhoc_batch
from hopper.remote.adhoc_stands import checked_attempt
from hopper.remote.quoting import quote
from tests.fakes.login_node import LoginNode, query, tried

ATTEMPT = "a123456789"


@dataclass(kw_only=True)
class Toy:
    """Its queue has lines of id, state, exit code and attempt."""

    queue: Path
    deaf: bool = False
    kind: str = "toy"

    def native_id(self, said: Said) -> str:
        return said.stdout.strip() if said.code == 0 else ""

    def refusal(self, said: Said) -> str:
        return said.stderr.strip() if "toy: " in said.stderr else ""

    def lookup_command(self, attempt: str) -> str:
        return f"awk '$4==\"{attempt}\" {{print $1}}' {quote(str(self.queue))}"

    def queries(self, jobs: Sequence[Followed], *, now: datetime, others: bool) -> Sequence[Query]:
        del now
        return [query("jobs", f"cat {quote(str(self.queue))}")] if jobs and not others else []

    def read(self, answers: Mapping[str, Said], jobs: Sequence[Followed]) -> BatchReading:
        said = answers["jobs"]
        if said.code:
            return BatchReading(trouble="the toy is down")
        asked = {job.native_id for job in jobs}
        lines = [line.split() for line in said.stdout.splitlines()]
        return BatchReading(
            queue_seen=True,
            jobs=tuple(
                NativeSighting(
                    native_id=native,
                    phase=NativePhase(phase),
                    word=phase.upper(),
                    exit_code=int(code) if code != "-" else None,
                )
                for native, phase, code, _ in lines
                if native in asked
            ),
        )

    def cancel_command(self, native_ids: Sequence[str]) -> str:
        if self.deaf:
            return "echo toy: not now >&2; exit 1"
        [native] = native_ids
        return f"sed -i /^{quote(native)}/d {quote(str(self.queue))}"

    def submission(self, attempt: str = ATTEMPT, command: str = "") -> Submission:
        line = f"17 queued - {attempt}"
        ordinary = f"echo {quote(line)} >>{quote(str(self.queue))}; echo 17"
        return Submission(
            attempt=attempt,
            script="#toy\n",
            command=command or ordinary,
            lookup=self.lookup_command(attempt),
        )


@pytest.fixture
def toy(node: LoginNode) -> Toy:
    queue = node.folder / "queue"
    queue.write_text("5 running - other\n")
    return Toy(queue=queue)


def words(**parts: Any) -> dict[str, Any]:
    return {"work_dir": "~/.hopper", "wait": 0, **parts}


def jobs(outcome: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    return [(job["native_id"], job["phase"], job["exit_code"]) for job in outcome["jobs"]]


def test_a_job_is_followed_from_its_submission_to_its_end(node: LoginNode, toy: Toy) -> None:
    item = toy.submission()
    line = node.transport
    would = adhoc_batch.submit(line, toy, words(), item, check=True)
    assert (would["changed"], would["script"]) == (True, "#toy\n")
    first = adhoc_batch.submit(line, toy, words(), item)
    assert (first["changed"], first["native_id"], first["msg"]) == (True, "17", "submitted as 17")
    again = adhoc_batch.submit(line, toy, words(), item)
    assert (again["changed"], again["native_id"]) == (False, "17")
    assert not adhoc_batch.submit(line, toy, words(), item, check=True)["changed"]
    asked = words(attempts=[ATTEMPT], native_ids=["5"])
    for queue, stands in (
        ("17 queued - x\n5 running - y\n", [("17", "queued", None), ("5", "running", None)]),
        ("17 ended 3 x\n5 ended 0 y\n", [("17", "ended", 3), ("5", "ended", 0)]),
        ("", [("17", "left", None), ("5", "left", None)]),
    ):
        toy.queue.write_text(queue)
        seen = adhoc_batch.poll(line, toy, asked)
        assert not seen.get("failed")
        assert jobs(seen) == stands
        assert seen["over"] is (stands[0][1] in {"ended", "left"})


def test_the_scripts_own_record_goes_before_the_systems_word(node: LoginNode, toy: Toy) -> None:
    adhoc_batch.submit(node.transport, toy, words(), toy.submission())
    (node.side(ATTEMPT) / "started").write_text("1700000000 17 n1\n")
    (node.side(ATTEMPT) / "exit").write_text("9 1700000009\n")
    seen = adhoc_batch.poll(node.transport, toy, words(attempts=[ATTEMPT]))
    assert jobs(seen) == [("17", "ended", 9)]
    assert seen["jobs"][0]["ended_at"] == 1_700_000_009


def test_a_refusal_is_a_failure_in_its_own_words(node: LoginNode, toy: Toy) -> None:
    item = toy.submission(command="echo toy: no such queue >&2; exit 1")
    refused = adhoc_batch.submit(node.transport, toy, words(), item)
    assert (refused["failed"], refused["msg"]) == (True, "refused: toy: no such queue")
    unsure = adhoc_batch.submit(
        node.transport, toy, words(), toy.submission("b123456789", "echo time-out >&2; exit 1")
    )
    assert unsure["failed"]
    assert "run this again" in unsure["msg"]
    assert "time-out" in unsure["msg"]


def test_while_the_system_is_down_nothing_is_concluded(node: LoginNode, toy: Toy) -> None:
    item = toy.submission()
    tried(node, item)
    toy.queue.unlink()
    line, asked = node.transport, words(attempts=[ATTEMPT])
    assert adhoc_batch.submit(line, toy, words(), item, check=True)["failed"]
    assert "run this again" in adhoc_batch.submit(line, toy, words(), item)["msg"]
    seen = adhoc_batch.poll(line, toy, asked)
    assert seen["failed"]
    assert jobs(seen) == [("", "unknown", None)]
    assert adhoc_batch.poll(line, toy, words(native_ids=["5"]))["msg"] == "the toy is down"
    kept = adhoc_batch.cancel(line, toy, asked)
    assert kept["failed"]
    assert not (node.side(ATTEMPT) / "run").exists()


def test_a_cancel_is_done_when_the_job_has_gone(node: LoginNode, toy: Toy) -> None:
    line = node.transport
    adhoc_batch.submit(line, toy, words(), toy.submission())
    asked = words(attempts=[ATTEMPT, "b123456789"], native_ids=["5"])
    would = adhoc_batch.cancel(line, toy, asked, check=True)
    assert (would["changed"], would["failed"]) == (True, False)
    assert len(toy.queue.read_text().splitlines()) == 2
    done = adhoc_batch.cancel(line, toy, asked)
    assert (done["changed"], done["failed"], done["over"]) == (True, False, True)
    assert [phase for _, phase, _ in jobs(done)] == ["left", "withdrawn", "left"]
    assert not toy.queue.read_text()
    again = adhoc_batch.cancel(line, toy, words(native_ids=["5"], attempts=[ATTEMPT]))
    assert (again["changed"], again["failed"]) == (False, False)


def test_a_cancel_that_does_nothing_is_a_failure_after_its_wait(node: LoginNode, toy: Toy) -> None:
    toy.deaf = True
    naps: list[float] = []
    kept = adhoc_batch.cancel(
        node.transport,
        toy,
        words(native_ids=["5"], wait=4),
        clock=lambda: float(sum(naps)),
        sleep=naps.append,
    )
    assert (kept["changed"], kept["failed"], kept["over"]) == (True, True, False)
    assert "toy: not now" in kept["msg"]
    assert len(naps) == 2


def test_logs_come_in_parts_and_only_what_is_new(
    node: LoginNode, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adhoc_batch, "PART", 7)
    adhoc_batch.submit(node.transport, toy, words(), toy.submission())
    dest = tmp_path / "logs" / "job.out"
    asked = words(attempt=ATTEMPT, dest=str(dest), stream="out")
    waiting = adhoc_batch.fetch_log(node.transport, asked)
    assert (waiting["phase"], waiting["size"]) == ("waiting", 0)
    (node.side(ATTEMPT) / "log.out").write_bytes(b"0123456789\xff\0")
    assert adhoc_batch.fetch_log(node.transport, asked, check=True)["changed"]
    assert dest.read_bytes() == b""
    assert adhoc_batch.fetch_log(node.transport, asked)["fetched_to"] == 12
    assert dest.read_bytes() == b"0123456789\xff\0"
    assert not adhoc_batch.fetch_log(node.transport, asked)["changed"]
    (node.home / "out").write_text("of its own")
    own = words(attempt=ATTEMPT, dest=str(tmp_path / "own"), file="out", limit=6)
    assert adhoc_batch.fetch_log(node.transport, own)["fetched_to"] == 6
    assert (tmp_path / "own").read_text() == "of its"


def test_the_attempts_id_is_that_of_the_task() -> None:
    task = Task(id="job", command="true", variables={"A": "1", "B": "2"})
    first = adhoc_batch.attempt_for(["toy"], task, "~/.hopper")
    assert checked_attempt(first) == first
    assert adhoc_batch.attempt_for(["toy"], task, "~/.hopper") == first
    others = {
        adhoc_batch.attempt_for(["slurm"], task, "~/.hopper"),
        adhoc_batch.attempt_for(["toy"], task, "~/other"),
        adhoc_batch.attempt_for(["toy"], Task(id="job", command="true"), "~/.hopper"),
        adhoc_batch.attempt_for(
            ["toy"], Task(id="job", command="true", variables={"B": "2", "A": "1"}), "~/.hopper"
        ),
    }
    assert len(others - {first}) == 4


def test_ids_that_are_none_are_told(node: LoginNode, toy: Toy) -> None:
    with pytest.raises(UsageError, match="no attempt id"):
        adhoc_batch.poll(node.transport, toy, words(attempts=["../x"]))
    node.transport.broken = "no route"
    asked = words(attempts=[ATTEMPT])
    assert adhoc_batch.poll(node.transport, toy, asked)["unreachable"]
    assert adhoc_batch.cancel(node.transport, toy, asked)["unreachable"]
