"""Class folders inside archives: the samples of the tree that unpacking would make, addressed where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import cast

from sightline.errors import DataError, DecodeError
from sightline.formats.archive_outline import Outline, TooDeepError
from sightline.formats.class_tree import (
    IMAGE_SUFFIXES,
    Tree,
    TreeReading,
    begins_like_an_image,
    is_hidden,
    suffix_of,
    top_folders,
)
from sightline.formats.listing import BLOCK, Listing, split_of
from sightline.formats.member_order import Member, MemberOrder
from sightline.formats.members import Members
from sightline.formats.records import entries_of
from sightline.images.containers import PartialContainer, Reference, opened
from sightline.images.ranges import Ranges


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file whose members are samples."""

    file: str
    """POSIX path below the root of the source."""
    pieces: Callable[[], Iterator[Members]]
    """Its members under their tidied names, some at a time, in the archive's order."""


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
    return entries_of(folder, lambda name: name.lower().endswith(suffix))


def blocks_of(source: Path, suffix: str, pieces: Callable[[Path], Iterator[Members]]) -> Iterator[Listing]:
    """Samples of class folders in an archive, or in those that a folder consists of, in blocks.

    `pieces` gives the members of a file, as `Archive` wants them. A lone folder around everything is left out of the
    keys, as a person would step into it. Raises DataError as for the tree on a disk.
    """
    is_alone = source.is_file()
    root, files = (source.parent, [source]) if is_alone else (source, archives_in(source, suffix))
    archives = [Archive(file=f.relative_to(root).as_posix(), pieces=partial(pieces, f)) for f in files]
    with MemberOrder() as members:
        outlines = [_outline(a, archive, members) for a, archive in enumerate(archives)]
        prefixes = ["" if is_alone else o.prefix(a.file, suffix) for a, o in zip(archives, outlines, strict=True)]
        tree, wrapper = _unwrapped(_tree(prefixes, outlines, str(source)))
        kept, beginnings = _Kept(source, archives), _Beginnings([root / archive.file for archive in archives])
        place = f"{source}/{wrapper}".rstrip("/") if wrapper else str(source)
        reading = TreeReading(tree, place, beginnings.is_image)
        around = [f"samples lie below {wrapper}"] if wrapper else []
        block = _Block([archive.file for archive in archives], prefixes)
        whole = Listing(
            layout="class folders", name=source.name.removesuffix(suffix) if is_alone else source.resolve().name,
            roots={"source": str(root.resolve())}, keys=[], splits=[], labels=[], images={},
            class_ids=reading.class_ids,
        )  # fmt: skip
        for folder, found in groupby(_seen(kept.of(members.in_order(prefixes)), tree, wrapper), itemgetter(0)):
            while rows := [(name, member) for _, name, member in islice(found, BLOCK)]:
                beginnings.members = {f"{folder}/{name}": member for name, member in rows}
                taken = reading.take(folder, [name for name, _ in rows])
                if taken[0] and len(block.keys) >= BLOCK:
                    yield block.listing(whole)
                    block = _Block(block.files, prefixes)
                block.add([beginnings.members[key] for key in taken[0]], *taken)
        if not block.keys:
            raise DataError(reading.nothing_found())
        own = dict.fromkeys(note for outline in outlines for note in outline.notes)
        yield replace(block.listing(whole), notes=(*around, *kept.notes(), *own, *reading.notes()))


def _outline(number: int, archive: Archive, members: MemberOrder) -> Outline:
    outline = Outline()
    try:
        for piece in archive.pieces():
            members.add(number, piece)
            outline.add(piece)
    except TooDeepError:
        raise DataError(f"{archive.file} has folders a thousand deep; that is no dataset.") from None
    return outline


def _tree(prefixes: Sequence[str], outlines: Sequence[Outline], source: str) -> dict[str, list[str]]:
    """Folders, hidden ones left out, and some of the files in them."""
    tree: dict[str, list[str]] = {"": []}
    for prefix, outline in zip(prefixes, outlines, strict=True):
        for below, files in outline.files.items():
            folder = (prefix + below).rstrip("/")
            if any(is_hidden(part) for part in folder.split("/")):
                continue
            tree.setdefault(folder, []).extend(files)
            while folder:
                folder = folder.rpartition("/")[0]
                tree.setdefault(folder, [])
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


