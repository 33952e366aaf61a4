"""This machine as a backend: each attempt a process group, told of by its side folder alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from hopper.backends.base import BackendSettings, Followed, NoArrays
from hopper.backends.words import last_line
from hopper.model.batch import Query, Said
from hopper.model.native import BatchReading
from hopper.model.task import BatchResources

_PID = re.compile(r"(\d{1,10})", re.ASCII)


class Local(NoArrays):
    """Processes of this machine. The native id is the process group's."""

    kind = "local"
    template = "local.sh.j2"
    accounts = False

    def __init__(self, settings: BackendSettings) -> None:
        del settings

    def directives(self, name: str, attempt: str, resources: BatchResources, log: str) -> list[str]:
        """Return nothing: nobody reads them."""
        del name, attempt, resources, log
        return []

    def submit_command(self) -> str:
        """Return nothing: the script is started on the login node itself."""
        return ""

    def native_id(self, said: Said) -> str:
        """Return the process group."""
        return last_line(said, _PID) if said.code == 0 else ""

    def refusal(self, said: Said) -> str:
        """Return nothing: a start that failed is told by the side folder."""
        del said
        return ""

    def lookup_command(self, attempt: str) -> str:
        """Return nothing: there is nobody to ask."""
        del attempt
        return ""

    def queries(self, jobs: Sequence[Followed], *, now: datetime, others: bool) -> Sequence[Query]:
        """Return nothing."""
        del jobs, now, others
        return ()

    def read(self, answers: Mapping[str, Said], jobs: Sequence[Followed]) -> BatchReading:
        """Return that there is no live view and no accounting."""
        del answers, jobs
        return BatchReading(accounting=False)

    def cancel_command(self, native_ids: Sequence[str]) -> str:
        """Return nothing: the process group is ended by the attempt's side folder."""
        del native_ids
        return ""

    def log_variables(self) -> Mapping[str, str]:
        """Return the process id of the script and the machine's name."""
        return {"native": '"$$"', "node": '"$(hostname)"', "index": '""'}
