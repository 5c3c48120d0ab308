"""Image references to payload bytes and pixels, whatever the container."""

from __future__ import annotations

import importlib.util
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline.errors import DataError, DecodeError
from sightline.images.containers import CONTAINERS, RANGES, Container, Reference, opened
from sightline.images.decoding import Pixels, decode
from sightline.images.partial import upper_rows
from sightline.images.ranges import Ranges, whole_file
from sightline.images.raw import pixels_of_raw
from sightline.images.remote import Remote, is_address
from sightline.images.shards import Shards, damaged

PACKAGE = "package:"
"""How the address of a root begins whose files an installed package carries."""


PLACE = ("root", "path", "container", "member", "offset", "length", "row_group", "row", "frame", "codec", "layout")
"""Fields of the reference that say where an image lies; the others say what it is."""

HEAD_BYTES = 1 << 17
"""What is read of a payload for its header; metadata in front of it may be longer, which a caller must expect."""


def resolve_root(address: str) -> Path:
    """Directory of a root: a path, or `package:NAME` for the data that an installed package carries."""
    if not address.startswith(PACKAGE):
        return Path(address)
    name = address.removeprefix(PACKAGE)
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"The samples lie inside the package {name!r}, which is not installed: pip install {name}")
    return Path(next(iter(spec.submodule_search_locations)))


class ImageReader:
    """Payload bytes and pixels of samples, by position in the reference column; safe to share between threads.

    `images` is the `image` column of a sample table, `roots` its alias → address map, `crops` its `crop` column.
    """

    def __init__(
        self, images: pa.ChunkedArray | pa.StructArray, roots: Mapping[str, str], crops: pa.ChunkedArray | None = None
    ) -> None:
        if isinstance(images, pa.ChunkedArray):  # combining copies even what is one piece
            images = images.chunk(0) if images.num_chunks == 1 else images.combine_chunks()
        self._lookups = {name: _lookup(images.field(name)) for name in PLACE}
        self._crops = crops if crops is not None and crops.null_count < len(crops) else None
        self._remotes = {alias: Remote(address) for alias, address in roots.items() if is_address(address)}
        self._roots = {a: resolve_root(address) for a, address in roots.items() if a not in self._remotes}
        self._length = len(images)
        self._lock = threading.Lock()
        self._containers: dict[str, Container | None] = {}
        self._ranges = Ranges()
        self._shards = Shards(self._ranges)

    def __len__(self) -> int:
        return self._length

    def _get(self, name: str, i: int) -> Any:
        return self._lookups[name](i)

    def path(self, i: int) -> Path:
        """File that holds sample `i`'s payload."""
        return self._roots[self._get("root", i)] / str(self._get("path", i))

    def payload(self, i: int) -> bytes:
        """Bytes of sample `i` exactly as stored, encoded or raw. Raises DecodeError when they cannot be read."""
        if self._remotes and self._get("root", i) in self._remotes:
            return self._fetched(i)
        container, path = self._get("container", i), self.path(i)
        try:
            if container == "file":
                return whole_file(path)
            if container == "packed":
                return self._shards.payload(*self._packed(i))
            found = self._container(container)
            if found is not None:
                return found.payload(self._reference(i, path))
            return self._range(i, path)
        except FileNotFoundError:
            raise DecodeError(f"file is missing: {path.name}") from None
        except OSError as e:
            raise DecodeError(f"cannot be read: {e.strerror or e}") from None

    def is_whole(self, i: int) -> bool:
        """Whether the pixels of sample `i` are all those of an encoded image, decoded as `images.decode` does."""
        if self._get("codec", i) == "raw" or (self._crops is not None and self._crops[i].is_valid):
            return False
        container = self._get("container", i)
        return container != "packed" and not hasattr(self._container(container), "pixels")

    def head(self, i: int) -> bytes:
        """The payload, or so many of its first bytes that they hold the header of any usual image."""
        if self._remotes and self._get("root", i) in self._remotes:
            return self._fetched(i, HEAD_BYTES)
        length = self._get("length", i)
        container = self._get("container", i)
        begin = getattr(self._container(container), "head", None)
        if begin is None and (length is None or length <= HEAD_BYTES or container in {"file", *CONTAINERS}):
            return self.payload(i)
        start, path = self._get("offset", i), self.path(i)
        try:
            if begin is not None:
                return bytes(begin(self._reference(i, path), HEAD_BYTES))
            return self._ranges.read(str(path), start, start + HEAD_BYTES)
        except FileNotFoundError:
            raise DecodeError(f"file is missing: {path.name}") from None
        except OSError as e:
            raise DecodeError(f"cannot be read: {e.strerror or e}") from None

    def _fetched(self, i: int, limit: int | None = None) -> bytes:
        """Payload of an image that lies elsewhere, or its first `limit` bytes."""
        remote, name = self._remotes[self._get("root", i)], str(self._get("path", i))
        container, start, length = (self._get(field, i) for field in ("container", "offset", "length"))
        if container == "file":
            return remote.read(name, 0, limit) if limit else remote.read(name)
        if container in CONTAINERS or start is None or length is None:
            raise DataError(f"{remote.address}/{name}: images in {container} are read on a disk only. Copy the file.")
        stop = start + (min(limit, length) if limit else length)
        data = remote.read(name, start, stop)
        if len(data) != stop - start:
            raise DecodeError(f"{name} ends before byte {stop:,}")
        return data

    def _range(self, i: int, path: Path) -> bytes:
        start, length = self._get("offset", i), self._get("length", i)
        if start is None or length is None:
            container = self._get("container", i)
            if container in RANGES:
                raise DecodeError(f"no bytes of {path.name} are known for it")
            raise DataError(f"Unknown container {container!r} in the sample table; it was made by another version.")
        try:
            return self._ranges.read(str(path), start, start + length)
        except DecodeError as e:
            raise DecodeError(f"{path}, byte {start:,}: {e}") from None

    def _container(self, name: str) -> Container | None:
        if name not in self._containers:
            with self._lock:
                if name not in self._containers:
                    self._containers[name] = opened(name)
        return self._containers[name]

    def _reference(self, i: int, path: Path) -> Reference:
        names = ("member", "offset", "length", "row_group", "row", "frame", "layout")
        return Reference(str(path), *(self._get(name, i) for name in names))

    def pixels(self, i: int, payload: bytes | None = None) -> Pixels:
        """Native pixels of sample `i`, from its payload if that was read already; of a crop the part it names.

        Raises DecodeError with the reason when they cannot be had.
        """
        if payload is None:
            payload = self.payload(i)
        return self._cropped(i, self._whole(i, payload))

    def _whole(self, i: int, payload: bytes) -> Pixels:
        if self._get("codec", i) == "raw":
            return pixels_of_raw(payload, self._get("layout", i))
        container = self._get("container", i)
        if container == "packed":
            return self._unpacked(i, payload)
        pixels: Callable[[Reference, bytes], Pixels] | None = getattr(self._container(container), "pixels", None)
        if pixels is not None:
            return pixels(self._reference(i, self.path(i)), payload)
        return decode(payload)

    def _cropped(self, i: int, pixels: Pixels) -> Pixels:
        crop = None if self._crops is None else self._crops[i].as_py()
        if crop is None:
            return pixels
        top, left, bottom, right = pixel_box(crop, *pixels.values.shape[:2])
        return replace(pixels, values=pixels.values[top:bottom, left:right])

    def band(self, i: int, top: int, bottom: int) -> tuple[Pixels, int]:
        """Native pixels of sample `i` that hold at least the stored rows `top` … `bottom` - 1, and the first one's row.

        They equal the same rows of `pixels(i)`; where decoding a part is not possible they are all rows.
        Raises DecodeError with the reason when they cannot be had.
        """
        if self._crops is not None:
            return self.pixels(i), 0
        if self._get("container", i) != "packed":
            payload = self.payload(i)
            rows = upper_rows(payload, bottom) if self._get("codec", i) == "jpeg" else None
            return rows or self.pixels(i, payload), 0
        shard, offset, length = self._packed(i)
        try:
            found = self._shards.band(shard, self._get("row", i), offset, length, top, bottom)
        except OSError as e:
            raise DecodeError(f"{shard} cannot be read: {e.strerror or e}") from None
        if found is None:
            return self.pixels(i), 0
        payload, first_row = found
        return self._unpacked(i, payload), first_row

    def _packed(self, i: int) -> tuple[str, int, int]:
        """Shard, offset and length of a packed payload."""
        offset = self._get("offset", i)
        if offset is None:
            raise DecodeError("not in the shards: it could not be read when they were written")
        return f"{self._roots[self._get('root', i)]}/{self._get('path', i)}", offset, self._get("length", i)

    def _unpacked(self, i: int, payload: bytes) -> Pixels:
        try:
            return decode(payload)
        except DecodeError as e:
            shard, offset, _ = self._packed(i)
            raise damaged(shard, offset, e) from None


