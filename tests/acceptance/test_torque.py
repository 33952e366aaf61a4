"""A run on a stand-in of Torque, which asks for resources and tells of jobs in its own way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.cluster_lab import ClusterLab, backend, task
from tests.conftest import Eventually
from tests.rigs.pbs_standin.rig import PbsStandIn, missing

pytestmark = [
    pytest.mark.soak,
    pytest.mark.rig,
    pytest.mark.skipif(missing() is not None, reason=f"stand-in for Torque: {missing()}"),
]


def test_a_run_on_torque(tmp_path: Path, eventually: Eventually) -> None:
    with PbsStandIn.start(tmp_path / "torque", dialect="torque") as torque:
        parts = {"default_partition": "", "dialect": "torque"}
        config = backend("cl", "pbs", torque.ssh_facts.backend(), **parts)
        lab = ClusterLab(tmp_path / "hopper", [config], eventually)
        run = lab.start_run(
            [
                task("good", "echo $PBS_JOBID", cpus=2, memory="1G"),
                task("bad", "exit 3", deps=["good"]),
                task("too", "echo $PBS_ARRAYID", deps=["good"]),
            ],
            "cl",
            array="auto",
        )
        lab.dispatch()
        assert lab.states() == {"good": "completed", "bad": "failed", "too": "completed"}
        members = [lab.tasks()[name]["native_id"] for name in ("bad", "too")]
        assert [native.partition("[")[2] for native in members] == ["1].pbs1", "2].pbs1"]
        assert (lab.home(run, "too") / "stdout.log").read_text() == "2\n"
        native = lab.tasks()["good"]["native_id"]
        assert (lab.home(run, "good") / "stdout.log").read_text() == f"{native}\n"
        assert "nodes = 1:ppn=2" in torque.ssh(f"qstat -f {native}").stdout.decode()
        [check] = json.loads(lab.hopper("backend", "check", "--json"))
        assert (check["ok"], [text for text in check["advice"] if "Torque" in text]) == (True, [])
        lab.close()
