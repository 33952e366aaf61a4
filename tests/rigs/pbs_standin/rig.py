"""A login node with a PBS that answers as OpenPBS 23.06 does and runs jobs there.

    with PbsStandIn.start(tmp_path) as pbs:
        pbs.ssh("qsub -N job -l walltime=00:00:05", stdin=b"sleep 9")
        backend = {"name": "pbs", "type": "pbs", "ssh": pbs.ssh_facts.backend()}

Queues: `normal` (the default), `short` (10 minutes) and `closed`; 8 CPUs. There are arrays, but no
dependencies and no execution times; `mem` is not enforced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from tests.rigs._cluster.batch.store import Setup
from tests.rigs._cluster.standin import StandIn, missing
from tests.rigs._cluster.values import NativeJob, RigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.rigs._farm.values import Mode

__all__ = ["NativeJob", "PbsStandIn", "RigError", "missing"]


class PbsStandIn(StandIn):
    """A running stand-in for PBS."""

    kind: ClassVar[str] = "pbs"
    programs: ClassVar[Sequence[str]] = ("qsub", "qstat", "qdel", "pbsnodes")

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        dialect: Literal["openpbs", "torque"] = "openpbs",
        slots: int = 8,
        mode: Mode | None = None,
    ) -> Self:
        """Start it. `torque` has Torque's resources, arrays (`-t`) and qstat, which has no `-F`.

        `mode` is that of the farm.
        """
        queues = {"normal": None, "short": 600, "closed": None}
        return cls.launch(
            folder,
            Setup(host="pbs1", slots=slots, queues=queues, closed=("closed",), dialect=dialect),
            mode,
        )
