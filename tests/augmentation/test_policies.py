"""Policies: operations are torchvision's on Pillow images bit for bit, with its magnitudes and its frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from sightline.augmentation import AutoAugment, RandAugment, TrivialAugment
from sightline.augmentation.operations import OPERATIONS, SIGNED, operated
from sightline.augmentation.policies import NARROW, OPERATION, WIDE, Ranges
from sightline.augmentation.searched import SEARCHED
from sightline.errors import RecipeError
from sightline.randomness import Draws
from tests.augmentation.material import HASHES, Array, N, photo, sizes

MODES = {
    "nearest": InterpolationMode.NEAREST, "bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC,
}  # fmt: skip
SPACES: list[tuple[Ranges, dict[str, Any]]] = [
    (NARROW, v2.AutoAugment._AUGMENTATION_SPACE), (NARROW, v2.RandAugment._AUGMENTATION_SPACE),
    (WIDE, v2.TrivialAugmentWide._AUGMENTATION_SPACE),
]  # fmt: skip


def theirs(levels: Array, operation: str, magnitude: float, interpolation: str, fill: tuple[int, ...]) -> Array:
    image = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    policy = v2.RandAugment(interpolation=MODES[interpolation], fill=list(fill))
    done = policy._apply_image_or_video_transform(image, operation, magnitude, policy.interpolation, policy._fill)
    return np.asarray(done).reshape(levels.shape)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, float]:
    operation = draw(st.sampled_from(OPERATIONS))
    ranges = draw(st.sampled_from([NARROW, WIDE]))
    magnitudes = ranges.magnitudes(operation, 31, 24)
    magnitude = float(magnitudes[draw(st.integers(0, 30))])
    return operation, -magnitude if operation in SIGNED and draw(st.booleans()) else magnitude


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3]), steps(), st.sampled_from(sorted(MODES)),
    st.tuples(*[st.integers(0, 255)] * 3),
)  # fmt: skip
def test_each_operation_is_torchvisions(
    height: int, width: int, channels: int, step: tuple[str, float], interpolation: str, fill: tuple[int, ...]
) -> None:
    levels, fill = photo(height, width)[..., :channels], fill[:channels]
    ours = operated(levels, [step], interpolation, fill)
    assert np.array_equal(ours, theirs(levels, *step, interpolation, fill))
    floats = operated(levels.astype(np.float32), [step], interpolation, fill)
    assert floats.dtype == np.float32
    # Pillow rounds or cuts to whole levels, in Sharpness and Color before the difference is enlarged too. Bicubic is
    # left out: it overshoots, and Pillow does not clip float images.
    if not (interpolation == "bicubic" and step[0] in ("Rotate", "ShearX", "ShearY")):
        assert np.abs(floats - ours).max() <= 2


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_changes_a_photograph(operation: str) -> None:
    levels = np.clip(photo(24, 20), 20, 200)
    done = operated(levels, [(operation, float(WIDE.magnitudes(operation, 31, 24)[15]))], "nearest", (0, 0, 0))
    assert (operation == "Identity") == np.array_equal(done, levels)


def test_operations_follow_one_another() -> None:
    levels = photo(24, 20)
    both = operated(levels, [("Rotate", 20.0), ("Invert", 0.0)], "nearest", (1, 2, 3))
    assert np.array_equal(both, 255 - operated(levels, [("Rotate", 20.0)], "nearest", (1, 2, 3)))


@pytest.mark.parametrize(("ranges", "space"), SPACES, ids=["AutoAugment", "RandAugment", "TrivialAugmentWide"])
@pytest.mark.parametrize("bins", [2, 10, 31, 32])
def test_magnitudes_are_torchvisions(ranges: Ranges, space: dict[str, Any], bins: int) -> None:
    assert set(space) <= set(OPERATIONS)
    for operation, (function, is_signed) in space.items():
        assert is_signed == (operation in SIGNED)
        for height, width in ((224, 224), (32, 48), (331, 97)):
            wanted = function(bins, height, width)
            wanted = np.zeros(bins) if wanted is None else np.asarray(wanted, np.float64)
            got = ranges.magnitudes(operation, bins, width if operation == "TranslateX" else height)
            assert np.array_equal(got, wanted), operation


@pytest.mark.parametrize("name", SEARCHED)
def test_searched_policies_are_torchvisions(name: str) -> None:
    wanted = v2.AutoAugment(v2.AutoAugmentPolicy(name))._policies
    assert [list(pair) for pair in SEARCHED[name]] == [[(o, p, m or 0) for o, p, m in pair] for pair in wanted]


def counted(rows: Array) -> dict[str, float]:
    return {OPERATIONS[o]: float((rows["operation"] == o).mean()) for o in np.unique(rows["operation"])}


def test_rand_augment_draws_each_of_14_operations_as_often_and_either_sign() -> None:
    rows = RandAugment(num_ops=3, magnitude=10).draw(Draws(0, 0, HASHES), 0, sizes(60, 40))
    assert rows.shape == (N, 3)
    for k in range(3):
        shares = counted(rows[:, k])
        assert set(shares) == set(OPERATIONS) - {"Invert"}
        assert np.abs(np.array(list(shares.values())) - 1 / 14).max() < 4.5 * np.sqrt(1 / 14 / N)
    first, second = rows["operation"][:, 0], rows["operation"][:, 1]
    assert (first == second).mean() == pytest.approx(1 / 14, abs=0.02)
    turns = rows["magnitude"][rows["operation"] == OPERATIONS.index("Rotate")]
    assert set(np.abs(turns)) == {10.0}
    assert (turns > 0).mean() == pytest.approx(0.5, abs=0.06)
    down = rows["magnitude"][rows["operation"] == OPERATIONS.index("TranslateY")]
    assert np.abs(down) == pytest.approx(150 / 331 * 60 / 3)
    assert (rows["magnitude"][rows["operation"] == OPERATIONS.index("Posterize")] == 7).all()


def test_trivial_augment_draws_magnitudes_from_wide_ranges() -> None:
    rows = TrivialAugment().draw(Draws(0, 0, HASHES), 0, sizes(60, 40))[:, 0]
    assert np.abs(np.array(list(counted(rows).values())) - 1 / 14).max() < 4.5 * np.sqrt(1 / 14 / N)
    turns = rows["magnitude"][rows["operation"] == OPERATIONS.index("Rotate")]
    assert turns.max() == 135
    assert turns.min() == -135
    assert len(np.unique(np.abs(turns))) == 31
    assert np.abs(turns).mean() == pytest.approx(67.5, rel=0.1)
    bits = rows["magnitude"][rows["operation"] == OPERATIONS.index("Posterize")]
    assert set(bits) == {2, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize("name", SEARCHED)
def test_auto_augment_draws_pairs_with_their_probabilities(name: str) -> None:
    rows = AutoAugment(policy=name).draw(Draws(0, 0, HASHES), 0, sizes(60, 40))
    for k in range(2):
        wanted = dict.fromkeys(OPERATIONS, 0.0)
        for pair in SEARCHED[name]:
            wanted[pair[k][0]] += pair[k][1] / 25
            wanted["Identity"] += (1 - pair[k][1]) / 25
        got = counted(rows[:, k])
        for operation, share in wanted.items():
            assert got.get(operation, 0) == pytest.approx(share, abs=4.5 * np.sqrt(max(share, 1e-4) / N)), operation
    is_posterized = rows["operation"] == OPERATIONS.index("Posterize")
    wanted_bits = {8 - round(m * 4 / 9) for pair in SEARCHED[name] for o, _, m in pair if o == "Posterize"}
    assert set(rows["magnitude"][is_posterized]) == wanted_bits


def test_sides_of_many_sizes_give_each_image_its_own_translation() -> None:
    several = np.array([[50, 100], [100, 50]] * (N // 2))
    rows = RandAugment(num_ops=1, magnitude=30).draw(Draws(0, 0, HASHES), 0, several)[:, 0]
    for operation, side in (("TranslateX", several[:, 1]), ("TranslateY", several[:, 0])):
        here = rows["operation"] == OPERATIONS.index(operation)
        assert np.abs(rows["magnitude"][here]) == pytest.approx(150 / 331 * side[here], rel=1e-6)


def test_a_fill_for_other_channels_is_refused() -> None:
    row = np.array([(1, 0.3)], OPERATION)
    with pytest.raises(RecipeError, match=r"RandAugment\.fill must be one level or 1"):
        RandAugment(fill=(1, 2, 3)).apply(photo(5, 5)[..., :1], row)
    filled = RandAugment(fill=(1, 2, 3)).apply(photo(30, 30), np.array([(OPERATIONS.index("Rotate"), 45.0)], OPERATION))
    assert filled[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandAugment(num_ops=0), r"RandAugment.num_ops must be 1 … 32, got 0"),
        (lambda: RandAugment(magnitude=31), r"magnitude must be 0 … 30, the last bin, got 31"),
        (lambda: RandAugment(interpolation="lanczos"), "nearest . bilinear . bicubic, got 'lanczos'"),
        (lambda: TrivialAugment(num_magnitude_bins=1), "2 or more, got 1"),
        (lambda: RandAugment(magnitude=2.5), r"magnitude must be 0 … 30, the last bin, got 2.5"),
        (lambda: TrivialAugment(fill=256), "a level in 0 … 255"),
        (lambda: AutoAugment(policy="imagenet21k"), "imagenet . cifar10 . svhn, got 'imagenet21k'"),
    ],
)
def test_mistakes_are_named(make: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()
