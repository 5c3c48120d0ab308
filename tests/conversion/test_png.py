"""PNGs of pixels: exactly those pixels, or a refusal."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.conversion.encoding import NotEncodable
from sightline.conversion.png import png_of
from sightline.images import Pixels, decode
from tests.sources import picture


def test_sixteen_bit_colour_cannot_be_a_png() -> None:
    with pytest.raises(NotEncodable, match="3 channels of 16 bits"):
        png_of(Pixels(np.zeros((2, 2, 3), np.uint16), 16))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_png_of_pixels_is_those_pixels(channels: int, orientation: int) -> None:
    values = picture(7, 5, channels=channels).reshape(7, 5, channels)
    got = decode(png_of(Pixels(values, 8, orientation)))
    np.testing.assert_array_equal(got.values, values)
    assert got.orientation == orientation
