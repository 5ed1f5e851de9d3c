"""Debugging information: variables as the firmware has them, and bytes by source, held against the image itself."""

from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from priot_hil.harness.capsule import read_capsule
from priot_hil.harness.debug_info import DebugInfo
from priot_hil.harness.devices import open_emulator
from priot_hil.harness.firmware import build, sizes
from priot_hil.harness.paths import ROOT
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.reference.errors import InputError

GOLDEN = ROOT / "tests" / "capsules" / "golden"


@pytest.fixture(scope="module")
def image():
    """The RAM image."""
    return build("rp2040").ram


@pytest.fixture(scope="module")
def info(image):
    """What its second ELF says."""
    info = DebugInfo(image.debug)
    yield info
    info.close()


def symbols(elf: Path) -> dict[str, int]:
    """Sizes by name."""
    with elf.open("rb") as file:
        return {s.name: s["st_size"] for s in ELFFile(file).get_section_by_name(".symtab").iter_symbols()}


@pytest.mark.parametrize("name", ["002_priot", "003_priot_s"])
def test_a_variable_is_what_was_loaded(info, name):
    """The firmware's own record of the model, number by number, and its pointers lead to the tensors."""
    run = read_capsule(GOLDEN / f"{name}.npz")
    engine = open_emulator()
    assert isinstance(engine.device.link.transport, EmulatorTransport)
    machine = engine.device.link.transport.machine
    engine.load(run.model, run.method, run.state)
    device = info.read_variable("device", machine.read)
    engine.close()
    model = device["engine"]["model"]
    network = run.model.network
    assert (device["engine"]["is_loaded"], device["engine"]["is_started"]) == (1, 1)
    assert device["engine"]["rng"] == run.state.rng
    assert (model["spec"]["theta"], model["spec"]["mu"]) == (run.method.theta, run.method.mu)
    assert model["spec"]["layer_count"] == len(network.layers)
    assert [stage["layer"] for stage in model["stages"][: model["stage_count"]]] == list(network.weighted)
    exponents = [model["spec"]["layers"][layer]["exponent"] for layer in network.weighted]
    assert exponents == [run.model.weight_exponents[layer] for layer in network.weighted]
    assert len(model["spec"]["layers"]) == 48


def test_a_pointer_leads_where_the_tensor_lies(info):
    """NITI's weights, byte by byte."""
    run = read_capsule(GOLDEN / "000_niti_static.npz")
    engine = open_emulator()
    machine = engine.device.link.transport.machine
    engine.load(run.model, run.method, run.state)
    model = info.read_variable("device", machine.read)["engine"]["model"]
    for stage in model["stages"][: model["stage_count"]]:
        weights = run.state.values[stage["layer"]]
        assert stage["edges"] == weights.size
        found = np.frombuffer(machine.read(stage["weights"], weights.size), np.int8)
        np.testing.assert_array_equal(found, weights.ravel())
    engine.close()


def test_a_type_has_the_size_of_its_variable(info, image):
    """`device` is a priot_device."""
    assert info.size_of("priot_device") == symbols(image.elf)["device"]
    assert info.size_of("priot_engine") < info.size_of("priot_device")


def test_bytes_by_source_are_those_of_the_symbols(info, image):
    """Of functions, constants and variables; what has no source is the rest of the sections."""
    size = symbols(image.elf)
    stored, zeroed = info.bytes_by_source(stored=True), info.bytes_by_source(stored=False)
    assert stored["kernels/priot_update_niti.c"] == size["priot_update_niti"] + size["priot_largest_gradient"]
    assert stored["kernels/priot_conv2d_s8_error.c"] == size["priot_conv2d_s8_error"]
    assert stored["engine/priot_crc32.c"] == size["priot_crc32"] + size["TABLE"]
    assert zeroed["engine/priot_engine.c"] == size["priot_progress"] == 8
    assert zeroed["boards/rp2040/main.c"] >= size["device"] + size["uart_line"] + size["usb_line"]
    whole = sizes(image.elf)
    assert (stored.total(), zeroed.total()) == (whole.text + whole.data, whole.bss)
    assert 0 < stored[""] < 1024
    assert 0 <= zeroed[""] < 64


def test_what_is_not_there_is_refused(info, image):
    """No debugging information, no such variable or type, and a name that two variables have."""
    with pytest.raises(InputError, match="expected debugging information, got none"):
        DebugInfo(image.elf)
    with pytest.raises(InputError, match="expected one variable of that name, got 0"):
        info.read_variable("nosuch", bytes)
    with pytest.raises(InputError, match="expected one variable of that name, got 2"):
        info.read_variable("memory", bytes)
    with pytest.raises(InputError, match="expected a typedef"):
        info.size_of("nosuch")
