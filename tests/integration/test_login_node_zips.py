"""Zips on a login node: large ones on their way, results as on a worker, under every sh."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from hopper.model.batch import Submission, Submitted
from tests.conftest import Eventually
from tests.fakes.login_node import LoginNode, contents, ended, members

RESULTS = {"zip_name": "job-abcdef", "outputs": ("results", "*.txt")}


def with_file(node: LoginNode, size: int, **parts: Any) -> Submission:
    path = node.folder / "large file"
    path.write_bytes(b"z" * size)
    return node.submission(inputs=((str(path), "deep/job.zip"),), **parts)


def test_a_large_file_goes_on_its_own_and_only_once(node: LoginNode) -> None:
    submission = with_file(node, 1000)
    assert node.submit(submission, inline_limit=10).verdict is Submitted.NOW
    there = node.side(submission.attempt) / "inputs/deep/job.zip"
    assert there.read_bytes() == b"z" * 1000
    assert [*(node.work / ".uploads").iterdir()] == []
    assert node.submit(submission, inline_limit=10).verdict is Submitted.AGAIN
    assert [*(node.work / ".uploads").iterdir()] == []
    assert node.submitted == ["#one"]


def test_what_was_on_its_way_when_hopper_died_is_sent_again(node: LoginNode) -> None:
    submission = with_file(node, 1000)
    (node.work / ".uploads").mkdir(parents=True)
    (node.work / f".uploads/{submission.attempt}.0").write_bytes(b"z" * 10)
    assert node.submit(submission, inline_limit=10).verdict is Submitted.NOW
    there = node.side(submission.attempt) / "inputs/deep/job.zip"
    assert there.read_bytes() == b"z" * 1000


def test_nothing_is_submitted_without_its_large_file(node: LoginNode) -> None:
    submission = with_file(node, 1000)
    node.work.mkdir()
    (node.work / ".uploads").write_text("no folder")
    report = node.ask(submissions=(submission,), inline_limit=10)
    assert [result.verdict for result in report.submitted] == [Submitted.REFUSED]
    assert "deep/job.zip did not arrive" in report.troubles[0][1]
    assert node.submitted == []


def finished(node: LoginNode, eventually: Eventually, command: str) -> str:
    submission = node.local(
        f'cd "$HOPPER_TASK_DIR"; mkdir -p inbox/job-abcdef/job outbox\n{command}'
    )
    node.submit(submission)
    ended(node, eventually, submission)
    return submission.attempt


def test_a_zip_that_packs_nothing_has_its_globs_packed(
    node: LoginNode, eventually: Eventually
) -> None:
    attempt = finished(
        node,
        eventually,
        "cd inbox/job-abcdef/job; mkdir results; echo 1 > results/a; echo 2 > b.txt; echo 3 > c\n"
        "echo said; echo wrong >&2",
    )
    report = node.collect(attempt, **RESULTS)
    assert report.gathered == (attempt,)
    assert members(report) == {"results/a": b"1\n", "b.txt": b"2\n"}
    assert contents(report)["log"] == b"said\nwrong\n"
    assert {item.kind for item in report.collected} == {"log", "tar"}


def test_a_zip_that_packs_its_results_has_them_brought_home(
    node: LoginNode, eventually: Eventually
) -> None:
    attempt = finished(
        node,
        eventually,
        "cd outbox; echo 1 > job-abcdef.zip; echo 2 > job-abcdef.more.zip\n"
        "echo 3 > job-abcdefg.zip\n"
        "mkdir ../inbox/job-abcdef/job/results; touch ../inbox/job-abcdef/job/results/x; exit 3",
    )
    report = node.collect(attempt, **RESULTS)
    found = {item.name: Path(item.path).read_bytes() for item in report.collected}
    assert found == {"job-abcdef.zip": b"1\n", "job-abcdef.more.zip": b"2\n", "log": b""}
    again = node.collect(attempt, **RESULTS)
    assert {item.name for item in again.collected} == set(found)
    assert not zipfile.is_zipfile(report.collected[-1].path)
