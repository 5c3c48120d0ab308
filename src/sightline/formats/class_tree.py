"""Which files of a tree are samples: a folder for each class, below folders for train, val and test or without them.

The tree may lie on a disk or in an archive; the rules are the same for both, and so are keys, splits and labels.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

from sightline.errors import DataError, DecodeError
from sightline.formats.listing import split_of
from sightline.images.codecs import PILLOW_FORMATS, codec_of

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

UNMISTAKABLE = frozenset(PILLOW_FORMATS) - {"bmp", "ppm"}
"""Codecs with first bytes that no text has."""

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


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; `is_dir` raises for a link that leads to itself."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry))


def begins_like_an_image(head: bytes) -> bool:
    """Whether a file with these first 16 bytes is an image whatever its name says: `photo.txt` may be a JPEG."""
    try:
        return codec_of(head) in UNMISTAKABLE
    except DecodeError:
        return False


def shown(names: list[str]) -> list[str]:
    """Sorted names without the hidden ones; looked up, because a folder may hold a million."""
    for first, behind in ((".", "/"), ("Thumbs.db", "Thumbs.db\0"), ("__MACOSX", "__MACOSY")):
        start, stop = bisect_left(names, first), bisect_left(names, behind)
        if start < stop:
            names = names[:start] + names[stop:]
    return names


def suffix_of(name: str) -> str:
    """The last suffix of a file's name, in small letters, with its dot; without a dot something that is no suffix."""
    return name[name.rfind(".") :].lower()


def suffixes_of(names: Sequence[str]) -> set[str]:
    """The last suffixes of some names, as `suffix_of` tells them."""
    if not names:
        return set()
    usual = names[0][names[0].rfind(".") :]
    # 30 ns a name instead of 250 where all are alike, as they mostly are.
    return {usual.lower()} if all(map(str.endswith, names, repeat(usual))) else set(map(suffix_of, names))


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


Piece = tuple[str, Sequence[str]]
"""A folder and some of its files, in byte order; all keys of a piece lie before those of the next."""


def pieces_of(tree: Tree) -> Iterator[Piece]:
    """The files of a tree, byte-wise by path."""
    below: dict[str, list[str]] = defaultdict(list)
    for folder in tree:
        if folder:
            above, _, name = folder.rpartition("/")
            below[above].append(name)
    waiting: list[Piece | str] = [""]
    while waiting:  # no recursion: an archive may claim a thousand levels
        item = waiting.pop()
        if isinstance(item, str):
            waiting += reversed(list(in_order(item, sorted(tree[item]), below[item])))
        else:
            yield item


def in_order(folder: str, files: Sequence[str], folders: Sequence[str]) -> Iterator[Piece | str]:
    """What a folder holds, byte-wise by path: its sorted files in pieces, and between them the folders inside it."""
    start = 0
    for name in sorted(f"{folder}/" for folder in folders):
        stop = bisect_left(files, name, start)
        if stop > start:
            yield folder, files[start:stop]
        start = stop
        yield f"{folder}/{name[:-1]}" if folder else name[:-1]
    if start < len(files) or not folders:
        yield folder, files[start:]


def samples_of(tree: Tree, source: str) -> TreeSamples:
    """The samples of a tree. Raises DataError when it has no class folders, or images where they have no class.

    `source` names the tree in messages.
    """
    reading = TreeReading(tree, source)
    keys: list[str] = []
    splits: list[str | None] = []
    labels: list[str | None] = []
    for piece in pieces_of(tree):
        taken, split, label = reading.take(*piece)
        keys += taken
        splits += [split] * len(taken)
        labels += [label] * len(taken)
    if not keys:
        raise DataError(reading.nothing_found())
    return TreeSamples(keys=keys, splits=splits, labels=labels, class_ids=reading.class_ids, notes=reading.notes())


