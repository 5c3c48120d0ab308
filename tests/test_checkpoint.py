from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from sightline import checkpoint, models, recipes
from sightline.checkpoint import Checkpoint
from sightline.errors import ContractError, DataError, RecipeError, VersionError
from sightline.preprocessing import Preprocessing
from sightline.recipes import Model

NAMES = ("zero", "one", "two")


def _made(model: Model | None = None, **changes: object) -> Checkpoint:
    recipe = replace(recipes.get("digits.fast"), model=model or Model(name="small_cnn"))
    net = models.build(recipe.model, 3, 1, seed=4) if not recipe.model.name.startswith("object:") else nn.Linear(1, 3)
    contract = Preprocessing(size=(8, 8), mean=(0.3,), std=(0.2,), color_mode="L", resize_to=8, classes=("0", "1", "2"))
    made = Checkpoint(
        recipe=recipe, preprocessing=contract, class_names=NAMES, weights=net.state_dict(),
        source=models.source_of(net, recipe.model.name), digests={"samples": "a", "splits": "b", "run": "c"}, step=12,
        val_top1=0.5,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_everything_comes_back(tmp_path: Path) -> None:
    made = _made(resume={"position": {"epoch": 1}, "weights": {"w": torch.ones(2)}, "optimizers": [{"state": {}}]})
    checkpoint.save(tmp_path / "a.pt", made)
    back = checkpoint.load(tmp_path / "a.pt")
    for name in ("recipe", "preprocessing", "class_names", "source", "digests", "step", "val_top1"):
        assert getattr(back, name) == getattr(made, name)
    assert back.weights_digest == made.weights_digest
    assert back.resume is not None
    assert torch.equal(back.resume["weights"]["w"], torch.ones(2))
    net, images = back.build(), torch.randn(2, 1, 8, 8)
    assert not net.training
    with torch.no_grad():
        assert torch.equal(net(images), models.build(made.recipe.model, 3, 1, seed=4).eval()(images))


def test_the_digest_sees_every_bit_and_every_name() -> None:
    made = _made()
    name, first = next(iter(made.weights.items()))
    moved = first.clone()
    moved.view(-1)[0] = torch.nextafter(moved.view(-1)[0], torch.tensor(9.0))
    others = [
        {**made.weights, name: moved},
        {("x" + k): v for k, v in made.weights.items()},
        {**made.weights, name: first.reshape(-1)},
        {**made.weights, name: first.double()},
    ]
    assert len({replace(made, weights=w).weights_digest for w in others} | {made.weights_digest}) == 5


def test_a_kill_while_writing_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, _made(step=1))

    def killed(data: object, target: Path) -> None:
        Path(target).write_bytes(b"half a checkp")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, _made(step=2))
    assert checkpoint.load(path).step == 1
    assert os.listdir(tmp_path) == ["last.pt"]


def test_a_full_disk_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(data: object, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DataError, match="No space left on device"):
        checkpoint.save(tmp_path / "last.pt", _made())
    assert os.listdir(tmp_path) == []


class _Touch:
    """Runs code when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (os.system, (f"touch {self.path}",))  # type: ignore[return-value]


@pytest.mark.parametrize("how", ["pickle", "torch", "noise", "empty", "cut", "foreign"])
def test_other_bytes_are_refused_and_never_run(how: str, tmp_path: Path) -> None:
    path, trace = tmp_path / "x.pt", tmp_path / "trace"
    if how == "pickle":
        path.write_bytes(pickle.dumps(_Touch(trace)))
    elif how == "torch":
        torch.save({"sightline_checkpoint": 1, "weights": _Touch(trace)}, path)
    elif how == "noise":
        path.write_bytes(bytes(range(256)) * 9)
    elif how == "empty":
        path.touch()
    elif how == "cut":
        checkpoint.save(path, _made())
        path.write_bytes(path.read_bytes()[:-2000])
    else:
        torch.save({"weights": {}}, path)
    with pytest.raises(DataError, match=r"no checkpoint of Sightline|not a checkpoint of Sightline"):
        checkpoint.load(path)
    assert not trace.exists()


def test_absent_and_newer_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        checkpoint.load(tmp_path / "none.pt")
    torch.save({"sightline_checkpoint": checkpoint.VERSION + 1}, tmp_path / "new.pt")
    with pytest.raises(VersionError, match="newer version"):
        checkpoint.load(tmp_path / "new.pt")


def test_weights_of_another_network_are_refused() -> None:
    made = _made()
    with pytest.raises(ContractError, match="do not fit the network 'small_cnn'"):
        replace(made, preprocessing=made.preprocessing.with_classes(("0", "1"))).build()
    with pytest.raises(ContractError, match="do not fit"):
        made.build(nn.Linear(2, 2))


def test_an_object_must_be_given_again_and_a_changed_source_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ContractError, match=r"was an object \(my.Net\); pass model="):
        _made(Model(name="object:my.Net")).build()
    assert isinstance(_made(Model(name="object:my.Net")).build(nn.Linear(1, 3)), nn.Linear)
    source = tmp_path / "net_for_checkpoint_tests.py"
    source.write_text("from torch import nn\nclass N(nn.Linear):\n    def __init__(s, k, c): super().__init__(c, k)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = _made(Model(name="net_for_checkpoint_tests:N"))
    assert made.build() is not None
    source.write_text(source.read_text() + "# another\n")
    with pytest.raises(ContractError, match="has changed since training"):
        made.build()
    assert made.build(nn.Linear(1, 3)) is not None
    with pytest.raises(RecipeError):
        _made(Model(name="net_that_is_gone:N"), source="sha256:0")
