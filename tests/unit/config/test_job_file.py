from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.config.job_file import LARGEST, JobFile, read_job_file
from hopper.errors import ConfigError
from hopper.model.job import JobSpec
from hopper.model.resources import Requirements

ALL = b"""
name: 007
priority: 5
tags: [cuda, 12]
gpus: 2
time_limit: 1h30m
retries: 3
env:
  LR: 0.10
  ON: yes
  N: 1_000
  E: 1e-3
  DAY: 2024-01-01
  EMPTY: ""
  TEXT: a $(b) 'c'
results: ["out/*.csv", "results/**"]
after: [first-job, 12]
"""


def test_all_keys() -> None:
    said = read_job_file(ALL)
    assert said.over(JobSpec(name="zip", env={"A": "b", "LR": "1"})) == JobSpec(
        name="007",
        priority=5,
        requirements=Requirements(
            tags=frozenset({"cuda", "12"}), gpus=2, time_limit=timedelta(minutes=90)
        ),
        retries=3,
        env={
            "A": "b",
            "LR": "0.10",
            "ON": "yes",
            "N": "1_000",
            "E": "1e-3",
            "DAY": "2024-01-01",
            "EMPTY": "",
            "TEXT": "a $(b) 'c'",
        },
        results=("out/*.csv", "results/**"),
        after=("first-job", "12"),
    )


@pytest.mark.parametrize("content", [b"", b"\n", b"# nothing\n\n  # at all", b"{}"])
def test_nothing_said_changes_nothing(content: bytes) -> None:
    spec = JobSpec(name="x", retries=4, results=("a",), after=("b",))
    assert read_job_file(content).over(spec) == spec


def test_one_text_stands_for_a_list_of_one() -> None:
    said = read_job_file(b"tags: cuda\nresults: 'out/*'\nafter: other")
    assert said == JobFile(tags=frozenset({"cuda"}), results=("out/*",), after=("other",))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nmae: x", "nmae is not a key; did you mean name?"),
        (b"name: ''", "name"),
        (b"name: " + b"x" * 201, "name"),
        (b"name: [x]", "name"),
        (b"priority: high", "priority"),
        (b"priority: 1.5", "priority"),
        (b"gpus: -1", "gpus"),
        (b"retries: 1001", "retries"),
        (b"retries: true", "retries"),
        (b"time_limit: 0", "more than nothing"),
        (b"time_limit: soon", "is not a duration"),
        (b"time_limit: .inf", "is not between"),
        (b"tags: [a b]", "one word"),
        (b"tags: [~]", "tags"),
        (b"tags: {a: b}", "tags"),
        (b"env: [a]", "env must hold"),
        (b"env: x", "env must hold"),
        (b"env: {A: [x]}", "env.A must be one value"),
        (b"env: {A: }", "env.A has no value"),
        (b"env: {1A: x}", "'1A' is not a name"),
        (b"env: {'A=B': x}", "is not a name"),
        (b"env: {'A\\n': x}", "is not a name"),
        (b'env: {"A\\n": x}', "is not a name"),
        (b"env: {HOPPER_JOB_ID: x}", "hopper's own"),
        (b'env: {A: "a\\0b"}', "NUL"),
        (b"results: /etc/passwd", "below the job's own folder"),
        (b"results: ../x", "below the job's own folder"),
        (b"results: a/../../x", "below the job's own folder"),
        (b"results: ~/x", "below the job's own folder"),
        (b"results: ['']", "below the job's own folder"),
        (b'results: "a\\nb"', "control characters"),
        (b"after: [{a: b}]", "after"),
        (b"name: a\nname: b", "twice"),
        (b"- a", "not keys and values"),
        (b"text", "not keys and values"),
        (b"\xff\xfe", "not UTF-8"),
        (b"name: [", "hopper-job.yaml:1"),
        (b"a: &a [x]\nb: *a", "aliases"),
        (b"!!python/object:os.system {}", "could not determine"),
        (b"? [a]\n: b", "hopper-job.yaml"),
        (b"name: \x00", "hopper-job.yaml"),
        (b"[" * 30_000, "hopper-job.yaml"),
        (b"{a: " * 10_000, "hopper-job.yaml"),
        (b"a" * (LARGEST + 1), "larger than 64 KiB"),
    ],
)
def test_mistakes_are_told_in_one_line(content: bytes, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_job_file(content)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_glob_needs_quotes_where_yaml_reads_an_alias() -> None:
    assert read_job_file(b"results: out/*.csv").results == ("out/*.csv",)
    with pytest.raises(ConfigError, match=r"put a \* that is meant into quotes"):
        read_job_file(b"results: *.csv")


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused_or_read(content: bytes) -> None:
    with suppress(ConfigError):
        assert isinstance(read_job_file(content), JobFile)


fragments = st.sampled_from(
    ["name", "env", "tags", "after", ":", " ", "\n", "-", "[", "]", "{", "}", "*", "&a", "!!int",
     "<<", "? ", "'", '"', "|", ">", "1", "~", "yes", ",", "#", "\t", "A"]
)  # fmt: skip


@given(st.lists(fragments, max_size=25).map("".join))
def test_broken_yaml_is_refused_or_read(text: str) -> None:
    with suppress(ConfigError):
        assert isinstance(read_job_file(text.encode()), JobFile)


@given(
    st.builds(
        JobFile,
        name=st.none() | st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9),
        priority=st.none() | st.integers(-5, 5),
        tags=st.frozensets(st.sampled_from(["a", "12", "yes"])),
        time_limit=st.none() | st.just("90m"),
        env=st.dictionaries(
            st.sampled_from(["A", "B"]),
            st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=9),
        ),
        after=st.lists(st.sampled_from(["x", "null", "1"]), unique=True).map(tuple),
    )
)
def test_what_is_written_is_read_back(said: JobFile) -> None:
    assert read_job_file(said.to_yaml().encode()) == said
