from __future__ import annotations

import hashlib
import os
import shutil
import stat
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import RejectedZip
from hopper.home.archive import PROVED, inspect
from hopper.home.files import MissingZip
from tests.unit.home.zips import LIMITS, SCRIPT, entry, with_mode, write, zip_bytes

GOOD = zip_bytes(SCRIPT, ("hopper-job.yaml", b"name: x\n"), ("data/a.bin", bytes(9000)))


def reason(folder: Path, content: bytes, **limits: int) -> str:
    path = write(folder, content)
    with pytest.raises(RejectedZip) as caught:
        inspect(path, LIMITS.model_copy(update=limits), needs_run_job=True)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content
    return str(caught.value)


def test_a_good_zip(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    facts = inspect(path, LIMITS, needs_run_job=True)
    assert facts.size == len(GOOD)
    assert facts.sha256 == hashlib.sha256(GOOD).hexdigest()
    assert facts.unpacked_size == 9000 + len(SCRIPT[1]) + len(b"name: x\n")
    assert facts.members == 3
    assert facts.job_file == b"name: x\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "argv",
    [
        ["zip", "-q", "-r", "../job.zip", "."],
        ["bsdtar", "-caf", "../job.zip", "."],
        ["bsdtar", "-caf", "../job.zip", "run_job.sh", "däta", "empty"],
        ["python3", "-m", "zipfile", "-c", "../job.zip", "run_job.sh", "däta/", "empty/"],
        ["7z", "a", "-bso0", "../job.zip", "."],
        ["jar", "cMf", "../job.zip", "."],
    ],
    ids=lambda argv: f"{argv[0]}-{len(argv)}",
)
def test_zips_of_other_programs(tmp_path: Path, argv: list[str]) -> None:
    if not shutil.which(argv[0]):
        pytest.skip(f"{argv[0]} is not installed")
    folder = tmp_path / "job"
    (folder / "däta").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "run_job.sh").write_text("#!/bin/sh\n")
    (folder / "run_job.sh").chmod(0o755)
    (folder / "däta" / "x y'z.bin").write_bytes(os.urandom(5000))
    (folder / "däta" / "none").touch()
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    subprocess.run(argv, cwd=folder, check=True, env=env)
    assert inspect(tmp_path / "job.zip", LIMITS, needs_run_job=True).unpacked_size == 5010


