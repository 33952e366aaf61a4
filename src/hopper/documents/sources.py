"""Sources as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopper.documents.values import Json, iso

if TYPE_CHECKING:
    from hopper.config.workflows import Source
    from hopper.operations.sources import Synced
if TYPE_CHECKING:
    from hopper.config.workflows import Source
    from hopper.operations.sources import Synced


def source_document(source: Source, seen: Synced | None) -> Json:
    """Return a source as it was last seen."""
    return {
        "name": source.name,
        "type": str(source.type),
        "backend": source.backend,
        "where": source.url or source.path,
        "branch": source.branch if source.url else None,
        "glob": source.workflows_glob,
        "description": source.description,
        "synced_at": iso(seen.at) if seen is not None else None,
        "sha": seen.sha or None if seen is not None else None,
        "files": list(seen.files) if seen is not None else [],
        "more_files": seen.more if seen is not None else False,
        "error": seen.error or None if seen is not None else None,
    }


def file_document(source: Source, file: str) -> Json:
    """Return a workflow file of a source."""
    return {
        "workflow": f"{source.name}:{file}",
        "source": source.name,
        "file": file,
        "backend": source.backend,
    }
