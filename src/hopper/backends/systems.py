"""The batch systems of a config, as the scheduler needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from hopper.backends.base import Backend, BackendSettings
from hopper.backends.inputs import copied, staged
from hopper.backends.limits import limit_reached
from hopper.backends.registry import backend as make
from hopper.backends.script import render, render_array, render_for_worker
from hopper.backends.zip_jobs import ZipLaunch, as_task
from hopper.config.backends import Backend as BackendConfig
from hopper.dispatch.growing import resources_for
from hopper.errors import HopperError
from hopper.model.attempt import Attempt
from hopper.model.backend import BatchTarget
from hopper.model.batch import Query, Said, Submission
from hopper.model.job import Job
from hopper.model.native import BatchReading, Followed
from hopper.model.run import Run
from hopper.model.task import Task
from hopper.remote.batch_script import PROGRAMS

ZIPS = ZipLaunch()


class Systems:
    """What each batch system is asked, and what its answers mean."""

    def __init__(
        self,
        configs: Sequence[BackendConfig],
        templates: Path,
        scripts: Path,
        zips: ZipLaunch = ZIPS,
    ) -> None:
        """``templates``: the script templates; ``scripts``: where the scripts made are kept."""
        self._workers = {config.name: config for config in configs if config.workers}
        self._configs = {config.name: config for config in configs if not config.workers}
        self._backends = {name: make(settings_of(item)) for name, item in self._configs.items()}
        self._templates = templates
        self._zips = zips
        self._scripts = scripts
        self._targets = {
            name: _target(config, self._backends[name]) for name, config in self._configs.items()
        }

    def targets(self) -> Mapping[str, BatchTarget]:
        """Return the batch systems of the config, by backend."""
        return self._targets

    def script(self, job: Job, attempt: Attempt, run: Run | None) -> str:
        """Return the submission script of an attempt. HopperError where it cannot be written."""
        if not job.backend:
            return self._for_worker(job, attempt, run)
        backend, config = self._backend(attempt.worker), self._configs[attempt.worker]
        task, asked = job.task, resources_for(job, attempt)
        if task is None:
            task = as_task(job, config, self._zips)
            asked = task.resources
        side = _side(config, attempt.id)
        label = f"{run.workflow}.{task.id}" if run is not None else job.name
        directives = (
            [] if attempt.array else backend.directives(label, attempt.id, asked, f"{side}/log")
        )
        return render(
            self._templates,
            backend.template,
            hopper_side=side,
            attempt=attempt.id,
            directives=directives,
            array=attempt.array,
            array_index=attempt.array_index,
            array_log=f"{_side(config, attempt.array)}/log.{attempt.array_index}",
            log_variables=backend.log_variables(),
            command=staged(task) + task.command,
            working_dir=task.working_dir,
            variables=_variables(job, task, attempt),
            init=task.init,
            output_file=task.output_file,
            error_file=task.error_file,
            login_shell=config.login_shell,
        )

    def _for_worker(self, job: Job, attempt: Attempt, run: Run | None) -> str:
        task = job.task
        if task is None:
            raise HopperError(f"{job.id} is a zip, which brings its own script")
        config = self._workers.get(run.backend) if run is not None else None
        return render_for_worker(
            self._templates,
            attempt=attempt.id,
            command=copied(task) + task.command,
            working_dir=task.working_dir,
            variables=_variables(job, task, attempt),
            init=task.init,
            output_file=task.output_file,
            error_file=task.error_file,
            login_shell=config is not None and config.login_shell,
        )

    def worker_script(self, job: Job, run: Run | None) -> str:
        """Return the script of a job's open attempt on a worker, and keep it. HopperError."""
        attempt = job.open_attempt
        if attempt is None:
            raise HopperError(f"{job.id} holds no worker")
        text = self._for_worker(job, attempt, run)
        self._keep(attempt.id, text)
        return text

    def submission(self, job: Job, attempt: Attempt, run: Run | None) -> Submission:
        """Return what hands an attempt in. HopperError where it cannot be written."""
        backend = self._backend(attempt.worker)
        text = self.script(job, attempt, run)
        self._keep(attempt.id, text)
        limit = resources_for(job, attempt).time_limit
        if job.task is None:
            limit = limit or self._zips.time_limit
        return Submission(
            attempt=attempt.id,
            script=text,
            command=backend.submit_command(),
            lookup=backend.lookup_command(attempt.id),
            time_limit=int(limit.total_seconds()) if limit is not None else 0,
            inputs=job.task.input_pairs if job.task is not None else (),
        )

    def array_submission(
        self, members: Sequence[tuple[Attempt, Submission]], job: Job, run: Run | None
    ) -> Submission:
        """Return what hands a job array in. HopperError where it cannot be written."""
        attempt = members[0][0]
        backend, config = self._backend(attempt.worker), self._configs[attempt.worker]
        side = _side(config, attempt.array)
        tasks = {member.array_index: single.script for member, single in members}
        text = render_array(
            self._templates,
            hopper_side=side,
            array=attempt.array,
            directives=backend.array_directives(
                run.workflow if run is not None else job.name,
                attempt.array,
                resources_for(job, attempt),
                f"{side}/log",
                max(tasks),
            ),
            index=backend.log_variables()["index"],
            login_shell=config.login_shell,
        )
        self._keep(attempt.array, text)
        return Submission(
            attempt=attempt.array,
            script=text,
            command=backend.submit_command(),
            lookup=backend.lookup_command(attempt.array),
            tasks=tuple(sorted(tasks.items())),
        )

    def member_id(self, backend: str, native_id: str, index: int) -> str:
        """Return the native id of an array's member from that of the array."""
        return self._backend(backend).member_id(native_id, index)

    def queries(
        self, backend: str, jobs: Sequence[Followed], *, now: datetime, others: bool
    ) -> Sequence[Query]:
        """Return what to ask about these jobs; ``others``: and about all else."""
        return self._backend(backend).queries(jobs, now=now, others=others)

    def read(
        self, backend: str, answers: Mapping[str, Said], jobs: Sequence[Followed]
    ) -> BatchReading:
        """Return what the answers mean."""
        return self._backend(backend).read(answers, jobs)

    def native_id(self, backend: str, said: Said) -> str:
        """Return the native id in what was said to a submission; empty for none."""
        return self._backend(backend).native_id(said)

    def refusal(self, backend: str, said: Said) -> str:
        """Return why a submission was refused; empty where it is not known to have been."""
        return self._backend(backend).refusal(said)

    def limit_reached(self, said: Said) -> str:
        """Return why no more jobs are taken for now; empty where that is not what was said."""
        return limit_reached(said)

    def lookup_command(self, backend: str, attempt: str) -> str:
        """Return shell text that prints the native id of an attempt that may be known."""
        return self._backend(backend).lookup_command(attempt)

    def cancel_command(self, backend: str, native_ids: Sequence[str]) -> str:
        """Return shell text that cancels jobs; empty where they are process groups of ours."""
        return self._backend(backend).cancel_command(native_ids)

    def _backend(self, name: str) -> Backend:
        known = self._backends.get(name)
        if known is None:
            raise HopperError(
                f"there is no backend {name} in the config", way_out="put it back under 'backends:'"
            )
        return known

    def _keep(self, attempt: str, text: str) -> None:
        """Keep what is submitted, for 'hopper run script'."""
        try:
            self._scripts.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = script_path(self._scripts, attempt)
            path.touch(mode=0o600)
            path.write_text(text, "utf-8", errors="surrogateescape")
        except OSError as error:
            raise HopperError(f"cannot keep the script in {self._scripts}: {error}") from error


