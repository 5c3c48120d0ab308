"""Studies written anew in another form: packed for training on large images, or as a layout that other tools read."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from sightline.conversion import folders
from sightline.conversion.encoding import Encoding
from sightline.conversion.tally import Tally
from sightline.errors import DataError, did_you_mean, extra_needed
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.study import Study

Write = Callable[[SampleTable, Path, Encoding | None], tuple[SampleTable, Tally]]
"""Writes samples that have been read in full into a new folder; returns their table as written, and what was done."""


def _packed(samples: SampleTable, folder: Path, encoding: Encoding | None) -> tuple[SampleTable, Tally]:
    from sightline.conversion import packed  # needs numba, which no other target does

    return packed.write(samples, folder, encoding)


def _folder(to: str, module: str, kind: str) -> Write:
    """How a layout of other tools is written; what it needs is imported when it is used."""

    def write(samples: SampleTable, folder: Path, encoding: Encoding | None) -> tuple[SampleTable, Tally]:
        target = getattr(import_module(f"{__name__}.{module}"), kind)
        return folders.write(samples, folder, encoding, to=to, target=target)

    return write


PACKED = "packed"
"""The target that is a study; the others are folders for other tools, which `index` reads."""
TARGETS: Mapping[str, Write] = {
    PACKED: _packed,
    "class-folders": _folder("class-folders", "class_folders", "ClassFolders"),
    "webdataset": _folder("webdataset", "webdataset", "WebDataset"),
    "parquet": _folder("parquet", "parquet", "Parquet"),
    "manifest": _folder("manifest", "manifest", "Manifest"),
    "tfrecord": _folder("tfrecord", "tfrecord", "TFRecord"),
    "lmdb": _folder("lmdb", "lmdb", "LMDB"),
    "mds": _folder("mds", "mds", "MDS"),
}
"""What a study can be converted to → how."""

__all__ = ["PACKED", "TARGETS", "Conversion", "Encoding", "Tally", "convert"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Conversion:
    """A study's images in another form."""

    place: Path
    """The new directory."""
    samples: SampleTable
    """The samples in it: ids, keys, labels, groups, official splits and order are those of the source."""
    study: Study | None
    """The study that the directory is, of packed images; None: it is a folder for other tools."""
    to: str
    encoding: Encoding | None
    """How images were encoded again with loss; None: no pixel changed."""
    tally: Tally

    def __repr__(self) -> str:
        return f"{len(self.samples):,} images · {self.tally}"

    def to_json(self) -> dict[str, Any]:
        """What was done, as JSON types."""
        settings = None if self.encoding is None else {
            "quality": self.encoding.quality, "max_side": self.encoding.max_side,
            "subsampling": self.encoding.subsampling,
        }  # fmt: skip
        return {"to": self.to, "images": len(self.samples), "encoding": settings, **self.tally.to_json()}


def convert(
    samples: SampleTable,
    out: str | os.PathLike[str],
    *,
    to: str = "packed",
    splits: Splits | None = None,
    quality: int | None = None,
    max_side: int | None = None,
) -> Conversion:
    """The images of `samples` in another form, in the new directory `out`.

    `packed`: a study of tar shards, of which the loader decodes only the rows that a crop needs. Pixels stay what they
    are, and are compared. Only with a JPEG `quality` (all images) or a largest `max_side` in pixels (images beyond it,
    at quality 95 unless said) are images encoded again, with loss; see `Encoding`. `splits` of the samples are carried
    over with the fingerprint of their test, so that looks go on being counted.

    Any other of `TARGETS`: a folder in that layout for other tools, whose own files hold the same bytes, or a PNG of
    the same pixels where there was no encoded image. `index` of it gives the same ids, keys, labels, groups, official
    splits and order. `splits` are not written: a test that lies in a folder of its own is sealed no more.

    Triggers the first full read. The directory appears when all of it is written. Raises DataError when it exists, when
    a target cannot hold the samples, and when an image is gone or changed since it was indexed; MissingExtraError
    without the extra that the target needs.
    """
    if to not in TARGETS:
        raise DataError(f"A study cannot be converted to {to!r}.{did_you_mean(to, TARGETS)}")
    place = Path(out)
    if os.path.lexists(place):
        raise DataError(f"{place} exists already; a conversion overwrites nothing. Choose a new directory.")
    is_lossy = quality is not None or max_side is not None
    encoding = Encoding(quality=quality, max_side=max_side) if is_lossy else None
    samples = samples.hashed()
    if splits is not None and splits.samples_digest != samples.digest:
        raise DataError(f"The splits were made for other samples than those of {samples.name}. Assign them again: "
                        "sightline split STUDY")  # fmt: skip
    with _whole_or_nothing(place) as folder:
        if to != PACKED:
            if samples.is_dropped.any():  # no other tool knows of that status
                samples = samples.take(~samples.is_dropped)
            written, tally = _write(to, samples, folder, encoding)
            roots = dict.fromkeys(written.roots, str(place.absolute()))
            return Conversion(place=place, samples=replace(written, roots=roots), study=None, to=to, encoding=None,
                              tally=tally)  # fmt: skip
        study = Study.create(folder)
        written, tally = _write(to, samples, folder, encoding)
        study.write_samples(written)
        if splits is not None:
            splits.write(study.splits_path)
            study.record_artifact("splits", splits.digest)
        result = Conversion(place=place, samples=written, study=Study(place), to=to, encoding=encoding, tally=tally)
        study.record(name=samples.name, converted=[{**result.to_json(), "samples": samples.digest}])
    return replace(result, samples=Study(place).read_samples())


def _write(to: str, samples: SampleTable, folder: Path, encoding: Encoding | None) -> tuple[SampleTable, Tally]:
    try:
        return TARGETS[to](samples, folder, encoding)
    except ModuleNotFoundError as e:
        raise extra_needed(e, f"Converting to {to}") or e from e


@contextmanager
def _whole_or_nothing(place: Path) -> Iterator[Path]:
    """A new directory beside `place` that takes its name when the block ends without an error, and else goes."""
    partial = place.with_name(f"{place.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
    except OSError as e:
        raise DataError(f"{place} cannot be made: {e.strerror or e}. Choose another place.") from e
    try:
        yield partial
        partial.rename(place)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
