"""What every batch system's backend must do, whatever package it is of."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.backends.base import Backend, BackendSettings, Followed
from hopper.backends.registry import backend, kinds
from hopper.backends.script import render
from hopper.errors import HopperError
from hopper.model.batch import Said
from hopper.model.native import NativePhase
from hopper.model.task import BatchResources

TEMPLATES = Path(__file__).parents[2] / "roles" / "batch_submit" / "templates"
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
ATTEMPT = "abcdefghij"
NATIVE = {"slurm": "12", "pbs": "12.server", "lsf": "12", "gridengine": "12", "local": "12"}
PRINTED = {"lsf": "Job <12> is submitted to queue <normal>.\n", "pbs": "12.server\n"}
REFUSED = {
    "slurm": "sbatch: error: Batch job submission failed: Invalid qos specification\n",
    "pbs": "qsub: Unknown queue\n",
    "lsf": "nosuch: No such queue. Job not submitted.\n",
    "gridengine": 'Unable to run job: unknown resource "x"\nExiting.\n',
}
UNREACHED = {
    "slurm": "sbatch: error: Batch job submission failed: Unable to contact slurm controller\n",
    "pbs": "Connection refused\nqsub: cannot connect to server pbs1 (errno=15010)\n",
    "lsf": "Cannot connect to LSF. Please wait ...\n",
    "gridengine": "Unable to run job: unable to send message to qmaster\nExiting.\n",
}
ARRAY_PRINTED = {
    "slurm": "12\n",
    "gridengine": "12.1-9:1\n",
    "pbs": "12[].server\n",
    "lsf": "Job <12> is submitted to queue <normal>.\n",
}
"""What the submit command says of an array."""
MEMBERS = {
    "slurm": ["12_1", "12_10", "12_999"],
    "gridengine": ["12.1", "12.10", "12.999"],
    "pbs": ["12[1].server", "12[10].server", "12[999].server"],
    "lsf": ["12[1]", "12[10]", "12[999]"],
}
ASKED_BY_ARRAY = {"pbs": "12[].server", "lsf": "12"}
"""What is asked for in the place of the members, where it is not them."""
HOSTILE = ["", "a b", "a\nb", "$(id)", "`id`", "'\"\\", "é漢", "-x", "#SBATCH", "a" * 500, "%j*?;&"]


@pytest.fixture(params=kinds())
def system(request: pytest.FixtureRequest) -> Backend:
    return backend(BackendSettings(name="x", kind=request.param, account="lab"))


def followed(*ids: str) -> list[Followed]:
    return [Followed(attempt=ATTEMPT, native_id=native, submitted_at=NOW) for native in ids]


@pytest.mark.parametrize("name", HOSTILE)
def test_directives_are_comments_of_safe_words(system: Backend, name: str) -> None:
    resources = BatchResources(cpus=2, gpus=1, gres="gpu:a100:1", partition="short")
    for line in system.directives(name, ATTEMPT, resources, "~/.hopper/x/log"):
        assert re.fullmatch(r"#[A-Za-z$]+ [\x21-\x7e]+(?: [\x21-\x7e]+){0,2}", line)
        assert not set(line.split(" ", 1)[1]) & set("$`;&|<>()*?!~{}\\'#%")
    if system.submit_command():
        text = "\n".join(system.directives(name, ATTEMPT, resources, "/x/log"))
        assert ATTEMPT in text
        assert "/x/log" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_directives_of_an_array(system: Backend, name: str) -> None:
    if not system.array_limit:
        return
    lines = system.array_directives(name, ATTEMPT, BatchResources(cpus=2), "~/.hopper/x/log", 37)
    for line in lines:
        assert re.fullmatch(r"#[A-Za-z$]+ [\x21-\x7e]+(?: [\x21-\x7e]+){0,2}", line)
        assert not set(line.split(" ", 1)[1]) & set("`;&|<>()*?!~{}\\'#")
    text = "\n".join(lines)
    assert ATTEMPT in text
    assert "1-37" in text


def test_members_of_an_array_have_ids_of_their_own(system: Backend) -> None:
    if not system.array_limit:
        return
    base = system.native_id(Said(code=0, stdout=ARRAY_PRINTED[system.kind], stderr=""))
    members = [system.member_id(base, index) for index in (1, 10, 999)]
    assert members == MEMBERS[system.kind]
    assert shlex.split(system.cancel_command(members))[1:] == members
    texts = [query.shell for query in system.queries(followed(*members), now=NOW, others=False)]
    asked = [ASKED_BY_ARRAY.get(system.kind, native) for native in members]
    assert all(any(native in text for text in texts) for native in asked)


@pytest.mark.parametrize("value", [v for v in HOSTILE if v])
def test_what_cannot_be_said_is_an_error(system: Backend, value: str) -> None:
    if not system.submit_command() or value == "-x":
        return
    with pytest.raises(HopperError):
        system.directives("x", ATTEMPT, BatchResources(partition=value), "/x/log")
    if value != "a" * 500:
        with pytest.raises(HopperError):
            system.directives("x", ATTEMPT, BatchResources(), f"/x/{value}/log")


def test_requests_grow_with_what_is_asked(system: Backend) -> None:
    def lines(**asked: object) -> str:
        resources = BatchResources(**asked)  # type: ignore[arg-type]
        return "\n".join(system.directives("x", ATTEMPT, resources, "/x/log"))

    if not system.submit_command():
        return
    plain = lines()
    assert lines(cpus=2) != plain
    assert lines(memory=2**40) != plain
    assert lines(time_limit=timedelta(days=9)) != plain
    assert lines(gpus=1) != plain
    assert lines(partition="other") != plain
    assert len(lines(memory=None, time_limit=None)) < len(plain)


def test_a_running_script_tells_of_itself(system: Backend) -> None:
    assert {"native", "node", "index"} <= {*system.log_variables()}


def test_a_script_is_rendered_and_right_for_bash(system: Backend, tmp_path: Path) -> None:
    text = render(
        TEMPLATES,
        system.template,
        hopper_side="~/.hopper/x",
        attempt=ATTEMPT,
        directives=system.directives("x", ATTEMPT, BatchResources(), "~/.hopper/x/log"),
        log_variables=system.log_variables(),
        command="true",
    )
    path = tmp_path / "x.sh"
    path.write_text(text)
    subprocess.run(["bash", "-n", path], check=True)
    (tmp_path / ".hopper" / "x").mkdir(parents=True)
    done = subprocess.run(["bash", path], env={**os.environ, "HOME": str(tmp_path)}, check=False)
    assert done.returncode == 0
    assert (tmp_path / ".hopper/x/exit").read_text().startswith("0 ")
    assert len((tmp_path / ".hopper/x/started").read_text().split()) == 3


def test_shell_texts_are_right_for_sh(system: Backend) -> None:
    texts = [system.submit_command(), system.lookup_command(ATTEMPT), system.cancel_command(["1"])]
    queries = system.queries(followed("1", "2", ""), now=NOW, others=True)
    for text in [*texts, *(query.shell for query in queries)]:
        subprocess.run(["sh", "-n", "-c", text], check=True, stdin=subprocess.DEVNULL)
    names = [query.name for query in queries]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_0-9]+", name) for name in names)


def test_only_native_ids_get_into_a_shell(system: Backend) -> None:
    hostile = ["$(touch x)", "1; id", "`id`", "1\nid", "'", "-u root"]
    cancel = system.cancel_command(hostile)
    assert shlex.split(cancel)[1:] == []
    asked = [query.shell for query in system.queries(followed(*hostile), now=NOW, others=False)]
    assert not any(value in text for text in asked for value in hostile[:3])


def test_native_ids_go_round(system: Backend) -> None:
    native = NATIVE[system.kind]
    printed = PRINTED.get(system.kind, f"{native}\n")
    banner = f"Welcome to the cluster\n{printed}"
    assert system.native_id(Said(code=0, stdout=banner, stderr="")) == native
    assert system.native_id(Said(code=0, stdout=f"{native}\n", stderr="")) == native, "a lookup"
    assert not system.native_id(Said(code=1, stdout=printed, stderr=""))
    assert not system.native_id(Said(code=0, stdout="nothing to see\n", stderr=""))
    if system.submit_command():
        assert native in shlex.split(system.cancel_command([native]))
        texts = [query.shell for query in system.queries(followed(native), now=NOW, others=False)]
        assert any(native in text for text in texts)


def test_a_refusal_is_told_from_what_is_not_known(system: Backend) -> None:
    if system.kind not in REFUSED:
        assert not system.refusal(Said(code=1, stdout="", stderr="no\n"))
        return
    refused, unreached = REFUSED[system.kind], UNREACHED[system.kind]
    words = system.refusal(Said(code=1, stdout="", stderr=refused))
    assert words
    assert "\n" not in words
    assert not system.refusal(Said(code=0, stdout=f"{NATIVE[system.kind]}\n", stderr=refused))
    assert not system.refusal(Said(code=124, stdout="", stderr=refused))
    assert not system.refusal(Said(code=127, stdout="", stderr="sh: not found\n"))
    assert not system.refusal(Said(code=1, stdout="", stderr=unreached))
    assert not system.refusal(Said(code=1, stdout="", stderr=""))


@pytest.mark.parametrize(
    "said",
    [
        None,
        Said(code=124, stdout="", stderr=""),
        Said(code=1, stdout="", stderr="connection refused\n"),
        Said(code=127, stdout="", stderr="sh: 1: not found\n"),
        Said(code=0, stdout="", stderr=""),
        Said(code=0, stdout="<html>{}[] garbage\n\x00\x1f|||\n", stderr=""),
    ],
)
def test_no_answer_concludes_nothing(system: Backend, said: Said | None) -> None:
    jobs = followed(NATIVE[system.kind])
    names = [query.name for query in system.queries(jobs, now=NOW, others=True)]
    reading = system.read({} if said is None else dict.fromkeys(names, said), jobs)
    assert (reading.jobs, reading.queue_seen, reading.accounting_seen) == ((), False, False)
    assert not reading.others_seen
    assert bool(reading.trouble) == bool(names)
    assert "\n" not in reading.trouble
    assert reading.info is None


def test_programs_that_are_missing_conclude_nothing(system: Backend, tmp_path: Path) -> None:
    """All that is asked, run where the batch system is not installed."""
    jobs = followed(NATIVE[system.kind])
    for tool in ("sh", "sed", "awk", "id", "date", "tr", "xargs", "cat", "head"):
        (tmp_path / tool).symlink_to(Path("/usr/bin") / tool)
    answers = {}
    for query in system.queries(jobs, now=NOW, others=True):
        done = subprocess.run(
            ["sh", "-c", query.shell],
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        answers[query.name] = Said(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
    reading = system.read(answers, jobs)
    assert not reading.queue_seen
    assert not reading.jobs
    assert not answers or "not found" in reading.trouble
    lookup = system.lookup_command(ATTEMPT)
    if lookup:
        looked = subprocess.run(
            ["sh", "-c", lookup], env={"PATH": str(tmp_path)}, capture_output=True, check=False
        )
        assert looked.returncode != 0, "what cannot be told is not nothing"


@pytest.mark.parametrize("kind", kinds())
@given(
    st.lists(
        st.sampled_from(["=hopper-", "queue", "json", "text", " 0", " 0 5", "\n"]), max_size=9
    ),
    st.text(max_size=30),
    st.integers(0, 255),
)
def test_anything_may_be_answered(kind: str, marks: list[str], text: str, code: int) -> None:
    system = backend(BackendSettings(name="x", kind=kind))
    jobs = followed(NATIVE[kind])
    said = Said(code=code, stdout="".join(marks) + text, stderr=text)
    names = [query.name for query in system.queries(jobs, now=NOW, others=True)]
    reading = system.read(dict.fromkeys(names, said), jobs)
    assert not any(job.succeeded for job in reading.jobs)
    assert not any(job.phase is NativePhase.ENDED for job in reading.jobs)
    system.native_id(said)
    system.refusal(said)
