from __future__ import annotations

from pathlib import Path

import pytest

from hopper.config.jobhopper import Converted
from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.config.scripthut import convert, is_scripthut
from hopper.config.yaml_text import parse_mapping
from hopper.errors import ConfigError

LATER = """
backends:
  - name: hpc
    type: slurm
    ssh: {host: login.edu, port: 22, user: me, key_path: ~/.ssh/id, known_hosts: ~/.ssh/known}
    account: lab
    login_shell: false
    max_concurrent: 100
    clone_dir: ~/scripthut-repos
    dataset_dir: /data
  - {name: pbs, type: pbs, ssh: {host: pbs.edu, user: me}, queue: batch}
  - {name: cloud, type: batch, aws: {region: us-east-1}}
workflows:
  - name: ml
    backend: hpc
    git: {repo: git@x:y.git, branch: main, deploy_key: ~/.ssh/d, clone_dir: ~/r, postclone: make}
    command: python get.py
    max_concurrent: 5
    description: why
  - {name: lost, backend: cloud, command: x}
sources:
  - {name: s, type: git, url: git@x:y.git, branch: main, deploy_key: ~/.ssh/d, backend: hpc}
  - {name: p, type: path, path: /jobs, backend: pbs, workflows_glob: "**/*.hut.json"}
environments:
  - {name: julia-1.10, variables: {VERSION: 1.10}, extra_init: module load julia}
pricing: {region: us-east-1, price_type: spot_avg, partitions: {gpu: p3.2xlarge}}
settings:
  data_dir: ~/.cache/scripthut
  poll_interval: 60
  server_host: 127.0.0.1
  server_port: 8000
  retention_days: 7
notify: {}
"""
FIRST = """
clusters:
  - {name: hpc, type: slurm, ssh: {host: login.edu, port: 22, user: me, key_path: ~/.ssh/id}}
  - {name: prod, type: ecs, aws: {profile: p, region: r, cluster_name: c}}
sources:
  - {name: ml, url: git@x:y.git, branch: main, deploy_key: ~/.ssh/d}
task_sources:
  - {name: batch, cluster: hpc, command: python t.py, max_concurrent: 10, description: why}
settings: {poll_interval: 60, sources_cache_dir: ~/.cache/s}
"""


def taken(folder: Path, text: str) -> tuple[HopperConfig, Converted]:
    (folder / "scripthut.yaml").write_text(text)
    converted = convert(folder / "scripthut.yaml")
    (folder / "hopper.yaml").write_text(converted.yaml_text)
    return load(folder / "hopper.yaml", {}), converted


def test_the_later_generation(tmp_path: Path) -> None:
    config, converted = taken(tmp_path, LATER)
    assert [(b.name, b.type, b.queue) for b in config.backends] == [
        ("hpc", "slurm", ""),
        ("pbs", "pbs", "batch"),
    ]
    assert config.backends[0].clone_dir == "~/scripthut-repos"
    assert [w.name for w in config.workflows] == ["ml"]
    assert config.workflows[0].git is not None
    assert config.workflows[0].git.postclone == "make"
    assert [s.name for s in config.sources] == ["s", "p"]
    assert config.environments[0].variables == {"VERSION": "1.10"}
    assert config.pricing is not None
    assert (config.poll.interval_seconds, config.retention.days) == (60, 7)
    assert (config.web.host, config.web.port) == ("127.0.0.1", 8000)
    said = [warning.partition(": ")[2] for warning in converted.warnings]
    assert said == [
        "backend hpc: dataset_dir was left out",
        "backend pbs: its host key is checked; connect once by ssh",
        "backend cloud is of type batch and was left out",
        "settings.data_dir was left out: hopper keeps its files where paths.* say",
        "workflow lost was left out: its backend cloud is not there",
        "notify was left out",
    ]
    assert all(f"# {line}\n" in converted.yaml_text for line in said)
    assert converted.inventory_yaml_text == ""


def test_the_first_generation(tmp_path: Path) -> None:
    config, converted = taken(tmp_path, FIRST)
    assert [b.name for b in config.backends] == ["hpc"]
    assert [(w.name, w.backend, w.max_concurrent) for w in config.workflows] == [
        ("batch", "hpc", 10)
    ]
    assert [(s.name, s.type, s.backend, s.url) for s in config.sources] == [
        ("ml", "git", "hpc", "git@x:y.git")
    ]
    text = "\n".join(converted.warnings)
    assert "backend prod is of type ecs and was left out" in text
    assert "source ml names no backend; hpc was taken" in text
    assert "settings.sources_cache_dir was left out: clones are on the backends" in text


def test_a_source_that_could_go_to_several_backends_is_left_out(tmp_path: Path) -> None:
    text = FIRST.replace("type: ecs, aws: {profile: p, region: r, cluster_name: c}", "type: local")
    config, converted = taken(tmp_path, text)
    assert config.sources == ()
    assert any("source ml was left out" in warning for warning in converted.warnings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("backends: [{name: a, type: slurm}]", "backend a needs ssh"),
        ("backends: [{name: a b, type: local}]", "'a b' must be a name"),
        ("workflows: [{name: a}]\nbackends: [{name: b, type: local}]", None),
        ("backends: 3\nsettings: 4", None),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, said: str | None) -> None:
    (tmp_path / "scripthut.yaml").write_text(text)
    if said is None:
        assert convert(tmp_path / "scripthut.yaml").warnings
        return
    with pytest.raises(ConfigError, match=said):
        convert(tmp_path / "scripthut.yaml")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (LATER, True),
        (FIRST, True),
        ("workers: []", False),
        ("paths: {}\nbackends: []", False),
        ("a: 1", False),
    ],
)
def test_its_keys_tell_whose_it_is(text: str, verdict: bool) -> None:
    raw, _ = parse_mapping(text.encode(), "x")
    assert is_scripthut(raw) is verdict
