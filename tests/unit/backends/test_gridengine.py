"""Grid Engine: its commands run by a real sh, its answers as they were captured."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.backends.base import BackendSettings
from hopper.backends.gridengine import GridEngine
from hopper.backends.gridengine_reading import tasks_in
from hopper.model.batch import Said
from hopper.model.native import BatchReading, Cause, NativePhase
from hopper.model.task import BatchResources
from tests.unit.backends import captured
from tests.unit.backends.asking import NOW, Programs, by_id, followed, forms

ENGINE = GridEngine(BackendSettings(name="g", kind="gridengine"))


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def read(queue: str, accounting: str | None = None, *ids: str) -> BatchReading:
    text = f"{captured.gridengine(queue)[1].stdout}\n=hopper-queue 0\n"
    stderr = ""
    if accounting is not None:
        _, said = captured.gridengine(accounting)
        text += f"{said.stdout}\n=hopper-accounting {said.code}\n"
        stderr = said.stderr
    return ENGINE.read({"jobs": Said(code=0, stdout=text, stderr=stderr)}, followed(*ids))


def test_the_live_view() -> None:
    reading = read("qstat_xml")
    assert reading.queue_seen
    assert not reading.trouble
    assert forms(reading.jobs) == {
        "1": "running",
        "4": "running",
        **dict.fromkeys(["9", "3", "5", "8", "10", "6", "7"], "queued"),
    }
    job = by_id(reading)["4"]
    assert (job.name, job.user, job.cpus) == ("pe2", "alice", 2)
    assert (job.partition, job.node) == ("main.q", "master")
    assert job.started_at == 1795240539
    assert by_id(reading)["9"].submitted_at == 1795240536
    assert by_id(reading)["9"].started_at is None


def test_a_job_in_error_waits_and_says_so() -> None:
    job = by_id(read("qstat_xml_later"))["10"]
    assert (job.phase, job.word) == (NativePhase.QUEUED, "Eqw")
    assert (job.stuck, job.hopeless) == (True, False), "nothing is known of why"
    assert "qstat -j 10" in job.reason


def test_elements_of_arrays_and_other_views() -> None:
    split = by_id(read("qstat_g_d_xml"))
    assert {"3.1", "3.2", "3.6"} <= set(split)
    assert set(by_id(read("qstat_u_all_xml"))) == {"1", "4", "9", "3", "5", "8", "10", "6", "7"}


def test_tasks_that_wait_as_a_range_are_told_apart() -> None:
    reading = read("qstat_xml", None, "3.2", "3.6", "3.7", "4.1")
    ours = {native: phase for native, phase in forms(reading.jobs).items() if "." in native}
    assert ours == {"3.2": "queued", "3.6": "queued"}


@given(
    st.lists(
        st.tuples(st.integers(1, 2000), st.integers(0, 300), st.integers(1, 40)),
        min_size=1,
        max_size=5,
    )
)
def test_ranges_of_tasks(parts: list[tuple[int, int, int]]) -> None:
    text = ",".join(
        f"{first}-{first + more}:{step}" if more else f"{first}" for first, more, step in parts
    )
    told = {index for part in tasks_in(text) for index in part}
    assert told == {
        index for first, more, step in parts for index in range(first, first + more + 1, step)
    }


@pytest.mark.parametrize(
    "text", ["", "x", "1-", "-1", "1-2-3", "1-5:0", "1,,2", "undefined", "\u0661"]
)
def test_what_is_no_range_of_tasks(text: str) -> None:
    assert tasks_in(text) == []


@given(st.text(alphabet="0123456789-:,x "))
def test_any_text_may_be_a_range(text: str) -> None:
    tasks_in(text)


def test_the_accounting_is_asked_for_members_that_have_left(programs: Programs) -> None:
    """Task 1 of job 3 runs, 4 to 8 (by two) and 12 wait."""
    block = "<job_list>\n<JB_job_number>3</JB_job_number>\n<tasks>{}</tasks>\n</job_list>\n"
    jobs = "".join(block.format(tasks) for tasks in ("1", "4-8:2,12"))
    programs.keep("xml", f"<job_info>\n{jobs}</job_info>\n")
    programs.put("qstat", "cat $here/xml")
    programs.put("qacct", 'echo "$2" >>$here/asked; echo "error: job id 1 not found" >&2; exit 1')
    for asked, told in (
        (["3.1", "3.4", "3.6", "3.8", "3.12"], ""),
        (["3.2"], "3\n"),
        (["3.5"], "3\n"),
        (["3.9", "3.10"], "3\n"),
        (["3.11"], "3\n"),
        (["3"], ""),
        (["33.1", "3.1"], "33\n"),
    ):
        (query,) = ENGINE.queries(followed(*asked), now=NOW, others=False)
        programs.sh(query.shell)
        assert programs.kept("asked") == told, asked


@pytest.mark.parametrize("name", ["qstat_j_unknown_xml", "qstat", "qacct_1", "qstat_j_xml"])
def test_what_is_no_live_view_concludes_nothing(name: str) -> None:
    reading = read(name)
    assert not reading.queue_seen
    assert reading.trouble
    assert not reading.jobs


@pytest.mark.parametrize(
    ("name", "native", "cause", "code", "reason"),
    [
        ("qacct_1", "1", None, 0, ""),
        ("qacct_fail", "2", Cause.FAILED, 7, ""),
        ("qacct_tmo", "8", Cause.TIMEOUT, None, "qmaster enforced h_rt"),
        ("qacct_eqw", "10", Cause.FAILED, None, "changing into working directory"),
    ],
)
def test_the_accounting(
    name: str, native: str, cause: Cause | None, code: int | None, reason: str
) -> None:
    reading = read("qstat_xml_later", name, native)
    assert reading.accounting_seen
    job = by_id(read("qacct_1", name))[native]
    assert (job.phase, job.cause, job.exit_code) == (NativePhase.ENDED, cause, code)
    assert job.succeeded == (cause is None)
    assert reason in job.reason
    assert bool(job.reason) == bool(reason)


def test_the_figures_of_the_accounting() -> None:
    job = by_id(read("qstat_xml_later", "qacct_1"))["1"]
    assert (job.submitted_at, job.started_at, job.ended_at) == (1795240532, 1795240539, 1795240543)
    assert (job.elapsed_seconds, job.cpu_seconds, job.cpus) == (4, 0.014, 1)
    assert job.peak_memory == int(1.703 * 1024**2)
    assert (job.node, job.user, job.name) == ("master", "alice", "ok")
    eqw = by_id(read("qacct_1", "qacct_eqw"))["10"]
    assert (eqw.started_at, eqw.ended_at, eqw.peak_memory) == (None, None, None)
    everything = by_id(read("qstat_xml_later", "qacct_all"))
    assert {"1", "2", "4", "7", "8", "3.1", "3.6"} <= set(everything) | {"3.6"}
    assert {"3.1", "3.2"} <= set(by_id(read("qstat_xml_later", "qacct_arr")))


def test_an_early_end_by_a_limit_was_the_memory() -> None:
    _, said = captured.gridengine("qacct_tmo")
    text = said.stdout.replace("h_rt=5", "h_rt=0:10:00")
    said = Said(code=0, stdout=f"=hopper-queue 1\n{text}=hopper-accounting 0\n", stderr="x")
    assert by_id(ENGINE.read({"jobs": said}, followed("8")))["8"].cause is Cause.OOM


def test_what_the_accounting_does_not_know_yet() -> None:
    reading = read("qstat_xml_later", "qacct_unknown", "99999")
    assert reading.accounting_seen
    assert not reading.trouble
    assert "99999" not in by_id(reading)
    lost = Said(code=0, stdout="=hopper-accounting 1\n", stderr="error: cannot open accounting\n")
    assert not ENGINE.read({"jobs": lost}, followed("1")).accounting_seen


def test_cut_off_answers_conclude_nothing() -> None:
    queue = captured.gridengine("qstat_xml")[1].stdout
    accounting = captured.gridengine("qacct_all")[1].stdout
    whole = f"{queue}\n=hopper-queue 0\n{accounting}\n=hopper-accounting 0\n"
    first = whole.index("=hopper-queue 0") + 15
    for end in range(0, len(whole) - 1, 53):
        reading = ENGINE.read(
            {"jobs": Said(code=0, stdout=whole[:end], stderr="")}, followed("1", "2")
        )
        assert reading.queue_seen == (end >= first)
        assert not reading.accounting_seen
        assert not any(job.phase is NativePhase.ENDED for job in reading.jobs)


def test_the_machines() -> None:
    answers = {
        "others": Said(
            code=0,
            stdout=captured.gridengine("qstat_u_all_xml")[1].stdout + "\n=hopper-queue 0\n",
            stderr="",
        ),
        "machines": captured.gridengine("qhost_xml")[1],
    }
    reading = ENGINE.read(answers, ())
    assert not reading.queue_seen, "everybody's jobs are not the live view of ours"
    assert "9" in by_id(reading)
    assert reading.info
    assert (reading.info.nodes, reading.info.nodes_up, reading.info.cpus) == (1, 1, 2)
    assert reading.info.cpus_free == 0
    assert reading.info.partitions == ("main.q",)


# --- what is asked


def test_only_what_has_left_is_asked_of_the_accounting(programs: Programs) -> None:
    programs.keep("xml", captured.gridengine("qstat_xml")[1].stdout)
    programs.keep("acct", captured.gridengine("qacct_fail")[1].stdout)
    programs.put("qstat", '[ "$TZ" = UTC0 ] && cat $here/xml')
    programs.put(
        "qacct",
        'echo "$*" >>$here/asked; [ "$2" = 2 ] && exec cat $here/acct\n'
        'echo "error: job id $2 not found" >&2; exit 1',
    )
    jobs = followed("1", "2", "3.4", "77", "no id")
    (query,) = ENGINE.queries(jobs, now=NOW, others=False)
    reading = ENGINE.read({query.name: programs.sh(query.shell)}, jobs)
    assert (reading.queue_seen, reading.accounting_seen, reading.trouble) == (True, True, "")
    assert programs.kept("asked") == "-j 2\n-j 77\n"
    assert by_id(reading)["2"].exit_code == 7
    many = followed(*(str(number) for number in range(100, 150)))
    (query,) = ENGINE.queries(many, now=NOW, others=False)
    programs.put("qacct", 'echo "$*" >>$here/asked; cat $here/acct')
    assert ENGINE.read({query.name: programs.sh(query.shell)}, many).accounting_seen
    assert re.fullmatch(r"-o \S+ -j\n", programs.kept("asked"))
    programs.put("qstat", "echo 'error: commlib error: got select error' >&2; exit 1")
    down = ENGINE.read({query.name: programs.sh(query.shell)}, many)
    assert not down.queue_seen
    assert "commlib" in down.trouble


def test_the_lookup(programs: Programs) -> None:
    lookup = ENGINE.lookup_command("pe2")
    programs.keep("xml", captured.gridengine("qstat_xml")[1].stdout)
    programs.put("qstat", "cat $here/xml")
    programs.put("qacct", "echo 'error: job name pe not found' >&2; exit 1")
    assert ENGINE.native_id(programs.sh(lookup)) == "4"
    assert programs.sh(ENGINE.lookup_command("pe")) == Said(code=0, stdout="", stderr="")
    programs.keep("acct", captured.gridengine("qacct_fail")[1].stdout)
    programs.put("qacct", "cat $here/acct")
    assert ENGINE.native_id(programs.sh(ENGINE.lookup_command("fail7"))) == "2"
    programs.put("qacct", "echo 'error: broken' >&2; exit 1")
    assert programs.sh(ENGINE.lookup_command("pe")).code != 0
    programs.put("qstat", "exit 1")
    assert programs.sh(lookup).code != 0


def test_a_script_cannot_add_options(programs: Programs, tmp_path: Path) -> None:
    programs.put("qsub", 'pwd; for i do echo "<$i>"; done')
    script = tmp_path / "a b.sh"
    script.write_text("#!/bin/bash\n#$ -N x\n#$ -l h_rt=5\n# *\n\necho\n#$ -o /stolen\n")
    said = programs.sh(ENGINE.submit_command(), hopper_script=str(script), HOME=str(tmp_path))
    words = said.stdout.split("\n")
    assert words[0] == str(tmp_path)
    assert words[1:-1] == [
        f"<{w}>" for w in ["-terse", "-C", "", "-N", "x", "-l", "h_rt=5", str(script)]
    ]


@pytest.mark.parametrize("name", captured.names("gridengine", "^qsub_"))
def test_every_captured_submission(name: str) -> None:
    _, said = captured.gridengine(name)
    if said.code == 0:
        assert ENGINE.native_id(said).isdigit()
        assert not ENGINE.refusal(said)
    else:
        assert not ENGINE.native_id(said)
        assert ENGINE.refusal(said)


@pytest.mark.parametrize(
    "stderr",
    [
        "error: commlib error: got select error\nUnable to run job: unable to reach qmaster",
        "error: unable to contact qmaster using port 6444 on host 'master'",
        "Unable to initialize environment because of error: cannot resolve",
        "",
    ],
)
def test_what_may_have_got_through_is_no_refusal(stderr: str) -> None:
    assert not ENGINE.refusal(Said(code=1, stdout="", stderr=stderr))


def test_directives() -> None:
    engine = GridEngine(BackendSettings(name="g", kind="gridengine", account="lab"))
    resources = BatchResources(
        cpus=2, memory=3 * 1024**3, time_limit=timedelta(minutes=5), partition="main.q", gpus=1
    )
    assert engine.directives("1 x", "abcdefghij", resources, "~/.hopper/x/log") == [
        "#$ -N abcdefghij.1_x",
        "#$ -S /bin/bash",
        "#$ -o .hopper/x/log.out",
        "#$ -e .hopper/x/log.err",
        "#$ -r n",
        "#$ -pe smp 2",
        "#$ -l h_vmem=1536M",
        "#$ -l h_rt=300",
        "#$ -l gpu=1",
        "#$ -q main.q",
        "#$ -A lab",
    ]


def test_directives_of_an_array() -> None:
    lines = ENGINE.array_directives("wf", "abcdefghij", BatchResources(), "~/.hopper/x/log", 9)
    assert lines[0] == "#$ -N abcdefghij.wf"
    assert {"#$ -t 1-9", "#$ -o .hopper/x/log.$TASK_ID.out"} <= set(lines)


def test_the_native_id_of_a_running_script(programs: Programs) -> None:
    native = ENGINE.log_variables()["native"]
    assert programs.sh(f"echo {native}", JOB_ID="5", SGE_TASK_ID="undefined").stdout == "5\n"
    assert programs.sh(f"echo {native}", JOB_ID="5", SGE_TASK_ID="3").stdout == "5.3\n"


def test_cancel() -> None:
    assert ENGINE.cancel_command(["1", "3.2", "'; id"]) == "qdel 1 3.2"


@given(st.text(), st.text(alphabet="<job_list>/ JB_number=state\n1r0:failed exit_status category"))
def test_garbage_is_read_without_an_error(one: str, two: str) -> None:
    for text in (one, two, f"{two}=hopper-queue 0\n{'=' * 30}{two}{one}\n=hopper-accounting 0"):
        said = Said(code=0, stdout=text, stderr=one)
        reading = ENGINE.read({"jobs": said, "others": said, "machines": said}, followed("1"))
        assert not any(job.succeeded for job in reading.jobs)
        ENGINE.native_id(said)
        ENGINE.refusal(said)


def test_what_says_nothing_to_us_is_listed() -> None:
    used = re.compile(r"^(qsub_.*|qacct_.*|qhost_xml|qstat_(xml|xml_later|u_all_xml|g_d_xml))$")
    unused = re.compile(r"^(accounting|qconf_sql|qdel_.*|qhost|qstat(_f|_j.*|_later2?)?)$")
    rest = [n for n in captured.names("gridengine") if not used.match(n) and not unused.match(n)]
    assert rest == []
