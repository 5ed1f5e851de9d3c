"""Illegal networks, runs and kernel cases: each refused with a sentence that says what to put right."""

import re
from dataclasses import replace

import numpy as np
import pytest

from priot_hil.reference.engine import KernelCase
from priot_hil.reference.errors import IllegalNetwork, IllegalRun, InputError, ShiftError
from priot_hil.reference.kernel import run_kernel
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.run import Method, MethodKind, Model, Shifts, State, check_run

SENTENCE = r"^[^\n]+: expected [^\n]+, got [^\n]+; [^\n]+\.$"

ILLEGAL_NETWORKS = {
    "no layers": ((4,), (), "last layer: expected linear, got no layers"),
    "no linear end": ((4,), (Linear(4, 3), Relu()), "last layer: expected linear, got relu"),
    "one class": ((4,), (Linear(4, 1),), "number of classes"),
    "1025 classes": ((4,), (Linear(4, 1025),), "number of classes"),
    "two axes": ((4, 4), (Flatten(), Linear(16, 2)), "input shape: expected 1 or 3 sizes"),
    "empty input": ((1, 0, 4), (Flatten(), Linear(0, 2)), "size of the input"),
    "linear takes a vector": ((1, 2, 2), (Linear(4, 2),), r"layer 0 linear 4->2: expected an input of shape \(4,\)"),
    "linear size": ((5,), (Relu(), Linear(4, 2)), "layer 1 linear 4->2"),
    "conv takes CHW": ((4,), (Conv2d(4, 1, 1), Flatten(), Linear(4, 2)), "layer 0 conv2d"),
    "channels": ((2, 4, 4), (Conv2d(3, 1, 1), Flatten(), Linear(16, 2)), "layer 0 conv2d 3->1 k1"),
    "kernel 0": ((1, 4, 4), (Conv2d(1, 1, 0), Flatten(), Linear(16, 2)), "kernel"),
    "stride 0": ((1, 4, 4), (Conv2d(1, 1, 1, 0), Flatten(), Linear(16, 2)), "stride"),
    "padding k": ((1, 4, 4), (Conv2d(1, 1, 3, 1, 3), Flatten(), Linear(64, 2)), "padding"),
    "kernel too large": ((1, 4, 2), (Conv2d(1, 1, 5, 1, 1), Flatten(), Linear(2, 2)), "at least 5"),
    "window 0": ((1, 4, 4), (MaxPool2d(0), Flatten(), Linear(16, 2)), "window"),
    "window too large": ((1, 4, 2), (MaxPool2d(3), Flatten(), Linear(1, 2)), "at least 3 x 3"),
    "pool takes CHW": ((4,), (MaxPool2d(2), Linear(2, 2)), "layer 0 maxpool2d 2"),
    "not a layer": ((4,), ("relu", Linear(4, 2)), "layer 0 relu: expected a layer, got str"),
    "not a number": ((4,), (Linear(4, 2.5),), "outputs"),
}


@pytest.mark.parametrize("name", ILLEGAL_NETWORKS)
def test_illegal_networks_are_refused(name):
    """The sentence names the layer."""
    shape, layers, match = ILLEGAL_NETWORKS[name]
    with pytest.raises(IllegalNetwork, match=match) as refusal:
        Network(shape, layers)
    assert_sentence(refusal)


def test_shapes_follow_from_the_layers():
    """Strides and remainders drop; the last shape is the classes."""
    layers = (MaxPool2d(2), Conv2d(1, 4, 3, 2, 1), Relu(), Flatten(), Linear(48, 7), Flatten(), Linear(7, 2))
    network = Network((1, 11, 14), layers)
    assert network.shapes == ((1, 5, 7), (4, 3, 4), (4, 3, 4), (48,), (7,), (7,), (2,))
    assert network.weighted == (1, 4, 6)
    assert [(stage.layer, stage.behind) for stage in network.stages] == [(1, (2, 3)), (4, (5,)), (6, ())]
    assert network.classes == 2
    assert (network.weight_shape(1), network.positions(1), network.positions(4)) == ((4, 1, 3, 3), 12, 1)
    with pytest.raises(IllegalNetwork, match=r"expected one of \[1, 4, 6\], got 2"):
        network.weight_shape(2)


