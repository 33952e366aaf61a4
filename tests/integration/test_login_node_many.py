"""Many attempts in one answer, which may not cost a process or two for each."""

from __future__ import annotations

from pathlib import Path

from hopper.model.batch import FollowBatch
from tests.fakes.login_node import LoginNode


def _side(node: LoginNode, out: bytes = b"", err: bytes = b"", *, over: bool) -> str:
    """Make the side folder of an attempt that runs or has ended; return its id."""
    attempt = node.new_attempt()
    side = node.side(attempt)
    side.mkdir(parents=True)
    (side / "started").write_text("1700000000 12 n1\n")
    (side / "log.out").write_bytes(out)
    (side / "log.err").write_bytes(err)
    if over:
        (side / "exit").write_text("0 1700000001\n")
    return attempt


def test_logs_that_grow_are_measured_each(node: LoginNode) -> None:
    sizes = {_side(node, b"x" * out, b"y" * (out % 3), over=False): out for out in range(205)}
    odd = _side(node, over=False)
    (node.home / "a 7\nb").write_bytes(b"12345")
    follows = (*(FollowBatch(attempt=name) for name in sizes),)
    report = node.ask(follows=(*follows, FollowBatch(attempt=odd, output_file="~/a 7\nb")))
    told = {side.attempt: (side.out_bytes, side.err_bytes) for side in report.sides}
    assert told.pop(odd) == (5, 0)
    assert told == {name: (out, out % 3) for name, out in sizes.items()}
    assert not report.gathered


def test_each_log_comes_home_with_its_own_bytes(node: LoginNode) -> None:
    texts = {_side(node, b"%d\n" % n * n, b"\0" * (n % 2), over=True): n for n in range(12)}
    report = node.ask(follows=tuple(FollowBatch(attempt=name) for name in texts))
    assert not report.troubles
    assert sorted(report.gathered) == sorted(texts)
    came = {(item.attempt, item.kind): Path(item.path).read_bytes() for item in report.collected}
    for name, n in texts.items():
        assert came[name, "log"] == b"%d\n" % n * n
        assert came[name, "errors"] == b"\0" * (n % 2)


def test_an_answer_brings_so_many_home_and_the_next_one_more(node: LoginNode) -> None:
    attempts = [_side(node, over=True) for _ in range(502)]
    gathered: list[int] = []
    while attempts:
        report = node.ask(follows=tuple(FollowBatch(attempt=name) for name in attempts))
        assert {side.exit_code for side in report.sides} == {0}
        gathered.append(len(report.gathered))
        attempts = [name for name in attempts if name not in report.gathered]
    assert gathered == [500, 2]
