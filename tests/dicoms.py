"""Small DICOM files that tests make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

STORAGE = "1.2.840.10008.5.1.4.1.1.7"


def item(**attributes: Any) -> Dataset:
    """An item of a sequence."""
    made = Dataset()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def dicom(
    path: Path, values: np.ndarray[Any, Any], *, syntax: str = ExplicitVRLittleEndian, bits_stored: int = 12,
    patient: str = "P1", study: str | None = None, photometric: str = "MONOCHROME2", **attributes: Any,
) -> Path:  # fmt: skip
    """Write stored values (height × width, frames in front, colours behind) as a DICOM file, and return its path."""
    is_colour = photometric not in {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}
    frames = values if values.ndim == (4 if is_colour else 3) else values[None]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = STORAGE, generate_uid()
    meta.TransferSyntaxUID = syntax
    made = item(
        SOPClassUID=STORAGE, SOPInstanceUID=meta.MediaStorageSOPInstanceUID, PatientID=patient,
        StudyInstanceUID=study or f"1.2.{sum(patient.encode())}", SeriesInstanceUID=generate_uid(), Modality="OT",
        Rows=frames.shape[1], Columns=frames.shape[2], NumberOfFrames=len(frames),
        PhotometricInterpretation=photometric, SamplesPerPixel=3 if is_colour else 1,
        BitsAllocated=8 * values.dtype.itemsize, BitsStored=bits_stored,
        HighBit=bits_stored - 1, PixelRepresentation=int(values.dtype.kind == "i"),
    )  # fmt: skip
    if is_colour:
        made.PlanarConfiguration = 0
    for name, value in attributes.items():
        setattr(made, name, value)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    made.PixelData = frames.astype(frames.dtype.newbyteorder(order)).tobytes()
    made["PixelData"].VR = "OW" if values.dtype.itemsize == 2 else "OB"
    made.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, made, enforce_file_format=True)
    return path


def compressed(path: Path, syntax: str) -> Path:
    """Compress a file in place."""
    made = pydicom.dcmread(path)
    made.compress(syntax)
    made.save_as(path, enforce_file_format=True)
    return path
