"""Process groups of a login node, and what attempts leave there, under every sh that is here."""

from __future__ import annotations

import os
import signal

import pytest

from hopper.model.batch import (
    CancelBatch,
    Submitted,
    Withdrawal,
)
from tests.conftest import Eventually
from tests.fakes.login_node import LoginNode, cancel, contents, run, started
from tests.fakes.shell_worker import alive, pid_in

ODD = 'a\'b "$(id)" `id` \\ \n\t*~ü\nEOF'


# Process groups


def test_a_command_runs_with_all_that_it_was_given(node: LoginNode, eventually: Eventually) -> None:
    (node.home / "my work").mkdir()
    submission = run(
        node,
        eventually,
        'printf "%s|" "$ODD"; pwd; echo wrong >&2; exit 7',
        variables={"ODD": ODD},
        working_dir="~/my work",
    )
    side = node.look(submission.attempt)
    assert (side.exit_code, side.how, side.alive) == (7, "", False)
    assert side.native == node.submit(submission).said.stdout.strip()
    assert side.started_at
    assert side.ended_at
    assert side.started_at <= side.ended_at
    report = node.collect(submission.attempt)
    text = f"{ODD}|{node.home / 'my work'}\n".encode()
    assert contents(report) == {"log": text, "errors": b"wrong\n"}
    assert report.gathered == (submission.attempt,)
    assert (side.out_bytes, side.err_bytes) == (len(text), 6)


def test_a_running_one_lives_and_is_not_collected(node: LoginNode, eventually: Eventually) -> None:
    submission = started(node, node.local("echo begun; sleep 600"))
    eventually(lambda: node.look(submission.attempt).out_bytes, what="its output")
    side = node.look(submission.attempt)
    assert (side.alive, side.exit_code) == (True, None)
    assert not node.collect(submission.attempt).gathered
    assert node.submit(submission).verdict is Submitted.AGAIN
    assert cancel(node, submission).code == 0
    after = node.look(submission.attempt)
    assert (after.alive, after.how, after.exit_code) == (False, "cancelled", 143)
    assert node.collect(submission.attempt).gathered


def test_a_cancel_ends_what_does_not_listen_and_what_ran_away(
    node: LoginNode, eventually: Eventually
) -> None:
    deaf, away = node.folder / "deaf", node.folder / "away"
    submission = started(
        node,
        node.local(
            f"trap '' TERM; setsid sh -c 'echo $$ >{away}; exec sleep 600' & "
            f"echo $$ >{deaf}; sleep 600; sleep 600"
        ),
    )
    eventually(lambda: pid_in(deaf) and pid_in(away), what="its processes")
    assert cancel(node, submission).code == 0
    assert not alive(pid_in(deaf))
    assert not alive(pid_in(away))


def test_several_are_cancelled_in_one_go(node: LoginNode) -> None:
    running = [started(node, node.local("sleep 600")) for _ in range(2)]
    node.side("a000000001").write_text("in the way")
    names = [running[0].attempt, "a000000001", running[1].attempt]
    report = node.ask(cancels=tuple(CancelBatch(attempt=name, command="") for name in names))
    assert [(name, said.code) for name, said in report.cancelled] == list(
        zip(names, (0, 1, 0), strict=True)
    )
    assert "no folder can be made" in report.cancelled[1][1].stderr
    assert [node.look(item.attempt).alive for item in running] == [False, False]


def test_one_that_has_ended_stays_as_it_was(node: LoginNode, eventually: Eventually) -> None:
    submission = run(node, eventually, "exit 3")
    assert cancel(node, submission).code == 0
    assert (node.look(submission.attempt).exit_code, node.look(submission.attempt).how) == (3, "")


def test_one_cancelled_before_its_start_never_runs(node: LoginNode, eventually: Eventually) -> None:
    submission = node.local("echo ran >>~/ran")
    assert cancel(node, submission).code == 0
    node.submit(submission)
    eventually(lambda: node.look(submission.attempt).alive is False, what="its end")
    assert node.look(submission.attempt).exit_code == 143
    assert not (node.home / "ran").exists()


def test_a_time_limit_ends_it(node: LoginNode, eventually: Eventually) -> None:
    submission = started(node, node.local("trap '' TERM; sleep 600", time_limit=1))
    eventually(lambda: node.look(submission.attempt).alive is False, what="its end")
    assert node.look(submission.attempt).how == "timeout"
    assert node.collect(submission.attempt).gathered


def test_one_within_its_limit_ends_as_it_likes(node: LoginNode, eventually: Eventually) -> None:
    submission = run(node, eventually, "exit 4", time_limit=600)
    assert (node.look(submission.attempt).exit_code, node.look(submission.attempt).how) == (4, "")


def test_one_that_was_killed_is_seen_to_be_gone(node: LoginNode, eventually: Eventually) -> None:
    submission = started(node, node.local("echo begun; sleep 600"))
    eventually(lambda: node.look(submission.attempt).out_bytes, what="its output")
    os.killpg(pid_in(node.side(submission.attempt) / "group"), signal.SIGKILL)
    eventually(lambda: node.look(submission.attempt).alive is False, what="its death")
    assert node.look(submission.attempt).exit_code is None
    assert contents(node.collect(submission.attempt))["log"] == b"begun\n"


@pytest.mark.parametrize("change", ["boot", "birth"])
def test_another_group_of_the_same_number_is_not_ours(
    node: LoginNode, eventually: Eventually, change: str
) -> None:
    submission = started(node, node.local("echo begun; sleep 600"))
    eventually(lambda: node.look(submission.attempt).out_bytes, what="its output")
    file = node.side(submission.attempt) / "group"
    group, birth, boot = file.read_text().split()
    changed = f"{group} 1 {boot}" if change == "birth" else f"{group} {birth} other"
    file.write_text(f"{changed}\n")
    assert node.look(submission.attempt).alive is False
    file.write_text(f"{group} {birth} {boot}\n")
    assert node.look(submission.attempt).alive is True
    assert cancel(node, submission).code == 0


def test_a_start_that_was_cut_off_is_not_made_twice(
    node: LoginNode, eventually: Eventually
) -> None:
    """As if hopper's shell had died between the start and the record of it."""
    submission = started(node, node.local("echo ran >>~/ran; sleep 600"))
    eventually((node.home / "ran").exists, what="its start")
    side = node.side(submission.attempt)
    native = (side / "group").read_text().split()[0]
    for name in ("submitted", "submit.out", "submit.code", "started"):
        (side / name).unlink()
    report = node.ask(withdrawals=(Withdrawal(attempt=submission.attempt, lookup=""),))
    assert [item.said.stdout for item in report.submitted] == [f"{native}\n"]
    (side / "submitted").unlink()
    found = node.submit(submission)
    assert (found.verdict, found.said.stdout) == (Submitted.FOUND, f"{native}\n")
    assert node.look(submission.attempt).alive
    assert cancel(node, submission).code == 0
    assert (node.home / "ran").read_text() == "ran\n"
