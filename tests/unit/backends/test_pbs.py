"""PBS: its commands run by a real sh, its answers as they were captured."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.backends import pbs_reading as reading
from hopper.backends.base import BackendSettings
from hopper.backends.pbs import Pbs
from hopper.model.batch import Said
from hopper.model.native import BatchReading, Cause, NativePhase, NativeSighting
from hopper.model.task import BatchResources
from tests.unit.backends import captured
from tests.unit.backends.asking import NOW, Programs, by_id, followed, forms

PBS = Pbs(BackendSettings(name="p", kind="pbs"))

TORQUE = """Job Id: 5.torque
    Job_Name = abcdefghij.fit
    Job_Owner = alice@login
    job_state = C
    queue = batch
    ctime = Sat Nov 21 05:42:55 2026
    exec_host = n1/0+n1/1
    Resource_List.nodes = 1:ppn=2
    Resource_List.walltime = 00:05:00
    resources_used.walltime = 00:05:12
    resources_used.cput = 00:00:01
    exit_status = 271
    comp_time = Sat Nov 21 05:50:00 2026
    start_time = Sat Nov 21 05:44:48 2026

"""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def answer(name: str, kind: str = "json") -> Said:
    _, said = captured.numbered("pbs", name)
    text = f"{said.stdout}\n=hopper-{kind} {said.code}\n"
    return Said(code=0, stdout=text, stderr=said.stderr)


def read(name: str, *ids: str) -> BatchReading:
    return PBS.read({"jobs": answer(name)}, followed(*ids))


def job(name: str, native: str) -> NativeSighting:
    return by_id(read(name, native))[native]


def test_a_running_job() -> None:
    reading = read("38-qstat-f-json-running", "9.pbs1")
    assert (reading.queue_seen, reading.accounting_seen, reading.trouble) == (True, True, "")
    found = by_id(reading)["9.pbs1"]
    assert (found.phase, found.word, found.name) == (NativePhase.RUNNING, "R", "long")
    assert (found.user, found.partition, found.node) == ("alice", "workq", "pbs1")
    assert (found.submitted_at, found.started_at) == (1795239775, 1795239776)
    assert (found.cpus, found.ended_at, found.exit_code) == (1, None, None)


@pytest.mark.parametrize(
    ("name", "native", "phase"),
    [
        ("39-qstat-f-json-queued-toobig", "8.pbs1", NativePhase.QUEUED),
        ("44-qstat-f-json-held", "12.pbs1", NativePhase.QUEUED),
        ("45-qstat-f-json-depend", "13.pbs1", NativePhase.QUEUED),
        ("46-qstat-f-json-future", "17.pbs1", NativePhase.QUEUED),
        ("49-qstat-mixed-json", "9.pbs1", NativePhase.RUNNING),
        ("130-fin-badoutdir-json", "27.pbs1", NativePhase.RUNNING),
        ("42-qstat-f-json-array", "11[].pbs1", NativePhase.QUEUED),
    ],
)
def test_jobs_that_are_not_over(name: str, native: str, phase: NativePhase) -> None:
    (found,) = read(name, native).jobs
    assert found.native_id == native
    assert found.phase is phase
    assert found.cause is None
    assert not found.succeeded
    if "toobig" in name:
        assert "Never" in found.reason


@pytest.mark.parametrize(
    ("name", "native", "cause", "code"),
    [
        ("81-qstat-x-f-json", "0.pbs1", None, 0),
        ("84-qstat-x-fail-json", "2.pbs1", Cause.FAILED, 3),
        ("85-qstat-x-walltime-json", "10.pbs1", Cause.TIMEOUT, None),
        ("86-qstat-x-deleted-json", "9.pbs1", Cause.CANCELLED, 143),
        ("125-fin-tfail-json", "", Cause.FAILED, 7),
        ("126-fin-afterok-of-failing-json", "", Cause.FAILED, None),
        ("127-fin-afternotok-of-failing-json", "", None, 0),
        ("128-fin-signal-json", "", Cause.FAILED, 139),
        ("129-fin-term-trapped-json", "", Cause.CANCELLED, 143),
        ("131-fin-badinterp-json", "", Cause.FAILED, 254),
        ("132-fin-nocmd-json", "", Cause.FAILED, 254),
        ("133-fin-args-json", "", None, 0),
    ],
)
def test_jobs_that_are_over(name: str, native: str, cause: Cause | None, code: int | None) -> None:
    text = captured.numbered("pbs", name)[1].stdout
    native = native or re.findall(r'^\t\t"(.*?)":', text, re.MULTILINE)[0]
    found = job(name, native)
    assert (found.phase, found.cause, found.exit_code) == (NativePhase.ENDED, cause, code)
    assert found.succeeded == (cause is None)
    assert found.reason or cause is None
    assert found.ended_at


def test_a_success_needs_an_exit_status() -> None:
    found = job("126-fin-afterok-of-failing-json", "22.pbs1")
    assert "without having run (substate 92)" in found.reason


def test_the_figures() -> None:
    found = job("85-qstat-x-walltime-json", "10.pbs1")
    assert (found.elapsed_seconds, found.cpu_seconds, found.cpus) == (7, 0, 1)
    assert found.peak_memory == 6628 * 1024
    assert (found.started_at, found.ended_at) == (1795239776, 1795239784)


def test_subjobs_of_an_array() -> None:
    members = [f"11[{index}].pbs1" for index in (1, 2, 3)]
    waiting = read("43-qstat-f-t-json-array", *members)
    assert forms(waiting.jobs) == dict.fromkeys(members, "queued")
    jobs = by_id(read("91-qstat-x-t-array-json", *members))
    assert list(jobs) == members
    assert [job.exit_code for job in jobs.values()] == [0, 1, None]
    assert [job.succeeded for job in jobs.values()] == [True, False, False]


def test_a_subjob_that_never_ran_has_not_completed_with_the_others() -> None:
    """The third was deleted; what is told of it is its array's."""
    said = answer("91-qstat-x-t-array-json")
    well = replace(said, stdout=said.stdout.replace('"Exit_status":\t1', '"Exit_status":\t0'))
    (job,) = PBS.read({"jobs": well}, followed("11[3].pbs1")).jobs
    assert (job.phase, job.cause, job.succeeded) == (NativePhase.ENDED, Cause.CANCELLED, False)


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ("    stime = Sat Nov 21 05:43:04 2026\n    comment = Subjob finished\n", None),
        ("    stime = Sat Nov 21 05:43:04 2026\n    comment = Subjob failed\n", Cause.FAILED),
        ("    comment = Subjob finished\n", Cause.CANCELLED),
    ],
)
def test_subjobs_where_no_records_of_them_are_kept(more: str, cause: Cause | None) -> None:
    """It may have completed: nothing is concluded, save of one that failed or cannot have run."""
    text = f"Job Id: 11[2].pbs1\n    Job_Name = arr\n    job_state = X\n{more}    Exit_status = 0\n"
    said = Said(code=0, stdout=f"{text}\n=hopper-plain 0\n", stderr="")
    reading = PBS.read({"jobs": said}, followed("11[2].pbs1"))
    assert [job.cause for job in reading.jobs] == ([cause] if cause else [])
    assert not any(job.succeeded for job in reading.jobs)
    assert (reading.queue_seen, reading.accounting) == (True, False)


