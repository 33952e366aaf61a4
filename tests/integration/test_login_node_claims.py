"""Claims of submissions on login nodes that share a home folder, under every sh that is here."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hopper.model.batch import Submission, Submitted
from tests.fakes.login_node import LoginNode


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