class TreeReading:
    """Which files of a tree are samples, told piece by piece.

    Of `outline` the folders are looked at, and the files of the source itself and of the folders for splits. `is_image`
    is asked by key about files whose names say that they are none.
    """

    def __init__(self, outline: Tree, source: str, is_image: Callable[[str], bool] = lambda key: False) -> None:
        self.source, self._is_image = source, is_image
        self.split_of_top = {top: split for split, top in split_folders(outline, source).items()}
        self._tops = top_folders(outline)
        self._deep = {folder.split("/", 1)[0] for folder in outline if "/" in folder}
        self._found: set[str] = set()
        self._ignored: Counter[str] = Counter()
        self._unlabelled: int | None = None
        self._num_beside = 0
        if self.split_of_top:
            inside = [f.split("/", 2) for f in outline if "/" in f]
            classes = {parts[1] for parts in inside if parts[0] in self.split_of_top}
        else:
            classes = set(self._tops)
        self.class_ids = tuple(sorted(classes))
        """Classes in byte order, those without a sample included."""

    @property
    def folders(self) -> list[str]:
        """Top folders that samples lie in, in the order of their paths."""
        return sorted(self.split_of_top or self._tops, key=lambda name: f"{name}/")

    def take(self, folder: str, names: Sequence[str]) -> tuple[list[str], str | None, str | None]:
        """Keys of the samples among some files of a folder, and their split and label."""
        top, *below = folder.split("/", 2)
        if not folder:
            self._num_beside += sum(suffix_of(name) in IMAGE_SUFFIXES for name in names)
            if self._tops:
                self._refuse_images(folder, names, "beside the split folders" if self.split_of_top else
                                    "beside the class folders")  # fmt: skip
        elif not self.split_of_top:
            return self._samples(folder, names, top), None, top
        elif (split := self.split_of_top.get(top)) is None:
            pass
        elif below:
            return self._samples(folder, names, below[0]), split, below[0]
        elif split == "test" and folder not in self._deep:
            keys = self._samples(folder, names)
            self._unlabelled = (self._unlabelled or 0) + len(keys)
            return keys, split, None
        else:
            self._refuse_images(folder, names, "beside its class folders")
        return [], None, None

    def _samples(self, folder: str, names: Sequence[str], label: str | None = None) -> list[str]:
        keys = [f"{folder}/{name}" for name in names]
        if not suffixes_of(names).isdisjoint(NOT_IMAGES):
            odd = {key for key in keys if suffix_of(key) in NOT_IMAGES and not self._is_image(key)}
            self._ignored.update(map(suffix_of, odd))
            keys = [key for key in keys if key not in odd]
        _refuse_unreadable_names(self.source, keys)
        if keys and label is not None:
            self._found.add(label)
        return keys

    def _refuse_images(self, folder: str, names: Sequence[str], where: str) -> None:
        """Raise DataError for image files in a place that gives them no class; count the other files as ignored."""
        images = [name for name in names if suffix_of(name) in IMAGE_SUFFIXES]
        if images:
            place = f"{self.source}/{folder}" if folder else self.source
            raise DataError(
                f"{place} has image files {where}, such as {images[0]}: they have no class. Move them into a class "
                "folder, or out of this folder."
            )
        self._ignored.update(suffix_of(name) if "." in name else name for name in names)

    def notes(self) -> tuple[str, ...]:
        """What was taken or left without being told, once all pieces have been taken."""
        notes = []
        if self._unlabelled is not None:
            top = next(top for top, split in self.split_of_top.items() if split == "test")
            notes.append(f"{top} has no class folders: {self._unlabelled} unlabelled samples")
        left = [top for top in self._tops if self.split_of_top and top not in self.split_of_top]
        if left:
            splits = ", ".join(sorted(self.split_of_top.values()))
            notes.append(f"not read beside {splits}: {', '.join(left[:3])}")
        empty = [label for label in self.class_ids if label not in self._found]
        if empty:
            notes.append(f"{len(empty)} class folders without images, kept as classes: {', '.join(empty[:3])}")
        if self._ignored:
            kinds = ", ".join(sorted(self._ignored)[:4])
            notes.append(f"{self._ignored.total()} files that are no images ignored ({kinds})")
        return tuple(notes)

    def nothing_found(self) -> str:
        """The message for a tree without samples."""
        if self._num_beside and not self.class_ids:
            return (
                f"{self.source} holds {self._num_beside} images and no class folders, so nothing says what they show. "
                "Make one folder for each class (cat/…, dog/…), or a CSV with the columns path and label."
            )
        if self.class_ids:
            some = ", ".join(self.class_ids[:3])
            return f"{self.source} has {len(self.class_ids)} class folders ({some}) and no images in them."
        return (
            f"{self.source} holds no images. Wanted: one folder for each class, or train, val and test folders with "
            "such folders inside; MNIST's IDX files; Parquet files with images; or a CSV with the columns path and "
            "label."
        )


def _refuse_unreadable_names(source: str, keys: list[str]) -> None:
    if all(map(str.isascii, keys)):
        return
    try:
        "\0".join(keys).encode()
    except UnicodeEncodeError as e:
        name = e.object[e.object.rfind("\0", 0, e.start) + 1 :].split("\0", 1)[0]
        shown = name.encode(errors="replace").decode()
        raise DataError(f"{source} has a file whose name is not UTF-8: {shown!r}. Rename it.") from None
