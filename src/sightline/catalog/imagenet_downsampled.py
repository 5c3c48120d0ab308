"""ImageNet-1k shrunk to 8, 16, 32 or 64 pixels: NPZ files whose labels are the development kit's numbers."""

from __future__ import annotations

import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from sightline.catalog.label_data import IMAGENET_1K, devkit_order, listed
from sightline.errors import DataError
from sightline.formats.listing import Attributes, Format, Listing
from sightline.images.parsing import ZIP_ERRORS

DATASET = "imagenet-downsampled"
SIDES = (8, 16, 32, 64)

_FILE = re.compile(r"(?:(train)_data_batch_(\d+)|(val)_data)\.npz")
_LOCAL_HEAD = 30


def is_at(path: Path) -> bool:
    """Whether `path` is, or a folder directly holds, NPZ files with the published names."""
    return bool(_files(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Images in the order of the files, train and then val. Raises DataError for missing, damaged and other files."""
    files = _files(path)
    batches = [_Batch.of(file) for _, _, file in files]
    sides = {b.side for b in batches}
    if len(sides) > 1:
        raise DataError(f"{path} holds images of {len(sides)} sizes ({sorted(sides)}). Put each size into a folder of "
                        "its own.")  # fmt: skip
    numbers = sorted(n for split, n, _ in files if split == "train")
    if numbers != list(range(1, len(numbers) + 1)):
        raise DataError(f"{path} has the batches {numbers} of train; batches are numbered from 1 without a gap. Fetch "
                        "the others.")  # fmt: skip
    side, order, keys = batches[0].side, devkit_order(), []
    splits = [split for (split, _, _), b in zip(files, batches, strict=True) for _ in b.labels]
    for split in ("train", "val"):
        keys += [f"{split}/{i:07d}" for i in range(splits.count(split))]
    root = path if path.is_dir() else path.parent
    return Listing(
        layout="downsampled ImageNet", name=DATASET, roots={"source": str(root.resolve())}, keys=keys, splits=splits,
        labels=[order[n - 1] for b in batches for n in b.labels], class_ids=listed(IMAGENET_1K), policy="official",
        images={
            "root": "source", "path": [b.file.name for b in batches for _ in b.labels],
            "container": [b.container for b in batches for _ in b.labels], "member": "data.npy",
            "offset": [b.begin + i * b.size for b in batches for i in range(len(b.labels))], "length": batches[0].size,
            "row": [i for b in batches for i in range(len(b.labels))], "codec": "raw", "mode": "RGB", "bits": 8,
            "layout": f"u1:chw:3,{side},{side}", "width": side, "height": side,
        },
        dataset=DATASET, notes=(f"{side} × {side}",),
    )  # fmt: skip


FORMAT = Format(name="downsampled ImageNet", is_at=is_at, read=read)


def _files(path: Path) -> list[tuple[str, int, Path]]:
    """Split, number and file: train in the order of numbers (2 before 10), then val."""
    if path.is_file():
        candidates = [path]
    else:
        # Asked of every source: a folder of a million files is not listed for it.
        is_there = any((path / name).is_file() for name in ("val_data.npz", "train_data_batch_1.npz"))
        candidates = sorted(path.glob("*.npz")) if is_there else []
    named = [(m, f) for f in candidates if (m := _FILE.fullmatch(f.name))]
    return sorted((m[1] or m[3], int(m[2] or 0), f) for m, f in named)


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """One file."""

    file: Path
    side: int
    labels: list[int]
    container: str
    begin: int
    """First byte of the first image: in the file, or in the unpacked array where the file is compressed."""

    @property
    def size(self) -> int:
        return 3 * self.side * self.side

    @classmethod
    def of(cls, file: Path) -> _Batch:
        try:
            with zipfile.ZipFile(file) as archive:
                with archive.open("labels.npy") as f:
                    labels = _labels(f, file)
                with archive.open("data.npy") as f:
                    shape, kind = _header(f, file)
                    begin = f.tell()
                info = archive.getinfo("data.npy")
        except ZIP_ERRORS as e:
            raise DataError(f"{file} is no batch of downsampled ImageNet or is damaged ({e}). Fetch it anew.") from None
        sides = {3 * s * s: s for s in SIDES}
        if len(shape) != 2 or shape[1] not in sides or kind != np.uint8 or shape[0] != len(labels):
            raise DataError(
                f"{file} holds {' × '.join(map(str, shape))} values of type {kind} and {len(labels):,} labels; wanted "
                "bytes, one row of 3 × side × side for each label. Fetch it again."
            )
        if info.file_size != begin + shape[0] * shape[1]:
            raise DataError(f"{file} is damaged: data.npy has {info.file_size:,} bytes, wanted "
                            f"{begin + shape[0] * shape[1]:,}. Fetch it again.")  # fmt: skip
        is_stored = info.compress_type == zipfile.ZIP_STORED
        first = _place(file, info) + begin if is_stored else begin
        return cls(file=file, side=sides[shape[1]], labels=labels, container="zip" if is_stored else "npz", begin=first)


def _place(file: Path, info: zipfile.ZipInfo) -> int:
    """First byte of a stored member."""
    with file.open("rb") as raw:
        raw.seek(info.header_offset)
        head = raw.read(_LOCAL_HEAD)
    name, extra = struct.unpack("<HH", head[26:30])
    return int(info.header_offset + _LOCAL_HEAD + name + extra)


def _header(f: IO[bytes], file: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(f)
    if version == (1, 0):
        shape, is_fortran, kind = np.lib.format.read_array_header_1_0(f)
    else:
        shape, is_fortran, kind = np.lib.format.read_array_header_2_0(f)
    if kind.hasobject or is_fortran:
        raise DataError(f"{file} holds arrays of Python objects or in Fortran order, which the published files do not.")
    return shape, kind


def _labels(f: IO[bytes], file: Path) -> list[int]:
    shape, kind = _header(f, file)
    if len(shape) != 1 or kind.kind not in "iu" or shape[0] * kind.itemsize > 1 << 26:
        raise DataError(f"{file} has labels of shape {shape} and type {kind}; wanted one whole number for each image.")
    values = np.frombuffer(f.read(), kind)
    if len(values) != shape[0] or not len(values) or values.min() < 1 or values.max() > 1_000:
        raise DataError(f"{file} has labels that are not 1 … 1000 as the published files have them. Fetch it again.")
    return list(map(int, values))
