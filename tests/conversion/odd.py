"""Samples with everything a table can say, for targets that must bring it back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from sightline.conversion import PACKED, TARGETS
from sightline.errors import DecodeError
from sightline.formats.headers import FIELDS
from sightline.images import Header, sniff
from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows
from tests.sources import ODD_BUT_READABLE, TRUNCATED, UNREADABLE, jpeg

FOLDERS = [name for name in TARGETS if name != PACKED]
NEEDS = {"tfrecord": "google_crc32c", "lmdb": "lmdb"}
"""Target → package that it is skipped without."""

PAYLOADS = [jpeg(1), jpeg(2, 9, 31), *(v[0] for v in ODD_BUT_READABLE.values()), TRUNCATED["half.png"],
            UNREADABLE["words.jpg"][0], None]  # fmt: skip
"""Encoded images, half of one, bytes that are none, and a file that is not there."""
CLASSES = Classes((".hidden", "a/b", "ü", "10", "2"), ("one", "one", "drei", "four", "five"), "file")
SPACES = {"coarse": Classes(("x", "y"), ("X", "Y"))}

keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12) | st.sampled_from(
    ["../up", "/root", "train/a.b.c.jpg", "a/x.jpg", "b/x.jpg", "A/X.JPG", "x.jpg.txt", ".dot", "é", "é", "_" * 300]
)
rows = st.fixed_dictionaries({
    "payload": st.integers(0, len(PAYLOADS) - 1), "label": st.none() | st.integers(0, 4),
    "split": st.sampled_from(["train", "val", "test"]), "patient": st.none() | st.sampled_from("pq"),
    "day": st.none() | st.integers(0, 9), "coarse": st.booleans(),
    "more": st.none() | st.sampled_from(['{"q": "é?"}', "text\nof two lines"]),
})  # fmt: skip


def needed(target: str) -> None:
    """Skip the test without the package that a target needs."""
    if target in NEEDS:
        pytest.importorskip(NEEDS[target], reason=f"{target} needs {NEEDS[target]}")


def header_of(payload: bytes | None) -> Header | str:
    """What `index` finds in a file: a header, or the reason why there is none."""
    if payload is None:
        return "file is missing"
    try:
        return sniff(payload)
    except DecodeError as e:
        return str(e)


def table(folder: Path, named: dict[str, dict[str, Any]], has_splits: bool) -> SampleTable:
    """Samples of rows by key, whose images are files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for i, (key, row) in enumerate(named.items()):
        payload = PAYLOADS[row["payload"]]
        if payload is not None:
            (folder / str(i)).write_bytes(payload)
        patient, header = row["patient"], header_of(payload)
        made.append({
            "sample_id": sample_id_of("", key), "key": key, "dataset": "", "label": row["label"],
            "status": "unreadable" if isinstance(header, str) else "ok",
            "reason": header if isinstance(header, str) else None,
            "split": row["split"] if has_splits else None, "group_id": f"patient:{patient}" if patient else key,
            "groups": [{"kind": "patient", "id": patient}] if patient else [],
            "time": None if row["day"] is None else datetime(2026, 1, 1) + timedelta(days=row["day"]),
            "labels": [{"space": "coarse", "id": 1, "state": 1, "score": 0.5, "source": "rater"}]
            if row["coarse"] else None,
            "scalars": {"valence": 0.25} if row["coarse"] else None, "extra": row["more"],
            "captions": [row["more"]] if row["more"] else None,
            "image": {"root": "r", "path": str(i), "container": "file",
                      **({} if isinstance(header, str) else {name: getattr(header, name) for name in FIELDS})},
        })  # fmt: skip
    return SampleTable(table_from_rows(made), CLASSES, "odd", {"r": str(folder)}, spaces=SPACES, notes=("odd ones",))