@pytest.mark.parametrize(
    ("shape", "layers", "kind", "bound"),
    [
        # 2**31 - 1 = 133,144 * 127**2 + 9,070: one input more is one too many.
        ((133144,), (Linear(133144, 2),), "niti_dynamic", None),
        ((133145,), (Linear(133145, 2),), "niti_dynamic", "layer 0 linear 133145->2: forward sum"),
        # positions: 1,048 for scores, 133,144 for weights.
        ((1, 1, 1048), (Conv2d(1, 1, 1), Flatten(), Linear(1048, 2)), "priot_s", None),
        ((1, 1, 1049), (Conv2d(1, 1, 1), Flatten(), Linear(1049, 2)), "priot", "layer 0 .*score gradient"),
        ((1, 1, 1049), (Conv2d(1, 1, 1), Flatten(), Linear(1049, 2)), "niti_static", None),
        ((1, 365, 365), (Conv2d(1, 1, 1), MaxPool2d(3), Flatten(), Linear(14641, 2)), "niti_dynamic", "gradient 127"),
        # the error sum counts the outputs, but not for the first layer with weights.
        ((1,), (Relu(), Linear(1, 133145), Linear(133145, 2)), "niti_dynamic", "layer 2 .*forward sum"),
        ((1, 1, 1), (Conv2d(1, 133144, 1), MaxPool2d(1), Flatten(), Linear(133144, 2)), "niti_dynamic", None),
        ((1, 2, 2), (Conv2d(1, 1, 1), Conv2d(1, 33287, 2, 1, 1), MaxPool2d(3), Flatten(), Linear(33287, 2)),
         "niti_dynamic", "layer 1 .*error sum"),
        ((1, 2, 2), (Conv2d(1, 1, 1), Conv2d(1, 33286, 2, 1, 1), MaxPool2d(3), Flatten(), Linear(33286, 2)),
         "niti_dynamic", None),
    ],
)  # fmt: skip
def test_overflow_is_refused_at_its_exact_bound(shape, layers, kind, bound):
    """The largest legal layer passes, one step more is refused by name."""
    network = Network(shape, layers)
    if bound is None:
        network.check_overflow(MethodKind(kind))
        return
    with pytest.raises(IllegalNetwork, match=bound) as refusal:
        network.check_overflow(MethodKind(kind))
    assert_sentence(refusal)


def spoilt(weights):
    """The same weights with one -128 in the last place."""
    copy = weights.copy()
    copy.flat[-1] = -128
    return copy


STATIC = {i: Shifts(0, 0, 0) for i in (1, 4, 6)}

ILLEGAL_RUNS = {
    "mu 8": (lambda m, k, s: (m, replace(k, mu=8), s), r"mu: expected a whole number in 0\.\.7, got 8"),
    "mu -1": (lambda m, k, s: (m, replace(k, mu=-1), s), "mu"),
    "theta missing": (lambda m, k, s: (m, replace(k, theta=None), s), "theta of priot_s"),
    "theta -128": (lambda m, k, s: (m, replace(k, theta=-128), s), r"theta .*-127\.\.127, got -128"),
    "theta of NITI": (lambda m, k, s: (m, replace(k, kind=MethodKind.NITI_DYNAMIC), s), "theta of niti_dynamic"),
    "kind": (lambda m, k, s: (m, replace(k, kind="priot"), s), "method: expected one of niti_dynamic"),
    "rounding": (lambda m, k, s: (m, replace(k, loss_rounding="up"), s), "loss rounding"),
    "input exponent": (lambda m, k, s: (replace(m, input_exponent=64), k, s), r"-64\.\.63, got 64"),
    "weight exponent": (
        lambda m, k, s: (replace(m, weight_exponents={1: 0, 4: -65, 6: 0}), k, s),
        "weight exponent of layer 4",
    ),
    "exponent of no layer": (
        lambda m, k, s: (replace(m, weight_exponents={**m.weight_exponents, 2: 0}), k, s),
        "weight exponents: expected keys",
    ),
    "weights missing": (lambda m, k, s: (replace(m, weights={1: m.weights[1]}), k, s), "weights: expected keys"),
    "weights -128": (
        lambda m, k, s: (replace(m, weights={**m.weights, 4: spoilt(m.weights[4])}), k, s),
        r"weights of layer 4: expected values in -127\.\.127, got -128 at \(4, 26\)",
    ),
    "weights int16": (
        lambda m, k, s: (replace(m, weights={**m.weights, 4: m.weights[4].astype(np.int16)}), k, s),
        "got dtype int16",
    ),
    "weights transposed": (
        lambda m, k, s: (replace(m, weights={**m.weights, 4: m.weights[4].T}), k, s),
        r"expected shape \(5, 27\), got shape \(27, 5\)",
    ),
    "scores -128": (
        lambda m, k, s: (m, k, replace(s, values={**s.values, 6: spoilt(s.values[6])})),
        "scores of layer 6",
    ),
    "scores of no layer": (lambda m, k, s: (m, k, replace(s, values={**s.values, 0: s.values[6]})), "scores"),
    "rng 0": (lambda m, k, s: (m, k, replace(s, rng=0)), r"random generator: .*1\.\.4294967295, got 0"),
    "rng 2**32": (lambda m, k, s: (m, k, replace(s, rng=2**32)), "random generator"),
    "scales missing": (lambda m, k, s: (m, k, replace(s, scales={1: Shifts(0, 0, 0)})), "scales: expected keys"),
    "shift 32": (lambda m, k, s: (m, k, replace(s, scales={**STATIC, 4: Shifts(0, 32, 0)})), "backward .*layer 4"),
    "shift -1": (lambda m, k, s: (m, k, replace(s, scales={**STATIC, 4: Shifts(-1, 0, 0)})), "forward .*layer 4"),
    "first backward": (lambda m, k, s: (m, k, replace(s, scales={**STATIC, 1: Shifts(0, 1, 0)})), "backward .*layer 1"),
    "not Shifts": (lambda m, k, s: (m, k, replace(s, scales={**STATIC, 1: (0, 0, 0)})), "scales of layer 1"),
    "masks missing": (lambda m, k, s: (m, k, replace(s, scored=None)), "scored edges of priot_s"),
    "mask missing": (lambda m, k, s: (m, k, replace(s, scored={})), "scored edges: expected keys"),
    "mask dtype": (
        lambda m, k, s: (m, k, replace(s, scored={i: v.astype(np.uint8) for i, v in s.scored.items()})),
        "scored edges of layer 1",
    ),
    "masks of PRIOT": (lambda m, k, s: (m, replace(k, kind=MethodKind.PRIOT), s), "scored edges of priot"),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLEGAL_RUNS)
