"""A failing case made smaller in its own terms, where hypothesis got stuck: layers, channels, positions, steps, values.

Hypothesis shrinks the choices behind a case and may not find that a channel can go with everything that belongs to it.
Here each step is a legal case with something less; it is kept if it fails still.
"""

from .search import SECONDS, smaller

__all__ = ["SECONDS", "smaller"]
