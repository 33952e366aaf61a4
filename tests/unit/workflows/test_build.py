from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.config.backends import Backend
from hopper.config.workflows import Environment
from hopper.model.run import GitVersion, Run
from hopper.workflows.build import Built, Surroundings, build, working_dir
from hopper.workflows.documents import parse
from hopper.workflows.expand import expand

GIT = GitVersion(repo="git@x:y.git", branch="main", sha="abc", folder="~/hopper-repos/abc")
RUN = Run(
    id="run-1",
    workflow="grid",
    backend="hpc",
    created_at=datetime(2026, 2, 19, 14, 30, tzinfo=UTC),
)
JULIA = Environment(
    name="julia", variables={"THREADS": "8", "HOPPER_RUN_ID": "mine"}, extra_init="module load j\n"
)
SLURM = Backend(name="hpc", type="slurm", host="h", init="module use /apps")
AROUND = Surroundings(run=RUN, backend=SLURM, environments=[JULIA], retries=2)
IN_GIT = replace(AROUND, run=replace(RUN, git=GIT))


def built(
    around: Surroundings = AROUND, hashes: dict[str, str] | None = None, **task: Any
) -> Built:
    document = parse(json.dumps([{"id": "g.a", "command": "make", **task}]), "t.json")
    return build(expand(document)[0], around, input_hashes=hashes or {})


def test_a_task_of_a_few_words() -> None:
    found = built()
    assert found.warning == ""
    assert found.task.id == "g.a"
    assert found.task.working_dir == "~"
    assert found.task.resources.partition == "normal"
    assert found.task.resources.time_limit == timedelta(hours=1)
    assert found.task.init == "module use /apps"
    assert found.task.cache_key == ""
    assert (found.spec.name, found.spec.retries) == ("g.a", 2)
    assert dict(found.task.variables) == {
        "HOPPER_WORKFLOW": "grid",
        "HOPPER_RUN_ID": "run-1",
        "HOPPER_CREATED_AT": "2026-02-19T14:30:00+00:00",
        "SCRIPTHUT_WORKFLOW": "grid",
        "SCRIPTHUT_RUN_ID": "run-1",
        "SCRIPTHUT_CREATED_AT": "2026-02-19T14:30:00+00:00",
    }


def test_a_git_workflow_says_its_commit() -> None:
    variables = built(IN_GIT).task.variables
    assert variables["HOPPER_GIT_SHA"] == variables["SCRIPTHUT_GIT_SHA"] == "abc"
    assert variables["HOPPER_GIT_REPO"] == "git@x:y.git"
    assert variables["HOPPER_GIT_BRANCH"] == "main"


def test_later_variables_win_and_stand_later() -> None:
    found = built(environment="julia", env_vars={"THREADS": "2", "SCRIPTHUT_RUN_ID": "own"})
    assert found.task.variables["HOPPER_RUN_ID"] == "mine"
    assert found.task.variables["THREADS"] == "2"
    assert list(found.task.variables)[-3:] == ["HOPPER_RUN_ID", "THREADS", "SCRIPTHUT_RUN_ID"]
    assert found.task.init == "module use /apps\nmodule load j"
    assert found.spec.env == {"THREADS": "2", "SCRIPTHUT_RUN_ID": "own"}


def test_an_unknown_environment_is_a_warning() -> None:
    found = built(environment="julai")
    assert found.warning == ("task g.a: there is no environment 'julai'; did you mean julia?")
    assert found.task.environment == "julai"
    assert found.task.init == "module use /apps"


@pytest.mark.parametrize(
    ("kind", "partition"), [("slurm", "normal"), ("pbs", "normal"), ("lsf", ""), ("local", "")]
)
def test_the_default_partition(kind: str, partition: str) -> None:
    around = replace(AROUND, backend=Backend(name="b", type=kind, host="h"))
    assert built(around).task.resources.partition == partition
    assert built(around, partition="gpu").task.resources.partition == "gpu"


@pytest.mark.parametrize(
    ("said", "plain", "in_source", "in_git"),
    [
        ("~", "~", "~", "~/hopper-repos/abc"),
        ("~/", "~", "~", "~/hopper-repos/abc"),
        ("", "~", "~", "~/hopper-repos/abc"),
        (".", "~", "/src", "~/hopper-repos/abc"),
        ("sub", "~/sub", "/src/sub", "~/hopper-repos/abc/sub"),
        ("./sub/x", "~/sub/x", "/src/sub/x", "~/hopper-repos/abc/sub/x"),
        ("/scratch", "/scratch", "/scratch", "/scratch"),
        ("~/other", "~/other", "~/other", "~/other"),
        ("~bob/x", "~bob/x", "~bob/x", "~bob/x"),
    ],
)
def test_working_folders(said: str, plain: str, in_source: str, in_git: str) -> None:
    value = built(working_dir=said).task.working_dir
    assert value == plain
    assert (
        built(replace(AROUND, run=replace(RUN, base="/src/")), working_dir=said).task.working_dir
        == in_source
    )
    assert built(IN_GIT, working_dir=said).task.working_dir == in_git
    assert working_dir(said or "~", GIT, "/src") == in_git


@pytest.mark.parametrize(
    ("task", "retries"),
    [({}, 2), ({"retries": 0}, 0), ({"retry": {"memory": "x2"}}, 1), ({"retries": "5"}, 5)],
)
def test_retries(task: dict[str, Any], retries: int) -> None:
    assert built(**task).spec.retries == retries


