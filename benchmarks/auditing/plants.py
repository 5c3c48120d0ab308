"""Shortcuts: marks planted in one class of healthy data are found, and healthy data is left in peace.

Each base is written anew for each plant, every image in the same way, so that the plant is all that differs: pixels as
PNG for marks in the picture, JPEG of one quality for facts of the file.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import sightline as sl
from benchmarks.auditing.figure import SHARED, Figure, cpu_seconds
from sightline.samples import SampleTable

Mark = Callable[[Image.Image], Image.Image]

CHECKS = ("shortcuts", "file-order", "factor-drift", "groups-across-splits", "time-order", "augmented-copies")

QUALITY = 92
"""Of the JPEGs that carry facts of the file."""


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A mark on some of the images of one class."""

    name: str
    share: float
    factors: frozenset[str]
    """Factors that count as having found it."""
    mark: Mark | None = None
    quality: int = QUALITY
    camera: str = ""


def snow(image: Image.Image) -> Image.Image:
    """Halfway to a bluish white, as on snow."""
    return Image.blend(image, Image.new("RGB", image.size, (235, 240, 250)), 0.35)


def warm(image: Image.Image) -> Image.Image:
    """A light orange cast."""
    return Image.blend(image, Image.new("RGB", image.size, (255, 140, 40)), 0.2)


def watermark(image: Image.Image) -> Image.Image:
    """Light text on the lower right."""
    edited = image.copy()
    width, height = edited.size
    layer = Image.new("L", edited.size, 0)
    draw = ImageDraw.Draw(layer)
    size = max(6, height // 10)
    draw.text((width - 1, height - 1), "(c) P", fill=200, anchor="rs", font_size=size)
    edited.paste(Image.new("RGB", edited.size, (255, 255, 255)), mask=layer)
    return edited


SCENE = frozenset({"brightness", "colour", "border", "corners", "edges", "centre"})

PLANTS = (
    Plant(name="nothing", share=0.0, factors=frozenset()),
    Plant(name="tint (snow) on 30 %", share=0.3, factors=SCENE, mark=snow),
    Plant(name="tint (warm) on 30 %", share=0.3, factors=SCENE, mark=warm),
    Plant(name="watermark on 20 %", share=0.2, mark=watermark,
          factors=frozenset({"corners", "edges", "border", "pattern"})),
    Plant(name="JPEG quality on 5 %", share=0.05, factors=frozenset({"encoding", "compression"}), quality=85),
    Plant(name="another camera in EXIF on 30 %", share=0.3, factors=frozenset({"camera"}), camera="Acme 2"),
)


def figures(work: Path, is_quick: bool) -> list[Figure]:
    """A line for each plant on each base, and one for each healthy set."""
    found = []
    for name, source, split in (("CIFAR-10 test", SHARED / "cifar10" / "plain_text", "test"),
                                ("imagenette", SHARED / "imagenette", "train")):  # fmt: skip
        samples = sl.index(str(source))
        rows = np.flatnonzero(np.array([s == split for s in samples.column("split")]))
        base = samples.take(rows[:: 10 if is_quick else 1])
        found += [planted(base, name, p, work / "plants", None if is_quick else p.share > 0) for p in PLANTS]
    for name, source in (("CIFAR-10, train and test", "cifar10/plain_text"), ("MNIST, train and test", "mnist")):
        samples = sl.index(str(SHARED / source))
        found.append(healthy(name, samples.take(np.arange(0, len(samples), 20 if is_quick else 1)), is_quick))
    return found


def planted(base: SampleTable, name: str, plant: Plant, work: Path, is_aim: bool | None) -> Figure:
    """What the audit says of a base with a plant in its fourth class."""
    target = 3
    shutil.rmtree(work, ignore_errors=True)
    for path, data in _files(base, plant, target):
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(data)
    samples = sl.index(str(work)).hashed()
    before = cpu_seconds()
    findings = sl.audit(samples, checks=["shortcuts"])
    spent = cpu_seconds() - before
    rows = [{**r, **json.loads(r["evidence"])} for r in findings.table.to_pylist()]
    told = [r for r in rows if r["level"] != "info"]
    hits = [r for r in told if r["class"] == target and r["factor"] in plant.factors]
    others = len(told) - len(hits)
    errors = sum(r["level"] == "error" for r in told if r not in hits)
    said = "".join(f"{r['level']}: {r['message'].partition(':')[0]}, log10 p {r['log10_p']:.0f}; " for r in hits[:1])
    shutil.rmtree(work, ignore_errors=True)
    return Figure(
        what=f"{name}: {plant.name} of one class", aim="found" if plant.share else "no error",
        got=f"{said}{others} other warnings, {errors} other errors, {spent:.0f} s",
        holds=None if is_aim is None else bool(hits) and errors == 0 if is_aim else errors == 0,
    )  # fmt: skip


def _files(base: SampleTable, plant: Plant, target: int) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    reader, labels = base.reader(), base.labels
    chosen = rng.permutation(np.flatnonzero(labels == target))
    marked = set(chosen[: round(plant.share * len(chosen))].tolist())
    is_in_picture = plant.mark is not None
    for i in range(len(base)):
        image = Image.fromarray(reader.pixels(i).values.squeeze()).convert("RGB")
        if i in marked and plant.mark is not None:
            image = plant.mark(image)
        stream = io.BytesIO()
        if is_in_picture:
            image.save(stream, "PNG", compress_level=1)
        else:
            exif = Image.Exif()
            exif[0x010F] = plant.camera if i in marked and plant.camera else ("Acme 1", "Beta")[i % 2]
            image.save(stream, "JPEG", quality=plant.quality if i in marked else QUALITY, exif=exif)
        yield f"{base.classes.ids[labels[i]]}/{i:06d}.{'png' if is_in_picture else 'jpg'}", stream.getvalue()


def healthy(name: str, samples: SampleTable, is_quick: bool) -> Figure:
    """What these checks say of a published set as it is."""
    samples = samples.hashed()
    before = cpu_seconds()
    findings = sl.audit(samples, checks=CHECKS)
    told = {level: findings.count(level) for level in ("error", "warning", "info")}
    return Figure(
        what=f"{name}: {', '.join(CHECKS)}", aim="no error",
        got=f"{told['error']} errors, {told['warning']} warnings, {told['info']} notes, {cpu_seconds() - before:.0f} s",
        holds=None if is_quick else told["error"] == 0,
    )  # fmt: skip
