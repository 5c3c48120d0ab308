"""TFRecord files of `tf.train.Example` with an encoded or plain image in each: every checksum is checked."""

from __future__ import annotations

import importlib.util
import json
import math
import mmap
import os
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sightline.errors import DataError, DecodeError, MissingExtraError
from sightline.formats.columns import GROUP, LABEL, SPLIT, TIME, find
from sightline.formats.listing import Attributes, Format, Listing
from sightline.formats.records import KEY, Records, entries_of, files_of, listing_of, split_of_shard
from sightline.formats.tf_example import Span, features_of, values_of
from sightline.formats.wire import MalformedError
from sightline.images.codecs import codec_of
from sightline.progress import track

IMAGE = ("image/encoded", "image", "img", "image_bytes", "encoded", "jpeg", "jpg", "png", "image_raw", "image/raw")
LABELS = ("image/class/label", *LABEL)
_SHAPE = (("height", "image/height", "rows"), ("width", "image/width", "cols"),
          ("depth", "channels", "image/channels", "image/depth"))  # fmt: skip
_NAMED = re.compile(r".+\.(tfrecords?|tfrec)(-\d+-of-\d+)?(\.gz)?")
_NUMBERED = re.compile(r"[^.]+-\d{5}-of-\d{5}")
"""Shards of the official ImageNet scripts have no suffix."""
_VERSION = re.compile(r"\d+\.\d+\.\d+")

Crc = Callable[[bytes], int]


