from __future__ import annotations

from typing import Any

import pytest

from sightline import recipes
from sightline.errors import RecipeError
from sightline.recipes import AdamW, Epochs, Recipe, Sgd, Steps
from sightline.recipes.recipe import PARTS


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("optimizer.weight_decay=0.2", "optimizer.weight_decay", 0.2),
        ("optimizer.lr=1", "optimizer.lr", 1.0),
        ("optimizer=Sgd(lr=0.3, nesterov=true)", "optimizer", Sgd(lr=0.3, nesterov=True)),
        ("optimizer=AdamW", "optimizer", AdamW()),
        ("duration=Epochs(5)", "duration", Epochs(5)),
        ("duration=Steps(7)", "duration", Steps(7)),
        ("duration.epochs=2.5", "duration", Epochs(2.5)),
        ("clip_norm=1e0", "clip_norm", 1.0),
        ("clip_norm=none", "clip_norm", None),
        ("size=(32, 24)", "size", (32, 24)),
        ("precision=bfloat16", "precision", "bfloat16"),
        ("model.name=timm:resnet18.a1_in1k", "model.name", "timm:resnet18.a1_in1k"),
        ("model.name=my_nets:tiny", "model.name", "my_nets:tiny"),
        ("model.options.dropout=0.5", "model.options", {"dropout": 0.5}),
        ("model.pretrained=false", "model.pretrained", False),
        (" loss.label_smoothing = 0.05 ", "loss.label_smoothing", 0.05),
    ],
)
def test_set_changes_one_field(assignment: str, path: str, value: Any) -> None:
    before = recipes.get("digits.fast")
    after = before.with_set(assignment)
    got: Any = after
    for step in path.split("."):
        got = getattr(got, step)
    assert got == value
    assert type(got) is type(value)
    assert before == recipes.get("digits.fast"), "the recipe it came from is untouched"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("optimiser.lr=1", "has no field 'optimiser'. Did you mean 'optimizer'?"),
        ("optimizer.momentun=0.5", "has no field 'momentun'"),
        ("optimizer.lr=fast", "lr must be a number, got 'fast'"),
        ("optimizer.lr=-1", "lr must be > 0, got -1"),
        ("optimizer.lr=true", "lr must be a number, got True"),
        ("batch_size=2.5", "batch_size must be a whole number, got 2.5"),
        ("precision=float16", "precision must be 'auto' or 'float32' or 'bfloat16', got 'float16'"),
        ("duration=Epoch(5)", "no part 'Epoch'. Did you mean 'Epochs'?"),
        ("duration=5", "duration must be Epochs(…) or Steps(…), got 5"),
        ("duration=Epochs(0)", "duration must be longer than nothing"),
        ("duration=Epochs(-1)", "must be ≥ 0"),
        ("optimizer=AdamW(lr=1, speed=2)", "AdamW has no field 'speed'"),
        ("batch_size", "FIELD=VALUE"),
        ("batch_size=", "FIELD=VALUE"),
        ("batch_size.x=1", "has no fields"),
        ("size=none", "size is none"),
        ("crop_fraction=1.5", "crop_fraction lies in (0, 1]"),
    ],
)
def test_what_cannot_be_set_says_why(assignment: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.get("digits.fast").with_set(assignment)
    assert message in str(caught.value)


def test_text_is_never_run() -> None:
    with pytest.raises(RecipeError, match="no part '__import__'"):
        recipes.get("digits.fast").with_set("name=__import__('os')")
    assert recipes.get("digits.fast").with_set("name=open('x').read()").name == "open('x').read()"


def test_json_with_unknown_parts_or_fields_is_refused() -> None:
    data = recipes.get("cifar10.fast").to_json()
    with pytest.raises(RecipeError, match="no part of type 'Adam'"):
        Recipe.from_json({**data, "optimizer": {"type": "Adam", "lr": 1.0}})
    with pytest.raises(RecipeError, match="Recipe has no field 'epochs'"):
        Recipe.from_json({**data, "epochs": 3})
    with pytest.raises(RecipeError, match="Recipe needs model"):
        Recipe.from_json({k: v for k, v in data.items() if k != "model"})
    with pytest.raises(RecipeError, match="type 'Recipe', got 'Sgd'"):
        Recipe.from_json({"type": "Sgd"})


def test_every_part_is_known_by_its_name() -> None:
    assert all(PARTS[name].__name__ == name for name in PARTS)