def _lookup(column: pa.Array) -> Callable[[int], Any]:
    """The value at a position; 0.2 µs instead of the 1.3 µs of Arrow's scalars, for all but text."""
    if column.null_count == len(column):
        return lambda i: None
    if pa.types.is_dictionary(column.type):
        values = [*column.dictionary.to_pylist(), None]
        indices = column.indices
        if len(values) == 2 and not indices.null_count:
            return lambda i: values[0]
        codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
        return lambda i: values[codes[i]]
    if pa.types.is_integer(column.type):
        numbers = (column.fill_null(-1) if column.null_count else column).to_numpy()  # none of these is ever below 0
        return lambda i: int(number) if (number := numbers[i]) >= 0 else None
    return lambda i: column[i].as_py()


def pixel_box(crop: Sequence[float], height: int, width: int) -> tuple[int, int, int, int]:
    """top, left, bottom, right of a crop (x0, y0, x1, y1): every pixel it touches, inside the image.

    Raises DecodeError when none is.
    """
    left, top = max(math.floor(crop[0]), 0), max(math.floor(crop[1]), 0)
    right, bottom = min(math.ceil(crop[2]), width), min(math.ceil(crop[3]), height)
    if right <= left or bottom <= top:
        raise DecodeError(f"the crop {crop} shows nothing of an image of {height} × {width}")
    return top, left, bottom, right
