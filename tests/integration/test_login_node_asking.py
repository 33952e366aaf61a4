"""What a login node is asked, and how submissions are taken back, under every sh that is here."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hopper.model.batch import CancelBatch, Submitted, Withdrawal
from hopper.remote.login_node import carry_out
from tests.fakes.login_node import LoginNode, query, said, tried

ODD = 'a\'b "$(id)" `id` \\ \n\t*~ü\nEOF'


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


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """Where to note processes that are to end with the test."""
    pids = tmp_path / "pids"
    yield pids
    for pid in pids.read_text().split() if pids.exists() else ():
        os.kill(int(pid), signal.SIGKILL)


def _leaving(held: Path, code: int) -> str:
    """Return what leaves a child behind that holds its output open."""
    return f"sleep 600 & echo $! >>'{held}'; echo begun; echo odd >&2; exit {code}"


def test_what_stays_in_the_background_is_not_waited_for(node: LoginNode, held: Path) -> None:
    asked = (query("q", _leaving(held, 3)), query("r", "echo next"))
    cancels = (CancelBatch(attempt="a000000001", command=_leaving(held, 0)),)
    report = node.ask(queries=asked, cancels=cancels, query_timeout=100)
    assert said(report) == (3, "begun\n", "odd\n")
    assert said(report, "r") == (0, "next\n", "")
    assert report.cancelled[0][1].stdout == "begun\n"
    for pid in held.read_text().split():
        os.kill(int(pid), 0)


def test_a_lookup_and_a_submission_may_leave_something_behind(node: LoginNode, held: Path) -> None:
    ordinary = node.submission()
    tried(node, ordinary)
    late = node.submit(replace(ordinary, lookup=_leaving(held, 1)), query_timeout=100)
    assert (late.verdict, late.said.code, late.said.stderr) == (Submitted.UNDERWAY, 1, "odd\n")
    new = node.submission(command=_leaving(held, 0), lookup="")
    assert node.submit(new, query_timeout=100).said.stdout == "begun\n"


@pytest.mark.parametrize("where", ["", " >&2"])
def test_what_says_too_much_has_said_nothing(node: LoginNode, where: str) -> None:
    quick = query("q", f"{{ printf '%99s'; printf '%2s'; }}{where}")
    just = query("r", f"printf '%100s'{where}")
    report = node.ask(queries=(quick, just), answer_limit=100)
    assert said(report) == (74, "", "it said more than 100 bytes")
    assert sum(map(len, said(report, "r")[1:])) == 100


@pytest.mark.parametrize("where", ["", " >&2"])
def test_what_never_ends_to_speak_does_not_fill_the_disk(node: LoginNode, where: str) -> None:
    noticed = node.folder / "noticed"
    shell = (
        f"cd '{node.work}'/.scratch.*; until [ -e 1.over ]; do printf '%200s'{where}; done;"
        f" touch '{noticed}'"
    )
    report = node.ask(queries=(query("q", shell),), answer_limit=1000, query_timeout=60)
    assert said(report) == (74, "", "it said more than 1000 bytes")
    assert noticed.exists()


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


# Job arrays


def test_a_job_array_takes_the_scripts_of_its_members_along(node: LoginNode) -> None:
    array = node.submission(tasks=((1, "one"), (12, "twelve")))
    tried(node, array)
    (node.side(array.attempt) / "tasks").mkdir()
    (node.side(array.attempt) / "tasks" / "3.sh").write_text("of an earlier try")
    assert node.submit(replace(array, lookup="true")).verdict is Submitted.NOW
    tasks = {path.name: path.read_text() for path in (node.side(array.attempt) / "tasks").iterdir()}
    assert tasks == {"1.sh": "one", "12.sh": "twelve"}


def test_a_member_is_withdrawn_by_what_became_of_its_array(node: LoginNode) -> None:
    array, members = node.submission(tasks=((1, "one"), (2, "two"))), ("m1", "m2")

    def withdrawal(name: str, lookup: str = "exit 1") -> Withdrawal:
        return Withdrawal(attempt=name, lookup=lookup, array=array.attempt)

    before = node.ask(withdrawals=(withdrawal("m1"),))
    assert before.withdrawn == ("m1",), "nobody has tried to submit it"
    tried(node, array)
    assert node.ask(withdrawals=(withdrawal("m1", "true"),)).withdrawn == ("m1",)
    unknown = node.ask(withdrawals=(withdrawal("m1"),))
    assert [item.verdict for item in unknown.submitted] == [Submitted.UNDERWAY]
    node.submit(replace(array, lookup="true"))
    after = node.ask(withdrawals=tuple(withdrawal(name) for name in members))
    assert [(item.attempt, item.said.stdout) for item in after.submitted] == [
        ("m1", "4711\n"),
        ("m2", "4711\n"),
    ]
    assert not after.withdrawn
    for name in members:
        assert (node.side(name) / "run").is_dir(), "it never runs, whatever comes"
        assert (node.side(name) / "cancel").exists()


def test_an_array_goes_with_the_last_of_its_members(node: LoginNode) -> None:
    array = node.submission(tasks=((1, "one"), (11, "eleven")))
    node.submit(array)
    side = node.side(array.attempt)
    for index in (1, 11):
        (side / f"log.{index}.out").touch()
        node.side(f"m{index}").mkdir()
    report = node.ask(array_cleans=(("m1", array.attempt, 1),))
    assert report.cleaned == ("m1",)
    assert not node.side("m1").exists()
    assert not (side / "log.1.out").exists()
    assert (side / "log.11.out").exists()
    assert (side / "tasks" / "11.sh").exists()
    node.ask(array_cleans=(("m11", array.attempt, 11),))
    assert not side.exists()
