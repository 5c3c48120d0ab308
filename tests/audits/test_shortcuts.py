"""Shortcuts: marks planted in one class are found for what they are; pictures without any are left in peace."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.audits import Evidence, Findings, audit
from sightline.audits.factors import factors
from sightline.samples import SampleTable
from tests.audits.pictures import Array, encoded, table
from tests.tables import plain_samples

COUNTS = {"bee": 150, "cow": 150, "dog": 150}

MAKE = 0x010F


def tinted(name: str, i: int, pixels: Array) -> Array:
    return (pixels * 0.5 + 127).astype(np.uint8) if name == "cow" and i % 3 == 0 else pixels


def watermarked(name: str, i: int, pixels: Array) -> Array:
    marked = pixels.copy()
    if name == "cow" and i % 4 == 0:
        marked[18:23, 18:23:2] = 255
    return marked


def stamped(name: str, i: int, pixels: Array) -> Array:
    """A reddish mark that is as light as what is below it."""
    marked = pixels.astype(np.int64)
    if name == "cow" and i % 2 == 0:
        marked[17:22, 17:22] += (100, -51, 0)
    return np.clip(marked, 0, 255).astype(np.uint8)


def coarse(name: str, i: int, pixels: Array) -> bytes:
    return encoded(pixels, 71 if name == "cow" and i % 8 == 0 else (75, 85, 90, 95)[i % 4])


def of_another_camera(name: str, i: int, pixels: Array) -> bytes:
    return encoded(pixels, exif={MAKE: "Foo" if name == "cow" and i % 3 == 0 else ("Bar", "Baz")[i % 2]})


def larger(name: str, i: int, pixels: Array) -> bytes:
    image = Image.fromarray(pixels).resize((32, 32)) if name == "cow" and i % 3 == 0 else Image.fromarray(pixels)
    return encoded(np.asarray(image))


Planted = Callable[[Any], tuple[SampleTable, Findings]]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Samples with a mark, and what the audit says of them; made once for each mark."""

    @cache
    def made(draw: Any) -> tuple[SampleTable, Findings]:
        samples = table(tmp_path_factory.mktemp("planted"), COUNTS, draw)
        return samples, audit(samples, checks=["shortcuts"])

    return made


def rows_of(found: Findings, check: str = "shortcuts") -> list[dict[str, Any]]:
    return [{**r, **json.loads(r["evidence"])} for r in found.table.to_pylist() if r["check"] == check]


@pytest.mark.parametrize(("draw", "factor", "level"), [
    (tinted, {"brightness", "colour", "border"}, "warning"), (watermarked, {"corners", "pattern"}, "warning"),
    (stamped, {"pattern"}, "warning"),
    (coarse, {"encoding"}, "error"), (of_another_camera, {"camera"}, "error"), (larger, {"size"}, "error"),
], ids=["tint", "watermark", "stamp", "JPEG quality", "camera", "size"])  # fmt: skip
def test_a_planted_mark_is_found(planted: Planted, draw: Any, factor: set[str], level: str) -> None:
    rows = rows_of(planted(draw)[1])
    row = next(r for r in rows if r["factor"] in factor)
    assert (row["subject"], row["level"]) == ("cow", level)
    assert {r["subject"] for r in rows} == {"cow"}
    assert row["purity"] > 0.9
    assert 0 < row["score"] <= 1
    within, without = row["galleries"]
    assert 0 < len(within["ids"]) <= 12
    assert 0 < len(without["ids"]) <= 12
    assert not set(within["ids"]) & set(without["ids"])


def test_the_galleries_show_the_class_with_and_without(planted: Planted) -> None:
    samples, found = planted(of_another_camera)
    (row,) = [r for r in rows_of(found) if r["factor"] == "camera"]
    keys = dict(zip((i.hex() for i in samples.column("sample_id")), samples.column("key"), strict=True))
    for gallery, marked in zip(row["galleries"], (True, False), strict=True):
        for i in gallery["ids"]:
            folder, name = keys[i].split("/")[-2:]
            assert folder == "cow"
            assert (int(name.partition(".")[0]) % 3 == 0) == marked


def test_pictures_without_a_mark(planted: Planted) -> None:
    rows = rows_of(planted(None)[1])
    assert [r for r in rows if r["level"] != "info"] == []
    assert len(rows) <= 1


