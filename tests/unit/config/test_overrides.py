from __future__ import annotations

from pathlib import Path

import pytest

from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.errors import ConfigError


def loaded(
    folder: Path, text: str = "poll: {}\n", env: str = "", variables: dict[str, str] | None = None
) -> HopperConfig:
    (folder / "hopper.yaml").write_text(text)
    if env:
        (folder / ".env").write_text(env)
    return load(folder / "hopper.yaml", variables or {})


def complaint(folder: Path, text: str, env: str = "", **variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, env, variables)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_process_goes_before_dotenv_and_that_before_the_file(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "poll: {interval_seconds: 1, settle_seconds: 1}\nretention: {days: 1}",
        "HOPPER_POLL__INTERVAL_SECONDS=2\nHOPPER_POLL__SETTLE_SECONDS=2\n",
        {"HOPPER_POLL__INTERVAL_SECONDS": "3"},
    )
    assert config.poll.interval_seconds == 3
    assert config.poll.settle_seconds == 2
    assert config.retention.days == 1


def test_values_are_what_the_key_takes(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        variables={
            "HOPPER_PATHS__INBOX": "here: #1",
            "HOPPER_DISPATCH__SSH_OPTIONS": "-o X=yes",
            "HOPPER_DISPATCH__TIME_LIMIT": "2h",
            "HOPPER_DISPATCH__LAUNCH__COMMAND_TEMPLATE": "cd {extract_dir}",
            "HOPPER_BACKENDS": "[{name: here, type: local}]",
            "HOPPER_PRICING__PARTITIONS": "{a: c5.large}",
            "HOPPER_INVENTORY": "a.yml",
        },
    )
    assert config.paths.inbox == tmp_path / "here: #1"
    assert config.dispatch.ssh_options == "-o X=yes"
    assert str(config.dispatch.time_limit) == "2:00:00"
    assert config.backends[0].name == "here"
    assert config.pricing is not None
    assert config.inventory == (str(tmp_path / "a.yml"),)


def test_the_forms_of_a_dotenv(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        env="# a comment\n\nexport HOPPER_POLL__INTERVAL_SECONDS = 4 # behind\nOTHER=1\njunk\n"
        'HOPPER_DISPATCH__SSH_OPTIONS="-o A=\\"x y\\"" # why\n'
        "HOPPER_PATHS__INBOX='a # b'\nHOPPER_JOB_ID=5\n",
    )
    assert config.poll.interval_seconds == 4
    assert config.dispatch.ssh_options == '-o A="x y"'
    assert config.paths.inbox == tmp_path / "a # b"


def test_somebody_elses_variables_are_left_alone(tmp_path: Path) -> None:
    loaded(tmp_path, variables={"HOPPER_POLL__INTERVALL": "x", "HOPPER_JOB_ID": "y"})


def test_an_alias_of_yaml_changes_in_one_place(tmp_path: Path) -> None:
    text = "dispatch:\n  backoff: &b {first: 1s}\n  quarantine: *b\n"
    config = loaded(tmp_path, text, variables={"HOPPER_DISPATCH__BACKOFF__FIRST": "9s"})
    assert config.dispatch.backoff.first.seconds == 9
    assert config.dispatch.quarantine.first.seconds == 1


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("HOPPER_POLL__INTERVALL_SECONDS=1", "did you mean HOPPER_POLL__INTERVAL_SECONDS?"),
        ("HOPPER_NO__SUCH=1", "is no key of the config"),
        ("HOPPER_POLL__INTERVAL_SECONDS", "not of the form NAME=value"),
        ("HOPPER_POLL__INTERVAL_SECONDS=soon", ".env:1: HOPPER_POLL__INTERVAL_SECONDS: poll."),
        ("HOPPER_WORKFLOWS=[{nam: x}]", ".env:1: HOPPER_WORKFLOWS: workflows[0]."),
    ],
)
def test_slips_in_a_dotenv_are_told(tmp_path: Path, env: str, said: str) -> None:
    assert said in complaint(tmp_path, "poll: {}\n", env)


def test_a_variable_that_cannot_be_is_named(tmp_path: Path) -> None:
    said = complaint(tmp_path, "poll: {}\n", HOPPER_DISPATCH__RETRIES="many")
    assert said.startswith("$HOPPER_DISPATCH__RETRIES: dispatch.retries")


def test_a_dotenv_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff")
    assert "is not UTF-8" in complaint(tmp_path, "poll: {}\n")
