"""Native class ids become class ids, and samples get their own: what is decided once for all listings of a source."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.catalog import Card, wordnet
from sightline.errors import DataError, did_you_mean
from sightline.formats import Listing
from sightline.formats.lists import class_order
from sightline.samples import Classes, sample_id_of


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A listing with sample ids, and labels as class ids."""

    listing: Listing
    dataset: str
    ids: Sequence[bytes]
    labels: Sequence[int | None]

    def take(self, positions: Sequence[int]) -> Labelled:
        """The samples at positions."""
        ids, labels = [self.ids[i] for i in positions], [self.labels[i] for i in positions]
        return replace(self, listing=self.listing.take(positions), ids=ids, labels=labels)


@dataclass(frozen=True, kw_only=True)
class Space:
    """The classes of a source, and what they are called in its listings."""

    classes: Classes
    official: Mapping[str, str]
    """What a listing calls a class → its native id, where these differ."""
    numbers: Mapping[int, int] | None
    """Class ids in columns of the listings → class ids, where a file gave them another order."""
    dataset: str
    """What sample ids are made with."""

    def labelled(self, listing: Listing) -> Labelled:
        """A listing of the source with ids."""
        index, dataset = self.classes.index, self.dataset
        named = {word: index[native] for word, native in self.official.items()} if self.official else index
        labels = [None if v is None else named[v] for v in listing.labels]
        renumbered = listing if self.numbers is None else listing.renumbered(self.numbers)
        ids = [sample_id_of(dataset, key) for key in listing.keys]
        return Labelled(listing=renumbered, dataset=dataset, ids=ids, labels=labels)


def space_of(listing: Listing, card: Card | None, class_file: Path | None) -> Space:
    """The classes of a source by its first listing. Raises DataError where `class_file` does not fit."""
    names: dict[str, str] = dict(listing.class_names)
    official: dict[str, str] = {}
    numbers = None
    ids: tuple[str, ...]
    if card is not None and card.class_ids:
        found = {v for v in listing.labels if v is not None}
        if listing.layout != "class folders" and not set(card.class_ids) >= found:
            official = dict(zip(map(str, range(len(card.class_ids))), card.class_ids, strict=True))
        ids, policy, names = card.class_ids, "official", {**names, **card.class_names}
    elif listing.policy is not None:
        ids, policy = listing.class_ids, listing.policy
    else:
        ids, policy = class_order({*listing.class_ids, *(v for v in listing.labels if v is not None)})
    if class_file is not None:
        old = ids
        ids, policy, names = *_from_file(class_file, set(old)), {**names, **_names_in(class_file)}
        place = {native: i for i, native in enumerate(ids)}
        numbers = {i: place[native] for i, native in enumerate(old)}
    if wordnet.are_wnids(ids):
        names = {**wordnet.names_of(ids), **names}
    # Arrays are named by their dataset and their index. A folder's paths name themselves, and a folder may grow
    # beyond its dataset: its ids must not change when it does.
    dataset = listing.dataset or (card.name if card is not None and listing.layout != "class folders" else "")
    classes = Classes(ids, tuple(names.get(i, i) for i in ids), policy)
    return Space(classes=classes, official=official, numbers=numbers, dataset=dataset)


def _class_lines(file: Path) -> list[tuple[str, str]]:
    try:
        lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"The class file {file} cannot be read: {e}. Wanted: one class id in a line, UTF-8.") from None
    pairs = [re.split(r"\t|,", line, maxsplit=1) for line in lines if line]
    return [(p[0].strip(), p[-1].strip()) for p in pairs]


def _from_file(file: Path, found: set[str]) -> tuple[tuple[str, ...], str]:
    ids = tuple(i for i, _ in _class_lines(file))
    unknown = sorted(found - set(ids))
    if unknown:
        raise DataError(
            f"The source has {len(unknown)} classes that {file} does not list: {', '.join(unknown[:5])}. Add them, or "
            "choose the others with `classes`."
        )
    return ids, "file"


def _names_in(file: Path) -> dict[str, str]:
    return {i: name for i, name in _class_lines(file) if name != i}


@dataclass(frozen=True)
class Part:
    """Some of a source's classes, numbered anew in the old order."""

    classes: Classes
    new: Mapping[int, int]
    """Class id → its new one."""

    @classmethod
    def of(cls, space: Classes, wanted: Sequence[str]) -> Part:
        """The classes with these native ids or names. Raises DataError for a word that names none, or several."""
        taken: set[int] = set()
        for word in [wanted] if isinstance(wanted, str) else wanted:
            named = [space.index[word]] if word in space.index else [i for i, n in enumerate(space.names) if n == word]
            if len(named) != 1:
                ids = ", ".join(space.ids[i] for i in named)
                several = f"is the name of {len(named)} classes ({ids}); give the id"
                why = several if named else "is no class of the source"
                raise DataError(f"{word!r} {why}.{'' if named else did_you_mean(word, {*space.ids, *space.names})}")
            taken.add(named[0])
        old = sorted(taken)
        classes = Classes(tuple(space.ids[i] for i in old), tuple(space.names[i] for i in old), space.policy)
        return cls(classes, {label: i for i, label in enumerate(old)})

    def samples(self, labelled: Labelled) -> Labelled:
        """The samples that have, or are said to show, one of these classes."""
        pairs = enumerate(zip(labelled.labels, labelled.listing.classes_shown(), strict=True))
        part = labelled.take([i for i, (label, shown) in pairs if label in self.new or not shown.isdisjoint(self.new)])
        labels = [None if label is None else self.new.get(label) for label in part.labels]
        return replace(part, listing=part.listing.renumbered(self.new), labels=labels)


def limited(labelled: Labelled, limit: float) -> Labelled:
    """The fraction `limit` of each class of each split, and at least one: those with the lowest ids.

    Ids are hashes, so the choice is random, the same for everybody, grows with `limit`, and hardly moves when the
    source grows. Raises DataError for what is no fraction.
    """
    if not 0 < limit <= 1:
        raise DataError(f"limit must be a fraction above 0 and at most 1, got {limit}. For a tenth of the samples: 0.1")
    strata: dict[tuple[str | None, int | None], list[int]] = defaultdict(list)
    for i, stratum in enumerate(zip(labelled.listing.splits, labelled.labels, strict=True)):
        strata[stratum].append(i)
    chosen = [
        i
        for members in strata.values()
        for i in sorted(members, key=labelled.ids.__getitem__)[: max(1, round(limit * len(members)))]
    ]
    return labelled.take(sorted(chosen))


class Seen:
    """Which classes samples had so far."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, labelled: Labelled) -> None:
        """Count the classes of some samples."""
        self._counts.update(label for label in labelled.labels if label is not None)
        if "labels" in labelled.listing.columns:
            self._counts.update(label for shown in labelled.listing.classes_shown() for label in shown)

    def refuse_one_class(self, classes: Classes, source: str | os.PathLike[str]) -> None:
        """Raise DataError where there is nothing to tell apart."""
        if len(self._counts) >= 2:
            return
        got = ", ".join(classes.title(i) for i in self._counts) or "no label at all"
        path = Path(source)
        below = [p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")] if path.is_dir() else []
        deeper = f" Perhaps the classes lie one folder deeper: {below[0]}" if len(below) == 1 else ""
        raise DataError(
            f"{source} has samples of {len(self._counts)} class ({got}); telling classes apart takes two or more. Add "
            f"the other classes, each as a folder or a label of its own.{deeper}"
        )