def test_an_array_whose_members_are_ours_is_nobody_elses() -> None:
    answers = {
        "jobs": answer("43-qstat-f-t-json-array"),
        "others": answer("42-qstat-f-json-array"),
    }
    members = ["11[1].pbs1", "11[2].pbs1"]
    assert list(by_id(PBS.read(answers, followed(*members)))) == members
    assert list(by_id(PBS.read(answers, followed("12[1].pbs1")))) == ["11[].pbs1"]


def test_subjobs_that_have_left() -> None:
    known = read("91-qstat-x-t-array-json", "11[1].pbs1", "11[9].pbs1")
    assert (set(by_id(known)), known.queue_seen) == ({"11[1].pbs1"}, True)
    unknown = answer("48-qstat-unknown-json")
    gone = replace(unknown, stderr="qstat: Unknown Job Id 11[].pbs1\n")
    assert PBS.read({"jobs": gone}, followed("11[1].pbs1")).queue_seen
    silent = read("43-qstat-f-t-json-array", "11[1].pbs1", "12[1].pbs1")
    assert not silent.queue_seen
    assert "nothing of 12[1]" in silent.trouble


def test_members_are_asked_for_by_their_array() -> None:
    jobs = followed("1.pbs1", *(f"12[{index}].pbs1" for index in range(1, 900)))
    (query,) = PBS.queries(jobs, now=NOW, others=False)
    assert "qstat -x -t -f -F json 1.pbs1 '12[].pbs1'" in query.shell
    (query,) = PBS.queries(followed("1.pbs1"), now=NOW, others=False)
    assert " -t" not in query.shell


