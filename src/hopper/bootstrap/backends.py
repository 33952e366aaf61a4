"""The batch systems that the config names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopper.config.model import HopperConfig

if TYPE_CHECKING:
    from hopper.backends.systems import Systems

SCRIPTS = "scripts"
"""Folder below ``paths.db`` of the scripts that were submitted."""


def systems(config: HopperConfig) -> Systems:
    """Return the batch systems of the config. ConfigError for a kind that nobody knows."""
    from hopper.ansible.content import collection_folder
    from hopper.backends.systems import Systems
    from hopper.backends.zip_jobs import ZipLaunch

    templates = collection_folder() / "roles" / "batch_submit" / "templates"
    dispatch = config.dispatch
    launch = ZipLaunch(
        command=dispatch.launch.shell_line,
        unpack_dirname=dispatch.remote_unpack_dirname,
        time_limit=dispatch.time_limit,
    )
    return Systems(config.backends, templates, config.paths.db / SCRIPTS, launch)
