from __future__ import annotations

from pathlib import Path

from hopper.config.job_file import JobFile
from hopper.config.model import HopperConfig
from hopper.config.reference import reference
from hopper.config.settings import Settings, nested_model

PAGE = Path(__file__).parents[3] / "docs/reference/config.md"


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m hopper.config.reference > docs/reference/config.md"
    )


def undescribed(model: type[Settings]) -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        nested = nested_model(field.annotation)
        if not field.description:
            found.append(name)
        if nested is not None:
            found += undescribed(nested)
    return found


def test_every_key_is_described() -> None:
    assert undescribed(HopperConfig) == []
    assert undescribed(JobFile) == []