def test_a_zip_written_to_a_pipe(tmp_path: Path) -> None:
    program = (
        "import sys, zipfile\n"
        "with zipfile.ZipFile(sys.stdout.buffer, 'w', zipfile.ZIP_DEFLATED) as z:\n"
        "    z.writestr('run_job.sh', 'echo'); z.writestr('b', b'1' * 999)\n"
    )
    with (
        (tmp_path / "job.zip").open("wb") as file,
        subprocess.Popen(["python3", "-c", program], stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        file.write(process.stdout.read())
    assert inspect(tmp_path / "job.zip", LIMITS, needs_run_job=True).members == 2


def test_zip64(tmp_path: Path) -> None:
    path = tmp_path / "job.zip"
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("big", "w", force_zip64=True) as file:
            file.write(b"x" * 100)
        for number in range(0x10001):
            archive.writestr(f"d/{number}", b"")
    facts = inspect(path, LIMITS, needs_run_job=False)
    assert (facts.members, facts.unpacked_size) == (0x10002, 100)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is not a zip"),
        (b"hello" * 99, "it is not a zip"),
        (GOOD[:-1], "cut off: its end is missing"),
        (GOOD[:-30], "cut off: its end is missing"),
        (GOOD[:60], "cut off: its end is missing"),
        (GOOD + b"x", "its end is damaged"),
        (b"x" + GOOD, "stands before"),
        (GOOD[:50] + GOOD[60:], "stands before or within"),
        (zip_bytes(SCRIPT, ("/etc/x", b"")), "'/etc/x' is absolute"),
        (zip_bytes(SCRIPT, ("C:/x", b"")), "is absolute"),
        (zip_bytes(SCRIPT, ("c:x", b"")), "is absolute"),
        (zip_bytes(SCRIPT, ("../x", b"")), "leads out"),
        (zip_bytes(SCRIPT, ("a/../../x", b"")), "leads out"),
        (zip_bytes(SCRIPT, ("a/..", b"")), "leads out"),
        (zip_bytes(SCRIPT, ("..\\x", b"")), "backslash"),
        (zip_bytes(SCRIPT, ("a\\x", b"")), "backslash"),
        (zip_bytes(SCRIPT, ("x" * 256, b"")), "too long"),
        (zip_bytes(SCRIPT, ("漢" * 86, b"")), "too long"),
        (zip_bytes(SCRIPT, ("/".join(["x" * 200] * 16), b"")), "too long"),
        (zip_bytes(SCRIPT, ("a\nb/../..", b"")), "leads out"),
        (zip_bytes(SCRIPT, ("./run_job.sh", b"")), "'run_job.sh' twice"),
        (zip_bytes(SCRIPT, ("a//b", b""), ("a/b", b"")), "'a/b' twice"),
        (zip_bytes(SCRIPT, ("a", b""), ("a/b", b"")), "both as a file and as a folder"),
        (zip_bytes(SCRIPT, ("a/b/c", b""), ("a", b"")), "both as a file and as a folder"),
        (zip_bytes(SCRIPT, ("a/", b""), ("a", b"")), "both as a file and as a folder"),
        (zip_bytes(SCRIPT, (".", b"")), "without a name"),
        (zip_bytes(SCRIPT, (with_mode("l", stat.S_IFLNK | 0o777), b"/etc")), "a symlink"),
        (zip_bytes(SCRIPT, (with_mode("d", stat.S_IFCHR | 0o600), b"")), "a device"),
        (zip_bytes(SCRIPT, (with_mode("d", stat.S_IFBLK | 0o600), b"")), "a device"),
        (zip_bytes(SCRIPT, (with_mode("p", stat.S_IFIFO | 0o600), b"")), "a named pipe"),
        (zip_bytes(SCRIPT, (with_mode("s", stat.S_IFSOCK | 0o600), b"")), "a socket"),
        (zip_bytes(SCRIPT, (with_mode("d/", stat.S_IFDIR | 0o700), b"x")), "holds data"),
        (zip_bytes(SCRIPT, method=zipfile.ZIP_LZMA), "compressed by LZMA"),
        (zip_bytes(SCRIPT, method=zipfile.ZIP_BZIP2), "compressed by bzip2"),
        (zip_bytes(), "it has no run_job.sh"),
        (zip_bytes(("a", b"")), "it has no run_job.sh"),
        (zip_bytes(("run_job.sh/", b"")), "it has no run_job.sh"),
        (zip_bytes(("RUN_JOB.sh", b"")), "it has no run_job.sh"),
        (zip_bytes(("x y/run_job.sh", b"")),
         "run_job.sh is inside 'x y/': zip the contents, not the folder"),
        (zip_bytes(SCRIPT, ("hopper-job.yaml", bytes(65537))), "larger than 64 KiB"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_wrong_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in reason(tmp_path, content)


def test_a_name_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        content = zip_bytes(SCRIPT, ("a", b"1"), ("a", b"2"))
    assert "'a' twice" in reason(tmp_path, content)


def test_folders_may_be_named_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        content = zip_bytes(SCRIPT, ("./", b""), ("a/", b""), ("a/", b""), ("a/b", b""))
    assert inspect(write(tmp_path, content), LIMITS, needs_run_job=True).members == 5


def test_no_script_is_needed_where_the_template_runs_none(tmp_path: Path) -> None:
    assert inspect(write(tmp_path, zip_bytes(("a", b""))), LIMITS, needs_run_job=False).members


def test_encrypted(tmp_path: Path) -> None:
    content = bytearray(GOOD)
    content[6] |= 1
    content[GOOD.index(b"PK\1\2") + 8] |= 1
    assert "encrypted" in reason(tmp_path, bytes(content))


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_size": 10}, "zips.max_size is 10 B"),
        ({"max_unpacked": 8999}, "zips.max_unpacked (8999 B)"),
        ({"max_members": 2}, "it has 3 members; zips.max_members is 2"),
    ],
)
def test_limits(tmp_path: Path, limits: dict[str, int], says: str) -> None:
    assert says in reason(tmp_path, GOOD, **limits)


def test_a_bomb(tmp_path: Path) -> None:
    small = zip_bytes(SCRIPT, ("a", bytes(9_900_000)))
    assert inspect(write(tmp_path, small), LIMITS, needs_run_job=True).unpacked_size > 9_900_000
    assert "zips.max_ratio is 200" in reason(tmp_path, zip_bytes(SCRIPT, ("a", bytes(11_000_000))))


def patched(content: bytes, name: bytes, at: int, layout: str, value: int) -> bytes:
    """Change a field of a member's entry in the directory."""
    start = content.index(b"PK\1\2")
    while content[start + 46 : start + 46 + len(name)] != name:
        start = content.index(b"PK\1\2", start + 1)
    changed = bytearray(content)
    struct.pack_into(layout, changed, start + at, value)
    return bytes(changed)


def both(content: bytes, name: bytes, central: int, local: int, layout: str, value: int) -> bytes:
    """Change a field of a member in both of its headers."""
    changed = bytearray(patched(content, name, central, layout, value))
    start = content.index(b"PK\3\4")
    while content[start + 30 : start + 30 + len(name)] != name:
        start = content.index(b"PK\3\4", start + 1)
    struct.pack_into(layout, changed, start + local, value)
    return bytes(changed)


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    content = zip_bytes(SCRIPT, ("bomb", bytes(9_000_000)))
    lying = both(content, b"bomb", 24, 22, "<L", 100_000)
    assert "wrong size or checksum" in reason(tmp_path, lying)
    assert "contradict" in reason(tmp_path, both(content, b"bomb", 24, 22, "<L", 10))


def test_a_lying_bomb_is_not_unpacked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying = both(zip_bytes(SCRIPT, ("bomb", bytes(50_000_000))), b"bomb", 24, 22, "<L", 100_000)
    path, seen, crc32 = write(tmp_path, lying), 0, zlib.crc32

    def counting(piece: bytes, before: int = 0) -> int:
        nonlocal seen
        seen += len(piece)
        return crc32(piece, before)

    monkeypatch.setattr(zlib, "crc32", counting)
    with pytest.raises(RejectedZip, match="wrong size"):
        inspect(path, LIMITS, needs_run_job=True)
    assert seen < 3_000_000


def test_a_large_zip_is_not_unpacked_to_be_proved(tmp_path: Path) -> None:
    # Its worker proves it when it unpacks it; here it would take as long as it takes there.
    content = zip_bytes(SCRIPT, ("big", os.urandom(10)), ("zero", bytes(PROVED)))
    wrong = both(content, b"big", 16, 14, "<L", 1)
    facts = inspect(
        write(tmp_path, wrong), LIMITS.model_copy(update={"max_ratio": 2000}), needs_run_job=True
    )
    assert facts.unpacked_size > PROVED


def test_members_that_overlap(tmp_path: Path) -> None:
    content = zip_bytes(("run_job.sh", b"1"), ("run_job.sx", b"2"), method=zipfile.ZIP_STORED)
    first = content.index(b"PK\3\4")
    told = reason(tmp_path, patched(content, b"run_job.sx", 42, "<L", first))
    assert "overlaps" in told or "disagree" in told


@pytest.mark.parametrize(
    ("at", "layout", "value", "says"),
    [
        (42, "<L", 7, "overlaps"),
        (42, "<L", 106, "does not fit the data"),
        (42, "<L", 10**6, "points outside"),
        (10, "<H", 0, "contradict"),
        (16, "<L", 5, "disagree on its size"),
        (8, "<H", 0x800, "disagree on its flags"),
        (34, "<H", 3, "in several parts"),
        (42, "<L", 0xFFFFFFFF, "are missing"),
    ],
)
def test_two_headers_that_disagree(
    tmp_path: Path, at: int, layout: str, value: int, says: str
) -> None:
    assert says in reason(tmp_path, patched(GOOD, b"data/a.bin", at, layout, value))


def test_a_local_header_of_another_name(tmp_path: Path) -> None:
    content = GOOD.replace(b"data/a.bin", b"../../evil", 1)
    assert "the two headers of 'data/a.bin' disagree" in reason(tmp_path, content)


def test_the_second_name_of_info_zip_is_checked(tmp_path: Path) -> None:
    extra = struct.pack("<HHBL", 0x7075, 5 + 7, 1, 0) + b"../evil"
    content = zip_bytes(SCRIPT, (entry("fine", lambda info: setattr(info, "extra", extra)), b""))
    assert "leads out" in reason(tmp_path, content)


def test_a_nul_in_a_name(tmp_path: Path) -> None:
    content = zip_bytes(SCRIPT, ("fine?.txt", b"")).replace(b"fine?.txt", b"fine\0.txt")
    assert "NUL" in reason(tmp_path, content)


def test_a_name_that_says_utf8_and_is_not(tmp_path: Path) -> None:
    content = zip_bytes(SCRIPT, ("é", b"")).replace("é".encode(), b"\xff\xfe")
    assert "is not UTF-8" in reason(tmp_path, content)


def test_a_name_of_an_old_code_page(tmp_path: Path) -> None:
    content = zip_bytes(SCRIPT, ("ab", b"")).replace(b"ab", b"\x81\x84")
    assert inspect(write(tmp_path, content), LIMITS, needs_run_job=True).members == 2


def test_damaged_data(tmp_path: Path) -> None:
    content = zip_bytes(SCRIPT, ("a", os.urandom(500)))
    at = content.index(b"PK\3\4", 4) + 100
    broken = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    assert "'a' is damaged" in reason(tmp_path, broken)


def test_a_damaged_job_file_in_a_large_zip(tmp_path: Path) -> None:
    content = zip_bytes(SCRIPT, ("hopper-job.yaml", b"name: abc\n"), ("zero", bytes(PROVED)))
    broken = both(content, b"hopper-job.yaml", 16, 14, "<L", 1)
    assert "'hopper-job.yaml' is damaged" in reason(tmp_path, broken, max_ratio=2000)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "real.zip").write_bytes(GOOD)
    (tmp_path / "link.zip").symlink_to("real.zip")
    os.mkfifo(tmp_path / "pipe.zip")
    for name in ("link.zip", "pipe.zip", ""):
        with pytest.raises(RejectedZip, match="not a regular file"):
            inspect(tmp_path / name, LIMITS, needs_run_job=True)
    with pytest.raises(MissingZip):
        inspect(tmp_path / "none.zip", LIMITS, needs_run_job=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zips") / "job.zip"


def survives(place: Path, content: bytes) -> None:
    """Only RejectedZip comes out, and what is taken, Python's zipfile reads the same way."""
    place.write_bytes(content)
    try:
        facts = inspect(place, LIMITS, needs_run_job=False)
    except RejectedZip as error:
        assert "\n" not in str(error)  # noqa: PT017 - either way out is fine
        return
    with zipfile.ZipFile(place) as archive:
        assert len(archive.infolist()) == facts.members
        assert sum(info.file_size for info in archive.infolist()) == facts.unpacked_size
        assert archive.testzip() is None


@given(content=st.binary(max_size=300))
def test_random_bytes(place: Path, content: bytes) -> None:
    survives(place, content)


@given(content=st.binary(max_size=80), comment=st.binary(max_size=10))
def test_random_bytes_with_an_end(place: Path, content: bytes, comment: bytes) -> None:
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(content), 0, len(comment))
    survives(place, content + end + comment)


