"""The configuration files of the Slurm rig."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.rigs._cluster.login import ETC, NODE, RIG

Accounting = Literal["dbd", "none"]
CLUSTER = "rig"
ACCOUNT = "lab"
FIRST_PORT = 17003
GPUS = 2
DATABASE = "slurm_acct_db"

SLURM = """\
ClusterName={cluster}
SlurmctldHost={node}(127.0.0.1)
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={rig}/state
SlurmdSpoolDir={rig}/spool/%n
SlurmctldPidFile={rig}/slurmctld.pid
SlurmdPidFile={rig}/slurmd.%n.pid
SlurmctldLogFile={etc}/log/slurmctld
SlurmdLogFile={etc}/log/slurmd.%n
# nothing that needs systemd or cgroups
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
# quick to answer
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SlurmctldTimeout=10
SlurmdTimeout=10
KillWait=2
MinJobAge={min_job_age}
ReturnToService=1
JobCompType=jobcomp/none
"""

# They are counted and given away; any two devices stand for them.
GRES = "AutoDetect=off\nName=gpu File=/dev/null\nName=gpu File=/dev/zero\n"

DBD = f"""\
AuthType=auth/munge
DbdHost={NODE}
DbdAddr=127.0.0.1
SlurmUser=root
PidFile={RIG}/slurmdbd.pid
LogFile={ETC}/log/slurmdbd
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc={DATABASE}
CommitDelay=1
"""

# A small database, whose data need not outlive the machine.
INNODB = (
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=64M",
    "--innodb-data-file-path=ibdata1:4M:autoextend",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-lock-wait-timeout=900",
    "--innodb-use-native-aio=0",
    "--performance-schema=OFF",
    "--skip-log-bin",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmPlan:
    """What a Slurm to be started is like; `min_job_age` is in seconds."""

    nodes: tuple[str, ...]
    accounting: Accounting
    enforce_limits: bool
    min_job_age: int


def slurm_conf(plan: SlurmPlan) -> str:
    """The slurm.conf. Every node is a slurmd on the login node with a port of its own."""
    text = SLURM.format(cluster=CLUSTER, node=NODE, rig=RIG, etc=ETC, min_job_age=plan.min_job_age)
    return "\n".join([text.rstrip(), *_accounting(plan), *_nodes(plan.nodes), ""])


def _accounting(plan: SlurmPlan) -> Sequence[str]:
    if plan.accounting == "none":
        return ["AccountingStorageType=accounting_storage/none", *_limits(plan)]
    return [
        "AccountingStorageType=accounting_storage/slurmdbd",
        "AccountingStorageHost=127.0.0.1",
        *_limits(plan),
    ]


def _limits(plan: SlurmPlan) -> Sequence[str]:
    if not plan.enforce_limits:
        return []
    # Without cgroups an excess of memory is seen by the accounting, and ends as a plain kill.
    limits = ["EnforcePartLimits=ALL", "JobAcctGatherParams=OverMemoryKill"]
    if plan.accounting == "dbd":
        limits.append("AccountingStorageEnforce=associations,limits,qos")
    return limits


def _nodes(names: Sequence[str]) -> Sequence[str]:
    lines = [
        f"NodeName={name} NodeHostname={NODE} NodeAddr=127.0.0.1 Port={port} CPUs=4 Boards=1 "
        "SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=16000 "
        f"Gres=gpu:{GPUS} State=UNKNOWN"
        for port, name in enumerate(names, start=FIRST_PORT)
    ]
    some = ",".join(names[: (len(names) + 1) // 2])
    lines.append(
        f"PartitionName=normal Nodes={','.join(names)} Default=YES MaxTime=1-00:00:00 "
        "DefMemPerCPU=500 State=UP"
    )
    lines.append(f"PartitionName=short Nodes={some} MaxTime=00:10:00 DefMemPerCPU=500 State=UP")
    return lines
