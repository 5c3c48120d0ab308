"""What the files of each target hold, and that the tools they are for read it."""

from __future__ import annotations

import csv
import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import sightline as sl
from sightline.conversion import mds, parquet, webdataset
from sightline.formats.converted import OWN
from sightline.samples import SampleTable
from tests.conversion.odd import FOLDERS, needed
from tests.sources import ODD_BUT_READABLE, TRUNCATED, jpeg, png16, write_files, write_hub


@pytest.fixture
def photos(photo_folder: Path) -> SampleTable:
    """36 photos of two classes in train, val and test."""
    return sl.index(photo_folder, limit=0.4).hashed()


@pytest.fixture
def mixed(tmp_path: Path) -> SampleTable:
    """Images with and without a class, some of which cannot be read; no splits."""
    good = [v[0] for v in ODD_BUT_READABLE.values()]
    images = [*good, jpeg(1), TRUNCATED["half.png"], jpeg(2)]
    labels = [2, 0, 2, 0, 2, 0, 2, -1, 0, -1]
    write_hub(tmp_path / "hub" / "all.parquet", images, labels, patient=list("ppqqrrsstt"))
    return sl.index(tmp_path / "hub", classes=None).hashed()


def payloads(samples: SampleTable) -> list[bytes]:
    reader = samples.reader()
    return [reader.payload(int(i)) for i in np.flatnonzero(samples.is_ok)]


@pytest.mark.parametrize("to", FOLDERS)
def test_a_layout_says_much_without_our_table(to: str, photos: SampleTable, tmp_path: Path) -> None:
    needed(to)
    out = tmp_path / "out"
    sl.convert(photos, out, to=to)
    for name in OWN:
        (out / name).unlink()
    back = sl.index(out).hashed()

    names = ["content_sha256", "split", "label"]
    if to in {"class-folders", "webdataset", "parquet", "tfrecord", "mds"}:
        names.append("key")
    assert sorted(zip(*map(back.column, names), strict=True)) == sorted(zip(*map(photos.column, names), strict=True))
    if to in {"class-folders", "webdataset", "parquet", "manifest", "tfrecord"}:
        assert back.classes.ids == photos.classes.ids


