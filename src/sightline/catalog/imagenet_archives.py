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
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing
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
    found = _Found()
    for archive in track(_archives(path), "tar", len(_archives(path))):
        if archive.name == TRAIN:
            _add_train(found, archive)
        else:
            _add_flat(found, archive, "val" if archive.name == VAL else "test")
    if not found.keys:
        raise DataError(f"{path}: the ImageNet archives there are empty. Fetch them again.")
    folder = path if path.is_dir() else path.parent
    notes: tuple[str, ...] = ()
    if "val" in found.splits:
        published, notes = devkit.val_wnids(folder)
        labels = [published[int(k[-13:-5]) - 1] if s == "val" else w
                  for k, s, w in zip(found.keys, found.splits, found.labels, strict=True)]  # fmt: skip
        found.labels = labels
    if "test" in found.splits:
        notes = (*notes, f"{found.splits.count('test'):,} test images without labels")
    order = sorted(range(len(found.keys)), key=lambda i: (SPLIT_ORDER.index(found.splits[i]), found.keys[i]))
    return Listing(
        layout="ImageNet archives", name=DATASET, roots={"source": str(folder.resolve())}, keys=found.keys,
        splits=found.splits, labels=found.labels, class_ids=listed(IMAGENET_1K), policy="official", dataset=DATASET,
        images={"root": "source", "path": found.paths, "container": found.containers, "member": found.members,
                "offset": found.offsets, "length": found.lengths},
        notes=notes,
    ).take(order)  # fmt: skip


FORMAT = Format(name="ImageNet archives", is_at=is_at, read=read)


@dataclass(kw_only=True)
class _Found:
    """Images of all archives, column by column."""

    keys: list[str] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def add(self, archive: Path, container: str, member: str, place: tuple[int, int], split: str) -> None:
        """Add an image. Raises DataError for a name that is none of ImageNet's in that archive."""
        found = named(member)
        if found is None or found.split != split or (split == "train" and found.wnid != member[:9]):
            raise DataError(f"{archive} has a member {member!r}, which is no {split} image of ImageNet-1k. An archive "
                            "of one's own needs another name; then it is read as what it is.")  # fmt: skip
        self.keys.append(found.key)
        self.splits.append(split)
        self.labels.append(found.wnid)
        self.paths.append(archive.name)
        self.containers.append(container)
        self.members.append(member)
        self.offsets.append(place[0])
        self.lengths.append(place[1])


def _archives(path: Path) -> list[Path]:
    """The archives of a folder, or the one at a path."""
    names = (TRAIN, VAL, *TEST)
    if path.is_file():
        return [path] if path.name in names else []
    return [path / name for name in names if (path / name).is_file()]


def _add_train(found: _Found, archive: Path) -> None:
    known = set(listed(IMAGENET_1K))
    for name, offset, size in files_in(archive):
        wnid, _, suffix = name.rpartition("/")[2].partition(".")
        if suffix != "tar" or wnid not in known:
            raise DataError(f"{archive} has a member {name!r}; wanted one tar for each class, such as n01440764.tar.")
        for inner, start, length in files_in(archive, offset, offset + size, f"{name} in {archive}"):
            found.add(archive, "tar.tar", f"{wnid}.tar/{inner}", (start, length), "train")


def _add_flat(found: _Found, archive: Path, split: str) -> None:
    # The members of the val archive are not in the order of their names; the test archive has a folder.
    for name, offset, size in files_in(archive):
        found.add(archive, "tar", name, (offset, size), split)


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
