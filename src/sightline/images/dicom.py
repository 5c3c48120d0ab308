"""What a DICOM file says about its image, read without the pixels. Needs pydicom (the extra `medical`)."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sightline.errors import DecodeError, MissingExtraError
from sightline.images.decoding import MAX_PIXELS
from sightline.images.parsing import parsing

try:
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import UID, DeflatedExplicitVRLittleEndian
except ModuleNotFoundError as e:
    raise MissingExtraError("pydicom", "medical", "Reading DICOM files") from e

_PIXELS = ((0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010))
_UNDEFINED = 0xFFFFFFFF
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")
GREYS = ("MONOCHROME1", "MONOCHROME2")


class NoPixelsError(DecodeError):
    """A DICOM object that is no image: a report, a structure set, a directory, …"""


@dataclass(frozen=True, kw_only=True, eq=False)
class DicomFile:
    """An image object: its attributes, and where its pixels lie."""

    attributes: Any
    """pydicom's Dataset, without pixels."""
    syntax: UID
    height: int
    width: int
    num_frames: int
    photometric: str
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    pixels_at: int
    """Offset of the value of the pixel data."""
    num_bytes: int | None
    """Its length; None where the frames are encapsulated."""
    pixel_vr: str
    """OB or OW, of which big-endian files with 8 bits tell how bytes are ordered."""
    file_bytes: int

    @property
    def bits(self) -> int:
        """8 or 16: the depth its pixels are given in."""
        if self.photometric == "PALETTE COLOR":
            descriptor = self.attributes.get("RedPaletteColorLookupTableDescriptor")
            return 16 if descriptor is not None and len(descriptor) == 3 and descriptor[2] > 8 else 8
        return 8 if self.bits_stored <= 8 else 16

    @property
    def mode(self) -> str:
        """Pillow's word for its pixels; colour of 16 bits is "RGB", as in PNG."""
        if self.photometric not in GREYS:
            return "RGB"
        return "L" if self.bits == 8 else "I;16"

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame that is stored as it is; YBR_FULL_422 shares its colours among two pixels."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples_per_pixel
        return self.height * self.width * samples * self.bits_allocated // 8

    def frame_at(self, frame: int) -> tuple[int, int] | None:
        """Offset and length of a frame in the file; None where frames are encapsulated.

        Raises DecodeError when the pixel data ends before.
        """
        if self.num_bytes is None:
            return None
        length = self.frame_bytes
        held = min(self.num_bytes, self.file_bytes - self.pixels_at)
        if not 0 <= frame < self.num_frames or (frame + 1) * length > held:
            raise DecodeError(f"its {max(held, 0):,} bytes of pixels end before frame {frame} of {self.num_frames}")
        return self.pixels_at + frame * length, length


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with `head` (132 bytes) is DICOM as files are meant to be: with a preamble."""
    return head[128:132] == b"DICM"


def read_file(path: str | Path) -> DicomFile:
    """What a file says. Raises NoPixelsError where it holds no image, DecodeError for one that is not read, OSError."""
    with parsing("DICOM file"):
        meta = read_file_meta_info(path)
        syntax = meta.get("TransferSyntaxUID")
        if syntax is None:
            raise DecodeError("DICOM file without a transfer syntax")
        if syntax == DeflatedExplicitVRLittleEndian:
            # Unpacked as a whole, by a library that sets no limit.
            raise DecodeError("deflated DICOM is not read; write it anew without (dcmconv +te)")
        with Path(path).open("rb") as f:
            attributes = dcmread(f, stop_before_pixels=True)
            place = _pixel_data(f, attributes)
            file_bytes = os.fstat(f.fileno()).st_size
        return _checked(attributes, UID(syntax), file_bytes, place)


def _pixel_data(f: IO[bytes], attributes: Any) -> tuple[int, int | None, str]:
    """Where the pixel data's value begins, its length and its VR; pydicom has stopped in front of the element."""
    is_implicit, is_little = attributes.original_encoding
    end = "<" if is_little else ">"
    head = f.read(8 if is_implicit else 12)
    if len(head) < 8 or struct.unpack(f"{end}HH", head[:4]) not in _PIXELS:
        raise NoPixelsError(f"no image in it ({attributes.get('Modality') or 'no modality'})")
    if struct.unpack(f"{end}HH", head[:4]) != _PIXELS[2]:
        raise DecodeError("pixels that are fractions are not supported")
    if is_implicit or head[4:6] not in {b"OB", b"OW", b"UN"}:
        length, start = struct.unpack(f"{end}I", head[4:8])[0], 8
    else:
        length, start = struct.unpack(f"{end}I", head[8:12])[0], 12
    place = f.tell() - len(head) + start
    return place, None if length == _UNDEFINED else length, "OB" if head[4:6] == b"OB" and not is_implicit else "OW"


def _checked(attributes: Any, syntax: UID, file_bytes: int, place: tuple[int, int | None, str]) -> DicomFile:
    pixels_at, num_bytes, pixel_vr = place
    photometric = str(attributes.get("PhotometricInterpretation", ""))
    found = DicomFile(
        attributes=attributes, syntax=syntax, height=int(attributes.Rows), width=int(attributes.Columns),
        num_frames=int(attributes.get("NumberOfFrames") or 1), photometric=photometric,
        samples_per_pixel=int(attributes.get("SamplesPerPixel") or 1), bits_allocated=int(attributes.BitsAllocated),
        bits_stored=int(attributes.get("BitsStored") or attributes.BitsAllocated),
        is_signed=int(attributes.get("PixelRepresentation") or 0) == 1, pixels_at=pixels_at, num_bytes=num_bytes,
        pixel_vr=pixel_vr, file_bytes=file_bytes,
    )  # fmt: skip
    if photometric not in (*GREYS, *COLOURS):
        raise DecodeError(f"photometric interpretation {photometric!r} is not known")
    if found.bits_allocated not in {8, 16} or not 1 <= found.bits_stored <= found.bits_allocated:
        raise DecodeError(f"{found.bits_stored} of {found.bits_allocated} bits a pixel are not supported; wanted up to "
                          "16 in 8 or 16")  # fmt: skip
    if found.samples_per_pixel != (3 if photometric in COLOURS[:-1] else 1):
        raise DecodeError(f"{photometric} with {found.samples_per_pixel} values a pixel")
    if int(attributes.get("HighBit", found.bits_stored - 1)) != found.bits_stored - 1:
        raise DecodeError(f"pixels in the upper bits (HighBit {attributes.HighBit}) are not supported")
    # The smallest frame takes a byte, or an item of eight bytes where frames are encapsulated.
    most = (file_bytes - pixels_at) // (8 if num_bytes is None else 1)
    if found.num_frames > most:
        raise DecodeError(f"it claims {found.num_frames:,} frames, for which it is too short")
    if not 0 < found.height * found.width <= MAX_PIXELS or found.num_frames < 1:
        raise DecodeError(f"{found.num_frames} frames of {found.height} × {found.width} pixels are not read; the limit "
                          f"is {MAX_PIXELS:,} pixels (SIGHTLINE_MAX_PIXELS)")  # fmt: skip
    return found
