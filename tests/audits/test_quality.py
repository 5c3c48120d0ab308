"""Quality: each bad file is told for what it is, healthy ones are left alone, and what is usual is told once."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.auditing.bad_files import write_bad_files
from PIL import Image

import sightline as sl
from sightline.audits import Findings, audit
from sightline.audits.oddities import KINDS
from sightline.audits.unreadable import kind_of
from tests.archives import write_tar, write_zip
from tests.inspection.test_pictures import scene
from tests.sources import encoded, jpeg, write_files

BILINEAR = Image.Resampling.BILINEAR


def kinds_of(found: Findings) -> dict[str, set[str]]:
    """File name → kinds told of it."""
    told: dict[str, set[str]] = {}
    for row in found.table.to_pylist():
        evidence = json.loads(row["evidence"])
        for name in (row["subject"], evidence.get("related", row["subject"])):
            told.setdefault(name.split("/")[-1].partition("#")[0], set()).add(evidence.get("kind", row["check"]))
    return told


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty scenes as JPEGs."""
    files = {f"p{i:02d}.JPEG": encoded(scene(300, 400, seed=i), "JPEG", quality=92) for i in range(80)}
    return write_files(tmp_path_factory.mktemp("photographs"), files)


def test_bad_files_are_told_for_what_they_are(photographs: Path, tmp_path: Path) -> None:
    wanted = write_bad_files(tmp_path, photographs)
    told = kinds_of(audit(sl.index(tmp_path), checks=["quality", "unreadable", "exact-duplicates"]))
    assert {name: kinds - told.get(name, set()) for name, kinds in wanted.items()} == {name: set() for name in wanted}
    assert [name for name in told if name.startswith("healthy")] == []


def test_real_bad_files_are_told_for_what_they_are(shared_data: Any, tmp_path: Path) -> None:
    wanted = write_bad_files(tmp_path, shared_data("imagenet-originals"))
    told = kinds_of(audit(sl.index(tmp_path), checks=["quality", "unreadable", "exact-duplicates"]))
    assert {name: kinds - told.get(name, set()) for name, kinds in wanted.items()} == {name: set() for name in wanted}


