from __future__ import annotations

import os
import shutil
import socket
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import HopperError, UsageError
from hopper.home.archive import inspect
from hopper.home.pack import pack_command, pack_folder
from tests.unit.home.zips import LIMITS


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "src" / "deep" / "a.py").write_text("print('deep')\n")
    (folder / "src" / "empty").mkdir()
    (folder / "train.py").write_text("import sys; print(sys.argv[1:])\n")
    (folder / "tool.sh").write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    (folder / "tool.sh").chmod(0o4755)
    return folder


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def unpacked(path: Path, folder: Path) -> Path:
    """Unpack as a worker does, modes kept."""
    folder.mkdir()
    subprocess.run(["unzip", "-q", str(path), "-d", str(folder)], check=True)
    return folder


def test_a_command_runs_where_it_is_unpacked(here: Path, tmp_path: Path) -> None:
    packed = pack_command(
        ["python3", "train.py", "--lr", "0.1", "a b", "$(id)", "it's", ""],
        [Path("train.py"), Path("src")],
        "name: x\n",
        tmp_path / "job.zip",
        cwd=here,
    )
    assert set(packed.members) == names(tmp_path / "job.zip") == {
        "run_job.sh", "hopper-job.yaml", "train.py", "src/deep/a.py", "src/empty/",
    }  # fmt: skip
    assert packed.automatic == ()
    facts = inspect(tmp_path / "job.zip", LIMITS, needs_run_job=True)
    assert facts.job_file == b"name: x\n"
    if not shutil.which("unzip"):
        pytest.skip("unzip is not installed")
    folder = unpacked(tmp_path / "job.zip", tmp_path / "out")
    done = subprocess.run(
        ["sh", "../out/run_job.sh", "id"],
        cwd=tmp_path / "here", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "['--lr', '0.1', 'a b', '$(id)', \"it's\", '']\n"
    assert os.access(folder / "run_job.sh", os.X_OK)


def test_files_that_the_command_names_go_along(here: Path, tmp_path: Path) -> None:
    packed = pack_command(
        ["./tool.sh", "src/deep/a.py", "src", "../here/train.py", "--x=train.py", "none", "-"],
        [],
        "",
        tmp_path / "job.zip",
        cwd=here,
    )
    assert packed.automatic == ("./tool.sh", "src/deep/a.py", "../here/train.py")
    assert names(tmp_path / "job.zip") == {"run_job.sh", "tool.sh", "src/deep/a.py", "train.py"}


def test_files_elsewhere_do_not_go_along_by_themselves(here: Path, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    packed = pack_command(
        ["cat", "../other", "/etc/passwd"], [], "", tmp_path / "job.zip", cwd=here
    )
    assert packed.members == ("run_job.sh",)


def test_modes_are_kept_but_for_setuid(here: Path, tmp_path: Path) -> None:
    pack_command(["./tool.sh"], [], "", tmp_path / "job.zip", cwd=here)
    with zipfile.ZipFile(tmp_path / "job.zip") as archive:
        assert archive.getinfo("tool.sh").external_attr >> 16 == 0o100755


def test_paths_from_outside_go_in_by_their_own_name(here: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_text("x")
    include = [tmp_path / "elsewhere", Path("../elsewhere/x"), here / "train.py"]
    pack_command(["true"], include, "", tmp_path / "job.zip", cwd=here)
    assert names(tmp_path / "job.zip") == {"run_job.sh", "elsewhere/x", "x", "train.py"}


def test_two_things_of_one_name(here: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("other")
    include = [Path("train.py"), tmp_path / "train.py"]
    with pytest.raises(UsageError, match=r"both be 'train\.py'"):
        pack_command(["true"], include, "", tmp_path / "job.zip", cwd=here)
    (here / "run_job.sh").touch()
    with pytest.raises(UsageError, match="hopper writes that one itself"):
        pack_command(["true"], [Path("run_job.sh")], "", tmp_path / "job.zip", cwd=here)
    pack_command(["true"], [Path("train.py"), Path("./train.py")], "", tmp_path / "j.zip", cwd=here)


def test_what_is_not_packed(here: Path, tmp_path: Path) -> None:
    for name in (".git", "src/__pycache__"):
        (here / name).mkdir()
        (here / name / "x").touch()
    os.mkfifo(here / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        here_before = Path.cwd()
        os.chdir(here)  # a socket's path has 108 bytes
        try:
            unix.bind("sock")
        finally:
            os.chdir(here_before)
    (here / "state").mkdir()
    (here / "state" / "x").touch()
    pack_folder(here, here / "job.zip", exclude=[here / "state"])
    assert names(here / "job.zip") == {"tool.sh", "train.py", "src/deep/a.py", "src/empty/"}
    assert not list(here.glob(".*packing"))


def test_symlinks_inside_are_followed(here: Path, tmp_path: Path) -> None:
    (here / "src" / "link.py").symlink_to("../train.py")
    (here / "also").symlink_to("src/deep")
    pack_command(["true"], [Path("src"), Path("also")], "", tmp_path / "job.zip", cwd=here)
    with zipfile.ZipFile(tmp_path / "job.zip") as archive:
        assert archive.read("src/link.py") == (here / "train.py").read_bytes()
        assert archive.read("also/a.py") == b"print('deep')\n"
    inspect(tmp_path / "job.zip", LIMITS, needs_run_job=True)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nothing", "leads nowhere"),
        ("train.py/x", "leads nowhere"),
        ("/etc/passwd", "outside of what is packed"),
        ("../..", "outside of what is packed"),
        (".", "a folder that it is in"),
        ("../src", "a folder that it is in"),
        ("link", "round in a circle"),
    ],
)
def test_other_symlinks_are_refused(here: Path, tmp_path: Path, target: str, says: str) -> None:
    (here / "src" / "link").symlink_to(target)
    with pytest.raises(UsageError, match=says):
        pack_command(["true"], [Path("src")], "", tmp_path / "job.zip", cwd=here)
    assert list(tmp_path.iterdir()) == [here]


@pytest.mark.parametrize("argv", [[], [""], ["-x"], ["a\0b"]])
def test_no_command(here: Path, tmp_path: Path, argv: list[str]) -> None:
    with pytest.raises(UsageError):
        pack_command(argv, [], "", tmp_path / "job.zip", cwd=here)


def test_things_that_are_not_there(here: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no 'none' to include"):
        pack_command(["true"], [Path("none")], "", tmp_path / "job.zip", cwd=here)
    with pytest.raises(UsageError, match="is not a folder"):
        pack_folder(here / "train.py", tmp_path / "job.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="is empty"):
        pack_folder(tmp_path / "empty", tmp_path / "job.zip")
    with pytest.raises(HopperError, match="cannot make the zip"):
        pack_folder(here, tmp_path / "nowhere" / "job.zip")


def test_names_that_no_zip_can_hold(here: Path, tmp_path: Path) -> None:
    for name in (b"a\\b", b"\xff"):
        path = here / "src" / os.fsdecode(name)
        path.touch()
        with pytest.raises(UsageError, match="cannot go into a zip"):
            pack_command(["true"], [Path("src")], "", tmp_path / "job.zip", cwd=here)
        path.unlink()


def test_no_zip_is_overwritten(here: Path, tmp_path: Path) -> None:
    (tmp_path / "job.zip").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        pack_folder(here, tmp_path / "job.zip")
    assert (tmp_path / "job.zip").read_bytes() == b"mine"
    assert sorted(tmp_path.iterdir()) == [here, tmp_path / "job.zip"]


def test_a_full_disk_leaves_nothing(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HopperError, match="No space left on device; make room there"):
        pack_folder(here, tmp_path / "job.zip")
    assert list(tmp_path.iterdir()) == [here]


def test_old_files_go_in(here: Path, tmp_path: Path) -> None:
    os.utime(here / "train.py", (0, 0))
    pack_folder(here, tmp_path / "job.zip")
    assert "train.py" in names(tmp_path / "job.zip")


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(arguments=st.lists(words, max_size=5))
def test_any_argument_arrives(
    arguments: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pack")
    pack_command(["printf", "%s\\n", *arguments], [], "", folder / "job.zip", cwd=folder)
    with zipfile.ZipFile(folder / "job.zip") as archive:
        archive.extract("run_job.sh", folder)
    done = subprocess.run(["sh", str(folder / "run_job.sh")], capture_output=True, check=True)
    shutil.rmtree(folder)
    assert done.stdout.decode() == "".join(f"{word}\n" for word in arguments or [""])
