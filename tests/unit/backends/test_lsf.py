"""LSF: its commands run by a real sh, its answers as they were captured or documented."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.backends.base import BackendSettings
from hopper.backends.lsf import Lsf
from hopper.model.batch import Said
from hopper.model.native import BatchReading, Cause, NativePhase, NativeSighting
from hopper.model.task import BatchResources
from tests.unit.backends import captured
from tests.unit.backends.asking import NOW, Programs, by_id, followed

LSF = Lsf(BackendSettings(name="l", kind="lsf"))
EPOCH = int(NOW.timestamp())


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def answer(name: str) -> Said:
    _, said = captured.numbered("lsf", name)
    text = f"{said.stdout}\n=hopper-text {said.code} {EPOCH}\n"
    return Said(code=0, stdout=text, stderr=said.stderr)


def spectrum(*records: dict[str, str], code: int = 0, before: str = "", stderr: str = "") -> Said:
    text = json.dumps({"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records})
    return Said(code=0, stdout=f"{before}{text}\n=hopper-json {code} {EPOCH}\n", stderr=stderr)


def read(said: Said, *ids: str) -> BatchReading:
    return LSF.read({"jobs": said}, followed(*ids))


def only(said: Said) -> NativeSighting:
    (job,) = read(said, "1").jobs
    return job


@pytest.mark.parametrize(
    ("name", "native", "phase", "cause", "code"),
    [
        ("111-bjobs-l-running", "320", NativePhase.RUNNING, None, None),
        ("112-bjobs-UF", "320", NativePhase.RUNNING, None, None),
        ("122-bjobs-dep", "321", NativePhase.QUEUED, None, None),
        ("125-bjobs-l-segv", "325", NativePhase.QUEUED, None, None),
        ("120-bjobs-l-killed-running", "320", NativePhase.ENDED, Cause.CANCELLED, 130),
        ("62-bjobs-l-killed", "103", NativePhase.ENDED, Cause.CANCELLED, None),
        ("71-bjobs-l-runlimit", "104", NativePhase.ENDED, Cause.CANCELLED, None),
        ("214-bjobs-l-runlimit", "326", NativePhase.ENDED, Cause.TIMEOUT, 140),
        ("210-bjobs-l-nocmd", "331", NativePhase.ENDED, Cause.FAILED, 127),
        ("207-bjobs-l-segv", "327", NativePhase.ENDED, None, 0),
        ("209-bjobs-l-array2", "328[2]", NativePhase.ENDED, Cause.FAILED, 1),
        ("63-bjobs-l-failed", "102", NativePhase.ENDED, Cause.FAILED, 3),
        ("64-bjobs-l-ok", "101", NativePhase.ENDED, None, 0),
    ],
)
def test_text(
    name: str, native: str, phase: NativePhase, cause: Cause | None, code: int | None
) -> None:
    reading = read(answer(name), native)
    assert (reading.queue_seen, reading.trouble, reading.accounting) == (True, "", False)
    job = by_id(reading)[native]
    assert (job.phase, job.cause, job.exit_code) == (phase, cause, code)
    assert job.succeeded == (phase is NativePhase.ENDED and cause is None)
    assert (job.user, job.partition) == ("bob" if native != "331" else job.user, "normal")


def test_the_figures_of_text() -> None:
    job = by_id(read(answer("214-bjobs-l-runlimit"), "326"))["326"]
    assert (job.name, job.node) == ("wl", "vm")
    assert job.submitted_at == 1795240557
    assert (job.started_at, job.ended_at, job.elapsed_seconds) == (1795240558, 1795240619, 61)
    assert job.cpu_seconds == 0
    waits = by_id(read(answer("122-bjobs-dep"), "321"))["321"]
    assert "never satisfied" in waits.reason


def test_spectrum_success() -> None:
    job = only(
        spectrum(
            {
                "JOBID": "1",
                "STAT": "DONE",
                "EXIT_CODE": "",
                "SUBMIT_TIME": "Nov 21 05:00",
                "START_TIME": "Nov 21 05:10",
                "FINISH_TIME": "Dec 28 19:56 L",
                "RUN_TIME": "16038 second(s)",
                "CPU_USED": "12.5 second(s)",
                "EXEC_HOST": "tbi-cn019:tbi-cn019",
                "MAX_MEM": "5.2 Gbytes",
                "NALLOC_SLOT": "2",
            },
            before="Cannot connect to LSF. Please wait ...\n",
        )
    )
    assert (job.phase, job.succeeded, job.exit_code, job.cause) == (
        NativePhase.ENDED,
        True,
        0,
        None,
    )
    assert (job.elapsed_seconds, job.cpu_seconds, job.cpus) == (16038, 12.5, 2)
    assert job.peak_memory == int(5.2 * 1024**3)
    assert job.node == "tbi-cn019"
    assert job.submitted_at == EPOCH - 3600
    assert job.ended_at == 1766951760, "a December that is over, not the one to come"


@pytest.mark.parametrize(
    ("fields", "cause", "code"),
    [
        (
            {"EXIT_CODE": "", "EXIT_REASON": "TERM_OWNER: job killed by owner"},
            Cause.CANCELLED,
            None,
        ),
        ({"EXIT_CODE": "140", "EXIT_REASON": "TERM_RUNLIMIT: job killed"}, Cause.TIMEOUT, 140),
        ({"EXIT_CODE": "137", "EXIT_REASON": "TERM_MEMLIMIT: job killed"}, Cause.OOM, 137),
        ({"EXIT_CODE": "1", "EXIT_REASON": "", "START_TIME": "Nov 21 05:10"}, Cause.FAILED, 1),
        ({"EXIT_CODE": "130", "START_TIME": "Nov 21 05:10"}, Cause.CANCELLED, 130),
        ({"EXIT_CODE": "", "START_TIME": "-"}, Cause.CANCELLED, None),
        ({"EXIT_CODE": "", "START_TIME": "Nov 21 05:10"}, Cause.FAILED, None),
        ({"EXIT_CODE": "0", "START_TIME": "Nov 21 05:10"}, Cause.FAILED, None),
    ],
)
def test_spectrum_failures(fields: dict[str, str], cause: Cause, code: int | None) -> None:
    job = only(spectrum({"JOBID": "1", "STAT": "EXIT", **fields}))
    assert (job.succeeded, job.cause, job.exit_code) == (False, cause, code)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("PEND", NativePhase.QUEUED),
        ("PSUSP", NativePhase.QUEUED),
        ("RUN", NativePhase.RUNNING),
        ("USUSP", NativePhase.RUNNING),
        ("UNKWN", NativePhase.RUNNING),
        ("NEWER", NativePhase.QUEUED),
    ],
)
def test_spectrum_live_states(state: str, phase: NativePhase) -> None:
    job = only(spectrum({"JOBID": "1", "STAT": state, "FINISH_TIME": "Nov 21 08:00 L"}))
    assert (job.phase, job.ended_at, job.cause, job.succeeded) == (phase, None, None, False)
    for record in ({"JOBID": "1", "JOBINDEX": "3"}, {"JOBID": "1[3]", "JOBINDEX": "3"}):
        (member,) = read(spectrum({**record, "STAT": state}), "1[3]").jobs
        assert member.native_id == "1[3]"


def test_members_that_have_left() -> None:
    some = spectrum({"JOBID": "1", "JOBINDEX": "3", "STAT": "RUN"})
    reading = read(some, "1[3]", "1[4]")
    assert (set(by_id(reading)), reading.queue_seen) == ({"1[3]"}, True)
    assert read(spectrum(code=255, stderr="Job <1> is not found\n"), "1[3]", "1[4]").queue_seen
    assert "nothing of 2[1]" in read(some, "1[3]", "2[1]").trouble


def test_members_are_asked_for_by_their_array() -> None:
    jobs = followed("1", *(f"12[{index}]" for index in range(1, 900)))
    (query,) = LSF.queries(jobs, now=NOW, others=False)
    assert "bjobs -a -UF 1 12;" in query.shell


def test_directives_of_an_array() -> None:
    lines = LSF.array_directives("fit", "abcdefghij", BatchResources(), "~/x/log", 3)
    assert '#BSUB -J "abcdefghij.fit[1-3]"' in lines
    assert "#BSUB -o x/log.%I.lsf.out" in lines


def test_ids_that_are_known_in_part() -> None:
    some = {"JOBID": "1", "STAT": "RUN"}
    gone = spectrum(some, code=255, stderr="Job <2> is not found\n")
    assert read(gone, "1", "2").queue_seen
    silent = read(spectrum(some), "1", "2")
    assert not silent.queue_seen
    assert "nothing of 2" in silent.trouble
    assert read(spectrum(code=255, stderr="Job <2>: No matching job found\n"), "2").queue_seen


@pytest.mark.parametrize(
    "said",
    [
        Said(code=124, stdout="Cannot connect to LSF. Please wait ...\n", stderr=""),
        Said(
            code=0,
            stdout=f"\n=hopper-text 255 {EPOCH}\n",
            stderr="bjobs: invalid option -- 'j'\nFailed in an LSF library call: LIM is down\n",
        ),
        Said(code=0, stdout='{"RECORDS": [\n=hopper-json 0 1\n', stderr=""),
        Said(code=0, stdout='{"RECORDS": []}\n=hopper-json 0 1', stderr=""),
    ],
)
def test_trouble_concludes_nothing(said: Said) -> None:
    reading = read(said, "1")
    assert (reading.queue_seen, reading.jobs) == (False, ())
    assert reading.trouble.startswith("bjobs")
    if "LIM" in said.stderr:
        assert "LIM is down" in reading.trouble


def test_the_machines_and_other_jobs() -> None:
    answers = {
        "machines": captured.numbered("lsf", "02-bhosts")[1],
        "others": answer("112-bjobs-UF"),
    }
    reading = LSF.read(answers, followed("5"))
    assert reading.info
    info = reading.info
    assert (info.nodes, info.nodes_up, info.cpus, info.cpus_free) == (1, 1, 2, 2)
    assert info.partitions == ("normal",)
    assert "320" in by_id(reading)
    assert "320" not in by_id(LSF.read(answers, followed("320")))
    busy = captured.numbered("lsf", "73-bhosts-end")[1]
    assert LSF.read({"machines": busy}, ()).info
    assert LSF.read({"machines": captured.numbered("lsf", "01-lsid")[1]}, ()).info is None


# --- what is asked


def test_spectrum_is_asked_for_json(programs: Programs) -> None:
    programs.put(
        "bjobs",
        'echo "$TZ $*" >>$here/asked; echo "Job <9> is not found" >&2\n'
        'echo \'{"RECORDS":[{"JOBID":"1","STAT":"DONE"}]}\'; exit 255',
    )
    jobs = followed("1", "9", "x y", "")
    (query,) = LSF.queries(jobs, now=NOW, others=False)
    reading = LSF.read({query.name: programs.sh(query.shell)}, jobs)
    assert (reading.queue_seen, reading.trouble) == (True, "")
    assert by_id(reading)["1"].succeeded
    assert re.fullmatch(r"UTC0 -a -o jobid jobindex .* -json 1 9\n", programs.kept("asked"))


def test_openlava_is_asked_for_text(programs: Programs) -> None:
    programs.keep("text", captured.numbered("lsf", "112-bjobs-UF")[1].stdout)
    programs.put(
        "bjobs",
        'case "$*" in *-json*) echo "bjobs: illegal option -- j" >&2; exit 255;; esac\n'
        'echo "$*" >>$here/asked; cat $here/text',
    )
    jobs = followed("320")
    (query,) = LSF.queries(jobs, now=NOW, others=False)
    reading = LSF.read({query.name: programs.sh(query.shell)}, jobs)
    assert reading.queue_seen
    assert by_id(reading)["320"].phase is NativePhase.RUNNING
    assert programs.kept("asked") == "-a -UF 320\n"


def test_the_lookup(programs: Programs) -> None:
    programs.keep("table", captured.numbered("lsf", "128-bjobs-a")[1].stdout)
    programs.put("bjobs", "cat $here/table")
    assert LSF.native_id(programs.sh(LSF.lookup_command("longj"))) == "320"
    assert programs.sh(LSF.lookup_command("abcdefghij")) == Said(code=0, stdout="", stderr="")
    programs.put("bjobs", "echo 'No job found' >&2; exit 255")
    assert programs.sh(LSF.lookup_command("longj")) == Said(code=0, stdout="", stderr="")
    programs.put("bjobs", "echo 'LSF is down' >&2; exit 255")
    assert programs.sh(LSF.lookup_command("longj")).code != 0


HEAD = ["#!/bin/bash", '#BSUB -J a"b', "#BSUB -rn", "#BSUB -gpu num=1", "# x", "", "echo ran"]


@pytest.mark.parametrize("openlava", [True, False])
def test_a_script_cannot_add_options(programs: Programs, tmp_path: Path, *, openlava: bool) -> None:
    version = "OpenLava 4.0" if openlava else "IBM Spectrum LSF Standard 10.1.0.0"
    programs.put("bsub", f"[ \"$1\" = -V ] && echo '{version}' >&2 && exit; cat >$here/in; pwd")
    script = tmp_path / "it's $(a) b.sh"
    script.write_text("\n".join([*HEAD, "#BSUB -o /stolen", "exit 4"]))
    said = programs.sh(LSF.submit_command(), hopper_script=str(script), HOME=str(tmp_path))
    assert said.stdout == f"{tmp_path}\n"
    text = programs.kept("in")
    lines = text.split("\n")
    assert lines[:-2] == ([HEAD[1]] if openlava else HEAD[1:4])
    done = programs.sh(text)
    assert (done.code, done.stdout) == (4, "ran\n")


@pytest.mark.parametrize("name", captured.names("lsf", r"^\d+-bsub-(?!V|K)"))
def test_every_captured_submission(name: str) -> None:
    _, said = captured.numbered("lsf", name)
    if said.code == 0:
        assert LSF.native_id(said).isdigit()
        assert not LSF.refusal(said)
    else:
        assert not LSF.native_id(said)
        assert LSF.refusal(said)


@pytest.mark.parametrize(
    "stderr",
    ["LSF is down. Please wait ...", "Batch daemon not responding. Job not submitted.", ""],
)
def test_what_may_have_got_through_is_no_refusal(stderr: str) -> None:
    assert not LSF.refusal(Said(code=255, stdout="", stderr=stderr))


def test_directives() -> None:
    lsf = Lsf(BackendSettings(name="l", kind="lsf", account="lab", default_partition="normal"))
    resources = BatchResources(cpus=2, memory=3 * 1024**3, time_limit=timedelta(seconds=61), gpus=1)
    assert lsf.directives("1 x", "abcdefghij", resources, "~/.hopper/x/log") == [
        "#BSUB -J abcdefghij.1_x",
        "#BSUB -o .hopper/x/log.lsf.out",
        "#BSUB -e .hopper/x/log.lsf.err",
        "#BSUB -n 2",
        '#BSUB -R "span[hosts=1]"',
        "#BSUB -rn",
        "#BSUB -M 3145728",
        '#BSUB -R "rusage[mem=3072]"',
        "#BSUB -W 2",
        "#BSUB -gpu num=1",
        "#BSUB -q normal",
        "#BSUB -P lab",
    ]


def test_the_native_id_of_a_running_script(programs: Programs) -> None:
    native = LSF.log_variables()["native"]
    assert programs.sh(f"echo {native}", LSB_JOBID="5", LSB_JOBINDEX="0").stdout == "5\n"
    assert programs.sh(f"echo {native}", LSB_JOBID="5", LSB_JOBINDEX="3").stdout == "5[3]\n"


def test_cancel() -> None:
    assert LSF.cancel_command(["1", "3[2]", "'; id"]) == "bkill 1 '3[2]'"


@given(st.text(), st.text(alphabet='{}[]":, RECORDSJOBIDTAE1\nJob <>Status Nov21:05Exited'))
def test_garbage_is_read_without_an_error(one: str, two: str) -> None:
    for kind in ("json", "text"):
        for text in (one, two, f"{two}{one}\n=hopper-{kind} 0 {'9' * 12}\n", f"{two}\n"):
            said = Said(code=0, stdout=f"{text}\n=hopper-{kind} 0 5\n", stderr=one)
            answers = {"jobs": said, "others": said, "machines": said}
            assert not any(job.succeeded for job in LSF.read(answers, followed("1")).jobs)
            LSF.native_id(said)
            LSF.refusal(said)


@given(st.dictionaries(st.sampled_from(["JOBID", "STAT", "START_TIME", "MAX_MEM"]), st.text()))
def test_odd_records_are_read_without_an_error(record: dict[str, str]) -> None:
    LSF.read({"jobs": spectrum({"JOBID": "1", "STAT": "RUN", **record})}, followed("1"))


def test_what_says_nothing_to_us_is_listed() -> None:
    """Tables for people, other commands, output of jobs."""
    unused = re.compile(
        r"^(\d+-(lsid|bhosts-l|bqueues(-l)?|lsload|lshosts|bsub-V|bsub-K.*|bjobs-(none|running|WL"
        r"|ususp|killed|array|A|a-after|dep-after)|bstop|bresume|bkill.*|bhist.*|bacct|outfile.*"
        r"|arrout|wl-out)|lsf-documented-json)$"
    )
    used = Path(__file__).read_text()
    rest = [
        name
        for name in captured.names("lsf")
        if f'"{name}"' not in used and "-bsub-" not in name and not unused.match(name)
    ]
    assert rest == []
