"""What a device takes and what it refuses: generated descriptions and requests, legal or not, against the rules."""

import re
from dataclasses import replace
from itertools import cycle, pairwise, product

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from description_rules import judge
from priot_hil.harness.description import describe_kernel, describe_run, scored_edges
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.example import example_run
from priot_hil.harness.protocol import (
    DYNAMIC_SHIFT,
    CommandCode,
    KernelRequest,
    KernelResponse,
    LoadResponse,
    OperationCode,
    ReadRequest,
    StatusCode,
    TensorCode,
    TraceRecord,
    TrainStepRequest,
    TrainStepResponse,
    WriteRequest,
)
from priot_hil.harness.strategies import TINY, kernel_cases
from priot_hil.harness.strategies.descriptions import Description, descriptions
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.network import Linear, weight_shape
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

OK = StatusCode.OK


def said(engine: DeviceEngine, command: CommandCode, payload: bytes = b"") -> tuple[int, bytes, str]:
    """How a command ends: its status, its answer, and the sentence where it was refused."""
    try:
        return OK, engine.device.command(command, payload), ""
    except KernelStatus as refused:
        return refused.status, b"", str(refused)


def status_of(engine: DeviceEngine, command: CommandCode, payload: bytes = b"") -> int:
    """How a command ends."""
    return said(engine, command, payload)[0]


@given(description=descriptions())
def test_a_device_takes_what_the_rules_allow(device_engine: DeviceEngine, description: Description) -> None:
    """What contradicts the rules is refused for one of its reasons; what does not is taken, if there is room for it."""
    verdict = judge(description)
    arena = device_engine.device.hello.arena_bytes
    if not verdict.wrong and verdict.least > arena:
        verdict.wrong.add(StatusCode.TOO_LARGE)
    event("legal" if not verdict.wrong else " or ".join(sorted(status.name for status in verdict.wrong)))
    status, answer, sentence = said(device_engine, CommandCode.LOAD, description.pack())
    if status == OK:
        assert verdict.wrong == set()
        assert verdict.least <= LoadResponse.unpack(answer).arena_used <= min(arena, verdict.most)
    elif verdict.wrong:
        assert status in verdict.wrong
    else:
        needed = re.search(r"\(too_large, value (\d+)\)$", sentence)
        assert needed, sentence
        assert arena < int(needed[1]) <= verdict.most


