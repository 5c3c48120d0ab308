from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.metrics import Estimate
from sightline.reporting import wording
from sightline.samples import Classes


@settings(max_examples=50)
@given(st.floats(0, 1), st.integers(0, 3))
def test_percent_is_the_fraction_to_its_digits(fraction: float, digits: int) -> None:
    shown = wording.percent(fraction, digits)
    assert shown.endswith("\u202f%")
    assert abs(float(shown.removesuffix("\u202f%")) - 100 * fraction) <= 0.5 * 10**-digits + 1e-9


def test_what_is_not_known_is_a_dash() -> None:
    assert wording.percent(None) == wording.number(None) == wording.duration(None) == "–"


def test_estimates_in_words() -> None:
    assert wording.interval(Estimate(0.978, 0.957, 0.989, 360)) == "95.7 – 98.9\u202f%"
    assert wording.sample_size(Estimate(0.9, 0.8, 1.0, 12_345)) == "n\u00a0=\u00a012,345"
    assert wording.sample_size(Estimate(0.9, 0.8, 1.0, 961, 240)) == "n\u00a0=\u00a0961 in 240 groups"


@pytest.mark.parametrize(("seconds", "said"), [
    (0.25, "0.2 s"), (9.96, "10.0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"),
])  # fmt: skip
def test_duration(seconds: float, said: str) -> None:
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(("value", "said"), [
    (0.0, "0"), (5e-4, "0.0005"), (0.123456, "0.1235"), (1234.5, "1234"), (123_456.0, "123,456"), (2e-7, "2e-07"),
])  # fmt: skip
def test_number(value: float, said: str) -> None:
    assert wording.number(value) == said


def test_words_of_many() -> None:
    assert [wording.plural(n, "class", "classes") for n in (0, 1, 1797)] == ["0 classes", "1 class", "1,797 classes"]
    assert [wording.listed("abc"[:n]) for n in (0, 1, 2, 3)] == ["", "a", "a and b", "a, b and c"]


@settings(max_examples=50)
@given(st.text(max_size=30), st.integers(1, 30))
def test_shortened_fits_and_keeps_the_beginning(text: str, length: int) -> None:
    short = wording.shortened(text, length)
    assert len(short) <= length
    assert text.startswith(short.removesuffix("…")) or short == text


def test_a_class_is_called_by_its_name_where_that_tells_it_apart() -> None:
    assert wording.class_names(Classes(("n1", "n2"), ("tench", "crane"))) == ["tench", "crane"]
    assert wording.class_names(Classes(("n1", "n2"), ("crane", "crane"))) == ["crane (n1)", "crane (n2)"]
