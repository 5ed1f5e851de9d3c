"""The field's usual compiler, arm-none-eabi-gcc, builds the firmware without a warning, and it computes the same."""

import shutil
from collections.abc import Iterator

import pytest

from priot_hil.harness.capsule import Capsule
from priot_hil.harness.devices import open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.example import example_run
from priot_hil.harness.failures import expect_equal
from priot_hil.harness.firmware import BoardFirmware, Image, build
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import HelloResponse
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.reference.run import MethodKind

COMPILER = "arm-none-eabi-gcc"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which(COMPILER), reason=f"no {COMPILER} on the PATH"),
]


@pytest.fixture(scope="module")
def built() -> BoardFirmware:
    """Both images; a warning would be an error."""
    return build("rp2040-gcc")


@pytest.fixture(scope="module", params=["ram", "flash"])
def gcc_image(request: pytest.FixtureRequest, built: BoardFirmware) -> Image:
    """Each of the two."""
    return built.ram if request.param == "ram" else built.flash


@pytest.fixture(scope="module")
def gcc_engine(gcc_image: Image) -> Iterator[DeviceEngine]:
    """The image on the emulator."""
    engine = open_engine(f"image:{gcc_image.elf}")
    assert isinstance(engine, DeviceEngine)
    yield engine
    engine.close()


def test_starts(gcc_image: Image, built: BoardFirmware, board: BoardFirmware) -> None:
    """It says which build it is, and touches no register that the emulator does not model; it is another program."""
    transport = EmulatorTransport(gcc_image.elf)
    link = Link(transport)
    hello, unmodelled = HelloResponse.unpack(link.hello()), transport.machine.unmodelled
    link.close()
    assert (hello.build_id, hello.arena_bytes) == (gcc_image.build_id, gcc_image.sizes.arena)
    assert unmodelled == ()
    assert {built.ram.build_id, built.flash.build_id}.isdisjoint({board.ram.build_id, board.flash.build_id})


@pytest.mark.parametrize("kind", MethodKind)
def test_trains_as_the_reference_does(gcc_engine: DeviceEngine, kind: MethodKind) -> None:
    """Every tensor of every step, and the state behind them."""
    run = example_run(kind)
    expect_equal(Capsule(run.model, run.method, run.state, run.images, run.labels), gcc_engine)
