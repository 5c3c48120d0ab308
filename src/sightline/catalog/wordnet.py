"""WordNet 3.0 nouns by their ids (wnids), which name the classes of the ImageNet family."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.catalog.label_data import DATA
from sightline.errors import DataError

_WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True, kw_only=True)
class Synset:
    """A meaning, with the words for it."""

    wnid: str
    words: tuple[str, ...]
    definition: str
    parents: tuple[str, ...]
    """wnids of what it is a kind of; several for a few, so that the hierarchy is no tree."""


def are_wnids(ids: Iterable[str]) -> bool:
    """Whether every id looks like `n01440764`."""
    return all(_WNID.fullmatch(i) for i in ids)


def names_of(wnids: Iterable[str]) -> dict[str, str]:
    """wnid → first word for it, for those that are known.

    Names repeat (two classes of ImageNet-1k are a `crane`, two a `maillot`): they are for people, never keys.
    """
    rows = _rows()
    words = _table()["words"]
    return {w: words[rows[w]].as_py().partition(", ")[0] for w in wnids if w in rows}


def synset(wnid: str) -> Synset:
    """The synset of a wnid. Raises DataError for one that neither the ImageNet family nor its hierarchy has."""
    if wnid not in _rows():
        raise DataError(f"{wnid!r} is no noun of WordNet 3.0 that ImageNet uses. A wnid is n and eight digits, such as "
                        "n01440764; later versions of WordNet number differently.")  # fmt: skip
    row = _table().slice(_rows()[wnid], 1).to_pylist()[0]
    parents = tuple(_table()["wnid"][p].as_py() for p in row["parents"])
    return Synset(wnid=wnid, words=tuple(row["words"].split(", ")), definition=row["definition"], parents=parents)


def ancestors(wnid: str) -> tuple[str, ...]:
    """wnids of everything that a synset is a kind of, nearest first, each once; ends in n00001740, entity."""
    found: dict[str, None] = {}
    level = synset(wnid).parents
    while level:
        found |= dict.fromkeys(w for w in level if w not in found)
        level = tuple(dict.fromkeys(p for w in level for p in synset(w).parents if p not in found))
    return tuple(found)


@cache
def _table() -> pa.Table:
    table = pq.read_table(DATA / "synsets.parquet", columns=["wnid", "words", "definition", "parents"])
    return table.combine_chunks()


@cache
def _rows() -> dict[str, int]:
    return {wnid: i for i, wnid in enumerate(_table()["wnid"].to_pylist())}
