"""LMDB: pages against the library that writes them, Datums, labels of several conventions, damage, pickles."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lmdb as library
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.formats import Attributes, Listing, lmdb
from sightline.formats.lmdb_pages import entries
from sightline.indexing import index
from tests.formats.tf_records import field, varint
from tests.sources import jpeg, picture

IMAGES = [jpeg(i) for i in range(6)]
LONG = [jpeg(i, 64, 64) for i in range(2)]  # longer than a page


def write_lmdb(path: Path, values: Mapping[bytes, bytes], subdir: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with library.open(str(path), map_size=1 << 24, subdir=subdir) as env, env.begin(write=True) as transaction:
        for key, value in values.items():
            transaction.put(key, value)
    return path


def datum(data: bytes, label: int | None, size: tuple[int, int, int] = (0, 0, 0), is_encoded: bool = False) -> bytes:
    numbers = {1: size[0], 2: size[1], 3: size[2], 5: label, 7: int(is_encoded)}
    return field(4, data) + b"".join(varint(n << 3) + varint(v) for n, v in numbers.items() if v is not None)


def read(path: Path) -> Listing:
    assert lmdb.is_at(path)
    return lmdb.read(path, Attributes())


def reasons(path: Path) -> list[str | None]:
    found = read(path).reasons
    assert found is not None
    return list(found)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(st.binary(min_size=1, max_size=30), st.binary(max_size=30).map(lambda b: b * 300),
                                max_size=40), min_size=1, max_size=3), st.randoms())  # fmt: skip
def test_pages_hold_what_the_library_put(tmp_path_factory: Any, rounds: list[dict[bytes, bytes]], random: Any) -> None:
    folder = tmp_path_factory.mktemp("env")
    wanted: dict[bytes, bytes] = {}
    with library.open(str(folder), map_size=1 << 24) as env:
        for values in rounds:
            with env.begin(write=True) as transaction:
                for key, value in values.items():
                    transaction.put(key, value)
                wanted |= values
                for key in random.sample(sorted(wanted), len(wanted) // 3):
                    transaction.delete(key)
                    del wanted[key]
    found, data = entries(folder / "data.mdb"), (folder / "data.mdb").read_bytes()
    assert [e.key for e in found] == sorted(wanted)
    assert all(data[e.offset : e.offset + e.length] == wanted[e.key] for e in found)


def test_encoded_datums(tmp_path: Path) -> None:
    values = {f"{i:08d}_p{i + 5}.jpg".encode(): datum(v, i % 2, is_encoded=True)
              for i, v in enumerate([*IMAGES[:2], *LONG])}  # fmt: skip
    samples = index(write_lmdb(tmp_path / "train_lmdb", values).parent)
    assert samples.column("key")[0] == "train/00000000_p5.jpg"
    assert samples.labels.tolist() == [0, 1, 0, 1]
    assert [samples.reader().payload(i) for i in range(4)] == [*IMAGES[:2], *LONG]


def test_names_of_the_labels_lie_beside(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "train.lmdb", {b"%d" % i: datum(IMAGES[i], i % 2, is_encoded=True) for i in range(3)})
    (tmp_path / "labels.txt").write_text("cat\ndog\nowl\n")
    assert read(tmp_path).labels == ["cat", "dog", "cat"]
    assert read(tmp_path).class_ids == ("cat", "dog", "owl")


def test_planes_are_blue_green_red(tmp_path: Path) -> None:
    images = [picture(5, 4, seed=i) for i in range(2)]
    grey = picture(5, 4, 1)
    values = {b"%d" % i: datum(v[:, :, ::-1].transpose(2, 0, 1).tobytes(), i, (3, 5, 4)) for i, v in enumerate(images)}
    values[b"2"] = datum(grey.tobytes(), 0, (1, 5, 4))
    values[b"3"] = datum(grey.tobytes(), 0, (2, 5, 4))
    values[b"4"] = datum(IMAGES[0], 0, is_encoded=True)
    values[b"5"] = varint(6 << 3 | 5) + struct.pack("<f", 0.5)
    path = write_lmdb(tmp_path / "x.lmdb", values, subdir=False)
    assert reasons(path)[3:] == [
        "20 bytes for 2 planes of 5 × 4",
        "encoded, unlike the others",
        "no Datum: an image of floats; only bytes are read",
    ]
    samples = index(path)
    for i, image in enumerate([*images, grey[:, :, None]]):
        np.testing.assert_array_equal(samples.reader().pixels(i).values, image)
    assert "planes taken as blue, green, red" in samples.notes
    assert samples.column("status") == ["ok"] * 3 + ["unreadable"] * 3


def test_keys_come_in_byte_order_and_may_be_no_text(tmp_path: Path) -> None:
    values = {k: datum(IMAGES[0], i % 2, is_encoded=True) for i, k in enumerate([b"10", b"1", b"\xff\0", b"2"])}
    assert read(write_lmdb(tmp_path / "a", values)).keys == ["1", "10", "2", "0xff00"]


def test_labels_under_keys_of_their_own(tmp_path: Path) -> None:
    values = {b"num-samples": b"3"}
    for i in range(3):
        values |= {b"image-%09d" % (i + 1): IMAGES[i], b"label-%09d" % (i + 1): b"ab"[i % 2 : i % 2 + 1]}
    listing = read(write_lmdb(tmp_path / "a", values))
    assert listing.labels == ["a", "b", "a"]
    assert listing.keys[0] == "image-000000001"


def test_labels_from_a_list_beside(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "a", {b"x, y": IMAGES[0], b"z": IMAGES[1], b"__len__": b"2", b"w": IMAGES[2]})
    (path / "labels.csv").write_text("key,label\nx, y,dog\nz,cat\n")
    assert read(path).labels == [None, "dog", "cat"]
    (path / "labels.csv").write_text("q,dog\n")
    with pytest.raises(DataError, match="names none of the 3 keys"):
        read(path)
    (path / "labels.csv").write_text("word\n")
    with pytest.raises(DataError, match="line 1 is 'word'"):
        read(path)


def test_labels_in_the_keys(tmp_path: Path) -> None:
    keys = ["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg"]
    listing = read(write_lmdb(tmp_path / "a", {k.encode(): IMAGES[0] for k in keys}))
    assert (listing.keys, listing.labels, listing.splits) == (keys, ["cat", "dog", "cat"], ["train", "train", "val"])
    assert read(write_lmdb(tmp_path / "b", {b"cat/1": IMAGES[0], b"dog/1": IMAGES[1]})).labels == ["cat", "dog"]


def test_a_database_for_each_category(tmp_path: Path) -> None:
    for name in ("bedroom_train_lmdb", "church_outdoor_train_lmdb", "bedroom_val_lmdb"):
        write_lmdb(tmp_path / name, {name.encode(): IMAGES[0]})
    assert read(tmp_path).labels == ["bedroom", "church_outdoor", "bedroom"]
    assert read(tmp_path).splits == ["train", "train", "val"]


def test_a_broken_image_is_a_row(tmp_path: Path) -> None:
    values = {b"a/1": b"no image", b"a/2": IMAGES[0], b"b/1": IMAGES[1]}
    assert index(write_lmdb(tmp_path / "a", values)).column("status") == ["unreadable", "ok", "ok"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({b"a": pickle.dumps({"image": 1}), b"__keys__": pickle.dumps([b"a"])}, "Python pickles"),
        ({b"a": b"\x93\x01\x02", b"b": b"words"}, "neither images nor Caffe's Datums: a begins with"),
        ({b"a": IMAGES[0]}, "has no labels"),
        ({b"__len__": b"0"}, "without images"),
    ],
)
def test_what_is_refused(tmp_path: Path, values: dict[bytes, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write_lmdb(tmp_path / "a", values))


def test_databases_inside_and_several_values_are_refused(tmp_path: Path) -> None:
    with library.open(str(tmp_path / "a"), map_size=1 << 20, max_dbs=2) as env:
        env.open_db(b"inner")
    with pytest.raises(DataError, match="databases inside it"):
        read(tmp_path / "a")
    file, data = _database(tmp_path / "b")
    changed = bytearray(data)
    for meta in (0, 4096):
        changed[meta + 92] |= 4
    file.write_bytes(changed)
    with pytest.raises(DataError, match="several values for a key"):
        read(file.parent)


def _database(folder: Path) -> tuple[Path, bytes]:
    path = write_lmdb(folder / "a", {b"%04d" % i: LONG[i % 2] for i in range(300)})
    return path / "data.mdb", (path / "data.mdb").read_bytes()


@pytest.mark.parametrize("kept", [20, 4096, 3 * 4096, 100_000])
def test_a_file_cut_short_is_named(tmp_path: Path, kept: int) -> None:
    file, data = _database(tmp_path)
    file.write_bytes(data[:kept])
    with pytest.raises(DataError, match="Fetch it again"):
        read(file.parent)


def test_another_format_of_the_library_is_named(tmp_path: Path) -> None:
    file, data = _database(tmp_path)
    file.write_bytes(data[:20] + struct.pack("<I", 2) + data[24:])
    with pytest.raises(DataError, match="got 2"):
        entries(file)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_pages_end_in_an_error_or_in_ranges_inside_the_file(tmp_path_factory: Any, data: Any) -> None:
    global _GOOD
    if not _GOOD:
        _GOOD = _database(tmp_path_factory.mktemp("good"))[1]
    broken = bytearray(_GOOD)
    page = data.draw(st.integers(0, 12))
    for _ in range(data.draw(st.integers(1, 4))):
        broken[4096 * page + data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.mktemp("bad") / "data.mdb"
    file.write_bytes(broken)
    try:
        found = entries(file)
    except DataError:
        return
    assert all(0 <= e.offset <= e.offset + e.length <= len(broken) for e in found)


_GOOD = b""
