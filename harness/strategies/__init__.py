"""Hypothesis strategies for everything an engine takes: arrays, layers, networks, kernel cases and whole runs.

Everything is drawn as values, never as the seed of a generator, so that a failing case shrinks to a small one.
"""

from .arrays import int8_arrays, int8_values, masks
from .kernels import extreme_kernel_cases, kernel_cases, kernel_cases_of
from .methods import methods, mus, shift_triples, shifts, thetas
from .networks import TINY, Sizes, conv2ds, layers_behind, networks
from .runs import Run, runs

__all__ = [
    "TINY",
    "Run",
    "Sizes",
    "conv2ds",
    "extreme_kernel_cases",
    "int8_arrays",
    "int8_values",
    "kernel_cases",
    "kernel_cases_of",
    "layers_behind",
    "masks",
    "methods",
    "mus",
    "networks",
    "runs",
    "shift_triples",
    "shifts",
    "thetas",
]
