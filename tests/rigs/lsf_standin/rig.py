"""A login node with an LSF that answers as OpenLava or as Spectrum LSF does and runs jobs there.

    with LsfStandIn.start(tmp_path, dialect="spectrum") as lsf:
        lsf.ssh("bsub", stdin=b"#BSUB -J job\\nexit 3\\n")
        backend = {"name": "lsf", "type": "lsf", "ssh": lsf.ssh_facts.backend()}

Queues: `normal` (the default), `short` (10 minutes) and `closed`; 8 slots. `bjobs -o … -json` and
options of several letters such as `-rn` and `-oo` are Spectrum's alone. There are arrays, but no
dependencies; memory is not enforced.
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

__all__ = ["LsfStandIn", "NativeJob", "RigError", "missing"]


class LsfStandIn(StandIn):
    """A running stand-in for LSF."""

    kind: ClassVar[str] = "lsf"
    programs: ClassVar[Sequence[str]] = ("bsub", "bjobs", "bkill", "bhosts", "bqueues", "lsid")

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        dialect: Literal["openlava", "spectrum"] = "openlava",
        slots: int = 8,
        mode: Mode | None = None,
    ) -> Self:
        """Start it, in the words of one of the two. `mode` is that of the farm."""
        queues = {"normal": None, "short": 600, "closed": None}
        return cls.launch(
            folder,
            Setup(host="lsf1", slots=slots, queues=queues, closed=("closed",), dialect=dialect),
            mode,
        )
