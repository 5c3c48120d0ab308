"""Files appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline import artifacts
from sightline.artifacts import (
    about_of,
    as_metadata,
    read_json,
    read_table,
    write_bytes,
    write_json,
    write_table,
    written_whole,
)
from sightline.errors import DataError


def test_round_trips(tmp_path: Path) -> None:
    write_json(tmp_path / "deep/er/x.json", {"a": (1, 2), "ü": None})
    assert read_json(tmp_path / "deep/er/x.json") == {"a": [1, 2], "ü": None}
    table = pa.table({"n": [1, 2]}).replace_schema_metadata({"sightline": "{}"})
    write_table(tmp_path / "x.parquet", table)
    assert read_table(tmp_path / "x.parquet").equals(table, check_metadata=True)


def test_a_table_says_what_it_is_and_one_of_somebody_else_nothing() -> None:
    table = pa.table({"n": [1, 2]})
    assert about_of(table.replace_schema_metadata(as_metadata({"version": 1, "ü": [2]}))) == {"version": 1, "ü": [2]}
    for metadata in (None, {"pandas": "{}"}, {"sightline": "no JSON"}, {"sightline": "[1]"}):
        assert about_of(table.replace_schema_metadata(metadata)) == {}


def test_a_folder_called_key_value_adds_no_column(tmp_path: Path) -> None:
    write_table(tmp_path / "split=train/x.parquet", pa.table({"n": [1]}))
    assert read_table(tmp_path / "split=train/x.parquet").column_names == ["n"]


def test_an_error_on_the_way_leaves_the_former_file(tmp_path: Path) -> None:
    write_bytes(tmp_path / "x", b"before")

    def half() -> None:
        with written_whole(tmp_path / "x") as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert (tmp_path / "x").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["x"]


def test_a_full_disk_is_said_and_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes(tmp_path / "x", b"before")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"Could not write .*x: No space left on device\. Nothing was changed"):
        write_bytes(tmp_path / "x", b"after")
    assert (tmp_path / "x").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["x"]


def test_a_truly_full_disk(tmp_path: Path) -> None:
    # A limit on the size of files makes the same write fail as a full disk does.
    code = """
        import resource, signal, sys
        from pathlib import Path
        from sightline.artifacts import write_bytes
        from sightline.errors import DataError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_bytes(Path(sys.argv[1]), bytes(5000))
        except DataError as e:
            print(e)
    """
    write_bytes(tmp_path / "x", b"before")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "x")], capture_output=True, text=True, check=True
    )
    assert "Could not write" in done.stdout
    assert (tmp_path / "x").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("when", ["os.fsync", "pathlib.Path.replace"])
def test_a_kill_in_the_middle_leaves_the_former_file(tmp_path: Path, when: str) -> None:
    code = f"""
        import os, pathlib, sys
        from sightline.artifacts import write_bytes
        {when} = lambda *a: os.kill(os.getpid(), 9)
        write_bytes(pathlib.Path(sys.argv[1]), b"after")
    """
    write_bytes(tmp_path / "x", b"before")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "x")], check=False)
    assert done.returncode == -9
    assert (tmp_path / "x").read_bytes() == b"before"
    write_bytes(tmp_path / "x", b"again")
    assert (tmp_path / "x").read_bytes() == b"again"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="Could not write"):
        write_bytes(tmp_path / "file" / "x", b"")


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b""])
def test_damaged_json(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(DataError, match="not valid JSON"):
        read_json(tmp_path / "x.json")


def test_json_that_is_a_folder_or_lies_below_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; wanted a JSON file"):
        read_json(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        read_json(tmp_path / "file" / "x.json")


def test_damaged_and_missing_tables(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_table(tmp_path / "x.parquet")
    for read in (read_table, read_json):
        with pytest.raises(DataError, match="does not exist"):
            read(tmp_path / "gone")


def test_tables_of_every_type_come_back_and_names_take_little(tmp_path: Path) -> None:
    n = 5000
    names = [f"n0{i // 100:07d}/n0{i // 100:07d}_{i * 7919 % 100_003}.JPEG" for i in range(n)]
    nested = pa.array([{"size": i * 31, "of": [i, None]} for i in range(n)],
                      pa.struct([("size", pa.int64()), ("of", pa.list_(pa.int64()))]))  # fmt: skip
    table = pa.table({
        "key": names, "same": names, "nested": nested,
        "hash": pa.array([b"%016d" % i for i in range(n)], pa.binary(16)),
        "map": pa.array([[("a", 1.5)], None] * (n // 2), pa.map_(pa.string(), pa.float32())),
        "word": pa.array(["ok", None] * (n // 2)).dictionary_encode(), "gap": pa.nulls(n, pa.string()),
        "blob": [b"\xff", b""] * (n // 2),
    })  # fmt: skip
    path = tmp_path / "t.parquet"
    write_table(path, table)
    assert read_table(path).equals(table)
    write_table(tmp_path / "names.parquet", table.select(["key"]))
    assert (tmp_path / "names.parquet").stat().st_size < 8 * n  # 30 bytes each as text
    with pq.ParquetFile(path) as file:
        columns = [file.metadata.row_group(0).column(i) for i in range(file.metadata.num_columns)]
    encodings = {c.path_in_schema: set(c.encodings) for c in columns}
    assert "DELTA_BYTE_ARRAY" in encodings["key"]
    assert "DELTA_BINARY_PACKED" in encodings["nested.of.list.element"]
    assert "RLE_DICTIONARY" in encodings["word"]
    assert "RLE_DICTIONARY" not in encodings["hash"]


def test_a_table_of_several_row_groups_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "ROWS", 2)
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1, 0], pa.int32()), ["a", "b"])
    struct = pa.StructArray.from_arrays([words, pa.array(range(5))], ["word", "n"])
    table = pa.table({"image": struct, "word": words})
    write_table(tmp_path / "x.parquet", table)
    assert pq.ParquetFile(tmp_path / "x.parquet").num_row_groups == 3
    assert read_table(tmp_path / "x.parquet").combine_chunks().equals(table)
