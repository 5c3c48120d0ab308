"""The checklist: each line passes on a sound training, and each mistake is caught by the line meant for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import nn

from sightline import augmentation
from sightline.checklist import Check, Checklist
from sightline.checks import check, timing
from sightline.checks.case import Case
from sightline.checks.going_through import LINES
from sightline.distributed import World
from sightline.errors import SightlineError
from sightline.ledger import own_log
from sightline.recipes import RECIPES, AdamW, CrossEntropy, Ema, Epochs, Model, Sgd, Steps, TrainSize, WarmupCosine
from sightline.samples import SCHEMA, SampleTable
from sightline.splits import Splits, split
from tests.inference.material import contract_for
from tests.training.material import recipe, stripes

SOUND: dict[str, Any] = {"duration": Epochs(60), "schedule": WarmupCosine(warmup=Epochs(6))}


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "BUDGET_S", 0.2)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    return stripes(tmp_path_factory.mktemp("stripes"), n=900)


@pytest.fixture(scope="module")
def splits(samples: SampleTable) -> Splits:
    return split(samples, val=0.25, test=0.2, seed=0)


def line(checklist: Checklist, name: str) -> Check:
    return next(c for c in checklist.checks if c.name == name)


def test_a_sound_training_passes_every_line(samples: SampleTable, splits: Splits) -> None:
    made = check(recipe(**SOUND), samples, splits, device="cpu")
    assert [str(c) for c in made.checks if c.level != "pass"] == []
    assert made.is_good
    assert len(made.checks) == len(LINES) + 2
    assert len({c.name for c in made.checks}) == len(made.checks)
    assert {"training_min", "images_per_s", "memory_mib", "updates", "device"} == set(made.estimate)
    assert float(made.estimate["training_min"]) > 0


def test_nothing_is_changed_by_it(samples: SampleTable, splits: Splits) -> None:
    """The random state is the person's, and the test split stays sealed."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    check(recipe(**SOUND), samples, splits, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert not own_log().exists()


def test_without_measuring_there_is_no_estimate(samples: SampleTable, splits: Splits) -> None:
    made = check(recipe(**SOUND), samples, splits, device="cpu", measure=False)
    assert made.estimate == {}
    assert len(made.checks) == len(LINES)


MISTAKES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("optimizer", "warn", "outside of the usual", {"optimizer": Sgd(lr=50.0)}),
    ("optimizer", "warn", "outside of the usual", {"optimizer": AdamW(lr=0.5)}),
    ("schedule", "warn", "updates in 1 epochs", {"duration": Steps(20), "schedule": WarmupCosine(warmup=Steps(2))}),
    ("schedule", "warn", "0 of warm-up", {"optimizer": AdamW(lr=1e-3), "schedule": WarmupCosine(warmup=Steps(0))}),
    ("schedule", "fail", "the peak is never reached", {"schedule": WarmupCosine(warmup=Epochs(90))}),
    ("batch size", "warn", "only 495 training images", {"batch_size": 4096}),
    ("batch size", "warn", "1 updates an epoch", {"batch_size": 400}),
    ("lr scaling", "warn", "linear", {"optimizer": AdamW(lr=1e-3, reference_batch_size=1024)}),
    ("transforms", "warn", "32×32 in evaluation", {"size": (32, 32)}),
    ("transforms", "warn", "4×4 at the end", {"train_sizes": (TrainSize(start=0, size=(4, 4)),)}),
    ("augmentation", "warn", "the same pixels", {"augmentation": augmentation.none()}),
    ("weights", "fail", "classifier alone", {"model": Model(name="small_cnn", trainable="head")}),
    ("regularization", "warn", "label smoothing 0.2", {
        "duration": Epochs(8), "schedule": WarmupCosine(warmup=Epochs(1)), "loss": CrossEntropy(label_smoothing=0.2),
        "model": Model(name="small_cnn", options={"width": 8, "dropout": 0.5}),
    }),
    ("regularization", "warn", "looks back 100,000", {"ema": Ema(decay=0.99999)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "level", "said", "changes"), MISTAKES)
def test_mistakes_are_caught_by_their_line(
    samples: SampleTable, splits: Splits, name: str, level: str, said: str, changes: dict[str, Any]
) -> None:
    found = line(check(recipe(**{**SOUND, **changes}), samples, splits, device="cpu", measure=False), name)
    assert (found.level, said in found.message) == (level, True), found
    assert found.todo


