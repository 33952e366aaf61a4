"""Renders the script that a batch system runs for one attempt.

What it leaves in the attempt's side folder: ``run/`` (made first; an attempt runs at most once),
``started`` (``EPOCH NATIVE_ID NODE``), ``exit`` (``CODE EPOCH``, then blanks), ``log.out`` and
``log.err`` (the batch system's own, or of ``local``), ``output/`` (what the task puts there).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from hopper.errors import HopperError
from hopper.remote.quoting import quote

WORKER_TEMPLATE = "worker.sh.j2"
ARRAY_TEMPLATE = "array.sh.j2"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


def render(
    templates: Path,
    template: str,
    *,
    hopper_side: str,
    attempt: str,
    directives: Sequence[str],
    log_variables: Mapping[str, str],
    command: str,
    working_dir: str = "~",
    variables: Mapping[str, str] | None = None,
    init: str = "",
    output_file: str = "",
    error_file: str = "",
    login_shell: bool = False,
    array: str = "",
    array_index: int = 0,
    array_log: str = "",
) -> str:
    """Return the submission script, or, of a member of a job array, what its index runs.

    Args:
        templates: the folder of the script templates (``roles/batch_submit/templates``).
        template: the backend's ``template``.
        hopper_side: the attempt's side folder there; a leading ``~`` is expanded by the script.
        attempt: the attempt's id.
        directives: the backend's lines, safe as they are.
        log_variables: the backend's bash expressions ``native`` and ``node``.
        command: lines of bash; DOS line ends become plain ones.
        working_dir: where the command starts; ``~`` is expanded.
        variables: environment variables, exported in their order after ``init``.
        init: lines of bash before the command.
        output_file: where the command's standard output goes, relative to ``working_dir``.
        error_file: the same for standard error.
        login_shell: whether bash reads the login files.
        array: the id of the attempt's job array; empty for none.
        array_index: its index there.
        array_log: the path without suffix of what the system keeps of its output.

    Raises:
        HopperError: a variable has no name that a shell takes, a text holds a NUL byte, or a
            template is missing or broken.
    """
    return _render(
        templates,
        template,
        variables or {},
        hopper_side=hopper_side,
        attempt=attempt,
        directives=directives,
        log_variables=log_variables,
        command=_lines(command, "the command"),
        working_dir=working_dir or "~",
        init=_lines(init, "init"),
        output_file=output_file,
        error_file=error_file,
        login_shell=login_shell,
        array=array,
        array_index=array_index,
        array_log=array_log,
    )


def render_array(
    templates: Path,
    *,
    hopper_side: str,
    array: str,
    directives: Sequence[str],
    index: str,
    login_shell: bool,
) -> str:
    """Return the submission script of a job array, which starts ``tasks/INDEX.sh``.

    ``hopper_side`` is the array's own folder, ``array`` its id, ``index`` the backend's bash
    expression of that name; the rest and the errors are ``render``'s.
    """
    return _render(
        templates,
        ARRAY_TEMPLATE,
        {},
        hopper_side=hopper_side,
        array=array,
        directives=directives,
        index=index,
        login_shell=login_shell,
    )


def render_for_worker(
    templates: Path,
    *,
    attempt: str,
    command: str,
    working_dir: str,
    variables: Mapping[str, str],
    init: str,
    output_file: str,
    error_file: str,
    login_shell: bool,
) -> str:
    """Return the ``run_job.sh`` of a task in a zip; the arguments and errors are ``render``'s.

    A relative ``working_dir`` is below ``work`` beside the script, and is made there. The log and
    what the task puts into its output folder are in ``task`` beside it.
    """
    return _render(
        templates,
        WORKER_TEMPLATE,
        variables,
        attempt=attempt,
        command=_lines(command, "the command"),
        working_dir=working_dir,
        own_folder="." if working_dir.startswith(("/", "~")) else working_dir,
        init=_lines(init, "init"),
        output_file=output_file,
        error_file=error_file,
        login_shell=login_shell,
    )


def _render(templates: Path, template: str, variables: Mapping[str, str], **values: object) -> str:
    for name in variables:
        if not _VARIABLE.match(name):
            raise HopperError(
                f"{name!r} is no name for an environment variable",
                way_out="use letters, digits and underscores, no digit first",
            )
    try:
        made = _environment(templates).get_template(template)
        return made.render(variables=variables, **values)
    except TemplateError as error:
        raise HopperError(
            f"the script template {templates / template} cannot be used: "
            f"{type(error).__name__}: {error}",
            way_out="reinstall hopper, or mend the template",
        ) from error


def _lines(text: str, what: str) -> str:
    if "\0" in text:
        raise HopperError(f"{what} holds a NUL byte and cannot go to a shell")
    return text.replace("\r\n", "\n")


def _quote(value: str) -> str:
    """Quote; Slurm refuses a script that holds a DOS line end, even in a value: keep them apart."""
    return quote(value).replace("\r\n", "\r''\n")


@lru_cache(maxsize=4)
def _environment(templates: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 # shell text, where every value goes through quote
    )
    environment.filters["quote"] = _quote
    return environment
