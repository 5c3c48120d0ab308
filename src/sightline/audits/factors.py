"""Factors that are no content by themselves: how an image was taken and stored, and what its scene looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.audits.evidence import Evidence
from sightline.audits.regions import Column
from sightline.audits.scenery import scenery

Array = np.ndarray[Any, Any]

ACQUISITION, SCENE = "acquisition", "scene"

FEW_KINDS = 64
"""Kinds of a column that are told apart; the rarer ones count as one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Factor:
    """A named set of columns."""

    name: str
    tier: str
    """acquisition: how the image was made, which a class should not depend on · scene: what may be content too."""
    columns: tuple[Column, ...]
    edit: str = ""
    """The edit that takes the factor out of an image (`audits.edits`); empty where nothing in the pixels can."""


EDITS = {"encoding": "recode", "brightness": "level", "colour": "balance", "border": "border", "corners": "corners",
         "edges": "frame", "centre": "centre", "sharpness": "blur", "compression": "recode"}  # fmt: skip

STORED = ("codec", "mode", "bits", "exif_orientation")

OF_CAMERA = {"make": "maker", "model": "camera", "software": "software"}


_MADE: WeakKeyDictionary[Evidence, tuple[Factor, ...]] = WeakKeyDictionary()


def factors(evidence: Evidence) -> tuple[Factor, ...]:
    """The factors that are known and vary, those of acquisition first; made once for all checks."""
    if evidence not in _MADE:
        _MADE[evidence] = (*acquisition(evidence), *scene(evidence))
    return _MADE[evidence]


def acquisition(evidence: Evidence) -> tuple[Factor, ...]:
    """size, encoding, camera, time and place in the source: nothing of it is in the picture."""
    table, image = _known(evidence), evidence.samples.table["image"].combine_chunks()
    is_whole = evidence.samples.table["crop"].null_count == len(evidence.samples)
    found = {
        # The size of a crop is the size of a thing, and says much about what it is.
        "size": _sizes(image) if is_whole else [],
        "encoding": [*(_kinds(_titled(n), image.field(n)) for n in STORED), *_encoding(table)],
        "camera": [_kinds(title, table[name]) for name, title in OF_CAMERA.items() if name in table],
        "time": [*_moments("taken", table.get("taken")), *_moments("time", evidence.samples.table["time"])],
    }
    return tuple(_factor(name, ACQUISITION, columns) for name, columns in found.items() if _varying(columns))


def scene(evidence: Evidence) -> tuple[Factor, ...]:
    """brightness, colour, border, corners, edges, centre, sharpness and compression: content, or a mark."""
    table = _known(evidence)
    found = {name: [Column(name=title, values=values) for title, values in columns.items()]
             for name, columns in scenery(evidence.inspection).items()}  # fmt: skip
    found["sharpness"] = [_measure(n, table[n]) for n in ("sharpness", "entropy") if n in table]
    found["compression"] = [_measure("blockiness", table["blockiness"])] if "blockiness" in table else []
    found["compression"] += _density(table, evidence.samples.table["image"].combine_chunks())
    return tuple(_factor(name, SCENE, columns) for name, columns in found.items() if _varying(columns))


def _factor(name: str, tier: str, columns: Sequence[Column]) -> Factor:
    return Factor(name=name, tier=tier, columns=tuple(_varying(columns)), edit=EDITS.get(name, ""))


def _varying(columns: Sequence[Column]) -> list[Column]:
    """Columns with more than one value; knowing it or not counts as two."""
    kept = []
    for column in columns:
        known = column.values[np.isfinite(column.values)]
        if len(known) and known.min() < known.max():
            kept.append(column)
    return kept


def _known(evidence: Evidence) -> dict[str, pa.Array]:
    """The inspection's columns by name."""
    table = evidence.inspection.table
    return {name: table[name].combine_chunks() for name in table.column_names}


def _titled(name: str) -> str:
    return {"exif_orientation": "EXIF orientation", "mode": "colour mode"}.get(name, name)


def _measure(name: str, values: Any) -> Column:
    return Column(name=name, values=np.asarray(pc.cast(values, pa.float32()).to_numpy(zero_copy_only=False)))


def _kinds(name: str, values: Any) -> Column:
    """A column of kinds, the commonest first; "none" where there is no value, "other" for the rare ones."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    filled = pc.fill_null(pc.cast(values, pa.string()), "none")
    counted = sorted(((c["counts"], c["values"]) for c in pc.value_counts(filled).to_pylist()),
                     key=lambda c: (-c[0], c[1]))  # fmt: skip
    kinds = [value for _, value in counted[:FEW_KINDS]]
    codes = pc.index_in(filled, pa.array(kinds, pa.string())).to_numpy(zero_copy_only=False).astype(np.float32)
    if len(counted) > FEW_KINDS:
        codes = np.where(np.isnan(codes), np.float32(len(kinds)), codes)
        kinds.append("other")
    return Column(name=name, values=codes, kinds=tuple(kinds))


def _sizes(image: pa.StructArray) -> list[Column]:
    width, height = (_measure(n, image.field(n)).values for n in ("width", "height"))
    with np.errstate(invalid="ignore", divide="ignore"):
        aspect = (width / height).astype(np.float32)
    return [Column(name="width", values=width), Column(name="height", values=height),
            Column(name="width over height", values=aspect)]  # fmt: skip


def _encoding(table: dict[str, pa.Array]) -> list[Column]:
    found = [_measure("JPEG quality", table["jpeg_quality"])] if "jpeg_quality" in table else []
    kinds = {"jpeg_tables": "JPEG tables", "subsampling": "chroma subsampling", "is_progressive": "progressive",
             "has_icc": "colour profile", "suffix": "file name ending"}  # fmt: skip
    return found + [_kinds(title, table[name]) for name, title in kinds.items() if name in table]


def _moments(name: str, times: Any) -> list[Column]:
    """Day and hour of a timestamp."""
    if times is None or times.null_count == len(times):
        return []
    seconds = pc.cast(pc.cast(times, pa.timestamp("s"), safe=False), pa.int64())
    whole = seconds.to_numpy(zero_copy_only=False) if not isinstance(seconds, pa.ChunkedArray) else seconds.to_numpy()
    values = np.asarray(whole, np.float64)
    # A day fits float32 exactly, a second would not; people count days from the first one.
    days = np.floor(values / 86_400)
    return [Column(name=f"day {name}", values=(days - np.nanmin(days)).astype(np.float32)),
            Column(name=f"hour {name}", values=np.floor(values % 86_400 / 3600).astype(np.float32))]  # fmt: skip


def _density(table: dict[str, pa.Array], image: pa.StructArray) -> list[Column]:
    """Bytes for each pixel: of compressed images it grows with what there is to see, so it is of the scene."""
    if "num_bytes" not in table:
        return []
    sizes = _measure("bytes", table["num_bytes"]).values
    pixels = _measure("width", image.field("width")).values * _measure("height", image.field("height")).values
    with np.errstate(invalid="ignore", divide="ignore"):
        return [Column(name="bytes a pixel", values=(sizes / pixels).astype(np.float32))]