def test_directives_of_arrays() -> None:
    lines = PBS.array_directives("fit", "abcdefghij", BatchResources(), "~/x/log", 3)
    assert lines[-1] == "#PBS -J 1-3"
    assert "#PBS -r y" in lines, "PBS refuses any other array"
    one = PBS.array_directives("fit", "abcdefghij", BatchResources(), "~/x/log", 1)
    assert one[-1] == "#PBS -J 1-2", "and one of a single job"
    assert "#PBS -o x/log.^array_index^.pbs.out" in lines
    torque = Pbs(BackendSettings(name="t", kind="pbs", dialect="torque"))
    lines = torque.array_directives("fit", "abcdefghij", BatchResources(), "~/x/log", 3)
    assert lines[-1] == "#PBS -t 1-3"
    assert (torque.array_limit, PBS.array_limit) == (250, 1000)
    assert "#PBS -o x/log.pbs.out" in lines


def test_ids_that_are_known_in_part() -> None:
    reading = read("49-qstat-mixed-json", "9.pbs1", "99999")
    assert reading.queue_seen
    assert set(by_id(reading)) == {"9.pbs1"}
    silent = read("49-qstat-mixed-json", "9.pbs1", "77.pbs1")
    assert not silent.queue_seen, "it said nothing of one"
    assert silent.trouble
    assert set(by_id(silent)) == {"9.pbs1"}


@pytest.mark.parametrize("name", ["48-qstat-unknown-json", "87-qstat-x-ok-removed"])
def test_ids_that_are_not_known_any_more(name: str) -> None:
    native = "99999.pbs1" if "unknown" in name else "1.pbs1"
    reading = read(name, native)
    assert (reading.queue_seen, reading.jobs, reading.trouble) == (True, (), "")


@pytest.mark.parametrize(
    "name",
    ["162-serverdown-qstat-json", "161-serverdown-qstat", "165-noip-qstat", "51-qstat-badid-json"],
)
def test_trouble_concludes_nothing(name: str) -> None:
    reading = read(name, "9.pbs1")
    assert (reading.queue_seen, reading.accounting_seen, reading.jobs) == (False, False, ())
    assert reading.trouble.startswith("qstat: ")


def test_cut_off_answers_conclude_nothing() -> None:
    whole = answer("81-qstat-x-f-json").stdout
    ids = re.findall(r'^\t\t"(.*?)":', whole, re.MULTILINE)
    assert PBS.read({"jobs": answer("81-qstat-x-f-json")}, followed(*ids)).queue_seen
    for end in range(0, len(whole) - 2, 499):
        for mark in ("", "\n=hopper-json 0\n"):
            said = Said(code=0, stdout=whole[:end] + mark, stderr="")
            assert not PBS.read({"jobs": said}, followed(*ids)).queue_seen


def test_json_that_a_job_has_broken_is_read_by_its_lines() -> None:
    said = answer("84-qstat-x-fail-json")
    broken = said.stdout.replace('"PBS_O_LANG":	"C.UTF-8"', '"X":	"a"b\\c"')
    reading = PBS.read({"jobs": Said(code=0, stdout=broken, stderr="")}, followed("2.pbs1"))
    assert reading.queue_seen
    assert by_id(reading)["2.pbs1"].exit_code == 3
    assert by_id(reading)["2.pbs1"].cpus == 1


def test_text_says_the_same_as_json() -> None:
    text = PBS.read({"jobs": answer("40-qstat-f-text-running", "plain")}, followed("9.pbs1"))
    assert text.queue_seen
    assert not text.accounting, "without a history there is nothing to wait for"
    one, other = by_id(text)["9.pbs1"], job("38-qstat-f-json-running", "9.pbs1")
    assert (one.name, one.started_at, one.node, one.cpus) == (
        other.name,
        other.started_at,
        other.node,
        other.cpus,
    )


def test_torque() -> None:
    said = Said(
        code=0,
        stdout=f"\n=hopper-json 2\n{TORQUE}\n=hopper-plain 153\n",
        stderr="usage: qstat\nqstat: Unknown Job Id Error 6.torque\n",
    )
    reading = PBS.read({"jobs": said}, followed("5.torque", "6.torque"))
    assert (reading.queue_seen, reading.accounting, reading.trouble) == (True, False, "")
    found = by_id(reading)["5.torque"]
    assert (found.phase, found.cause, found.cpus) == (NativePhase.ENDED, Cause.TIMEOUT, 2)
    assert (found.started_at, found.ended_at) == (1795239888, 1795240200)


