"""ObjectNet: classes of its own, several classes of ImageNet-1k for one of them, a border, a password."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from sightline.catalog.objectnet import objectnet_map
from sightline.errors import DataError
from sightline.indexing import index
from tests.sources import encoded, picture, write_files

IMAGE = encoded(Image.fromarray(picture(20, 30)), "PNG")
LABELS = ["kit fox, Vulpes macrotis", "analog clock", "backpack, back pack", "wall clock"]
"""Lines of the list of ImageNet's labels, in an order of its own."""
FILES = {
    "mappings/folder_to_objectnet_label.json": {"clock": "Clock", "air_freshener": "Air freshener", "bag": "Backpack"},
    "mappings/objectnet_to_imagenet_1k.json": {"Clock": "analog clock; wall clock", "Backpack": "backpack, back pack"},
    "mappings/pytorch_to_imagenet_2012_id.json": {"278": 0, "409": 1, "414": 2, "892": 3},
}
IMAGES = {f"images/{folder}/{i:015x}.png": IMAGE for folder in ("clock", "air_freshener", "bag") for i in (2, 1)}


def unpacked(folder: Path) -> Path:
    texts = {name: json.dumps(content).encode() for name, content in FILES.items()}
    texts["mappings/imagenet_to_label_2012_v2"] = "\n".join(LABELS).encode()
    return write_files(folder, {**texts, **IMAGES})


def test_many_classes_of_imagenet_to_one(tmp_path: Path) -> None:
    samples = index(unpacked(tmp_path / "objectnet-1.0"))
    assert samples.name == "objectnet"
    assert samples.classes.ids == ("air_freshener", "bag", "clock")
    assert samples.classes.names == ("Air freshener", "Backpack", "Clock")
    assert set(samples.column("split")) == {"test"}
    shown = {samples.classes.ids[label]: [(e["space"], e["id"]) for e in entries]
             for label, entries in zip(samples.labels, samples.column("labels"), strict=True)}  # fmt: skip
    assert shown == {
        "clock": [("imagenet-1k", 409), ("imagenet-1k", 892)], "bag": [("imagenet-1k", 414)], "air_freshener": [],
    }  # fmt: skip
    assert samples.spaces["imagenet-1k"].names[409] == "analog clock"
    found = objectnet_map(tmp_path / "objectnet-1.0")
    assert found.targets == ((), (414,), (409, 892))
    assert found.inverted().single()[[409, 892, 414, 0]].tolist() == [2, 2, 1, -1]


def test_the_classes_of_imagenet(tmp_path: Path) -> None:
    """What a model of ImageNet-1k is scored on: any of the classes counts, and the others' images are left out."""
    samples = index(f"{unpacked(tmp_path / 'objectnet-1.0')}#imagenet-1k")
    assert len(samples.classes) == 1_000
    told = zip(samples.column("label"), samples.column("labels"), strict=True)
    shown = dict(zip(samples.column("key"), told, strict=True))
    assert {k.split("/")[1] for k in shown} == {"bag", "clock"}
    label, entries = shown["test/clock/000000000000001.png"]
    assert (label, [(e["space"], e["id"]) for e in entries]) == (None, [("", 409), ("", 892)])
    assert shown["test/bag/000000000000001.png"][0] == 414
    whole = index(tmp_path)
    assert set(samples.column("sample_id")) < set(whole.column("sample_id"))


def test_the_border_is_cut_off_by_the_crop(tmp_path: Path) -> None:
    samples = index(unpacked(tmp_path))
    assert samples.column("crop")[0] == [2, 2, 28, 18]
    assert samples.reader().pixels(0).values.shape == (16, 26, 3)
    assert (samples.reader().pixels(0).values == picture(20, 30)[2:-2, 2:-2]).all()
    assert samples.reader().payload(0) == IMAGE  # the files stay as they are


def test_an_image_that_cannot_be_read_is_a_row(tmp_path: Path) -> None:
    unpacked(tmp_path)
    (tmp_path / next(iter(IMAGES))).write_bytes(b"no image")
    samples = index(tmp_path)
    assert samples.column("status").count("unreadable") == 1
    assert samples.column("crop").count(None) == 1


def test_the_zip(tmp_path: Path) -> None:
    root = unpacked(tmp_path / "objectnet-1.0")
    with zipfile.ZipFile(tmp_path / "objectnet-1.0.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, file.relative_to(tmp_path).as_posix())
    assert index(tmp_path / "objectnet-1.0.zip").digest == index(root).digest


@pytest.mark.parametrize(("name", "content", "message"), [
    ("mappings/folder_to_objectnet_label.json", b"{", "not readable JSON"),
    ("mappings/folder_to_objectnet_label.json", b"[]", "holds a list"),
    ("mappings/folder_to_objectnet_label.json", b'{"bag": "Backpack"}', "'air_freshener' is not in"),
    ("mappings/objectnet_to_imagenet_1k.json", b'{"Clock": "sun dial"}', "do not fit together"),
    ("mappings/pytorch_to_imagenet_2012_id.json", b'{"x": 1}', "do not fit together"),
    ("mappings/pytorch_to_imagenet_2012_id.json", b'{"278": 0, "4090": 1, "414": 2, "892": 3}', "beyond 0 … 999"),
])  # fmt: skip
def test_damaged_mappings(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    unpacked(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        index(tmp_path)


def test_the_password_of_the_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("zip") is None:
        pytest.skip("the command zip is not installed")
    root = unpacked(tmp_path / "objectnet-1.0")
    subprocess.run(["zip", "-qr", "-P", "secret", "objectnet-1.0.zip", "objectnet-1.0"], cwd=tmp_path, check=True)
    monkeypatch.delenv("SIGHTLINE_ZIP_PASSWORD", raising=False)
    with pytest.raises(DataError, match="SIGHTLINE_ZIP_PASSWORD"):
        index(tmp_path / "objectnet-1.0.zip")
    monkeypatch.setenv("SIGHTLINE_ZIP_PASSWORD", "secret")
    samples = index(tmp_path / "objectnet-1.0.zip")
    assert samples.digest == index(root).digest
    assert samples.reader().pixels(0).values.shape == (16, 26, 3)
