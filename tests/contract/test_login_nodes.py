"""The login node in memory behaves as the real shell does, call by call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hopper.model.batch import BatchOrder, BatchReport, Submission, Withdrawal
from hopper.remote.login_node import carry_out
from hopper.remote.quoting import quote
from tests.fakes.clock import FakeClock
from tests.fakes.cluster import Cluster, Line
from tests.fakes.cluster_values import Fault, Plan
from tests.fakes.login_node import LoginNode

Ask = Callable[..., BatchReport]
CL = """#!/bin/sh
case $1 in
submit)
    read -r job _ <"$hopper_script"
    case $job in no-*) echo 'refused: no such partition' >&2; exit 1 ;; esac
    echo "$2" >>"$HOME/names"
    grep -c . "$HOME/names" ;;
lookup) grep -nx "$2" "$HOME/names" 2>/dev/null | cut -d: -f1 ;;
esac
"""
"""The commands of the batch system; its jobs are numbered and never start."""


@pytest.fixture(params=["fake", "real"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    def order(number: int, parts: dict[str, Any]) -> BatchOrder:
        turn = parts.pop("turn", f"a 1 {number}")
        return BatchOrder(id="o", host="cl", backend="cl", turn=turn, **parts)

    asked = iter(range(1, 100))
    if request.param == "real":
        node = LoginNode.make(tmp_path, "sh")
        program = node.transport.bin_folder / "cl"
        program.write_text(CL)
        program.chmod(0o700)
        return lambda **parts: carry_out(node.transport, order(next(asked), parts))
    clock = FakeClock()
    cluster = Cluster(clock, lambda *_: None)
    cluster.plans = {"no": [Plan(refused=True)]}
    cluster.fault = lambda *_: Fault()
    line = Line(cluster)

    def fake(**parts: Any) -> BatchReport:
        line.send([order(next(asked), parts)])
        clock.advance(0.25)
        [report] = line.receive_batch()
        return report

    return fake


def submission(attempt: str, job: str = "j-1", **parts: Any) -> Submission:
    name = quote(attempt)
    values: dict[str, Any] = {
        "attempt": attempt,
        "script": f"{job} {attempt}\n",
        "command": f'cl submit {name} "$hopper_script"',
        "lookup": f"cl lookup {name}",
    }
    return Submission(**{**values, **parts})


def withdrawal(attempt: str, array: str = "") -> Withdrawal:
    return Withdrawal(attempt=attempt, lookup=f"cl lookup {array or attempt}", array=array)


def told(report: BatchReport) -> list[tuple[str, str, int, str]]:
    assert not report.error
    return [(i.attempt, str(i.verdict), i.said.code, i.said.stdout) for i in report.submitted]


def test_what_is_submitted_is_told_again(ask: Ask) -> None:
    one, two = submission("a000000001"), submission("a000000002")
    assert told(ask(submissions=(one,))) == [("a000000001", "now", 0, "1\n")]
    assert told(ask(submissions=(one, two))) == [
        ("a000000001", "again", 0, "1\n"),
        ("a000000002", "now", 0, "2\n"),
    ]
    assert ask(cleans=("a000000001",)).cleaned == ("a000000001",)


def test_a_refusal_may_be_tried_again(ask: Ask) -> None:
    bad = submission("a000000001", "no-1")
    for _ in range(2):
        [result] = ask(submissions=(bad,)).submitted
        assert (result.verdict, result.said.code) == ("now", 1)
        assert result.said.stderr == "refused: no such partition\n"


def test_an_id_that_was_not_kept_is_looked_up(ask: Ask) -> None:
    one = submission("a000000001")
    ask(submissions=(one,))
    ask(cleans=("a000000001",))
    bad = submission("a000000001", "no-1")
    ask(submissions=(bad,))
    # It was tried, in vain, and the batch system has one of that name.
    assert told(ask(submissions=(one,))) == [("a000000001", "found", 0, "1\n")]
    assert told(ask(submissions=(one,))) == [("a000000001", "again", 0, "1\n")]


def test_what_is_withdrawn(ask: Ask) -> None:
    ask(submissions=(submission("a000000001"), submission("a000000002", "no-1")))
    names = ("a000000001", "a000000002", "a000000003")
    report = ask(withdrawals=tuple(withdrawal(name) for name in names))
    assert told(report) == [("a000000001", "again", 0, "1\n")]
    assert report.withdrawn == names[1:]


def test_a_member_of_an_array(ask: Ask) -> None:
    tasks = ((1, "j-1 a000000001\n"), (2, "j-2 a000000002\n"))
    array = submission("g000000001", tasks=tasks)
    members = (withdrawal("a000000001", "g000000001"),)
    assert ask(withdrawals=members).withdrawn == ("a000000001",)
    assert told(ask(submissions=(array,))) == [("g000000001", "now", 0, "1\n")]
    assert told(ask(withdrawals=members)) == [("a000000001", "again", 0, "1\n")]
    cleans = (("a000000001", "g000000001", 1), ("a000000002", "g000000001", 2))
    assert ask(array_cleans=cleans).cleaned == ("a000000001", "a000000002")
    # Nothing is left of it.
    assert ask(withdrawals=members).withdrawn == ("a000000001",)


def test_an_order_that_was_overtaken(ask: Ask) -> None:
    ask(submissions=(submission("a000000001"),), turn="a 2 5")
    for turn in ("a 2 4", "a 1 9"):
        late = ask(
            submissions=(submission("a000000002"),),
            withdrawals=(withdrawal("a000000003"),),
            turn=turn,
        )
        assert told(late) == [("a000000002", "underway", 0, "")]
        assert not late.withdrawn
    assert told(ask(submissions=(submission("a000000002"),), turn="a 3 1")) == [
        ("a000000002", "now", 0, "2\n")
    ]