@given(data=st.data())
def test_mutated_zips(place: Path, data: st.DataObject) -> None:
    content = bytearray(
        zip_bytes(SCRIPT, ("hopper-job.yaml", b"name: x\n"), ("d/", b""), ("d/é", bytes(300)))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["flip", "set", "cut", "insert", "copy"]))
        if kind == "flip":
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "set":
            content[at] = data.draw(st.sampled_from([0, 0xFF, 0x2F, 0x2E]))
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 40))]
        elif kind == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=20))
        else:
            start = data.draw(st.integers(0, len(content) - 1))
            content[at : at + 8] = content[start : start + 8]
        if not content:
            return
    survives(place, bytes(content))


names = st.text(st.sampled_from("ab./\\:é "), min_size=1, max_size=8)


@given(found=st.lists(names, max_size=4, unique=True))
def test_no_accepted_name_leads_out(
    place: Path, found: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place.write_bytes(zip_bytes(*((name, b"x") for name in found if not name.endswith("/"))))
    try:
        inspect(place, LIMITS, needs_run_job=False)
    except RejectedZip:
        return
    with zipfile.ZipFile(place) as archive:
        for info in archive.infolist():
            target = Path(os.path.normpath(Path("/base") / info.filename))
            assert target.is_relative_to("/base")
            assert target != Path("/base")
