"""The sanitized process sees a sum that leaves int32, and says where; with its check of the bounds on, none does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from priot_hil.harness import engines
from priot_hil.harness.devices import open_program, open_sanitized, sanitizers_are_missing
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import DeviceFault, KernelStatus
from priot_hil.harness.firmware import build
from priot_hil.harness.planting import Change, FirmwareCopy
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, Linear, Weighted, output_shape, weight_shape

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sanitizers_are_missing() is not None, reason=str(sanitizers_are_missing())),
]

UNCHECKED = Change("engine/priot_model.c", "if (sums[i] > SUM_LIMIT)", "if (sums[i] > SUM_LIMIT * SUM_LIMIT)")

# One product too many for int32, each in another kernel.
TOO_LARGE = {
    "priot_terms.c": (Linear(133_145, 1), (133_145,), MethodKind.NITI_DYNAMIC),
    "priot_linear_s8_error.c": (Linear(1, 133_145), (1,), MethodKind.NITI_DYNAMIC),
    "priot_update_priot.c": (Conv2d(1, 1, 1), (1, 1, 1049), MethodKind.PRIOT),
}


def case_of(layer: Weighted, shape: tuple[int, ...], kind: MethodKind) -> KernelCase:
    """A stage of the largest products, all of one sign."""
    weights = np.full(weight_shape(layer), 127, np.int8)
    scores, theta = (np.zeros_like(weights), 0) if kind.learns_scores else (None, None)
    error = np.full(output_shape(layer, shape, "layer"), 127, np.int8)
    return KernelCase(layer, (), shape, kind, theta, weights, scores, None, np.full(shape, 127, np.int8), error, None)


def run_unchecked(engine: DeviceEngine, case: KernelCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the harness's own check of the bounds."""
    with monkeypatch.context() as patch:
        patch.setattr(engines, "check_kernel_case", lambda case: None)
        engine.run_kernel(case)


def test_a_wrapped_sum_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of sum, one product too long; the process is started anew behind each and works."""
    copy = FirmwareCopy(tmp_path)
    copy.refresh()
    with copy.planted(UNCHECKED):
        engine = open_program(build("host-sanitized", copy.root).process, "planted")
    try:
        for place, (layer, shape, kind) in TOO_LARGE.items():
            case = case_of(layer, shape, kind)
            with pytest.raises(DeviceFault, match=rf"(?s)sanitizer.*{place}.* signed integer overflow: .*'int'"):
                run_unchecked(engine, case, monkeypatch)
            engine.run_kernel(case_of(Linear(2, 2), (2,), MethodKind.PRIOT))
    finally:
        engine.close()


def test_the_firmware_refuses_what_would_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same layers, and the sizes below them run to the bound without a word from a sanitizer."""
    engine = open_sanitized()
    try:
        for layer, shape, kind in TOO_LARGE.values():
            with pytest.raises(KernelStatus, match="could overflow"):
                run_unchecked(engine, case_of(layer, shape, kind), monkeypatch)
        engine.run_kernel(case_of(Linear(133_144, 1), (133_144,), MethodKind.NITI_DYNAMIC))
        engine.run_kernel(replace(case_of(Conv2d(1, 1, 1), (1, 8, 131), MethodKind.PRIOT), mu=0))
    finally:
        engine.close()
