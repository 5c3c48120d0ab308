"""Headers read in parallel stay in the listing's order, and tell why an image has none."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from sightline.formats import Attributes, class_folders, detect, hub_parquet, read_headers
from sightline.images import Header, sniff
from tests.archives import write_tar, write_zip
from tests.sources import ODD_BUT_READABLE, UNREADABLE, jpeg, write_files, write_hub


def test_every_kind_of_file(tmp_path: Path) -> None:
    files = {f"a/{n}": v[0] for n, v in ODD_BUT_READABLE.items()} | {f"b/{n}": v[0] for n, v in UNREADABLE.items()}
    found = class_folders.read(write_files(tmp_path, files), Attributes())
    for key, header in zip(found.keys, read_headers(found), strict=True):
        name = key.split("/")[1]
        if name in ODD_BUT_READABLE:
            assert isinstance(header, Header)
            _, codec, mode, bits, orientation = ODD_BUT_READABLE[name]
            assert (header.codec, header.mode, header.bits, header.exif_orientation) == (codec, mode, bits, orientation)
        else:
            assert isinstance(header, str)
            assert header.startswith(UNREADABLE[name][1])


def test_order_over_many_blocks(tmp_path: Path) -> None:
    files = {f"{'ab'[i % 2]}/{i:04d}.jpg": jpeg(height=8 + i % 7, width=8 + i % 5) for i in range(300)}
    found = class_folders.read(write_files(tmp_path, files), Attributes())
    sizes = [(h.height, h.width) for h in read_headers(found) if isinstance(h, Header)]
    numbers = [int(k[2:6]) for k in found.keys]
    assert sizes == [(8 + i % 7, 8 + i % 5) for i in numbers]


def test_order_over_row_groups(tmp_path: Path) -> None:
    images = [jpeg(height=8 + i % 7) for i in range(50)]
    write_hub(tmp_path / "train.parquet", images[:29], [0, 1] * 14 + [0], row_group_size=3)
    write_hub(tmp_path / "test.parquet", images[29:], [0, 1] * 10 + [0], row_group_size=100)
    heights = [h.height for h in read_headers(hub_parquet.read(tmp_path, Attributes())) if isinstance(h, Header)]
    assert heights == [8 + i % 7 for i in range(50)]


def test_some_rows_of_a_row_group(tmp_path: Path) -> None:
    images = [jpeg(height=8 + i) for i in range(20)]
    whole = hub_parquet.read(write_hub(tmp_path / "a.parquet", images, [0, 1] * 10, row_group_size=8), Attributes())
    part = whole.take([1, 2, 7, 8, 19])
    assert [h.height for h in read_headers(part) if isinstance(h, Header)] == [9, 10, 15, 16, 27]


def test_missing_files_and_folders_that_pose_as_images(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/1.jpg": jpeg(), "b/1.jpg": jpeg()})
    found = class_folders.read(tmp_path, Attributes())
    (tmp_path / "a/1.jpg").unlink()
    (tmp_path / "b/1.jpg").unlink()
    (tmp_path / "b/1.jpg").mkdir()
    assert read_headers(found) == ["file is missing: 1.jpg", "cannot be read: Is a directory"]


def _png(*, exif_behind: bool = False, text: bool = False) -> bytes:
    stream = io.BytesIO()
    about = PngInfo()
    if text:
        about.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="8"/>', zip=False)
    Image.new("RGB", (5, 4)).save(stream, "PNG", pnginfo=about)
    data = stream.getvalue()
    if exif_behind:
        body = b"eXIf" + _exif(6)
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        data = data[:-12] + chunk + data[-12:]
    return data


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


def test_orientation_of_a_png_stands_anywhere_and_others_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sniff(_png(exif_behind=True)).exif_orientation == 6
    assert sniff(_png(text=True)).exif_orientation == 8

    def decoded(self: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImageFile, "load", decoded)
    assert sniff(_png()) == Header("png", 5, 4, "RGB", 8, None)
    assert sniff(_png()[:60]).exif_orientation is None
    with pytest.raises(AssertionError, match="decoded"):
        sniff(_png(exif_behind=True))


@pytest.mark.parametrize("container", ["tar", "zip"])
def test_headers_of_archives_are_those_of_the_files(tmp_path: Path, container: str) -> None:
    files = {f"a/{n}": v[0] for n, v in ODD_BUT_READABLE.items()} | {f"b/{n}": v[0] for n, v in UNREADABLE.items()}
    files |= {f"b/{i}.jpg": jpeg(i, height=8 + i) for i in range(9, 0, -1)}
    files["a/long.jpg"] = jpeg()[:2] + (b"\xff\xfe\xff\xff" + bytes(65533)) * 3 + jpeg()[2:]  # comments, 190 kB of them
    expected = read_headers(class_folders.read(write_files(tmp_path / "tree", files), Attributes()))
    path = tmp_path / f"a.{container}"
    write_tar(path, files) if container == "tar" else write_zip(path, files)
    found = read_headers(detect(path).read(path, Attributes()))
    assert found == expected
    assert isinstance(found[sorted(files).index("a/long.jpg")], Header)
