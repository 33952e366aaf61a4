from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hopper.config.model import HopperConfig
from hopper.errors import HopperError
from hopper.home.files import HomeTrouble, MissingZip
from hopper.home.folders import FOLDER_OF, Folders
from hopper.home.queue import ChangedZip
from hopper.model.job import Job, JobSpec
from hopper.model.states import JobState

NOW = datetime(2024, 5, 1, tzinfo=UTC)
OLD = 1_700_000_000.0
"""When old files were written; the clock on the wall is an hour later."""
WALL = OLD + 3600


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    config = HopperConfig.model_validate({}, context={"base": tmp_path})
    folders = Folders(config.paths, settle_seconds=5)
    folders.make()
    return folders


def job(state: JobState = JobState.PENDING, content: bytes = b"zip") -> Job:
    return Job(
        id="j-123456",
        spec=JobSpec(name="j"),
        state=state,
        submitted_at=NOW,
        zip_name="j-123456.zip",
        zip_size=len(content),
        zip_sha256=hashlib.sha256(content).hexdigest(),
    )


def drop(folders: Folders, name: str, content: bytes = b"zip", written: float = WALL) -> Path:
    path = folders.paths.queue / name
    path.write_bytes(content)
    os.utime(path, (written, written))
    return path


def settled(folders: Folders, at: float, known: tuple[str, ...] = ()) -> list[str]:
    return [found.name for found in folders.queue.settled(at, WALL + at, known=known.__contains__)]


def awaited(folders: Folders) -> float | None:
    return folders.queue.next_settle


def everywhere(folders: Folders) -> dict[str, bytes]:
    return {
        f"{name}/{path.name}": path.read_bytes()
        for name in ("queue", "running", "done", "failed")
        for path in getattr(folders.paths, name).iterdir()
    }


def test_they_are_made_for_their_owner_only(folders: Folders) -> None:
    folders.make()
    for name in ("queue", "running", "done", "failed", "inbox", "db"):
        assert stat.S_IMODE(getattr(folders.paths, name).stat().st_mode) == 0o700
    assert folders.paths.log.parent.is_dir()
    assert folders.free_bytes() > 0


def test_a_folder_that_is_a_file(folders: Folders) -> None:
    folders.paths.done.rmdir()
    folders.paths.done.touch()
    with pytest.raises(HomeTrouble, match="cannot make the folder"):
        folders.make()


@pytest.mark.parametrize("begin", ["queue", "running", "done", "failed"])
@pytest.mark.parametrize("state", list(JobState))
def test_every_state_has_its_folder(folders: Folders, state: JobState, begin: str) -> None:
    (getattr(folders.paths, begin) / "j-123456.zip").write_bytes(b"zip")
    assert folders.find(job(state)) is not None
    path = folders.place(job(state))
    assert (
        path
        == folders.place(job(state))
        == folders.find(job(state))
        == folders.path_for(job(state))
    )
    assert everywhere(folders) == {f"{FOLDER_OF[state]}/j-123456.zip": b"zip"}


def test_the_new_name_is_durable_before_the_old_one_goes(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folders, "j-123456.zip")
    happened: list[str] = []
    for name in ("link", "fsync", "unlink"):
        call = getattr(os, name)

        def recording(
            *args: object, _call: object = call, _name: str = name, **more: object
        ) -> None:
            happened.append(_name)
            assert callable(_call)
            _call(*args, **more)

        monkeypatch.setattr(os, name, recording)
    folders.place(job(JobState.RUNNING))
    assert happened[:3] == ["link", "fsync", "unlink"]


def test_a_zip_that_is_nowhere(folders: Folders) -> None:
    assert folders.find(job()) is None
    with pytest.raises(MissingZip, match="j-123456"):
        folders.place(job())
    for name in ("", "..", "a/b.zip"):
        with pytest.raises(MissingZip, match="has no zip at home"):
            folders.place(replace(job(), zip_name=name))


def test_another_file_under_the_jobs_name_keeps_its_content(folders: Folders) -> None:
    (folders.paths.queue / "j-123456.zip").write_bytes(b"zip")
    (folders.paths.running / "j-123456.zip").write_bytes(b"stranger")
    folders.place(job(JobState.RUNNING))
    assert everywhere(folders) == {
        "running/j-123456.zip": b"zip",
        "running/j-123456.1.zip": b"stranger",
    }


def test_a_second_file_of_the_name_elsewhere_is_left(folders: Folders) -> None:
    (folders.paths.running / "j-123456.zip").write_bytes(b"zip")
    (folders.paths.done / "j-123456.zip").write_bytes(b"stranger")
    folders.place(job(JobState.RUNNING))
    assert everywhere(folders) == {
        "running/j-123456.zip": b"zip",
        "done/j-123456.zip": b"stranger",
    }


