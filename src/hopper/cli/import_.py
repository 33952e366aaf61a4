"""``hopper import``: a jobhopper's or a scripthut's config becomes hopper's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hopper.cli.common import examples, json_option, print_json
from hopper.config.load import FILE_NAME, load, read_bytes
from hopper.config.yaml_text import parse_mapping
from hopper.documents.words import printable
from hopper.errors import UsageError

if TYPE_CHECKING:
    from hopper.config.jobhopper import Converted
    from hopper.operations.takeover import Taken


@click.command(epilog=examples("hopper import jobhopper.yaml", "hopper import scripthut.yaml"))
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def command(ctx: click.Context, *, file: Path, as_json: bool) -> None:
    """Take over a jobhopper's config, workers and open jobs, or a scripthut's config.

    Which it is, its keys tell. Stop the jobhopper first. Writes hopper.yaml and a jobhopper's
    inventory beside FILE, never over others; queued jobs become pending, running ones are
    followed and their results collected. The import may be repeated. JSON: config, inventory
    (null for a scripthut), warnings, and jobs with job_id, hopper_id, ok, said.
    """
    from hopper.config.jobhopper import INVENTORY_NAME
    from hopper.operations.takeover import take_over

    converted = _converted(file)
    texts = {file.parent / FILE_NAME: converted.yaml_text}
    if converted.inventory_yaml_text:
        texts[file.parent / INVENTORY_NAME] = converted.inventory_yaml_text
    for path, text in texts.items():
        _refuse_other(path, text)
    for path, text in texts.items():
        _write_new(path, text)
    taken = list(take_over(load(file.parent / FILE_NAME), converted.open_jobs))
    if as_json:
        print_json(
            {
                "config": str(file.parent / FILE_NAME),
                "inventory": next((str(path) for path in texts if path.name != FILE_NAME), None),
                "warnings": list(converted.warnings),
                "jobs": [_document(job) for job in taken],
            }
        )
    else:
        for path in texts:
            click.echo(f"wrote {path}")
        for warning in converted.warnings:
            click.echo(printable(f"note: {warning}"), err=True)
        _tell(taken, jobhopper=len(texts) > 1)
    ctx.exit(0 if all(job.ok for job in taken) else 1)


def _converted(file: Path) -> Converted:
    from hopper.config import jobhopper, scripthut

    raw, _ = parse_mapping(read_bytes(file), str(file))
    return scripthut.convert(file) if scripthut.is_scripthut(raw) else jobhopper.convert(file)


def _tell(taken: list[Taken], *, jobhopper: bool) -> None:
    for job in taken:
        name = f"{job.hopper_id} ({job.job_id[:12]})" if job.hopper_id else job.job_id[:12]
        click.echo(printable(f"{name}: {job.said}"), err=not job.ok)
    beside = "; jobhopper must not run beside it" if jobhopper else ""
    click.echo(f"\nNext: 'hopper doctor', then 'hopper dispatch'{beside}")


def _document(job: Taken) -> dict[str, object]:
    return {"job_id": job.job_id, "hopper_id": job.hopper_id, "ok": job.ok, "said": job.said}


def _refuse_other(path: Path, text: str) -> None:
    try:
        there = path.read_bytes()
    except FileNotFoundError:
        return
    if there != text.encode():
        raise UsageError(f"{path} is there already", way_out="move it away, then import again")


def _write_new(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return  # with the same content: an import that is repeated
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
