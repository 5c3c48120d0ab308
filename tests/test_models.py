from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sightline import models
from sightline.errors import RecipeError
from sightline.preprocessing import Preprocessing
from sightline.recipes import Model


def _numbers(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()])


@pytest.mark.parametrize(
    ("name", "channels", "size"),
    [
        ("small_cnn", 1, 8), ("small_cnn", 3, 28), ("whitened_cnn", 3, 32), ("whitened_cnn", 1, 32),
        ("timm:resnet18", 1, 32), ("resnet18", 3, 32),
        ("torchvision:mobilenet_v3_small", 3, 64), ("mnasnet0_5", 3, 64),
    ],
)  # fmt: skip
def test_names_make_networks_that_depend_on_the_seed_alone(name: str, channels: int, size: int) -> None:
    torch.manual_seed(5)
    first = models.build(Model(name=name), 7, channels, seed=3)
    state = torch.get_rng_state()
    torch.manual_seed(99)
    second = models.build(Model(name=name), 7, channels, seed=3)
    other = models.build(Model(name=name), 7, channels, seed=4)
    assert torch.equal(_numbers(first), _numbers(second))
    assert not torch.equal(_numbers(first), _numbers(other))
    torch.manual_seed(5)
    assert torch.equal(state, torch.get_rng_state()), "the caller's random state is left alone"
    with torch.no_grad():
        assert first.eval()(torch.zeros(2, channels, size, size)).shape == (2, 7)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model(name="resnet81"), "Did you mean 'resnet"),
        (Model(name="timm:resnet81"), "timm has no model 'resnet81'. Did you mean"),
        (Model(name="torchvision:resnet81"), "no classification model 'resnet81'"),
        (Model(name="no_such_module:net"), "must be module:function"),
        (Model(name="json:dumps"), "json:dumps"),
        (Model(name="small_cnn", pretrained=True), "no published weights"),
        (Model(name="small_cnn", options={"widht": 3}), "widht"),
        (Model(name="timm:resnet18", options={"no_such_option": 3}), "no_such_option"),
        (Model(name="tests.test_models:not_a_network"), "returned a int"),
    ],
)
def test_mistakes_are_messages(model: Model, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        models.build(model, 3, 1)
    assert message in str(caught.value)


def not_a_network(num_classes: int, in_channels: int) -> int:
    return num_classes


def test_torchvision_takes_colour_only() -> None:
    with pytest.raises(RecipeError, match="3 channels, got 1"):
        models.build(Model(name="torchvision:resnet18"), 3, 1)


def test_ones_own_module_function_and_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own_net_for_tests.py"
    path.write_text(
        "from torch import nn\n"
        "class Own(nn.Module):\n"
        "    def __init__(self, k, c, width=4):\n"
        "        super().__init__()\n"
        "        self.body, self.last = nn.Conv2d(c, width, 3), nn.Linear(width, k)\n"
        "    def forward(self, x):\n"
        "        return self.last(self.body(x).mean((2, 3)))\n"
        "def make(num_classes, in_channels, width=4):\n"
        "    return Own(num_classes, in_channels, width)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    net = models.build(Model(name="own_net_for_tests:make", options={"width": 6}), 5, 1)
    assert models.head_of(net) is net.last
    before = models.source_of(net, "own_net_for_tests:make")
    assert before.startswith("sha256:")
    path.write_text(path.read_text() + "# changed\n")
    assert models.source_of(net, "own_net_for_tests:make") != before
    sys.modules.pop("own_net_for_tests")


@pytest.mark.parametrize(
    ("name", "origin"), [("small_cnn", "sightline "), ("timm:resnet18", "timm "), ("resnet18", "timm ")]
)
def test_library_networks_name_library_and_version(name: str, origin: str) -> None:
    net = models.build(Model(name=name), 3, 3)
    assert models.source_of(net, name).startswith(origin)
    assert models.source_of(net, name)[-1].isdigit()


@pytest.mark.parametrize("name", ["small_cnn", "timm:resnet18", "torchvision:mobilenet_v3_small"])
def test_frozen_backbone_keeps_its_weights_and_statistics(name: str) -> None:
    net = models.build(Model(name=name, trainable="head"), 4, 3)
    head = models.head_of(net)
    assert head is not None
    assert {id(p) for p in net.parameters() if p.requires_grad} == {id(p) for p in head.parameters()}
    models.set_training(net, "head")
    buffers = {k: v.clone() for k, v in net.named_buffers()}
    net(torch.randn(4, 3, 32, 32)).sum().backward()
    assert buffers
    assert all(torch.equal(v, buffers[k]) for k, v in net.named_buffers())
    assert head.training
    models.set_training(net, "all")
    net(torch.randn(4, 3, 32, 32))
    assert not all(torch.equal(v, buffers[k]) for k, v in net.named_buffers()), "unfrozen, they move"


def test_contracts_of_published_weights_need_no_network() -> None:
    ours = models.pretrained_preprocessing(Model(name="timm:resnet18.a1_in1k", pretrained=True))
    assert ours == Preprocessing.from_timm("resnet18.a1_in1k")
    assert models.pretrained_preprocessing(Model(name="torchvision:resnet18", pretrained=True)).size == (224, 224)
    with pytest.raises(RecipeError, match="no published weights"):
        models.pretrained_preprocessing(Model(name="small_cnn", pretrained=True))


@pytest.mark.parametrize("name", ["timm:resnet18.a1_in1k", "torchvision:resnet18"])
def test_weights_that_cannot_be_fetched_are_an_error_with_a_way_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    import timm.models._builder
    import torch.hub

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision._internally_replaced_utils.load_state_dict_from_url", unreachable, raising=False)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable, raising=False)
    monkeypatch.setattr(timm.models._builder, "load_state_dict_from_hf", unreachable)
    with pytest.raises(RecipeError, match=r"could not be fetched \(OSError: Network is unreachable\)\. Connect"):
        models.build(Model(name=name, pretrained=True), 3, 3)
    assert models.build(Model(name=name, pretrained=True), 3, 3, with_weights=False) is not None


def test_unknown_weights_are_an_error() -> None:
    with pytest.raises(RecipeError, match="could not be fetched"):
        models.build(Model(name="timm:resnet18.no_such_tag", pretrained=True), 3, 3)