def test_real_photographs_of_a_camera_that_moved_or_of_a_poor_codec(
    shared_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted(shared_data("imagenet-originals").rglob("*.JPEG"))[5::42]
    files: dict[str, bytes] = {}
    for i, path in enumerate(paths):
        image = Image.open(path).convert("RGB")
        total = np.zeros((image.height, image.width, 3))
        for far in np.linspace(-7.5, 7.5, 31):
            right, down = (far * f(np.radians(15 * i)) for f in (np.cos, np.sin))
            shifted = image.transform(image.size, Image.Transform.AFFINE, (1, 0, right, 0, 1, down), BILINEAR)
            total += np.asarray(shifted)
        moved, poor = Image.fromarray((total / 31).astype(np.uint8)), encoded(image, "WEBP", quality=0)
        again = encoded(Image.open(io.BytesIO(poor)).convert("RGB"), "PNG")
        files |= {f"healthy{i:02d}.jpg": path.read_bytes(), f"poor{i:02d}.webp": poor, f"again{i:02d}.png": again,
                  f"moved{i:02d}.jpg": encoded(moved, "JPEG", quality=92)}  # fmt: skip
    monkeypatch.setattr(sys.modules["sightline.audits.quality"], "USUAL", 1.0)  # each by itself
    told = kinds_of(written(tmp_path / "r", files))
    counts = {name: sum(kind in told.get(f, set()) for f in files if f.startswith(name))
              for name, kind in (("moved", "blurred"), ("poor", "coarse"), ("again", "coarse"))}  # fmt: skip
    assert len(paths) == 12
    assert counts["moved"] >= 10, counts
    assert counts["poor"] == counts["again"] >= 9, counts
    assert [f for f in told if f.startswith("healthy") and told[f] & {"blurred", "coarse"}] == []


def test_flat_blocks_are_coarse_and_said_to_be(tmp_path: Path) -> None:
    files = {f"{i:02d}.png": encoded(scene(180, 240, seed=i), "PNG") for i in range(4)}
    values = np.array(scene(180, 240, seed=5))
    y, x = (np.arange(n) % 16 for n in values.shape[:2])
    values[((y > 2) & (y < 13))[:, None] & ((x > 2) & (x < 13))] = 90
    rows = written(tmp_path / "f", files | {"flat.png": encoded(Image.fromarray(values), "PNG")}).table.to_pylist()
    (row,) = [r for r in rows if "coarse" in r["evidence"]]
    assert row["subject"].endswith("flat.png")
    assert "as by WebP or AVIF" in row["evidence"]


def written(folder: Path, files: Mapping[str, bytes]) -> Findings:
    in_classes = {f"c{i % 2}/{name}": data for i, (name, data) in enumerate(files.items())}
    return audit(sl.index(write_files(folder, in_classes)), checks=["quality"])


def test_what_most_images_are_is_told_once(tmp_path: Path) -> None:
    grey = {f"{i:02d}.jpg": encoded(scene(60, 80, seed=i).convert("L").convert("RGB"), "JPEG") for i in range(30)}
    colour = {f"c{i:02d}.jpg": encoded(scene(60, 80, seed=i), "JPEG") for i in range(30)}
    found = written(tmp_path / "half", grey | colour).table.to_pylist()
    (row,) = [r for r in found if "grey-as-colour" in r["evidence"]]
    assert (row["level"], row["subject"], row["sample_id"]) == ("info", "grey-as-colour", None)
    evidence = json.loads(row["evidence"])
    assert evidence["count"] == 30
    assert len(evidence["galleries"][0]["ids"]) == 12
    few = dict(list(grey.items())[:5])
    assert len([r for r in written(tmp_path / "few", few | colour).table.to_pylist() if r["sample_id"]]) == 5


@pytest.mark.parametrize("kind", ["folder", "tar", "zip", "shard"])
def test_names_count_in_archives_too(kind: str, tmp_path: Path) -> None:
    """They are the names that the files have when they are taken out, and that readers of shards go by."""
    files = {f"c{i % 2}/{i}.png": encoded(scene(60, 80, seed=i), "PNG") for i in range(4)}
    files |= {"c0/as.jpg": encoded(scene(60, 80, seed=4), "PNG")}
    if kind == "shard":
        named = {name.replace("/", "_"): data for name, data in files.items()}
        labels = {f"{name.partition('.')[0]}.cls": name[1].encode() for name in named}
        source = write_tar(tmp_path / "s-000000.tar", dict(sorted({**named, **labels}.items())))
    else:
        files["c1/bare"] = encoded(scene(60, 80, seed=5), "PNG")
        place = tmp_path / f"all.{kind}"
        source = (write_tar(place, files) if kind == "tar" else write_zip(place, files) if kind == "zip"
                  else write_files(place, files))  # fmt: skip
    told = kinds_of(audit(sl.index(source), checks=["quality"]))
    wrong = [name for name, kinds in told.items() if "wrong-extension" in kinds]
    assert wrong == (["as.jpg"] if kind != "shard" else ["c0_as"])
    assert [n for n, kinds in told.items() if "no-extension" in kinds] == ([] if kind == "shard" else ["bare"])


def test_a_dark_set_is_no_set_of_warnings(tmp_path: Path) -> None:
    dark = {f"{i:02d}.png": encoded(scene(60, 80, seed=i).point(lambda v: v // 8), "PNG") for i in range(30)}
    rows = written(tmp_path / "dark", dark).table.to_pylist()
    assert {r["level"] for r in rows} == {"info"}
    assert any(r["subject"] == "dark" for r in rows)


def test_an_image_that_is_gone_is_told(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "gone", {f"c{i % 2}/{i}.jpg": jpeg(i, 64, 64) for i in range(3)})
    samples = sl.index(folder).hashed()
    (folder / "c1" / "1.jpg").unlink()
    (row,) = [r for r in audit(samples, checks=["quality"]).table.to_pylist() if "lost" in r["evidence"]]
    assert row["subject"] == "c1/1.jpg"
    assert "file is missing" in row["evidence"]


def test_kinds_stand_behind_those_that_say_it_better() -> None:
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)
    for i, kind in enumerate(KINDS):
        assert set(kind.unless) <= set(names[:i])
        assert 0 <= kind.score <= 1
        assert {kind.level, kind.usual} <= {"warning", "info"}


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("empty file (0 bytes)", "empty"), ("file is missing: a.jpg", "missing"),
        ("not an image but a page of HTML or XML: begins with b'<html'", "html"),
        ("not an image but text: begins with b'words'", "text"), ("not an image: begins with b'\\x00'", "not-an-image"),
        ("damaged jpeg: image file is truncated (3 bytes not processed)", "truncated"),
        ("damaged png: broken PNG file", "damaged"), ("16-bit RGB png is not supported: cut", "unsupported"),
        ("9 × 9 is more than 4 pixels; set SIGHTLINE_MAX_PIXELS to accept larger images", "too-large"),
    ],
)  # fmt: skip
def test_reasons_have_kinds(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


def test_blank_pictures_of_any_colour(tmp_path: Path) -> None:
    plain = {f"{i}.png": encoded(Image.fromarray(np.full((50, 60, 3), c, np.uint8)), "PNG")
             for i, c in enumerate([(255, 255, 255), (0, 0, 0), (200, 10, 10)])}  # fmt: skip
    # Two colours of one luminance are no blank picture.
    two = np.full((50, 60, 3), (255, 0, 0), np.uint8)
    two[:, 30:] = (0, 130, 0)
    told = kinds_of(written(tmp_path / "blank", plain | {"two.png": encoded(Image.fromarray(two), "PNG")}))
    assert [told[f"{i}.png"] & {"blank", "dark", "light", "blurred", "low-information"} for i in range(3)] == [
        {"blank"}] * 3  # fmt: skip
    assert "blank" not in told.get("two.png", set())


def test_nearly_black_is_dark_and_not_blank(tmp_path: Path) -> None:
    night = np.full((60, 80), 8, np.uint8)
    night[10:20, 5:30], night[40:50, 50:75] = 0, 15
    noise = np.random.default_rng(0).normal(40, 1.5, (60, 80)).round().astype(np.uint8)
    files = {"night.png": night, "noise.png": noise}
    told = kinds_of(written(tmp_path / "d", {n: encoded(Image.fromarray(v), "PNG") for n, v in files.items()}))
    assert [told[name] & {"blank", "dark"} for name in files] == [{"dark"}, {"blank"}]


def test_bars_are_those_of_the_upright_picture(tmp_path: Path) -> None:
    boxed = Image.new("RGB", (240, 200))
    boxed.paste(scene(140, 240), (0, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {"level.png": encoded(boxed, "PNG"), "turned.jpg": encoded(boxed, "JPEG", quality=95, exif=exif)}
    rows = written(tmp_path / "b", files).table.to_pylist()
    said = {r["subject"]: r["evidence"] for r in rows if "letterboxed" in r["evidence"]}
    assert "30 rows above and 30 below, 0 columns left and 0 right" in said["c0/level.png"]
    assert re.search(r"0 rows above and 0 below, (2[4-9]|30) columns left and (2[4-9]|30) right", said["c1/turned.jpg"])


def test_a_crop_is_as_large_as_it_is(tmp_path: Path) -> None:
    samples = sl.index(write_files(tmp_path / "c", {f"c{i % 2}/{i:02d}.png": encoded(scene(200, 240, seed=i), "PNG")
                                                    for i in range(30)}))  # fmt: skip
    crops = [[10.0, 10.0, 230.0, 40.0], [10.0, 10.0, 30.0, 30.0], *[None] * 28]
    field = samples.table.schema.field("crop")
    i = samples.table.schema.get_field_index("crop")
    cut = replace(samples, table=samples.table.set_column(i, field, pa.array(crops, field.type)))
    told = kinds_of(audit(cut, checks=["quality"]))
    first, second, third = (key.split("/")[1] for key in cut.column("key")[:3])
    assert "elongated" in told[first]
    assert "small" in told[second]
    assert not {"elongated", "small"} & told.get(third, set())


def test_few_bits_are_few_beside_what_is_usual(tmp_path: Path) -> None:
    """Drawings in three levels are no warning among their like, and one among photographs."""
    levels = np.random.default_rng(0).choice([0, 128, 255], (30, 100, 100), p=[0.02, 0.03, 0.95]).astype(np.uint8)
    drawings = {f"d{i:02d}.png": encoded(Image.fromarray(v), "PNG") for i, v in enumerate(levels)}
    photographs = {f"p{i:02d}.png": encoded(scene(100, 100, seed=i), "PNG") for i in range(30)}
    assert not any("low-information" in kinds for kinds in kinds_of(written(tmp_path / "d", drawings)).values())
    one = photographs | {"d00.png": drawings["d00.png"]}
    told = kinds_of(written(tmp_path / "p", one))
    assert [name for name, kinds in told.items() if "low-information" in kinds] == ["d00.png"]