def test_the_machines_and_other_jobs() -> None:
    answers = {"machines": answer("57-pbsnodes-a-json"), "others": answer("37-qstat-f-json")}
    reading = PBS.read(answers, ())
    assert reading.info
    info = reading.info
    assert (info.nodes, info.nodes_up, info.cpus, info.cpus_free) == (1, 1, 2, 0)
    assert info.partitions == ("workq",)
    assert "9.pbs1" in by_id(reading)
    answers["jobs"] = answer("48-qstat-unknown-json")
    assert "9.pbs1" not in by_id(PBS.read(answers, followed("9.pbs1")))
    text = PBS.read({"machines": answer("56-pbsnodes-a", "text")}, ())
    assert text.info == reading.info.__class__(nodes=1, nodes_up=1, cpus=2, cpus_free=0)
    assert PBS.read({"machines": answer("164-serverdown-pbsnodes")}, ()).trouble
    assert PBS.read({"machines": answer("61-pbsnodes-unknown-json")}, ()).info is None


# --- what is asked


def test_the_question_is_for_json_and_the_followed_jobs(programs: Programs) -> None:
    programs.keep("json", captured.numbered("pbs", "49-qstat-mixed-json")[1].stdout)
    programs.put(
        "qstat",
        'echo "$TZ $*" >>$here/asked; cat $here/json\n'
        "echo 'qstat: Unknown Job Id 99999.pbs1' >&2; exit 153",
    )
    jobs = followed("9.pbs1", "99999.pbs1", "x; id", "")
    (query,) = PBS.queries(jobs, now=NOW, others=False)
    reading = PBS.read({query.name: programs.sh(query.shell)}, jobs)
    assert reading.queue_seen
    assert programs.kept("asked") == "UTC0 -x -f -F json 9.pbs1 99999.pbs1\n"
    assert not PBS.queries(followed(""), now=NOW, others=False)


def test_where_json_is_unknown_text_is_asked_for(programs: Programs) -> None:
    programs.keep("text", TORQUE)
    programs.put(
        "qstat",
        "case $* in *-F*) echo \"qstat: invalid option -- 'F'\" >&2; exit 2;; esac\n"
        'echo "$*" >>$here/asked; case $* in *-x*) echo "<Data/>";; *) cat $here/text;; esac',
    )
    jobs = followed("5.torque")
    (query,) = PBS.queries(jobs, now=NOW, others=False)
    reading = PBS.read({query.name: programs.sh(query.shell)}, jobs)
    assert programs.kept("asked") == "-x -f 5.torque\n-f 5.torque\n"
    assert by_id(reading)["5.torque"].cause is Cause.TIMEOUT
    assert not reading.accounting
    programs.put("qstat", "case $* in *-F*) echo usage: >&2; exit 2;; esac; cat $here/text")
    older = PBS.read({query.name: programs.sh(query.shell)}, jobs)
    assert (older.queue_seen, older.accounting) == (True, True), "a PBS with a history, no JSON"
    programs.put(
        "qstat",
        "case $* in *-x*) echo 'qstat: no job history is kept' >&2; exit 9;; esac; cat $here/text",
    )
    without = PBS.read({query.name: programs.sh(query.shell)}, jobs)
    assert (without.queue_seen, without.accounting) == (True, False)


def test_the_lookup(programs: Programs) -> None:
    lookup = PBS.lookup_command("abcdefghij")
    programs.keep("text", TORQUE.replace("abcdefghij", "other") + TORQUE.replace("5.t", "6.t"))
    programs.put("qselect", "[ $1 = -x ] && echo 5.torque && echo 6.torque")
    programs.put("qstat", 'echo "$*" >>$here/asked; cat $here/text')
    assert PBS.native_id(programs.sh(lookup)) == "6.torque"
    assert programs.kept("asked") == "-x -f 5.torque 6.torque\n"
    programs.put("qselect", "[ $1 = -x ] && exit 2; echo 6.torque")
    assert PBS.native_id(programs.sh(lookup)) == "6.torque"
    assert programs.kept("asked") == "-f 6.torque\n"
    programs.keep("text", "")
    assert programs.sh(lookup) == Said(code=0, stdout="", stderr="")
    programs.put("qstat", "exit 255")
    assert programs.sh(lookup).code != 0
    programs.put("qselect", ":")
    assert programs.sh(lookup) == Said(code=0, stdout="", stderr="")
    programs.put("qselect", "exit 255")
    assert programs.sh(lookup).code != 0
    programs.keep("text", TORQUE)
    programs.put("qstat", "case $* in *-x*) echo '<Data/>';; *) cat $here/text;; esac")
    assert PBS.native_id(programs.sh(lookup)) == "5.torque"
    programs.put("qstat", "cat $here/text")
    assert PBS.native_id(programs.sh(lookup)) == "5.torque"
    programs.put("qstat", ":")
    assert programs.sh(lookup) == Said(code=0, stdout="", stderr="")


