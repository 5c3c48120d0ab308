"""What the first bytes of JPEGs say by themselves, and processes that are asked for it, against a whole decoder."""

from __future__ import annotations

import io
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.errors import DecodeError
from sightline.formats import Attributes, class_folders, headers, looking, read_headers, tar_folders
from sightline.formats.first_bytes import FIRST_BYTES, plain_jpeg
from sightline.formats.headers import with_headers
from sightline.formats.listing import Listing
from sightline.formats.looking import Request
from sightline.images import Header, sniff
from tests.archives import write_tar
from tests.sources import ODD_BUT_READABLE, UNREADABLE, encoded, jpeg, picture, write_files

COLOUR, GREY = Image.fromarray(picture(40, 56)), Image.fromarray(picture(40, 56, channels=1))
PLAIN = {
    "usual": encoded(COLOUR, "JPEG"),
    "grey": encoded(GREY, "JPEG"),
    "progressive": encoded(COLOUR, "JPEG", progressive=True),
    "own Huffman tables": encoded(COLOUR, "JPEG", optimize=True),
    "full colour": encoded(COLOUR, "JPEG", subsampling=0, quality=100),
    "comment": encoded(COLOUR, "JPEG", comment=b"Exit"),
    "restarts": encoded(COLOUR, "JPEG", restart_marker_rows=1),
    "profile": encoded(COLOUR, "JPEG", icc_profile=bytes(300)),
}
ODD = {
    "rotated": ODD_BUT_READABLE["rotated.jpg"][0],
    "CMYK": ODD_BUT_READABLE["cmyk.jpg"][0],
    "RGB": encoded(COLOUR, "JPEG", keep_rgb=True),
    "long metadata": encoded(COLOUR, "JPEG", icc_profile=bytes(9000)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_jpegs_are_told_as_a_decoder_tells_them(name: str) -> None:
    channels, width, height = plain_jpeg(PLAIN[name])
    assert Header("jpeg", width, height, {1: "L", 3: "RGB"}[channels], 8, None) == sniff(io.BytesIO(PLAIN[name]))


@pytest.mark.parametrize("name", ODD)
def test_odd_jpegs_are_left_to_a_decoder(name: str) -> None:
    assert plain_jpeg(ODD[name][:FIRST_BYTES]) == (0, 0, 0)


@pytest.mark.parametrize("name", ["usual", "grey", "progressive", "profile"])
def test_a_header_that_is_cut_is_not_told(name: str) -> None:
    data = PLAIN[name]
    scan = data.index(b"\xff\xda")
    whole = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    assert all(plain_jpeg(data[:n]) == (0, 0, 0) for n in range(whole))
    assert plain_jpeg(data[:whole]) == plain_jpeg(data) != (0, 0, 0)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(PLAIN)), st.lists(st.tuples(st.integers(0, 800), st.integers(0, 255)), max_size=3))
def test_damage_is_told_as_a_decoder_tells_it_or_not_at_all(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(PLAIN[name])
    for at, value in changes:
        data[at % len(data)] = value
    channels, width, height = plain_jpeg(bytes(data))
    try:
        header = sniff(bytes(data))
    except DecodeError:
        return  # damage inside a table is found when pixels are decoded
    if channels:
        assert (header.codec, header.width, header.height, len(header.mode)) == ("jpeg", width, height, channels)


def test_what_cannot_be_opened_is_not_seen(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.jpg": jpeg(), "empty.jpg": b"", "short.jpg": jpeg()[:30]})
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for a writer
    names = ["a.jpg", "gone.jpg", "empty.jpg", "short.jpg", "pipe.jpg", "", "\udcff.jpg", "a.jpg"]
    with looking.Lookers() as lookers:
        found, gone = lookers.looks([Request(str(tmp_path), names), Request(f"{tmp_path}/gone", names[:2])])
    assert (found.kinds, gone.kinds) == (bytes([3, 0, 0, 0, 0, 0, 0, 3]), bytes(2))
    assert (found.widths[7], found.heights[7]) == (16, 12)


@pytest.fixture
def _processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "MANY", 1)
    for module in (headers, looking):
        monkeypatch.setattr(module, "PER_REQUEST", 3)


@pytest.mark.usefixtures("_processes")
def test_processes_and_threads_tell_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"a/{n}": v[0] for n, v in ODD_BUT_READABLE.items()} | {f"b/{n}": v[0] for n, v in UNREADABLE.items()}
    files |= {f"b/{i:02d}.jpg": jpeg(i, height=8 + i) for i in range(9)}
    files |= {f"c/{name}": data for name, data in (PLAIN | ODD).items()}
    listing = class_folders.read(write_files(tmp_path, files), Attributes())
    (tmp_path / "b/03.jpg").unlink()
    found = read_headers(listing)
    monkeypatch.setattr(headers, "MANY", 1000)
    assert found == read_headers(listing)
    assert found[listing.keys.index("b/03.jpg")] == "file is missing: 03.jpg"


