"""Studies written anew in another form; today as packed shards, for training on large images."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sightline.conversion import packed
from sightline.conversion.encoding import Encoding
from sightline.conversion.packed import Tally
from sightline.errors import DataError, did_you_mean
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.study import Study

TARGETS = {"packed": packed.write}
"""What a study can be converted to → how."""

__all__ = ["TARGETS", "Conversion", "Encoding", "Tally", "convert"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Conversion:
    """A study that was made of another."""

    study: Study
    samples: SampleTable
    """Its samples: ids, keys, labels, groups, official splits and order are those of the source."""
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
    """The study at `out`, a new directory, with the images of `samples` in another form.

    `packed`: tar shards in the WebDataset convention, of which the loader decodes only the rows that a crop needs.
    Pixels stay what they are, and are compared. Only with a JPEG `quality` (all images) or a largest `max_side` in
    pixels (images beyond it, at quality 95 unless said) are images encoded again, with loss; see `Encoding`. `splits`
    of the samples are carried over with the fingerprint of their test, so that looks go on being counted. Triggers
    the first full read. The directory appears when all of it is written. Raises DataError when it exists, when the
    samples are arrays, and when an image is gone or changed since it was indexed; MissingExtraError without the extra
    `pack`.
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
        study = Study.create(folder)
        written, tally = TARGETS[to](samples, folder, encoding)
        study.write_samples(written)
        if splits is not None:
            splits.write(study.splits_path)
            study.record_artifact("splits", splits.digest)
        result = Conversion(study=Study(place), samples=written, to=to, encoding=encoding, tally=tally)
        study.record(name=samples.name, converted=[{**result.to_json(), "samples": samples.digest}])
    return replace(result, samples=result.study.read_samples())


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
