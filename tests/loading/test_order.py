"""Order and batches: pure, complete, and the same for every number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError, RecipeError
from sightline.loading.order import Batching, shuffled
from sightline.randomness import Draws

HASHES = Draws(5, 5, np.arange(3_000, dtype=np.uint64)).bits(0)
GOLDEN = [5, 3, 7, 2, 1, 4, 0, 8, 6, 9]


@settings(max_examples=25)
@given(st.integers(1, 300), st.integers(0, 2**40), st.integers(0, 500))
def test_an_epoch_is_a_permutation_and_a_pure_function(n: int, seed: int, epoch: int) -> None:
    order = shuffled(HASHES[:n], seed, epoch)
    assert sorted(order.tolist()) == list(range(n))
    assert np.array_equal(order, shuffled(HASHES[:n], seed, epoch))


def test_golden_order() -> None:
    assert shuffled(HASHES[:10], 0, 0).tolist() == GOLDEN


def test_epochs_and_seeds_differ_and_every_place_is_equally_likely() -> None:
    orders = [shuffled(HASHES[:20], seed, epoch) for seed in range(3) for epoch in range(600)]
    assert len({tuple(o.tolist()) for o in orders}) == len(orders)
    first = np.bincount([o[0] for o in orders], minlength=20)
    assert ((first - 90) ** 2 / 90).sum() < 43.8  # chi-squared, 19 degrees of freedom, p = 0.001


@settings(max_examples=25)
@given(st.integers(2, 100), st.data())
def test_order_does_not_depend_on_how_the_table_is_sorted_nor_on_absent_samples(n: int, data: st.DataObject) -> None:
    kept = np.array(data.draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1)))
    whole = [i for i in shuffled(HASHES[:n], 1, 2).tolist() if i in set(kept.tolist())]
    assert kept[shuffled(HASHES[kept], 1, 2)].tolist() == whole


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(1, 25), st.sampled_from([1, 2, 3, 4]))
def test_evaluation_takes_every_sample_once(n: int, batch_size: int, world_size: int) -> None:
    order = np.arange(n)
    parts = []
    for rank in range(world_size):
        batching = Batching(n, batch_size, rank, world_size, is_training=False)
        mine = [batching.part(order, k) for k in range(len(batching))]
        assert all(len(p) for p in mine)
        parts += mine
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(1, 25), st.sampled_from([1, 2, 4]))
def test_ranks_together_are_the_batches_of_one(n: int, batch_size: int, world_size: int) -> None:
    if min(n, batch_size) < world_size:
        with pytest.raises(RecipeError, match="batch_size is global"):
            Batching(n, batch_size, 0, world_size)
        return
    order = shuffled(HASHES[:n], 0, 0)
    alone = Batching(n, batch_size)
    ranks = [Batching(n, batch_size, r, world_size) for r in range(world_size)]
    assert {len(r) for r in ranks} == {len(alone)}
    for step in range(len(alone)):
        whole = alone.part(order, step)
        assert len(whole) == min(batch_size, n)  # training batches are all of one size
        together = [r.part(order, step) for r in ranks]
        assert sorted(np.concatenate(together).tolist()) == sorted(whole.tolist())
        assert all(len(part) for part in together)


def test_lengths() -> None:
    assert len(Batching(10, 3)) == 3
    assert len(Batching(2, 3)) == 1
    assert len(Batching(10, 3, is_training=False)) == 4
    assert [len(Batching(10, 3, r, 2, is_training=False)) for r in (0, 1)] == [3, 3]
    assert [len(Batching(10, 4, r, 3, is_training=False)) for r in (0, 1, 2)] == [2, 2, 2]
    assert [len(Batching(1, 4, r, 2, is_training=False)) for r in (0, 1)] == [1, 0]


def test_mistakes() -> None:
    with pytest.raises(DataError, match="no sample to load"):
        Batching(0, 3)
    with pytest.raises(RecipeError, match="at least 1, got 0"):
        Batching(3, 0)
    with pytest.raises(RecipeError, match=r"rank must lie in 0 … 1, got 2"):
        Batching(30, 5, 2, 2)
