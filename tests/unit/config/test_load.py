from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from hopper.config.dispatch import TransferMode
from hopper.config.load import InvalidConfig, load, locate
from hopper.config.model import HopperConfig
from hopper.errors import ConfigError

SEED = """
paths:
  inbox: "./state/inbox"
  queue: "./state/queue"
  running: "./state/running"
  done: "./state/done"
  failed: "./state/failed"
  db: "./state/db"
  log: "./state/jobhopper.log"
poll: {interval_seconds: 7, settle_seconds: 0}
dispatch:
  ssh_options: "-o BatchMode=yes"
  transfer_mode: "rsync"
  remote_unpack_dirname: "work"
  launch:
    command_template: "cd {extract_dir} && bash run_job.sh '{job_id}'"
workers:
  - {name: worker-a, host: 10.0.0.21, user: alice, inbox_dir: /home/a/In, outbox_dir: /home/a/Out}
  - {name: worker-b, host: 10.0.0.22, inbox_dir: ~/In, outbox_dir: ~/Out, slots: 2, tags: gpu}
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "hopper.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaint(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(folder))


def test_all_keys_of_jobhopper(tmp_path: Path) -> None:
    config = load(write(tmp_path, SEED))
    assert config.source == tmp_path / "hopper.yaml"
    assert config.paths.inbox == tmp_path / "state/inbox"
    assert config.poll.interval_seconds == 7
    assert config.dispatch.transfer_mode is TransferMode.RSYNC
    assert config.dispatch.remote_unpack_dirname == "work"
    assert config.dispatch.launch.needs_run_job
    assert "${HOPPER_EXTRACT_DIR}" in config.dispatch.launch.shell_line
    first, second = config.workers
    assert first.host_variables() == {
        "ansible_host": "10.0.0.21",
        "ansible_user": "alice",
        "hopper_inbox": "/home/a/In",
        "hopper_outbox": "/home/a/Out",
    }
    assert second.host_variables()["hopper_slots"] == 2
    assert second.tags == {"gpu"}


def test_the_defaults(tmp_path: Path) -> None:
    config = load(write(tmp_path, "poll:\n"))
    assert config.inventory == ()
    assert config.paths.db == tmp_path / "state/db"
    assert config.poll.settle_seconds == 5
    dispatch = config.dispatch
    assert dispatch.transfer_mode == "scp"
    assert dispatch.max_concurrent is None
    assert dispatch.time_limit is None
    assert dispatch.lost_after is None
    assert dispatch.backoff.first == timedelta(seconds=30)
    assert dispatch.quarantine.longest == timedelta(hours=6)
    assert dispatch.inline_limit == 1_000_000
    assert config.zips.max_size == 20 * 10**9
    assert config.disk.home_low == 10**9


def test_it_is_frozen(tmp_path: Path) -> None:
    config = load(write(tmp_path, SEED))
    with pytest.raises(ValidationError):
        config.poll.interval_seconds = 3  # type: ignore[misc]


def test_relative_paths_start_at_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.setenv("HOME", "/home/somebody")
    path = write(
        tmp_path / "sub",
        "inventory: [hosts.yml, ../other, 'h1,h2', ~/inv, /etc/hosts.ini]\n"
        "paths: {queue: ~/queue, inbox: ../inbox, done: /srv/done}\n",
    )
    monkeypatch.chdir(tmp_path)
    config = load(Path("sub/hopper.yaml"))
    assert config.source == path
    assert config.inventory == (
        str(tmp_path / "sub/hosts.yml"),
        str(tmp_path / "other"),
        "h1,h2",
        "/home/somebody/inv",
        "/etc/hosts.ini",
    )
    assert config.paths.queue == Path("/home/somebody/queue")
    assert config.paths.inbox == tmp_path / "inbox"
    assert config.paths.done == Path("/srv/done")


def test_which_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate(Path("x"), {"HOPPER_CONFIG": "y"}) == Path("x")
    assert locate(None, {"HOPPER_CONFIG": "y"}) == Path("y")
    assert locate(None, {}) == Path("hopper.yaml")
    write(tmp_path, SEED)
    monkeypatch.chdir(tmp_path)
    assert load().poll.interval_seconds == 7
    monkeypatch.setenv("HOPPER_CONFIG", "elsewhere.yaml")
    with pytest.raises(ConfigError, match=r"no config elsewhere\.yaml.*hopper init"):
        load()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dispatch:\n  retrys: 3", ":2: dispatch.retrys is not a key; did you mean dispatch.retr"),
        ("clusters: []", "'hopper import FILE' converts a config of ScriptHut"),
        ("backends: here", "backends must be a list, not 'here'"),
        ("retries: 3", ":1: retries is not a key; did you mean dispatch.retries?"),
        ("a: {}\n", "is not a key; the keys here are inventory, paths"),
        ("dispatch: {launch: {template: x}}", "did you mean dispatch.launch.command_template?"),
        ("poll:\n  interval_seconds: 0", ":2: poll.interval_seconds: input should be gr"),
        ("poll: {settle_seconds: -1}", "poll.settle_seconds"),
        ("poll: {interval_seconds: .nan}", "poll.interval_seconds"),
        ("poll: 5", "poll must hold keys of its own, not 5"),
        ("dispatch: {transfer_mode: ftp}", "dispatch.transfer_mode"),
        ("dispatch: {time_limit: soon}", "dispatch.time_limit: 'soon' is not a duration"),
        ("dispatch: {time_limit: 0}", "dispatch.time_limit: it must be more than nothing"),
        ("dispatch: {bulk_limit: 5 M}", "is not a size"),
        ("dispatch: {inline_limit: 2 MB, bulk_limit: 1 MB}", "inline_limit is above"),
        ("dispatch: {remote_unpack_dirname: ../x}", "one folder name"),
        ("dispatch: {remote_unpack_dirname: ..}", "one folder name"),
        ("dispatch: {ssh_options: \"-o 'x\"}", "cannot be split"),
        ("dispatch: {workers_group: '-x'}", "one word"),
        ("dispatch: {launch: {command_template: 'cd {dir}'}}", "{dir} is no placeholder"),
        ("dispatch: {launch: {command_template: 'cd ${HOME}'}}", "write ${{HOME}}"),
        ("paths: {queue: x, done: ./x}", "paths.done and paths.queue are both"),
        ("paths: {queue: 5}", "paths.queue: 5 is not a path"),
        ("paths: {queue: ''}", "cannot be empty"),
        ("inventory: {a: b}", "inventory"),
        ("workers: [{name: a, host: h, inbox_dir: /i, outbox_dir: /i/}]", "the same folder"),
        ("workers: [{name: a b, host: h, inbox_dir: /i, outbox_dir: /o}]", "must be a name"),
        ("workers: [{name: a, host: -h, inbox_dir: /i, outbox_dir: /o}]", "one word"),
        ("workers: [{name: a, host: h, inbox_dir: i, outbox_dir: /o}]", "an absolute path"),
        ("workers: [{name: a, inbox_dir: /i, outbox_dir: /o}]", "workers[0].host is missing"),
        ("workers: [{name: a, hots: h, host: h, inbox_dir: /i, outbox_dir: /o}]",
         "workers[0].hots is not a key; did you mean workers[0].host?"),
        ("poll: {}\npoll: {}", ":2: the key poll stands there twice"),
        ("poll: [", ":1: "),
        ("a: b: c", "mapping values are not allowed"),
        ("--- {}\n--- {}", "expected a single document"),
        ("", " is empty; see 'hopper init'"),
        ("# nothing\n", " is empty"),
        ("- a", "holds a list, not keys and values"),
        ("text", "holds a str, not keys and values"),
        ("1: 2", "1"),
        ("poll: !!python/object:os.system {}", "could not determine a constructor"),
        (b"poll: \xff", "is not UTF-8"),
        ("[" * 5000, ""),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(tmp_path: Path, text: str | bytes, says: str) -> None:
    assert says in complaint(tmp_path, text)


def test_all_mistakes_are_known(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"\(and 1 more\)") as caught:
        load(write(tmp_path, "poll: {interval_seconds: 0, settle_second: 1}"))
    assert len(caught.value.problems) == 2


def test_worker_names_are_distinct(tmp_path: Path) -> None:
    worker = "{name: a, host: h, inbox_dir: /i, outbox_dir: /o}"
    assert "the name a is there twice" in complaint(tmp_path, f"workers: [{worker}, {worker}]")


def test_two_names_of_one_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert "are both" in complaint(tmp_path, "paths: {queue: real, done: link}")


def test_a_database_file_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "jobhopper.db").write_bytes(b"SQLite format 3\0")
    told = complaint(tmp_path, "paths:\n  db: jobhopper.db")
    assert ":2: paths.db is a file" in told
    assert "hopper import" in told


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(write(tmp_path, "poll: {}") / "below")
    if os.geteuid():
        path = write(tmp_path, "poll: {}")
        path.chmod(0)
        with pytest.raises(ConfigError, match="cannot be read"):
            load(path)


def test_what_is_shown_can_be_read_back() -> None:
    config = HopperConfig(dispatch={"time_limit": "1h30m", "max_concurrent": "none"})
    shown = config.model_dump(mode="json")
    assert shown["dispatch"]["time_limit"] == "1h30m"
    assert shown["dispatch"]["bulk_limit"] == "64 MB"
    assert HopperConfig.model_validate(shown) == config


def test_base_60_and_dates_are_not_guessed(tmp_path: Path) -> None:
    config = load(write(tmp_path, "dispatch: {time_limit: 1:30:00, keep_failed: 01:00:00}"))
    assert config.dispatch.time_limit == timedelta(minutes=90)
    assert config.dispatch.keep_failed == timedelta(hours=1)
