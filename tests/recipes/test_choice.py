from __future__ import annotations

import pytest

from sightline import recipes
from sightline.errors import DataError
from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows


def _table(width: int, height: int, mode: str = "RGB", n: int = 10, name: str = "mine", test: int = 0) -> SampleTable:
    rows = [
        {
            "sample_id": sample_id_of("", str(i)), "key": str(i), "dataset": "", "group_id": str(i), "label": i % 2,
            "status": "ok", "split": "test" if i < test else None,
            "image": {"root": "r", "path": "p", "container": "file", "width": width, "height": height, "mode": mode},
        }
        for i in range(n)
    ]  # fmt: skip
    return SampleTable(table_from_rows(rows), Classes(("a", "b"), ("a", "b")), name, {"r": "."})


@pytest.mark.parametrize(
    ("width", "height", "mode", "chosen"),
    [
        (8, 8, "L", "digits.fast"), (12, 16, "RGB", "digits.fast"),
        (28, 28, "L", "mnist.fast"), (28, 28, "RGB", "cifar10.fast"), (32, 32, "RGB", "cifar10.fast"),
        (64, 64, "RGB", "photo.scratch"), (500, 375, "RGB", "photo.scratch"), (500, 375, "L", "photo.scratch"),
    ],
)  # fmt: skip
def test_size_and_colour_decide(width: int, height: int, mode: str, chosen: str) -> None:
    recipe, reason = recipes.choose(_table(width, height, mode))
    assert recipe.name == chosen
    assert f"{min(width, height)} px" in reason
    assert "10 images" in reason


def test_known_data_sets_have_their_own() -> None:
    assert recipes.choose(_table(224, 224, name="imagenette"))[0].name == "imagenette.fast"


def test_fewer_images_get_more_epochs_and_test_does_not_count() -> None:
    few, _ = recipes.choose(_table(300, 300, n=1_000))
    many, reason = recipes.choose(_table(300, 300, n=9_000, test=1_000))
    assert few.duration == recipes.Epochs(100)
    assert many.duration == recipes.Epochs(15)
    assert "8,000 images" in reason
    assert recipes.choose(_table(64, 80))[0].size == (64, 64)


def test_published_weights_on_request() -> None:
    recipe, reason = recipes.choose(_table(32, 32), pretrained=True)
    assert recipe.name == "photo.finetune"
    assert "asked for" in reason


def test_nothing_readable_is_an_error() -> None:
    samples = _table(8, 8)
    i = samples.table.schema.get_field_index("status")
    import pyarrow as pa

    bad = samples.table.set_column(
        i, samples.table.schema.field(i), pa.array(["unreadable"] * 10, samples.table.schema.field(i).type)
    )
    with pytest.raises(DataError, match="no image is readable"):
        recipes.choose(SampleTable(bad, samples.classes, samples.name, samples.roots))
