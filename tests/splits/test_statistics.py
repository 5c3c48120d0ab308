"""`channel_statistics`: exactly what numpy says of all pixels at once, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.errors import SplitError
from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows
from sightline.splits import Split, channel_statistics, split
from tests.tables import plain_samples, sample, samples_of


def written(folder: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> SampleTable:
    """A table of PNG files, which it reads when it is hashed."""
    rows = []
    for i, (name, values) in enumerate(arrays.items()):
        Image.fromarray(values).save(folder / name)
        bits = 16 if values.dtype == np.uint16 else 8
        image = {"root": "data", "path": name, "container": "file", "codec": "png", "bits": bits}
        rows.append({"sample_id": sample_id_of("", name), "key": name, "dataset": "", "group_id": name, "image": image,
                     "label": i % 2, "status": "ok"})  # fmt: skip
    return SampleTable(table_from_rows(rows), Classes(("a", "b"), ("a", "b")), "written", {"data": str(folder)})


def everything(samples: SampleTable) -> Split:
    return Split("train", tuple(samples.column("sample_id")))


def random(shape: tuple[int, ...], seed: int, high: int = 256, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


def test_pixels_of_all_sizes_weigh_the_same(tmp_path: Path) -> None:
    arrays = {f"{i}.png": random((5 + i, 9, 3), i, 60) + np.uint8(16 * i) for i in range(12)}
    found = channel_statistics(samples := written(tmp_path, arrays), everything(samples))
    pixels = np.concatenate([a.reshape(-1, 3) for a in arrays.values()]).astype(np.float64) / 255
    assert found.mean == pytest.approx(pixels.mean(0), rel=1e-14)
    assert found.std == pytest.approx(pixels.std(0), rel=1e-13)
    assert (found.num_pixels, found.num_images, found.channels, found.bits) == (len(pixels), 12, 3, (8,))
    of_images = np.mean([(a / 255).std((0, 1)) for a in arrays.values()], axis=0)
    assert np.abs(np.array(found.std) - of_images).min() > 1e-3, "never the mean of per-image deviations"


def test_grey_depth_alpha_and_damage(tmp_path: Path) -> None:
    colour, alpha = random((4, 6, 3), 1), random((4, 6, 4), 2)
    grey, deep = random((7, 3), 3), random((5, 5), 4, 65_536, np.uint16)
    arrays = {"colour.png": colour, "alpha.png": alpha, "grey.png": grey, "deep.png": deep}
    samples = written(tmp_path, {**arrays, "broken.png": random((3, 3), 5)})
    (tmp_path / "broken.png").write_bytes((tmp_path / "broken.png").read_bytes()[:40])
    found = channel_statistics(samples, everything(samples))
    grey3, deep3 = (np.repeat(a.reshape(-1, 1), 3, axis=1) for a in (grey / 255, deep / 65_535))
    pixels = np.concatenate([(colour / 255).reshape(-1, 3), (alpha[..., :3] / 255).reshape(-1, 3), grey3, deep3])
    assert found.mean == pytest.approx(pixels.mean(0), rel=1e-14)
    assert found.std == pytest.approx(pixels.std(0), rel=1e-13)
    assert (found.num_images, found.bits, found.channels) == (4, (8, 16), 3)


def test_grey_alone_has_one_channel(tmp_path: Path) -> None:
    samples = written(tmp_path, {"a.png": random((4, 4), 0), "b.png": random((4, 5), 1)})
    assert channel_statistics(samples, everything(samples)).channels == 1


def test_sums_beyond_64_bits() -> None:
    """A million large 16-bit images: Σx² passes 2⁶³."""
    n = 10**9
    sums = {"num_pixels": n, "sums": [n * 60_000], "squares": [n * 60_000**2]}
    samples = samples_of([{**sample(f"{i}", i % 2), "image": {"bits": 16}, "pixel_sums": sums} for i in range(12)], 2)
    assert len(samples) * n * 60_000**2 > 2**63
    found = channel_statistics(samples, everything(samples))
    assert found.mean == (pytest.approx(60_000 / 65_535, rel=1e-15),)
    assert found.std == (0.0,)


def test_test_split_has_no_statistics() -> None:
    samples = plain_samples([20, 20])
    with pytest.raises(SplitError, match=r"Pass splits\.train"):
        channel_statistics(samples, split(samples).test)  # type: ignore[arg-type]
    with pytest.raises(SplitError, match="could be read"):
        channel_statistics(samples, split(samples).train)


def test_mnist_train(mnist: SampleTable) -> None:
    """The published figures of the 60,000 training images, to all their digits."""
    found = channel_statistics(mnist, split(mnist, val=0.0).train)
    assert found.mean == (pytest.approx(0.1306605, abs=5e-8),)
    assert found.std == (pytest.approx(0.3081078, abs=5e-8),)
    assert (found.num_images, found.num_pixels) == (60_000, 60_000 * 784)
