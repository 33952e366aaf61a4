"""What attempts leave on a login node, and how it comes home, under every sh that is here."""

from __future__ import annotations

import pytest

from hopper.model.batch import (
    ReadBatchLog,
)
from tests.conftest import Eventually
from tests.fakes.login_node import LoginNode, contents, members, run

ODD = 'a\'b "$(id)" `id` \\ \n\t*~ü\nEOF'


# What the side folder says, and what comes home


def test_logs_are_cut_at_their_heads(node: LoginNode, eventually: Eventually) -> None:
    submission = run(node, eventually, "seq 1 5000; echo short >&2")
    came = contents(node.collect(submission.attempt, log_limit=100))
    assert came["log"] == "".join(f"{n}\n" for n in range(1, 5001)).encode()[-100:]
    assert came["errors"] == b"short\n"


def test_what_does_not_fit_into_the_answer_is_fetched(
    node: LoginNode, eventually: Eventually
) -> None:
    submission = run(node, eventually, 'seq 1 500; seq 1 900 >"$HOPPER_OUTPUT_DIR/n"; echo e >&2')
    report = node.collect(submission.attempt, inline_limit=0)
    assert report.gathered == (submission.attempt,)
    assert len(contents(report)["log"].splitlines()) == 500
    assert contents(report)["errors"] == b"e\n"
    assert len(members(report)["n"].splitlines()) == 900


def test_files_of_its_own_for_output_and_errors(node: LoginNode, eventually: Eventually) -> None:
    (node.home / "w").mkdir()
    files = {"output_file": "logs/o 1.txt", "error_file": "~/e'2.txt", "working_dir": "~/w"}
    submission = run(node, eventually, "echo out; echo err >&2", **files)
    assert (node.home / "w" / "logs" / "o 1.txt").read_text() == "out\n"
    (node.side(submission.attempt) / "log.err").write_text("of the system\n")
    came = contents(node.collect(submission.attempt, **files))
    assert came == {"log": b"out\n", "errors": b"err\n", "system": b"of the system\n"}
    assert node.look(submission.attempt, **files).out_bytes == 4


def test_outputs_come_home_whatever_their_names(node: LoginNode, eventually: Eventually) -> None:
    work = node.home / "w"
    (work / "sub").mkdir(parents=True)
    names = ["-n", "a b", "new\nline", "q'u\"o", "$(id)", "ü"]
    for name in names:
        (work / "sub" / name).write_text(name)
    (work / "left").write_text("not asked for")
    (node.home / "above").write_text("not below the folder")
    submission = run(node, eventually, 'echo 1 >"$HOPPER_OUTPUT_DIR/own"')
    globs = ("sub/*", "no/*", "../above", "/etc/hostname", "*.none")
    report = node.collect(submission.attempt, working_dir="~/w", outputs=globs)
    assert not report.troubles
    assert members(report) == {
        "own": b"1\n",
        **{f"sub/{name}": name.encode() for name in names},
    }


def test_generated_tasks_come_home(node: LoginNode, eventually: Eventually) -> None:
    submission = run(node, eventually, "echo '{}' >'my tasks.json'")
    report = node.collect(submission.attempt, generates_source="my tasks.json")
    assert contents(report)["tasks"] == b"{}\n"
    none = node.collect(submission.attempt, generates_source="none.json")
    assert "tasks" not in contents(none)


def test_what_cannot_be_packed_keeps_the_rest_waiting(
    node: LoginNode, eventually: Eventually
) -> None:
    submission = run(node, eventually, 'echo 1 >"$HOPPER_OUTPUT_DIR/own"')
    (node.side(submission.attempt) / "results.tar.part").mkdir()
    report = node.collect(submission.attempt)
    assert not report.gathered
    assert [name for name, text in report.troubles if "packing" in text] == [submission.attempt]
    (node.side(submission.attempt) / "results.tar.part").rmdir()
    assert members(node.collect(submission.attempt)) == {"own": b"1\n"}


