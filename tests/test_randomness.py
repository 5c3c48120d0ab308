"""Draws are pure, uniform, and independent of each other."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.randomness import Draws, generator, generator_of, hashes_of, normals

HASHES = hashes_of([hashlib.sha256(str(i).encode()).digest()[:16] for i in range(20_000)])
GOLDEN_BITS = ["0x78ae5a9a6b5fd45e", "0x2d6527ba78af243f", "0x577e700f9eb20492"]
GOLDEN_UNIFORM = [14.714104296685, 11.773247556927, 13.417730367789]
numbers = st.integers(-(2**63), 2**63 - 1)


def test_golden_digits() -> None:
    draws = Draws(0, 0, np.array([0, 1, 2**63], np.uint64))
    assert [hex(int(b)) for b in draws.bits(0)] == GOLDEN_BITS
    assert draws.uniform(0, 10, 20).tolist() == pytest.approx(GOLDEN_UNIFORM, abs=1e-12)


@settings(max_examples=25)
@given(seed=numbers, epoch=st.integers(0, 10**6), stream=st.integers(-5, 10**6))
def test_a_draw_depends_on_the_sample_alone(seed: int, epoch: int, stream: int) -> None:
    some = HASHES[:50]
    whole = Draws(seed, epoch, some).bits(stream)
    assert np.array_equal(Draws(seed, epoch, some[::-1]).bits(stream), whole[::-1])
    assert np.array_equal(Draws(seed, epoch, some[7:9]).bits(stream), whole[7:9])
    assert len({*whole, *Draws(seed + 1, epoch, some).bits(stream), *Draws(seed, epoch + 1, some).bits(stream)}) == 150


@given(st.integers(0, 1000), st.integers(1, 8))
@settings(max_examples=20)
def test_a_range_of_streams_is_its_streams_one_by_one(start: int, count: int) -> None:
    draws = Draws(3, 4, HASHES[:20])
    together = draws.bits(range(start, start + count))
    assert np.array_equal(together, np.stack([draws.bits(start + k) for k in range(count)]))


@pytest.mark.parametrize(("seed", "epoch", "stream"), [(0, 0, 0), (0, 1, 0), (1, 0, 5), (2**40, 90, -1)])
def test_uniform(seed: int, epoch: int, stream: int) -> None:
    u = Draws(seed, epoch, HASHES).uniform(stream)
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram(u, 20, (0, 1))[0]
    expected = len(u) / 20
    assert ((counts - expected) ** 2 / expected).sum() < 43.8  # chi-squared, 19 degrees of freedom, p = 0.001


def test_streams_epochs_and_seeds_are_uncorrelated() -> None:
    series = [
        Draws(seed, epoch, HASHES).uniform(stream) for seed in (0, 1) for epoch in (0, 1) for stream in (-1, 0, 1, 2)
    ]
    off_diagonal = np.corrcoef(series) - np.eye(len(series))
    assert np.abs(off_diagonal).max() < 5 / np.sqrt(len(HASHES))


def test_integers_cover_their_range_evenly() -> None:
    values = Draws(0, 0, HASHES).integers(3, 9)
    assert set(values.tolist()) == set(range(9))
    assert np.bincount(values).std() < 4 * np.sqrt(len(HASHES) / 9)


def test_hash_is_the_first_half_of_the_id() -> None:
    ids = [bytes(range(16)), bytes(range(16, 32))]
    assert hashes_of(ids).tolist() == [int.from_bytes(i[:8], "little") for i in ids]
    assert np.array_equal(hashes_of(np.frombuffer(b"".join(ids), "V16")), hashes_of(ids))


def test_generators_are_pure_and_differ_in_every_argument() -> None:
    assert generator(1, 2, 3, 4).integers(0, 2**63) == generator(1, 2, 3, 4).integers(0, 2**63)
    others = [(0, 2, 3, 4), (1, 0, 3, 4), (1, 2, 0, 4), (1, 2, 3, 5), (1, 2, 3, 4)]
    assert len({int(generator(*a).integers(0, 2**63)) for a in others}) == len(others)
    keys = Draws(1, 2, HASHES[:3]).keys(4)
    assert keys.shape == (3, 2)
    assert len(np.unique(keys)) == 6
    for key, h in zip(keys, HASHES, strict=False):
        assert generator_of(key).random() == generator(1, 2, int(h), 4).random()
    assert generator(7, 0, 5).bit_generator.random_raw() == 0x84A4FE2AF751AAB8


def test_normals() -> None:
    values = normals(5, 200_001)
    assert values.dtype == np.float32
    assert normals(5, 4) == pytest.approx([-0.18855, -0.273111, 0.0719591, 1.780878], abs=1e-5)
    assert abs(values.mean()) < 4.5 / np.sqrt(len(values))
    assert abs(values.var() - 1) < 4.5 * np.sqrt(2 / len(values))
    assert (np.abs(values) > 3).mean() == pytest.approx(0.0027, rel=0.2)
    assert np.abs(values).max() < 7
    assert not np.array_equal(normals(6, 9), normals(5, 9))
    assert [len(normals(1, n)) for n in (0, 1, 2, 3)] == [0, 1, 2, 3]
