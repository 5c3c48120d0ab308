"""Which files of a tree are samples: a folder for each class, below folders for train, val and test or without them.

The tree may lie on a disk or in an archive; the rules are the same for both, and so are keys, splits and labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sightline.errors import DataError
from sightline.formats.listing import split_of

IMAGE_SUFFIXES = frozenset([
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".jp2", ".j2k", ".ppm", ".pgm",
    ".pbm", ".dcm", ".heic", ".avif",
])  # fmt: skip
"""Names that claim to be an image. Inside a class folder the first bytes decide, not the name."""

NOT_IMAGES = frozenset([
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".md", ".rst", ".xml", ".yaml", ".yml", ".toml", ".html", ".htm", ".log",
    ".py", ".npy", ".npz", ".mat", ".parquet", ".pdf", ".db", ".ini", ".zip", ".tar", ".gz", ".tgz", ".sha256", ".md5",
])  # fmt: skip
"""Names of files that live beside images and are none: counted, not taken for samples."""

Tree = Mapping[str, Sequence[str]]
"""Folder, as a POSIX path below the source ("" is the source itself) → names of the files in it. Every folder is a key,
also one without files; what is hidden is left out."""


@dataclass(frozen=True, kw_only=True)
class TreeSamples:
    """The samples of a tree, byte-wise by key; sequences run parallel."""

    keys: list[str]
    """POSIX path of each file below the source."""
    splits: list[str | None]
    labels: list[str | None]
    class_ids: tuple[str, ...]
    """Classes in byte order, those without a sample included."""
    notes: tuple[str, ...]


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is no part of a dataset: what systems leave behind."""
    return name.startswith((".", "__MACOSX")) or name == "Thumbs.db"


def suffix_of(name: str) -> str:
    """The last suffix of a file's name, in small letters, with its dot; without a dot something that is no suffix."""
    return name[name.rfind(".") :].lower()


def top_folders(tree: Tree) -> list[str]:
    """Names of the folders directly below the source, in byte order."""
    return sorted(folder for folder in tree if folder and "/" not in folder)


def split_folders(tree: Tree, source: str) -> dict[str, str]:
    """Split → top folder, or empty where the top folders are classes. Raises DataError for two folders of one split.

    A folder called `train` may be a class (beside `car` and `bus`): it is a split only when it holds folders itself.
    """
    tops = top_folders(tree)
    named = {top: split for top in tops if (split := split_of(top)) is not None}
    deep = {folder.split("/", 1)[0] for folder in tree if "/" in folder}
    splits: dict[str, str] = {}
    for top, split in named.items():
        is_unlabelled_test = split == "test" and bool({"train", "val"} & set(named.values())) and top not in deep
        if top not in deep and tree[top] and not is_unlabelled_test:
            continue
        if split in splits:
            raise DataError(f"{source} has two folders for {split}: {splits[split]} and {top}. Merge or rename one.")
        splits[split] = top
    return splits if any(top in deep for top in splits.values()) else {}


def samples_of(tree: Tree, source: str) -> TreeSamples:
    """The samples of a tree. Raises DataError when it has no class folders, or images where they have no class.

    `source` names the tree in messages.
    """
    split_of_top = {top: split for split, top in split_folders(tree, source).items()}
    reading = _Reading(tree, source, split_of_top)
    for folder in sorted(tree, key=lambda f: f"{f}/"):
        reading.take(folder)
    keys, splits, labels = _sorted(reading)
    if not keys:
        raise DataError(_nothing_found(source, tree, reading.class_ids))
    _refuse_unreadable_names(source, keys)
    return TreeSamples(
        keys=keys, splits=splits, labels=labels, class_ids=tuple(sorted(reading.class_ids)), notes=reading.notes()
    )