def is_at(path: Path) -> bool:
    """Whether `path` is, or a folder holds, TFRecord files."""
    return bool(_shards(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of TFRecord files in file and record order; a record with a wrong checksum is a row with the reason.

    Reads every byte. Raises DataError for files that are compressed as a whole or damaged where a record begins, and
    for records that are something else; MissingExtraError without google-crc32c.
    """
    if importlib.util.find_spec("google_crc32c") is None:
        raise MissingExtraError("google-crc32c", "tfrecord", "Checking the records of TFRecord files")
    import google_crc32c

    shards = _shards(path)
    place = shards[0].parent if path.is_dir() and _VERSION.fullmatch(shards[0].parent.name) else path
    root = place if place.is_dir() else place.parent
    features = _chosen(shards, attributes, google_crc32c.value)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = pool.map(lambda s: _Shard(s, root, features, google_crc32c.value).records(), shards)
        parts = list(track(found, "tfrecord", len(shards)))
    if not any(p.reasons for p in parts):
        raise DataError(f"{path} holds TFRecord files without a record.")
    listing = listing_of("TFRecord", place, parts, attributes, _class_names(root, features.label))
    named_by_version = place.is_dir() and _VERSION.fullmatch(listing.name)
    return replace(listing, name=place.resolve().parent.name) if named_by_version else listing


FORMAT = Format(name="TFRecord", is_at=is_at, read=read, has_columns=True)


@dataclass(frozen=True, kw_only=True)
class _Features:
    """Which features of the records mean what."""

    image: str
    shape: tuple[str, ...]
    """Features with height, width and perhaps channels of a plain image; empty for encoded ones."""
    label: str | None
    others: tuple[str, ...]
    """Keys, splits, groups and times."""


class _Shard:
    """The records of one file, column by column."""

    def __init__(self, file: Path, root: Path, features: _Features, crc: Crc) -> None:
        self._file, self._root, self._features, self._crc = file, root, features, crc
        named = (features.label,) if features.label else ()
        self._columns: dict[str, list[Any]] = {name: [] for name in (*named, *features.others)}
        self._places: list[tuple[int, int]] = []
        self._shapes: list[tuple[int, ...]] = []
        self._reasons: list[str | None] = []

    def records(self) -> Records:
        """All of them, in order."""
        for start, record, reason in _records(self._file, self._crc):
            try:
                self._add(start, record, reason)
            except MalformedError as e:
                self._add(start, b"", f"no tf.train.Example: {e}")
        images: dict[str, Any] = {
            "path": self._file.relative_to(self._root).as_posix(), "container": "tfrecord",
            "member": self._features.image, "offset": [a for a, _ in self._places],
            "length": [n for _, n in self._places], "row": list(range(len(self._places))),
        }  # fmt: skip
        if self._features.shape:
            images |= _raw(self._shapes)
        return Records(source=str(self._file), split=split_of_shard(self._file, self._root), images=images,
                       columns=self._columns, label=self._features.label, reasons=self._reasons)  # fmt: skip

    def _add(self, start: int, record: bytes, reason: str | None) -> None:
        found = {} if reason else features_of(record)
        values = {name: self._value(record, found.get(name), len(self._places)) for name in self._columns}
        image = values_of(record, found[self._features.image]) if self._features.image in found else []
        sizes = [values_of(record, found[n]) for n in self._features.shape if n in found]
        place, shape = Span(0, 0), tuple(int(s[0]) for s in sizes if s)
        if not reason and (len(image) != 1 or not isinstance(image[0], Span)):
            reason = f"{len(image)} values in the feature {self._features.image!r}, wanted one byte string"
        elif not reason:
            place = image[0]
            if self._features.shape and (len(shape) != len(self._features.shape) or min(shape) < 1
                                         or math.prod(shape) != place.stop - place.start):  # fmt: skip
                reason = f"{place.stop - place.start:,} bytes for an image of {' × '.join(map(str, shape)) or '?'}"
        for name, value in values.items():
            self._columns[name].append(value)
        self._places.append((start + place.start, place.stop - place.start))
        self._shapes.append(shape)
        self._reasons.append(reason)

    def _value(self, record: bytes, feature: Span | None, row: int) -> Any:
        """The one value of a feature, text for bytes, or None."""
        values = [] if feature is None else values_of(record, feature)
        if len(values) > 1:
            raise DataError(
                f"{self._file}: record {row} has {len(values)} values in a feature that is to be its label, key, group "
                "or time; wanted one. Write a manifest with the samples' single labels, and index that."
            )
        if values and isinstance(values[0], Span):
            return str(record[slice(*values[0])], "utf-8", "replace")
        return values[0] if values else None


def _records(file: Path, crc: Crc) -> Iterator[tuple[int, bytes, str | None]]:
    """Position, content and, for a wrong checksum, the reason of each record. Raises DataError for a broken file."""
    if file.stat().st_size == 0:
        return
    with file.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, end = 0, len(data)
        while at < end:
            head = data[at : at + 12]
            if len(head) < 12 or _masked(crc(head[:8])) != int.from_bytes(head[8:], "little"):
                raise DataError(_broken(file, at, data[:2]))
            start, (length,) = at + 12, struct.unpack("<Q", head[:8])
            if start + length + 4 > end:
                raise DataError(f"{file} ends inside the record at byte {at:,}. Fetch it again.")
            record = data[start : start + length]
            at = start + length + 4
            is_right = _masked(crc(record)) == int.from_bytes(data[at - 4 : at], "little")
            yield start, record, None if is_right else "wrong checksum (CRC-32C) of the record"


def _broken(file: Path, at: int, begins: bytes) -> str:
    if at == 0 and begins == b"\x1f\x8b":
        return (f"{file} is compressed as a whole (GZIP): no record in it can be addressed. Unpack it with zcat, and "
                "index the unpacked files.")  # fmt: skip
    if at == 0 and begins[:1] == b"\x78":
        return (f"{file} is no TFRecord file, or compressed as a whole (ZLIB): no record in it can be addressed. Write "
                "it again without compression.")  # fmt: skip
    return f"{file} is damaged at byte {at:,}: no record begins there. Fetch it again."


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _shards(path: Path) -> list[Path]:
    """TFRecord files of a folder, of its folders for splits, or of the one version in it (as TFDS lays them out)."""
    found = files_of(path, _is_shard, _is_named)
    if found or not path.is_dir():
        return found
    versions = [f for f in entries_of(path, _is_named)[1] if _VERSION.fullmatch(f.name)]
    filled = [f for f in versions if files_of(f, _is_shard, _is_named)]
    if len(filled) > 1:
        raise DataError(f"{path} holds several versions ({', '.join(f.name for f in filled)}). Give one of them.")
    return files_of(filled[0], _is_shard, _is_named) if filled else []


def _is_named(name: str) -> bool:
    return ".tfrec" in name or "-of-" in name


def _is_shard(file: Path) -> bool:
    if _NAMED.fullmatch(file.name):
        return True
    if not _NUMBERED.fullmatch(file.name):
        return False
    with file.open("rb") as f:
        head = f.read(12)
    # A length that fits tells it from text files of such names; the checksum is checked where google-crc32c is.
    return len(head) == 12 and struct.unpack("<Q", head[:8])[0] + 16 <= file.stat().st_size


def _chosen(shards: Sequence[Path], attributes: Attributes, crc: Crc) -> _Features:
    """Meaning of the features, from the first good record of each of the first files."""
    seen: dict[str, tuple[bytes, Span]] = {}
    for file in shards:
        first = next((r for _, r, reason in _records(file, crc) if reason is None), None)
        try:
            seen |= {} if first is None else {n: (first, s) for n, s in features_of(first).items() if n not in seen}
        except MalformedError as e:
            raise DataError(f"{file} holds records that are no tf.train.Example ({e}); only those are read.") from None
        if find(list(seen), LABELS) and find(list(seen), IMAGE):
            break
    shape = tuple(n for known in _SHAPE if (n := find(list(seen), known)) is not None)
    images = {n: kind for n, (record, span) in seen.items() if (kind := _image_kind(record, span)) is not None}
    encoded, plain = ([n for n, kind in images.items() if kind is k] for k in (True, False))
    image = find(encoded, IMAGE) or (encoded[0] if len(encoded) == 1 else None)
    raw = None if image or len(shape) < 2 else find(plain, IMAGE)
    if image is None and raw is None:
        raise DataError(
            f"{shards[0].parent} has TFRecord files without a feature that holds an image. Their features: "
            f"{', '.join(seen)}. Wanted: an encoded image such as 'image/encoded', or bytes with height and width."
        )
    names = [n for n in seen if n != (image or raw)]
    single = [n for n in names if len(values_of(*seen[n])) == 1]
    by_name = [find(single, known) for known in (KEY, SPLIT, GROUP, TIME)]
    label = find(names, LABELS)
    others = dict.fromkeys(n for n in (*attributes.groups, attributes.time, *by_name) if n is not None and n != label)
    return _Features(image=image or raw or "", shape=() if image else shape, label=label, others=tuple(others))


def _image_kind(record: bytes, feature: Span) -> bool | None:
    """True for a feature with an encoded image, False for one with other bytes, None for one without."""
    values = values_of(record, feature)
    if len(values) != 1 or not isinstance(values[0], Span):
        return None
    try:
        codec_of(record[values[0].start : values[0].start + 16])
    except DecodeError:
        return False
    return True


def _raw(shapes: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    """Fields of plain images: bytes, height × width (× channels)."""
    known = [s if len(s) in (2, 3) else (0, 0) for s in shapes]
    return {
        "codec": "raw", "bits": 8, "layout": ["u1:" + ",".join(map(str, s)) for s in known],
        "height": [s[0] for s in known], "width": [s[1] for s in known],
        "mode": ["RGB" if s[2:] == (3,) else "L" for s in known],
    }  # fmt: skip


def _class_names(folder: Path, label: str | None) -> list[str]:
    """Names of integer labels, one in a line of `LABEL.labels.txt`, as TFDS writes them; empty without that file.

    Those of `image/class/label` lie in `image-class-label.labels.txt`, or with dots where its name was not nested.
    """
    files = [] if label is None else [folder / f"{label.replace('/', mark)}.labels.txt" for mark in "-."]
    file = next((f for f in files if f.is_file()), None)
    if label is None or file is None:
        return []
    try:
        names = [line.strip() for line in file.read_text("utf-8").splitlines()]
        about = json.loads((file.parent / "features.json").read_text("utf-8"))
    except FileNotFoundError:
        return [n for n in names if n]
    except (OSError, ValueError) as e:
        raise DataError(f"{file.parent}: names of the classes cannot be read ({e}). Fetch the folder again.") from None
    names = [n for n in names if n]
    told = _num_classes(about, label)
    if told is not None and told != len(names):
        raise DataError(f"{file} names {len(names)} classes, features.json says {told}. Fetch both again.")
    return names


def _num_classes(about: Any, label: str) -> int | None:
    try:
        return int(about["featuresDict"]["features"][label]["classLabel"]["numClasses"])
    except (KeyError, TypeError, ValueError):
        return None
