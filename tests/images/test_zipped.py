"""Members of zips that are compressed or encrypted: the right bytes, or a reason; never more bytes than a limit."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.errors import DataError, DecodeError
from sightline.formats.zip_folders import members_of
from sightline.images.containers import Reference, zipped
from tests.archives import write_zip
from tests.sources import jpeg

PHOTOS = {f"{c}/{i}.jpg": jpeg(i) for c in "ab" for i in range(2)}


def payloads(samples: sl.SampleTable) -> list[bytes]:
    return [samples.reader().payload(i) for i in range(len(samples))]


def streamed(path: Path, method: int) -> Path:
    """A zip written to what cannot be sought: sizes and checksums stand behind the data."""

    class Pipe:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

        def flush(self) -> None: ...

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:  # type: ignore[call-overload]
        for name, data in PHOTOS.items():
            archive.writestr(name, data)
    path.write_bytes(pipe.data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_the_same_bytes_as_the_standard_library(tmp_path: Path, method: int, is_streamed: bool) -> None:
    path = streamed(tmp_path / "a.zip", method) if is_streamed else write_zip(tmp_path / "a.zip", PHOTOS, method)
    samples = sl.index(path)
    assert payloads(samples) == list(PHOTOS.values())
    assert samples.hashed().is_ok.all()


def test_a_local_header_of_another_length(tmp_path: Path) -> None:
    """Some writers put an extra field in front of the data that the archive's directory does not have."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in PHOTOS.items():
            info = zipfile.ZipInfo(name)
            info.extra = struct.pack("<HH8s", 0x9999, 8, b"12345678")
            archive.writestr(info, data)
            info.extra = b""
    assert payloads(sl.index(path)) == list(PHOTOS.values())


def test_wrong_checksums_are_rows(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", PHOTOS, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    data[14] ^= 1  # the first member's checksum in its local header
    path.write_bytes(data)
    samples = sl.index(path)
    assert "wrong checksum" in samples.column("reason")[0]
    assert samples.column("status") == ["unreadable", "ok", "ok", "ok"]


def test_damaged_data_and_headers_are_rows(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", PHOTOS, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        second = archive.infolist()[1].header_offset
        third = archive.infolist()[2].header_offset
    data = bytearray(path.read_bytes())
    data[second + 37 : second + 57] = b"\xff" * 20
    data[third] = 0
    path.write_bytes(data)
    reasons = sl.index(path).column("reason")
    assert "damaged data in a zip" in reasons[1]
    assert "no member begins at byte" in reasons[2]
    assert [reasons[0], reasons[3]] == [None, None]


def test_a_bomb_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MAX_BYTES", 100_000)
    path = write_zip(tmp_path / "a.zip", {**PHOTOS, "a/bomb.jpg": bytes(10_000_000)}, zipfile.ZIP_DEFLATED)
    samples = sl.index(path)
    row = samples.column("key").index("a/bomb.jpg")
    assert samples.column("reason")[row] == "unpacks to more than 100,000 bytes"
    assert samples.is_ok.sum() == len(PHOTOS)


@pytest.mark.parametrize(("method", "name"), [(zipfile.ZIP_LZMA, "LZMA"), (99, "AES"), (7, "number 7")])
def test_other_methods_are_rows(tmp_path: Path, method: int, name: str) -> None:
    path = write_zip(tmp_path / "a.zip", PHOTOS, zipfile.ZIP_LZMA)
    data = path.read_bytes()
    for head, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):  # the method in all headers
        parts = data.split(head)
        data = head.join([parts[0], *(p[: at - 4] + struct.pack("<H", method) + p[at - 2 :] for p in parts[1:])])
    path.write_bytes(data)
    reasons = sl.index(path).column("reason")
    assert all(f"by {name}" in reason for reason in reasons)


def encrypted(folder: Path, *options: str) -> Path:
    if shutil.which("zip") is None:
        pytest.skip("the command zip is not installed")
    for name, data in PHOTOS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    subprocess.run(["zip", "-qr", *options, "-P", "open sésame", "x.zip", "a", "b"], cwd=folder, check=True)
    return folder / "x.zip"


@pytest.mark.parametrize("options", [(), ("-0",), ("-fd",)])
def test_encrypted_members(tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    path = encrypted(tmp_path, *options)
    monkeypatch.delenv("SIGHTLINE_ZIP_PASSWORD", raising=False)
    assert all("SIGHTLINE_ZIP_PASSWORD" in reason for reason in sl.index(path).column("reason"))
    monkeypatch.setenv("SIGHTLINE_ZIP_PASSWORD", "wrong")
    assert all("is not its password" in reason for reason in sl.index(path).column("reason"))
    monkeypatch.setenv("SIGHTLINE_ZIP_PASSWORD", "open sésame")
    assert payloads(sl.index(path)) == list(PHOTOS.values())


@pytest.mark.parametrize("options", [("-0",), ()])
def test_a_wrong_password_that_passes_the_check_is_named(
    tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encrypted(tmp_path, *options)
    data = path.read_bytes()
    passing = 0
    for number in range(3000):
        monkeypatch.setenv("SIGHTLINE_ZIP_PASSWORD", f"wrong {number}")
        if passes(data):
            passing += 1
            assert all("is not its password" in reason for reason in sl.index(path).column("reason"))
        if passing == 3:
            return
    pytest.fail("no password of 3,000 passed a check of one byte")


def passes(archive: bytes) -> bool:
    """Whether the password of the environment passes the check of the first member."""
    _, _, flags, _, time, _, told, _, _, name, extra = zipped._LOCAL.unpack_from(archive)
    begin = zipped._LOCAL.size + name + extra
    try:
        zipped._decrypted(memoryview(archive)[begin : begin + 12], time >> 8 if flags & 8 else told >> 24)
    except DecodeError:
        return False
    return True


def test_headers_of_encrypted_members_take_their_first_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encrypted(tmp_path)
    monkeypatch.setenv("SIGHTLINE_ZIP_PASSWORD", "open sésame")
    samples = sl.index(path)
    reader = zipped.Zipped()
    images = samples.table["image"].to_pylist()
    place = Reference(str(path), None, images[0]["offset"], images[0]["length"], None, None, None, None)
    first = reader.head(place, 64)
    assert 0 < len(first) < len(jpeg(0))
    assert jpeg(0).startswith(first)
    assert reader.head(place, 1 << 17) == jpeg(0)


def test_decryption_of_a_known_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored member of 5 bytes that zipfile's own reader decrypts to the same."""
    monkeypatch.setenv("SIGHTLINE_ZIP_PASSWORD", "secret")
    decrypt = zipfile._ZipDecrypter(b"secret")  # type: ignore[attr-defined]
    data = bytes(range(40))
    plain = decrypt(data)
    assert zipped._decrypted(memoryview(data), plain[11]) == plain[12:]


@pytest.mark.parametrize("cut", [10, 60, 400])
def test_a_zip_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_zip(tmp_path / "a.zip", PHOTOS)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(sl.SightlineError, match="not a readable zip"):
        sl.index(path)


def _named(path: Path, raw: bytes, extra: bytes = b"") -> Path:
    """A zip whose first member's name are bytes without the UTF-8 flag."""
    stand_in = "a/" + "n" * (len(raw) - 6) + ".jpg"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {stand_in: jpeg(7), **PHOTOS}.items():
            info = zipfile.ZipInfo(name)
            info.extra = extra if name == stand_in else b""
            archive.writestr(info, data)
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), raw))
    return path


