from __future__ import annotations

import pytest
import torch

from sightline.networks import SmallCNN, WhitenedCNN


@pytest.mark.parametrize("size", [8, 14, 28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_cnn_takes_small_images(size: int, channels: int) -> None:
    net = SmallCNN(7, channels)
    assert net(torch.zeros(2, channels, size, size)).shape == (2, 7)
    assert sum(p.numel() for p in net.parameters()) < 150_000


@pytest.mark.parametrize("size", [64, 96, 128, 160])
def test_whitened_cnn_takes_photographs(size: int) -> None:
    net = WhitenedCNN(5, 3, widths=(8, 16, 16, 24), stem_kernel=4, stem_stride=2, stem_width=24)
    assert net(torch.zeros(2, 3, size, size)).shape == (2, 5)


def test_sizes_of_the_whitened_nets() -> None:
    assert sum(p.numel() for p in WhitenedCNN(10, 3).parameters()) == pytest.approx(1.16e6, rel=0.01)
    photo = WhitenedCNN(10, 3, widths=(32, 96, 192, 256), stem_kernel=4, stem_stride=2, stem_width=24)
    assert sum(p.numel() for p in photo.parameters()) == pytest.approx(1.66e6, rel=0.01)


def test_stem_whitens_patches_and_stays() -> None:
    net = WhitenedCNN(10, 3)
    mixed = torch.randn(400, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images = torch.einsum("bchw,cd->bdhw", mixed, torch.tensor([[1.0, 0.9, 0.8], [0.0, 0.3, 0.1], [0.0, 0.0, 0.2]]))
    net.fit_stem(images)
    with torch.no_grad():
        responses = net.stem(images)[:, :12, ::2, ::2].permute(1, 0, 2, 3).reshape(12, -1)
    covariance = torch.cov(responses)
    assert (covariance - torch.diag(covariance.diag())).abs().max() < 1e-3
    assert 0.9 < covariance.diag().min() <= covariance.diag().max() < 1.01
    assert torch.equal(net.stem.weight[:12], -net.stem.weight[12:])
    assert not net.stem.weight.requires_grad


def test_the_strongest_filters_come_first_where_there_is_room_for_few() -> None:
    images = (
        torch.randn(200, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        * torch.tensor([0.1, 1.0, 0.1])[:, None, None]
    )
    net = WhitenedCNN(4, 3, widths=(8,), stem_width=8)
    net.fit_stem(images)
    energy = net.stem.weight[:4].square().sum((0, 2, 3))
    assert energy[1] > 20 * max(energy[0], energy[2]), "the channel with the variance"
    with pytest.raises(TypeError, match="stem_width must be even"):
        WhitenedCNN(4, 3, stem_width=7)


def test_at_first_blocks_pass_their_input_on() -> None:
    conv = WhitenedCNN(4, 3, widths=(32, 32)).blocks[1].conv1
    x = torch.randn(1, 32, 5, 5)
    assert torch.equal(conv(x), x)
