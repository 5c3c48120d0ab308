"""What a target takes and gives: one sample after the other in, the place of each image out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from sightline.conversion.tar_shards import SUFFIXES
from sightline.samples import SampleTable

NO_SPLIT = "data"
"""What files and folders are called that hold samples without an official split."""
UNLABELLED = -1
"""The label of a sample without one, where a layout has no word for that; hubs use the same."""
LISTS = ("groups", "labels", "boxes", "captions", "scalars")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A sample as it goes into a target."""

    ordinal: int
    payload: bytes
    """An encoded image."""
    codec: str
    is_made: bool
    """Whether the payload is a PNG made of the sample's pixels; else it is the source's."""
    row: Mapping[str, Any]
    """The sample's row of the table, all but the image and the hashes."""
    class_id: str | None
    """Native id of its label."""

    @property
    def key(self) -> str:
        """The source's own name of the sample."""
        return str(self.row["key"])

    @property
    def own_name(self) -> str:
        """The key without the split in front."""
        return self.key.removeprefix(f"{self.row['split']}/")

    @property
    def split(self) -> str:
        """Name of its split, for files and folders."""
        return str(self.row["split"] or NO_SPLIT)

    @property
    def label(self) -> int | None:
        """Class id; None = unlabelled."""
        return None if self.row["label"] is None else int(self.row["label"])

    @property
    def suffix(self) -> str:
        """How files of its codec end, without the dot."""
        return SUFFIXES[self.codec]

    @cached_property
    def about(self) -> dict[str, Any]:
        """What other readers may want to know, as JSON types; further columns where the sample has them."""
        row = self.row
        said = {"key": self.key, "sample_id": row["sample_id"].hex(), "split": row["split"], "label": row["label"],
                "class": self.class_id}  # fmt: skip
        further = {name: row[name] for name in (*LISTS, "time", "extra") if row[name] not in (None, [])}
        if isinstance(time := further.get("time"), datetime):
            further["time"] = time.isoformat()
        return said | further


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an image lies."""

    path: str
    """Relative to the target's folder."""
    container: str
    """A name of `images.containers`, or what people call the file that the byte range is in."""
    member: str | None = None
    offset: int | None = None
    length: int | None = None


def write_class_ids(path: Path, samples: SampleTable) -> None:
    """Write the native id of each class into a line of its own."""
    path.write_text("".join(f"{' '.join(id_.splitlines())}\n" for id_ in samples.classes.ids), "utf-8")


Put = Callable[[int, Place], None]
"""Takes the ordinal of a sample and its image's place, once for each sample."""


class Target(Protocol):
    """A layout of other tools being written into a new folder; a context manager that closes its files.

    Files may be moved when all is written: `finish` returns their new names. The same samples give the same bytes.
    """

    media_type: ClassVar[str]
    """Of the files that hold images."""

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def add(self, item: Item) -> None:
        """Write a sample; samples come in the table's order."""
        ...

    def finish(self) -> Mapping[str, str]:
        """Complete all files, and return old name → new name of those that were moved."""
        ...

    @property
    def num_shards(self) -> int:
        """Files that hold many images each; 0 where each image has a file of its own."""
        ...
