"""Stored values of a DICOM frame as grey levels or colours: modality, window, MONOCHROME1, in the standard's order.

| `layout` of a sample | grey levels are |
|---|---|
| `window` | the first window (or VOI table) of the file; the whole range where it has none |
| `range` | the whole range of values that the bits can hold, whatever windows the file has |
| `window:C,W` | the window of centre C and width W, in the units that the modality defines (Hounsfield in CT) |

More than 8 stored bits fill 16 bits, so that nothing is lost and 12-bit images are not dark.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut

from sightline.errors import DataError, DecodeError
from sightline.images.decoding import Pixels
from sightline.images.dicom import GREYS, DicomFile
from sightline.images.parsing import parsing

Array = npt.NDArray[Any]


def pixels_of_frame(file: DicomFile, payload: bytes, frame: int, layout: str | None) -> Pixels:
    """Pixels of a frame from its bytes as they are stored. Raises DecodeError with a reason."""
    with parsing(f"DICOM pixels ({file.syntax.name})"):
        stored = stored_values(file, payload)
        if file.photometric in GREYS:
            return _grey(file, stored, frame, layout or "window")
        if file.photometric == "PALETTE COLOR":
            return _palette(file, stored)
        return _colour(file, stored)


def stored_values(file: DicomFile, payload: bytes) -> Array:
    """Values of one frame as the bits stored say them, unused bits masked; colours as RGB."""
    options: dict[str, Any] = {
        "rows": file.height, "columns": file.width, "number_of_frames": 1, "samples_per_pixel": file.samples_per_pixel,
        "bits_allocated": file.bits_allocated, "bits_stored": file.bits_stored,
        "pixel_representation": int(file.is_signed), "photometric_interpretation": file.photometric,
        "pixel_keyword": "PixelData", "pixel_vr": file.pixel_vr,
        "planar_configuration": int(file.attributes.get("PlanarConfiguration") or 0),
    }  # fmt: skip
    if file.num_bytes is None:
        buffer = encapsulate([payload], has_bot=False)
    else:
        buffer = payload + bytes(len(payload) % 2)  # elements have an even length
    decoder = get_decoder(file.syntax)
    if not decoder.is_available:
        raise DecodeError(f"no decoder for {file.syntax.name} is installed: pip install python-gdcm")
    try:
        values, _ = decoder.as_array(buffer, index=0, **options)
    except RuntimeError as e:  # each of the installed decoders has refused it, which need not be the file's fault
        raise DecodeError(f"no installed decoder reads its {file.syntax.name}: {' '.join(str(e).split())}") from None
    shape = (file.height, file.width) if file.samples_per_pixel == 1 else (file.height, file.width, 3)
    if values.shape != shape:
        raise DecodeError(f"decodes to {values.shape}, its header says {shape}")
    return values


def _grey(file: DicomFile, stored: Array, frame: int, layout: str) -> Pixels:
    values, low, high = _modality(file, stored, frame)
    unit = _window(file, values, (low, high), frame, layout)
    if unit is None:
        unit = (values - low) / (high - low) if high > low else np.zeros_like(values)
    if file.photometric == "MONOCHROME1":
        unit = 1.0 - unit
    peak, kind = (255, np.uint8) if file.bits == 8 else (65535, np.uint16)
    return Pixels(np.rint(np.clip(unit, 0, 1) * peak).astype(kind)[:, :, None], file.bits)


def _modality(file: DicomFile, stored: Array, frame: int) -> tuple[Array, float, float]:
    """Values in the units of the modality (float64), and the lowest and highest that the stored bits allow."""
    held = 2 ** (file.bits_stored - 1) if file.is_signed else 0
    ends = np.array([-held, 2**file.bits_stored - held - 1], np.float64)
    table = file.attributes.get("ModalityLUTSequence")
    if table:
        values, peak = _looked_up(file, stored.astype(np.float64), table[0])
        return values, 0.0, float(peak)
    told = _of_frame(file, frame, "PixelValueTransformationSequence")
    slope = float(_given(told.get("RescaleSlope"), 1))
    intercept = float(_given(told.get("RescaleIntercept"), 0))
    low, high = sorted(ends * slope + intercept)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DecodeError(f"rescaling by {slope} and {intercept} gives no numbers")
    return stored.astype(np.float64) * slope + intercept, float(low), float(high)


def _window(file: DicomFile, values: Array, ends: tuple[float, float], frame: int, layout: str) -> Array | None:
    """Values in 0 … 1 through the window that a layout means, or None where that is the whole range."""
    if layout == "range":
        return None
    if layout.startswith("window:"):
        told_center, _, told_width = layout.removeprefix("window:").partition(",")
        return _windowed(values, float(told_center), float(told_width), "LINEAR_EXACT")
    if layout != "window":
        raise DataError(f"Unknown DICOM layout {layout!r} in the sample table; it was made by another version.")
    told = _of_frame(file, frame, "FrameVOILUTSequence")
    if told.get("VOILUTSequence"):
        found, peak = _looked_up(file, values, told.VOILUTSequence[0])
        return np.asarray(found / peak)
    center, width = _first(told.get("WindowCenter")), _first(told.get("WindowWidth"))
    if center is None or width is None:
        return None
    return _windowed(values, center, width, str(told.get("VOILUTFunction") or "LINEAR").upper())


def _windowed(values: Array, center: float, width: float, function: str) -> Array:
    """Values in 0 … 1 through a window (PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    if not (math.isfinite(center) and math.isfinite(width)) or width < (1 if function == "LINEAR" else 1e-9):
        raise DecodeError(f"a window of centre {center} and width {width} shows nothing")
    if function == "SIGMOID":
        with np.errstate(over="ignore"):  # far below the window: exp is infinite, and the level 0
            return np.asarray(1.0 / (1.0 + np.exp(-4.0 * (values - center) / width)))
    if function == "LINEAR":
        center, width = center - 0.5, width - 1.0
    elif function != "LINEAR_EXACT":
        raise DecodeError(f"window function {function!r} is not known")
    below, above = values <= center - width / 2, values > center + width / 2
    unit = (values - center) / width + 0.5 if width > 0 else np.zeros_like(values)
    return np.where(below, 0.0, np.where(above, 1.0, unit))


def _looked_up(file: DicomFile, values: Array, item: Any) -> tuple[Array, int]:
    """Values through a table (float64), and the highest value that its depth allows."""
    count, first, depth = (int(n) for n in item.LUTDescriptor)
    data = item.LUTData
    order = "<" if file.attributes.original_encoding[1] else ">"
    table = np.frombuffer(data, f"{order}u2") if isinstance(data, bytes) else np.atleast_1d(np.asarray(data))
    count = count or 2**16
    if len(table) < count or not 1 <= depth <= 16:
        raise DecodeError(f"a table of {len(table)} values, wanted {count}")
    if first >= 2**15 and (file.is_signed or values.min() < 0):
        first -= 2**16  # written as unsigned where it means a signed number
    places = np.clip(np.rint(values) - first, 0, count - 1).astype(np.int64)
    return table[places].astype(np.float64), 2**depth - 1


def _of_frame(file: DicomFile, frame: int, name: str) -> Any:
    """The item that speaks for a frame of an enhanced object, or else the file's own attributes."""
    each = file.attributes.get("PerFrameFunctionalGroupsSequence")
    shared = file.attributes.get("SharedFunctionalGroupsSequence")
    for groups in ([each[frame]] if each and frame < len(each) else [], shared or []):
        for group in groups:
            if group.get(name):
                return group[name].value[0]
    return file.attributes


def _given(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None or value == "" else value


def _first(value: Any) -> float | None:
    """The first of several values."""
    if value is None or value == "":
        return None
    several = not isinstance(value, str) and hasattr(value, "__len__")
    if several and not len(value):
        return None
    return float(value[0] if several else value)


def _palette(file: DicomFile, stored: Array) -> Pixels:
    values = apply_color_lut(stored, file.attributes)[..., :3]
    if values.dtype == np.uint8 and file.bits == 8:
        return Pixels(np.ascontiguousarray(values), 8)
    wide = values.astype(np.uint16)
    return Pixels((wide >> 8).astype(np.uint8), 8) if file.bits == 8 else Pixels(wide, 16)


def _colour(file: DicomFile, stored: Array) -> Pixels:
    if file.bits == 8:
        return Pixels(np.ascontiguousarray(stored.astype(np.uint8)), 8)
    peak = 2**file.bits_stored - 1
    return Pixels(np.rint(stored.astype(np.float64) * (65535 / peak)).astype(np.uint16), 16)
