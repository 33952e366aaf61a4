from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from hopper.config.jobhopper import convert
from hopper.config.load import load
from hopper.errors import ConfigError

SEED = """
paths: {inbox: ./state/inbox, queue: ./state/queue, running: ./state/running,
        done: ./state/done, failed: ./state/failed, db: ./state/jobhopper.db,
        log: ./state/jobhopper.log}
poll: {interval_seconds: 10, settle_seconds: 5}
dispatch:
  transfer_mode: rsync
  launch:
    command_template: "cd {extract_dir} && bash run_job.sh '{job_id}' '{zip_name}'"
workers:
  - {name: worker-a, host: 10.0.0.21, user: alice, inbox_dir: /home/a/In, outbox_dir: /home/a/Out}
"""
IDS = [letter * 64 for letter in "abcdef"]
Make = Callable[[sqlite3.Connection, Path], None]


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    for name in ("queue", "running"):
        (tmp_path / "state" / name).mkdir(parents=True)
    path = tmp_path / "jobhopper.yaml"
    path.write_text(SEED)
    return path


def database(seed: Path, make: Make) -> Path:
    path = seed.parent / "state/jobhopper.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        make(connection, seed.parent)
    return path


def likely(connection: sqlite3.Connection, folder: Path) -> None:
    connection.execute("CREATE TABLE events (id INTEGER, job_id TEXT, state TEXT)")
    connection.execute("INSERT INTO events VALUES (1, 'x', 'queued')")
    connection.execute(
        "CREATE TABLE jobs (job_id TEXT, state TEXT, worker TEXT, zip_path TEXT, queued_at TEXT)"
    )
    states = ["running", "queued", "dispatching", "done", "failed", "queued"]
    for number, (job_id, state) in enumerate(zip(IDS, states, strict=True)):
        kind = "queue" if state == "queued" else "running"
        path = folder / "state" / kind / f"{job_id}.zip"
        if number != 5:
            path.write_bytes(b"zip")
        worker = None if state == "queued" else "worker-a"
        row = (job_id, state, worker, str(path), f"2024-01-0{number + 1}")
        connection.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?)", row)


def test_the_config_becomes_one_of_hoppers(seed: Path) -> None:
    converted = convert(seed)
    (seed.parent / "hopper.yaml").write_text(converted.yaml_text)
    (seed.parent / "inventory.yml").write_text(converted.inventory_yaml_text)
    config = load(seed.parent / "hopper.yaml")
    assert config.paths.db == seed.parent / "state/db"
    assert config.paths.log == seed.parent / "state/jobhopper.log"
    assert config.dispatch.transfer_mode == "rsync"
    assert "'\"${HOPPER_JOB_ID}\"'" in config.dispatch.launch.shell_line
    assert config.workers == ()
    hosts = yaml.safe_load(converted.inventory_yaml_text)["hopper_workers"]["hosts"]
    assert hosts["worker-a"] == {
        "ansible_host": "10.0.0.21",
        "ansible_user": "alice",
        "hopper_inbox": "/home/a/In",
        "hopper_outbox": "/home/a/Out",
    }
    assert converted.open_jobs == ()
    assert any("no database" in warning for warning in converted.warnings)


def test_open_jobs_are_found_and_the_file_left_alone(seed: Path) -> None:
    path = database(seed, likely)
    before = path.read_bytes(), sorted(path.parent.iterdir())
    converted = convert(seed)
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == before
    assert [(job.job_id, job.state, job.worker) for job in converted.open_jobs] == [
        (IDS[0], "running", "worker-a"),
        (IDS[1], "queued", ""),
        (IDS[2], "dispatching", "worker-a"),
        (IDS[5], "queued", ""),
    ]
    assert converted.open_jobs[1].zip_path == seed.parent / f"state/queue/{IDS[1]}.zip"
    assert converted.open_jobs[3].zip_path is None
    assert [IDS[5] in warning for warning in converted.warnings] == [True]


def test_a_database_in_use_is_read_with_its_journal(seed: Path) -> None:
    path = seed.parent / "state/jobhopper.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            likely(connection, seed.parent)
        assert Path(f"{path}-wal").stat().st_size
        before = path.read_bytes(), Path(f"{path}-wal").read_bytes()
        assert len(convert(seed).open_jobs) == 4
        assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == before


def other_names(connection: sqlite3.Connection, folder: Path) -> None:
    connection.execute("CREATE TABLE job (ID TEXT, Status TEXT, worker_name TEXT, zip_name TEXT)")
    (folder / "state/running/x.zip").write_bytes(b"zip")
    connection.execute("INSERT INTO job VALUES (?, 'RUNNING', 'w', 'x.zip')", (IDS[0],))


def few_columns(connection: sqlite3.Connection, folder: Path) -> None:
    connection.execute("CREATE TABLE jobs (job_id TEXT PRIMARY KEY, state TEXT) WITHOUT ROWID")
    (folder / f"state/running/{IDS[0]}.zip").write_bytes(b"zip")
    connection.execute("INSERT INTO jobs VALUES (?, 'running')", (IDS[0],))


@pytest.mark.parametrize("make", [other_names, few_columns])
def test_other_names_of_columns_will_do(seed: Path, make: Make) -> None:
    database(seed, make)
    (job,) = convert(seed).open_jobs
    assert (job.job_id, job.state) == (IDS[0], "running")
    assert job.zip_path is not None
    assert job.zip_path.is_file()


def strange(connection: sqlite3.Connection, folder: Path) -> None:
    connection.execute("CREATE TABLE things (a, b)")


def test_an_unknown_schema_is_explained(seed: Path) -> None:
    database(seed, strange)
    converted = convert(seed)
    assert converted.open_jobs == ()
    assert "(its tables: things)" in converted.warnings[0]


def hostile(connection: sqlite3.Connection, folder: Path) -> None:
    connection.execute("CREATE TABLE jobs (job_id TEXT, state TEXT, zip_path TEXT)")
    for job_id in ("../x", "", "a b", "x\ny", None):
        connection.execute("INSERT INTO jobs VALUES (?, 'running', '/etc/passwd')", (job_id,))


def test_hostile_ids_are_left_out(seed: Path) -> None:
    database(seed, hostile)
    converted = convert(seed)
    assert converted.open_jobs == ()
    assert len(converted.warnings) == 5


def test_no_database_at_all(seed: Path) -> None:
    (seed.parent / "state/jobhopper.db").write_bytes(b"not a database, but long enough" * 99)
    converted = convert(seed)
    assert "cannot be read" in converted.warnings[0]


def test_unknown_keys_are_told(seed: Path) -> None:
    seed.write_text(SEED.replace("host:", "shoe_size: 5, host:") + "colour: red\n")
    warnings = "\n".join(convert(seed).warnings)
    assert "colour is no key" in warnings
    assert "worker worker-a: shoe_size was left out" in warnings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: b", "no jobhopper config"),
        ("[]", "not keys and values"),
        (SEED.replace("rsync", "ftp"), "transfer_mode"),
        (SEED.replace("{zip_name}", "{zip}"), "{zip} is no placeholder"),
        (SEED.replace("/home/a/In", "In"), "absolute path"),
    ],
)
def test_a_wrong_config_is_refused(seed: Path, text: str, says: str) -> None:
    seed.write_text(text)
    with pytest.raises(ConfigError) as caught:
        convert(seed)
    assert says in str(caught.value)
