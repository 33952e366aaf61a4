"""The shell text and the tar that go to a login node."""

from __future__ import annotations

import io
import shlex
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hopper.errors import HopperError
from hopper.model.batch import (
    BatchOrder,
    CancelBatch,
    FollowBatch,
    ReadBatchLog,
    Submission,
    Withdrawal,
)
from hopper.remote import batch_script
from tests.fakes.login_node import query

ODD = 'a\'b "$(id)" `id` \\ \n*'


def order(**parts: Any) -> BatchOrder:
    return BatchOrder(**{"id": "b1", "host": "login", "backend": "here", **parts})


def submission(**parts: Any) -> Submission:
    values = {"attempt": "a1", "script": "#one\n", "command": ODD, "lookup": "look; it"}
    return Submission(**{**values, **parts})


def calls(text: str) -> list[list[str]]:
    """Return the words of each call behind the scripts, as a shell reads them."""
    words = shlex.split(text[text.index("\nlook\n") + 6 :].replace("\n", " ; "), posix=True)
    found: list[list[str]] = [[]]
    for word in words:
        if word == ";":
            found.append([])
        else:
            found[-1].append(word)
    return [call for call in found if call]


def test_the_parts_of_an_order_are_done_in_their_order() -> None:
    asked = query("jobs", "squeue")
    text = batch_script.render(
        order(
            cancels=(CancelBatch(attempt="a0", command="scancel 1"),),
            withdrawals=(Withdrawal(attempt="a9", lookup="l"),),
            cleans=("a8",),
            submissions=(submission(command="c", time_limit=9),),
            queries=(asked,),
            follows=(FollowBatch(attempt="a1", outputs=("x", "y z"), output_file="o"),),
            log=ReadBatchLog(attempt="a1", file="out", working_dir="~", offset=-5, limit=7),
        ),
        "MARK",
    )
    assert [call[0] for call in calls(text)] == [
        *("cancel", "withdraw", "clean", "receive_parts", "submit", "query", "follow"),
        *("read_log", "finish_batch"),
    ]
    assert "submit a1 c 'look; it' 9\n" in text
    assert ["read_log", "a1", "out", "~", "-5", "7"] in calls(text)


def test_every_value_is_one_word() -> None:
    text = batch_script.render(order(work_dir=ODD, submissions=(submission(),)), "MARK")
    assert shlex.quote(ODD) in text
    assert f"hopper_work={shlex.quote(ODD)}" in text
    with pytest.raises(HopperError, match="NUL"):
        batch_script.render(order(submissions=(submission(command="a\0b"),)), "MARK")


def test_nothing_travels_where_nothing_is_to_be_sent() -> None:
    assert batch_script.payload(order(cleans=("a1",))) == b""
    assert "receive_parts" not in calls(batch_script.render(order(), "MARK"))[0]


def test_the_tar_ends_with_the_word_that_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"in")
    (tmp_path / "key").write_bytes(b"secret")
    content = batch_script.payload(
        order(
            submissions=(
                submission(script=f"#{ODD}\udcff", inputs=((str(tmp_path / "data"), "n" * 120),)),
            ),
            uploads=((str(tmp_path / "key"), "key"),),
        )
    )
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        names = tar.getnames()
        script = tar.extractfile("a1/job.sh")
        modes = {(member.isdir(), member.mode) for member in tar.getmembers()}
        assert script is not None
        assert script.read() == f"#{ODD}".encode() + b"\xff"
    assert names == ["a1/claim", "a1/job.sh", f"a1/inputs/{'n' * 120}", "uploads/key", "whole"]
    assert modes == {(True, 0o700), (False, 0o600)}


def test_large_files_travel_on_their_own(tmp_path: Path) -> None:
    for name, size in {"small": 10, "large": 11, "more": 9}.items():
        (tmp_path / name).write_bytes(b"x" * size)
    files = tuple((str(tmp_path / name), f"in/{name}") for name in ("small", "large", "more"))
    asked = order(submissions=(submission(inputs=files),), inline_limit=10)
    large = batch_script.large_inputs(asked)
    assert [(item.attempt, item.number, item.name) for item in large] == [("a1", 1, "in/large")]
    with tarfile.open(fileobj=io.BytesIO(batch_script.payload(asked, large))) as tar:
        assert [name for name in tar.getnames() if "in/" in name] == [
            "a1/inputs/in/small",
            "a1/inputs/in/more",
        ]
    script = calls(batch_script.render(asked, "MARK", large))
    assert ["place_upload", "a1", "1", "in/large"] in script
    assert script.index(["place_upload", "a1", "1", "in/large"]) < [c[0] for c in script].index(
        "submit"
    )
    prepared = batch_script.render_prepare(asked, large, "MARK")
    assert calls(prepared) == [["prepare", "a1", "1"], ["finish_batch"]]


def test_many_small_files_are_not_all_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").write_bytes(b"x" * 10)
    monkeypatch.setattr(batch_script, "INLINE_TOTAL", 25)
    many = tuple(
        submission(attempt=f"a{number}", inputs=((str(tmp_path / "in"), "in"),))
        for number in range(4)
    )
    large = batch_script.large_inputs(order(submissions=many, inline_limit=10))
    assert [item.attempt for item in large] == ["a2", "a3"]
