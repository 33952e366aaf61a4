from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from hopper.config.job_file import read_job_file
from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.config.starter import EXAMPLE_JOB, starter_files
from hopper.home.archive import inspect
from hopper.home.pack import pack_folder

ROOT = Path(__file__).parents[3]


@pytest.fixture
def started(tmp_path: Path) -> Path:
    for file in starter_files():
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    return tmp_path


def test_the_config_is_that_of_the_defaults(started: Path) -> None:
    config = load(started / "hopper.yaml")
    assert config.inventory == (str(started / "inventory.yml"),)
    plain = HopperConfig.model_validate({}, context={"base": started})
    assert config.model_copy(update={"inventory": ()}).model_dump() == plain.model_dump()


def test_what_is_commented_out_is_right_as_well(started: Path) -> None:
    text = (started / "hopper.yaml").read_text()
    start = text.index("  # launch:")
    body = re.sub(r"(?m)^( *)# ", r"\1", text[start:])
    (started / "all.yaml").write_text(text[:start] + body)
    config = load(started / "all.yaml")
    plain = load(started / "hopper.yaml")
    examples = {"backends", "environments", "workflows", "sources", "pricing"}
    assert config.model_dump(exclude=examples) == plain.model_dump(exclude=examples)
    assert all(getattr(config, name) for name in examples)
    said = yaml.safe_load((started / "all.yaml").read_text())
    assert said["dispatch"].keys() == plain.model_dump()["dispatch"].keys()
    assert {"zips", "retention", "disk"} <= said.keys()


def test_the_inventory_names_workers(started: Path) -> None:
    hosts = yaml.safe_load((started / "inventory.yml").read_text())["hopper_workers"]["hosts"]
    assert {"here-1", "here-2"} == hosts.keys()


def test_the_example_job_computes(started: Path) -> None:
    job = started / EXAMPLE_JOB
    subprocess.run(["sh", "run_job.sh", "id"], cwd=job, check=True, capture_output=True)
    fit = json.loads((job / "results/fit.json").read_text())
    # The square of a pendulum's period over its length in cm is 4 pi^2 / 981.
    assert fit["slope"] == pytest.approx(0.04024, rel=0.02)
    assert fit["r_squared"] > 0.99


@pytest.mark.parametrize(
    "job", ["src/hopper/config/templates/hello", "examples/hyperparameter-sweep"]
)
def test_example_jobs_can_be_sent(job: str, tmp_path: Path) -> None:
    pack_folder(ROOT / job, tmp_path / "job.zip")
    facts = inspect(tmp_path / "job.zip", HopperConfig().zips, needs_run_job=True)
    assert facts.job_file is not None
    assert read_job_file(facts.job_file).name


def test_the_example_config_has_every_key_of_jobhopper() -> None:
    config = load(ROOT / "examples/hopper.example.yaml")
    assert [worker.name for worker in config.workers] == ["worker-a", "worker-b"]
    said = yaml.safe_load((ROOT / "examples/hopper.example.yaml").read_text())
    assert said.keys() == {"paths", "poll", "dispatch", "workers"}
    assert set(said["paths"]) == {"inbox", "queue", "running", "done", "failed", "db", "log"}
    assert set(said["dispatch"]) == {
        "ssh_options", "transfer_mode", "remote_unpack_dirname", "launch",
    }  # fmt: skip


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_worker_script_keeps_the_contract(tmp_path: Path, shell: str, fails: bool) -> None:
    inbox, outbox = tmp_path / "In box", tmp_path / "Out'box"
    folder = inbox / "job-1" / "job"
    folder.mkdir(parents=True)
    (inbox / "job-1.zip").write_bytes(b"zip")
    (folder / "main.py").write_text(f"print('hi'); raise SystemExit({3 if fails else 0})")
    script = ROOT / "examples/run_job.template.sh"
    words = ["job-1", str(inbox), str(outbox), "job-1.zip", str(folder)]
    done = subprocess.run([shell, str(script), *words], capture_output=True, check=False)
    assert done.returncode == (3 if fails else 0), done.stderr
    assert not (inbox / "job-1.zip").exists()
    assert [path.name for path in outbox.iterdir()] == ["job-1.results.zip"]
    facts = inspect(outbox / "job-1.results.zip", HopperConfig().zips, needs_run_job=False)
    assert facts.unpacked_size == 3


def test_the_sweep_trains(tmp_path: Path) -> None:
    train = ROOT / "examples/hyperparameter-sweep/train.py"
    subprocess.run(
        ["python3", str(train), "--epochs", "3"], cwd=tmp_path, check=True, capture_output=True
    )
    metrics = json.loads((tmp_path / "results/metrics.json").read_text())
    assert metrics["epochs"] == 3
    assert (tmp_path / "results/loss.svg").read_text().startswith("<svg")