@pytest.mark.parametrize("text", ["oops", "-1 x", "9" * 400, "\0\1\377", "", "0x1 1e9"])
def test_what_a_task_wrote_over_its_record_harms_nobody(
    node: LoginNode, eventually: Eventually, text: str
) -> None:
    hit, other = run(node, eventually, "true"), run(node, eventually, "exit 5")
    for name in ("exit", "started", "group"):
        (node.side(hit.attempt) / name).write_text(text, "latin-1")
    assert node.look(hit.attempt).exit_code is None
    assert node.look(hit.attempt).started_at is None
    assert node.look(other.attempt).exit_code == 5


def test_what_is_said_to_be_over_is_collected_without_a_record(node: LoginNode) -> None:
    submission = node.submission()
    node.submit(submission)
    (node.side(submission.attempt) / "log.out").write_text("last words\n")
    assert not node.collect(submission.attempt).gathered
    assert contents(node.collect(submission.attempt, over=True)) == {"log": b"last words\n"}


def test_the_systems_own_words_come_home_of_what_did_not_complete(
    node: LoginNode, eventually: Eventually
) -> None:
    good, bad = run(node, eventually, "true"), run(node, eventually, "exit 3")
    for submission in (good, bad):
        (node.side(submission.attempt) / "log.pbs.out").write_text("x" * 30_000 + "prologue\n")
        (node.side(submission.attempt) / "log.pbs.err").write_text("cannot chdir\n")
    assert "system" not in contents(node.collect(good.attempt))
    report = node.collect(bad.attempt)
    words = contents(report)["system"]
    assert words.startswith(b"xxx")
    assert words.endswith(b"x" * 9000 + b"prologue\ncannot chdir\n")
    assert len(words) < 25_000, "only the end of each"
    [(attempt, text)] = report.words
    assert (attempt, text[-13:]) == (bad.attempt, "cannot chdir\n")


def test_words_of_a_member_of_an_array_whose_script_never_started(node: LoginNode) -> None:
    group = node.side("g000000001")
    group.mkdir(parents=True)
    (group / "log.4.pbs.err").write_text("cannot chdir\n")
    (group / "log.4.out").write_text("slurmstepd\n")
    (group / "log.5.pbs.err").write_text("another's\n")
    follow = {"array_log": "g000000001/log.4"}
    assert not node.collect("m000000004", **follow).gathered
    report = node.collect("m000000004", over=True, **follow)
    assert contents(report) == {"log": b"slurmstepd\n", "system": b"cannot chdir\n"}


def test_words_of_a_job_whose_script_never_started(node: LoginNode) -> None:
    submission = node.submission()
    node.submit(submission)
    (node.side(submission.attempt) / "log.lsf.out").write_text("TERM_MEMLIMIT\n")
    report = node.collect(submission.attempt, over=True)
    assert contents(report) == {"system": b"TERM_MEMLIMIT\n"}
    assert report.words == ((submission.attempt, "TERM_MEMLIMIT\n"),)


@pytest.mark.parametrize(
    ("offset", "limit", "text"),
    [(0, 100, "0123456789"), (3, 4, "3456"), (-3, 100, "789"), (-99, 2, "01"), (99, 5, "")],
)
def test_a_log_is_read_from_anywhere(node: LoginNode, offset: int, limit: int, text: str) -> None:
    side = node.side("a000000001")
    side.mkdir(parents=True)
    (side / "log.out").write_text("0123456789")
    (node.home / "o 1").write_text("0123456789")
    for file in ("out", "o 1", "~/o 1"):
        read = ReadBatchLog(
            attempt="a000000001", file=file, working_dir="~", offset=offset, limit=limit
        )
        log = node.ask(log=read).log
        assert log is not None
        assert (log.size, log.text) == (10, text)
    none = ReadBatchLog(attempt="a000000001", file="x", working_dir="~", offset=0, limit=9)
    log = node.ask(log=none).log
    assert log is not None
    assert (log.size, log.text) == (0, "")
