"""Submitting on a login node, once, and what is asked there, under every sh that is here."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hopper.model.batch import BatchReport, CancelBatch, Query, Submission, Submitted, Withdrawal
from hopper.remote.login_node import carry_out
from tests.fakes.login_node import LoginNode
from tests.fakes.shell_worker import SHELLS

ODD = 'a\'b "$(id)" `id` \\ \n\t*~ü\nEOF'


@pytest.fixture(params=SHELLS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LoginNode]:
    """A login node under each sh that is here."""
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on this machine")
    made = LoginNode.make(tmp_path, request.param)
    yield made
    made.close()


def query(name: str, text: str) -> Query:
    return Query(name=name, shell=text)


def said(report: BatchReport, name: str = "q") -> tuple[int, str, str]:
    """Return what was said to one query."""
    words = dict(report.answers)[name]
    return words.code, words.stdout, words.stderr


def tried(node: LoginNode, submission: Submission) -> None:
    """Make it look as if hopper died between the submit command and the record of its answer."""
    side = node.side(submission.attempt)
    side.mkdir(parents=True)
    (side / "tried").touch()


# Submitting once


def test_the_whole_script_is_handed_in_and_its_words_come_home(node: LoginNode) -> None:
    one = node.submission("#one\n", command='cat "$hopper_script"; pwd; echo not so fast >&2')
    two = replace(one, attempt=node.new_attempt(), script=f"#two {ODD}")
    report = node.ask(submissions=(one, two))
    words = [(item.verdict, item.said.code, item.said.stdout) for item in report.submitted]
    assert words == [
        (Submitted.NOW, 0, f"#one\n{node.home}\n"),
        (Submitted.NOW, 0, f"#two {ODD}{node.home}\n"),
    ]
    assert report.submitted[0].said.stderr == "not so fast\n"
    assert (node.side(one.attempt) / "job.sh").stat().st_mode & 0o077 == 0
    assert report.free_bytes
    assert report.clock_skew is not None
    assert abs(report.clock_skew) < 60
    assert not list(node.work.glob(".*"))


def test_the_same_attempt_again_is_told_what_was_said_then(node: LoginNode) -> None:
    submission = node.submission()
    results = [node.submit(submission) for _ in range(3)]
    assert [item.verdict for item in results] == [Submitted.NOW, Submitted.AGAIN, Submitted.AGAIN]
    assert {item.said.stdout for item in results} == {"4711\n"}
    assert node.submitted == ["#one"]


def test_two_at_once_of_one_attempt_submit_it_once(node: LoginNode) -> None:
    submission = node.submission()
    results: list[Submitted] = []
    gate = threading.Barrier(4)

    def go() -> None:
        gate.wait()
        report = carry_out(node.transport, node.order(submissions=(submission,)))
        results.extend(item.verdict for item in report.submitted)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert results.count(Submitted.NOW) == 1
    assert set(results) <= {Submitted.NOW, Submitted.AGAIN, Submitted.UNDERWAY}
    assert node.submitted == ["#one"]


def test_an_earlier_try_that_got_through_is_found(node: LoginNode) -> None:
    submission = node.submission(lookup="echo 4711")
    tried(node, submission)
    found = node.submit(submission)
    assert (found.verdict, found.said.stdout) == (Submitted.FOUND, "4711\n")
    assert node.submit(submission).verdict is Submitted.AGAIN
    assert not node.submitted


def test_an_earlier_try_whose_job_runs_is_found_without_asking(node: LoginNode) -> None:
    submission = node.submission(lookup="exit 9")
    tried(node, submission)
    (node.side(submission.attempt) / "started").write_text("1700000000 99.pbs node7\n")
    found = node.submit(submission)
    assert (found.verdict, found.said.code, found.said.stdout) == (Submitted.FOUND, 0, "99.pbs\n")
    assert not node.submitted


def test_an_earlier_try_that_nobody_knows_is_made_again(node: LoginNode) -> None:
    submission = node.submission()
    tried(node, submission)
    assert node.submit(submission).verdict is Submitted.NOW
    assert node.submitted == ["#one"]


def test_while_nobody_can_be_asked_nothing_is_submitted(node: LoginNode) -> None:
    submission = node.submission(lookup="echo the controller is down >&2; exit 1")
    tried(node, submission)
    for _ in range(2):
        result = node.submit(submission)
        assert (result.verdict, result.said.code) == (Submitted.UNDERWAY, 1)
        assert result.said.stderr == "the controller is down\n"
    assert not node.submitted
    assert node.submit(replace(submission, lookup="")).verdict is Submitted.NOW


def test_a_refusal_is_told_in_the_systems_words_and_may_be_tried_again(node: LoginNode) -> None:
    submission = node.submission(command="echo sbatch: error: no >&2; exit 1", lookup="")
    refused = node.submit(submission)
    assert (refused.verdict, refused.said.code) == (Submitted.NOW, 1)
    assert refused.said.stderr == "sbatch: error: no\n"
    assert node.submit(submission).verdict is Submitted.NOW


def test_an_answer_that_got_lost_is_looked_up(node: LoginNode) -> None:
    """As on a full disk: the job is submitted, its id cannot be kept."""
    submission = node.submission()
    silent = replace(submission, command=submission.command.replace("echo 4711", ":"))
    lost = node.submit(silent)
    assert (lost.verdict, lost.said.stdout) == (Submitted.NOW, "")
    found = node.submit(silent)
    assert (found.verdict, found.said.stdout) == (Submitted.FOUND, "4711\n")
    assert node.submit(silent).verdict is Submitted.AGAIN
    assert node.submitted == ["#one"]


def test_where_no_trace_can_be_left_nothing_is_submitted(node: LoginNode) -> None:
    no_folder, no_file = node.submission(), node.submission()
    node.work.mkdir()
    node.side(no_folder.attempt).write_text("in the way")
    node.side(no_file.attempt).mkdir()
    (node.side(no_file.attempt) / "tried").symlink_to("/nowhere/tried")
    report = node.ask(submissions=(no_folder, no_file))
    assert [item.verdict for item in report.submitted] == [Submitted.REFUSED] * 2
    assert ["no f" in item.said.stderr for item in report.submitted] == [True, True]
    assert str(node.work) in report.submitted[0].said.stderr
    assert "no file can be made" in report.submitted[1].said.stderr
    assert not node.submitted


def test_without_a_place_for_side_folders_nothing_is_done(node: LoginNode) -> None:
    node.work.write_text("in the way")
    report = node.ask(submissions=(node.submission(),))
    assert not report.submitted
    [(_, trouble)] = report.troubles
    assert "no folder can be made" in trouble


# What goes along


@pytest.mark.parametrize("cut", [20, 2_000, -40_000, -9_000, -7_800])
def test_a_torn_upload_submits_nothing_and_can_be_repeated(
    node: LoginNode, tmp_path: Path, cut: int
) -> None:
    data = tmp_path / "data"
    data.write_bytes(os.urandom(20_000))
    submission = node.submission(
        "#one\n" + "# more\n" * 3_000, inputs=((str(data), "in/put data"),)
    )
    node.transport.cut_input = cut
    torn = carry_out(node.transport, node.order(submissions=(submission,)))
    assert torn.error
    assert torn.delivered
    assert not node.submitted
    node.transport.cut_input = None
    assert node.submit(submission).verdict is Submitted.NOW
    assert node.submitted == ["#one"]
    there = node.side(submission.attempt) / "inputs" / "in" / "put data"
    assert there.read_bytes() == data.read_bytes()


def test_inputs_of_a_try_that_was_cut_off_are_replaced(node: LoginNode, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("new")
    submission = node.submission(inputs=((str(data), "data"),))
    old = node.side(submission.attempt) / "inputs"
    old.mkdir(parents=True)
    (old / "data").write_text("old")
    assert node.submit(submission).verdict is Submitted.NOW
    assert (old / "data").read_text() == "new"


def test_a_file_that_is_gone_at_home_is_told_and_nothing_sent(node: LoginNode) -> None:
    order = node.order(submissions=(node.submission(inputs=(("/nowhere/x", "x"),)),))
    report = carry_out(node.transport, order)
    assert "cannot be read" in report.error
    assert not report.delivered


def test_uploads_are_there_for_the_queries_and_gone_after(node: LoginNode, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"secret\n")
    asked = query("q", 'cat "$hopper_uploads/key"; ls -l "$hopper_uploads/key"')
    code, out, _ = said(node.ask(queries=(asked,), uploads=((str(key), "key"),)))
    assert (code, out.splitlines()[0]) == (0, "secret")
    assert out.splitlines()[1].startswith("-rw-------")
    assert not list(node.work.iterdir())


# Asking


def test_queries_are_asked_in_turn_with_no_input(node: LoginNode) -> None:
    queries = (
        query("odd", "printf 'a\\0b\\377\\n'; exit 3"),
        query("input", "cat; echo done"),
        query("none", "exit 0"),
    )
    report = node.ask(queries=queries, submissions=(node.submission(),))
    assert said(report, "odd") == (3, "a\0b�\n", "")
    assert said(report, "input") == (0, "done\n", "")
    assert said(report, "none") == (0, "", "")


@pytest.mark.parametrize("timeout_there", [True, False])
def test_what_takes_too_long_is_ended_with_all_its_processes(
    node: LoginNode, tmp_path: Path, timeout_there: bool
) -> None:
    if not timeout_there:
        # A PATH with all but timeout.
        for folder in os.environ["PATH"].split(os.pathsep):
            for tool in Path(folder).iterdir() if Path(folder).is_dir() else ():
                link = node.transport.bin_folder / tool.name
                if tool.name != "timeout" and not link.is_symlink():
                    link.symlink_to(tool)
        node.transport.path = str(node.transport.bin_folder)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Whoever holds the pipe open is alive: a reader gets its end when nobody does.
    holder = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    slow = query("q", f"exec 3>'{pipe}'; echo begun; sleep 600; echo never")
    quick = query("r", "exit 7")
    report = node.ask(queries=(slow, quick), query_timeout=1)
    assert said(report) == (124, "begun\n", said(report)[2])
    assert said(report, "r") == (7, "", "")
    os.set_blocking(holder, True)
    assert os.read(holder, 1) == b""
    os.close(holder)


def test_a_submit_command_that_takes_too_long_may_have_got_through(node: LoginNode) -> None:
    ordinary = node.submission()
    slow = replace(ordinary, command=f"{ordinary.command}; sleep 600")
    late = node.submit(slow, query_timeout=1)
    assert (late.verdict, late.said.code) == (Submitted.NOW, 124)
    assert node.submit(slow).verdict is Submitted.FOUND
    assert node.submitted == ["#one"]


def test_an_answer_that_finds_no_room_is_none(node: LoginNode) -> None:
    shell = 'ln -s /nowhere/x "$(echo "$HOME"/.hopper/.scratch.*)/room"; echo half'
    code, out, error = said(node.ask(queries=(query("q", shell),)))
    assert (code, out) == (74, "")
    assert "no room" in error


def test_a_profile_that_sets_the_path_is_read_and_what_it_prints_is_not(node: LoginNode) -> None:
    tools = node.folder / "tools"
    tools.mkdir()
    (tools / "sbatch-x").write_text("#!/bin/sh\necho found\n")
    (tools / "sbatch-x").chmod(0o700)
    (node.home / ".profile").write_text(
        f'echo "Don\'t panic; ("\nexport GREETING="it\'s\nme"\nPATH={tools}:$PATH\nexport PATH\n'
    )
    asked = query("q", 'sbatch-x; echo "$GREETING"')
    assert said(node.ask(queries=(asked,), program="sbatch-x")) == (0, "found\nit's\nme\n", "")
    assert said(node.ask(queries=(asked,)))[1] == "\n"


def test_an_answer_that_broke_off_says_nothing(node: LoginNode) -> None:
    order = node.order(queries=(query("q", "echo 1234"),))
    for cut in (0, 30, 50, -20, -3):
        node.transport.cut_output = cut
        report = carry_out(node.transport, order)
        assert report.error
        assert not report.answers


# Cancelling and withdrawing


def test_the_words_of_a_cancel_come_home(node: LoginNode) -> None:
    cancels = (
        CancelBatch(attempt="a000000001", command="echo no such job >&2; exit 1"),
        CancelBatch(attempt="a000000002", command="true"),
    )
    report = node.ask(cancels=cancels)
    assert [(name, w.code, w.stderr) for name, w in report.cancelled] == [
        ("a000000001", 1, "no such job\n"),
        ("a000000002", 0, ""),
    ]


def test_what_was_never_submitted_is_withdrawn_and_never_runs(node: LoginNode) -> None:
    submission = node.local("echo ran >>~/ran")
    report = node.ask(withdrawals=(Withdrawal(attempt=submission.attempt, lookup=""),))
    assert report.withdrawn == (submission.attempt,)
    assert node.submit(submission).verdict is Submitted.NOW
    assert not (node.home / "ran").exists()


@pytest.mark.parametrize(
    ("lookup", "verdict"),
    [("echo 4711", Submitted.FOUND), ("exit 1", Submitted.UNDERWAY), ("true", None)],
)
def test_a_withdrawal_asks_before_it_concludes(
    node: LoginNode, lookup: str, verdict: Submitted | None
) -> None:
    submission = node.submission()
    tried(node, submission)
    report = node.ask(withdrawals=(Withdrawal(attempt=submission.attempt, lookup=lookup),))
    assert [item.verdict for item in report.submitted] == ([verdict] if verdict else [])
    assert report.withdrawn == (() if verdict else (submission.attempt,))


def test_a_withdrawal_of_what_was_submitted_tells_its_id(node: LoginNode) -> None:
    submission = node.submission()
    node.submit(submission)
    report = node.ask(withdrawals=(Withdrawal(attempt=submission.attempt, lookup="exit 1"),))
    assert [item.said.stdout for item in report.submitted] == ["4711\n"]
    assert not report.withdrawn


def test_where_nothing_can_be_left_nothing_is_withdrawn(node: LoginNode) -> None:
    node.work.mkdir()
    node.side("a000000001").write_text("in the way")
    report = node.ask(withdrawals=(Withdrawal(attempt="a000000001", lookup=""),))
    assert not report.withdrawn
    assert "cannot be withdrawn" in report.troubles[0][1]


def test_what_is_cleaned_is_gone(node: LoginNode) -> None:
    submission = node.submission()
    node.submit(submission)
    report = node.ask(cleans=(submission.attempt, "a000000009"))
    assert report.cleaned == (submission.attempt, "a000000009")
    assert not node.side(submission.attempt).exists()
