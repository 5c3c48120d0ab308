"""Names to networks: two small ones of our own, timm first, torchvision second, `module:function` for one's own."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sightline.errors import MissingExtraError, RecipeError, did_you_mean
from sightline.networks import SmallCNN, WhitenedCNN
from sightline.preprocessing import Preprocessing
from sightline.recipes import Model, Recipe
from sightline.samples import SampleTable
from sightline.splits import Splits

OWN: Mapping[str, Callable[..., nn.Module]] = {"small_cnn": SmallCNN, "whitened_cnn": WhitenedCNN}


def build(model: Model, num_classes: int, in_channels: int, *, seed: int = 0, with_weights: bool = True) -> nn.Module:
    """The network that a name means, for `num_classes`; its random weights depend on `seed` alone.

    `with_weights=False` leaves out the download of pretrained weights: a checkpoint's own follow. Raises RecipeError
    for an unknown name, options the network does not take, and weights that cannot be fetched.
    """
    library, name = _resolve(model.name)
    pretrained = model.pretrained and with_weights
    if model.pretrained and library not in ("timm", "torchvision"):
        raise RecipeError(f"model {model.name!r} has no published weights; use a timm or torchvision name, such as "
                          "timm:resnet18.a1_in1k, or pretrained=false.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            built = _MAKERS[library](name, num_classes, in_channels, pretrained, dict(model.options))
        except TypeError as e:
            raise RecipeError(f"model {model.name!r} was not made with the options {dict(model.options)}: {e}") from e
    if model.trainable == "head":
        freeze(built, model.name)
    return built


def _resolve(name: str) -> tuple[str, str]:
    library, colon, rest = name.partition(":")
    if colon:
        return (library, rest) if library in ("timm", "torchvision") else ("own", name)
    if name in OWN:
        return "sightline", name
    timm, torchvision = _timm(), _torchvision()
    if timm.is_model(name.split(".")[0]):
        return "timm", name
    if name in torchvision.list_models(module=torchvision):
        return "torchvision", name
    raise RecipeError(f"no model is called {name!r} in sightline, timm or torchvision."
                      f"{_suggestion(name, [*OWN, *timm.list_models()])} One's own is given as module:function.")


def _suggestion(name: str, known: list[str]) -> str:
    hint = did_you_mean(name, known)
    return hint if hint.startswith(" Did") else f" Own: {', '.join(OWN)}; timm has {len(known) - len(OWN):,}."


def _make_sightline(name: str, num_classes: int, in_channels: int, _: bool, options: dict[str, Any]) -> nn.Module:
    return OWN[name](num_classes, in_channels, **options)


def _make_timm(name: str, num_classes: int, in_channels: int, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    timm = _timm()
    if not timm.is_model(name.split(".")[0]):
        raise RecipeError(f"timm has no model {name!r}.{_suggestion(name, timm.list_models())}")
    try:
        model: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=num_classes,
                                             in_chans=in_channels, **options)  # fmt: skip
    except (OSError, RuntimeError, ValueError) as e:
        if not pretrained:
            raise RecipeError(f"timm could not make {name!r}: {e}") from e
        raise _no_weights(name, e) from e
    return model


def _make_torchvision(
    name: str, num_classes: int, in_channels: int, pretrained: bool, options: dict[str, Any]
) -> nn.Module:
    torchvision = _torchvision()
    known = torchvision.list_models(module=torchvision)
    if name not in known:
        raise RecipeError(f"torchvision has no classification model {name!r}.{did_you_mean(name, known)}")
    if in_channels != 3:
        raise RecipeError(f"torchvision models take 3 channels, got {in_channels}; set color_mode=RGB, or use timm.")
    if not pretrained:
        plain: nn.Module = torchvision.get_model(name, weights=None, num_classes=num_classes, **options)
        return plain
    try:
        model = torchvision.get_model(name, weights="DEFAULT", **options)
    except (OSError, RuntimeError, ValueError) as e:
        raise _no_weights(name, e) from e
    return _with_new_classifier(model, num_classes, name)


def _make_own(name: str, num_classes: int, in_channels: int, _: bool, options: dict[str, Any]) -> nn.Module:
    module_name, _colon, function = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a file beside the person, as with `python -m`
    try:
        make = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as e:
        raise RecipeError(f"model {name!r}: {e}. It must be module:function, importable from here, called with "
                          "(num_classes, in_channels, **options).") from e
    model = make(num_classes, in_channels, **options)
    if not isinstance(model, nn.Module):
        raise RecipeError(f"model {name!r} returned a {type(model).__name__}, wanted a torch.nn.Module.")
    return model


_MAKERS = {"sightline": _make_sightline, "timm": _make_timm, "torchvision": _make_torchvision, "own": _make_own}


def _with_new_classifier(model: nn.Module, num_classes: int, name: str) -> nn.Module:
    linear = [(path, m) for path, m in model.named_modules() if isinstance(m, nn.Linear)]
    if not linear:
        raise RecipeError(f"torchvision:{name} has no linear classifier to replace; use timm, or pretrained=false.")
    path, last = linear[-1]
    owner, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(owner), leaf, nn.Linear(last.in_features, num_classes, bias=last.bias is not None))
    return model


def _no_weights(name: str, error: Exception) -> RecipeError:
    first = str(error).strip().split("\n")[0]
    return RecipeError(f"the pretrained weights of {name!r} could not be fetched ({type(error).__name__}: {first}). "
                       "Connect to the network once (they are cached afterwards), name weights that exist, or train "
                       "without --pretrained.")


def pretrained_preprocessing(model: Model) -> Preprocessing:
    """The preprocessing contract of the weights that a pretrained model starts from. Needs no network."""
    library, name = _resolve(model.name)
    if library == "timm":
        return Preprocessing.from_timm(name)
    if library == "torchvision":
        return Preprocessing.from_torchvision(_torchvision().get_model_weights(name).DEFAULT)
    raise RecipeError(f"model {model.name!r} has no published weights and so no preprocessing of theirs.")


def contract_of(recipe: Recipe, samples: SampleTable, splits: Splits) -> Preprocessing:
    """The preprocessing contract of a training: the pretrained weights' own, else from the training split."""
    if recipe.model.pretrained:
        contract = pretrained_preprocessing(recipe.model).with_classes(samples.classes.ids)
        return contract if recipe.size is None else contract.at_size(recipe.size)
    assert recipe.size is not None
    to = round(min(recipe.size) / recipe.crop_fraction)
    contract = Preprocessing.from_training_split(samples, splits, recipe.size, resize_to=to)
    if recipe.color_mode == "RGB" and contract.color_mode == "L":
        return replace(contract, color_mode="RGB", mean=contract.mean * 3, std=contract.std * 3)
    return contract


