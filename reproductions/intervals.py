"""Mean, standard deviation and 95 % confidence interval over the seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Student's t: the quantile of 97.5 % for 1 to 30 degrees of freedom, from the NIST/SEMATECH e-Handbook of Statistical
# Methods, table 1.3.6.7.2. A test integrates the density up to each.
T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True)
class Spread:
    """How a figure lies over the seeds.

    Attributes:
        mean: Their mean.
        deviation: Their sample standard deviation; None of a single one.
        margin: Half the width of the mean's 95 % confidence interval, by Student's t; None of a single one.
    """

    mean: float
    deviation: float | None
    margin: float | None

    @property
    def low(self) -> float:
        """The interval's lower end; of a single value, itself."""
        return self.mean - (self.margin or 0)

    @property
    def high(self) -> float:
        """The interval's upper end; of a single value, itself."""
        return self.mean + (self.margin or 0)


def spread(values: Sequence[float]) -> Spread:
    """The spread of one or more values, one a seed.

    The interval supposes that the seeds' values scatter normally about their mean. Above 31 values the quantile for 31
    is taken, which makes the interval a little too wide.
    """
    mean = statistics.fmean(values)
    if len(values) == 1:
        return Spread(mean, None, None)
    deviation = statistics.stdev(values)
    quantile = T_975[min(len(values) - 1, len(T_975)) - 1]
    return Spread(mean, deviation, quantile * deviation / len(values) ** 0.5)
