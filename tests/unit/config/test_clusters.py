"""Backends, environments, workflows, sources and pricing of the config."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from hopper.backends.systems import settings_of
from hopper.config.load import load
from hopper.errors import ConfigError

SEED = """
backends:
  - name: hpc
    type: slurm
    ssh: {host: login.edu, port: 2222, user: me, key_path: ~/.ssh/id, cert_path: /k/id-cert.pub,
          known_hosts: "/k/known 50%"}
    account: lab
    login_shell: true
    max_concurrent: 7
    clone_dir: /scratch/clones
    partitions: {gpu: gpu-a100}
    init: module use /apps
  - {name: torque, type: pbs, host: pbs-login, queue: batch, dialect: torque}
  - {name: here, type: local, array: off}
environments:
  - name: julia 1.10
    variables: {VERSION: 1.10, THREADS: 08, EMPTY: "", FLAG: yes}
    extra_init: "module load julia"
workflows:
  - {name: w, backend: hpc, command: python t.py, max_concurrent: 3,
     git: {repo: git@x.org:y.git, deploy_key: keys/d}}
sources:
  - {name: s, type: git, backend: torque, url: git@x.org:y.git, branch: dev, postclone: make}
  - {name: p, type: path, backend: here, path: ~/jobs, workflows_glob: "**/*.hut.json"}
pricing: {region: eu-west-1, price_type: spot_avg, partitions: {gpu: p3.2xlarge}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "hopper.yaml"
    path.write_text(text)
    return path


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), {})
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(folder))


def test_all_keys_of_the_seed(tmp_path: Path) -> None:
    config = load(write(tmp_path, SEED), {})
    hpc, torque, here = config.backends
    assert hpc.ssh is not None
    variables = hpc.host_variables()
    assert shlex.split(str(variables.pop("ansible_ssh_common_args"))) == [
        "-o",
        'CertificateFile="/k/id-cert.pub"',
        "-o",
        'UserKnownHostsFile="/k/known 50%%"',
    ]
    assert variables == {
        "ansible_host": "login.edu",
        "ansible_port": 2222,
        "ansible_user": "me",
        "ansible_ssh_private_key_file": str(Path("~/.ssh/id").expanduser()),
    }
    assert (hpc.inventory_host, torque.inventory_host) == ("hpc", "pbs-login")
    assert torque.host_variables() == {}
    assert here.host_variables() == {"ansible_connection": "local"}
    assert here.array == "never", "as it was called once"
    assert (settings_of(torque).dialect, settings_of(hpc).dialect) == ("torque", "")
    assert [b.partition for b in config.backends] == ["normal", "normal", ""]
    assert (hpc.max_concurrent, torque.max_concurrent) == (7, 100)
    workflow, (git, path) = config.workflows[0], config.sources
    assert workflow.git is not None
    assert workflow.git.deploy_key == tmp_path / "keys/d"
    assert git.git is not None
    assert (git.git.repo, git.git.branch, git.git.postclone) == ("git@x.org:y.git", "dev", "make")
    assert git.workflows_glob == ".hut/workflows/*.json"
    assert path.git is None
    assert config.pricing is not None
    assert config.pricing.price_type == "spot_avg"


def test_values_of_variables_stay_as_written(tmp_path: Path) -> None:
    (environment,) = load(write(tmp_path, SEED), {}).environments
    assert environment.variables == {
        "VERSION": "1.10",
        "THREADS": "08",
        "EMPTY": "",
        "FLAG": "yes",
    }


def test_a_default_partition_may_be_none(tmp_path: Path) -> None:
    text = "backends: [{name: c, type: slurm, host: h, default_partition: ''}]"
    assert load(write(tmp_path, text), {}).backends[0].partition == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("backends: [{name: a, type: slurm}]", "backend a needs ssh"),
        ("backends: [{name: a, type: x, host: b, ssh: {host: c}}]", "both ssh and host"),
        ("backends: [{name: a, type: Slurm!, host: b}]", "must be one word"),
        ("backends: [{name: a, type: pbs, host: b, dialect: tork}]", "torque"),
        ("backends: [{name: a, type: slurm, host: b, dialect: torque}]", "is for type: pbs"),
        ("backends: [{name: all, type: local}]", "something else to Ansible"),
        ("backends: [{name: a, type: local}, {name: a, type: local}]", "there twice"),
        ("backends: [{name: a, type: local, clone_dir: x}]", "absolute path"),
        ("backends: [{name: a, type: slurm, ssh: {host: -oProxyCommand=x}}]", "one word"),
        ("backends: [{name: a, type: slurm, ssh: {host: x, key_path: 'a\"b'}}]", "for its own"),
        ("backends: [{name: a, type: local, queu: b}]", "did you mean backends[0].queue?"),
        ("workflows: [{name: a, backend: b, command: c}]", "the config has no backends"),
        (
            (
                "backends: [{name: here, type: local}]\n"
                "workflows: [{name: a, backend: hre, command: c}]"
            ),
            "did you mean here?",
        ),
        (
            (
                "backends: [{name: w, type: local}]\n"
                "workers: [{name: w, host: h, inbox_dir: /a, outbox_dir: /b}]"
            ),
            "both a worker and a backend",
        ),
        ("sources: [{name: a, type: git, backend: b}]", "needs url"),
        ("sources: [{name: a, type: path, backend: b}]", "needs path"),
        ("sources: [{name: a, type: path, path: /x, branch: y, backend: b}]", "no use for branch"),
        ("sources: [{name: a, type: path, path: /x, backend: b, workflows_glob: ../x}]", "below"),
        ("sources: [{name: a, type: git, url: '--upload-pack=x', backend: b}]", "git repository"),
        ("sources: [{name: a, type: git, url: 'ext::sh', backend: b}]", "git repository"),
        ("sources: [{name: a, type: git, url: u, branch: --x, backend: b}]", "name of a branch"),
        ("environments: [{name: a, variables: {A-B: c}}]", "'A-B' is not a name"),
        ("environments: [{name: a, variables: {AB: }}]", "variables.AB"),
        ("environments: [{name: a, variables: {AB: [1]}}]", "variables.AB"),
        ("pricing: {region: x}", "pricing.partitions is missing"),
        ("pricing: {partitions: {a: b}, url: file:///etc}", "http"),
        ("pricing: {partitions: {a: b}, price_type: cheap}", "pricing.price_type"),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)
