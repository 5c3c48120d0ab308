"""The adapter for Hugging Face's datasets gives the bytes of the other one, and says which row it cannot take."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import sightline as sl
from sightline import adapters
from sightline.errors import SightlineError
from sightline.loading.given import hash_of_key, pixels_of
from sightline.preprocessing import Preprocessing
from sightline.randomness import hashes_of
from tests.loading.adapting import CASES
from tests.loading.material import PHOTO, TINY
from tests.loading.tables import table_of_arrays
from tests.sources import ODD_BUT_READABLE, TRUNCATED, exif_jpeg, jpeg, picture


def rows_of(samples: sl.SampleTable, form: str = "bytes") -> dict[str, list[Any]]:
    """The samples as a batch of rows: images as Pillow's, as bytes, as a struct with bytes or with a path alone."""
    reader = samples.reader()
    data = [reader.payload(i) for i in range(len(samples))]
    paths = [str(reader.path(i)) for i in range(len(samples))]
    forms: dict[str, list[Any]] = {
        "bytes": data,
        "struct": [{"bytes": d, "path": None} for d in data],
        "path": [{"bytes": None, "path": p} for p in paths],
        "Pillow": [Image.open(io.BytesIO(d)) for d in data],
    }
    return {"image": forms[form], "label": samples.column("label"), "sample_id": samples.column("sample_id"),
            "file": samples.column("key"), "more": ["text"] * len(samples)}  # fmt: skip


FILES = {name: augmentation for name, (kind, augmentation) in CASES.items() if kind == "files"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("key", ["sample_id", "file"])
@pytest.mark.parametrize("form", ["bytes", "struct", "path", "Pillow"])
def test_rows_known_by_key_have_the_datasets_bytes(
    name: str, key: str, form: str, sources: dict[str, sl.SampleTable]
) -> None:
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=FILES[name], seed=3)
    made = adapters.transform(PHOTO, FILES[name], key=key, seed=3)
    for epoch in (0, 4):
        dataset.set_epoch(epoch)
        made.set_epoch(epoch)  # type: ignore[attr-defined]
        out = made(rows_of(sources["files"], form))
        assert set(out) == {"pixel_values", "label"}
        assert out["label"] == sources["files"].column("label")
        assert torch.equal(out["pixel_values"], torch.stack([image for image, _ in dataset]))


def test_rows_without_a_key_are_known_by_their_pixels(sources: dict[str, sl.SampleTable]) -> None:
    made = adapters.transform(PHOTO, FILES["photographs"], seed=3)
    together = made(rows_of(sources["files"]))["pixel_values"]
    backwards = made({n: v[::-1] for n, v in rows_of(sources["files"], "Pillow").items()})["pixel_values"]
    assert torch.equal(together, backwards.flip(0))
    other = adapters.transform(PHOTO, FILES["photographs"], seed=4)(rows_of(sources["files"]))["pixel_values"]
    assert not torch.equal(together, other)


def test_kinds_of_images_go_through_the_contract() -> None:
    wide = Preprocessing(size=(12, 16), mean=(0.5,) * 3, std=(0.5,) * 3, resize="squash", resize_to=(12, 16),
                         bits=(8, 16))  # fmt: skip
    data = [v[0] for v in ODD_BUT_READABLE.values()]
    made = adapters.transform(wide, exact=True, label=None)
    values = made({"image": data})["pixel_values"]
    assert torch.equal(values, made({"image": [Image.open(io.BytesIO(d)) for d in data]})["pixel_values"])
    wanted = [wide(pixels_of(d, "")) for d in data]
    assert torch.equal(values, torch.from_numpy(np.stack(wanted)))


def test_orientation_is_the_contracts(sources: dict[str, sl.SampleTable]) -> None:
    turned = {"image": [exif_jpeg(6)]}
    square = Preprocessing(size=(12, 12), mean=(0.5,) * 3, std=(0.5,) * 3, resize="squash", resize_to=(12, 12))
    flat = Preprocessing(size=(12, 12), mean=(0.5,) * 3, std=(0.5,) * 3, resize="squash", resize_to=(12, 12),
                         orientation="ignore")  # fmt: skip
    upright, stored = (adapters.transform(c, label=None)(turned)["pixel_values"] for c in (square, flat))
    assert torch.allclose(upright, stored.rot90(-1, (2, 3)), atol=0.05)
    assert not torch.allclose(upright, stored, atol=0.5)


MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "column": ({"img": [jpeg()], "label": [0]}, {}, r"no column 'image'.* Did you mean 'img'"),
    "label": ({"image": [jpeg()], "labels": [0]}, {}, r"no column 'label'.*label=None"),
    "key": ({"image": [jpeg()], "label": [0]}, {"key": "id"}, "no column 'id'"),
    "kind of key": ({"image": [jpeg()], "label": [0], "id": [1.5]}, {"key": "id"}, r"16 bytes.* got 1\.5"),
    "array": ({"image": [picture()], "label": [0]}, {}, "row 0 .*ndarray"),
    "nothing": ({"image": [None], "label": [0]}, {}, "NoneType"),
    "no bytes": ({"image": [{"bytes": None, "path": None}], "label": [0]}, {}, "row 0 .*no bytes"),
    "no file": ({"image": [{"bytes": None, "path": "gone.jpg"}], "label": [0]}, {}, r"gone\.jpg"),
    "half": ({"image": [jpeg(), TRUNCATED["half.jpg"]], "label": [0, 1]}, {}, "row 1 .*damaged jpeg"),
    "16 bits": ({"image": [ODD_BUT_READABLE["sixteen.png"][0]], "label": [0]}, {}, "16 bits"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_the_row_or_the_column(name: str) -> None:
    batch, change, said = MISTAKES[name]
    with pytest.raises(SightlineError, match=said):
        adapters.transform(TINY, **change)(batch)


def test_keys_are_those_of_the_table(sources: dict[str, sl.SampleTable]) -> None:
    samples = sources["files"]
    wanted = hashes_of(samples.ids).tolist()
    assert [hash_of_key(k) for k in samples.column("sample_id")] == wanted
    assert [hash_of_key(k) for k in samples.column("key")] == wanted
    numbered = table_of_arrays(Path(samples.roots["data"]), np.zeros((3, 2, 2, 3), np.uint8))
    assert [hash_of_key(i) for i in range(3)] == hashes_of(numbered.ids).tolist()


@pytest.fixture(scope="module")
def rows(sources: dict[str, sl.SampleTable]) -> Any:
    """The files as a dataset of Hugging Face's library, whose `image` column is of its Image type."""
    datasets = pytest.importorskip("datasets")
    table = rows_of(sources["files"], "struct")
    made = datasets.Dataset.from_dict(table)
    return made.cast_column("image", datasets.Image())


@pytest.mark.parametrize("is_decoded", [True, False], ids=["Pillow", "bytes"])
def test_with_transform_of_a_dataset(is_decoded: bool, rows: Any, sources: dict[str, sl.SampleTable]) -> None:
    import datasets

    source = rows.cast_column("image", datasets.Image(decode=is_decoded))
    made = adapters.transform(PHOTO, FILES["photographs"], key="sample_id", seed=3)
    given_rows = source.with_transform(made)
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=FILES["photographs"], seed=3)
    for epoch in (0, 2):
        made.set_epoch(epoch)  # type: ignore[attr-defined]
        dataset.set_epoch(epoch)
        assert torch.equal(given_rows[3]["pixel_values"], dataset[3][0])
        assert given_rows[3]["label"] == dataset[3][1]
        batch = given_rows[4:9]
        assert torch.equal(batch["pixel_values"], torch.stack([dataset[i][0] for i in range(4, 9)]))


@pytest.mark.parametrize(("num_workers", "way"), [(0, None), (2, "fork"), (1, "spawn")])
def test_workers_over_a_shuffled_dataset_hear_of_new_epochs(
    num_workers: int, way: str | None, rows: Any, sources: dict[str, sl.SampleTable]
) -> None:
    """Shuffling copies a dataset with its transform; the copy's epoch is still that of the one in hand."""
    made = adapters.transform(PHOTO, FILES["photographs"], key="sample_id", seed=3)
    shuffled = rows.with_transform(made).shuffle(seed=0).select(range(16))
    order = [rows[int(i)]["file"] for i in shuffled._indices.column(0).to_pylist()]
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=FILES["photographs"], seed=3)
    batches = DataLoader(shuffled, batch_size=8, num_workers=num_workers, multiprocessing_context=way,
                         persistent_workers=num_workers > 0)  # fmt: skip
    for epoch in (0, 3):
        made.set_epoch(epoch)  # type: ignore[attr-defined]
        dataset.set_epoch(epoch)
        images = torch.cat([b["pixel_values"] for b in batches])
        wanted = torch.stack([dataset[sources["files"].column("key").index(name)][0] for name in order])
        assert torch.equal(images, wanted)
