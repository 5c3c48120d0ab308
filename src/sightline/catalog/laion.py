"""LAION: addresses of pictures with the text beside them, as published tables or as img2dataset fetched them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.catalog.annotations import clean, counted, extra, files_in, read_bytes
from sightline.catalog.laion_card import LAION_400M, RE_LAION_5B
from sightline.errors import DataError
from sightline.formats import tar_headers
from sightline.formats.columns import LABEL, find, labels_of
from sightline.formats.listing import Attributes, Format, Listing

MAX_ROWS = 2_000_000
"""Rows of one source; a table of more is refused: all of it is held in memory, 2.2 kB a row while it is indexed."""

NOT_FETCHED = "not fetched: the table names its address alone"

SCALARS = ("similarity", "punsafe", "pwatermark", "aesthetic_score")
MARKS = frozenset([*SCALARS, "nsfw", "sample_id", "hash"])
"""Columns of which LAION's tables have at least one, and other lists of addresses have none."""

RE_LAION = "re-laion"
VIEWS = {RE_LAION: "you say that this is Re-LAION-5B, from which its publisher has taken what was found"}

REMOVED = ("removed.txt", "removed.parquet")
"""Lists of what to leave out: an address in a line, or a column of addresses or of digests."""

_TEXT = ("text", "caption")
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_DIGESTS = ("sha256", "md5", "hash")


def is_at(path: Path) -> bool:
    """Whether `path` is, or a folder holds, Parquet with LAION's columns or those of img2dataset."""
    first = next(iter(_files(path)), None)
    if first is None:
        return False
    columns = _columns(first)
    return _is_fetched(first, columns) or _is_metadata(columns)


def read(path: Path, attributes: Attributes) -> Listing:
    """Rows of LAION's tables, in file and row order; of img2dataset's shards by key, with what failed as a reason.

    Raises DataError for LAION's tables without a list of removals, unless they are said to be Re-LAION-5B.
    """
    files = _files(path)
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    if rows > MAX_ROWS:
        raise DataError(f"{path} has {rows:,} rows; at most {MAX_ROWS:,} are taken as one source. Give the path of one "
                        "file, or write some of its row groups to a smaller one.")  # fmt: skip
    root = (path if path.is_dir() else path.parent).resolve()
    parts = [_Part(file, root) for file in files]
    is_laion = any(MARKS & set(part.columns) for part in parts)
    removed = _removed(root)
    notes: tuple[str, ...] = ()
    if is_laion and removed is None and RE_LAION not in attributes.views:
        raise DataError(
            f"{path} is LAION's: its original tables were withdrawn in December 2023, because some addresses led to "
            "images of child abuse. Use Re-LAION-5B and say so with #re-laion, or put the list of what was taken out "
            f"beside the tables, as {REMOVED[0]} (one address in a line) or {REMOVED[1]} (a column url, md5 or hash)."
        )
    if removed is not None:
        left_out = sum(part.leave_out(removed) for part in parts)
        notes = (f"{left_out:,} rows left out, as the list of removals says",)
    elif RE_LAION in attributes.views:
        notes = ("said to be Re-LAION-5B, whose removals are done",)
    if not any(part.rows for part in parts):
        raise DataError(f"{path} has no rows{' that are not in the list of removals' if removed else ''}.")
    has_licence = any("license" in part.columns for part in parts)
    return _listing(root, parts, (LAION_400M if has_licence else RE_LAION_5B).name if is_laion else None,
                    (*notes, *_without_table(path)))  # fmt: skip


FORMAT = Format(name="LAION", is_at=is_at, read=read, views=VIEWS)


