"""Contracts of others are read so that their pixels come out bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sightline as sl
from sightline.errors import ContractError, DataError
from sightline.images import Pixels
from sightline.preprocessing import Preprocessing
from sightline.samples import SampleTable, table_from_rows
from tests.loading.tables import table_of_files

RNG = np.random.default_rng(0)


def photo(height: int, width: int) -> Image.Image:
    coarse = RNG.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


PHOTOS = [photo(*s) for s in ((300, 401), (401, 233), (224, 224), (101, 90), (259, 256))]


def assert_same_bits(contract: Preprocessing, transform: Any, photos: list[Image.Image] = PHOTOS) -> None:
    for image in photos:
        wanted = transform(image).numpy()
        got = contract(Pixels(np.asarray(image), 8))
        assert got.shape == wanted.shape
        assert np.array_equal(got, wanted), f"{image.size}: {np.abs(got - wanted).max()}"


TIMM = [
    "resnet50.a1_in1k",  # evaluated at another size than trained
    "resnet18.tv_in1k",  # bilinear
    "vit_base_patch16_224.augreg_in21k_ft_in1k",
    "convnext_tiny.fb_in1k",
    "tf_efficientnet_b0.ns_jft_in1k",
    "volo_d4_448.sail_in1k",  # crop_pct above 1: padding
    "coat_lite_medium_384.in1k",  # squash
    "mobilenetv3_small_100.lamb_in1k",
]


@pytest.mark.parametrize("test_size", [True, False])
@pytest.mark.parametrize("name", TIMM)
def test_timm_bit_for_bit(name: str, test_size: bool) -> None:
    timm = pytest.importorskip("timm")
    from timm.data import create_transform, resolve_data_config

    cfg = resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict(), use_test_size=test_size)
    assert_same_bits(Preprocessing.from_timm(name, test_size=test_size), create_transform(**cfg))


@pytest.mark.parametrize(
    "change",
    [
        {"crop_mode": "border"}, {"crop_mode": "border", "input_size": (3, 96, 128), "crop_pct": 0.9},
        {"input_size": (3, 96, 128)}, {"input_size": (3, 128, 96), "crop_pct": 0.95, "interpolation": "bilinear"},
        {"crop_mode": "squash", "input_size": (3, 96, 128), "crop_pct": 0.8}, {"crop_pct": 0.965},
        {"interpolation": "lanczos"}, {"interpolation": "nearest"},
    ],
)  # fmt: skip
def test_timm_configs_bit_for_bit(change: dict[str, Any]) -> None:
    pytest.importorskip("timm")
    from timm.data import create_transform

    cfg = {
        "input_size": (3, 224, 224), "interpolation": "bicubic", "mean": (0.48, 0.45, 0.4), "std": (0.22, 0.23, 0.25),
        "crop_pct": 0.875, "crop_mode": "center", **change,
    }  # fmt: skip
    assert_same_bits(Preprocessing.from_timm(cfg), create_transform(**cfg))


def test_timm_rounds_down_the_size_before_the_crop() -> None:
    facts = ((224, 0.875, 256), (224, 0.9, 248), (224, 0.95, 235), (224, 0.965, 232), (256, 0.875, 292))
    for size, crop_pct, wanted in facts:
        assert Preprocessing.from_timm({"input_size": (3, size, size), "crop_pct": crop_pct}).resize_to == wanted


def test_timm_by_name_by_model_and_by_config_agree() -> None:
    timm = pytest.importorskip("timm")
    name = "resnet18.a1_in1k"
    by_name = Preprocessing.from_timm(name)
    assert by_name == Preprocessing.from_timm(f"timm:{name}")
    assert by_name == Preprocessing.from_timm(timm.create_model(name, pretrained=False))
    assert by_name == Preprocessing.from_timm(timm.get_pretrained_cfg(name))
    assert by_name.size == (288, 288)
    assert Preprocessing.from_timm(name, test_size=False).size == (224, 224)
    assert by_name.origin == "timm resnet18.a1_in1k"
    assert (by_name.orientation, by_name.alpha) == ("ignore", "drop")


def test_timm_mistakes() -> None:
    pytest.importorskip("timm")
    with pytest.raises(ContractError, match=r"Did you mean 'resnet50\.a1_in1k'"):
        Preprocessing.from_timm("resnet50.a1_in1")
    with pytest.raises(ContractError, match="crop_mode 'mirror'"):
        Preprocessing.from_timm({"crop_mode": "mirror"})
    with pytest.raises(ContractError, match="4 channels"):
        Preprocessing.from_timm({"input_size": (4, 8, 8)})
    with pytest.raises(ContractError, match="got int"):
        Preprocessing.from_timm(3)


def torchvision_presets() -> dict[str, Any]:
    models = pytest.importorskip("torchvision.models")
    names = models.list_models(module=models)
    return {str(w.transforms()): w for name in names for w in models.get_model_weights(name)}


def test_every_torchvision_preset_bit_for_bit() -> None:
    presets = torchvision_presets()
    assert len(presets) > 20
    for weights in presets.values():
        contract = Preprocessing.from_torchvision(weights)
        assert str(weights) in contract.origin
        assert contract == Preprocessing.from_torchvision(weights.transforms())
        assert_same_bits(contract, weights.transforms(), PHOTOS[3:])


def test_what_is_no_torchvision_preset_is_refused() -> None:
    with pytest.raises(ContractError, match="str is not a torchvision classification preset"):
        Preprocessing.from_torchvision("ResNet50_Weights")


HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_rescale": True, "rescale_factor": 1 / 255}
VIT = {
    "image_processor_type": "ViTImageProcessor", "do_normalize": True, "do_resize": True, "resample": 2,
    "size": {"height": 224, "width": 224}, **HALF,
}  # fmt: skip
CONVNEXT = {
    "image_processor_type": "ConvNextImageProcessor", "do_normalize": True, "do_resize": True, "resample": 3,
    "size": {"shortest_edge": 224}, "crop_pct": 0.875, **HALF,
}  # fmt: skip
CLIP = {
    "image_processor_type": "CLIPImageProcessor", "do_center_crop": True, "do_normalize": True, "do_resize": True,
    "crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 224}, "resample": 3, **HALF,
}  # fmt: skip
DEIT = {
    "image_processor_type": "DeiTImageProcessor", "size": {"height": 256, "width": 256}, "do_resize": True,
    "do_center_crop": True, "crop_size": {"height": 224, "width": 224}, "resample": 3, "do_normalize": True, **HALF,
}  # fmt: skip
EFFICIENTNET = {
    "image_processor_type": "EfficientNetImageProcessor", "size": {"height": 224, "width": 224}, "resample": 2,
    "do_center_crop": False, "do_resize": True, "do_normalize": True, "include_top": True, **HALF,
    "image_std": [0.47853944, 0.4732864, 0.47434163],
}  # fmt: skip

GEOMETRY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("vit", VIT, {"resize": "squash", "resize_to": (224, 224), "size": (224, 224), "crop": "none",
                  "interpolation": "bilinear"}),
    ("vit, old", {**VIT, "size": 224}, {"resize": "squash", "resize_to": (224, 224), "crop": "none"}),
    ("convnext", CONVNEXT, {"resize": "shortest", "resize_to": 256, "size": (224, 224), "interpolation": "bicubic"}),
    ("convnext, old", {**CONVNEXT, "size": 224, "image_processor_type": None,
                       "feature_extractor_type": "ConvNextFeatureExtractor"}, {"resize": "shortest", "resize_to": 256}),
    ("convnext, large", {**CONVNEXT, "size": {"shortest_edge": 384}, "crop_pct": 1.0},
     {"resize": "squash", "resize_to": (384, 384), "size": (384, 384), "crop": "none"}),
    ("clip", CLIP, {"resize": "shortest", "resize_to": 224, "size": (224, 224), "crop": "center-floor"}),
    ("clip, old", {**CLIP, "size": 224, "crop_size": 224},
     {"resize": "shortest", "resize_to": 224, "size": (224, 224)}),
    ("deit", DEIT, {"resize": "squash", "resize_to": (256, 256), "size": (224, 224), "crop": "center-floor"}),
    ("bare numbers", {**VIT, "do_rescale": False}, {"mean": (0.5 / 255,) * 3, "std": (0.5 / 255,) * 3}),
    ("not normalized", {**VIT, "do_normalize": False}, {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}),
    ("crop alone", {**CLIP, "do_resize": False}, {"resize": "none", "resize_to": None, "crop": "center-floor"}),
    ("a timm model", {"pretrained_cfg": {"input_size": [3, 96, 96], "crop_pct": 1.0}},
     {"size": (96, 96), "resize_to": 96}),
]  # fmt: skip


@pytest.mark.parametrize(("config", "wanted"), [pytest.param(c, w, id=name) for name, c, w in GEOMETRY])
def test_huggingface_processors(config: dict[str, Any], wanted: dict[str, Any], tmp_path: Path) -> None:
    contract = Preprocessing.from_huggingface(config)
    assert {name: getattr(contract, name) for name in wanted} == wanted
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    assert Preprocessing.from_huggingface(tmp_path) == contract
    assert Preprocessing.from_huggingface(tmp_path / "preprocessor_config.json") == contract


OFFSET = {**EFFICIENTNET, "rescale_offset": True, "rescale_factor": 1 / 127.5, "include_top": False}


@pytest.mark.parametrize("config", [VIT, CONVNEXT, CLIP, DEIT, EFFICIENTNET, OFFSET])
def test_huggingface_within_two_levels_of_transformers(config: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers")
    facts = {k: v for k, v in config.items() if k != "image_processor_type"}
    processor = getattr(transformers, config["image_processor_type"])(**facts)
    contract = Preprocessing.from_huggingface(config)
    for image in PHOTOS:
        wanted = np.asarray(processor(image, return_tensors="np")["pixel_values"][0])
        got = contract(Pixels(np.asarray(image), 8))
        assert got.shape == wanted.shape
        levels = np.abs(got - wanted) * 255 * np.asarray(contract.std)[:, None, None]
        assert levels.max() <= 2.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"do_flip_channel_order": True}, "do_flip_channel_order"),
        ({"do_pad": True}, "do_pad"),
        ({"resample": 4}, "Interpolation 4 is not known"),
        ({"size": {"shortest_edge": 224}}, "no fixed input size"),
        ({"size": {"longest_edge": 224}}, "no fixed input size"),
        ({"do_resize": False}, "no common size"),
    ],
)
def test_huggingface_processors_that_a_contract_cannot_say_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Preprocessing.from_huggingface({**VIT, **change})


def test_huggingface_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        Preprocessing.from_huggingface(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("[1, 2]")
    with pytest.raises(DataError, match="is not an image processor"):
        Preprocessing.from_huggingface(tmp_path)


def images_table(folder: Path, images: list[np.ndarray[Any, Any]]) -> Any:
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i}.png")
    return table_of_files(folder, [f"{i}.png" for i in range(len(images))])


def test_an_own_contract_knows_the_training_split_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (9, 11 + i % 2, 3), dtype=np.uint8) for i in range(30)]
    samples = images_table(tmp_path, images)
    splits = sl.split(samples, by="stratified", val=0.2, test=0.2)
    contract = Preprocessing.from_training_split(samples, splits, (8, 8))
    train = [images[i].reshape(-1, 3) for i in samples.positions(splits.train.ids)]
    pixels = np.concatenate(train) / 255
    assert contract.mean == pytest.approx(tuple(pixels.mean(axis=0)), abs=1e-12)
    assert contract.std == pytest.approx(tuple(pixels.std(axis=0)), abs=1e-12)
    assert (contract.color_mode, contract.bits, contract.resize_to) == ("RGB", (8,), 8)
    assert contract.classes == samples.classes.ids
    assert (contract.orientation, contract.alpha) == ("apply", "white")
    assert str(len(train)) in contract.origin
    other = [i if k in set(samples.positions(splits.train.ids)) else 255 - i for k, i in enumerate(images)]
    (tmp_path / "other").mkdir()
    changed = images_table(tmp_path / "other", other)
    assert Preprocessing.from_training_split(changed, splits, (8, 8)) == contract


def test_grey_and_deep_images_give_their_own_contracts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = images_table(tmp_path, [rng.integers(0, 256, (8, 8), dtype=np.uint8) for _ in range(30)])
    contract = Preprocessing.from_training_split(grey, sl.split(grey), (8, 8), resize_to=10, interpolation="bicubic")
    assert (contract.color_mode, contract.resize_to, contract.interpolation) == ("L", 10, "bicubic")
    assert len(contract.mean) == 1
    (tmp_path / "deep").mkdir()
    deep = [rng.integers(0, 65536, (8, 8)).astype(np.uint16) for _ in range(30)]
    for i, image in enumerate(deep):
        Image.fromarray(image).save(tmp_path / "deep" / f"{i}.png")
    table = table_of_files(tmp_path / "deep", [f"{i}.png" for i in range(30)])
    bits = [{**r, "image": {**r["image"], "bits": 16 if i % 2 else 8}} for i, r in enumerate(table.table.to_pylist())]
    mixed = SampleTable(table_from_rows(bits), table.classes, "deep", table.roots)
    assert Preprocessing.from_training_split(mixed, sl.split(mixed), (8, 8)).bits == (8, 16)


def test_images_that_are_all_the_same_cannot_be_normalized(tmp_path: Path) -> None:
    flat = images_table(tmp_path, [np.full((8, 8 + i, 3), 7, np.uint8) for i in range(30)])
    with pytest.raises(ContractError, match="std must be above 0"):
        Preprocessing.from_training_split(flat, sl.split(flat), (8, 8))