def test_illegal_runs_are_refused(make_case, name):
    """Each single fault in an otherwise legal run."""
    spoil, match = ILLEGAL_RUNS[name]
    case = make_case(MethodKind.PRIOT_S)
    check_run(case.model, case.method, case.state)
    with pytest.raises(IllegalRun, match=match) as refusal:
        check_run(*spoil(case.model, case.method, case.state))
    assert_sentence(refusal)


def test_niti_wants_the_scales_its_name_says(make_case):
    """Dynamic none, static all."""
    case = make_case(MethodKind.NITI_DYNAMIC)
    with pytest.raises(IllegalRun, match="scales of niti_dynamic: expected none"):
        check_run(case.model, case.method, replace(case.state, scales=STATIC))
    static = Method(MethodKind.NITI_STATIC)
    check_run(case.model, static, replace(case.state, scales=STATIC))
    with pytest.raises(IllegalRun, match="scales of niti_static: expected static scales, got none; calibrate"):
        check_run(case.model, static, case.state)


def test_overflow_is_refused_by_check_run():
    """Before any engine could meet it."""
    network = Network((1, 1, 1049), (Conv2d(1, 1, 1), Flatten(), Linear(1049, 2)))
    weights = {i: np.ones(network.weight_shape(i), dtype=np.int8) for i in network.weighted}
    model = Model(network, weights, {0: 0, 2: 0})
    with pytest.raises(IllegalNetwork, match="score gradient"):
        check_run(model, Method(MethodKind.PRIOT, theta=0), State(weights, 1))


KERNEL = KernelCase(
    layer=Linear(3, 2),
    behind=(Relu(),),
    input_shape=(3,),
    kind=MethodKind.PRIOT,
    theta=0,
    weights=np.ones((2, 3), np.int8),
    scores=np.ones((2, 3), np.int8),
    scored=None,
    image=np.ones(3, np.int8),
    error=np.ones(2, np.int8),
    shifts=Shifts(0, 0, 0),
)

ILLEGAL_KERNELS = {
    "shift": ({"shifts": Shifts(0, 0, 32)}, ShiftError, "shift"),
    "mu": ({"mu": 8}, InputError, "mu"),
    "weights behind": ({"behind": (Linear(2, 2),)}, InputError, "layers behind: expected none with weights"),
    "geometry": ({"input_shape": (4,)}, IllegalNetwork, "linear 3->2"),
    "image": ({"image": np.ones(4, np.int8)}, InputError, "image"),
    "error": ({"error": np.full(2, -128, np.int8)}, InputError, "error: .*-128"),
    "weights": ({"weights": np.ones((3, 2), np.int8)}, InputError, "weights"),
    "scores": ({"scores": None}, InputError, "scores of priot: expected some"),
    "theta": ({"theta": 128}, InputError, "theta"),
    "masks": ({"scored": np.ones((2, 3), bool)}, InputError, "scored edges of priot: expected none"),
    "mask shape": (
        {"kind": MethodKind.PRIOT_S, "scored": np.ones(6, bool)}, InputError, r"bool array of shape \(2, 3\)"
    ),
    "overflow of the error": (
        {"layer": Linear(1, 133145), "input_shape": (1,), "behind": ()}, IllegalNetwork, "error sum"
    ),
    "overflow": (
        {"layer": Conv2d(1, 1, 1), "input_shape": (1, 1, 1049), "behind": ()}, IllegalNetwork, "score gradient"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLEGAL_KERNELS)
def test_illegal_kernel_cases_are_refused(name):
    """Each single fault in an otherwise legal case."""
    run_kernel(KERNEL)
    changes, error, match = ILLEGAL_KERNELS[name]
    with pytest.raises(error, match=match) as refusal:
        run_kernel(replace(KERNEL, **changes))
    assert_sentence(refusal)


def assert_sentence(refusal):
    """One line: what, expected, got, what to do."""
    assert re.match(SENTENCE, str(refusal.value)), str(refusal.value)