def test_names_in_code_page_437_and_in_utf8_without_saying_so(tmp_path: Path) -> None:
    samples = sl.index(_named(tmp_path / "a.zip", "a/Käse.jpg".encode("cp437")))
    assert "a/Käse.jpg" in samples.column("key")
    samples = sl.index(_named(tmp_path / "b.zip", "a/Käse.jpg".encode()))
    assert "a/Käse.jpg" in samples.column("key")
    assert any("1 names in b.zip do not say how they are written" in note for note in samples.notes)


def test_the_name_in_the_unicode_field_counts(tmp_path: Path) -> None:
    raw = "a/K?se?.jpg".replace("?", "\xe4").encode("cp437")
    body = struct.pack("<BL", 1, zipfile.crc32(raw)) + "a/Käse☃.jpg".encode()  # type: ignore[attr-defined]
    extra = struct.pack("<HH", 0x7075, len(body)) + body
    assert "a/Käse☃.jpg" in sl.index(_named(tmp_path / "a.zip", raw, extra)).column("key")


def test_links_in_zips_are_rows(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", PHOTOS)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("a/link.jpg")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "../../etc/passwd")
    samples = sl.index(path)
    assert "symbolic link" in samples.column("reason")[samples.column("key").index("a/link.jpg")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=5), st.booleans())
def test_any_damage_is_an_error_a_row_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], is_at_end: bool
) -> None:
    files = {n: d[:40] for n, d in PHOTOS.items()}
    path = write_zip(tmp_path_factory.mktemp("zip") / "a.zip", files, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[-(at % 300) - 1 if is_at_end else at % len(data)] = value
    path.write_bytes(data)
    try:
        members = members_of(path)
    except DataError:
        return
    reader = zipped.Zipped()
    for i in set(range(len(members))) - set(members.reasons):
        place = Reference(str(path), None, members.offsets[i], members.lengths[i], None, None, None, None)
        with suppress(DecodeError):
            if members.container(i) == "zip.compressed":
                assert reader.payload(place) in files.values()
