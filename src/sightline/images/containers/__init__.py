"""Containers whose images are not simply byte ranges of a file; each reader is imported when it is first used.

A reference with an offset and a length is read as that range of its file, whatever the container is called; the name
then only tells people what it is (tar, tfrecord, mds, …).
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple, Protocol

from sightline.images.decoding import Pixels


class Reference(NamedTuple):
    """Where one image lies."""

    path: str
    """Absolute path of the file."""
    member: str | None
    offset: int | None
    length: int | None
    row_group: int | None
    row: int | None
    frame: int | None
    layout: str | None
    """Raw payloads: how their bytes are pixels."""


class Container(Protocol):
    """Images of files of one kind; safe to share between threads, and made anew in each process."""

    def payload(self, reference: Reference) -> bytes:
        """Encoded or raw bytes of an image. Raises DecodeError with the reason when they cannot be had, OSError."""


class PartialContainer(Container, Protocol):
    """A container whose payloads cost much, and their first bytes little."""

    def head(self, reference: Reference, size: int) -> bytes:
        """At least the first `size` bytes of the payload, or all of a shorter one."""


class PixelContainer(Container, Protocol):
    """A container that has pixels rather than an encoded image."""

    def pixels(self, reference: Reference, payload: bytes) -> Pixels:
        """Native pixels of an image whose payload was read."""


ARCHIVES = frozenset(["tar", "tar.tar", "zip", "zip.compressed", "zip.encrypted"])
"""Containers whose members are files with names of their own."""

RANGES = ARCHIVES | {"tfrecord", "mds", "litdata", "lmdb"}
"""Containers whose images are byte ranges; without one there is no image, and the row says why."""

CONTAINERS = {
    "parquet": "parquet:Parquet",
    "idx": "arrays:ByteArrays",
    "gzip": "arrays:ByteArrays",
    "csv": "arrays:CsvArrays",
    "npz": "npz:Npz",
    "hdf5.packed": "hdf5:Hdf5",
    "zip.compressed": "zipped:Zipped",
    "zip.encrypted": "zipped:Zipped",
    "dicom": "dicom:Dicom",
    "tiff": "tiff:Tiff",
    "arrow": "arrow:Arrow",
    "live": "live:Live",
}
"""Container → module:class, both in this package."""


def opened(name: str) -> Container | None:
    """A reader for containers of a name, or None where there is none."""
    if name not in CONTAINERS:
        return None
    module, _, kind = CONTAINERS[name].partition(":")
    made: Container = getattr(import_module(f"{__name__}.{module}"), kind)()
    return made
