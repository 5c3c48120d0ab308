"""A checkpoint: weights with all they need to be used honestly; written whole, read without running its bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from sightline import models
from sightline.artifacts import require_known, written_whole
from sightline.errors import ContractError, DataError
from sightline.preprocessing import Preprocessing
from sightline.recipes import Recipe

VERSION = 1
"""Version of the file's layout; a newer one is refused."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """Weights, the contract of their input, the classes of their output, and where they come from."""

    recipe: Recipe
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    """Names for people, in the order of `preprocessing.classes`."""
    weights: Mapping[str, Tensor]
    """The state_dict to predict with: the averaged one where the recipe averages."""
    source: str
    """Where the network's code came from, as `models.source_of` says."""
    digests: Mapping[str, str]
    """Of the samples, the splits, the run, and the test split that was left alone ("" without one)."""
    step: int
    """Updates made."""
    val_top1: float | None = None
    """Val top-1 of these weights, if there is a val split and they were validated."""
    resume: Mapping[str, Any] | None = None
    """What continuing needs (last.pt only): raw weights, optimizers, position, running sums."""

    def build(self, model: nn.Module | None = None) -> nn.Module:
        """The network with these weights, in evaluation mode; `model` is the object itself where no name can make it.

        Raises ContractError when the network is not the one the weights belong to.
        """
        if model is None:
            name = self.recipe.model.name
            if name.startswith("object:"):
                raise ContractError(f"this checkpoint's model was an object ({name.removeprefix('object:')}); "
                                    "pass model= again, or train it as module:function so that a name can build it.")
            classes, channels = len(self.preprocessing.classes), self.preprocessing.num_channels
            model = models.build(self.recipe.model, classes, channels, with_weights=False)
            now = models.source_of(model, name)
            if now.startswith("sha256:") and now != self.source:
                raise ContractError(f"the source of {name} has changed since training ({self.source[:19]}… then, "
                                    f"{now[:19]}… now), so its weights may mean something else. Restore the file, "
                                    "train again, or pass model= to use it all the same.")
        try:
            model.load_state_dict(dict(self.weights), strict=True)
        except RuntimeError as e:
            reason = " ".join(str(e).split())[:300]
            raise ContractError(f"the weights do not fit the network {self.recipe.model.name!r}: {reason}") from e
        return model.eval()

    @property
    def weights_digest(self) -> str:
        """sha256 over names, types, shapes and bytes of the weights, hex."""
        h = hashlib.sha256()
        for name in sorted(self.weights):
            t = self.weights[name].detach().cpu().contiguous()
            h.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
            h.update(t.reshape(-1).view(torch.uint8).numpy().tobytes())
        return h.hexdigest()


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole: a kill or a full disk leaves the former file as it was."""
    data = {
        "sightline_checkpoint": VERSION,
        "recipe": json.dumps(checkpoint.recipe.to_json()),
        "preprocessing": json.dumps(checkpoint.preprocessing.to_json()),
        "class_names": list(checkpoint.class_names),
        "weights": {k: v.detach().cpu() for k, v in checkpoint.weights.items()},
        "source": checkpoint.source,
        "digests": dict(checkpoint.digests),
        "step": checkpoint.step,
        "val_top1": checkpoint.val_top1,
        "resume": checkpoint.resume,
    }
    with written_whole(path) as temporary:
        torch.save(data, temporary)


def load(path: str | Path) -> Checkpoint:
    """The checkpoint in a file, on the CPU; the bytes are data, nothing in them is run.

    Raises DataError when it is absent or is no checkpoint of Sightline, VersionError when it is newer.
    """
    path = Path(path)
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Checkpoints lie in STUDY/runs/<digest>/best.pt.") from None
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as e:
        raise DataError(f"{path} is not a checkpoint of Sightline, or damaged ({type(e).__name__}). Train again, "
                        "or give best.pt of a run.") from e
    if not isinstance(data, dict) or "sightline_checkpoint" not in data:
        raise DataError(f"{path} is no checkpoint of Sightline: it has no preprocessing and no classes. Give a run's "
                        "best.pt.")
    require_known(data["sightline_checkpoint"], VERSION, path)
    return Checkpoint(
        recipe=Recipe.from_json(json.loads(data["recipe"])),
        preprocessing=Preprocessing.from_json(json.loads(data["preprocessing"])),
        class_names=tuple(data["class_names"]),
        weights=data["weights"],
        source=data["source"],
        digests=data["digests"],
        step=data["step"],
        val_top1=data["val_top1"],
        resume=data["resume"],
    )
