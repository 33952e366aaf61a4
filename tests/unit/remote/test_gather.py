"""Files that come home, of workers that mean no good."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import TransportError
from hopper.model import wire
from hopper.model.orders import Follow, Order, Report
from hopper.remote.gather import bring_home, split_raw
from hopper.remote.host import carry_out
from hopper.remote.reading import Offer
from hopper.remote.transport import Answer


@dataclass
class Shelf:
    """A transport that only has files to fetch."""

    files: dict[str, bytes] = field(default_factory=dict)

    def exec(self, command: str, stdin: bytes = b"") -> Answer:
        raise AssertionError(command, stdin)

    def put(self, local: Path, remote: str) -> None:
        raise AssertionError(local, remote)

    def fetch(self, remote: str, local: Path) -> None:
        local.write_bytes(self.files[remote])


def offer(content: bytes, kind: str = "result", path: str = "/out/j.zip", **other: object) -> Offer:
    known: dict[str, object] = {
        "attempt": "a000000001",
        "kind": kind,
        "path": path,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "along": True,
    }
    return Offer(**{**known, **other})  # type: ignore[arg-type]


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **attributes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def home(content: bytes, folder: Path) -> dict[str, bytes]:
    """Bring a tar home; return what is in the zip made of it."""
    got = bring_home(Shelf(), offer(content, "tar", "/side/results.tar"), content, folder, 0)
    assert got.name == "results.zip"
    with zipfile.ZipFile(got.path) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


@pytest.mark.parametrize("along", [True, False])
def test_a_file_comes_home_verified(tmp_path: Path, along: bool) -> None:
    shelf = Shelf({"/out/j.zip": b"content"})
    wanted = offer(b"content", along=along)
    got = bring_home(shelf, wanted, b"content" if along else None, tmp_path / "a", 3)
    assert Path(got.path).read_bytes() == b"content"
    assert (got.name, got.size, got.sha256) == ("j.zip", 7, wanted.sha256)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [b"conten", b"contents", b"", b"CONTENT"])
@pytest.mark.parametrize("along", [True, False])
def test_what_is_not_what_was_told_stays_out(tmp_path: Path, content: bytes, along: bool) -> None:
    shelf = Shelf({"/out/j.zip": content})
    with pytest.raises(TransportError, match=r"came (with \d|damaged)"):
        bring_home(shelf, offer(b"content"), content if along else None, tmp_path, 0)
    assert not list(tmp_path.iterdir())


def test_without_a_checksum_the_size_counts(tmp_path: Path) -> None:
    got = bring_home(Shelf(), offer(b"abc", sha256="none"), b"abd", tmp_path, 0)
    assert got.sha256 == hashlib.sha256(b"abd").hexdigest()


def test_hostile_members_are_left_out(tmp_path: Path) -> None:
    content = tar_of(
        (member("../up"), b"1"),
        (member("/etc/cron.d/x"), b"2"),
        (member("a/../../up"), b"3"),
        (member("link", tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
        (member("hard", tarfile.LNKTYPE, linkname="/etc/passwd"), b""),
        (member("device", tarfile.CHRTYPE), b""),
        (member("pipe", tarfile.FIFOTYPE), b""),
        (member("./results/good"), b"4"),
        (member("./results/good"), b"twice"),
    )
    assert home(content, tmp_path / "a") == {"results/good": b"4"}
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("mtime", [0, -1, 10**11, 1e300, 1_700_000_000])
def test_any_time_fits_into_a_zip(tmp_path: Path, mtime: float) -> None:
    assert home(tar_of((member("x", mtime=mtime), b"1")), tmp_path) == {"x": b"1"}


def test_the_same_tar_gives_the_same_zip(tmp_path: Path) -> None:
    content = tar_of((member("x", mtime=1_700_000_000, mode=0o755), b"1"))
    one, two = (
        bring_home(Shelf(), offer(content, "tar", "/r.tar"), content, tmp_path / name, 0)
        for name in ("one", "two")
    )
    assert one.sha256 == two.sha256
    with zipfile.ZipFile(one.path) as archive:
        assert archive.infolist()[0].external_attr >> 16 == 0o100755
        assert archive.infolist()[0].date_time[:3] == (2023, 11, 14)


def test_names_that_are_no_text_come_home(tmp_path: Path) -> None:
    assert home(tar_of((member("lat\udce9n"), b"1")), tmp_path) == {"lat\\xe9n": b"1"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no tar",
        b"x" * 2048,
        gzip.compress(tar_of((member("x"), b"1")), mtime=0),
        tar_of((member("x"), b"1" * 5000))[:2048],
        tar_of((member("n" * 70_000), b"1")),
    ],
    ids=["empty", "text", "noise", "compressed", "cut", "endless name"],
)
def test_what_is_no_tar_is_a_transport_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TransportError, match="garbled"):
        bring_home(Shelf(), offer(content, "tar", "/r.tar"), content, tmp_path, 0)


@given(st.binary(max_size=2000))
def test_any_bytes_for_a_tar_are_a_zip_or_a_transport_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    good = tar_of((member("x"), b"1"))
    for body in (content, content + good, good[:600] + content):
        try:
            bring_home(Shelf(), offer(body, "tar", "/r.tar"), body, folder, 0)
        except TransportError:
            continue


def test_raw_bytes_are_cut_by_what_was_announced() -> None:
    offers = [
        offer(b"ab", path="/1"),
        offer(b"xyz", path="/2", along=False),
        offer(b"c", path="/3"),
    ]
    assert split_raw(offers, b"abcdef") == {"/1": b"ab", "/3": b"c"}
    assert split_raw(offers, b"a") == {"/1": b"a", "/3": b""}


# A whole answer


@dataclass
class Scripted:
    """Answers with records, after the mark that it finds in the script."""

    records: list[tuple[str, ...]]
    raw: bytes = b""

    def exec(self, command: str, stdin: bytes = b"") -> Answer:
        del command
        mark = stdin[stdin.index(b"HOPPER-") :][:23].decode()
        out = [b"\n", mark.encode(), b"\n"]
        for record in [*self.records, ("end",)]:
            out += [f"{len(record)}\0".encode(), *(f"{part}\0".encode() for part in record)]
        return Answer(code=0, stdout=b"".join(out) + self.raw, stderr=b"")

    def put(self, local: Path, remote: str) -> None:
        raise AssertionError(local, remote)

    def fetch(self, remote: str, local: Path) -> None:
        del local, remote
        raise TransportError("gone")


HOST = ("host", "boot", "1700000000", "1", "/in", "/out")


def ask(tmp_path: Path, transport: Scripted, **parts: object) -> Report:
    follow = Follow(attempt="a000000001", name="j")
    order = Order(id="o", host="h", incoming=str(tmp_path / "in"), follows=(follow,))
    return carry_out(transport, replace(order, **parts))  # type: ignore[arg-type]


def file_record(path: str, content: bytes, **changed: str) -> tuple[str, ...]:
    digest = hashlib.sha256(content).hexdigest()
    parts = {"attempt": "a000000001", "kind": "result", "along": "1", **changed}
    size = str(len(content))
    return ("file", parts["attempt"], parts["kind"], path, size, digest, parts["along"])


def test_an_offer_of_nobody_asked_for_is_left_alone(tmp_path: Path) -> None:
    evil = "../../evil"
    records = [HOST, file_record("/out/j.zip", b"x", attempt=evil), ("collected", evil)]
    report = ask(tmp_path, Scripted(records, b"x"))
    assert not report.error
    assert (report.collected, report.gathered) == ((), ())
    assert "nobody asked for" in report.troubles[0][1]
    assert not list(tmp_path.iterdir())


def test_one_damaged_file_leaves_the_attempt_ungathered(tmp_path: Path) -> None:
    records = [
        HOST,
        file_record("/out/j.zip", b"good"),
        file_record("/out/j.2.zip", b"also"),
        ("collected", "a000000001"),
    ]
    report = ask(tmp_path, Scripted(records, b"goodALSO"))
    assert (report.collected, report.gathered) == ((), ())
    assert report.troubles == (("a000000001", "bringing results home: /out/j.2.zip came damaged"),)
    whole = ask(tmp_path, Scripted(records, b"goodalso"))
    assert [c.name for c in whole.collected] == ["j.zip", "j.2.zip"]
    assert len(list((tmp_path / "in" / "a000000001").iterdir())) == 2


def test_a_fetch_that_breaks_off_is_told_and_repeated_later(tmp_path: Path) -> None:
    records = [HOST, file_record("/out/j.zip", b"x", along="0"), ("collected", "a000000001")]
    report = ask(tmp_path, Scripted(records))
    assert report.troubles == (("a000000001", "bringing results home: gone"),)
    assert report.gathered == ()


def test_a_garbled_answer_is_unknown(tmp_path: Path) -> None:
    report = ask(tmp_path, Scripted([HOST, ("attempt", "a000000001", "ended")]))
    assert "garbled" in report.error
    assert report.sightings == ()
    assert report.delivered


def test_a_report_goes_through_json(tmp_path: Path) -> None:
    records = [
        HOST,
        ("zip", "j.zip"),
        ("attempt", "a000000001", "ended", "exited", "0", "1", "2", "3", "", ""),
        ("external", "e", "1"),
        ("external_result", "e", "e.zip", "4"),
        ("refused", "a000000002", "disk", "full"),
        ("cancelled", "a000000003", "dead", ""),
        ("discarded", "a000000004", "dead"),
        ("trouble", "", "something"),
        file_record("/out/j.zip", b"x"),
        ("collected", "a000000001"),
    ]
    report = ask(tmp_path, Scripted(records, b"x"))
    assert report.gathered == ("a000000001",)
    assert wire.from_json(Report, wire.to_json(report)) == report