class _Part:
    """One table, and the shard that belongs to it where the pictures were fetched."""

    def __init__(self, file: Path, root: Path) -> None:
        self.file, self.stem = file, file.relative_to(root).as_posix().removesuffix(".parquet")
        schema = _columns(file)
        self.is_fetched = _is_fetched(file, schema)
        table = _table(file)
        self.columns: dict[str, list[Any]] = {
            name.lower(): table[name].to_pylist() for name in table.column_names if not _is_nested(schema.field(name))
        }
        if self.is_fetched:
            # img2dataset writes rows as their downloads end.
            keys = [str(v) for v in self.columns["key"]]
            self.rows = sorted(range(len(keys)), key=lambda i: keys[i].encode())
            self.names = keys
            self.shard = _Shard(file)
        else:
            self.rows = list(range(table.num_rows))
            self.names = [f"{i:08d}" for i in self.rows]

    def leave_out(self, removed: set[str]) -> int:
        """Drop the rows that a list names by address or digest, and say how many they are."""
        known = [self.columns[name] for name in ("url", *_DIGESTS) if name in self.columns]
        kept = [i for i in self.rows if not any(str(column[i]) in removed for column in known)]
        dropped, self.rows = len(self.rows) - len(kept), kept
        return dropped

    def column(self, *names: str) -> list[Any]:
        """The first column of these names, in the order of the rows; None throughout where there is none."""
        found = next((self.columns[name] for name in names if name in self.columns), None)
        return [None] * len(self.rows) if found is None else [found[i] for i in self.rows]

    def images(self) -> list[tuple[str | None, int | None, int | None, str, str | None]]:
        """Path, offset, length, container and reason of each row."""
        if not self.is_fetched:
            return [(None, None, None, "url", NOT_FETCHED)] * len(self.rows)
        found = []
        for i, status, message in zip(self.rows, self.column("status"), self.column("error_message"), strict=True):
            if status == "success":
                found.append(self.shard.image(self.names[i]))
            else:
                why = str(status or "not fetched").replace("_", " ") + (f": {message}" if message else "")
                found.append((None, None, None, "url", why))
        return found

    def labels(self) -> list[str | None]:
        """Labels, where whoever fetched the pictures kept a column of them."""
        name = find(list(self.columns), LABEL)
        return labels_of(self.column(name), str(self.file)) if name else [None] * len(self.rows)


class _Shard:
    """The pictures that belong to a table: a tar of the same name, or a folder."""

    def __init__(self, table: Path) -> None:
        self.name, self.damage = table.stem, ""
        self.folder = table.with_suffix("")
        self.ranges: dict[str, tuple[int, int]] = {}
        self.files: dict[str, str] = {}
        tar = table.with_suffix(".tar")
        self.is_tar = tar.is_file()
        if self.is_tar:
            self.name = tar.name
            try:
                for found in tar_headers.scan(tar):
                    self._add(found)
            except DataError as e:
                self.damage = f" ({e})"
        elif self.folder.is_dir():
            self.files = {p.stem: f"{self.name}/{p.name}" for p in self.folder.iterdir() if p.suffix in _ENDINGS}

    def _add(self, found: tar_headers.PlainRun | tar_headers.Entry) -> None:
        if isinstance(found, tar_headers.Entry):
            names, offsets, sizes = [found.name], [found.offset], [found.size if found.kind == "file" else -1]
        else:
            names, offsets, sizes = found.names, found.offsets, found.sizes
        for name, offset, size in zip(names, offsets, sizes, strict=True):
            stem, dot, ending = name.rpartition(".")
            if f"{dot}{ending}" in _ENDINGS and size >= 0:
                self.ranges.setdefault(stem, (offset, size))

    def image(self, key: str) -> tuple[str | None, int | None, int | None, str, str | None]:
        """Path, offset, length, container and reason of the picture with a key."""
        if key in self.ranges:
            return (self.name, *self.ranges[key], "tar", None)
        if key in self.files:
            return self.files[key], None, None, "file", None
        return None, None, None, "url", f"said to be fetched, and not in {self.name}{self.damage}"


