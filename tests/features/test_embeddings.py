"""Embeddings as a table: what is read, and what is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import DataError
from sightline.features import read_embeddings, write_embeddings
from tests.tables import plain_samples

VALUES = np.arange(20, dtype=np.float32).reshape(5, 4)


def test_what_is_written_is_read_in_table_order(tmp_path: Path) -> None:
    samples = plain_samples([3, 3])
    ids = samples.column("sample_id")
    order = [4, 0, 5, 2, 1]
    write_embeddings(tmp_path / "e.parquet", [ids[i] for i in order], VALUES, {"digests": {"weights": "w"}})
    found = read_embeddings(tmp_path / "e.parquet", samples)
    assert found.values.dtype == np.float32
    assert np.array_equal(found.values[order], VALUES)
    assert np.isnan(found.values[3]).all()
    assert found.meta == {"digests": {"weights": "w"}}


KINDS = [pa.list_(pa.float64()), pa.large_list(pa.float16()), pa.list_(pa.int32(), 4)]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_tables_of_others(tmp_path: Path, kind: Any) -> None:
    samples = plain_samples([3, 2])
    ids = [i.hex() for i in samples.column("sample_id")]
    rows = [[kind.value_type.to_pandas_dtype()(v) for v in row] for row in VALUES]
    pq.write_table(pa.table({"sample_id": ids, "vector": pa.array(rows, kind)}), tmp_path / "e.parquet")
    assert np.array_equal(read_embeddings(tmp_path / "e.parquet", samples).values, VALUES)


def test_arrays_in_table_order(tmp_path: Path) -> None:
    samples = plain_samples([3, 2])
    np.save(tmp_path / "e.npy", VALUES.astype(np.float64))
    assert np.array_equal(read_embeddings(tmp_path / "e.npy", samples).values, VALUES)
    with pytest.raises(DataError, match=r"shape \(5, 4\); embeddings are numbers of shape \(6, d\)"):
        read_embeddings(tmp_path / "e.npy", plain_samples([3, 3]))
    np.save(tmp_path / "o.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"o\.npy is not a readable \.npy of numbers\. Write one with numpy\.save"):
        read_embeddings(tmp_path / "o.npy", samples)
    (tmp_path / "empty.npy").touch()
    with pytest.raises(DataError, match=r"empty\.npy is not a readable"):
        read_embeddings(tmp_path / "empty.npy", samples)
    with pytest.raises(DataError, match=r"cannot be read \(No such file"):
        read_embeddings(tmp_path / "none.npy", samples)
    np.save(tmp_path / "w.npy", VALUES[:, :0])
    with pytest.raises(DataError, match=r"of shape \(5, 0\); embeddings are numbers"):
        read_embeddings(tmp_path / "w.npy", samples)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": [1]}, "no column sample_id"),
        ({"sample_id": ["00" * 16] * 5}, "one column of lists"),
        ({"features": [[1.0], [1.0, 2.0], [1.0], [1.0], [1.0]]}, "differ in length"),
        ({"features": [[1.0], None, [1.0], [1.0], [1.0]]}, "1 rows of 'features' are null"),
        ({"features": [[1.0], [float("nan")], [1.0], [1.0], [1.0]]}, "1 of 5 rows hold values that are not finite"),
        ({"sample_id": ["xy"] * 5, "features": [[1.0]] * 5}, "16 bytes or 32 hex digits"),
        ({"sample_id": ["00" * 16] * 5, "features": [[1.0]] * 5}, "1 samples that made does not have, e.g. 0000"),
        ({"sample_id": [7] * 5, "features": [[1.0]] * 5}, "16 bytes or 32 hex digits"),
        ({"sample_id": [b"x"] * 5, "features": [[1.0]] * 5}, "16 bytes or 32 hex digits"),
        ({"features": [[1e300], [1.0], [1.0], [1.0], [1.0]]}, "1 of 5 rows hold values that are not finite"),
        ({"a": [[1.0]] * 5, "b": [[1.0]] * 5}, "it has a, b"),
        ({"features": [[]] * 5}, "holds no features|one column of lists"),
    ],
)
def test_refusals(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    samples = plain_samples([3, 2])
    whole = columns if "id" in columns else {"sample_id": samples.column("sample_id"), **columns}
    pq.write_table(pa.table(whole), tmp_path / "e.parquet")
    with pytest.raises(DataError, match=said):
        read_embeddings(tmp_path / "e.parquet", samples)


def test_a_sample_named_twice(tmp_path: Path) -> None:
    samples = plain_samples([3, 2])
    ids = samples.column("sample_id")
    write_embeddings(tmp_path / "e.parquet", [ids[0]] * 5, VALUES, {})
    with pytest.raises(DataError, match="names a sample twice"):
        read_embeddings(tmp_path / "e.parquet", samples)
