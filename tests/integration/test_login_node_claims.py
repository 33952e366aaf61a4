"""Claims of submissions on login nodes that share a home folder, under every sh that is here."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hopper.model.batch import Submission, Submitted, Withdrawal
from tests.fakes.login_node import LoginNode, tried


def _claimed(node: LoginNode, submission: Submission, claim: str, *, minutes: int = 0) -> Path:
    """Make it look as if another sh were at it, since so long ago."""
    path = node.side(submission.attempt) / "claim" / "pid"
    path.parent.mkdir(parents=True)
    path.write_text(f"{claim}\n")
    since = time.time() - 60 * minutes
    os.utime(path, (since, since))
    return path


def test_a_claim_of_another_host_is_left_alone_until_it_is_old(node: LoginNode) -> None:
    submission = node.submission()
    path = _claimed(node, submission, "1 1 login2", minutes=50)
    assert node.submit(submission).verdict is Submitted.UNDERWAY
    assert path.read_text() == "1 1 login2\n"
    since = time.time() - 3900
    os.utime(path, (since, since))
    assert node.submit(submission).verdict is Submitted.NOW
    assert path.read_text().split()[2:] == [os.uname().nodename]
    assert node.submitted == ["#one"]


@pytest.mark.parametrize("host", ["", f" {os.uname().nodename}"])
def test_a_claim_of_the_dead_on_this_host_is_taken_over(node: LoginNode, host: str) -> None:
    submission = node.submission()
    _claimed(node, submission, f"1 1{host}")
    assert node.submit(submission).verdict is Submitted.NOW


def test_a_claim_of_the_living_is_left_alone(node: LoginNode) -> None:
    submission = node.submission()
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    _claimed(node, submission, f"{os.getpid()} {started} {os.uname().nodename}", minutes=90)
    assert node.submit(submission).verdict is Submitted.UNDERWAY
    assert not node.submitted


@pytest.mark.parametrize("command", ["echo no >&2; exit 1", 'echo "in vain"; exit 1'])
def test_what_was_not_submitted_can_be_tried_by_any_host(node: LoginNode, command: str) -> None:
    submission = node.submission(command=command, lookup="echo down >&2; exit 1")
    assert node.submit(submission).said.code == 1
    assert not (node.side(submission.attempt) / "claim").exists()
    assert node.submit(submission).verdict is Submitted.UNDERWAY
    assert not (node.side(submission.attempt) / "claim").exists()


# Turns


def test_an_order_that_comes_after_a_later_one_submits_nothing(node: LoginNode) -> None:
    one, two = node.submission("#one\n"), node.submission("#two\n")
    for turn, submission, said in (
        ("a 1 2", one, "4711\n"),
        ("a 1 1", two, ""),
        ("a 1 2", two, "4711\n"),
    ):
        assert node.submit(submission, turn=turn).said.stdout == said, turn
    late = node.submission("#late\n")
    for turn in ("a 1 1", "a 0 9"):
        result = node.submit(late, turn=turn)
        assert (result.verdict, result.said.code) == (Submitted.UNDERWAY, 0)
        assert result.said.stderr == "a later order has been there"
        withdrawal = Withdrawal(attempt=late.attempt, lookup="true")
        assert not node.ask(withdrawals=(withdrawal,), turn=turn).withdrawn
        assert not node.side(late.attempt).exists()
    for turn in ("b 1 1", "a 2 1", "", "a 2 10", "a 10 1"):
        assert node.submit(node.submission(f"#{turn}\n"), turn=turn).verdict is Submitted.NOW
    assert node.submitted == ["#one", "#two", "#b 1 1", "#a 2 1", "#", "#a 2 10", "#a 10 1"]


def test_an_order_that_was_overtaken_on_its_way_submits_no_more(node: LoginNode) -> None:
    """As when it stalls, a later one submits its jobs, and they end and are cleaned away."""
    first, second = node.submission("#first\n"), node.submission("#second\n", lookup="true")
    overtake = f"echo '1 2' >'{node.work}/.turn.a'"
    first = replace(first, command=f"{overtake}; {first.command}")
    report = node.ask(submissions=(first, second), turn="a 1 1")
    assert [item.verdict for item in report.submitted] == [Submitted.NOW, Submitted.UNDERWAY]
    assert not node.side(second.attempt).exists()
    tried(node, second)
    assert node.submit(second, turn="a 1 1").verdict is Submitted.UNDERWAY
    assert node.side(second.attempt).exists(), "it is that of the later one"
    assert node.submitted == ["#first"]


def test_a_turn_of_long_ago_or_of_no_form_holds_nobody_up(node: LoginNode) -> None:
    node.work.mkdir()
    turn = node.work / ".turn.a"
    turn.write_text("9 9\n")
    os.utime(turn, (time.time() - 3900,) * 2)
    assert node.submit(node.submission(), turn="a 1 1").verdict is Submitted.NOW
    for odd in ("", "x y\n"):
        turn.write_text(odd)
        assert node.submit(node.submission(), turn="a 1 1").verdict is Submitted.NOW, odd
