"""Frames of DICOM files, with the patient, study and series that tie them together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sightline.errors import DecodeError
from sightline.formats.frames import Frames
from sightline.images.dicom import DicomFile, NoPixelsError, read_file
from sightline.images.parsing import parsing

_NOBODY = re.compile(r"(anon\w*|de-?id\w*|unknown|none|no ?name|patient|test|[0x*\-. ]*)", re.IGNORECASE)
"""Patient ids that stand for nobody: where they were taken away, all patients would be one."""

EXTRA = {
    "Modality": "modality", "BodyPartExamined": "body_part", "ViewPosition": "view", "ImageLaterality": "laterality",
    "Laterality": "laterality", "Manufacturer": "manufacturer", "ManufacturerModelName": "model",
    "BurnedInAnnotation": "burned_in_annotation",
}  # fmt: skip
"""Attributes kept in the column `extra`: by what a classifier may tell classes apart without looking at the disease."""


def frames_of(path: Path, layout: str) -> Frames:
    """Frames of a file; one that holds no image is passed over. Raises DecodeError, OSError."""
    try:
        file = read_file(path)
    except NoPixelsError:
        return Frames(passed_over="DICOM objects without an image")
    with parsing("DICOM file"):
        return _frames(file, layout)


def _frames(file: DicomFile, layout: str) -> Frames:
    try:
        images = [_image(file, frame, layout) for frame in range(file.num_frames)]
    except DecodeError as e:
        return Frames(images=[{}], groups=_groups(file), extra=_extra(file), reason=str(e))
    is_nobody = all(kind != "patient" for kind, _ in _groups(file))
    is_marked = _text(file, "BurnedInAnnotation").upper() == "YES"
    notes = [*(["no patient id"] if is_nobody else []),
             *(["text burned into the image, which may tell the label"] if is_marked else [])]  # fmt: skip
    return Frames(images=images, groups=_groups(file), extra=_extra(file), notes=tuple(notes))


def _image(file: DicomFile, frame: int, layout: str) -> dict[str, Any]:
    offset, length = file.frame_at(frame) or (None, None)
    is_grey = file.mode in {"L", "I;16"}
    return {
        "container": "dicom", "frame": frame, "offset": offset, "length": length, "codec": "dicom",
        "layout": layout if is_grey else None, "width": file.width, "height": file.height, "mode": file.mode,
        "bits": file.bits,
    }  # fmt: skip


def _groups(file: DicomFile) -> tuple[tuple[str, str], ...]:
    patient, issuer = _text(file, "PatientID"), _text(file, "IssuerOfPatientID")
    pairs = [
        # An id is one person's only among those of one issuer.
        ("patient", "" if _NOBODY.fullmatch(patient) else f"{issuer}/{patient}" if issuer else patient),
        ("study", _text(file, "StudyInstanceUID")),
        ("series", _text(file, "SeriesInstanceUID")),
    ]
    return tuple((kind, name) for kind, name in pairs if name)


def _extra(file: DicomFile) -> str | None:
    found = {word: _text(file, name) for name, word in EXTRA.items() if _text(file, name)}
    return json.dumps(found, ensure_ascii=False) if found else None


def _text(file: DicomFile, name: str) -> str:
    value = file.attributes.get(name)
    return "" if value is None else str(value).strip()
