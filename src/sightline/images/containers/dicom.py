"""Frames of DICOM files."""

from __future__ import annotations

from functools import lru_cache

from pydicom.encaps import get_frame

from sightline.images.containers import Reference
from sightline.images.decoding import Pixels
from sightline.images.dicom import DicomFile, read_file
from sightline.images.dicom_levels import pixels_of_frame
from sightline.images.parsing import parsing
from sightline.images.ranges import Ranges

KEPT = 64
"""Files whose attributes are remembered: frames of one file are mostly read one after the other."""


class Dicom:
    """Bytes of a frame as they are stored, and its pixels through the modality's and the window's transformation."""

    def __init__(self) -> None:
        self._ranges = Ranges()
        self._files = lru_cache(KEPT)(read_file)

    def payload(self, reference: Reference) -> bytes:
        """The stored bytes of a frame, compressed or not. Raises DecodeError, OSError."""
        if reference.offset is not None and reference.length is not None:
            stop = reference.offset + reference.length
            return self._ranges.read(reference.path, reference.offset, stop)
        return self._encapsulated(reference.path, self._files(reference.path), reference.frame or 0)

    def _encapsulated(self, path: str, file: DicomFile, frame: int) -> bytes:
        place = file.frame_at(frame)
        if place is not None:
            return self._ranges.read(path, place[0], sum(place))
        attributes = file.attributes
        table = attributes.get("ExtendedOffsetTable"), attributes.get("ExtendedOffsetTableLengths")
        with parsing(f"DICOM file, frame {frame}"), open(path, "rb") as f:
            f.seek(file.pixels_at)
            return get_frame(f, frame, number_of_frames=file.num_frames,
                             extended_offsets=table if all(table) else None)  # fmt: skip

    def pixels(self, reference: Reference, payload: bytes) -> Pixels:
        """Pixels of a frame. Raises DecodeError."""
        return pixels_of_frame(self._files(reference.path), payload, reference.frame or 0, reference.layout)
