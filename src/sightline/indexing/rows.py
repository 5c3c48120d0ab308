"""Rows of a sample table, made of listings with ids."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa

from sightline.formats import Listing
from sightline.formats.header_work import Result
from sightline.formats.headers import FIELDS, with_headers
from sightline.images import Header
from sightline.indexing.labelling import Labelled
from sightline.samples import IMAGE, SCHEMA


def tables_of(parts: Iterable[Labelled]) -> Iterator[pa.Table]:
    """The rows of each part, numbered through; headers that nobody knows are read while the next parts are listed."""
    waiting: deque[Labelled] = deque()

    def unseen() -> Iterator[Listing]:
        for part in parts:
            waiting.append(part)
            yield _without_headers(part.listing)

    start = 0
    for _, found in with_headers(unseen()):
        part = waiting.popleft()
        yield _table(replace(part, listing=_with_headers(part.listing, found)), start)
        start += len(part.ids)


def _without_headers(listing: Listing) -> Listing:
    """Those samples whose headers must be read."""
    if "codec" in listing.images:
        return listing.take([])
    if listing.reasons is None:
        return listing
    return listing.take([i for i, told in enumerate(listing.reasons) if told is None])


def _with_headers(listing: Listing, found: Sequence[Result]) -> Listing:
    """A listing with the headers of those samples that had none."""
    if "codec" in listing.images:
        return listing
    if listing.reasons is None:
        results: Sequence[Result | None] = found
    else:
        rest = iter(found)
        results = [next(rest) if told is None else None for told in listing.reasons]
    headers = [h if isinstance(h, Header) else None for h in results]
    reasons = [r if isinstance(r, str) else None for r in results]
    told = [a or b for a, b in zip(listing.reasons, reasons, strict=True)] if listing.reasons is not None else reasons
    fields = {f: [None if h is None else getattr(h, f) for h in headers] for f in FIELDS}
    return replace(listing, images={**listing.images, **fields}, reasons=told if any(told) else None)


def _table(part: Labelled, start: int) -> pa.Table:
    listing, n = part.listing, len(part.ids)
    reasons = listing.reasons
    values: dict[str, Any] = {
        "sample_id": part.ids, "key": listing.keys, "ordinal": range(start, start + n), "dataset": part.dataset,
        "split": listing.splits, "group_id": group_ids(listing), "time": listing.times, "label": part.labels,
        "groups": None if listing.groups is None else [[{"kind": k, "id": i} for k, i in g] for g in listing.groups],
        "status": "ok" if reasons is None else ["ok" if r is None else "unreadable" for r in reasons],
        "reason": reasons, **listing.columns,
    }  # fmt: skip
    columns = [_images(listing.images, n) if f.name == "image" else _array(values.get(f.name), n, f.type)
               for f in SCHEMA]  # fmt: skip
    return pa.table(columns, schema=SCHEMA)


def _images(images: Mapping[str, Any], n: int) -> pa.StructArray:
    return pa.StructArray.from_arrays([_array(images.get(f.name), n, f.type) for f in IMAGE], fields=list(IMAGE))


def _array(values: Any, n: int, kind: pa.DataType) -> pa.Array:
    """A column of one value for each row, of the same value for all, or of nulls."""
    if values is None:
        return pa.nulls(n, kind)
    if isinstance(values, str | int):
        if pa.types.is_dictionary(kind):
            return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, kind.index_type), n), [values])
        return pa.repeat(pa.scalar(values, kind), n)
    return pa.array(values, kind)


def group_ids(listing: Listing) -> Sequence[str]:
    """Connected component of each sample over all its groups, named by the first of them; without groups its key."""
    if listing.groups is None:
        return listing.keys
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
