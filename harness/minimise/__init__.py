"""Makes a failing case smaller than a search by draws can: layers, channels, positions, steps and values left out."""

from .search import minimise

__all__ = ["minimise"]
