"""MDS shards and litdata chunks as tests need them, written without their libraries."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

FIXED = {"int": "<i8", "uint8": "u1", "float": "<f8"}


def encoded(encoding: str, value: Any) -> bytes:
    if encoding in FIXED:
        return np.array([value], FIXED[encoding]).tobytes()
    if encoding == "pil":
        height, width = value.shape[:2]
        mode = b"L" if value.ndim == 2 else b"RGB"
        return struct.pack("<3I", width, height, len(mode)) + mode + value.tobytes()
    return value.encode() if isinstance(value, str) else value.tobytes() if isinstance(value, np.ndarray) else value


def blob(samples: Sequence[bytes], about: bytes = b"") -> bytes:
    head = 4 * (len(samples) + 2) + len(about)
    ends = np.cumsum([head, *(len(s) for s in samples)])
    return struct.pack(f"<{len(samples) + 2}I", len(samples), *ends.tolist()) + about + b"".join(samples)


def write_mds(folder: Path, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], per_shard: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(columns)
    fixed = {"int": 8, "uint8": 1}
    sizes = [len(encoded(columns[n], rows[0][n])) if columns[n].startswith("ndarray") else fixed.get(columns[n])
             for n in names]  # fmt: skip
    shards = []
    for k, start in enumerate(range(0, len(rows), per_shard)):
        samples = []
        for row in rows[start : start + per_shard]:
            values = [encoded(columns[n], row[n]) for n in names]
            told = [len(v) for v, size in zip(values, sizes, strict=True) if size is None]
            samples.append(struct.pack(f"<{len(told)}I", *told) + b"".join(values))
        data = blob(samples, json.dumps({"column_names": names}).encode())
        name = f"shard.{k:05d}.mds"
        (folder / name).write_bytes(data)
        shards.append({
            "column_names": names, "column_encodings": [columns[n] for n in names], "column_sizes": sizes,
            "compression": None, "format": "mds", "hashes": [], "samples": len(samples), "version": 2,
            "raw_data": {"basename": name, "bytes": len(data), "hashes": {}}, "zip_data": None,
        })  # fmt: skip
    (folder / "index.json").write_text(json.dumps({"shards": shards, "version": 2}))
    return folder


LEAF = {"type": None, "context": None, "children_spec": []}


def tree(kind: str, keys: Sequence[Any], children: Sequence[Any]) -> dict[str, Any]:
    return {"type": f"builtins.{kind}", "context": json.dumps(list(keys)), "children_spec": list(children)}


def write_litdata(
    folder: Path, formats: Sequence[str], rows: Sequence[Sequence[Any]], spec: Any, per_chunk: int = 3, **config: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    chunks = []
    for k, start in enumerate(range(0, len(rows), per_chunk)):
        samples = []
        for row in rows[start : start + per_chunk]:
            values = [encoded(f, v) for f, v in zip(formats, row, strict=True)]
            samples.append(struct.pack(f"<{len(values)}I", *(len(v) for v in values)) + b"".join(values))
        name = f"chunk-0-{k}.bin"
        (folder / name).write_bytes(blob(samples))
        chunks.append({"filename": name, "chunk_size": len(samples), "chunk_bytes": 0, "dim": None})
    about = {"compression": None, "encryption": None, "data_format": list(formats), **config}
    about["data_spec"] = json.dumps([1, spec])
    (folder / "index.json").write_text(json.dumps({"chunks": chunks, "config": about}))
    return folder


def with_rows(chunk: Path, table: pa.Table, compression: str | None = None) -> None:
    """Make a chunk one that holds its samples as rows of Arrow, as litdata does where pyarrow is installed."""
    sink, n = pa.BufferOutputStream(), table.num_rows
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=2)
    rows = sink.getvalue().to_pybytes()
    head = struct.pack(f"<{n + 2}I", n, *[4 * (n + 2)] * (n + 1))
    chunk.write_bytes(head + rows + struct.pack("<I", len(rows)) + b"LDARW01\0")
