"""Slurm: its answers, as they were captured."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.model.batch import Said
from hopper.model.native import Cause, NativePhase
from tests.unit.backends import captured
from tests.unit.backends.slurm_answers import (
    SLURM,
    US,
    accounting_lines,
    by_id,
    followed,
    poll,
    queue_lines,
    read,
)


def test_the_live_view() -> None:
    reading = read(poll(queue_lines()))
    jobs = by_id(reading)
    assert reading.queue_seen
    assert not reading.trouble
    assert len(jobs) == 17
    phases = {native: job.phase for native, job in jobs.items()}
    assert phases["14"] is NativePhase.QUEUED
    assert jobs["14"].reason == "ReqNodeNotAvail, UnavailableNodes:w4"
    assert jobs["14"].started_at is None
    assert (jobs["17"].cpus, jobs["17"].name) == (4, "multi")
    assert jobs["1"].phase is NativePhase.RUNNING
    assert jobs["1"].started_at == 1795239531
    assert jobs["1"].submitted_at == 1795239530
    assert (jobs["1"].user, jobs["1"].partition, jobs["1"].node) == ("alice", "main", "w1")
    assert jobs["1"].working_dir == "/home/alice"
    assert phases["6_1"] is NativePhase.RUNNING
    assert phases["6_[3-6%2]"] is NativePhase.QUEUED


def test_the_accounting() -> None:
    reading = read(poll([], accounting_lines()))
    assert reading.accounting_seen
    assert not reading.trouble
    jobs = by_id(reading)
    assert all(job.phase is NativePhase.ENDED for job in jobs.values())
    told = {native: (job.cause, job.exit_code, job.succeeded) for native, job in jobs.items()}
    assert told["2"] == (None, 0, True)
    assert told["3"] == (Cause.FAILED, 7, False)
    assert told["4"] == (Cause.FAILED, 139, False)
    assert told["12"] == (Cause.NODE_FAIL, None, False)
    assert told["13"] == told["14"] == (Cause.CANCELLED, None, False)
    assert jobs["13"].reason == "CANCELLED by 1002"
    assert told["34"] == (Cause.FAILED, None, False)
    assert "folder" in jobs["34"].reason
    assert told["36"] == (Cause.TIMEOUT, None, False)
    assert told["6_3"] == (Cause.FAILED, 1, False)
    assert told["6_6"] == (Cause.FAILED, 1, False), "the last element has the array's own raw id"
    assert sum(succeeded for _, _, succeeded in told.values()) == 15
    assert jobs["5"].peak_memory == 302584 * 1024
    assert jobs["5"].cpu_seconds == pytest.approx(0.271)
    assert jobs["17"].cpus == 4
    assert (jobs["36"].started_at, jobs["36"].ended_at) == (1795239636, 1795239664)
    assert jobs["14"].started_at is None
    assert jobs["14"].node == ""


@pytest.mark.parametrize(
    ("code", "cause"), [("0:9", Cause.OOM), ("0:125", Cause.OOM), ("137:0", Cause.FAILED)]
)
def test_out_of_memory(code: str, cause: Cause) -> None:
    rows = [f"1{US}FAILED{US}{code}" + US * 11, f"1.batch{US}CANCELLED by 0{US}{code}" + US * 11]
    rows[1] = rows[1].replace(US * 11, US * 6 + "302656K" + US * 5)
    job = by_id(read(poll([], rows), "1"))["1"]
    assert job.cause is cause
    assert job.peak_memory == 302656 * 1024
    state = by_id(read(poll([], [f"1{US}OUT_OF_MEMORY{US}0:125" + US * 11])))["1"]
    assert (state.cause, state.exit_code) == (Cause.OOM, None)


def test_the_live_view_goes_before_an_accounting_that_lags() -> None:
    alive = [line for line in queue_lines() if line.startswith(f"1{US}")]
    late = [f"1{US}COMPLETED{US}0:0" + US * 11, f"2{US}RUNNING{US}0:0" + US * 11]
    jobs = by_id(read(poll(alive, late), "1", "2"))
    assert jobs["1"].phase is NativePhase.RUNNING
    assert "2" not in jobs, "gone from the live view; the accounting has not heard of the end"


def test_an_end_in_the_live_view_counts_with_figures_when_they_come() -> None:
    line = next(line for line in queue_lines() if line.startswith(f"2{US}"))
    ended = line.replace("RUNNING", "COMPLETED")
    alone = by_id(read(poll([ended]), "2"))["2"]
    assert (alone.succeeded, alone.exit_code, alone.cpu_seconds) == (True, 0, None)
    row = f"2{US}COMPLETED{US}0:0{US}5{US}6{US}9{US}3{US}1{US}{US}00:01.500{US}w1{US}a{US}m{US}n"
    both = by_id(read(poll([ended], [row]), "2"))["2"]
    assert (both.succeeded, both.cpu_seconds, both.elapsed_seconds) == (True, 1.5, 3)
    assert both.working_dir == "/home/alice"
    failed = by_id(read(poll([line.replace("RUNNING", "FAILED")]), "2"))["2"]
    assert (failed.cause, failed.exit_code, failed.succeeded) == (Cause.FAILED, None, False)


def test_a_state_that_is_new_is_neither_gone_nor_over() -> None:
    line = next(line for line in queue_lines() if line.startswith(f"2{US}"))
    job = by_id(read(poll([line.replace("RUNNING", "HOVERING")]), "2"))["2"]
    assert (job.phase, job.word, job.cause) == (NativePhase.RUNNING, "HOVERING", None)
    assert not by_id(read(poll([], [f"2{US}HOVERING{US}0:0" + US * 11]), "2"))


@pytest.mark.parametrize("name", ["slurm_down_squeue", "squeue_unknown_job"])
def test_a_controller_that_is_down_is_trouble(name: str) -> None:
    _, said = captured.slurm(name)
    answer = Said(code=0, stdout=f"\n=hopper-queue {said.code}\n", stderr=said.stderr)
    reading = read(answer, "1")
    assert not reading.queue_seen
    assert not reading.accounting_seen
    assert not reading.jobs
    assert "slurm_load_jobs error" in reading.trouble


def test_a_time_out_is_trouble() -> None:
    reading = read(Said(code=124, stdout="", stderr=""), "1")
    assert not reading.queue_seen
    assert "did not answer in time" in reading.trouble
    late = read(Said(code=124, stdout="=hopper-queue 0\n", stderr=""), "1")
    assert late.queue_seen, "only the accounting hung"
    assert not late.accounting_seen


def test_accounting_disabled() -> None:
    _, said = captured.slurm("nodbd_sacct")
    answer = Said(code=0, stdout="=hopper-queue 0\n=hopper-accounting 1\n", stderr=said.stderr)
    reading = read(answer, "1")
    assert reading.queue_seen
    assert not reading.accounting
    assert not reading.accounting_seen
    assert not reading.trouble


def test_an_accounting_that_fails_is_trouble_and_leaves_the_live_view() -> None:
    answer = Said(
        code=0,
        stdout="=hopper-queue 0\n=hopper-accounting 1\n",
        stderr="sacct: error: Problem talking to the database: Connection refused\n",
    )
    reading = read(answer, "1")
    assert (reading.queue_seen, reading.accounting, reading.accounting_seen) == (True, True, False)
    assert "Connection refused" in reading.trouble


def test_cut_off_answers_conclude_nothing() -> None:
    whole = poll(queue_lines(), accounting_lines())
    marks = [whole.stdout.index("=hopper-queue 0") + 15, len(whole.stdout) - 1]
    for end in range(0, len(whole.stdout), 7):
        cut = Said(code=0, stdout=whole.stdout[:end], stderr="")
        reading = read(cut, "1")
        assert reading.queue_seen == (end >= marks[0])
        assert reading.accounting_seen == (end >= marks[1])
        assert reading.queue_seen or reading.trouble


def test_a_garbled_line_concludes_nothing() -> None:
    reading = read(poll(["x" + US + "y"]), "1")
    assert not reading.queue_seen
    assert "not understood" in reading.trouble
    assert read(poll(["1 line of a name"]), "1").queue_seen


def test_others_are_told_but_say_nothing_of_ours() -> None:
    forged = f"5{US}COMPLETED{US}eve" + US * 9 + "x"
    other = f"7{US}RUNNING{US}bob{US}m{US}2{US}1{US}2{US}3{US}w1{US}/{US}None{US}x"
    machines = "".join(
        f"{node}{US}{state}{US}{cpus}{US}{part}\n"
        for node, state, cpus, part in [
            ("w1", "idle", "0/2/0/2", "main*"),
            ("w1", "idle", "0/2/0/2", "short"),
            ("w2", "drained", "0/0/2/2", "main*"),
            ("w3", "idle*", "0/2/0/2", "main*"),
            ("w4", "mixed", "1/1/0/2", "main*"),
        ]
    )
    reading = SLURM.read(
        {
            "jobs": poll([]),
            "others": Said(code=0, stdout=f"{forged}\n{other}\n=hopper-others 0\n", stderr=""),
            "machines": Said(code=0, stdout=f"{machines}=hopper-machines 0\n", stderr=""),
        },
        followed("5"),
    )
    assert list(by_id(reading)) == ["7"]
    assert reading.info
    info = reading.info
    assert (info.nodes, info.nodes_up, info.cpus, info.cpus_free) == (4, 2, 8, 3)
    assert info.partitions == ("main", "short")


@given(st.text(), st.text(alphabet="1.\x1f\n|COMPLETED=hopper-queue 0FAILD:"))
def test_garbage_is_read_without_an_error(one: str, two: str) -> None:
    for text in (one, two, f"{one}\n=hopper-queue 0\n{two}\n=hopper-accounting 0\n"):
        said = Said(code=0, stdout=text, stderr=one)
        reading = SLURM.read({"jobs": said, "others": said, "machines": said}, followed("1"))
        assert not any(job.succeeded for job in reading.jobs) or "COMPLETED" in text
        SLURM.native_id(said)
        SLURM.refusal(said)


def test_what_says_nothing_to_us_is_listed() -> None:
    """A new captured answer needs an expectation above, or a reason here."""
    unused = re.compile(
        r"^(sacct_(array|array_pending|bob_sees|brief|default|noheader|parsable2_X|state_filter"
        r"|unknown)|sacctmgr_assoc|sreport|salloc_err|srun_err|filetxt_sacct_c|jobcomp_filetxt"
        r"|enforce_sacct_oom|scancel_.*|scontrol_.*|sinfo_.*|squeue_(O_long|array_expanded"
        r"|default|finished_job_all_states|start|two_jobs_one_unknown))$"
    )
    used = {
        "squeue_o_pipe",
        "sacct_parsable2_all",
        "slurm_down_squeue",
        "squeue_unknown_job",
        "nodbd_sacct",
        *captured.names("slurm", "^(enforce_)?sbatch_"),
    }
    assert [n for n in captured.names("slurm") if n not in used and not unused.match(n)] == []
