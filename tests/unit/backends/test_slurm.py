"""Slurm: its commands run by a real sh, its answers as they were captured."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.backends.base import BackendSettings, Followed
from hopper.backends.slurm import Slurm
from hopper.backends.slurm_reading import ACCOUNTING_FIELDS, QUEUE_FIELDS
from hopper.errors import HopperError
from hopper.model.batch import Said
from hopper.model.native import BatchReading, Cause, NativePhase, NativeSighting
from hopper.model.task import BatchResources
from tests.unit.backends import captured

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
SLURM = Slurm(BackendSettings(name="c", kind="slurm"))
US = "\x1f"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def followed(*ids: str) -> list[Followed]:
    return [
        Followed(attempt=f"a{number:09d}", native_id=native, submitted_at=NOW)
        for number, native in enumerate(ids)
    ]


def epoch(text: str) -> str:
    return _TIME.sub(
        lambda at: str(int(datetime.fromisoformat(at[0]).replace(tzinfo=UTC).timestamp())), text
    )


def queue_lines() -> list[str]:
    """Return the captured squeue with the fields that hopper asks for."""
    command, said = captured.slurm("squeue_o_pipe")
    asked = command.split("'")[1].split("|")
    lines = []
    for line in said.stdout.splitlines():
        # The one comment with a separator in it.
        values = line.replace("c,|x", "comment").split("|")
        fields = dict(zip(asked, values, strict=True))
        fields["%N"] = "" if fields["%R"].startswith("(") else fields["%R"]
        lines.append(epoch(US.join(fields[field] for field in QUEUE_FIELDS)))
    return lines


def accounting_lines(name: str = "sacct_parsable2_all") -> list[str]:
    _, said = captured.slurm(name)
    header, *rows = said.stdout.splitlines()
    lines = []
    for row in rows:
        fields = dict(zip(header.split("|"), row.split("|"), strict=True))
        fields["ElapsedRaw"] = "7"
        lines.append(epoch(US.join(fields.get(field, "") for field in ACCOUNTING_FIELDS)))
    return lines


def poll(queue: list[str] | None, accounting: list[str] | None = None, **said: str) -> Said:
    text = "" if queue is None else "\n".join([*queue, "=hopper-queue 0", ""])
    if accounting is not None:
        text += "\n".join([*accounting, "=hopper-accounting 0", ""])
    return Said(code=0, stdout=text, stderr=said.get("stderr", ""))


def read(said: Said, *ids: str) -> BatchReading:
    return SLURM.read({"jobs": said}, followed(*ids))


def by_id(reading: BatchReading) -> dict[str, NativeSighting]:
    assert len({job.native_id for job in reading.jobs}) == len(reading.jobs)
    return {job.native_id: job for job in reading.jobs}


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


# --- what is asked, run by sh against stand-ins that print what they were asked


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def sh(text: str, **environment: str) -> Said:
    done = subprocess.run(
        ["sh", "-c", text],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Said(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def test_only_what_is_not_alive_is_asked_of_the_accounting(programs: Path) -> None:
    lines = queue_lines()
    (programs / "lines").write_text("\n".join(lines) + "\n")
    put(programs, "squeue", f'echo "$*" >>{programs}/asked; cat {programs}/lines')
    put(
        programs,
        "sacct",
        f'echo "$*" >>{programs}/asked\n[ "$SLURM_TIME_FORMAT" = %s ] || exit 3\n'
        "echo '3|FAILED|7:0|||||||||||' | tr '|' '\\037'",
    )
    jobs = followed("1", "3", "14", "6_1", "99", "bad id", "")
    (query,) = SLURM.queries(jobs, now=NOW, others=False)
    reading = SLURM.read({query.name: sh(query.shell)}, jobs)
    assert reading.queue_seen
    assert reading.accounting_seen
    assert not reading.trouble
    assert by_id(reading)["3"].exit_code == 7
    asked = (programs / "asked").read_text().splitlines()
    assert asked[0].startswith("-h -a -r -o %i\x1f%T\x1f")
    assert "-t all -u " in asked[0]
    assert asked[1].endswith("-j 3,99")
    put(programs, "squeue", "echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    (programs / "asked").unlink()
    reading = SLURM.read({query.name: sh(query.shell)}, jobs)
    assert not reading.queue_seen
    assert by_id(reading)["3"].exit_code == 7
    assert (programs / "asked").read_text().endswith("-j 1,3,14,6_1,99\n")
    put(programs, "squeue", ":")
    put(programs, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    reading = SLURM.read({query.name: sh(query.shell)}, jobs)
    assert reading.queue_seen
    assert not reading.accounting


def test_ten_thousand_jobs_fit_the_shell_and_are_all_read(programs: Path) -> None:
    line = f"{{}}{US}RUNNING{US}a{US}m{US}2{US}1{US}2{US}3{US}w1{US}/{US}None{US}x\n"
    ids = [str(10_000_000 + number) for number in range(10_000)]
    (programs / "lines").write_text("".join(line.format(native) for native in ids[:-2]))
    put(programs, "squeue", f"cat {programs}/lines")
    put(programs, "sacct", f'for i do :; done; echo "$i" >>{programs}/asked')
    jobs = followed(*ids)
    queries = SLURM.queries(jobs, now=NOW, others=False)
    assert max(len(query.shell) for query in queries) < 120_000
    reading = SLURM.read({query.name: sh(query.shell) for query in queries}, jobs)
    assert len(reading.jobs) == 9_998
    assert reading.queue_seen
    assert reading.accounting_seen
    assert (programs / "asked").read_text() == ",".join(ids[-2:]) + "\n"
    part = SLURM.read({queries[0].name: sh(queries[0].shell)}, jobs)
    assert not part.queue_seen


def test_the_lookup(programs: Path) -> None:
    lookup = SLURM.lookup_command("abcdefghij")
    put(
        programs,
        "squeue",
        "printf '1|x|y\\n2|x|n.abcdefghijk\\n5|x|n.abcdefghij\\n'|tr '|' '\\037'",
    )
    put(programs, "sacct", "exit 1")
    assert SLURM.native_id(sh(lookup)) == "5"
    put(programs, "squeue", "printf '6|abcdefghij|y\\n' | tr '|' '\\037'")
    assert SLURM.native_id(sh(lookup)) == "6"
    put(programs, "squeue", "printf '6_2|abcdefghij|y\\n6_3|abcdefghij|y\\n' | tr '|' '\\037'")
    assert sh(lookup).stdout == "6\n", "the id of an array, not of its member"
    put(programs, "squeue", ":")
    assert sh(lookup).code != 0, "what cannot be told is not nothing"
    put(programs, "sacct", "printf '7|abcdefghij|y\\n' | tr '|' '\\037'")
    assert SLURM.native_id(sh(lookup)) == "7"
    put(programs, "sacct", ":")
    assert sh(lookup) == Said(code=0, stdout="", stderr="")
    put(programs, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert sh(lookup) == Said(code=0, stdout="", stderr="")
    put(programs, "squeue", "exit 1")
    assert sh(lookup).code != 0


def test_directives_of_an_array() -> None:
    lines = SLURM.array_directives("wf", "abcdefghij", BatchResources(), "~/.hopper/x/log", 9)
    assert {
        "#SBATCH --job-name=wf.abcdefghij",
        "#SBATCH --comment=abcdefghij",
        "#SBATCH --array=1-9",
        "#SBATCH --output=.hopper/x/log.%a.out",
    } <= set(lines)


def test_the_submission(programs: Path, tmp_path: Path) -> None:
    put(programs, "sbatch", 'pwd >&2; cat "$2" >&2; echo "12;cluster"')
    script = tmp_path / "a b'c.sh"
    script.write_text("text")
    said = sh(SLURM.submit_command(), hopper_script=str(script), HOME=str(tmp_path))
    assert said.stderr == f"{tmp_path}\ntext"
    assert SLURM.native_id(said) == "12"


@pytest.mark.parametrize("name", captured.names("slurm", "^(enforce_)?sbatch_"))
def test_every_captured_submission(name: str) -> None:
    _, said = captured.slurm(name)
    native, refusal = SLURM.native_id(said), SLURM.refusal(said)
    if said.code == 0:
        assert native.isdigit()
        assert not refusal
    elif name == "sbatch_err_nofile":
        assert not native
    else:
        assert not native
        assert refusal
        assert "\n" not in refusal
        assert refusal.split()[-1].strip(".") in said.stderr


@pytest.mark.parametrize(
    "stderr",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect)",
        'sbatch: error: Munge encode failed: Failed to access "/run/munge": No such file',
        "sbatch: error: Batch job submission failed: Protocol authentication error",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "sh: 1: sbatch: not found",
        "",
    ],
)
def test_what_may_have_got_through_is_no_refusal(stderr: str) -> None:
    assert not SLURM.refusal(Said(code=1, stdout="", stderr=stderr))
    words = "sbatch: error: Batch job submission failed: Invalid qos specification"
    assert not SLURM.refusal(Said(code=124, stdout="", stderr=words))


def test_directives() -> None:
    slurm = Slurm(
        BackendSettings(
            name="c",
            kind="slurm",
            account="lab",
            default_partition="normal",
            partitions={"normal": "cpu", "big": "bigmem"},
        )
    )
    resources = BatchResources(
        cpus=3, memory=10**9, time_limit=timedelta(hours=30, seconds=0.5), gpus=2
    )
    assert slurm.directives("fit a.1", "abcdefghij", resources, "~/.hopper/x/log") == [
        "#SBATCH --job-name=fit_a.1.abcdefghij",
        "#SBATCH --comment=abcdefghij",
        "#SBATCH --output=.hopper/x/log.out",
        "#SBATCH --error=.hopper/x/log.err",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=3",
        "#SBATCH --mem=954M",
        "#SBATCH --time=30:00:01",
        "#SBATCH --partition=cpu",
        "#SBATCH --account=lab",
        "#SBATCH --gres=gpu:2",
        "#SBATCH --no-requeue",
    ]
    free = BatchResources(memory=None, time_limit=None, partition="big", gres="gpu:a100:1", gpus=4)
    lines = slurm.directives("x", "abcdefghij", free, "/x/log")
    assert "#SBATCH --partition=bigmem" in lines
    assert "#SBATCH --gres=gpu:a100:1" in lines
    assert not any("--mem" in line or "--time" in line for line in lines)
    assert slurm.directives("", "abcdefghij", BatchResources(gpus=1), "/x")[0].endswith(
        "=job.abcdefghij"
    )
    with pytest.raises(HopperError, match="partition"):
        slurm.directives("x", "abcdefghij", BatchResources(partition="a b"), "/x")


def test_cancel() -> None:
    assert SLURM.cancel_command(["1", "6_3", "x; id"]) == "scancel 1 6_3"


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
