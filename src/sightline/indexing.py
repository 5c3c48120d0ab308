"""The verb `index`: a source becomes a sample table. Files are listed and their headers read; nothing is decoded."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline import catalog
from sightline.catalog import Card, wordnet
from sightline.catalog.published import as_published
from sightline.errors import DataError, did_you_mean
from sightline.formats import FORMATS, Attributes, Listing, converted, detect, read_headers, remote, scikit_digits
from sightline.formats.headers import FIELDS
from sightline.formats.listing import source_and_views
from sightline.formats.lists import class_order
from sightline.images import Header
from sightline.images.remote import is_address
from sightline.samples import IMAGE, SCHEMA, Classes, SampleTable, sample_id_of


def index(
    source: str | os.PathLike[str],
    *,
    name: str | None = None,
    limit: float | None = None,
    classes: Sequence[str] | None = None,
    class_file: str | os.PathLike[str] | None = None,
    group: Sequence[str] = (),
    time: str | None = None,
) -> SampleTable:
    """The samples of a source, in its own order.

    `source` is a folder of class folders, MNIST's IDX files, hub Parquet, a CSV or Parquet table of paths and labels,
    or a name such as "digits". The same source gives the same table. An unreadable image is a row with a reason.
    An address (s3://, gs://, hf://, https://, …) names class folders or a table that lie elsewhere; images are fetched
    when they are wanted. Words behind `#` choose among the kinds of sample that a dataset has: "coco#crops" is its
    boxes.

    `limit` keeps a fraction in (0, 1] of every class of every split, chosen by the hash of the sample id; `classes`
    keeps some classes (native ids or names) and numbers them anew; `class_file` fixes ids and their order, one in a
    line, a name behind a tab or comma; `group` and `time` name columns of a table. Raises DataError.
    """
    given, views = source_and_views(source)
    attributes = Attributes(groups=(group,) if isinstance(group, str) else tuple(group), time=time, views=views)
    listing = _listing(given, attributes)
    card = catalog.recognise(listing) if listing.dataset is None else None
    found = card.name if card is not None else listing.dataset
    if found != str(given) and not (is_address(given) or Path(given).exists()):
        other = f" They are {found}." if found else ""
        raise DataError(
            f"The files found for {given!r} are not that dataset: sizes or labels differ from its card.{other}"
        )
    labelled = _labelled(listing, card, Path(class_file) if class_file is not None else None)
    subset: dict[str, Any] = {}
    if classes is not None:
        labelled, subset["classes"] = _only(labelled, classes)
    if limit is not None:
        labelled, subset["limit"] = _limited(labelled, limit), limit
    if listing.dataset is None:
        _refuse_one_class(labelled, given)
    return _samples(labelled, card, name, subset)


def samples_of(listing: Listing, name: str | None = None) -> SampleTable:
    """The table of a listing that no storage layout gave, with the ids and classes that `index` would have given it."""
    listing = as_published(listing)
    card = catalog.recognise(listing) if listing.dataset is None else None
    return _samples(_labelled(listing, card, None), card, name, {})


def _samples(labelled: _Labelled, card: Card | None, name: str | None, subset: Mapping[str, Any]) -> SampleTable:
    listing = labelled.listing
    known = card.name if card else listing.dataset
    return SampleTable(
        _table(labelled), labelled.classes, name or known or listing.name, listing.roots, subset, listing.notes,
        listing.spaces,
    )  # fmt: skip


@dataclass(frozen=True)
class _Labelled:
    """A listing with sample ids, and labels as class ids."""

    listing: Listing
    dataset: str
    ids: list[bytes]
    labels: list[int | None]
    classes: Classes

    def take(self, positions: Sequence[int]) -> _Labelled:
        """The samples at positions."""
        ids, labels = [self.ids[i] for i in positions], [self.labels[i] for i in positions]
        return replace(self, listing=self.listing.take(positions), ids=ids, labels=labels)


def _listing(source: str, attributes: Attributes) -> Listing:
    path = Path(source)
    if is_address(source):
        return as_published(remote.read(source, attributes))
    if not path.exists():
        if source == "digits":
            _refuse(attributes, "digits")
            return scikit_digits.read()
        path = _found(source)
    if (path / "study.json").exists():
        raise DataError(f"{path} is a study: its samples are listed already. Go on with it: sightline split {path}. Or "
                        "give the source it was made of.")  # fmt: skip
    known = (converted.FORMAT, *catalog.LAYOUTS)  # what `convert` wrote tells more than any dataset's own layout
    layout = next((layout for layout in known if layout.is_at(path)), None) or detect(path)
    if not layout.has_columns:
        _refuse(attributes, layout.name)
    strange = [word for word in attributes.views if word not in layout.views]
    if strange:
        able = "".join(f" #{word}: {meaning}." for word, meaning in layout.views.items()) or " It is read in one way."
        raise DataError(f"The source is {layout.name}, which has no view {strange[0]!r}.{able}")
    return as_published(layout.read(path, attributes))


def _refuse(attributes: Attributes, layout: str) -> None:
    if attributes.is_given:
        able = ", ".join(f.name for f in FORMATS if f.has_columns)
        raise DataError(
            f"The source is {layout}, which has no columns for groups or time; {able} have. Write a CSV with the "
            "columns path, label and the group or time, and index that."
        )


def _found(source: str) -> Path:
    """Folder of a dataset named in the catalog. Raises DataError for anything else that does not exist."""
    names = [card.name for card in catalog.datasets()]
    if source not in names:
        is_name = re.fullmatch(r"[\w.-]+", source)
        hint = did_you_mean(source, names) if is_name else ""
        raise DataError(f"{source} does not exist. Give the path of a folder or a table, or a dataset's name.{hint}")
    card = catalog.datasets(source)
    place = card.located()
    if place is None:
        raise DataError(
            f"{card.title} was not found below {Path('data').resolve()}. Put its files into data/{card.place} "
            f"({card.layout}), or give their path. It comes from {card.homepage} ({card.access})."
            + (f" Fetch it: sightline datasets {card.name} --fetch" if card.is_served else "")
        )
    return place


def _labelled(listing: Listing, card: Card | None, class_file: Path | None) -> _Labelled:
    labels = list(listing.labels)
    names: dict[str, str] = dict(listing.class_names)
    ids: tuple[str, ...]
    if card is not None and card.class_ids:
        official = dict(zip(map(str, range(len(card.class_ids))), card.class_ids, strict=True))
        if listing.layout != "class folders" and not set(card.class_ids) >= {v for v in labels if v is not None}:
            labels = [official[v] if v is not None else None for v in labels]
        ids, policy, names = card.class_ids, "official", {**names, **card.class_names}
    elif listing.policy is not None:
        ids, policy = listing.class_ids, listing.policy
    else:
        ids, policy = class_order({*listing.class_ids, *(v for v in labels if v is not None)})
    if class_file is not None:
        old = ids
        ids, policy, names = *_from_file(class_file, set(old)), {**names, **_names_in(class_file)}
        place = {native: i for i, native in enumerate(ids)}
        listing = listing.renumbered({i: place[native] for i, native in enumerate(old)})
    if wordnet.are_wnids(ids):
        names = {**wordnet.names_of(ids), **names}
    classes = Classes(ids, tuple(names.get(i, i) for i in ids), policy)
    # Arrays are named by their dataset and their index. A folder's paths name themselves, and a folder may grow
    # beyond its dataset: its ids must not change when it does.
    dataset = listing.dataset or (card.name if card is not None and listing.layout != "class folders" else "")
    return _Labelled(
        listing, dataset, [sample_id_of(dataset, key) for key in listing.keys],
        [None if v is None else classes.index[v] for v in labels], classes,
    )  # fmt: skip


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


def _only(labelled: _Labelled, wanted: Sequence[str]) -> tuple[_Labelled, list[str]]:
    """The samples of some classes, numbered anew in the old order, and the native ids taken."""
    space = labelled.classes
    taken: set[int] = set()
    for word in [wanted] if isinstance(wanted, str) else wanted:
        named = [space.index[word]] if word in space.index else [i for i, n in enumerate(space.names) if n == word]
        if len(named) != 1:
            ids = ", ".join(space.ids[i] for i in named)
            why = f"is the name of {len(named)} classes ({ids}); give the id" if named else "is no class of the source"
            raise DataError(f"{word!r} {why}.{'' if named else did_you_mean(word, {*space.ids, *space.names})}")
        taken.add(named[0])
    old = sorted(taken)
    new = {label: i for i, label in enumerate(old)}
    pairs = enumerate(zip(labelled.labels, labelled.listing.classes_shown(), strict=True))
    part = labelled.take([i for i, (label, shown) in pairs if label in new or taken & shown])
    part = replace(part, listing=part.listing.renumbered(new))
    classes = Classes(tuple(space.ids[i] for i in old), tuple(space.names[i] for i in old), space.policy)
    labels = [None if label is None else new.get(label) for label in part.labels]
    return replace(part, labels=labels, classes=classes), list(classes.ids)


def _limited(labelled: _Labelled, limit: float) -> _Labelled:
    """The fraction `limit` of each class of each split, and at least one: those with the lowest ids.

    Ids are hashes, so the choice is random, the same for everybody, grows with `limit`, and hardly moves when the
    source grows.
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


def _refuse_one_class(labelled: _Labelled, source: str | os.PathLike[str]) -> None:
    counts = Counter(label for label in labelled.labels if label is not None)
    counts.update(label for shown in labelled.listing.classes_shown() for label in shown)
    if len(counts) >= 2:
        return
    got = ", ".join(labelled.classes.title(i) for i in counts) or "no label at all"
    path = Path(source)
    below = [p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")] if path.is_dir() else []
    deeper = f" Perhaps the classes lie one folder deeper: {below[0]}" if len(below) == 1 else ""
    raise DataError(
        f"{source} has samples of {len(counts)} class ({got}); telling classes apart takes two or more. Add the other "
        f"classes, each as a folder or a label of its own.{deeper}"
    )


def _table(labelled: _Labelled) -> pa.Table:
    listing, n = labelled.listing, len(labelled.ids)
    images = dict(listing.images)
    reasons: list[str | None] = list(listing.reasons or [None] * n)
    if "codec" not in images:
        there = [i for i, told in enumerate(reasons) if told is None]
        headers: list[Header | None] = [None] * n
        for i, found in zip(there, read_headers(listing if len(there) == n else listing.take(there)), strict=True):
            headers[i], reasons[i] = (None, found) if isinstance(found, str) else (found, None)
        images |= {f: [None if h is None else getattr(h, f) for h in headers] for f in FIELDS}
    values: dict[str, Any] = {
        "sample_id": labelled.ids, "key": listing.keys, "ordinal": range(n), "dataset": [labelled.dataset] * n,
        "split": listing.splits, "group_id": _group_ids(listing), "time": listing.times, "label": labelled.labels,
        "groups": None if listing.groups is None else [[{"kind": k, "id": i} for k, i in g] for g in listing.groups],
        "status": ["ok" if r is None else "unreadable" for r in reasons], "reason": reasons, **listing.columns,
    }  # fmt: skip
    columns = [
        _image_array(images, n) if f.name == "image"
        else pa.nulls(n, f.type) if values.get(f.name) is None
        else pa.array(values[f.name], f.type)
        for f in SCHEMA
    ]  # fmt: skip
    return pa.table(columns, schema=SCHEMA)


def _image_array(images: Mapping[str, Any], n: int) -> pa.StructArray:
    columns = []
    for f in IMAGE:
        value = images.get(f.name)
        columns.append(pa.array(value if isinstance(value, list) else [value] * n, f.type))
    return pa.StructArray.from_arrays(columns, fields=list(IMAGE))


def _group_ids(listing: Listing) -> list[str]:
    """Connected component of each sample over all its groups, named by the first of them; without groups its key."""
    if listing.groups is None:
        return list(listing.keys)
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def top(group: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(group, group) != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for groups in listing.groups:
        for a, b in pairwise(groups):
            low, high = sorted((top(a), top(b)))
            parent[high] = low
    return [":".join(top(g[0])) if g else key for g, key in zip(listing.groups, listing.keys, strict=True)]