def script_path(scripts: Path, attempt: str) -> Path:
    """Return where the script of an attempt is kept once it was submitted."""
    return scripts / f"{attempt}.sh"


def settings_of(config: BackendConfig) -> BackendSettings:
    """Return what of a backend's config its commands and scripts depend on."""
    return BackendSettings(
        name=config.name,
        kind=config.type,
        account=config.account,
        queue=config.queue,
        default_partition=config.partition,
        partitions=config.partitions,
        login_shell=config.login_shell,
        dialect=config.dialect or "",
    )


def _side(config: BackendConfig, attempt: str) -> str:
    """Return the side folder of an attempt or a job array."""
    return f"{config.work_dir.rstrip('/')}/{attempt}"


def _target(config: BackendConfig, backend: Backend) -> BatchTarget:
    return BatchTarget(
        name=config.name,
        kind=config.type,
        host=config.inventory_host,
        work_dir=config.work_dir,
        program=PROGRAMS.get(config.type, ""),
        max_concurrent=config.max_concurrent,
        # A backend of another package may not know of arrays.
        array_limit=getattr(backend, "array_limit", 0),
        arrays=config.array == "auto",
        accounts=backend.accounts,
        users=frozenset(config.users),
    )


def _variables(job: Job, task: Task, attempt: Attempt) -> dict[str, str]:
    return {
        "HOPPER_JOB_ID": job.id,
        "HOPPER_TASK_ID": task.id,
        # By this the processes of an attempt are found, wherever they have gone.
        "HOPPER_ATTEMPT_ID": attempt.id,
        **task.variables,
    }
