"""Where contracts come from: the fields of a `Preprocessing`, read from what other projects and the data say.

timm and torchvision are met through values alone (a config, an object's attributes), so reading their contracts needs
neither of them, except to look up a name.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from sightline.artifacts import read_json
from sightline.errors import ContractError, DataError, MissingExtraError, did_you_mean
from sightline.splits import channel_statistics

if TYPE_CHECKING:
    from sightline.samples import SampleTable
    from sightline.splits import Splits

Fields = dict[str, Any]

PILLOW_CODES = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers for interpolation, as image processors store them."""

LIKE_PILLOW: Fields = {"orientation": "ignore", "alpha": "drop"}
"""What `Image.open(...).convert("RGB")` does, with which torchvision's and timm's figures were made."""


def of_timm(source: Any, test_size: bool) -> Fields:
    """Fields for timm's evaluation transform of a name, a model, a `pretrained_cfg` or a data config."""
    cfg, name = _timm_config(source)
    first = ("test_input_size", "test_crop_pct") if test_size else ("", "")
    channels, *size = cfg.get(first[0]) or cfg.get("input_size") or (3, 224, 224)
    crop_pct = cfg.get(first[1]) or cfg.get("crop_pct") or 0.875
    to = tuple(math.floor(n / crop_pct) for n in size)
    mean = tuple(float(m) for m in cfg.get("mean") or (0.485, 0.456, 0.406))
    fields: Fields = {
        "size": tuple(size), "mean": mean, "std": tuple(float(s) for s in cfg.get("std") or (0.229, 0.224, 0.225)),
        "color_mode": _color_mode(channels), "interpolation": _interpolation(cfg.get("interpolation") or "bicubic"),
        "resize_to": to, "origin": f"timm {name}".strip(), **LIKE_PILLOW,
    }  # fmt: skip
    mode = cfg.get("crop_mode") or "center"
    if mode == "squash":
        return fields | {"resize": "squash"}
    if mode == "border":
        return fields | {"resize": "contain", "padding": "mean"}
    if mode != "center":
        raise ContractError(f"timm crop_mode {mode!r} is not known; wanted center, squash or border.")
    return fields | ({"resize": "shortest", "resize_to": to[0]} if to[0] == to[1] else {"resize": "cover"})


def _timm_config(source: Any) -> tuple[Mapping[str, Any], str]:
    if isinstance(source, str):
        name = source.removeprefix("timm:")
        try:
            timm = importlib.import_module("timm")
        except ModuleNotFoundError:
            raise MissingExtraError("timm", "train", f"Reading the contract of {name}") from None
        known = timm.list_pretrained()
        if name not in known and not ("." not in name and timm.is_model(name)):
            raise ContractError(f"timm has no weights called {name!r}.{_near(name, known)}")
        return timm.get_pretrained_cfg(name).to_dict(), name
    cfg = getattr(source, "pretrained_cfg", source)
    if callable(getattr(cfg, "to_dict", None)):
        cfg = cfg.to_dict()
    if not isinstance(cfg, Mapping):
        raise ContractError(f"Wanted a timm name, model or config, got {type(source).__name__}.")
    return cfg, ".".join(str(cfg[k]) for k in ("architecture", "tag") if cfg.get(k))


def _near(name: str, known: list[str]) -> str:
    clause = did_you_mean(name, known)
    return clause if clause.startswith(" Did") else " timm.list_pretrained() tells what there is."


def of_torchvision(weights: Any) -> Fields:
    """Fields for torchvision's classification preset: of a weights enum member, or the preset itself."""
    preset = weights.transforms() if callable(getattr(weights, "transforms", None)) else weights
    try:
        to, size = preset.resize_size, preset.crop_size
        method, antialias = preset.interpolation.value, preset.antialias
        mean, std = preset.mean, preset.std
    except AttributeError as e:
        raise ContractError(
            f"{type(weights).__name__} is not a torchvision classification preset ({e}). Pass weights such as "
            "torchvision.models.ResNet50_Weights.IMAGENET1K_V2."
        ) from None
    return {
        "size": (size[0], size[-1]), "mean": tuple(mean), "std": tuple(std), "interpolation": _interpolation(method),
        "antialias": antialias is not False,
        "origin": f"torchvision {weights}" if preset is not weights else "torchvision",
        **(_resize_edge(to[0]) if len(to) == 1 else {"resize": "squash", "resize_to": tuple(to)}), **LIKE_PILLOW,
    }  # fmt: skip


def of_huggingface(source: str | Path | Mapping[str, Any]) -> Fields:
    """Fields for a Hugging Face image processor; EXIF orientation is applied, as `transformers` does on loading."""
    if isinstance(source, Mapping):
        cfg, origin = source, "Hugging Face image processor"
    else:
        path = Path(source)
        path = path / "preprocessor_config.json" if path.is_dir() else path
        cfg, origin = read_json(path), f"Hugging Face {path}"
        if not isinstance(cfg, dict):
            raise DataError(f"{path} is not an image processor: wanted an object, got {type(cfg).__name__}.")
    if "pretrained_cfg" in cfg:
        return of_timm(cfg["pretrained_cfg"], test_size=True)
    kind = str(cfg.get("image_processor_type") or cfg.get("feature_extractor_type") or "")
    for name in ("do_pad", "do_flip_channel_order", "do_thumbnail", "do_align_long_axis", "do_convert_grayscale"):
        if cfg.get(name):
            raise ContractError(f"{origin}: {name} is set, which a Preprocessing cannot say.")
    fields = {"interpolation": _interpolation(cfg.get("resample", 2)), "origin": origin, "alpha": "drop"}
    return fields | _huggingface_geometry(cfg, kind, origin) | _huggingface_numbers(cfg, kind)