def test_linear_scaling_is_told(samples: SampleTable, splits: Splits) -> None:
    told = recipe(**SOUND, optimizer=Sgd(lr=0.1, reference_batch_size=256), batch_size=64)
    assert line(check(told, samples, splits, measure=False), "lr scaling").message == "linear: 0.1 × 64 / 256 = 0.025"


class Attention(nn.MultiheadAttention):
    pass


def test_attention_wants_clipping(samples: SampleTable, splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    attending = nn.Sequential(nn.Conv2d(1, 4, 3), Attention(4, 2))
    monkeypatch.setattr("sightline.models.build", lambda *_, **__: attending)
    assert line(check(recipe(**SOUND), samples, splits, measure=False), "clipping").level == "warn"
    assert line(check(recipe(**SOUND, clip_norm=1.0), samples, splits, measure=False), "clipping").level == "pass"


def test_flips_on_digits(samples: SampleTable) -> None:
    digits = SampleTable(samples.table, samples.classes, "digits", samples.roots)
    made = split(digits, val=0.25, test=0.2)
    flipped = recipe(**SOUND, augmentation=augmentation.small((8, 8), padding=1, flip=True))
    found = line(check(flipped, digits, made, measure=False), "augmentation")
    assert (found.level, "no flips" in found.message) == ("warn", True)


def changed(samples: SampleTable, column: str, values: Callable[[int], Any]) -> SampleTable:
    i = SCHEMA.get_field_index(column)
    array = pa.array([values(j) for j in range(len(samples))], SCHEMA.field(i).type)
    table = samples.table.set_column(i, SCHEMA.field(i), array)
    return SampleTable(table, samples.classes, samples.name, samples.roots)


def test_layout_of_another_table(samples: SampleTable, splits: Splits) -> None:
    other = changed(samples, "time", lambda _: 0)
    assert line(check(recipe(**SOUND), other, splits, measure=False), "layout").level == "fail"


def test_many_unreadable(tmp_path: Path) -> None:
    broken = stripes(tmp_path, n=300, unreadable=tuple(range(0, 60, 3)))
    found = line(check(recipe(**SOUND), broken, split(broken, val=0.2, test=0.2), measure=False), "layout")
    assert (found.level, found.message) == ("warn", "300 samples, 20 of them unreadable")


def test_imbalance_and_rare_classes(samples: SampleTable) -> None:
    rare = changed(samples, "label", lambda j: 0 if j < 890 else 1 + j % 2)
    found = line(check(recipe(**SOUND), rare, split(rare, val=0.2, test=0.2), measure=False), "classes")
    assert (found.level, "rare" in found.todo) == ("warn", True)
    uneven = changed(samples, "label", lambda j: 0 if j < 800 else 1 + j % 2)
    found = line(check(recipe(**SOUND), uneven, split(uneven, val=0.2, test=0.2), measure=False), "classes")
    assert (found.level, "outweighs" in found.message) == ("warn", True)


def test_no_val_and_a_small_val(samples: SampleTable) -> None:
    found = line(check(recipe(**SOUND), samples, split(samples, val=0.0, test=0.2), measure=False), "split")
    assert (found.level, "the last checkpoint" in found.message) == ("warn", True)
    found = line(check(recipe(**SOUND), samples, split(samples, val=0.05, test=0.2), measure=False), "split")
    assert (found.level, "noise" in found.message) == ("warn", True)
    found = line(check(recipe(**SOUND), samples, split(samples, val=0.25, test=0.0), measure=False), "split")
    assert "selected on val" in found.message


def with_bits(samples: SampleTable, bits: int) -> SampleTable:
    rows = samples.table["image"].to_pylist()
    image = pa.array([{**r, "bits": bits} for r in rows], SCHEMA.field("image").type)
    table = samples.table.set_column(SCHEMA.get_field_index("image"), SCHEMA.field("image"), image)
    return SampleTable(table, samples.classes, samples.name, samples.roots)


def test_deep_images_under_a_shallow_contract(
    samples: SampleTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16-bit scans on weights made for 8 bits."""
    deep = with_bits(samples, 16)
    contract = contract_for(samples)
    monkeypatch.setattr("sightline.models.contract_of", lambda *_: contract)
    found = line(check(recipe(**SOUND), deep, split(deep, val=0.25, test=0.2), measure=False), "pixels")
    assert (found.level, "495 images of 16 bits" in found.message) == ("fail", True)


def test_normalization_of_another_kind_of_images(
    samples: SampleTable, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark = replace(contract_for(samples), mean=(0.95,), std=(0.1,))
    monkeypatch.setattr("sightline.models.contract_of", lambda *_: dark)
    found = line(check(recipe(**SOUND), samples, splits, measure=False), "normalization")
    assert (found.level, "training images have mean" in found.message) == ("warn", True)


def test_a_recipe_that_cannot_be_built_is_one_failing_line(samples: SampleTable, splits: Splits) -> None:
    made = check(recipe(**SOUND, model=Model(name="small_cn")), samples, splits)
    assert [c.level for c in made.checks] == ["fail"]
    assert "small_cn" in made.checks[0].message
    assert not made.is_good


def test_a_device_that_is_not_there(samples: SampleTable, splits: Splits) -> None:
    with pytest.raises(SightlineError, match="no device 'gpu'"):
        check(recipe(**SOUND), samples, splits, device="gpu")


def test_a_loss_that_is_no_number_fails(
    samples: SampleTable, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: Any) -> torch.Tensor:
        return torch.tensor(float("nan"))

    monkeypatch.setattr(timing, "train_step", step)
    made = check(recipe(**SOUND), samples, splits, device="cpu")
    assert line(made, "first updates").level == "fail"
    assert not made.is_good


def test_a_model_of_the_wrong_width_fails(
    samples: SampleTable, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    monkeypatch.setattr("sightline.models.build", lambda *_, **__: wrong)
    made = check(recipe(**SOUND), samples, splits, device="cpu")
    assert "logits of shape" in line(made, "first updates").message


def test_what_does_not_fit_fails_with_advice(
    samples: SampleTable, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: Any) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(timing, "train_step", step)
    found = line(check(recipe(**SOUND), samples, splits, device="cpu"), "memory")
    assert (found.level, found.todo) == ("fail", "Set micro_batch_size=4.")


def test_progressive_sizes_are_all_timed(
    samples: SampleTable, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    real = timing.train_step

    def step(fit: Any, images: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.append(tuple(images.shape[2:]))
        return real(fit, images, *rest)

    monkeypatch.setattr(timing, "train_step", step)
    sizes = (TrainSize(start=0, size=(6, 6)), TrainSize(start=0.5, size=(8, 8)))
    check(recipe(**SOUND, train_sizes=sizes), samples, splits, device="cpu")
    assert set(seen) == {(6, 6), (8, 8)}


def test_cache_counts_whole_images_where_crops_are_cut_from_them(samples: SampleTable, splits: Splits) -> None:
    contract = contract_for(samples, (4, 4))
    case = Case(recipe=recipe(size=(4, 4)), samples=samples.hashed(), splits=splits, contract=contract,
                module=nn.Identity(), device=torch.device("cpu"), world=World())  # fmt: skip
    assert timing._cache_bytes(case) == 495 * 4 * 4
    crops = replace(case, recipe=recipe(size=(4, 4), augmentation=augmentation.photograph((4, 4))))
    assert timing._cache_bytes(crops) == 495 * 8 * 8


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_of_the_project_pass_their_own_checklist(name: str, samples: SampleTable, splits: Splits) -> None:
    """The lines about fitting alone: the data here are not theirs."""
    made = RECIPES[name]()
    if made.model.pretrained:
        pytest.skip("its contract and weights belong to files that may not be here")
    found = check(made, samples, splits, device="cpu", measure=False)
    for wanted in ("optimizer", "lr scaling", "clipping", "regularization", "seed", "files"):
        assert line(found, wanted).level == "pass", line(found, wanted)


def test_distributed_shares(samples: SampleTable, splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "32")
    monkeypatch.setenv("RANK", "0")
    assert line(check(recipe(**SOUND), samples, splits, measure=False), "processes").level == "fail"
    monkeypatch.setenv("WORLD_SIZE", "3")
    told = line(check(recipe(**SOUND), samples, splits, measure=False), "processes").message
    assert told == "3, up to 6 samples of a batch each, gradients summed, batch statistics over all"
