"""A folder for each class, below folders for train, val and test or without them; images at any depth inside."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sightline.errors import DataError
from sightline.formats.listing import Attributes, Format, Listing, split_of

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

Found = tuple[str, str | None, str | None]
"""Key, split and label of a sample."""


def is_at(path: Path) -> bool:
    """Whether `path` is a folder: the layout of last resort, whose reader says what is missing."""
    return path.is_dir()


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of a class-folder tree, byte-wise by relative path. Raises DataError when there are no class folders."""
    walk = _Walk(path)
    top, files = walk.entries(path)
    split_folders = _split_folders(walk, top)
    found: list[Found] = []
    class_ids: set[str] = set()
    if split_folders:
        walk.refuse_images(path, files, "beside the split folders")
        for split, folder in split_folders.items():
            found += _read_split(walk, folder, split, class_ids)
        left = sorted(p.name for p in top if p not in split_folders.values())
        if left:
            walk.notes.append(f"not read beside {', '.join(sorted(split_folders))}: {', '.join(left[:3])}")
    else:
        if top:
            walk.refuse_images(path, files, "beside the class folders")
        for folder in top:
            class_ids.add(folder.name)
            found += [(key, None, folder.name) for key in walk.samples(folder)]
    if not found:
        raise DataError(_nothing_found(path, [f for f in files if f.suffix.lower() in IMAGE_SUFFIXES], class_ids))
    _refuse_unreadable_names(path, found)
    found.sort(key=lambda row: row[0].encode())
    empty = sorted(class_ids - {label for _, _, label in found if label is not None})
    if empty:
        walk.notes.append(f"{len(empty)} class folders without images, kept as classes: {', '.join(empty[:3])}")
    keys = [row[0] for row in found]
    return Listing(
        layout="class folders", name=path.resolve().name, roots={"source": str(path.resolve())}, keys=keys,
        splits=[row[1] for row in found], labels=[row[2] for row in found],
        images={"root": "source", "path": keys, "container": "file"},
        class_ids=tuple(sorted(class_ids, key=str.encode)), notes=(*walk.notes, *walk.ignored_note()),
    )  # fmt: skip


FORMAT = Format(name="class folders", is_at=is_at, read=read)


class _Walk:
    """Folders below a source in byte order, with what was passed over on the way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ignored: Counter[str] = Counter()
        self.notes: list[str] = []
        self._seen: dict[Path, tuple[list[Path], list[Path]]] = {}

    def entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Sub-folders and files of a folder, hidden ones left out."""
        if folder not in self._seen:
            folders, files = [], []
            try:
                entries = sorted(os.scandir(folder), key=lambda e: os.fsencode(e.name))
            except OSError as e:
                raise DataError(f"{folder} cannot be listed: {e.strerror}. Fix its permissions.") from None
            for entry in entries:
                if entry.name.startswith((".", "__MACOSX")) or entry.name == "Thumbs.db":
                    continue
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.is_file() or entry.is_symlink():
                    # A broken link stays: it becomes a row whose file is missing.
                    files.append(Path(entry.path))
            self._seen[folder] = folders, files
        return self._seen[folder]

    def samples(self, folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[str]:
        """Relative paths of the files below a folder that are not known to be something else than images."""
        stat = folder.stat()
        here = (stat.st_dev, stat.st_ino)
        if here in above:
            raise DataError(f"{folder} is a link to a folder above it; remove the link.")
        folders, files = self.entries(folder)
        del self._seen[folder]  # a million paths need not be kept twice
        for file in files:
            if file.suffix.lower() in NOT_IMAGES:
                self.ignored[file.suffix.lower()] += 1
            else:
                yield file.relative_to(self.root).as_posix()
        for sub in folders:
            yield from self.samples(sub, above | {here})

    def refuse_images(self, folder: Path, files: list[Path], where: str) -> None:
        """Raise DataError for image files in a place that gives them no class; count the other files as ignored."""
        images = [f for f in files if f.suffix.lower() in IMAGE_SUFFIXES]
        if images:
            raise DataError(
                f"{folder} has {len(images)} image files {where} ({images[0].name}): they have no class. Move them "
                "into a class folder, or out of this folder."
            )
        self.ignored.update(f.suffix.lower() or f.name for f in files)

    def ignored_note(self) -> tuple[str, ...]:
        """A note on files that are no images, if there were any."""
        if not self.ignored:
            return ()
        kinds = ", ".join(sorted(self.ignored)[:4])
        return (f"{self.ignored.total()} files that are no images ignored ({kinds})",)


def _split_folders(walk: _Walk, top: list[Path]) -> dict[str, Path]:
    """Split → folder, or empty where the top folders are classes.

    A folder called `train` may be a class (beside `car` and `bus`): it is a split only when it holds folders itself.
    """
    named = [(split_of(p.name), p) for p in top]
    splits: dict[str, Path] = {}
    for split, folder in named:
        if split is None:
            continue
        folders, files = walk.entries(folder)
        is_unlabelled_test = split == "test" and any(s in {"train", "val"} for s, _ in named) and not folders
        if not folders and files and not is_unlabelled_test:
            continue
        if split in splits:
            raise DataError(
                f"{walk.root} has two folders for {split}: {splits[split].name} and {folder.name}. Merge or rename one."
            )
        splits[split] = folder
    return splits if any(walk.entries(f)[0] for f in splits.values()) else {}


def _read_split(walk: _Walk, folder: Path, split: str, class_ids: set[str]) -> list[Found]:
    folders, files = walk.entries(folder)
    if split == "test" and not folders:
        found: list[Found] = [(key, split, None) for key in walk.samples(folder)]
        walk.notes.append(f"{folder.name} has no class folders: {len(found)} unlabelled samples")
        return found
    walk.refuse_images(folder, files, "beside its class folders")
    found = []
    for sub in folders:
        class_ids.add(sub.name)
        found += [(key, split, sub.name) for key in walk.samples(sub)]
    return found


def _nothing_found(path: Path, images: list[Path], class_ids: set[str]) -> str:
    if images:
        return (
            f"{path} holds {len(images)} images and no class folders, so nothing says what they show. Make one folder "
            f"for each class ({path.name}/cat/…, {path.name}/dog/…), or a CSV with the columns path and label."
        )
    if class_ids:
        return f"{path} has {len(class_ids)} class folders ({', '.join(sorted(class_ids)[:3])}) and no images in them."
    return (
        f"{path} holds no images. Wanted: one folder for each class, or train, val and test folders with such folders "
        "inside; MNIST's IDX files; Parquet files with images; or a CSV with the columns path and label."
    )


def _refuse_unreadable_names(path: Path, found: list[Found]) -> None:
    for key, _, _ in found:
        try:
            key.encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{path} has a file whose name is not UTF-8: {key.encode(errors='replace').decode()!r}. Rename it."
            ) from None
