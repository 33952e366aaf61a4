"""A login node in a folder of this machine: any ``sh``, and a batch system of a few lines."""

from __future__ import annotations

import secrets
import shutil
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hopper.backends.base import BackendSettings
from hopper.backends.local import Local
from hopper.backends.script import render
from hopper.model.batch import (
    BatchOrder,
    BatchReport,
    CancelBatch,
    FollowBatch,
    Query,
    Said,
    SideSighting,
    Submission,
    SubmitResult,
    Submitted,
)
from hopper.model.ids import new_attempt_id
from hopper.remote.login_node import carry_out
from hopper.remote.quoting import quote
from hopper.remote.transport import Answer
from tests.conftest import Eventually
from tests.fakes.shell_worker import ShellTransport

TEMPLATES = Path(__file__).parents[2] / "roles" / "batch_submit" / "templates"


@dataclass(kw_only=True)
class LoginTransport(ShellTransport):
    """``path``: all the PATH there is, if not this machine's; ``cut_output``: where answers end."""

    path: str = ""
    cut_output: int | None = None

    def exec(self, command: str, stdin: bytes = b"") -> Answer:
        answer = super().exec(command, stdin)
        return replace(answer, stdout=answer.stdout[: self.cut_output])

    def environment(self) -> dict[str, str]:
        found = super().environment()
        return {**found, "PATH": self.path} if self.path else found


@dataclass(kw_only=True)
class LoginNode:
    """What a test asks of it. Its batch system takes each script for job 4711 and runs nothing."""

    folder: Path
    transport: LoginTransport
    attempts: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, shell: str) -> LoginNode:
        """Make one whose ``sh`` is that shell."""
        found = shutil.which(shell)
        if found is None:
            raise FileNotFoundError(shell)
        home, bin_folder = folder / "home", folder / "bin"
        for path in (home, bin_folder):
            path.mkdir(parents=True)
        (bin_folder / "sh").symlink_to(found)
        return cls(folder=folder, transport=LoginTransport(bin_folder=bin_folder, home=home))

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        return self.home / ".hopper"

    def side(self, attempt: str) -> Path:
        return self.work / attempt

    @property
    def submitted(self) -> list[str]:
        """The first lines of the scripts that the batch system has taken."""
        log = self.folder / "submitted"
        return log.read_text().splitlines() if log.exists() else []

    # --- what is submitted

    def submission(self, script: str = "#one\n", **parts: Any) -> Submission:
        """Return a submission to the batch system, whose lookup finds what it has taken."""
        log = quote(str(self.folder / "submitted"))
        values: dict[str, Any] = {
            "attempt": self.new_attempt(),
            "script": script,
            "command": f'head -n 1 "$hopper_script" >>{log}; echo 4711',
            "lookup": f"[ ! -e {log} ] || echo 4711",
        }
        return Submission(**{**values, **parts})

    def local(self, command: str, **parts: Any) -> Submission:
        """Return a submission of a process group, with the real script around the command."""
        attempt = self.new_attempt()
        limit = parts.pop("time_limit", 0)
        variables = {"HOPPER_ATTEMPT_ID": attempt, **parts.pop("variables", {})}
        backend = Local(BackendSettings(name="here", kind="local"))
        script = render(
            TEMPLATES,
            backend.template,
            hopper_side=f"{self.work}/{attempt}",
            attempt=attempt,
            directives=[],
            log_variables=backend.log_variables(),
            command=command,
            variables=variables,
            **parts,
        )
        return Submission(attempt=attempt, script=script, command="", lookup="", time_limit=limit)

    def new_attempt(self) -> str:
        attempt = new_attempt_id(secrets.choice)
        self.attempts.append(attempt)
        return attempt

    # --- what is asked

    def order(self, **parts: Any) -> BatchOrder:
        values: dict[str, Any] = {
            "id": "b1",
            "host": "login",
            "backend": "here",
            "incoming": str(self.folder / "incoming"),
            "grace": 1,
        }
        return BatchOrder(**{**values, **parts})

    def ask(self, **parts: Any) -> BatchReport:
        """Have an order carried out, which must be answered."""
        report = carry_out(self.transport, self.order(**parts))
        assert not report.error, report.error
        return report

    def submit(self, submission: Submission, **parts: Any) -> SubmitResult:
        [result] = self.ask(submissions=(submission,), **parts).submitted
        return result

    def look(self, attempt: str, **parts: Any) -> SideSighting:
        """See where it stands, without collecting."""
        follow = FollowBatch(attempt=attempt, collect=False, **parts)
        [side] = self.ask(follows=(follow,)).sides
        return side

    def collect(self, attempt: str, **parts: Any) -> BatchReport:
        """Follow it, and bring home what there is if it is over."""
        limits = {key: parts.pop(key) for key in ("log_limit", "inline_limit") if key in parts}
        return self.ask(follows=(FollowBatch(attempt=attempt, **parts),), **limits)

    def close(self) -> None:
        """Kill whatever its process groups left."""
        self.transport.broken, self.transport.cut_input = "", None
        cancels = tuple(CancelBatch(attempt=name, command="") for name in self.attempts)
        carry_out(self.transport, self.order(grace=0, cancels=cancels))


# --- of use to several tests


def query(name: str, text: str) -> Query:
    return Query(name=name, shell=text)


def said(report: BatchReport, name: str = "q") -> tuple[int, str, str]:
    """Return what was said to one query."""
    words = dict(report.answers)[name]
    return words.code, words.stdout, words.stderr


def tried(node: LoginNode, submission: Submission) -> None:
    """Make it look as if hopper died between the submit command and the record of its answer."""
    side = node.side(submission.attempt)
    side.mkdir(parents=True)
    (side / "tried").touch()


def started(node: LoginNode, submission: Submission) -> Submission:
    result = node.submit(submission)
    assert (result.verdict, result.said.code, result.said.stderr) == (Submitted.NOW, 0, "")
    return submission


def ended(node: LoginNode, eventually: Eventually, submission: Submission) -> SideSighting:
    """Wait for the record of its end."""

    def over() -> SideSighting | None:
        side = node.look(submission.attempt)
        return side if side.exit_code is not None else None

    side = eventually(over, what="its end")
    assert side is not None
    return side


def run(node: LoginNode, eventually: Eventually, command: str, **parts: object) -> Submission:
    submission = started(node, node.local(command, **parts))
    ended(node, eventually, submission)
    return submission


def cancel(node: LoginNode, submission: Submission) -> Said:
    item = CancelBatch(attempt=submission.attempt, command="")
    [(name, said)] = node.ask(cancels=(item,)).cancelled
    assert name == submission.attempt
    return said


def contents(report: BatchReport) -> dict[str, bytes]:
    """Return what came home, by kind."""
    return {item.kind: Path(item.path).read_bytes() for item in report.collected}


def members(report: BatchReport) -> dict[str, bytes]:
    [path] = [item.path for item in report.collected if item.name == "results.zip"]
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