def test_the_reason_goes_with_the_failure(folders: Folders) -> None:
    drop(folders, "j-123456.zip")
    failed = job(JobState.FAILED)
    folders.write_reason(failed, "exit code 1\x80\udcff")
    folders.place(failed)
    reason = folders.paths.failed / "j-123456.zip.reason.txt"
    assert reason.read_text() == "exit code 1\x80\\udcff\n"
    folders.place(job(JobState.PENDING))
    assert everywhere(folders) == {"queue/j-123456.zip": b"zip"}


# ---------------------------------------------------------------- dropped zips


def test_a_zip_is_taken_when_it_has_settled(folders: Folders) -> None:
    path = drop(folders, "a.zip", written=WALL + 100)
    assert settled(folders, 10) == []
    assert folders.queue.next_settle == 15
    assert settled(folders, 14.9) == []
    path.write_bytes(b"zipzip")
    os.utime(path, (WALL + 100, WALL + 100))
    assert settled(folders, 15) == []
    assert folders.queue.next_settle == 20
    assert settled(folders, 20) == ["a.zip"]
    assert awaited(folders) is None
    assert settled(folders, 21) == ["a.zip"]


def test_a_touch_or_another_file_begins_anew(folders: Folders) -> None:
    path = drop(folders, "a.zip", written=WALL + 100)
    assert settled(folders, 0) == []
    os.utime(path, (WALL + 101, WALL + 101))
    assert settled(folders, 5) == []
    other = drop(folders, ".new", written=WALL + 101)
    other.rename(path)
    assert settled(folders, 9) == []
    assert settled(folders, 14) == ["a.zip"]


def test_old_zips_are_taken_at_once_oldest_first(folders: Folders) -> None:
    drop(folders, "b.zip", written=OLD)
    drop(folders, "c.ZIP", written=OLD - 1)
    drop(folders, "a.zip", written=OLD)
    assert settled(folders, 0) == ["c.ZIP", "a.zip", "b.zip"]


def test_without_a_settle_time_all_is_taken_at_once(folders: Folders) -> None:
    folders.queue.settle_seconds = 0
    drop(folders, "a.zip", written=WALL + 1)
    assert settled(folders, 0) == ["a.zip"]


def test_what_is_no_dropped_zip(folders: Folders) -> None:
    for name in (".a.zip", "a.txt", "zip", "j-1.zip"):
        drop(folders, name, written=OLD)
    (folders.paths.queue / "d.zip").mkdir()
    (folders.paths.queue / "l.zip").symlink_to("a.txt")
    os.mkfifo(folders.paths.queue / "p.zip")
    assert settled(folders, 0, known=("j-1.zip",)) == []


def test_a_zip_dropped_after_a_quiet_time_is_seen(folders: Folders) -> None:
    os.utime(folders.paths.queue, (OLD, OLD))
    assert settled(folders, 0) == []
    assert settled(folders, 1) == []
    drop(folders, "a.zip", written=OLD)
    assert settled(folders, 2) == ["a.zip"]


