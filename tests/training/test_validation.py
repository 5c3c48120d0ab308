from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sightline.training.validation import credit, validate

CPU = torch.device("cpu")


class Given(nn.Module):
    """Returns its input as logits."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)

    def forward(self, x: Tensor) -> Tensor:
        assert not self.training
        return x


def _batches(logits: Tensor, labels: Tensor, size: int) -> list[SimpleNamespace]:
    pairs = zip(logits.split(size), labels.split(size), strict=True)
    return [SimpleNamespace(images_bchw=x, labels_b=y) for x, y in pairs]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 103), size=st.integers(1, 110), seed=st.integers(0, 999))
def test_any_batch_size_gives_the_sums_of_the_whole(n: int, size: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    logits, labels = torch.randn(n, 4, generator=g), torch.randint(0, 4, (n,), generator=g)
    result = validate(Given(), _batches(logits, labels, size), n, CPU)
    assert result.correct == float((logits.argmax(1) == labels).sum())
    assert result.n == result.num_finite == n
    assert result.nll == pytest.approx(float(F.cross_entropy(logits.double(), labels)), rel=1e-12)
    assert result.top1 == result.correct / n


def test_ties_share_the_credit_and_constant_logits_are_chance() -> None:
    labels = torch.tensor([0, 1, 2, 3])
    assert credit(torch.zeros(4, 4), labels).tolist() == [0.25] * 4
    assert credit(torch.tensor([[1.0, 1, 0, 0], [2, 1, 0, 0], [0, 0, 5, 1], [0, 0, 3, 3]]), labels).tolist() == [
        0.5,
        0,
        1,
        0.5,
    ]


def test_what_is_no_number_is_wrong_and_leaves_the_nll_alone() -> None:
    logits = torch.tensor([[3.0, 0.0], [float("nan"), 1.0], [float("inf"), 0.0], [0.0, 3.0]])
    result = validate(Given(), _batches(logits, torch.tensor([0, 1, 0, 1]), 3), 4, CPU)
    assert (result.correct, result.num_finite) == (2.0, 2)
    assert result.nll == pytest.approx(float(F.cross_entropy(logits[[0, 3]].double(), torch.tensor([0, 1]))))
    nothing = validate(Given(), _batches(logits[1:2], torch.tensor([1]), 3), 1, CPU)
    assert (nothing.top1, nothing.nll) == (0.0, None)


def test_unreadable_samples_count_as_wrong() -> None:
    logits = torch.eye(3)
    assert validate(Given(), _batches(logits, torch.arange(3), 2), 5, CPU).top1 == 3 / 5


def test_the_network_is_left_as_it_was() -> None:
    model = Given().train()
    model.norm.eval()  # a frozen part stays frozen
    validate(model, _batches(torch.eye(3), torch.arange(3), 2), 3, CPU)
    assert model.training
    assert not model.norm.training
