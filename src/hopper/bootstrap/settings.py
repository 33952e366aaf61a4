"""What of the config each part is started with."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hopper.config.launch_template import DEFAULT_TEMPLATE, shell_line
from hopper.config.model import HopperConfig
from hopper.dispatch.ports import OrderSettings
from hopper.dispatch.settings import BackOff, PolicySettings

if TYPE_CHECKING:
    from hopper.ansible.runs import AnsibleSettings
    from hopper.ansible.sweep import SweepSettings

RUNS = "runs"
"""Folder below ``paths.db`` of the dispatcher's playbook runs."""
LOOKS = "looks"
"""Folder below ``paths.db`` of the runs of commands that only look."""


def ansible_settings(config: HopperConfig) -> AnsibleSettings:
    """Return what every playbook run is started with."""
    from hopper.ansible.runs import AnsibleSettings

    own = config.source.parent / "ansible.cfg"
    dispatch = config.dispatch
    return AnsibleSettings(
        inventory=config.inventory,
        config_file=own if own.is_file() else None,
        ssh_options=dispatch.ssh_options,
        connect_timeout=max(1, int(dispatch.connect_timeout.total_seconds())),
        keep_connections=max(300, int(3 * config.poll.interval_seconds)),
    )


def policy_settings(config: HopperConfig) -> PolicySettings:
    """Return what of the config the policy depends on."""
    dispatch = config.dispatch
    back_off, quarantine = dispatch.backoff, dispatch.quarantine
    return PolicySettings(
        max_concurrent=dispatch.max_concurrent,
        default_time_limit=dispatch.time_limit,
        grace=dispatch.cancel_grace,
        retry=BackOff(
            first=back_off.first,
            factor=back_off.factor,
            longest=back_off.longest,
            jitter=back_off.jitter,
        ),
        quarantine_after=quarantine.after_jobs,
        quarantine=BackOff(first=quarantine.first, longest=quarantine.longest),
        keep_failed=dispatch.keep_failed,
        lost_after=dispatch.lost_after,
        settle_seconds=config.poll.settle_seconds,
        settle_timeout=dispatch.settle_timeout,
        poll_longest=timedelta(seconds=config.poll.interval_seconds),
        bulk_limit=dispatch.bulk_limit,
    )


def order_settings(config: HopperConfig) -> OrderSettings:
    """Return what of the config goes into every order."""
    dispatch = config.dispatch
    template = dispatch.launch
    return OrderSettings(
        command=template.shell_line,
        # A template that runs no run_job.sh is for zips of another make.
        task_command="" if template.needs_run_job else shell_line(DEFAULT_TEMPLATE),
        unpack_dirname=dispatch.remote_unpack_dirname,
        transfer_mode=str(dispatch.transfer_mode),
        inline_limit=dispatch.inline_limit,
        bulk_limit=dispatch.bulk_limit,
        deadline=dispatch.order_timeout,
        home_low=config.disk.home_low,
    )


def sweep_settings(config: HopperConfig, notify: Path | None, name: str = RUNS) -> SweepSettings:
    """Return how sweeps are run; ``name`` is the folder of their runs below ``paths.db``."""
    from hopper.ansible.sweep import SweepSettings

    return SweepSettings(
        ansible=ansible_settings(config),
        folder=config.paths.db / name,
        threads=config.dispatch.threads,
        transfer_mode=str(config.dispatch.transfer_mode),
        notify=notify,
    )