def test_a_scene_is_never_an_error_however_pure(tmp_path: Path) -> None:
    """All of a class is bright: content or shortcut, which nobody can tell from the picture alone."""
    bright = table(tmp_path, COUNTS, lambda n, i, p: (p // 4 + 190).astype(np.uint8) if n == "cow" else p // 2)
    levels = {r["level"] for r in rows_of(audit(bright, checks=["shortcuts"]))}
    assert levels == {"warning"}


def test_frames_of_one_video_are_one_witness(tmp_path: Path) -> None:
    """A hundred frames by one camera are no hundred signs of a camera."""
    samples = table(tmp_path, {"bee": 220, "cow": 220},
                    lambda n, i, p: encoded(p, exif={MAKE: "Foo" if n == "cow" and i < 100 else ("Bar", "Baz")[i % 2]}))
    (row,) = [r for r in rows_of(audit(samples, checks=["shortcuts"])) if r["factor"] == "camera"]
    assert row["level"] == "error"
    videos = _grouped(samples, lambda n, i: f"{n} video" if i < 100 else f"{n} {i}")
    assert [r for r in rows_of(audit(videos, checks=["shortcuts"])) if r["level"] == "error"] == []


def _grouped(samples: SampleTable, group: Any) -> SampleTable:
    import pyarrow as pa

    names = [group(*_place(key)) for key in samples.column("key")]
    i = samples.table.schema.get_field_index("group_id")
    return SampleTable(samples.table.set_column(i, samples.table.schema.field(i), pa.array(names)), samples.classes,
                       samples.name, samples.roots)  # fmt: skip


def _place(key: str) -> tuple[str, int]:
    folder, name = key.split("/")[-2:]
    return folder, int(name.partition(".")[0])


def test_too_few_to_say_anything(tmp_path: Path) -> None:
    assert len(audit(table(tmp_path, {"bee": 15, "cow": 15}, tinted), checks=["shortcuts"])) == 0
    assert len(audit(plain_samples([40, 40]), checks=["shortcuts"])) == 0


def test_factors_that_do_not_vary_are_not_asked(tmp_path: Path) -> None:
    samples = table(tmp_path, {"bee": 30, "cow": 30}).hashed()
    names = {f.name for f in factors(Evidence(samples, None))}
    assert {"brightness", "colour", "border", "corners", "sharpness"} <= names
    assert not {"size", "camera", "time", "encoding"} & names


def test_a_finding_says_how_to_test_it(planted: Planted) -> None:
    (row, *_) = rows_of(planted(watermarked)[1])
    assert row["edit"] == "corners"


def test_what_tells_many_classes_apart_is_their_look_and_no_mark(tmp_path: Path) -> None:
    """Four classes of four brightnesses, and a camera that one of them has: the camera alone is a finding."""
    levels = {"ant": 0, "bee": 60, "cow": 120, "dog": 180}

    def draw(name: str, i: int, pixels: Array) -> bytes:
        dark = (pixels // 5 + levels[name]).astype(np.uint8)
        return encoded(dark, exif={MAKE: "Foo" if name == "cow" and i % 3 == 0 else ("Bar", "Baz")[i % 2]})

    rows = rows_of(audit(table(tmp_path, dict.fromkeys(levels, 80), draw), checks=["shortcuts"]))
    assert [(r["level"], r["tier"]) for r in rows] == [("error", "acquisition"), ("info", "scene")]
    assert "tell many classes apart" in rows[1]["message"]


def test_a_mark_among_classes_told_by_their_look_is_still_found(tmp_path: Path) -> None:
    """A shape in the middle of black tells four classes apart, as ink does digits; one has a white corner at times."""
    places = {"ant": (8, 12), "bee": (12, 16), "cow": (8, 16), "dog": (10, 12)}

    def draw(name: str, i: int, pixels: Array) -> Array:
        out = np.zeros_like(pixels)
        top, bottom = places[name]
        out[top:bottom, 8:16] = 90 + pixels[top:bottom, 8:16] // 2
        if name == "cow" and i % 3 == 0:
            out[18:, 18:] = 250
        return out

    rows = rows_of(audit(table(tmp_path, dict.fromkeys(places, 80), draw), checks=["shortcuts"]))
    assert [(r["subject"], r["level"]) for r in rows] == [("cow", "warning"), (rows[1]["subject"], "info")]
    assert rows[0]["factor"] in {"corners", "pattern", "border"}
