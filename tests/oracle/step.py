"""Prediction, training step and observation of a whole network."""

from dataclasses import dataclass, field
from typing import Any

from oracle import passes
from oracle.arithmetic import Generator, requantize
from oracle.loss import loss_error, prediction
from oracle.methods import Edges
from oracle.tensors import Tensor, each, flat
from priot_hil.reference.network import Conv2d, Linear
from priot_hil.reference.run import LossRounding, Method, Model, Shifts, State


@dataclass
class Trace:
    """Everything one step computes; the names of the tensors are the reference's."""

    prediction: int = 0
    logit_exponent: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)
    inputs: dict[int, Tensor] = field(default_factory=dict)
    shifts: dict[int, Shifts] = field(default_factory=dict)
    observations: dict[int, tuple[int | None, int | None, int | None]] = field(default_factory=dict)
    after: dict[int, Tensor] = field(default_factory=dict)


class Oracle:
    """A run as plain lists. It starts from copies; `edges` and `generator` are what training changes."""

    def __init__(self, model: Model, method: Method, state: State) -> None:
        self.model, self.method, self.scales = model, method, state.scales
        self.layers = model.network.layers
        self.weighted = [i for i, layer in enumerate(self.layers) if isinstance(layer, Conv2d | Linear)]
        self.generator = Generator(state.rng)
        self.edges = {i: self._edges(state, i) for i in self.weighted}

    def _edges(self, state: State, i: int) -> Edges:
        weights, values = self.model.weights[i].tolist(), state.values[i].tolist()
        if not self.method.kind.learns_scores:
            return Edges(self.method.kind, None, values)
        scored = state.scored[i].tolist() if state.scored is not None else None
        return Edges(self.method.kind, self.method.theta, weights, values, scored)

    def predict(self, image: Any) -> Trace:
        """Classify one int8 array of pixels: the forward half of a step."""
        return self._forward(image.tolist())

    def train_step(self, image: Any, label: int) -> Trace:
        """Learn from one int8 array of pixels and its label."""
        trace = self._backward(self._forward(image.tolist()), label)
        for i in self.weighted:
            edges = self.edges[i]
            if edges.niti:
                edges.weights = trace.after[i]
            else:
                edges.scores = trace.after[i]
        return trace

    def observe(self, image: Any, label: int) -> Trace:
        """The training step with nothing updated but the generator."""
        return self._backward(self._forward(image.tolist()), label)

    def _forward(self, value: Tensor) -> Trace:
        trace = Trace(logit_exponent=self.model.input_exponent)
        for j, layer in enumerate(self.layers):
            trace.inputs[j] = value
            if isinstance(layer, Conv2d | Linear):
                weights = self.edges[j].effective_weights()
                accumulator = passes.accumulate(layer, weights, value)
                shift = passes.dynamic_shift(accumulator) if self.scales is None else self.scales[j].forward
                value = each(lambda v, s=shift: requantize(v, s), accumulator)
                trace.shifts[j] = Shifts(shift, 0, 0)
                trace.logit_exponent += self.model.weight_exponents[j] + shift
                trace.tensors |= {f"{j}.effective_weights": weights, f"{j}.accumulator": accumulator}
            else:
                value = passes.forward(layer, value)
            trace.tensors[f"layer{j}.output"] = value
        for i, end in self._stages():
            trace.tensors[f"{i}.output"] = trace.tensors[f"layer{end}.output"]
        trace.tensors["logits"] = value
        trace.prediction = prediction(value)
        return trace

    def _backward(self, trace: Trace, label: int) -> Trace:
        generator = self.generator if self.method.loss_rounding is LossRounding.STOCHASTIC else None
        error = loss_error(trace.tensors["logits"], trace.logit_exponent, label, generator)
        trace.tensors["loss_error"] = error
        for j in range(len(self.layers) - 1, self.weighted[0] - 1, -1):
            trace.tensors[f"layer{j}.error"] = error
            layer, value = self.layers[j], trace.inputs[j]
            if isinstance(layer, Conv2d | Linear):
                error = self._backward_weighted(trace, j, layer, error)
            else:
                error = passes.input_error(layer, value, error)
        for i, end in self._stages():
            trace.tensors[f"{i}.error"] = trace.tensors[f"layer{end}.error"]
        return trace

    def _backward_weighted(self, trace: Trace, j: int, layer: Conv2d | Linear, error: Tensor) -> Tensor:
        """Gradient and update of layer j, and the error to its input, which the first layer does not have."""
        edges, value, tensors = self.edges[j], trace.inputs[j], trace.tensors
        weights = tensors[f"{j}.effective_weights"]
        gradient = passes.gradient(layer, weights, value, error)
        direction = edges.direction(gradient)
        elements = edges.elements_of(direction)
        s_g = passes.dynamic_update_shift(elements, self.method.mu) if self.scales is None else self.scales[j].gradient
        update = edges.update(direction, s_g)
        trace.after[j] = edges.after(update)
        tensors |= {f"{j}.gradient": gradient, f"{j}.update": update}
        if not edges.niti:
            tensors[f"{j}.score_gradient"] = direction

        s_b, accumulator, passed = 0, [], None
        if j != self.weighted[0]:
            accumulator = passes.accumulate_error(layer, weights, value, error)
            s_b = passes.dynamic_shift(accumulator) if self.scales is None else self.scales[j].backward
            passed = each(lambda v: requantize(v, s_b), accumulator)
            tensors |= {f"{j}.error_accumulator": accumulator, f"{j}.input_error": passed}
        s_f = trace.shifts[j].forward
        trace.shifts[j] = Shifts(s_f, s_b, s_g)
        trace.observations[j] = (
            s_f if any(flat(tensors[f"{j}.accumulator"])) else None,
            s_b if any(flat(accumulator)) else None,
            s_g if any(elements) else None,
        )
        return passed

    def _stages(self) -> list[tuple[int, int]]:
        """Each layer with weights, and the last layer before the next one."""
        return list(zip(self.weighted, [i - 1 for i in self.weighted[1:]] + [len(self.layers) - 1], strict=True))
