"""LMDB databases of images: encoded bytes as they are, or Caffe's Datums; the library itself is not needed."""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.errors import DataError, DecodeError
from sightline.formats.caffe_datum import Datum, datum_of
from sightline.formats.listing import Attributes, Format, Listing, split_of
from sightline.formats.lmdb_pages import Entry, is_database, opened
from sightline.formats.records import Records, entries_of, listing_of, names_beside, split_in
from sightline.formats.wire import MalformedError
from sightline.images.codecs import codec_of

DATA = "data.mdb"
_SUFFIXES = (".lmdb", ".mdb")
_ABOUT = re.compile(r"__\w+__|num-samples|length|len|size|meta\S*")
"""Keys under which writers keep something else than samples."""
_IMAGE_KEY, _LABEL_KEY = re.compile(r"image[-_](\d+)"), re.compile(r"label[-_](\d+)")
_CATEGORY = re.compile(r"(?P<category>.+)_(train|val|test)_lmdb")
"""LSUN has a database for each category."""
_MAX_LABEL_BYTES = 4096
_LOOK = 16
"""Values that tell whether a database holds images or Datums; the first may be broken."""


def is_at(path: Path) -> bool:
    """Whether `path` is an LMDB data file, its folder, or a folder with a database for each split."""
    return bool(_files(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of databases, each in the byte order of its keys; an image is a byte range of the data file.

    Labels stand in the Datums, under keys label-000000001, in a list beside the database (`labels.csv`: key and label),
    or in the keys (class/name). Raises DataError for damaged databases, pickled values, and where nothing tells labels.
    """
    root = path if path.is_dir() else path.parent
    parts = [_records(file, root) for file in _files(path)]
    if not any(p.reasons for p in parts):
        raise DataError(f"{path} holds an LMDB database without images.")
    # Numbers come from Datums alone. Beside bare images `labels.txt` lists keys, and was read as that.
    is_numbered = any(isinstance(v, int) for p in parts for v in p.columns.get("label", ()))
    names = names_beside(root, parts) if is_numbered else []
    found = listing_of("LMDB", path, parts, attributes, names)
    is_raw = found.images.get("codec") == "raw"
    return replace(found, notes=(*found.notes, "planes taken as blue, green, red")) if is_raw else found


FORMAT = Format(name="LMDB", is_at=is_at, read=read)


def _files(path: Path) -> list[Path]:
    """Data files of a source, in byte order."""
    if path.is_file():
        return [path] if path.suffix in _SUFFIXES and is_database(path) else []
    if not path.is_dir():
        return []
    if (path / DATA).is_file():
        return [path / DATA] if is_database(path / DATA) else []
    files, folders = entries_of(path, lambda name: name.endswith(_SUFFIXES))
    inside = [f / DATA for f in folders if split_in(f.name) and (f / DATA).is_file()]
    return [f for f in (*files, *inside) if is_database(f)]


def _records(file: Path, root: Path) -> Records:
    name = file.parent.name if file.name == DATA else file.stem
    # The folder given is the source itself: what it is called says nothing of splits.
    split = split_in(name) if file.parent != root or file.name != DATA else None
    with opened(file) as database:
        rows = _Rows(file, database.data, list(database.entries()))
        images = {"path": file.relative_to(root).as_posix(), "container": "lmdb", "member": rows.keys, **rows.images()}
        columns: dict[str, Sequence[Any]] = {"key": rows.keys}
        labels = rows.labels(name)
        if labels is not None:
            columns["label"] = labels
        elif rows.keys and all("/" in key for key in rows.keys):
            columns |= _from_keys(rows.keys)
    return Records(source=str(file), split=split, images=images, columns=columns,
                   label="label" if "label" in columns else None, reasons=rows.reasons)  # fmt: skip


class _Rows:
    """The images of one database."""

    def __init__(self, file: Path, data: mmap.mmap, entries: Sequence[Entry]) -> None:
        self._file, self._data = file, data
        named = [(_text(e.key), e) for e in entries]
        self._labelled = {m[1]: e for key, e in named if (m := _LABEL_KEY.fullmatch(key))}
        is_pairs = bool(self._labelled) and any(_IMAGE_KEY.fullmatch(key) for key, _ in named)
        rows = [(key, e) for key, e in named
                if (_IMAGE_KEY.fullmatch(key) if is_pairs else not _ABOUT.fullmatch(key))]  # fmt: skip
        self.keys = [key for key, _ in rows]
        self._entries = [e for _, e in rows]
        self._is_pairs = is_pairs
        self.reasons: list[str | None] = [None] * len(rows)
        self._datums: list[Datum | None] = []
        if rows and not any(self._is_encoded(e) for e in self._entries[:_LOOK]):
            self._refuse_pickles(self._entries[0])
            self._datums = [self._datum(i, e) for i, e in enumerate(self._entries)]
            if all(d is None for d in self._datums):
                begins = data[self._entries[0].offset : self._entries[0].offset + 12]
                raise DataError(
                    f"{file} holds values that are neither images nor Caffe's Datums: {self.keys[0]} begins with "
                    f"{begins!r}. Write the encoded images themselves."
                )

    def images(self) -> dict[str, Any]:
        """Fields of `samples.IMAGE`."""
        if not self._datums:
            return {"offset": [e.offset for e in self._entries], "length": [e.length for e in self._entries]}
        first = next(d for d in self._datums if d is not None)
        fields: dict[str, list[Any]] = {n: [] for n in ("offset", "length", "layout", "height", "width", "mode")}
        for i, (entry, datum) in enumerate(zip(self._entries, self._datums, strict=True)):
            if datum is not None and self.reasons[i] is None:
                self.reasons[i] = _unfit(datum, first.is_encoded)
            good = datum is not None and self.reasons[i] is None
            known = datum if good and datum is not None else Datum(1, 0, 0, 0, 0, None, False)
            size = f"{known.height},{known.width}"
            layout = f"u1:{size}" if known.channels == 1 else f"u1:bgr:3,{size}"
            values = (entry.offset + known.start, known.stop - known.start, layout, known.height, known.width,
                      "L" if known.channels == 1 else "RGB")  # fmt: skip
            for name, value in zip(fields, values, strict=True):
                fields[name].append(value)
        if first.is_encoded:
            return {"offset": fields["offset"], "length": fields["length"]}
        return {"codec": "raw", "bits": 8, **fields}

    def labels(self, name: str) -> list[Any] | None:
        """What the database or a list beside it says, or None where neither tells."""
        if self._datums and any(d is not None and d.label is not None for d in self._datums):
            return [None if d is None else d.label for d in self._datums]
        if self._is_pairs:
            numbers = [m[1] for key in self.keys if (m := _IMAGE_KEY.fullmatch(key))]
            return [self._label_text(self._labelled.get(number)) for number in numbers]
        told = _key_list(self._file, self.keys)
        if told is not None:
            return [told.get(key) for key in self.keys]
        category = _CATEGORY.fullmatch(name)
        return [category["category"]] * len(self.keys) if category else None

    def _datum(self, i: int, entry: Entry) -> Datum | None:
        try:
            return datum_of(self._data[entry.offset : entry.offset + entry.length])
        except MalformedError as e:
            self.reasons[i] = f"no Datum: {e}"
            return None

    def _is_encoded(self, entry: Entry) -> bool:
        try:
            codec_of(self._data[entry.offset : entry.offset + min(entry.length, 16)])
        except DecodeError:
            return False
        return True

    def _refuse_pickles(self, entry: Entry) -> None:
        begins = self._data[entry.offset : entry.offset + min(entry.length, 2)]
        last = self._data[entry.offset + entry.length - 1 : entry.offset + entry.length]
        if begins[:1] == b"\x80" and begins[1:] <= b"\x05" and last == b".":
            raise DataError(
                f"{self._file} holds Python pickles, which can run any program when they are read. Write the encoded "
                "images themselves, or Caffe's Datums."
            )

    def _label_text(self, entry: Entry | None) -> str | None:
        if entry is None or entry.length > _MAX_LABEL_BYTES:
            return None
        return self._data[entry.offset : entry.offset + entry.length].decode("utf-8", "replace").strip()


def _unfit(datum: Datum, is_encoded: bool) -> str | None:
    """Why a Datum's image cannot be read, or None."""
    if datum.is_encoded != is_encoded:
        return "encoded, unlike the others" if datum.is_encoded else "plain planes, unlike the others"
    length = datum.stop - datum.start
    size = (datum.channels, datum.height, datum.width)
    if not is_encoded and (datum.channels not in (1, 3) or min(size) < 1 or length != size[0] * size[1] * size[2]):
        return f"{length:,} bytes for {size[0]} planes of {size[1]} × {size[2]}"
    return None


def _text(key: bytes) -> str:
    """A key as text; 0x… for one that is none."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return "0x" + key.hex()
    return text if text.isprintable() else "0x" + key.hex()


def _from_keys(keys: Sequence[str]) -> dict[str, list[str | None]]:
    """Labels, and splits where all keys begin with one: `class/name` or `train/class/name`."""
    parts = [key.split("/") for key in keys]
    splits = [split_of(p[0]) if len(p) > 2 else None for p in parts]
    if None in splits:
        return {"label": [p[0] for p in parts]}
    return {"label": [p[1] for p in parts], "split": splits}


def _key_list(file: Path, keys: Sequence[str]) -> dict[str, str] | None:
    """Key → label from the list beside a database: a line each, a tab, comma or blank between."""
    names = [file.with_name("labels")] if file.name == DATA else [file.with_suffix("")]
    lists = [n.with_name(n.name + suffix) for n in names for suffix in (".csv", ".tsv", ".txt")]
    found = next((f for f in lists if f.is_file()), None)
    if found is None:
        return None
    try:
        lines = found.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"{found} cannot be read: {e}. Wanted: a key and its label in a line, UTF-8.") from None
    told: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        between = next((c for c in "\t, " if c in line.strip()), None)
        if line.strip() and between is None:
            raise DataError(f"{found}: line {number} is {line!r}; wanted a key and its label.")
        if between is not None:
            key, _, label = line.rpartition(between)
            told[key.strip()] = label.strip()
    if not told.keys() & set(keys):
        raise DataError(f"{found} names none of the {len(keys)} keys of {file}; the first is {keys[0]!r}.")
    return told
