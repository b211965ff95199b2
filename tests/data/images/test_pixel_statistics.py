"""Mean and standard deviation of pixels, compared with NumPy's over all of them."""

from __future__ import annotations

import numpy as np
import pytest

from medtransfer.data.images.packed import CHUNK, pixel_statistics


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 7, CHUNK + 5])
def test_statistics_are_those_of_the_given_rows(channels: int, count: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count + 3, 4, 4, channels), dtype=np.uint8)
    rows = np.arange(count)[::-1] + 2
    mean, std = pixel_statistics(images, rows)
    values = images[rows].reshape(-1, channels) / 255
    np.testing.assert_allclose(mean, np.broadcast_to(values.mean(axis=0), 3), rtol=1e-12)
    np.testing.assert_allclose(std, np.broadcast_to(values.std(axis=0), 3), rtol=1e-9)


def test_constant_images_have_a_deviation_above_zero() -> None:
    mean, std = pixel_statistics(np.full((2, 4, 4, 1), 51, np.uint8), np.arange(2))
    assert mean == pytest.approx((0.2, 0.2, 0.2))
    assert all(0 < value < 1e-5 for value in std)
