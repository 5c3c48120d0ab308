"""Samples that a review dropped: a packed study knows of them, a folder for other tools has none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import sightline as sl
from sightline.digests import short
from sightline.reviewing import Decision, corrected
from sightline.samples import SampleTable


def reviewed(photo_folder: Path) -> SampleTable:
    """Forty-eight photos of train and others, of which one was dropped."""
    samples = sl.index(photo_folder).hashed()
    row = samples.column("key").index("train/dark/003.jpg")
    drop = Decision(time="t", table=short(samples.digest), check="quality", sample_id=samples.column("sample_id")[row],
                    related_id=None, key="train/dark/003.jpg", action="drop")  # fmt: skip
    return corrected(samples, [drop], day="2026-11-21").samples


def test_other_tools_get_none_of_them(photo_folder: Path, tmp_path: Path) -> None:
    before = reviewed(photo_folder)
    for to in ("class-folders", "parquet"):
        made = sl.convert(before, tmp_path / to, to=to)
        assert len(made.samples) == len(before) - 1
        assert "train/dark/003.jpg" not in sl.index(tmp_path / to).column("key")
        assert made.tally.num_unreadable == 0
    assert not (tmp_path / "class-folders" / "train" / "dark" / "003.jpg").exists()
    assert (tmp_path / "class-folders" / "train" / "dark" / "004.jpg").exists()


def test_a_packed_study_has_their_rows(photo_folder: Path, tmp_path: Path) -> None:
    before = reviewed(photo_folder)
    made = sl.convert(before, tmp_path / "packed")
    assert made.samples.digest == before.digest
    assert made.samples.is_dropped.tolist() == before.is_dropped.tolist()
    assert made.tally.num_unreadable == 0
    assert made.tally.num_recoded + sum(made.tally.as_they_are.values()) == len(before) - 1


def test_hugging_face_gets_none_of_them(photo_folder: Path) -> None:
    pytest.importorskip("datasets")
    before = reviewed(photo_folder)
    made = sl.to_huggingface(before)
    assert "train/dark/003.jpg" not in made["train"]["key"]
    assert sum(len(part) for part in made.values()) == len(before) - 1
