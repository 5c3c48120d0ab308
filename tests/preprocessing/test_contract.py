"""The contract as a value: what it refuses, its identity, its JSON, and the errors it gives."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import ContractError
from sightline.images import Pixels
from sightline.preprocessing import Preprocessing

RGB: dict[str, Any] = {
    "size": (224, 224), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "resize_to": 256,
}  # fmt: skip
GREY: dict[str, Any] = {"size": (28, 28), "mean": (0.13,), "std": (0.31,), "color_mode": "L", "resize_to": 28}
GOLDEN = "975904e95880c459bc24d18bfd2991ca035e324dbfe5805d81bd116e77742d60"
CONTRACT = Preprocessing(**RGB, classes=("cat", "dog"), origin="somewhere")

CHANGES: dict[str, Any] = {
    "size": (192, 192), "mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2), "bits": (8, 16), "orientation": "ignore",
    "alpha": "drop", "resize_to": 248, "interpolation": "bicubic", "antialias": False, "crop": "center-floor",
    "padding": "mean", "classes": ("dog", "cat"),
}  # fmt: skip


def test_digest_is_golden() -> None:
    assert Preprocessing(**RGB).digest == GOLDEN


def test_origin_is_no_part_of_the_identity() -> None:
    other = dataclasses.replace(CONTRACT, origin="elsewhere")
    assert other == CONTRACT
    assert other.digest == CONTRACT.digest
    CONTRACT.require_same(other, "the checkpoint")


def test_every_field_has_its_change() -> None:
    told = {f.name for f in dataclasses.fields(Preprocessing)} - {"origin", "color_mode", "resize"}
    assert told == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_field_changes_the_digest_and_is_named_when_it_differs(name: str) -> None:
    other = dataclasses.replace(CONTRACT, **{name: CHANGES[name]})
    assert other.digest != CONTRACT.digest
    with pytest.raises(ContractError, match=rf"the checkpoint: preprocessing\.{name} is .*contract says"):
        CONTRACT.require_same(other, "the checkpoint")


def test_a_difference_of_classes_names_the_place_and_both() -> None:
    with pytest.raises(ContractError, match=r"'dog' at place 0.*'cat' at place 0"):
        CONTRACT.require_same(CONTRACT.with_classes(("dog", "cat")), "the other")
    with pytest.raises(ContractError, match=r"photos: its classes are 3 classes, this model's are 2 classes"):
        CONTRACT.require_classes(("cat", "dog", "bird"), "photos")
    CONTRACT.require_classes(("cat", "dog"), "photos")
    Preprocessing(**RGB).require_classes(("anything",), "photos")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"color_mode": "rgb"}, "Known: L, RGB"),
        ({"interpolation": "bilinaer"}, "Did you mean 'bilinear'"),
        ({"crop": "middle"}, "Known: center"),
        ({"mean": (0.5,)}, "3 channels, but mean has 1"),
        ({"std": (0.2, 0.0, 0.2)}, "std must be above 0"),
        ({"mean": (0.5, float("nan"), 0.5)}, "finite"),
        ({"bits": (12,)}, r"bits got \(12,\)"),
        ({"bits": ()}, "bits got"),
        ({"resize_to": (256, 256)}, r"resize_to as pixels, got \(256, 256\)"),
        ({"resize_to": None}, "resize_to as pixels, got None"),
        ({"resize": "squash"}, r"resize_to as \(height, width\), got 256"),
        ({"resize": "none"}, "resize_to as nothing, got 256"),
        ({"size": (0, 224)}, "at least 1 pixel"),
        ({"crop": "none"}, "without a crop"),
        ({"antialias": False, "interpolation": "nearest"}, "antialias=False"),
        ({"classes": ("a", "a")}, "unique"),
    ],
)
def test_impossible_contracts_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Preprocessing(**{**RGB, **change})


contracts = st.builds(
    Preprocessing, size=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    mean=st.tuples(*[st.floats(0, 1)] * 3), std=st.tuples(*[st.floats(1e-3, 1)] * 3), resize_to=st.integers(1, 64),
    bits=st.sampled_from([(8,), (16,), (8, 16)]), classes=st.lists(st.text(), unique=True).map(tuple),
    alpha=st.sampled_from(["white", "black", "drop"]), interpolation=st.sampled_from(["bilinear", "bicubic"]),
    antialias=st.booleans(), origin=st.text(),
)  # fmt: skip


@settings(max_examples=50)
@given(contracts)
def test_json_round_trip(contract: Preprocessing) -> None:
    again = Preprocessing.from_json(json.loads(json.dumps(contract.to_json())))
    assert again == contract
    assert again.digest == contract.digest
    assert again.origin == contract.origin


def test_stored_contracts_are_read_strictly() -> None:
    stored = CONTRACT.to_json()
    with pytest.raises(ContractError, match=r"no field 'interpolaton'\. Did you mean 'interpolation'"):
        Preprocessing.from_json({**stored, "interpolaton": "bicubic"})
    del stored["mean"]
    with pytest.raises(ContractError, match="lacks mean"):
        Preprocessing.from_json(stored)


def test_another_size_keeps_the_proportions() -> None:
    assert CONTRACT.at_size((224, 224)) is CONTRACT
    assert CONTRACT.at_size((112, 112)).resize_to == 128
    squashed = dataclasses.replace(CONTRACT, resize="squash", resize_to=(256, 320))
    assert squashed.at_size((112, 448)).resize_to == (128, 640)
    native = Preprocessing(**{**RGB, "resize": "none", "resize_to": None})
    with pytest.raises(ContractError, match="resizes nothing"):
        native.at_size((112, 112))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 5, 3), np.uint16), "scan is stored with 16 bits.*expects 8-bit images"),
        (np.full((4, 5, 3), 65535, np.uint16), r"values up to 65535.*8-bit images \(0 … 255\)"),
        (np.full((4, 5, 3), 255.0), r"floats from 255 to 255.*in \[0, 1\]"),
        (np.full((4, 5, 3), -0.1), "floats from -0.1"),
        (np.full((4, 5, 3), np.nan), "floats from nan"),
        (np.zeros((4, 5, 1), np.uint8), r"shape \(4, 5, 1\).*height × width × 3"),
        (np.zeros((4, 5), np.uint8), r"shape \(4, 5\)"),
        (np.zeros((3, 4, 5), np.uint8), "transpose"),
        (np.zeros((2, 4, 5, 3), np.uint8), "shape"),
        (np.zeros((0, 5, 3), np.uint8), "shape"),
        (np.zeros((4, 5, 3), np.int64), "type int64"),
    ],
)
def test_arrays_outside_the_contract_are_refused(array: np.ndarray[Any, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        CONTRACT.check_array(array, "scan")


def test_arrays_inside_the_contract_mean_the_same_in_every_form() -> None:
    rng = np.random.default_rng(0)
    plain = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    contract = Preprocessing(**{**RGB, "bits": (8, 16)})
    wanted = contract(Pixels(plain, 8))
    assert np.array_equal(contract(contract.check_array(plain, "a")), wanted)
    assert np.allclose(contract(contract.check_array(plain / 255, "a")), wanted, atol=1e-5)
    assert np.allclose(contract(contract.check_array(plain.astype(np.uint16) * 257, "a")), wanted, atol=1e-5)
    grey = Preprocessing(**GREY)
    assert grey(grey.check_array(plain[:28, :28, 0], "a")).shape == (1, 28, 28)


def test_a_depth_outside_the_contract_is_an_error_naming_both() -> None:
    deep = Pixels(np.full((8, 8, 1), 4000, np.uint16), 16)
    with pytest.raises(ContractError, match=r"a.png is stored with 16 bits .*up to 4000.*8-bit images"):
        CONTRACT.pixels(deep, "a.png")
    with pytest.raises(ContractError, match=r"stored with 8 bits.*16-bit images"):
        dataclasses.replace(CONTRACT, bits=(16,)).pixels(Pixels(np.zeros((8, 8, 3), np.uint8), 8))


def test_native_size_is_demanded_where_nothing_is_resized() -> None:
    native = Preprocessing(**{**GREY, "resize": "none", "resize_to": None, "crop": "none"})
    assert native(Pixels(np.zeros((28, 28, 1), np.uint8), 8)).shape == (1, 28, 28)
    with pytest.raises(ContractError, match="29 × 28"):
        native(Pixels(np.zeros((29, 28, 1), np.uint8), 8))


def test_it_shows_itself_in_one_line() -> None:
    assert str(CONTRACT).startswith("RGB 224×224 (shortest 256, bilinear, crop center) · ")
