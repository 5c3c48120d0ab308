"""Class folders inside archives: the samples of the tree that unpacking would make, addressed where they lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import DataError
from sightline.formats.class_tree import (
    IMAGE_SUFFIXES,
    Tree,
    is_hidden,
    samples_of,
    suffix_of,
    top_folders,
)
from sightline.formats.listing import Listing, split_of
from sightline.formats.members import Members
from sightline.formats.records import split_in


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file whose members are samples."""

    file: str
    """POSIX path below the root of the source."""
    members: Members
    """Under their tidied names."""


def archives_in(folder: Path, suffix: str | tuple[str, ...]) -> list[Path]:
    """Archives that a folder consists of, in byte order: at its top, or in folders for the splits.

    Empty where it holds other folders too: an archive beside its unpacked tree is only where that came from.
    """
    files, folders = _entries(folder, suffix)
    if not folders:
        return files
    if files or any(split_of(f.name) is None for f in folders):
        return []
    below = [_entries(f, suffix) for f in folders]
    return [] if any(deeper for _, deeper in below) else [file for found, _ in below for file in found]


def _entries(folder: Path, suffix: str | tuple[str, ...]) -> tuple[list[Path], list[Path]]:
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.name.lower().endswith(suffix):
                    files.append(Path(entry.path))
    except OSError as e:
        raise DataError(f"{folder} cannot be listed: {e.strerror}. Fix its permissions.") from None
    return sorted(files, key=os.fsencode), sorted(folders, key=os.fsencode)


def listing_of(source: Path, root: Path, archives: Sequence[Archive], suffix: str) -> Listing:
    """Samples of class folders in archives below `root`. Raises DataError as for the tree on a disk.

    A lone folder around everything is left out of the keys, as a person would step into it.
    """
    is_alone = source.is_file()
    prefixes = [""] if is_alone else [_prefix(archive, suffix) for archive in archives]
    places, notes = _places(source, archives, prefixes)
    folders = [p + f for p, a in zip(prefixes, archives, strict=True) for f in a.members.folders]
    tree, wrapper = _unwrapped(_tree(places, folders, str(source)))
    found = samples_of(tree, f"{source}/{wrapper}".rstrip("/") if wrapper else str(source))
    at = [places[wrapper + key] for key in found.keys] if wrapper else [places[key] for key in found.keys]
    members = [a.members for a in archives]
    files = [a.file for a in archives]
    containers = {m.containers if isinstance(m.containers, str) else "" for m in members}
    reasons = any(m.reasons for m in members)
    own = [note for m in members for note in m.notes]
    return Listing(
        layout="class folders", name=source.name.removesuffix(suffix) if is_alone else source.resolve().name,
        roots={"source": str(root.resolve())}, keys=found.keys, splits=found.splits, labels=found.labels,
        images={
            "root": "source", "path": files[0] if len(files) == 1 else [files[a] for a, _ in at],
            "container": containers.pop() if len(containers) == 1 and "" not in containers
            else [members[a].container(i) for a, i in at],
            "member": [members[a].names[i] for a, i in at], "offset": [members[a].offsets[i] for a, i in at],
            "length": [members[a].lengths[i] for a, i in at],
        },
        class_ids=found.class_ids, reasons=[members[a].reasons.get(i) for a, i in at] if reasons else None,
        notes=(*([f"samples lie below {wrapper}"] if wrapper else []), *notes, *dict.fromkeys(own), *found.notes),
    )  # fmt: skip


def _prefix(archive: Archive, suffix: str) -> str:
    """What stands before the names of one archive among several: its folder on disk, and its own name where that tells.

    `train.tar` is the folder train, and `cat.tar` with nothing but images the folder cat. Archives of other names that
    hold folders are parts of one tree.
    """
    above, _, name = archive.file.rpartition("/")
    above = f"{above}/" if above else ""
    stem = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    tops = {n.partition("/")[0] for n in (*archive.members.names, *archive.members.folders) if not is_hidden(n)}
    if tops == {stem}:
        return above
    is_flat = any("/" not in n and suffix_of(n) in IMAGE_SUFFIXES for n in archive.members.names)
    split = stem if split_of(stem) else split_in(stem)
    if split is not None and not above and (is_flat or not any(split_of(t) for t in tops)):
        return f"{split}/"
    return f"{above}{stem}/" if is_flat else above


Places = dict[str, tuple[int, int]]
"""Full name → archive, and position among its members."""


def _places(source: Path, archives: Sequence[Archive], prefixes: Sequence[str]) -> tuple[Places, list[str]]:
    places: Places = {}
    num_replaced = 0
    for a, (archive, prefix) in enumerate(zip(archives, prefixes, strict=True)):
        before = len(places)
        names = archive.members.names
        places.update((prefix + name, (a, i)) for i, name in enumerate(names))
        if len(places) < before + len(names):
            num_replaced += _num_repeated(source, archives, prefixes, a)
    notes = [f"{num_replaced} files occur more than once in their archive: the last is taken"] if num_replaced else []
    return places, notes


def _num_repeated(source: Path, archives: Sequence[Archive], prefixes: Sequence[str], a: int) -> int:
    """Names that the archive at position `a` has more than once. Raises DataError where that is a mistake.

    A tar that was added to holds the newer file behind the older, and unpacking keeps the newer one. A zip, or two
    archives, have no such order.
    """
    members = archives[a].members
    former = {p + n for archive, p in zip(archives[:a], prefixes, strict=False) for n in archive.members.names}
    seen: set[str] = set()
    num_repeated = 0
    for i, name in enumerate(members.names):
        full = prefixes[a] + name
        if full in former:
            raise DataError(f"{source}: {archives[a].file} and another archive beside it both hold {full!r}. Remove "
                            "one.")  # fmt: skip
        if full in seen and not members.container(i).startswith("tar"):
            raise DataError(f"{archives[a].file} holds {name!r} twice, and nothing says which is meant. Make the "
                            "archive anew.")  # fmt: skip
        num_repeated += full in seen
        seen.add(full)
    return num_repeated


def _tree(places: Places, folders: Sequence[str], source: str) -> dict[str, list[str]]:
    """Folders and the files in them, hidden ones left out."""
    tree: dict[str, list[str]] = {"": []}
    hidden: dict[str, bool] = {"": False}

    def enter(folder: str) -> bool:
        """Whether a folder is seen; it and those above it are then part of the tree."""
        if folder not in hidden:
            above, _, name = folder.rpartition("/")
            hidden[folder] = not enter(above) or is_hidden(name)
            if not hidden[folder]:
                tree[folder] = []
        return not hidden[folder]

    try:
        for folder in folders:
            enter(folder)
        for full in places:
            folder, _, name = full.rpartition("/")
            if (folder in tree or enter(folder)) and not is_hidden(name):
                tree[folder].append(name)
    except RecursionError:
        raise DataError(f"{source} has folders a thousand deep; that is no dataset.") from None
    for files in tree.values():
        files.sort()
    return tree


def _unwrapped(tree: Tree) -> tuple[Tree, str]:
    """The tree below the folders that lie alone around everything, and their path with a slash behind it."""
    wrapper = ""
    while True:
        tops = top_folders(tree)
        has_images = any(suffix_of(name) in IMAGE_SUFFIXES for name in tree[""])
        if len(tops) != 1 or has_images or split_of(tops[0]) or not any(f.startswith(f"{tops[0]}/") for f in tree):
            return tree, wrapper
        prefix = f"{tops[0]}/"
        wrapper += prefix
        inner = {f[len(prefix) :]: files for f, files in tree.items() if f.startswith(prefix)}
        tree = {"": tree[tops[0]], **inner}