class _Kept:
    """Of members with one name, the one that unpacking would leave."""

    def __init__(self, source: Path, archives: Sequence[Archive]) -> None:
        self._source, self._archives = source, archives
        self._num_replaced = 0

    def of(self, members: Iterable[Member]) -> Iterator[Member]:
        """Members of different names. Raises DataError where nothing says which of two is meant.

        A tar that was added to holds the newer file behind the older, and unpacking keeps the newer one. A zip, or two
        archives, have no such order.
        """
        held: Member | None = None
        for member in members:
            if held is not None and held.full == member.full:
                self._replace(held, member)
            elif held is not None:
                yield held
            held = member
        if held is not None:
            yield held

    def _replace(self, older: Member, newer: Member) -> None:
        name, file = newer.full.decode(errors="replace"), self._archives[newer.archive].file
        if older.archive != newer.archive:
            raise DataError(f"{self._source}: {file} and another archive beside it both hold {name!r}. Remove one.")
        if not newer.container.startswith("tar"):
            raise DataError(f"{file} holds {name!r} twice, and nothing says which is meant. Make the archive anew.")
        self._num_replaced += 1

    def notes(self) -> tuple[str, ...]:
        """What was kept without being told."""
        n = self._num_replaced
        return (f"{n} files occur more than once in their archive: the last is taken",) if n else ()


def _seen(members: Iterable[Member], tree: Tree, wrapper: str) -> Iterator[tuple[str, str, Member]]:
    """Folder and name below the wrapper of each member that is not hidden."""
    start = len(wrapper)
    for member in members:
        full = member.full.decode("utf-8", "surrogateescape")
        if start and not full.startswith(wrapper):
            continue
        folder, _, name = full[start:].rpartition("/")
        if folder in tree and not is_hidden(name):
            yield folder, name, member


class _Beginnings:
    """First bytes of members, by the keys that they have at the moment."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.members: Mapping[str, Member] = {}
        self._files, self._ranges = files, Ranges()

    def is_image(self, key: str) -> bool:
        """Whether the member is an image whatever its name says."""
        member = self.members[key]
        if member.offset is None or member.length is None:
            return False
        file, start, stop = str(self._files[member.archive]), member.offset, member.offset + member.length
        container = opened(member.container)
        try:
            if container is None:
                return begins_like_an_image(self._ranges.read(file, start, min(start + 16, stop)))
            place = Reference(file, key, member.offset, member.length, None, None, None, None)
            return begins_like_an_image(cast("PartialContainer", container).head(place, 16)[:16])
        except (DecodeError, OSError):
            return False


class _Block:
    """Samples for one listing."""

    def __init__(self, files: Sequence[str], prefixes: Sequence[str]) -> None:
        self.files, self._starts = files, [len(prefix.encode()) for prefix in prefixes]
        self.keys: list[str] = []
        self._splits: list[str | None] = []
        self._labels: list[str | None] = []
        self._members: list[Member] = []

    def add(self, members: Sequence[Member], keys: Sequence[str], split: str | None, label: str | None) -> None:
        """Take members, under keys and with what their folder says."""
        self._members += members
        self.keys += keys
        self._splits += [split] * len(keys)
        self._labels += [label] * len(keys)

    def listing(self, whole: Listing) -> Listing:
        """The samples taken so far."""
        members = self._members
        containers = {member.container for member in members}
        has_reasons = any(member.reason for member in members)
        return replace(
            whole, keys=self.keys, splits=self._splits, labels=self._labels,
            images={
                "root": "source",
                "path": self.files[0] if len(self.files) == 1 else [self.files[m.archive] for m in members],
                "container": containers.pop() if len(containers) == 1 else [m.container for m in members],
                "member": [m.full[self._starts[m.archive] :].decode("utf-8", "surrogateescape") for m in members],
                "offset": [m.offset for m in members], "length": [m.length for m in members],
            },
            reasons=[m.reason for m in members] if has_reasons else None,
        )  # fmt: skip