def _listing(folder: Path, paths: list[str], **images: Any) -> Listing:
    return Listing(layout="", name="", roots={"r": str(folder), "s": "/"}, keys=paths, splits=[], labels=[],
                   images={"root": "r", "container": "file", "path": paths} | images)  # fmt: skip


@pytest.mark.usefixtures("_processes")
def test_listings_come_back_in_order_with_their_own_headers(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{i}.jpg": jpeg(height=8 + i) for i in range(20)})
    sizes = [5, 1, 0, 7, 0, 0, 7]
    starts = np.cumsum([0, *sizes])
    parts = [_listing(tmp_path, [f"{i}.jpg" for i in range(a, b)]) for a, b in pairwise(starts.tolist())]
    found = list(with_headers(iter(parts)))
    assert [listing for listing, _ in found] == parts
    assert [len(headers) for _, headers in found] == sizes
    assert [h.height for _, part in found for h in part if isinstance(h, Header)] == list(range(8, 28))


@pytest.mark.usefixtures("_processes")
def test_paths_of_several_roots_and_paths_that_are_none(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.jpg": jpeg(height=9), "b.jpg": jpeg(height=10)})
    paths = ["a.jpg", f"{tmp_path}/b.jpg"[1:], "a\0b.jpg", "a.jpg"]
    first, second, third, fourth = read_headers(_listing(tmp_path, paths, root=["r", "s", "r", "r"]))
    assert isinstance(first, Header)
    assert isinstance(second, Header)
    assert (first.height, second.height, fourth) == (9, 10, first)
    assert isinstance(third, str)


def test_a_process_that_ends_is_no_silence(tmp_path: Path) -> None:
    with looking.Lookers() as lookers:
        for process in lookers._processes:
            process.kill()
            process.wait()
        with pytest.raises(RuntimeError, match="process that reads headers ended"):
            list(lookers.looks([Request(str(tmp_path), ["a.jpg"])]))


@pytest.mark.usefixtures("_processes")
def test_ranges_of_archives_are_told_as_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"a/{n}": v[0] for n, v in ODD_BUT_READABLE.items()} | {f"b/{n}": v[0] for n, v in UNREADABLE.items()}
    files |= {f"c/{name}": data for name, data in (PLAIN | ODD).items()}
    files |= {f"{'ab'[i % 2]}/{i}.jpg": jpeg(i, height=8 + i) for i in range(9, 0, -1)}
    for split in ("train", "val"):
        write_tar(tmp_path / f"{split}.tar", files)
    listing = tar_folders.read(tmp_path, Attributes())
    found = read_headers(listing)
    with (tmp_path / "val.tar").open("r+b") as archive:
        archive.truncate(20_000)
    cut = read_headers(listing)
    monkeypatch.setattr(headers, "MANY", 10_000)
    assert cut == read_headers(listing)
    assert found[: len(files)] == cut[: len(files)] == found[len(files) :] != cut[len(files) :]
    assert found[: len(files)] == read_headers(class_folders.read(write_files(tmp_path / "tree", files), Attributes()))
