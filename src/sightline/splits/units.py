"""Units: samples that must not be parted, because they share a group or are exact copies of one another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SplitError, did_you_mean
from sightline.samples import SampleTable
from sightline.splits.request import Request

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Units:
    """The unit of each sample."""

    of: Array
    """Unit number of each row, int64, 0 … len - 1."""
    names: tuple[str, ...]
    """Name of each unit: the smallest of its samples' group keys, so that the order of rows does not matter."""

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def sizes(self) -> Array:
        """Samples in each unit, int64."""
        return np.bincount(self.of, minlength=len(self))

    def draws(self, seed: int, purpose: str) -> Array:
        """A float64 in [0, 1) for each unit: a hash of its name, the seed and what the number is for.

        A hash instead of a shuffle: a unit's number does not depend on which other units there are.
        """
        head = hashlib.blake2b(f"sightline split\0{purpose}\0{seed}\0".encode(), digest_size=8)
        words = bytearray()
        for name in self.names:
            h = head.copy()
            h.update(name.encode())
            words += h.digest()
        return (np.frombuffer(bytes(words), "<u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True, eq=False)
class Keys:
    """Keys that hold samples together: `rows[i]` has the key numbered `codes[i]`."""

    rows: Array
    codes: Array
    values: pa.Array
    """The keys, texts or hashes, by their numbers."""
    kinds: tuple[str, ...] = ()
    """Kinds of groups that were chosen; the values begin with them."""

    def __len__(self) -> int:
        return len(self.values)

    def name(self, code: int) -> str:
        """What to call a key."""
        value = self.values[code].as_py()
        return value if isinstance(value, str) else str(value.hex()[:12])


REVIEWED = "review"
"""Kind of the groups that a person merged by hand; they hold together whatever kinds are named."""


def held_keys(samples: SampleTable, group: Sequence[str], domain: str = "") -> Keys:
    """The groups that no method parts: of the named kinds, else of all; where `domain` is a kind, of all but it."""
    if group or not domain:
        return group_keys(samples, group)
    others = tuple(sorted(_kinds_of(samples) - {domain}))
    return group_keys(samples, others) if others else NO_KEYS


def group_keys(samples: SampleTable, kinds: Sequence[str]) -> Keys:
    """The keys of the given kinds of groups, or of the table's own `group_id` when no kind is given.

    Raises SplitError for a kind that the table does not have.
    """
    if not kinds:
        column = samples.table["group_id"].combine_chunks().dictionary_encode()
        return Keys(np.arange(len(samples)), _codes(column), column.dictionary)
    rows, groups = _groups(samples, kinds, {*kinds, REVIEWED})
    column = pc.binary_join_element_wise(groups.field("kind"), groups.field("id"), " ").dictionary_encode()
    return Keys(rows, _codes(column), column.dictionary, tuple(kinds))


def group_of_kind(samples: SampleTable, kind: str) -> Array:
    """The group of a kind that each sample is in, an object array; None for a sample in none.

    Raises SplitError for a kind that the table does not have, and for a sample in two groups of it.
    """
    rows, groups = _groups(samples, (kind,), {kind})
    again = rows[1:][rows[1:] == rows[:-1]]
    if len(again):
        raise SplitError(f"{samples.name}: {samples.column('key')[int(again[0])]} is in several groups of kind "
                         f"{kind!r}, and so on both sides of any division by it. Correct the column, or divide "
                         "by another kind.")  # fmt: skip
    of = np.full(len(samples), None, object)
    of[rows] = groups.field("id").to_pylist()
    return of


def _groups(samples: SampleTable, asked: Sequence[str], chosen: set[str]) -> tuple[Array, pa.StructArray]:
    """Row, kind and id of all groups of the chosen kinds. Raises SplitError when a kind that was asked for is none."""
    present = _kinds_of(samples)
    for kind in asked:
        if kind not in present:
            known = did_you_mean(kind, present) if present else " It has no groups at all."
            raise SplitError(f"{samples.name} has no groups of kind {kind!r}.{known} Groups are read by "
                             "`sightline index SOURCE STUDY --group COLUMN`.")  # fmt: skip
    groups = samples.table["groups"].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(groups), 0).to_numpy(zero_copy_only=False)
    flat = groups.flatten()
    is_chosen = pc.is_in(flat.field("kind"), pa.array(sorted(chosen), pa.string()))
    rows = np.repeat(np.arange(len(samples)), lengths)[is_chosen.to_numpy(zero_copy_only=False)]
    return rows, flat.filter(is_chosen)


def _kinds_of(samples: SampleTable) -> set[str]:
    return set(pc.unique(samples.table["groups"].combine_chunks().flatten().field("kind")).to_pylist())


def pixel_keys(samples: SampleTable) -> Keys:
    """Keys of samples whose pixels are known; equal pixels have equal keys."""
    column = samples.table["pixel_sha256"].combine_chunks()
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    encoded = column.drop_null().dictionary_encode()
    return Keys(rows, _codes(encoded), encoded.dictionary)


def pair_keys(samples: SampleTable, pairs: Iterable[tuple[bytes, bytes]]) -> Keys:
    """A key for each pair of ids of which both are samples of the table."""
    chosen = tuple(pairs)
    if not chosen:
        return NO_KEYS
    place = {i: row for row, i in enumerate(samples.column("sample_id"))}
    inside = [(a, b) for a, b in chosen if a in place and b in place]
    rows = np.array([place[i] for pair in inside for i in pair], np.int64)
    return Keys(rows, np.repeat(np.arange(len(inside)), 2), pa.array([a for a, _ in inside], pa.binary(16)))


def units_of(samples: SampleTable, request: Request) -> Units:
    """Units over groups, exact copies and the pairs that the request holds together."""
    held = held_keys(samples, request.group, request.domain_kind)
    return connect(samples, [held, pixel_keys(samples), pair_keys(samples, request.together)])


NO_KEYS = Keys(np.zeros(0, np.int64), np.zeros(0, np.int64), pa.array([], pa.string()))


def connect(samples: SampleTable, keys: Sequence[Keys]) -> Units:
    """Units of a table: connected components over the keys."""
    parent = list(range(len(samples)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for key in keys:
        for a, b in _neighbours(key):
            parent[root(b)] = root(a)
    roots = np.fromiter((root(i) for i in range(len(parent))), np.int64, len(parent))
    _, of = np.unique(roots, return_inverse=True)
    return Units(of.astype(np.int64), _names(samples, keys, of))


def _codes(column: Any) -> Array:
    return np.asarray(column.indices.to_numpy(zero_copy_only=False), np.int64)


def _neighbours(key: Keys) -> list[tuple[int, int]]:
    """Pairs of rows that follow one another among the rows of a key: enough to connect them all."""
    order = np.argsort(key.codes, kind="stable")
    rows, codes = key.rows[order], key.codes[order]
    same = np.flatnonzero(codes[1:] == codes[:-1])
    return list(zip(rows[same].tolist(), rows[same + 1].tolist(), strict=True))


def _names(samples: SampleTable, keys: Sequence[Keys], of: Array) -> tuple[str, ...]:
    """The smallest group key of each unit; a sample without a key of the chosen kinds has its own."""
    best: dict[int, str] = {}
    own = samples.column("key")
    of_row: dict[int, str] = {}
    names = keys[0].values.to_pylist()
    for row, code in zip(keys[0].rows.tolist(), keys[0].codes.tolist(), strict=True):
        name = names[code]
        of_row[row] = min(name, of_row.get(row, name))
    for row, unit in enumerate(of.tolist()):
        name = of_row.get(row, own[row])
        best[unit] = min(name, best.get(unit, name))
    return tuple(best[unit] for unit in range(len(best)))
