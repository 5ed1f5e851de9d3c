"""Both ends of every range of a single stage's numbers, and of the codes in its description."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from refusals import sentence_of, status_of

from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import read_case, write_case
from priot_hil.harness.description import describe_kernel
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.failures import expect_equal
from priot_hil.harness.protocol import CommandCode, LayerRecord, ModelRecord, StatusCode
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kernel import run_kernel
from priot_hil.reference.network import Layer, Linear, Relu
from priot_hil.reference.ranges import MU, SHIFT, THETA, Range
from priot_hil.reference.run import MethodKind, Shifts

HEAD = ModelRecord.size()
BEHIND = HEAD + LayerRecord.size()  # the type of the layer behind the weights
ONES = np.ones((2, 3), np.int8)
STAGE = KernelCase(
    layer=Linear(3, 2),
    behind=(Relu(),),
    input_shape=(3,),
    kind=MethodKind.PRIOT,
    theta=0,
    weights=ONES * np.int8(99),
    scores=np.array([[-127, -126, -1], [0, 126, 127]], np.int8),
    scored=None,
    image=np.array([127, -127, 5], np.int8),
    error=np.array([127, -127], np.int8),
    shifts=Shifts(9, 9, 9),
)
OF_A_STAGE: dict[str, tuple[Range, Callable[[int], KernelCase]]] = {
    "forward shift": (SHIFT, lambda v: replace(STAGE, shifts=Shifts(v, 9, 9))),
    "backward shift": (SHIFT, lambda v: replace(STAGE, shifts=Shifts(9, v, 9))),
    "gradient shift": (SHIFT, lambda v: replace(STAGE, shifts=Shifts(9, 9, v))),
    "mu": (MU, lambda v: replace(STAGE, mu=v, shifts=None)),
    "theta": (THETA, lambda v: replace(STAGE, theta=v)),
}


@pytest.mark.parametrize("behind", [(Linear(2, 2),), (Relu(), Linear(2, 2))], ids=["next", "later"])
def test_a_stage_has_one_layer_with_weights(device_engine: DeviceEngine, behind: tuple[Layer, ...]) -> None:
    """Said by the reference and by the firmware."""
    case = replace(STAGE, behind=behind)
    assert "none with weights" in sentence_of(run_kernel, case)
    assert status_of(device_engine, CommandCode.LOAD, describe_kernel(case)) == StatusCode.BAD_MODEL


@pytest.mark.parametrize("name", OF_A_STAGE)
def test_numbers_of_a_stage(device_engine: DeviceEngine, tmp_path: Path, name: str) -> None:
    """The same of a single stage, whose numbers a kernel capsule holds."""
    legal, case_with = OF_A_STAGE[name]
    path = tmp_path / "case.npz"
    for value in (legal.low, legal.high):
        capsule = KernelCapsule(case_with(value))
        expect_equal(capsule, device_engine)
        write_case(path, capsule)
        assert read_case(path) is not None
    for value in (legal.low - 1, legal.high + 1):
        said = sentence_of(run_kernel, case_with(value))
        assert f"{legal}, got {value};" in said
        assert sentence_of(device_engine.run_kernel, case_with(value)) == said
        assert sentence_of(write_case, path, KernelCapsule(case_with(value))) == said


@pytest.mark.parametrize("kind", [MethodKind.NITI_DYNAMIC, MethodKind.PRIOT, MethodKind.PRIOT_S])
@pytest.mark.parametrize("errors", [(64, 65), (65, 64), (1, 2), (0, 1), (-64, -65)], ids=str)
def test_rows_about_a_power_of_two(device_engine: DeviceEngine, kind: MethodKind, errors: tuple[int, int]) -> None:
    """A dynamic shift follows the largest of all rows, though only one unit parts it from the next width."""
    ones = np.ones((2, 1), np.int8)
    case = replace(
        STAGE,
        layer=Linear(1, 2),
        behind=(),
        input_shape=(1,),
        kind=kind,
        theta=0 if kind.learns_scores else None,
        weights=ones,
        scores=ones if kind.learns_scores else None,
        scored=ones.astype(np.bool_) if kind is MethodKind.PRIOT_S else None,
        image=ones[0],
        error=np.array(errors, np.int8),
        shifts=None,
        mu=0,
    )
    expect_equal(KernelCapsule(case), device_engine)


CODES: dict[str, tuple[Range, Callable[[bytes, int], bytes]]] = {
    "mode": (Range(0, 1), lambda data, v: ModelRecord.unpack(data)._replace(mode=v).pack() + data[HEAD:]),
    "method": (Range(1, 4), lambda data, v: ModelRecord.unpack(data)._replace(method=v).pack() + data[HEAD:]),
    "rounding": (Range(1, 2), lambda data, v: ModelRecord.unpack(data)._replace(rounding=v).pack() + data[HEAD:]),
    "dynamic": (Range(0, 1), lambda data, v: ModelRecord.unpack(data)._replace(dynamic=v).pack() + data[HEAD:]),
    "type of a layer": (Range(1, 5), lambda data, v: data[:BEHIND] + bytes([v]) + data[BEHIND + 1 :]),
}


@pytest.mark.parametrize("name", CODES)
def test_codes_that_are_sent(device_engine: DeviceEngine, name: str) -> None:
    """Of modes, methods, roundings and layers there are no others."""
    legal, send = CODES[name]
    description = describe_kernel(STAGE)
    device_engine.device.command(CommandCode.LOAD, description)
    for code in {legal.low - 1, legal.high + 1, 255} - {-1}:
        assert status_of(device_engine, CommandCode.LOAD, send(description, code)) == StatusCode.BAD_MODEL, code