def test_class_folders_in_torchvision(photos: SampleTable, tmp_path: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets", reason="torchvision is not installed")
    sl.convert(photos, tmp_path / "out", to="class-folders")
    for split in ("train", "val", "test"):
        found = datasets.ImageFolder(tmp_path / "out" / split)
        wanted = [(k, c) for k, s, c in zip(*map(photos.column, ("key", "split", "label")), strict=True) if s == split]
        assert [(str(Path(p).relative_to(tmp_path / "out")), c) for p, c in found.samples] == wanted
        assert tuple(found.classes) == photos.classes.ids


def test_class_folders_keep_what_has_no_class_apart(mixed: SampleTable, tmp_path: Path) -> None:
    sl.convert(mixed, tmp_path / "out", to="class-folders")
    files = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    folders = [f.rpartition("/")[0] for f in files]
    assert [folders.count(f) for f in ("data/0", "data/2", "unlabelled", "unreadable")] == [3, 4, 2, 1]
    assert (tmp_path / "out" / "unreadable" / "00000008").read_bytes() == TRUNCATED["half.png"]


def test_class_folders_have_a_place_for_a_class_without_images(tmp_path: Path) -> None:
    files = {"train/a/1.jpg": jpeg(1), "train/b/2.jpg": jpeg(2), "val/a/3.jpg": jpeg(3)}
    sl.convert(sl.index(write_files(tmp_path / "source", files)), tmp_path / "out", to="class-folders")
    assert [p.name for p in sorted((tmp_path / "out" / "val").iterdir())] == ["a", "b"]


def test_webdataset_reads_the_shards(photos: SampleTable, tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed")
    sl.convert(photos, tmp_path / "out", to="webdataset")
    shards = [str(tmp_path / "out" / f"{split}-00000.tar") for split in ("test", "train", "val")]
    found = list(wds.WebDataset(shards, shardshuffle=False).decode().to_tuple("jpg", "cls", "json"))
    wanted = list(zip(photos.column("label"), photos.column("key"), strict=True))
    assert sorted((label, about["key"]) for _, label, about in found) == sorted(wanted)


def test_members_of_a_sample_lie_together_whatever_its_key(tmp_path: Path) -> None:
    files = {"a/x.v1.jpg": jpeg(1), "a/x.v2.jpg": jpeg(2), "b/x": jpeg(3), "b/y.png": png16()}
    sl.convert(sl.index(write_files(tmp_path / "source", files)), tmp_path / "out", to="webdataset")
    with tarfile.open(tmp_path / "out" / "data-00000.tar") as tar:
        assert tar.getnames() == [
            f"{i:08d}.{suffix}" for i, image in enumerate(["jpg", "jpg", "jpg", "png"])
            for suffix in (image, "cls", "json")
        ]  # fmt: skip
        assert {(m.mtime, m.uid, m.gid, m.uname) for m in tar.getmembers()} == {(0, 0, 0, "")}


@pytest.mark.parametrize(
    ("to", "module", "limit"), [("webdataset", webdataset, 14_000), ("parquet", parquet, 6_000), ("mds", mds, 6_000)]
)
def test_shards_are_filled_and_no_larger(
    to: str, module: object, limit: int, photos: SampleTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", limit)
    made = sl.convert(photos, tmp_path / "out", to=to)
    names = json.loads((tmp_path / "out" / "sightline.json").read_text())["files"]
    assert made.tally.num_shards == len(names) > 4
    train = sorted(n for n in names if n.startswith(("train", "data/train")))
    rows = made.samples.table["image"].to_pylist()
    sizes = [sum(r["length"] for r in rows if r["path"] == name) for name in train]
    assert max(sizes) <= limit
    assert 2 <= len(train) < photos.column("split").count("train")
    back = sl.index(tmp_path / "out").hashed()
    assert back.column("content_sha256") == photos.column("content_sha256")


def test_payloads_of_parquet_are_bytes_of_the_file(
    mixed: SampleTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1_000)
    made = sl.convert(mixed, tmp_path / "out", to="parquet").samples
    [file] = (tmp_path / "out" / "data").iterdir()
    assert file.name == "data-00000-of-00001.parquet"
    data, table = file.read_bytes(), pq.read_table(file)
    assert pq.ParquetFile(file).num_row_groups > 2
    rows = [r for r, ok in zip(made.column("image"), made.is_ok, strict=True) if ok]
    wanted = payloads(mixed)
    assert [data[r["offset"] : r["offset"] + r["length"]] for r in rows] == wanted
    assert [r["bytes"] for r in table["image"].to_pylist()] == wanted
    assert table["label"].to_pylist() == [v for v, ok in zip(mixed.column("label"), mixed.is_ok, strict=True) if ok]
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == {"names": list(mixed.classes.ids), "_type": "ClassLabel"}
    assert set(features) == set(table.column_names)


def test_hubs_own_library_reads_the_parquet(
    photos: SampleTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    sl.convert(photos, tmp_path / "out", to="parquet")
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(found[name]) for name in found} == {"train": 20, "val": 6, "test": 6}
    assert found["train"].features["label"].names == list(photos.classes.ids)
    keys = [k for name in ("test", "train", "val") for k in found[name]["key"]]
    assert keys == photos.column("key")
    image = found["val"][3]["image"]
    np.testing.assert_array_equal(np.asarray(image), photos.reader().pixels(keys.index(found["val"][3]["key"])).values)


def test_hubs_image_folder_reads_the_manifest(photos: SampleTable, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    sl.convert(photos, tmp_path / "out", to="manifest")
    found = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "c"))
    assert sorted(found["train"]["key"]) == sorted(photos.column("key"))
    assert set(found["train"]["label"]) == {"bright", "dark"}


def test_a_manifest_is_a_plain_table(mixed: SampleTable, tmp_path: Path) -> None:
    sl.convert(mixed, tmp_path / "out", to="manifest")
    with (tmp_path / "out" / "metadata.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [(tmp_path / "out" / r["file_name"]).read_bytes() for r in rows] == payloads(mixed)
    ok = [i for i in range(len(mixed)) if mixed.is_ok[i]]
    assert [r["key"] for r in rows] == [mixed.column("key")[i] for i in ok]
    assert [r["label"] for r in rows] == ["" if v is None else mixed.classes.ids[v]
                                          for v in (mixed.column("label")[i] for i in ok)]  # fmt: skip
    assert "split" not in rows[0]


def test_tfrecord_reads_the_records(photos: SampleTable, tmp_path: Path) -> None:
    needed("tfrecord")
    reader = pytest.importorskip("tfrecord.reader", reason="tfrecord is not installed")
    sl.convert(photos, tmp_path / "out", to="tfrecord")
    kinds = {"image/encoded": "byte", "image/class/label": "int", "key": "byte"}
    found = {}
    for split in ("train", "val", "test"):
        file = str(tmp_path / "out" / f"{split}-00000-of-00001.tfrecord")
        for record in reader.tfrecord_loader(file, None, kinds):
            found[bytes(record["key"]).decode()] = bytes(record["image/encoded"]), int(record["image/class/label"][0])
    wanted = zip(photos.column("key"), payloads(photos), photos.column("label"), strict=True)
    assert found == {key: (payload, label) for key, payload, label in wanted}


def test_streaming_reads_the_shards(photos: SampleTable, tmp_path: Path) -> None:
    streaming = pytest.importorskip("streaming", reason="mosaicml-streaming is not installed")
    sl.convert(photos, tmp_path / "out", to="mds")
    found = {}
    for split in ("train", "val", "test"):
        for record in streaming.LocalDataset(local=str(tmp_path / "out" / split)):
            found[record["key"]] = record["image"], record["label"], record["about"]["class"]
    wanted = zip(photos.column("key"), payloads(photos), photos.column("label"), strict=True)
    assert found == {key: (payload, label, photos.classes.ids[label]) for key, payload, label in wanted}


def test_an_mds_shard_says_where_its_records_are(mixed: SampleTable, tmp_path: Path) -> None:
    sl.convert(mixed, tmp_path / "out", to="mds")
    [shard] = json.loads((tmp_path / "out" / "index.json").read_text())["shards"]
    data = (tmp_path / "out" / shard["raw_data"]["basename"]).read_bytes()
    count = struct.unpack_from("<I", data)[0]
    starts = struct.unpack_from(f"<{count + 1}I", data, 4)
    assert (count, starts[-1]) == (shard["samples"], shard["raw_data"]["bytes"]) == (9, len(data))
    assert shard["column_names"] == sorted(shard["column_names"])
    labels = [struct.unpack("<q", data[stop - 8 : stop])[0] for stop in starts[1:]]
    ok = [v for v, is_ok in zip(mixed.column("label"), mixed.is_ok, strict=True) if is_ok]
    assert labels == [-1 if v is None else v for v in ok]


def test_lmdb_holds_datums(mixed: SampleTable, tmp_path: Path) -> None:
    needed("lmdb")
    import lmdb

    from sightline.formats.caffe_datum import datum_of

    sl.convert(mixed, tmp_path / "out", to="lmdb")
    with lmdb.open(str(tmp_path / "out"), readonly=True, lock=False) as environment, environment.begin() as reading:
        found = [(bytes(key).decode(), bytes(value)) for key, value in reading.cursor()]
    ok = [i for i in range(len(mixed)) if mixed.is_ok[i]]
    assert [key for key, _ in found] == [f"{i:08d}" for i in ok]
    datums = [datum_of(value) for _, value in found]
    assert [v[d.start : d.stop] for (_, v), d in zip(found, datums, strict=True)] == payloads(mixed)
    labels = [mixed.column("label")[i] for i in ok]
    assert [d.label for d in datums] == [-1 if v is None else v for v in labels]
    assert all(d.is_encoded for d in datums)
    lines = [json.loads(line) for line in (tmp_path / "out" / "data.jsonl").read_text().splitlines()]
    assert [(line["lmdb_key"], line["key"]) for line in lines] == [(f"{i:08d}", mixed.column("key")[i]) for i in ok]
    assert not (tmp_path / "out" / "lock.mdb").exists()
