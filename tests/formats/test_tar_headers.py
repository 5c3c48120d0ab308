"""The fast reader of tar headers is held to the standard library's, member for member, and refuses what is damaged."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.formats.tar_headers import BATCH, Entry, PlainRun, scan
from tests.archives import tar_bytes

Row = tuple[str, str, int, int]


def ours(path: Path, **part: int) -> list[Row]:
    rows: list[Row] = []
    for found in scan(path, **part):  # type: ignore[arg-type]
        if isinstance(found, PlainRun):
            rows += [(n, "file", o, s) for n, o, s in zip(found.names, found.offsets, found.sizes, strict=True)]
        else:
            rows.append((found.name, found.kind, found.offset, found.size))
    return rows


def theirs(path: Path) -> list[Row]:
    kinds = {tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "same", tarfile.FIFOTYPE: "other"}
    with tarfile.open(path, "r:") as archive:
        members = archive.getmembers()
    return [(m.name, "sparse" if m.issparse() else kinds.get(m.type, "file"), m.offset_data, m.size) for m in members]


NAMES = st.one_of(
    st.text(alphabet="ab/.é ", min_size=1, max_size=20),
    st.integers(80, 300).map(lambda n: "dir/" * (n // 8) + "n" * (n // 2)),
).filter(lambda n: n.strip("/. ") != "")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.sampled_from("0SDLHF"), st.binary(max_size=1100), st.floats(0, 2e9)), max_size=12),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_the_same_members_as_the_standard_library(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, str, bytes, float]], format: int  # noqa: A002
) -> None:
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    with tarfile.open(path, "w", format=format) as archive:
        for name, kind, data, time in members:
            if format == tarfile.USTAR_FORMAT and len(name.encode()) > 95:
                name = name[:40]
            info = tarfile.TarInfo(name)
            info.mtime = time if format == tarfile.PAX_FORMAT else int(time)
            types = {"D": tarfile.DIRTYPE, "L": tarfile.SYMTYPE, "H": tarfile.LNKTYPE, "F": tarfile.FIFOTYPE}
            info.type = types.get(kind, tarfile.REGTYPE)
            info.linkname = "b" * 120 if kind in "LH" and format != tarfile.USTAR_FORMAT else "b"
            info.size = len(data) if kind in "0S" else 0
            archive.addfile(info, io.BytesIO(data))
    assert ours(path) == theirs(path)


def test_more_members_than_a_batch_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes({f"{i % 7}/{i:06d}": b"x" * (i % 3) for i in range(2 * BATCH + 5)}))
    assert ours(path) == theirs(path)
    assert [len(r.names) for r in scan(path) if isinstance(r, PlainRun)] == [BATCH, BATCH, 5]


@pytest.mark.parametrize("options", [["--format=gnu"], ["--format=posix"], ["--format=ustar"], ["--format=v7"],
                                     ["--format=gnu", "--sparse"], ["--format=posix", "--sparse"]])  # fmt: skip
def test_what_the_tar_command_writes(tmp_path: Path, options: list[str]) -> None:
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a/1.jpg").write_bytes(b"1" * 700)
    (tree / "a/link.jpg").symlink_to("1.jpg")
    (tree / "a/same.jpg").hardlink_to(tree / "a/1.jpg")
    with (tree / "a/holes").open("wb") as f:
        f.seek(1 << 20)
        f.write(b"end")
    if options[0] in {"--format=gnu", "--format=posix"}:
        (tree / "a" / ("n" * 120)).write_bytes(b"long")
    path = tmp_path / "a.tar"
    subprocess.run(["tar", *options, "-cf", str(path), "-C", str(tree), "."], check=True)
    found = ours(path)
    assert found == theirs(path)
    assert sum(kind == "sparse" for _, kind, _, _ in found) == ("--sparse" in options)


def test_a_tar_inside_a_tar_is_a_range(tmp_path: Path) -> None:
    inner = tar_bytes({"x.jpg": b"xx", "y.jpg": b"y" * 600})
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes({"n1.tar": inner}))
    (_, _, start, size), = ours(path)
    found = ours(path, start=start, stop=start + size)
    assert [name for name, *_ in found] == ["x.jpg", "y.jpg"]
    assert [path.read_bytes()[o : o + s] for _, _, o, s in found] == [b"xx", b"y" * 600]


FILES = {f"a/{i}.jpg": bytes([i]) * 600 for i in range(4)}


@pytest.mark.parametrize("at", [100, 800, 1500, 1536, 2200, 3072, 3100, 5500])
def test_a_tar_that_is_cut_off(tmp_path: Path, at: int) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes(FILES)[:at])
    if at % (3 * 512) == 0:  # between two members nothing is missing as far as anybody can tell
        assert len(ours(path)) == at // 1536
    else:
        with pytest.raises(DataError, match="is cut off"):
            ours(path)


@pytest.mark.parametrize(("at", "message"), [(3, "not a tar file"), (1536 + 3, "byte 1,536"), (1536 + 130, "trusted")])
def test_a_damaged_header(tmp_path: Path, at: int, message: str) -> None:
    data = bytearray(tar_bytes(FILES))
    data[at] ^= 1
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(DataError, match=message):
        ours(tmp_path / "a.tar")


def _header(kind: bytes, size: int, name: str = "a") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("data", [
    _header(b"L", 1 << 30) + bytes(4096),
    _header(b"x", (8 << 30) + 5) + bytes(4096),
    (_header(b"L", 4) + b"name" + bytes(508)) * 2000 + bytes(1024),
    _header(b"x", 11) + b"11 size=-9\n" + bytes(501) + _header(b"0", 0) + bytes(1024),
    _header(b"x", 4) + b"rub\n" + bytes(508) + _header(b"L", 600) + bytes(512),
    b"not a tar at all" * 64,
], ids=["long name", "huge records", "endless names", "negative size", "no records", "text"])  # fmt: skip
def test_hostile_headers_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(DataError):
        ours(tmp_path / "a.tar")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6 * 1536 - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damage_is_an_error_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(tar_bytes(FILES, tarfile.PAX_FORMAT))
    for at, value in changes:
        data[at % len(data)] = value
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    path.write_bytes(data)
    try:
        found = ours(path)
    except DataError:
        return
    assert all(o >= 0 and o + s <= len(data) for _, kind, o, s in found if kind == "file")


def test_signed_checksums_of_old_writers(tmp_path: Path) -> None:
    data = bytearray(tar_bytes({"é.jpg": b"x"}, tarfile.GNU_FORMAT))
    signed = sum(b - 256 if b > 127 else b for i, b in enumerate(data[:512]) if not 148 <= i < 156) + 8 * 32
    data[148:156] = b"%06o\0 " % signed
    (tmp_path / "a.tar").write_bytes(data)
    assert [name for name, *_ in ours(tmp_path / "a.tar")] == ["é.jpg"]
    assert isinstance(next(iter(scan(tmp_path / "a.tar"))), PlainRun | Entry)