OPERATIONS = (*OperationCode, 0, 6, 255)
SHIFTS = (0, 1, 31, 32, 254, DYNAMIC_SHIFT)
FEW = settings(max_examples=settings.default.max_examples // 10)  # each asks for much


def load(engine: DeviceEngine, kind: MethodKind, case: KernelCase | None, is_started: bool) -> tuple[int, ...]:
    """Loads a stage, or a network where there is none, with no edge scored; returns its layers with weights."""
    if case is None:
        run = example_run(kind)
        scored = run.state.scored and {layer: mask & False for layer, mask in run.state.scored.items()}
        description, layers = describe_run(run.model, run.method, replace(run.state, scored=scored), 16), (0, 4)
    else:
        description, layers = describe_kernel(replace(case, scored=None)), (0,)
    engine.device.command(CommandCode.LOAD, description)
    if is_started:
        engine.device.command(CommandCode.START)
    return layers


CASES = st.none() | kernel_cases(TINY)
KINDS = st.sampled_from(MethodKind)


@FEW
@given(case=CASES, is_started=st.sampled_from((True, True, False)), shifts=st.permutations(SHIFTS))
def test_kernel_requests(
    device_engine: DeviceEngine, case: KernelCase | None, is_started: bool, shifts: list[int]
) -> None:
    """A kernel runs on a started stage only, with an operation, a shift and a row that there are."""
    rows = 1 if case is None else weight_shape(case.layer)[0]
    load(device_engine, MethodKind.PRIOT, case, is_started)
    requests = product(OPERATIONS, (0, rows - 1, rows))
    for (operation, row), shift in zip(requests, cycle(shifts), strict=False):
        wrong = {
            StatusCode.NOT_LOADED: case is None or not is_started,
            StatusCode.BAD_VALUE: operation not in range(1, 5) or shift not in (*range(32), DYNAMIC_SHIFT),
            StatusCode.BAD_RANGE: operation == OperationCode.GRADIENT and row >= rows,
        }
        expected = next((status for status, is_so in wrong.items() if is_so), OK)
        request = KernelRequest(operation, shift, row)
        status, answer, _ = said(device_engine, CommandCode.KERNEL, request.pack())
        assert status == expected, request
        if status == OK:
            has_shift = shift != DYNAMIC_SHIFT and operation != OperationCode.GRADIENT
            assert KernelResponse.unpack(answer).shift == (shift if has_shift else 0)  # of what is all zero, 0


KERNEL_ONLY = {TensorCode.GRADIENT, TensorCode.INPUT_ERROR}
OF_SCORES = {
    TensorCode.SCORES: (MethodKind.PRIOT, MethodKind.PRIOT_S),
    TensorCode.COLUMNS: (MethodKind.PRIOT_S,),
    TensorCode.ROW_ENDS: (MethodKind.PRIOT_S,),
}
OF_NO_LAYER = {TensorCode.IMAGE, TensorCode.ORDER, TensorCode.INPUT_ERROR}
BEFORE_START = {TensorCode.WEIGHTS, *OF_SCORES}
TENSORS = (*TensorCode, 10, 255)


@FEW
@given(kind=KINDS, case=CASES, is_started=st.booleans())
def test_tensor_requests(
    device_engine: DeviceEngine, kind: MethodKind, case: KernelCase | None, is_started: bool
) -> None:
    """Which tensors can be read, and which written: by mode and method, and before the start or ever."""
    layers = load(device_engine, kind, case, is_started)
    kind = kind if case is None else case.kind
    for tensor, layer in product(TENSORS, (0, 4, 1)):
        exists = (
            tensor in list(TensorCode)
            and (tensor in OF_NO_LAYER or layer in layers)
            and (tensor not in KERNEL_ONLY or case is not None)
            and kind in OF_SCORES.get(TensorCode(tensor), (kind,))
        )
        writable = tensor in (TensorCode.IMAGE, TensorCode.ORDER)
        writable |= tensor in BEFORE_START and not is_started
        writable |= tensor == TensorCode.ERROR and case is not None
        read, write = ReadRequest(tensor, layer, 0, 0), WriteRequest(tensor, layer, 0)
        assert status_of(device_engine, CommandCode.READ, read.pack()) == (OK if exists else StatusCode.BAD_TENSOR), (
            read
        )
        expected = OK if exists and writable else StatusCode.BAD_TENSOR
        assert status_of(device_engine, CommandCode.WRITE, write.pack()) == expected, write


ROWS, ROW = 3, 4
SMALL = st.integers(0, ROW + 1)


@given(
    mask=st.lists(st.booleans(), min_size=ROWS * ROW, max_size=ROWS * ROW),
    changes=st.lists(st.tuples(st.booleans(), SMALL, SMALL), max_size=2),
)
def test_scored_edges(device_engine: DeviceEngine, mask: list[bool], changes: list[tuple[bool, int, int]]) -> None:
    """START takes edges that stand in their rows, each once and ascending, and are all there are; and only once."""
    scored = np.array(mask).reshape(ROWS, ROW)
    columns, ends = scored_edges(scored)
    for is_end, at, value in changes:
        changed = ends if is_end else columns
        if at < len(changed):
            changed[at] = value
    rows = [columns[begin:end].tolist() for begin, end in pairwise([0, *ends.tolist()])]
    is_legal = (
        sorted(ends) == ends.tolist()
        and ends[-1] == len(columns)
        and all(row == sorted(set(row)) and not set(row) - set(range(ROW)) for row in rows)
    )
    edges = np.zeros((ROWS, ROW), np.int8)
    case = KernelCase(
        layer=Linear(ROW, ROWS),
        behind=(),
        input_shape=(ROW,),
        kind=MethodKind.PRIOT_S,
        theta=0,
        weights=edges,
        scores=edges,
        scored=scored,
        image=edges[0],
        error=edges[:, 0],
        shifts=None,
        mu=5,
    )
    device = device_engine.device
    device.command(CommandCode.LOAD, describe_kernel(case))
    device.command(CommandCode.WRITE, WriteRequest(TensorCode.COLUMNS, 0, 0).pack() + columns.tobytes())
    device.command(CommandCode.WRITE, WriteRequest(TensorCode.ROW_ENDS, 0, 0).pack() + ends.tobytes())
    event("legal" if is_legal else "not legal")
    assert status_of(device_engine, CommandCode.START) == (OK if is_legal else StatusCode.BAD_VALUE)
    again = StatusCode.NOT_LOADED if is_legal else StatusCode.BAD_VALUE
    assert status_of(device_engine, CommandCode.START) == again


def test_nothing_works_before_a_model_is_loaded(fresh_engine: DeviceEngine) -> None:
    """A device that has just started has no tensor, no state and nothing to run."""
    for command, payload in (
        (CommandCode.START, b""),
        (CommandCode.STATE, b""),
        (CommandCode.READ, ReadRequest(TensorCode.IMAGE, 0, 0, 0).pack()),
        (CommandCode.WRITE, WriteRequest(TensorCode.IMAGE, 0, 0).pack()),
        (CommandCode.TRAIN_STEP, TrainStepRequest(0, 0).pack()),
        (CommandCode.PREDICT, b""),
        (CommandCode.KERNEL, KernelRequest(OperationCode.FORWARD, 0, 0).pack()),
    ):
        assert status_of(fresh_engine, command, payload) == StatusCode.NOT_LOADED, command.name


@pytest.mark.parametrize("kind", [MethodKind.NITI_STATIC, MethodKind.PRIOT, MethodKind.PRIOT_S])
def test_an_observing_step_computes_every_shift(device_engine: DeviceEngine, kind: MethodKind) -> None:
    """Asked for over the link, also of a run with static scales: the shifts are those of the same run without them."""
    run = example_run(kind)
    reference = ReferenceEngine()
    dynamic = MethodKind.NITI_DYNAMIC if kind is MethodKind.NITI_STATIC else kind
    reference.load(run.model, replace(run.method, kind=dynamic), replace(run.state, scales=None))
    device_engine.load(run.model, run.method, run.state)
    before = device_engine.state().values
    image, label = run.images[0], int(run.labels[0])
    device_engine.device.command(CommandCode.WRITE, WriteRequest(TensorCode.IMAGE, 0, 0).pack() + image.tobytes())
    answer = device_engine.device.command(CommandCode.TRAIN_STEP, TrainStepRequest(label, 1).pack())
    observed = reference.observe(image, label)
    for index, layer in enumerate((0, 4)):
        trace = TraceRecord.unpack(answer, TrainStepResponse.size() + index * TraceRecord.size())
        assert (trace.forward, trace.gradient) == (observed[layer].forward, observed[layer].gradient)
        assert trace.backward == (0 if layer == 0 else observed[layer].backward)
    after = device_engine.state().values
    assert all((after[layer] == before[layer]).all() for layer in (0, 4))