NO_JOB = {"03-qsub-nojobscript"}
DOWN = {"12-qsub-badserver", "160-serverdown-qsub"}


@pytest.mark.parametrize("name", captured.names("pbs", r"^\d+-.*qsub"))
def test_every_captured_submission(name: str) -> None:
    _, said = captured.numbered("pbs", name)
    native, refusal = PBS.native_id(said), PBS.refusal(said)
    if said.code == 0:
        assert bool(native) == bool(said.stdout)
        assert not refusal
    elif name in DOWN:
        assert not refusal
    else:
        assert not native
        assert refusal
        assert "usage" not in refusal


def test_directives() -> None:
    settings = {"name": "p", "kind": "pbs", "account": "lab", "default_partition": "normal"}
    resources = BatchResources(
        cpus=2, memory=3 * 1024**3, time_limit=timedelta(hours=30), partition="big", gpus=1
    )
    lines = Pbs(BackendSettings(**settings)).directives("fit", "abcdefghij", resources, "~/x/log")  # type: ignore[arg-type]
    assert lines == [
        "#PBS -N abcdefghij.fit",
        "#PBS -S /bin/bash",
        "#PBS -o x/log.pbs.out",
        "#PBS -e x/log.pbs.err",
        "#PBS -r n",
        "#PBS -l select=1:ncpus=2:mem=3072mb:ngpus=1",
        "#PBS -l walltime=30:00:00",
        "#PBS -q big",
        "#PBS -A lab",
    ]
    torque = Pbs(BackendSettings(**settings, dialect="torque", queue="batch"))  # type: ignore[arg-type]
    lines = torque.directives("a long name of a task", "abcdefghij", resources, "/x/log")
    assert "#PBS -N abcdefghij.a_lo" in lines
    assert "#PBS -l nodes=1:ppn=2:gpus=1" in lines
    assert "#PBS -l mem=3072mb" in lines
    assert "#PBS -q batch" in lines, "the queue of the config goes before the task's partition"


@pytest.mark.parametrize(
    ("said", "dialect"),
    [
        (captured.numbered("pbs", "93-version")[1].stdout, ""),
        ("Version: 6.1.2\nCommit: 661e092552de43a785c15d39a3634a541d86898e\n", "torque"),
        ("version: 4.2.10\n", "torque"),
        ("qstat: not found\n", None),
    ],
)
def test_dialects_are_told_by_the_version(said: str, dialect: str | None) -> None:
    assert reading.told_by_version(said) == dialect


def test_cancel() -> None:
    assert PBS.cancel_command(["1.pbs1", "11[2].pbs1", "$(id)"]) == "qdel 1.pbs1 '11[2].pbs1'"


@given(st.text(), st.text(alphabet='{}\t\n":Jobs.1timestamp=hopper-jsontext 0job_stateExit_FR'))
def test_garbage_is_read_without_an_error(one: str, two: str) -> None:
    for kind in ("json", "text"):
        for text in (one, two, f"{{{two}\n}}\n=hopper-{kind} 0", f"{two}\n=hopper-{kind} 0\n"):
            said = Said(code=0, stdout=text, stderr=one)
            answers = {"jobs": said, "others": said, "machines": said}
            assert not any(found.succeeded for found in PBS.read(answers, followed("1")).jobs)
            PBS.native_id(said)
            PBS.refusal(said)


def test_what_says_nothing_to_us_is_listed() -> None:
    """Tables for people, other commands, output of jobs; and JSON of kinds that are read above."""
    unused = re.compile(
        r"^\d+-(qstat(-a|-s|-n1|-t|-array-t|-J|-w|-aw|-f-dsv|-unknown|-badid|-Q|-Qf-json|-B|-Bf-json"
        r"|-x|-xa|-finished-without-x|-x-.*|-f-t-json-array|-dep-json|-v-comma-json"
        r"|-f-finished-without-x-json)?"
        r"|pbsnodes-(aSj|avS|unknown)|(qhold|qrls|qalter|qsig|qrerun|qmove|qdel).*|tracejob"
        r"|version|job-output.*|spool|serverdown-qdel)$"
    )
    used = Path(__file__).read_text()
    rest = [
        name
        for name in captured.names("pbs")
        if f'"{name}"' not in used and "qsub" not in name and not unused.match(name)
    ]
    assert rest == []
