from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import RecipeError
from sightline.recipes import Epochs, Steps, WarmupCosine, WarmupLinear

# lr at updates 0 … 9 of 10, three of them warm-up, computed by hand: (u+1)/4, then (1 + cos(π·(u-3)/7)) / 2.
GOLDEN = [0.25, 0.5, 0.75, 1.0, 0.950484434, 0.811744901, 0.611260467, 0.388739533, 0.188255099, 0.049515566]


def test_cosine_is_the_golden_table() -> None:
    got = [WarmupCosine().factor(u, 3, 10) for u in range(10)]
    assert got == pytest.approx(GOLDEN, abs=1e-9)


def test_linear_falls_in_equal_steps() -> None:
    got = [WarmupLinear().factor(u, 2, 6) for u in range(6)]
    assert got == pytest.approx([1 / 3, 2 / 3, 1.0, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("kind", [WarmupCosine, WarmupLinear])
@settings(max_examples=40, deadline=None)
@given(total=st.integers(1, 400), data=st.data(), final=st.floats(0, 1))
def test_every_schedule_rises_reaches_its_peak_once_and_falls(
    kind: type, total: int, data: st.DataObject, final: float
) -> None:
    warmup = data.draw(st.integers(0, total - 1))
    lrs = [kind(final=final).factor(u, warmup, total) for u in range(total)]
    assert max(lrs) == lrs[warmup] == 1.0
    assert all(a < b for a, b in itertools.pairwise(lrs[: warmup + 1]))
    assert all(a >= b for a, b in itertools.pairwise(lrs[warmup:]))
    assert lrs[0] > 0
    assert min(lrs[warmup:]) >= final - 1e-12


@pytest.mark.parametrize(
    ("duration", "updates", "text"),
    [
        (Epochs(3), 36, "3 epochs"),
        (Epochs(0.5), 6, "0.5 epochs"),
        (Epochs(0), 0, "0 epochs"),
        (Steps(1500), 1500, "1,500 steps"),
    ],
)
def test_durations(duration: Epochs | Steps, updates: int, text: str) -> None:
    assert duration.updates(12) == updates
    assert str(duration) == text


def test_final_is_a_share() -> None:
    with pytest.raises(RecipeError, match="share of the peak"):
        WarmupCosine(final=2)