class _Reading:
    """Folders of a tree, one after the other."""

    def __init__(self, tree: Tree, source: str, split_of_top: Mapping[str, str]) -> None:
        self.tree, self.source, self.split_of_top = tree, source, split_of_top
        self.keys: list[str] = []
        self.runs: list[tuple[int, str | None, str | None]] = []
        """How many keys have the same split and label."""
        self.class_ids: set[str] = set()
        self.ignored: Counter[str] = Counter()
        self._deep = {folder.split("/", 1)[0] for folder in tree if "/" in folder}

    def take(self, folder: str) -> None:
        """Add the samples of a folder, not of those below it."""
        parts = folder.split("/", 2)
        if not folder:
            if len(self.tree) > 1:
                self._refuse_images(folder, "beside the split folders" if self.split_of_top else
                                    "beside the class folders")  # fmt: skip
        elif not self.split_of_top:
            self._take(folder, None, parts[0])
        elif (split := self.split_of_top.get(parts[0])) is None:
            return
        elif len(parts) > 1:
            self._take(folder, split, parts[1])
        elif split == "test" and folder not in self._deep:
            self._take(folder, split, None)
        else:
            self._refuse_images(folder, "beside its class folders")

    def _take(self, folder: str, split: str | None, label: str | None) -> None:
        if label is not None:
            self.class_ids.add(label)
        files = self.tree[folder]
        keys = [f"{folder}/{name}" for name in files if suffix_of(name) not in NOT_IMAGES]
        if len(keys) < len(files):
            self.ignored.update(suffix for name in files if (suffix := suffix_of(name)) in NOT_IMAGES)
        self.keys += keys
        self.runs.append((len(keys), split, label))

    def _refuse_images(self, folder: str, where: str) -> None:
        """Raise DataError for image files in a place that gives them no class; count the other files as ignored."""
        images = [name for name in self.tree[folder] if suffix_of(name) in IMAGE_SUFFIXES]
        if images:
            place = f"{self.source}/{folder}" if folder else self.source
            raise DataError(
                f"{place} has {len(images)} image files {where} ({images[0]}): they have no class. Move them into a "
                "class folder, or out of this folder."
            )
        self.ignored.update(suffix_of(name) if "." in name else name for name in self.tree[folder])

    def notes(self) -> tuple[str, ...]:
        """What was taken or left without being told."""
        notes = []
        for n, split, label in self.runs:
            if split == "test" and label is None:
                notes.append(f"{self._top('test')} has no class folders: {n} unlabelled samples")
        left = [top for top in top_folders(self.tree) if self.split_of_top and top not in self.split_of_top]
        if left:
            splits = ", ".join(sorted(self.split_of_top.values()))
            notes.append(f"not read beside {splits}: {', '.join(left[:3])}")
        empty = sorted(self.class_ids - {label for n, _, label in self.runs if n and label is not None})
        if empty:
            notes.append(f"{len(empty)} class folders without images, kept as classes: {', '.join(empty[:3])}")
        if self.ignored:
            kinds = ", ".join(sorted(self.ignored)[:4])
            notes.append(f"{self.ignored.total()} files that are no images ignored ({kinds})")
        return tuple(notes)

    def _top(self, split: str) -> str:
        return next(top for top, s in self.split_of_top.items() if s == split)


def _sorted(reading: _Reading) -> tuple[list[str], list[str | None], list[str | None]]:
    """Keys, splits and labels, byte-wise by key: UTF-8 sorts as its code points do."""
    keys = reading.keys
    splits = list(_spread((n, split) for n, split, _ in reading.runs))
    labels = list(_spread((n, label) for n, _, label in reading.runs))
    if all(a <= b for a, b in pairwise(keys)):
        return keys, splits, labels
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return [keys[i] for i in order], [splits[i] for i in order], [labels[i] for i in order]


def _spread(runs: Iterator[tuple[int, str | None]]) -> Iterator[str | None]:
    for n, value in runs:
        yield from [value] * n


def _nothing_found(source: str, tree: Tree, class_ids: set[str]) -> str:
    images = [name for name in tree.get("", ()) if suffix_of(name) in IMAGE_SUFFIXES]
    if images and not class_ids:
        return (
            f"{source} holds {len(images)} images and no class folders, so nothing says what they show. Make one "
            "folder for each class (cat/…, dog/…), or a CSV with the columns path and label."
        )
    if class_ids:
        some = ", ".join(sorted(class_ids)[:3])
        return f"{source} has {len(class_ids)} class folders ({some}) and no images in them."
    return (
        f"{source} holds no images. Wanted: one folder for each class, or train, val and test folders with such "
        "folders inside; MNIST's IDX files; Parquet files with images; or a CSV with the columns path and label."
    )


def _refuse_unreadable_names(source: str, keys: list[str]) -> None:
    try:
        "\0".join(keys).encode()
    except UnicodeEncodeError as e:
        name = e.object[e.object.rfind("\0", 0, e.start) + 1 :].split("\0", 1)[0]
        shown = name.encode(errors="replace").decode()
        raise DataError(f"{source} has a file whose name is not UTF-8: {shown!r}. Rename it.") from None