def head_of(module: nn.Module) -> nn.Module | None:
    """The classifier: what timm's `get_classifier` or an attribute `head` names, else the last linear layer."""
    ask: Any = getattr(module, "get_classifier", None)
    named = ask() if callable(ask) else getattr(module, "head", None)
    if isinstance(named, nn.Module) and any(True for _ in named.parameters()):
        return named
    linear = [m for m in module.modules() if isinstance(m, nn.Linear)]
    return linear[-1] if linear else None


def freeze(module: nn.Module, name: str) -> None:
    """Leave the classifier alone trainable. Raises RecipeError for a network without one."""
    head = head_of(module)
    if head is None:
        raise RecipeError(f"model {name!r} has no classifier that could be trained alone; use model.trainable=all.")
    module.requires_grad_(False)
    head.requires_grad_(True)


def set_training(module: nn.Module, trainable: str) -> None:
    """Put the trainable part into training mode; a frozen part stays in evaluation mode, its statistics untouched."""
    module.train(trainable == "all")
    head = head_of(module)
    if head is not None:
        head.train()


def source_of(module: nn.Module, name: str) -> str:
    """Where a network's code came from: a library and its version, or the sha256 of the file that defines its class."""
    library = _resolve(name)[0] if not name.startswith("object:") else "own"
    if library != "own":
        return f"{library} {_version(library)}"
    path = inspect.getsourcefile(type(module))
    if path is None or not Path(path).exists():
        return "source unknown"  # defined at a prompt
    return f"sha256:{hashlib.sha256(Path(path).read_bytes()).hexdigest()}"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise MissingExtraError("timm", "train", "A timm model") from None
    return timm


def _torchvision() -> Any:
    try:
        from torchvision import models
    except ImportError:
        raise MissingExtraError("torchvision", "train", "A torchvision model") from None
    return models