def _huggingface_geometry(cfg: Mapping[str, Any], kind: str, origin: str) -> Fields:
    size, is_cropped = cfg.get("size"), bool(cfg.get("do_center_crop"))
    crop = cfg.get("crop_size")
    crop_box = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"]) if crop else None
    # Old files say `size: 224`; whether that is a side or a square was fixed in each processor's code.
    is_edge = kind.startswith(("CLIP", "ConvNext", "Bit", "LeViT", "Levit", "MobileNet", "Poolformer", "PoolFormer"))
    if isinstance(size, int):
        size = {"shortest_edge": size} if is_edge else {"height": size, "width": size}
    if not cfg.get("do_resize", True):
        if not (is_cropped and crop_box):
            raise ContractError(f"{origin}: neither do_resize nor do_center_crop is set: no common size.")
        return {"resize": "none", "size": crop_box, "crop": "center-floor"}
    edge = (size or {}).get("shortest_edge")
    if edge and kind.startswith("ConvNext"):
        if edge >= 384:
            return {"resize": "squash", "resize_to": (edge, edge), "size": (edge, edge), "crop": "none"}
        to = int(edge / cfg.get("crop_pct", 224 / 256))
        return {**_resize_edge(to), "size": (edge, edge), "crop": "center-floor"}
    if edge and is_cropped and crop_box and "longest_edge" not in (size or {}):
        return {**_resize_edge(edge), "size": crop_box, "crop": "center-floor"}
    if size and {"height", "width"} <= set(size) and "crop_pct" not in cfg:
        box = (size["height"], size["width"])
        cropped = is_cropped and crop_box
        return {"resize": "squash", "resize_to": box, "size": crop_box if cropped else box,
                "crop": "center-floor" if cropped else "none"}  # fmt: skip
    raise ContractError(
        f"{origin}: size {cfg.get('size')!r} with crop_size {crop!r} leads to no fixed input size that is known here. "
        "Build the Preprocessing by hand."
    )


def _huggingface_numbers(cfg: Mapping[str, Any], kind: str) -> Fields:
    """mean and std for values in [0, 1], whatever factor the processor scales by."""
    factor = float(cfg.get("rescale_factor", 1 / 255)) if cfg.get("do_rescale", True) else 1.0
    mean, std = cfg.get("image_mean") or (0.5, 0.5, 0.5), cfg.get("image_std") or (0.5, 0.5, 0.5)
    if not cfg.get("do_normalize", True):
        mean, std = (0.0,) * len(mean), (1.0,) * len(std)
    elif kind.startswith("EfficientNet") and cfg.get("include_top", True):
        std = [s * s for s in std]  # that processor divides by std twice
    offset = 1.0 if cfg.get("do_rescale", True) and cfg.get("rescale_offset") else 0.0
    scale = 1.0 if math.isclose(factor * 255, 1.0, rel_tol=1e-9) else factor * 255
    return {
        "mean": tuple((float(m) + offset) / scale for m in mean), "std": tuple(float(s) / scale for s in std),
        "color_mode": _color_mode(len(mean)),
    }  # fmt: skip


def of_training_split(
    samples: SampleTable, splits: Splits, size: tuple[int, int], resize_to: int | None
) -> Fields:  # fmt: skip
    """Fields for an own contract, with statistics of the training split alone."""
    statistics = channel_statistics(samples, splits.train)
    depths = pc.unique(pc.struct_field(samples.table["image"].combine_chunks(), "bits").drop_null()).to_pylist()
    return {
        **_resize_edge(resize_to or min(size)), "size": tuple(size), "mean": statistics.mean, "std": statistics.std,
        "color_mode": _color_mode(statistics.channels),
        "bits": tuple(sorted({16 if b > 8 else 8 for b in depths})) or (8,),
        "classes": samples.classes.ids, "origin": f"training split of {samples.name}, n={statistics.num_images}",
    }  # fmt: skip


def _resize_edge(pixels: int) -> Fields:
    return {"resize": "shortest", "resize_to": int(pixels)}


def _color_mode(channels: int) -> str:
    if channels not in {1, 3}:
        raise ContractError(f"Inputs of {channels} channels are not known; wanted 3 (RGB) or 1 (L).")
    return "RGB" if channels == 3 else "L"


def _interpolation(name: str | int) -> str:
    known = PILLOW_CODES.get(name, str(name)) if isinstance(name, int) else name.removesuffix("-exact")
    if known not in PILLOW_CODES.values():
        raise ContractError(f"Interpolation {name!r} is not known.{did_you_mean(known, PILLOW_CODES.values())}")
    return known
