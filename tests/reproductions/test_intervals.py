"""The 95 % interval: its quantiles, and a spread by hand."""

from math import gamma, pi, sqrt

import pytest

from priot_hil.reproductions.intervals import T_975, spread


def distribution(quantile, freedom):
    """Student's t: half, and the integral of its density from 0 by Simpson's rule."""
    scale = gamma((freedom + 1) / 2) / (sqrt(freedom * pi) * gamma(freedom / 2))
    steps = 2000
    width = quantile / steps
    density = [scale * (1 + (i * width) ** 2 / freedom) ** (-(freedom + 1) / 2) for i in range(steps + 1)]
    return 0.5 + width / 3 * (density[0] + 4 * sum(density[1:-1:2]) + 2 * sum(density[2:-1:2]) + density[-1])


@pytest.mark.parametrize("freedom", range(1, 31))
def test_quantiles(freedom):
    """Each is the rounding to three digits of the point below which 97.5 % lie."""
    assert len(T_975) == 30
    quantile = T_975[freedom - 1]
    assert distribution(quantile - 0.0005, freedom) <= 0.975 <= distribution(quantile + 0.0005, freedom)


def test_a_spread_by_hand():
    """Of 2, 4, 6: the mean is 4, the deviation 2, and 4.303 * 2 / sqrt(3) = 4.9686 lie to either side."""
    found = spread([2, 4, 6])
    assert (found.mean, found.deviation) == (4, 2)
    assert found.low == pytest.approx(-0.9686, abs=1e-4)
    assert found.high == pytest.approx(8.9686, abs=1e-4)


def test_one_value_has_no_interval():
    """It is its own ends."""
    found = spread([3.5])
    assert (found.mean, found.deviation, found.margin, found.low, found.high) == (3.5, None, None, 3.5, 3.5)


def test_many_values_take_the_last_quantile():
    """Which is a little too wide."""
    values = [float(i % 2) for i in range(100)]
    assert spread(values).margin == pytest.approx(2.042 * spread(values).deviation / 10)
