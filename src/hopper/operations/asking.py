"""Questions to the backends' login nodes, put beside the dispatcher."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from hopper.bootstrap import visiting
from hopper.bootstrap.backends import systems
from hopper.config.backends import Backend
from hopper.config.model import HopperConfig
from hopper.config.workflows import GitClone
from hopper.errors import HopperError, NotThere, UsageError
from hopper.model.batch import BatchOrder, BatchReport, Query, ReadBatchLog, Said
from hopper.workflows import here, shell

QUESTION = "hopper"
"""The name of the one query of an order."""
MARGIN = timedelta(seconds=30)
"""Beside what a command may take, for the way there and back."""
SHORT_TIME = timedelta(seconds=60)
_LOGIN = "open the connection by 'hopper backend login {0}', or mend its ssh.user and ssh.key_path"
_WAYS_BACK = (
    ("no folder can be made", "make room there, or set another work_dir for {0}"),
    ("is not in the inventory", "mend 'host' of {0} in the config, or add it to the inventory"),
    ("you have requested strict checking", "its host key has changed: see 'ssh-keygen -R'"),
    ("Host key verification failed", "log in once with ssh and compare the key it shows"),
    ("Permission denied", _LOGIN),
    ("Too many authentication failures", _LOGIN),
    ("keyboard-interactive", _LOGIN),
    ("verification code", _LOGIN),
    ("one-time password", _LOGIN),
    ("Could not resolve", "mend ssh.host of {0} in the config"),
    ("No route", "mend ssh.host of {0} in the config, or the network"),
    ("refused", "is sshd running there, on that port?"),
    ("timed out", "is it switched on, and reachable from here?"),
)


class Asking:
    """Asks login nodes beside the dispatcher, over one connection for all questions."""

    def __init__(self, config: HopperConfig) -> None:
        self._config = config
        self._visitor: visiting.Visitor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the login nodes."""
        if self._visitor is not None:
            self._visitor.close()
            self._visitor = None

    def folder(self, backend: Backend) -> str:
        """Return where a workflow's command runs on a backend that says no other folder."""
        return str(self._config.source.parent) if backend.workers else "~"

    def visit(
        self, backend: Backend, queries: Sequence[Query], *, within: timedelta = SHORT_TIME
    ) -> BatchReport:
        """Have shell text run on a backend's login node; the report may be one of an error."""
        return self._send(backend, within, queries=tuple(queries))

    def ask(
        self,
        backend: Backend,
        text: str,
        *,
        git: GitClone | None = None,
        within: timedelta = SHORT_TIME,
    ) -> Said:
        """Have shell text run on a backend's login node and return what it said.

        For the workers it is run on this machine. The deploy key of ``git`` goes along.
        HopperError where there is no answer.
        """
        key = git.deploy_key if git is not None else None
        if key is not None and not key.is_file():
            raise UsageError(f"there is no deploy key {key}")
        if backend.workers:
            return here.run(text, key=key, within=within)
        uploads = ((str(key), shell.KEY_NAME),) if key is not None else ()
        query = Query(name=QUESTION, shell=text)
        report = answered(self._send(backend, within, queries=(query,), uploads=uploads), backend)
        said = dict(report.answers).get(QUESTION)
        if said is None:
            trouble = next((text for _, text in report.troubles), "it gave no answer")
            raise HopperError(f"{backend.name}: {trouble}")
        return said

    def log(self, backend: Backend, log: ReadBatchLog) -> BatchReport:
        """Read a part of an attempt's log; the report may be one of an error."""
        return self._send(backend, SHORT_TIME, log=log)

    def _send(
        self,
        backend: Backend,
        within: timedelta,
        *,
        queries: tuple[Query, ...] = (),
        uploads: tuple[tuple[str, str], ...] = (),
        log: ReadBatchLog | None = None,
    ) -> BatchReport:
        if self._visitor is None:
            self._visitor = visiting.Visitor(self._config)
        target = systems(self._config).targets().get(backend.name)
        if target is None:
            raise UsageError(
                f"the backend {backend.name} is the workers, which run no batch system",
                way_out="use 'hopper workers' and 'hopper submit' for them",
            )
        seconds = (within + MARGIN).total_seconds()
        order = BatchOrder(
            id=f"ask-{secrets.token_hex(4)}",
            host=target.host,
            backend=backend.name,
            program=target.program,
            work_dir=target.work_dir,
            query_timeout=int(within.total_seconds()),
            queries=queries,
            uploads=uploads,
            log=log,
            deadline=seconds,
        )
        return self._visitor.ask(order, timeout=seconds + MARGIN.total_seconds())


def answered(report: BatchReport, backend: Backend) -> BatchReport:
    """Return the report of a backend that could be reached; HopperError for another."""
    if report.error:
        raise HopperError(
            f"no contact with {backend.name}: {report.error}",
            way_out=way_back(report.error, backend.name),
        )
    return report


def way_back(said: str, backend: str) -> str:
    """Return what to do about a backend that could not be asked, by what was said of it."""
    text = said.lower()
    found = (way for mark, way in _WAYS_BACK if mark.lower() in text)
    return next(found, "can you log in there with ssh?").format(backend)


def find_backend(config: HopperConfig, name: str | None, *, workers: bool = False) -> Backend:
    """Return the backend of that name, or the only one there is. UsageError.

    ``workers``: it may be the workers, else only a batch system.
    """
    fit = [backend for backend in config.backends if workers or not backend.workers]
    known = {backend.name: backend for backend in fit}
    if name is None:
        if len(known) == 1:
            return next(iter(known.values()))
        names = ", ".join(known)
        what = f"say which of {names}" if names else "add one to 'backends:' in the config"
        raise UsageError("it is not said on which backend this is to run", way_out=what)
    if name not in known:
        if any(backend.name == name for backend in config.backends):
            raise UsageError(
                f"the backend {name} is the workers, which run no batch system",
                way_out="see 'hopper workers list'",
            )
        raise NotThere(
            f"there is no backend {name!r} in {config.source}", way_out="see 'hopper backend list'"
        )
    return known[name]