def _listing(root: Path, parts: Sequence[_Part], dataset: str | None, notes: tuple[str, ...]) -> Listing:
    images = [image for part in parts for image in part.images()]
    urls = [url for part in parts for url in part.column("url")]
    downloads = [sha for part in parts for sha in part.column("sha256")]
    names = ("nsfw", "license", "language", "hash", "md5")
    told = [part.column(name) for part in parts for name in names]
    rows = [row for p in range(len(parts)) for row in zip(*told[p * len(names) : (p + 1) * len(names)], strict=True)]
    scalars = [dict(zip(SCALARS, row, strict=True)) for part in parts
               for row in zip(*(part.column(name) for name in SCALARS), strict=True)]  # fmt: skip
    captions = [text for part in parts for text in part.column(*_TEXT)]
    failed = sum(image[4] is not None for image in images)
    return Listing(
        layout="img2dataset" if parts[0].is_fetched else "LAION", name=root.name, roots={"source": str(root)},
        keys=[f"{part.stem}/{part.names[i]}" for part in parts for i in part.rows], splits=[None] * len(images),
        labels=[label for part in parts for label in part.labels()],
        images={
            "root": "source", "path": [i[0] for i in images], "offset": [i[1] for i in images],
            "length": [i[2] for i in images], "container": [i[3] for i in images],
        },
        reasons=[image[4] for image in images],
        groups=[_groups(url, sha) for url, sha in zip(urls, downloads, strict=True)],
        columns={
            "captions": [None if text is None else [clean(str(text))] for text in captions],
            "scalars": [[(name, float(v)) for name, v in row.items() if v is not None] for row in scalars],
            "extra": [extra(url=url, downloaded_sha256=sha, **dict(zip(names, row, strict=True)))
                      for url, sha, row in zip(urls, downloads, rows, strict=True)],
        },
        dataset=dataset, notes=(*notes, *counted(failed, "rows without a picture")),
    )  # fmt: skip


def _groups(url: Any, sha: Any) -> list[tuple[str, str]]:
    """The host that served a picture, and the bytes that it served: equal ones are one picture."""
    try:
        host = urlsplit(str(url)).hostname if url else None
    except ValueError:
        host = None
    return [*([("host", host)] if host else []), *([("download", str(sha))] if sha else [])]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    if not path.is_dir():
        return []
    return [f for f in files_in(path, ".parquet") if not f.name.startswith(("_", *REMOVED))]


def _columns(file: Path) -> pa.Schema:
    try:
        return pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as e:
        raise DataError(f"{file} is not a readable Parquet file ({e}). Fetch it again, or move it away.") from None


def _table(file: Path) -> pa.Table:
    try:
        with pq.ParquetFile(file) as f:  # not read_table: it would take `key=value` folders for partitions
            return f.read(use_threads=False)
    except (pa.ArrowInvalid, OSError) as e:
        raise DataError(f"{file} is damaged ({e}). Fetch it again, or move it away.") from None


def _is_nested(field: pa.Field) -> bool:
    kind = field.type
    return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_metadata(schema: pa.Schema) -> bool:
    names = {name.lower() for name in schema.names}
    return "url" in names and bool(names & set(_TEXT)) and bool(names & MARKS) and not any(map(_is_nested, schema))


def _is_fetched(file: Path, schema: pa.Schema) -> bool:
    beside = (file.with_suffix(".tar").is_file(), file.with_suffix("").is_dir(), _stats(file).is_file())
    return {"url", "key", "status"} <= set(schema.names) and any(beside)


def _stats(file: Path) -> Path:
    return file.with_name(f"{file.stem}_stats.json")


def _without_table(path: Path) -> tuple[str, ...]:
    """A note on shards whose download was broken off: their table is written last."""
    if not path.is_dir():
        return ()
    alone = [f.name for f in files_in(path, ".tar")
             if f.stem.isdecimal() and not f.with_suffix(".parquet").is_file()]  # fmt: skip
    return (f"not read, their tables are not there: {', '.join(alone[:3])}",) if alone else ()


def _removed(folder: Path) -> set[str] | None:
    """Addresses and digests that a list of removals names, or None where there is no list."""
    text, table = (folder / name for name in REMOVED)
    found: set[str] = set()
    if text.is_file():
        lines = read_bytes(text).decode("utf-8-sig", "replace").splitlines()
        found.update(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if table.is_file():
        listed = _table(table)
        names = [name for name in listed.column_names if name.lower() in {"url", *_DIGESTS}]
        if not names:
            raise DataError(f"{table} has no column url, md5, sha256 or hash; it has {', '.join(listed.column_names)}.")
        found.update(str(v) for name in names for v in listed[name].to_pylist() if v is not None)
    if not found and (text.is_file() or table.is_file()):
        raise DataError(f"The list of removals in {folder} is empty. An empty list removes nothing.")
    return found or None
