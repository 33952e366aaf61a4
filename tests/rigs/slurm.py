"""A real Slurm on this machine, with a login node to be reached by ssh as a normal user.

    with Slurm.start(2, tmp_path) as slurm:
        slurm.ssh("sbatch --parsable --wrap 'exit 7'")
        backend = {"name": "hpc", "type": "slurm", "ssh": slurm.ssh_facts.backend()}
        slurm.stop_controller()

Partitions: `normal` (the default) and `short` (10 minutes, the first half of the nodes). Each
node `n1`, `n2` … has 4 CPUs, 16,000 MB and 2 GPUs that are counted only. Needs root and the
packages slurm-wlm, munge and, with accounting, slurmdbd and mariadb-server; `missing` says what is
not there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from tests.rigs._cluster import login
from tests.rigs._cluster.engine import Engine
from tests.rigs._cluster.login import RIG, LoginNode
from tests.rigs._cluster.slurm_config import (
    ACCOUNT,
    CLUSTER,
    DATABASE,
    DBD,
    GRES,
    INNODB,
    Accounting,
    SlurmPlan,
    slurm_conf,
)
from tests.rigs._cluster.values import NativeJob, RigError
from tests.rigs._farm.sshd import program
from tests.rigs._farm.values import until

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NativeJob", "RigError", "Slurm", "missing"]

PACKAGES = {
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "sbatch": "slurm-wlm",
    "munged": "munge",
}
ACCOUNTING_PACKAGES = {"slurmdbd": "slurmdbd", "mariadbd": "mariadb-server"}
MUNGE_PID = "/run/munge/munged.pid"
FOLDERS = """\
set -e
cd /run/rig
mkdir etc state spool db /run/munge /run/mysqld
chown munge:munge /run/munge
chmod 755 /run/munge
head -c 128 /dev/urandom > /run/munge/key
chown munge:munge /run/munge/key
chmod 400 /run/munge/key
for node; do mkdir "spool/$node"; done
umask 077
printf '%s' "$SLURMDBD_CONF" > etc/slurmdbd.conf
umask 022
printf '%s' "$SLURM_CONF_TEXT" > etc/slurm.conf
printf '%s' "$GRES_CONF" > etc/gres.conf
printf 'CgroupPlugin=cgroup/v1\n' > etc/cgroup.conf
mount --bind etc /etc/slurm
"""
# One file, because each change by a command of its own takes half a second.
ACCOUNTS = """\
Cluster - '{cluster}'
Parent - 'root'
Account - '{account}':Description='{account}':Organization='{account}'
Parent - '{account}'
User - '{user}':DefaultAccount='{account}'
"""
LOAD = 'printf %s "$1" > /run/rig/accounts && timeout 30 sacctmgr -i load file=/run/rig/accounts'


def missing(accounting: Accounting = "dbd") -> str | None:
    """Why no Slurm can start here, to be printed by a test that skips; None if one can."""
    wanted = PACKAGES | (ACCOUNTING_PACKAGES if accounting == "dbd" else {})
    absent = {name: package for name, package in wanted.items() if not program(name)}
    if absent:
        packages = " ".join(sorted(set(absent.values())))
        return f"no {', '.join(absent)} on this machine ({packages})"
    return login.missing()


class Slurm(Engine):
    """A running Slurm. Made by `start`."""

    def __init__(self, node: LoginNode, plan: SlurmPlan) -> None:
        super().__init__(node)
        self.plan = plan

    @classmethod
    def start(
        cls,
        nodes: int,
        folder: Path,
        *,
        accounting: Accounting = "dbd",
        enforce_limits: bool = False,
        min_job_age: int = 3600,
        timezone: str = "",
    ) -> Self:
        """Start it with nodes `n1` to n`nodes`, its files in `folder`, all nodes idle.

        `enforce_limits` has requests refused that no node or partition can fulfil, and, with
        accounting, those beyond the limits of the account `lab`; and a job with more memory than
        it asked for is killed. The controller forgets ended
        jobs after `min_job_age` seconds. `timezone` is that of the login node. Raises RigError
        when something is missing or fails, FarmError when something does not come up.
        """
        if absent := missing(accounting):
            raise RigError(absent)
        plan = SlurmPlan(
            nodes=tuple(f"n{number}" for number in range(1, nodes + 1)), accounting=accounting,
            enforce_limits=enforce_limits, min_job_age=min_job_age,
        )  # fmt: skip
        slurm = cls(LoginNode.start(folder, timezone=timezone), plan)
        slurm.launch()
        return slurm

    # What happens to it

    def stop_controller(self) -> None:
        """End slurmctld; jobs that run go on."""
        self.node.stop(f"{RIG}/slurmctld.pid")

    def start_controller(self) -> None:
        """Start slurmctld again, with the jobs that it knew, and wait until it answers."""
        self.node.check("timeout", "30", "slurmctld")
        until(self._answers, "slurmctld")

    def break_munge(self) -> None:
        """End munged, so that no command of Slurm gets further than its credential."""
        self.node.stop(MUNGE_PID)

    def mend_munge(self) -> None:
        """Undo `break_munge`."""
        self._start_munge()

    def node_down(self, name: str) -> None:
        """Set a node down: its jobs end as NODE_FAIL or are queued again."""
        self.admin("scontrol", "update", f"nodename={name}", "state=down", "reason=rig")

    def node_up(self, name: str) -> None:
        """Undo `node_down`."""
        self.admin("scontrol", "update", f"nodename={name}", "state=resume")

    def end_now(self, native_id: str) -> None:
        """Let a running job's time be over: it ends as TIMEOUT within 30 seconds."""
        self.admin("scontrol", "update", f"jobid={native_id}", "EndTime=now")

    def limit_submits(self, count: int) -> None:
        """Let the user have at most `count` jobs; needs enforced limits and accounting."""
        who = ["where", f"user={self.ssh_facts.user}", f"account={ACCOUNT}"]
        self.admin("sacctmgr", "-i", "modify", "user", *who, "set", f"MaxSubmitJobs={count}")

    def jobs(self) -> list[NativeJob]:
        """All jobs of all users that the controller has not forgotten, ended ones among them.

        The elements of an array that wait are one entry. Raises RigError when nobody answers.
        """
        answer = json.loads(self.admin("squeue", "--json"))
        if answer["errors"]:  # with an exit code of 0
            message = f"squeue --json: {answer['errors']}"
            raise RigError(message)
        return [_native(entry) for entry in answer["jobs"]]

    # Starting

    def _launch(self) -> None:
        files = {"SLURMDBD_CONF": DBD, "GRES_CONF": GRES, "SLURM_CONF_TEXT": slurm_conf(self.plan)}
        texts = [f"{name}={text}" for name, text in files.items()]
        self.node.check("env", *texts, "sh", "-c", FOLDERS, "rig", *self.plan.nodes)
        self._start_munge()
        if self.plan.accounting == "dbd":
            self._start_accounting()
        self.node.check("timeout", "30", "slurmctld", "-c")
        for name in self.plan.nodes:
            self.node.check("timeout", "30", "slurmd", "-N", name)
        # Else sinfo would find nobody and sleep for a second.
        until(self._answers, "slurmctld")
        until(self._idle, f"Slurm's nodes: see {self.node.log}", seconds=30)

    def _start_munge(self) -> None:
        who = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups"]
        files = {"key-file": "key", "seed-file": "seed", "log-file": "log"}
        options = [f"--{option}=/run/munge/{name}" for option, name in files.items()]
        self.node.check(*who, "munged", f"--pid-file={MUNGE_PID}", *options)

    def _start_accounting(self) -> None:
        socket = "/run/mysqld/mysqld.sock"
        common = ["--no-defaults", "--user=mysql", f"--datadir={RIG}/db", *INNODB]
        self.node.check("chown", "mysql:mysql", f"{RIG}/db", "/run/mysqld")
        self.node.check(
            "mariadb-install-db", *common, "--skip-test-db", "--skip-name-resolve",
            "--auth-root-authentication-method=normal",
        )  # fmt: skip
        own = [f"--socket={socket}", "--skip-networking", "--skip-grant-tables"]
        self.node.daemon("mariadb", program("mariadbd") or "mariadbd", *common, *own)
        create = ["mariadb", "--no-defaults", f"--socket={socket}", "-e"]
        self._wait(*create, f"CREATE DATABASE {DATABASE}")
        self.node.check("slurmdbd")
        self._wait("sacctmgr", "-n", "list", "cluster")
        accounts = ACCOUNTS.format(cluster=CLUSTER, account=ACCOUNT, user=self.ssh_facts.user)
        self.node.script(LOAD, accounts)

    def _wait(self, *argv: str) -> None:
        until(lambda: self.node.run("timeout", "5", *argv).returncode == 0, " ".join(argv))

    def _answers(self) -> bool:
        return "is UP" in self.node.run("timeout", "5", "scontrol", "ping").stdout

    def _idle(self) -> bool:
        done = self.node.run("timeout", "5", "sinfo", "-h", "-N", "-p", "normal", "-o", "%T")
        return done.stdout.split() == ["idle"] * len(self.plan.nodes)


def _native(entry: dict[str, Any]) -> NativeJob:
    array, element = entry["array_job_id"], entry["array_task_id"]
    native_id = f"{array}_{element}" if array and element is not None else str(entry["job_id"])
    return NativeJob(
        id=native_id, name=entry["name"], state=entry["job_state"], user=entry["user_name"],
        comment=entry["comment"],
    )  # fmt: skip
