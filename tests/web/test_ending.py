"""``hopper web --dispatch`` as a process, told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hopper.bootstrap.state import dispatching
from hopper.config.load import load
from tests.conftest import Eventually


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_dispatcher_has_ended_when_the_page_has(
    number: signal.Signals, tmp_path: Path, eventually: Eventually
) -> None:
    hopper = (sys.executable, "-m", "hopper")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOPPER_")}
    subprocess.run((*hopper, "init"), cwd=tmp_path, env=environment, check=True, timeout=60)
    config = load(tmp_path / "hopper.yaml")
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen(
            (*hopper, "web", "--dispatch", "--port", "0"),
            cwd=tmp_path,
            env=environment,
            stdout=said,
            stderr=said,
        ) as web,
    ):
        try:
            eventually(lambda: "dispatch started" in (tmp_path / "said").read_text())
            web.send_signal(number)
            code = web.wait(60)
        finally:
            web.kill()
    told = (tmp_path / "said").read_text()
    assert code == 0, told
    assert "dispatch stopped" in told
    assert dispatching(config) is None
