"""The verb `index`: a source becomes a sample table. Files are listed and their headers read; nothing is decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline import catalog
from sightline.catalog import Card
from sightline.catalog.published import as_published
from sightline.errors import DataError
from sightline.formats import Attributes, Listing
from sightline.formats.listing import source_and_views
from sightline.images.remote import is_address
from sightline.indexing.labelling import Labelled, Part, Seen, limited, space_of
from sightline.indexing.rows import tables_of
from sightline.indexing.sources import listings_of
from sightline.samples import SampleTable

__all__ = ["Wish", "index", "pieces_of", "samples_of"]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be taken of a source, as the arguments of `index` say it."""

    name: str | None = None
    limit: float | None = None
    classes: Sequence[str] | None = None
    class_file: str | os.PathLike[str] | None = None
    group: Sequence[str] = ()
    time: str | None = None


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
    wish = Wish(name=name, limit=limit, classes=classes, class_file=class_file, group=group, time=time)
    return _joined(list(pieces_of(source, wish)))


def samples_of(listing: Listing, name: str | None = None) -> SampleTable:
    """The table of a listing that no storage layout gave, with the ids and classes that `index` would have given it."""
    listing = as_published(listing)
    card = catalog.recognise(listing) if listing.dataset is None else None
    return _joined(list(_pieces(iter([listing]), card, Wish(name=name), None)))


def pieces_of(source: str | os.PathLike[str], wish: Wish) -> Iterator[SampleTable]:
    """The table that `index` makes, in pieces of some thousand rows where a source may be larger than memory.

    Every piece has all classes, the last one all notes; no key of one lies between those of another. Raises DataError,
    also at the end: a table is whole when all pieces have come.
    """
    given, views = source_and_views(source)
    group = (wish.group,) if isinstance(wish.group, str) else tuple(wish.group)
    attributes = Attributes(groups=group, time=wish.time, views=views)
    # A share of each class can be told when all of it is known.
    listings = listings_of(given, attributes, is_whole=wish.limit is not None)
    first = next(listings)
    card = catalog.recognise(first) if first.dataset is None else None
    found = card.name if card is not None else first.dataset
    if found != given and not (is_address(given) or Path(given).exists()):
        other = f" They are {found}." if found else ""
        raise DataError(
            f"The files found for {given!r} are not that dataset: sizes or labels differ from its card.{other}"
        )
    yield from _pieces(chain([first], listings), card, wish, given)


def _pieces(
    listings: Iterator[Listing], card: Card | None, wish: Wish, source: str | None
) -> Iterator[SampleTable]:
    """Tables of listings; where there is a source, it must have two classes or more."""
    first = next(listings)
    space = space_of(first, card, Path(wish.class_file) if wish.class_file is not None else None)
    part = None if wish.classes is None else Part.of(space.classes, wish.classes)
    classes = space.classes if part is None else part.classes
    subset: dict[str, Any] = {} if part is None else {"classes": list(classes.ids)}
    subset |= {} if wish.limit is None else {"limit": wish.limit}
    name = wish.name or (card.name if card else first.dataset) or first.name
    seen = Seen()
    notes: tuple[str, ...] = ()

    def parts() -> Iterator[Labelled]:
        nonlocal notes
        for listing in chain([first], listings):
            notes = listing.notes
            labelled = space.labelled(listing)
            labelled = labelled if part is None else part.samples(labelled)
            labelled = labelled if wish.limit is None else limited(labelled, wish.limit)
            seen.add(labelled)
            yield labelled
        if source is not None and first.dataset is None:
            seen.refuse_one_class(classes, source)

    def table(rows: pa.Table) -> SampleTable:
        return SampleTable(rows, classes, name, first.roots, subset, notes, first.spaces)

    held: pa.Table | None = None  # the last piece tells the notes, and may be one without rows
    for rows in tables_of(parts()):
        if held is not None and held.num_rows and rows.num_rows:
            yield table(held)
        held = rows if held is None or rows.num_rows else held
    if held is not None:
        yield table(held)


def _joined(pieces: Sequence[SampleTable]) -> SampleTable:
    if len(pieces) == 1:
        return pieces[0]
    # In one piece rows are looked up by position and read without another copy.
    return replace(pieces[-1], table=pa.concat_tables([piece.table for piece in pieces]).combine_chunks())