def test_a_retry_rule() -> None:
    rule = built(retry={"on": ["oom"], "memory": "x2"}).task.retry
    assert (rule.on, rule.memory, rule.time) == (frozenset({"oom"}), 2.0, 1.0)


def test_what_a_worker_is_asked_for() -> None:
    spec = built(name="A", tags=["cuda"], gpus=1, priority=3, outputs=["*.pt"]).spec
    assert spec.name == "A"
    assert spec.priority == 3
    assert spec.requirements.tags == {"cuda"}
    assert spec.requirements.gpus == 1
    assert spec.results == ("*.pt",)


def test_equal_work_has_an_equal_key() -> None:
    key = built(IN_GIT, cache=True).task.cache_key
    assert len(key) == 64
    later = replace(IN_GIT, run=replace(IN_GIT.run, id="run-2", workflow="other"))
    assert built(later, cache=True, memory="9G", name="N").task.cache_key == key


@pytest.mark.parametrize(
    "changed",
    [
        {"command": "make all"},
        {"working_dir": "sub"},
        {"env_vars": {"A": "1"}},
        {"environment": "julia"},
        {"outputs": ["x"]},
    ],
)
def test_other_work_has_another_key(changed: dict[str, Any]) -> None:
    assert built(cache=True, **changed).task.cache_key != built(cache=True).task.cache_key


WORDS = st.text("ab", min_size=1, max_size=2)
FIELDS = st.fixed_dictionaries(
    {
        "command": WORDS,
        "working_dir": WORDS,
        "environment": st.sampled_from(["", "julia", "other"]),
        "env_vars": st.dictionaries(st.sampled_from("AB"), WORDS, max_size=2),
        "outputs": st.lists(WORDS, max_size=2),
        "generates_source": st.sampled_from(["", "a.json"]),
        "inputs": st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True),
        "hashes": st.fixed_dictionaries({"a": WORDS, "b": WORDS}),
        "init": WORDS,
        "of_julia": WORDS,
        "sha": st.sampled_from(["", "1", "2"]),
        "repo": WORDS,
        "base": WORDS,
    }
)


PARTS = (
    "command", "working_dir", "environment", "env_vars", "outputs", "generates_source", "inputs",
    "hashes", "init", "of_julia", "sha", "repo", "base",
)  # fmt: skip


def _key(said: dict[str, Any], scope: str) -> str:
    task = dict(said)
    own = {key: task.pop(key) for key in ("hashes", "init", "of_julia", "sha", "repo", "base")}
    git = GitVersion(repo=own["repo"], branch="b", sha=own["sha"], folder="~/x")
    around = Surroundings(
        run=replace(RUN, git=git if own["sha"] else None, base=own["base"]),
        backend=Backend(name="hpc", type="slurm", host="h", init=own["init"]),
        environments=[Environment(name="julia", variables={"V": own["of_julia"]})],
    )
    return built(around, own["hashes"], cache=True, cache_scope=scope, **task).task.cache_key


def _counts(said: dict[str, Any], scope: str) -> object:
    """Return all of it that a result depends on."""
    task = dict(said)
    hashes, in_git = task.pop("hashes"), bool(task["sha"])
    base, repo, sha = task.pop("base"), task.pop("repo"), task.pop("sha")
    task["inputs"] = [(name, hashes[name]) for name in task["inputs"]]
    if task["environment"] != "julia":
        del task["of_julia"]
    commit = sha if scope == "commit" else ""
    return {**task, "where": (repo, commit) if in_git else (base,)}


@pytest.mark.parametrize("scope", ["commit", "inputs"])
@given(one=FIELDS, other=FIELDS, same=st.sets(st.sampled_from(PARTS), max_size=len(PARTS)))
def test_the_key_changes_with_any_part_and_with_nothing_else(
    scope: str, one: dict[str, Any], other: dict[str, Any], same: set[str]
) -> None:
    # Alike in most parts, so that a part which does not count is found out.
    mixed = {key: one[key] if key in same else other[key] for key in PARTS}
    mixed["env_vars"] = dict(reversed(mixed["env_vars"].items()))
    equal = _counts(one, scope) == _counts(mixed, scope)
    assert (_key(one, scope) == _key(mixed, scope)) is equal


@pytest.mark.parametrize("part", PARTS)
@given(one=FIELDS, other=FIELDS)
def test_each_part_alone(part: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    changed = {**one, part: other[part]}
    equal = _counts(one, "commit") == _counts(changed, "commit")
    assert (_key(one, "commit") == _key(changed, "commit")) is equal


def test_the_digests_of_inputs_go_along_with_the_key() -> None:
    said: dict[str, Any] = {"inputs": ["b", "a"], "hashes": {"a": "1", "b": "2"}}
    assert built(cache=True, **said).task.input_sums == ("2", "1")
    assert built(**said).task.input_sums == ()


def test_the_commit_counts_unless_the_inputs_are_all() -> None:
    other = replace(IN_GIT, run=replace(RUN, git=replace(GIT, sha="def")))
    assert built(IN_GIT, cache=True).task.cache_key != built(other, cache=True).task.cache_key
    keys = {built(a, cache=True, cache_scope="inputs").task.cache_key for a in (IN_GIT, other)}
    assert len(keys) == 1


def test_the_inputs_count_by_their_content() -> None:
    task: dict[str, Any] = {"cache": True, "inputs": ["a.csv"]}
    first = built(hashes={"a.csv": "1"}, **task).task.cache_key
    assert first
    assert first != built(hashes={"a.csv": "2"}, **task).task.cache_key
    assert built(hashes={}, **task).task.cache_key == ""
