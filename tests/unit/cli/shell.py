"""Runs hopper's command line in this process, as a person at a pipe would."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from hopper.cli import main


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Call it with a command's words."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._patch = patch

    def __call__(self, *words: str, code: int = 0) -> Said:
        self._patch.setattr(sys, "argv", ["hopper", *words])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = self._capsys.readouterr()
        said = Said(code=int(leaving.value.code or 0), out=out, err=err)
        assert said.code == code, said
        assert "Traceback" not in err
        return said
