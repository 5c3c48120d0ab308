"""ImageNet-1k as it is distributed: a tar of 1,000 tars, a flat tar of the val images, and the development kit.

Nothing is unpacked: an image is a range of bytes of the outer archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sightline.catalog import devkit
from sightline.catalog.imagenet_names import DATASET, named
from sightline.catalog.label_data import IMAGENET_1K, listed
from sightline.errors import DataError
from sightline.formats.listing import BLOCK, Attributes, Format, Listing, joined
from sightline.formats.tar_headers import Entry, scan
from sightline.progress import track

TRAIN, VAL = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
TEST = ("ILSVRC2012_img_test.tar", "ILSVRC2012_img_test_v10102019.tar")


def is_at(path: Path) -> bool:
    """Whether `path` is one of the archives, or a folder with one."""
    return bool(_archives(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Images of the archives, by official key; val labels from the development kit beside them, or as published.

    Raises DataError for an archive that is cut off or holds something else.
    """
    return joined(list(read_blocks(path, attributes)))


def read_blocks(path: Path, attributes: Attributes) -> Iterator[Listing]:
    """The samples that `read` gives, some classes of train at a time, and val and test each at once."""
    folder = path if path.is_dir() else path.parent
    held: _Found | None = None
    notes: tuple[str, ...] = ()
    archives = _archives(path)
    for archive in track(archives, "tar", len(archives)):
        if archive.name == TRAIN:
            parts = _train(archive)
        else:
            found = _flat(archive, "val" if archive.name == VAL else "test")
            parts = iter([found])
            if archive.name == VAL and found.keys:
                published, notes = devkit.val_wnids(folder)
                found.labels = [published[int(key[-13:-5]) - 1] for key in found.keys]
            elif found.keys:
                notes = (*notes, f"{len(found.keys):,} test images without labels")
        for part in parts:
            if held is not None and part.keys:
                yield held.listing(folder, ())
            held = part if part.keys else held
    if held is None:
        raise DataError(f"{path}: the ImageNet archives there are empty. Fetch them again.")
    yield held.listing(folder, notes)


FORMAT = Format(name="ImageNet archives", is_at=is_at, read=read, read_blocks=read_blocks)


@dataclass(kw_only=True)
class _Found:
    """Images of one archive, column by column."""

    archive: Path
    container: str
    split: str
    keys: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def add(self, member: str, offset: int, length: int) -> None:
        """Add an image. Raises DataError for a name that is none of ImageNet's in that archive."""
        found = named(member)
        if found is None or found.split != self.split or (self.split == "train" and found.wnid != member[:9]):
            raise DataError(f"{self.archive} has a member {member!r}, which is no {self.split} image of ImageNet-1k. "
                            "An archive of one's own needs another name; then it is read as what it is.")  # fmt: skip
        self.keys.append(found.key)
        self.labels.append(found.wnid)
        self.members.append(member)
        self.offsets.append(offset)
        self.lengths.append(length)

    def listing(self, folder: Path, notes: tuple[str, ...]) -> Listing:
        """The images in the order of their keys."""
        return Listing(
            layout="ImageNet archives", name=DATASET, roots={"source": str(folder.resolve())}, keys=self.keys,
            splits=[self.split] * len(self.keys), labels=self.labels, class_ids=listed(IMAGENET_1K), policy="official",
            dataset=DATASET,
            images={"root": "source", "path": self.archive.name, "container": self.container, "member": self.members,
                    "offset": self.offsets, "length": self.lengths},
            notes=notes,
        ).take(sorted(range(len(self.keys)), key=self.keys.__getitem__))  # fmt: skip


def _archives(path: Path) -> list[Path]:
    """The archives of a folder, or the one at a path."""
    names = (TRAIN, VAL, *TEST)
    if path.is_file():
        return [path] if path.name in names else []
    return [path / name for name in names if (path / name).is_file()]


def _train(archive: Path) -> Iterator[_Found]:
    """The classes of train in the order of their ids, some at a time."""
    known = set(listed(IMAGENET_1K))
    classes = []
    for name, offset, size in files_in(archive):
        wnid, _, suffix = name.rpartition("/")[2].partition(".")
        if suffix != "tar" or wnid not in known:
            raise DataError(f"{archive} has a member {name!r}; wanted one tar for each class, such as n01440764.tar.")
        classes.append((wnid, name, offset, size))
    found = _Found(archive=archive, container="tar.tar", split="train")
    for wnid, name, offset, size in sorted(classes):
        if len(found.keys) >= BLOCK:
            yield found
            found = _Found(archive=archive, container="tar.tar", split="train")
        for inner, start, length in files_in(archive, offset, offset + size, f"{name} in {archive}"):
            found.add(f"{wnid}.tar/{inner}", start, length)
    yield found


def _flat(archive: Path, split: str) -> _Found:
    # The members of the val archive are not in the order of their names; the test archive has a folder.
    found = _Found(archive=archive, container="tar", split=split)
    for name, offset, size in files_in(archive):
        found.add(name, offset, size)
    return found


def files_in(archive: Path, start: int = 0, stop: int | None = None, title: str = "") -> Iterator[tuple[str, int, int]]:
    """Name, first byte and size of each file of a tar, or of the tar inside one. Raises DataError for links."""
    for found in scan(archive, start, stop, title):
        if not isinstance(found, Entry):
            yield from zip(found.names, found.offsets, found.sizes, strict=True)
        elif found.kind == "file":
            yield found.name, found.offset, found.size
        elif found.kind != "folder":
            raise DataError(
                f"{title or archive} has the member {found.name!r}, which is no plain file ({found.kind}); the "
                "published archives have none such. Fetch it again."
            )
