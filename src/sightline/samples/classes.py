"""The label space: what class ids mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sightline.artifacts import about_of, as_metadata, require_known
from sightline.digests import digest_of
from sightline.errors import DataError
from sightline.samples.schema import VERSION

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Classes:
    """The label space: class id i has native id `ids[i]` (folder name, wnid, digit) and display name `names[i]`."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    policy: str = "lexicographic"
    """How ids were ordered: lexicographic | numeric | file | official."""

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.names):
            raise DataError(f"{len(self.ids)} class ids but {len(self.names)} names; give one name per class.")
        if len(set(self.ids)) != len(self.ids):
            twice = sorted({i for i in self.ids if self.ids.count(i) > 1})
            raise DataError(f"Class ids must be unique, got {twice[:3]} more than once. Names may repeat; ids may not.")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digest(self) -> str:
        """sha256 of ids in order, hex: two spaces with equal digests give labels the same meaning."""
        return digest_of(list(self.ids))

    @cached_property
    def index(self) -> dict[str, int]:
        """Native id → class id."""
        return {native: i for i, native in enumerate(self.ids)}

    def title(self, i: int) -> str:
        """Name for people: the name, with the native id behind it where they differ."""
        return self.names[i] if self.names[i] == self.ids[i] else f"{self.names[i]} ({self.ids[i]})"

    def to_arrow(self) -> pa.Table:
        """Columns id, native_id, name; the order policy in the metadata."""
        table = pa.table(
            {
                "id": pa.array(range(len(self)), pa.int32()),
                "native_id": pa.array(self.ids, pa.string()),
                "name": pa.array(self.names, pa.string()),
            }
        )
        return table.replace_schema_metadata(as_metadata({"version": VERSION, "policy": self.policy}))

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Classes:
        """Classes of a table with columns id (0 … n-1 in order), native_id, name."""
        if table["id"].to_pylist() != list(range(table.num_rows)):
            raise DataError("classes.parquet: ids must be 0 … n-1 in order. Run `sightline index` again.")
        policy = metadata_of(table, "classes.parquet").get("policy", "file")
        return cls(tuple(table["native_id"].to_pylist()), tuple(table["name"].to_pylist()), policy)

    def to_pandas(self) -> pd.DataFrame:
        """The classes as a DataFrame."""
        return self.to_arrow().to_pandas()


def metadata_of(table: pa.Table, what: str) -> dict[str, Any]:
    """What a Parquet table of ours says about itself. Raises VersionError for a newer format."""
    about = about_of(table)
    require_known(about.get("version", VERSION), VERSION, what)
    return about


def spaces_to_arrow(classes: Classes, spaces: Mapping[str, Classes]) -> pa.Table:
    """Columns space ("" = the table's classes), id, native_id, name; the order policies in the metadata."""
    every = {"": classes, **spaces}
    parts = [
        space.to_arrow().replace_schema_metadata(None).add_column(0, "space", pa.repeat(name, len(space)))
        for name, space in every.items()
    ]
    about = {"version": VERSION, "policies": {name: space.policy for name, space in every.items()}}
    return pa.concat_tables(parts).replace_schema_metadata(as_metadata(about))


def spaces_from_arrow(table: pa.Table) -> tuple[Classes, dict[str, Classes]]:
    """The classes and the further spaces that `spaces_to_arrow` wrote; a table of version 1 holds classes alone."""
    if "space" not in table.schema.names:
        return Classes.from_arrow(table), {}
    policies = metadata_of(table, "classes.parquet").get("policies", {})
    found = {}
    for name in {"": None, **dict.fromkeys(table["space"].to_pylist()), **policies}:
        rows = table.filter(pc.equal(table["space"], name))
        if rows["id"].to_pylist() != list(range(len(rows))):
            raise DataError("classes.parquet: ids must be 0 … n-1 in order. Run `sightline index` again.")
        ids, names = rows["native_id"].to_pylist(), rows["name"].to_pylist()
        found[name] = Classes(tuple(ids), tuple(names), policies.get(name, "file"))
    return found.pop(""), found