def test_a_quiet_queue_is_not_read_again(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(folders.paths.queue, (OLD, OLD))
    assert settled(folders, 0) == []
    monkeypatch.setattr(os, "scandir", None)
    assert settled(folders, 1) == []


def test_two_changes_within_one_time_of_the_folder_are_both_seen(folders: Folders) -> None:
    os.utime(folders.paths.queue, (WALL, WALL))
    assert settled(folders, 0) == []
    drop(folders, "a.zip", written=OLD)
    os.utime(folders.paths.queue, (WALL, WALL))
    assert settled(folders, 0) == ["a.zip"]


@pytest.mark.parametrize(
    "name",
    [b"a b.zip", b"-rf.zip", b"a\nb.zip", b"$(id)'\".zip", b"\xff\xfe.zip", "é漢.zip".encode()],
)
def test_hostile_names_are_claimed(folders: Folders, name: bytes) -> None:
    drop(folders, os.fsdecode(name), written=OLD)
    (found,) = folders.queue.settled(0, WALL, known=lambda _: False)
    assert os.fsencode(found.name) == name
    target = folders.queue.claim(found, "j-1.zip")
    assert folders.queue.claim(found, "j-1.zip") == target
    assert everywhere(folders) == {"queue/j-1.zip": b"zip"}
    assert settled(folders, 0, known=("j-1.zip",)) == []


def test_a_zip_that_changed_since_is_not_claimed(folders: Folders) -> None:
    path = drop(folders, "a.zip", written=OLD)
    (found,) = folders.queue.settled(0, WALL, known=lambda _: False)
    path.write_bytes(b"more")
    with pytest.raises(ChangedZip):
        folders.queue.claim(found, "j-1.zip")
    path.unlink()
    with pytest.raises(ChangedZip):
        folders.queue.claim(found, "j-1.zip")


def test_a_claim_does_not_overwrite(folders: Folders) -> None:
    drop(folders, "a.zip", written=OLD)
    drop(folders, "j-1.zip", b"other", written=OLD)
    found = next(
        f for f in folders.queue.settled(0, WALL, known=lambda _: False) if f.name == "a.zip"
    )
    with pytest.raises(HomeTrouble):
        folders.queue.claim(found, "j-1.zip")
    assert everywhere(folders) == {"queue/a.zip": b"zip", "queue/j-1.zip": b"other"}


def test_a_claim_that_was_cut_off_makes_no_second_job(folders: Folders) -> None:
    path = drop(folders, "a.zip", written=OLD)
    os.link(path, folders.paths.queue / "j-1.zip")
    # Before the job was recorded: one of the two names; after: none, and the old name goes.
    assert settled(folders, 0) == ["a.zip"]
    assert settled(folders, 0, known=("j-1.zip",)) == []
    assert everywhere(folders) == {"queue/j-1.zip": b"zip"}


def test_a_link_kept_elsewhere_is_none_of_our_business(folders: Folders, tmp_path: Path) -> None:
    path = drop(folders, "a.zip", written=OLD)
    os.link(path, tmp_path / "mine.zip")
    drop(folders, "j-1.zip", written=OLD)
    assert settled(folders, 0, known=("j-1.zip",)) == ["a.zip"]


# ---------------------------------------------------------------- refused zips


def test_a_refused_zip_and_its_reason(folders: Folders) -> None:
    for content in (b"1", b"2"):
        drop(folders, "a.zip", content, written=OLD)
        (found,) = folders.queue.settled(0, WALL, known=lambda _: False)
        folders.reject(found, f"wrong {content!r}")
    assert everywhere(folders) == {
        "failed/a.zip": b"1",
        "failed/a.zip.reason.txt": b"wrong b'1'\n",
        "failed/a.1.zip": b"2",
        "failed/a.1.zip.reason.txt": b"wrong b'2'\n",
    }


def test_a_refused_zip_of_a_long_name(folders: Folders) -> None:
    name = "é" * 125 + ".zip"
    drop(folders, name, written=OLD)
    (found,) = folders.queue.settled(0, WALL, known=lambda _: False)
    path = folders.reject(found, "wrong")
    assert path.with_name(path.name + ".reason.txt").read_text() == "wrong\n"


def test_a_refused_job(folders: Folders) -> None:
    drop(folders, "j-123456.zip")
    folders.reject(job(), "gone wrong")
    folders.reject(job(), "gone wrong")
    assert everywhere(folders) == {
        "failed/j-123456.zip": b"zip",
        "failed/j-123456.zip.reason.txt": b"gone wrong\n",
    }
    (folders.paths.failed / "j-123456.zip").unlink()
    with pytest.raises(MissingZip):
        folders.reject(job(), "gone")


# ---------------------------------------------------------------- copies


def test_a_zip_is_brought_in_whole(folders: Folders, tmp_path: Path) -> None:
    source = tmp_path / "mine.zip"
    source.write_bytes(b"zip")
    assert folders.queue.bring_in(source, "j-1.zip").read_bytes() == b"zip"
    assert folders.queue.bring_in(source, "j-1.zip").read_bytes() == b"zip"
    source.write_bytes(b"another")
    with pytest.raises(HomeTrouble, match="File exists"):
        folders.queue.bring_in(source, "j-1.zip")
    with pytest.raises(HomeTrouble, match="not a regular file"):
        folders.queue.bring_in(tmp_path, "j-2.zip")
    assert everywhere(folders) == {"queue/j-1.zip": b"zip"}


def test_a_full_disk_is_told_and_leaves_nothing(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.zip").write_bytes(b"zip")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(HopperError, match="No space left on device; make room"):
            folders.queue.bring_in(tmp_path / "mine.zip", "j-1.zip")
    assert everywhere(folders) == {}
    folders.queue.bring_in(tmp_path / "mine.zip", "j-1.zip")


def test_halves_of_old_copies_go(folders: Folders) -> None:
    half = folders.paths.queue / ".j-1.zip.moving"
    half.write_bytes(b"zi")
    made = half.stat().st_ctime
    folders.purge_leftovers(made + 3600)
    assert half.exists()
    folders.purge_leftovers(made + 90_000)
    assert not half.exists()


def test_a_real_move_to_another_file_system(folders: Folders, tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is no other file system here")
    with tempfile.TemporaryDirectory(dir=other) as far:
        paths = folders.paths.model_copy(update={"running": Path(far)})
        apart = Folders(paths, settle_seconds=5)
        drop(folders, "j-123456.zip", written=OLD)
        path = apart.place(job(JobState.RUNNING))
        assert everywhere(apart) == {"running/j-123456.zip": b"zip"}
        assert path.stat().st_mtime == OLD
        # A crash before the first name went.
        drop(folders, "j-123456.zip", written=OLD)
        apart.place(job(JobState.RUNNING))
        assert everywhere(apart) == {"running/j-123456.zip": b"zip"}
        apart.place(job(JobState.PENDING))
        assert everywhere(apart) == {"queue/j-123456.zip": b"zip"}
