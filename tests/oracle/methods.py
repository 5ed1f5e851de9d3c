"""What the four methods use as weights, and how they learn: the rules of one layer's edges."""

from dataclasses import dataclass

from oracle.arithmetic import clip, psto_shift
from oracle.tensors import Tensor, each, filled, flat, shape_of
from priot_hil.reference.run import MethodKind


@dataclass
class Edges:
    """The edges of one layer: `weights` is W, `scores` is S; `scored` holds True where an edge has a score."""

    kind: MethodKind
    theta: int | None
    weights: Tensor
    scores: Tensor = None
    scored: Tensor = None

    def __post_init__(self) -> None:
        """PRIOT scores every edge."""
        if self.kind is MethodKind.PRIOT:
            self.scored = filled(shape_of(self.weights), True)

    @property
    def niti(self) -> bool:
        """Whether the weights themselves are learned."""
        return self.kind in (MethodKind.NITI_DYNAMIC, MethodKind.NITI_STATIC)

    @property
    def learned(self) -> Tensor:
        """W for NITI, S for PRIOT."""
        return self.weights if self.niti else self.scores

    def effective_weights(self) -> Tensor:
        """W for NITI; for PRIOT 0 where an edge is scored below theta, else W."""
        if self.niti:
            return self.weights
        return each(lambda w, s, m: 0 if m and s < self.theta else w, self.weights, self.scores, self.scored)

    def direction(self, gradient: Tensor) -> Tensor:
        """G for NITI; for PRIOT P = W * G with W unmasked, and 0 where an edge has no score."""
        if self.niti:
            return gradient
        return each(lambda w, g, m: w * g if m else 0, self.weights, gradient, self.scored)

    def elements_of(self, direction: Tensor) -> list[int]:
        """The elements that a dynamic shift looks at: all of G, or P on the scored edges."""
        if self.niti:
            return list(flat(direction))
        return [p for p, m in zip(flat(direction), flat(self.scored), strict=True) if m]

    def update(self, direction: Tensor, shift: int) -> Tensor:
        """The int8 that is taken from what is learned; 0 where an edge has no score."""
        return each(lambda v: clip(psto_shift(v, shift)), direction)

    def after(self, update: Tensor) -> Tensor:
        """What is learned, after this update; it never changes where an edge has no score."""
        if self.niti:
            return each(lambda w, u: clip(w - u), self.weights, update)
        return each(lambda s, u, m: clip(s - u) if m else s, self.scores, update, self.scored)
