"""LAION: withdrawn tables, rows that were never fetched, and img2dataset's shards."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.catalog import laion
from sightline.errors import DataError
from sightline.indexing import index
from tests.sources import jpeg, write_files, write_hub

URLS = ("https://A.example/1.jpg", "https://b.example/2.jpg", None, "http://[broken/4.jpg")
TABLE: dict[str, Sequence[Any]] = {
    "URL": URLS, "TEXT": ["a cat", None, "a dog", "a cow"], "WIDTH": [10, None, 30, 40], "HEIGHT": [10, 20, 30, 40],
    "similarity": [0.25, 0.5, None, 0.75], "hash": [7, 7, None, -9], "pwatermark": [0.5] * 4,
    "punsafe": [0.0, 1.0, 0.5, None],
}  # fmt: skip


def table(file: Path, columns: Mapping[str, Sequence[Any]] = TABLE) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), file, row_group_size=2)
    return file


def tar(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def shard(folder: Path, number: int = 0, **more: Sequence[Any]) -> Path:
    """Shard of four rows in completion order: two fetched, one refused, one that the tar does not have."""
    stem = f"{number:05d}"
    keys = [f"{stem}{i:04d}" for i in (3, 0, 2, 1)]
    status = ["success", "success", "failed_to_download", "success"]
    pictures = {f"{key}.jpg": jpeg(i) for i, key in enumerate(keys[:2])}
    table(folder / f"{stem}.parquet", {
        "url": [f"https://host{i}.example/x.jpg" for i in range(3)] + ["https://host0.example/y.jpg"],
        "caption": ["three", "zero", None, "one"], "key": keys, "status": status,
        "error_message": [None, None, "HTTP Error 404: Not Found", None],
        "sha256": [hashlib.sha256(b"as downloaded").hexdigest(), "x1", None, "x1"], "NSFW": ["UNLIKELY"] * 4,
        "LICENSE": ["?"] * 4, "similarity": [0.5] * 4, **more,
    })  # fmt: skip
    members = {n: d for name, data in pictures.items() for n, d in
               ((name, data), (f"{name[:-4]}.txt", b"text"), (f"{name[:-4]}.json", b"{}"))}  # fmt: skip
    return write_files(folder, {f"{stem}.tar": tar(members), f"{stem}_stats.json": b'{"count": 4}'})


def test_rows_of_a_table_are_samples_that_were_not_fetched(tmp_path: Path) -> None:
    samples = index(f"{table(tmp_path / 'part-0.snappy.parquet')}#re-laion")
    assert samples.column("key") == [f"part-0.snappy/0000000{i}" for i in range(4)]
    assert set(samples.column("reason")) == {"not fetched: the table names its address alone"}
    assert samples.column("captions") == [["a cat"], None, ["a dog"], ["a cow"]]
    assert dict(samples.column("scalars")[0]) == {"similarity": 0.25, "punsafe": 0, "pwatermark": 0.5}
    assert dict(samples.column("scalars")[3]) == {"similarity": 0.75, "pwatermark": 0.5}  # null is no number
    assert json.loads(samples.column("extra")[0]) == {"url": URLS[0], "hash": 7}
    assert samples.column("label") == [None] * 4
    assert samples.name == "re-laion-5b"
    assert "said to be Re-LAION-5B, whose removals are done" in samples.notes


def test_a_hash_of_64_bits_is_no_key(tmp_path: Path) -> None:
    samples = index(f"{table(tmp_path / 'p.parquet')}#re-laion")
    assert len(set(samples.column("sample_id"))) == 4  # two of them have the hash 7
    assert samples.column("groups") == [
        [{"kind": "host", "id": "a.example"}], [{"kind": "host", "id": "b.example"}], [], []]  # fmt: skip


def test_original_tables_are_refused(tmp_path: Path) -> None:
    table(tmp_path / "p.parquet")
    for source in (tmp_path, tmp_path / "p.parquet"):
        with pytest.raises(DataError, match=r"withdrawn in December 2023.*#re-laion.*removed\.txt"):
            index(source)


@pytest.mark.parametrize("name", ["removed.txt", "removed.parquet"])
def test_unless_a_list_of_removals_is_there(tmp_path: Path, name: str) -> None:
    table(tmp_path / "p.parquet")
    if name.endswith("txt"):
        (tmp_path / name).write_text(f"# taken out\n\n{URLS[1]}\n-9\n")
    else:
        table(tmp_path / name, {"URL": [URLS[1], None], "hash": [None, -9]})
    samples = index(tmp_path)
    assert samples.column("key") == ["p/00000000", "p/00000002"]  # names do not depend on what is left out
    assert "2 rows left out, as the list of removals says" in samples.notes
    assert index(f"{tmp_path}#re-laion").column("key") == samples.column("key")


def test_lists_that_are_none(tmp_path: Path) -> None:
    table(tmp_path / "p.parquet")
    (tmp_path / "removed.txt").write_text("# nothing\n")
    with pytest.raises(DataError, match="empty list removes nothing"):
        index(tmp_path)
    (tmp_path / "removed.txt").write_text("\n".join(["7", "-9", URLS[0] or "", URLS[1] or "", "None"]))
    with pytest.raises(DataError, match="no rows that are not in the list"):
        index(tmp_path)
    (tmp_path / "removed.txt").unlink()
    table(tmp_path / "removed.parquet", {"x": [1]})
    with pytest.raises(DataError, match="no column url, md5"):
        index(tmp_path)


def test_too_many_rows_for_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laion, "MAX_ROWS", 7)
    table(tmp_path / "a.parquet")
    assert len(index(f"{tmp_path}#re-laion")) == 4
    table(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="has 8 rows; at most 7"):
        index(f"{tmp_path}#re-laion")


def test_shards_have_what_was_fetched_by_key(tmp_path: Path) -> None:
    samples = index(f"{shard(tmp_path)}#re-laion")
    assert samples.column("key") == [f"00000/00000000{i}" for i in range(4)]  # not in the order of completion
    assert samples.column("reason") == [
        None, "said to be fetched, and not in 00000.tar", "failed to download: HTTP Error 404: Not Found", None,
    ]  # fmt: skip
    assert samples.column("captions") == [["zero"], ["one"], None, ["three"]]
    reader = samples.reader()
    assert (reader.payload(0), reader.payload(3)) == (jpeg(1), jpeg(0))
    assert samples.column("image")[0]["container"] == "tar"
    assert samples.name == "laion-400m"
    assert "2 rows without a picture" in samples.notes


def test_the_hash_of_a_download_is_not_that_of_the_picture(tmp_path: Path) -> None:
    samples = index(f"{shard(tmp_path)}#re-laion").hashed()
    assert samples.column("content_sha256")[3] == hashlib.sha256(jpeg(0)).digest()
    assert json.loads(samples.column("extra")[3])["downloaded_sha256"] == hashlib.sha256(b"as downloaded").hexdigest()


def test_hosts_and_equal_downloads_are_groups(tmp_path: Path) -> None:
    samples = index(f"{shard(tmp_path)}#re-laion")
    group = samples.column("group_id")
    assert group[0] == group[1] == group[3]  # 0 and 1 by their bytes, 1 and 3 by their host
    assert group[2] != group[0]


def test_pictures_in_folders(tmp_path: Path) -> None:
    shard(tmp_path)
    with tarfile.open(tmp_path / "00000.tar") as archive:
        write_files(tmp_path / "00000", {m.name: archive.extractfile(m).read() for m in archive})  # type: ignore[union-attr]
    (tmp_path / "00000.tar").unlink()
    samples = index(f"{tmp_path}#re-laion")
    assert samples.is_ok.tolist() == [True, False, False, True]
    assert samples.column("image")[0]["path"] == "00000/000000000.jpg"


def test_broken_shards_are_rows_or_notes(tmp_path: Path) -> None:
    shard(tmp_path, 0)
    shard(tmp_path, 1)
    shard(tmp_path, 2)
    data = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00000.tar").write_bytes(data[:700])
    (tmp_path / "00001.parquet").unlink()
    samples = index(f"{tmp_path}#re-laion")
    assert "not read, their tables are not there: 00001.tar" in samples.notes
    assert [key[:5] for key in samples.column("key")] == ["00000"] * 4 + ["00002"] * 4
    assert samples.column("reason")[0].startswith("said to be fetched, and not in 00000.tar (")
    assert samples.is_ok[4:].tolist() == [True, False, False, True]


def test_shards_are_refused_like_their_tables(tmp_path: Path) -> None:
    shard(tmp_path)
    with pytest.raises(DataError, match="withdrawn"):
        index(tmp_path)
    (tmp_path / "removed.txt").write_text("https://host0.example/y.jpg\n")
    assert index(tmp_path).column("key") == ["00000/000000000", "00000/000000002", "00000/000000003"]


def test_a_column_of_labels_that_was_kept(tmp_path: Path) -> None:
    samples = index(f"{shard(tmp_path, label=['b', 'a', 'a', None])}#re-laion")
    assert [i if i is None else samples.classes.ids[i] for i in samples.column("label")] == ["a", None, "a", "b"]


def test_what_is_not_laions(tmp_path: Path) -> None:
    plain = table(tmp_path / "a" / "list.parquet", {"url": ["x"], "caption": ["y"]})
    hub = write_hub(tmp_path / "b" / "train.parquet", [jpeg()], [0], url=["x"], text=["y"], similarity=[0.5])
    for path in (plain, plain.parent, hub, hub.parent, tmp_path / "missing", tmp_path):
        assert not laion.is_at(path)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="not a readable Parquet"):
        laion.is_at(tmp_path / "c")
