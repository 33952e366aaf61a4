"""Submitting on a login node, once, and what is asked there, under every sh that is here."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hopper.model.batch import Submitted
from hopper.remote.login_node import carry_out
from tests.fakes.login_node import LoginNode, query, said, tried

ODD = 'a\'b "$(id)" `id` \\ \n\t*~ü\nEOF'


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
    report = carry_out(node.transport, node.order(submissions=(node.submission(),)))
    assert not report.submitted
    assert report.error == f"no folder can be made in {node.work}"


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
