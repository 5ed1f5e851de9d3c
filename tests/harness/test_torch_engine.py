"""The torch engine beyond equality: products are exact or refused, and settings of torch do not matter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from priot_hil.harness.cases import read_case
from priot_hil.harness.compare import compare_state, compare_step
from priot_hil.harness.devices import open_engine
from priot_hil.harness.firmware import build
from priot_hil.harness.paths import ROOT
from priot_hil.harness.replay import replay
from priot_hil.harness.strategies import Run
from priot_hil.harness.torch_engine import TorchEngine
from priot_hil.harness.torch_engine.arithmetic import psto_clip, requantize
from priot_hil.harness.torch_engine.choice import choose_kernels
from priot_hil.harness.torch_engine.edges import Edges
from priot_hil.harness.torch_engine.host_kernels import HostKernels
from priot_hil.harness.torch_engine.kernels import Kernels, TensorKernels
from priot_hil.harness.torch_engine.products import FLOAT32, FLOAT64, Products, are_exact, choose_products
from priot_hil.reference import arithmetic
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Shifts

CPU = torch.device("cpu")
CAPSULES = sorted((ROOT / "tests" / "capsules" / "golden").glob("*.npz"))
MakeRun = Callable[..., Run]

# Beside themselves, what else can be had on this machine: loops for any processor, and operations on whole tensors.
KERNELS: dict[str, Callable[[], Kernels]] = {
    "plain loops": lambda: HostKernels(FLOAT32, library(), wide=False, threads=1),
    "shared loops": lambda: HostKernels(FLOAT32, library(), wide=False, threads=3),
    "float32": lambda: TensorKernels(FLOAT32),
    "float64": lambda: TensorKernels(FLOAT64),
    "short sums": lambda: TensorKernels(replace(FLOAT32, limit=3)),
}
# Large enough for a layer to be shared by threads.
WIDE = Network(
    (3, 9, 9), (Conv2d(3, 40, 3, 1, 1), Relu(), MaxPool2d(2), Conv2d(40, 600, 3, 2, 1), Flatten(), Linear(2400, 100))
)


def library():
    """The host library."""
    found = build("host").library
    assert found is not None
    return found


@pytest.mark.parametrize("name", KERNELS)
def test_all_kernels_are_exact(name: str) -> None:
    """Every way in which a layer can be computed, on the golden cases."""
    engine = TorchEngine(kernels=KERNELS[name]())
    for path in CAPSULES:
        assert replay(read_case(path), engine) is None, path.name


@pytest.mark.parametrize("kind", MethodKind)
def test_threads_share_a_layer(make_run: MakeRun, kind: MethodKind) -> None:
    """Parts of a layer in three threads: as the reference, step by step."""
    run = wide_run(make_run, kind)
    expect_steps(TorchEngine(kernels=HostKernels(FLOAT32, library(), wide=False, threads=3)), run)


@pytest.mark.parametrize("kind", MethodKind)
def test_the_engine_that_opens_is_exact_on_wide_layers(make_run: MakeRun, kind: MethodKind) -> None:
    """Rows longer than a vector register, with the kernels that this machine gets."""
    expect_steps(open_engine("torch"), wide_run(make_run, kind))


def wide_run(make_run: MakeRun, kind: MethodKind) -> Run:
    """A run of the example's kind on WIDE, with shifts that let something through."""
    run = make_run(kind)
    draw = np.random.default_rng(6)
    weights = {i: draw.integers(-127, 128, WIDE.weight_shape(i), dtype=np.int8) for i in WIDE.weighted}
    model = replace(run.model, network=WIDE, weights=weights, weight_exponents=dict.fromkeys(weights, -8))
    values = {i: draw.integers(-127, 128, array.shape, dtype=np.int8) for i, array in weights.items()}
    scored = None
    if kind is MethodKind.PRIOT_S:
        scored = {i: draw.random(array.shape) < 0.3 for i, array in weights.items()}
    scales = None
    if kind is not MethodKind.NITI_DYNAMIC:
        first = WIDE.weighted[0]
        scales = {i: Shifts(11, 0 if i == first else 10, 12 if kind.learns_scores else 6) for i in WIDE.weighted}
    state = replace(run.state, values=values, scored=scored, scales=scales)
    images = draw.integers(-127, 128, (3, *WIDE.input_shape), dtype=np.int8)
    images[-1] //= 16  # which needs other shifts than those before
    return Run(model, run.method, state, images, draw.integers(0, WIDE.classes, 3))


def expect_steps(engine: TorchEngine, run: Run) -> None:
    """All steps as the reference takes them, and the evaluation of several samples at once."""
    reference = ReferenceEngine()
    for either in (engine, reference):
        either.load(run.model, run.method, run.state)
    network, learns_scores = run.model.network, run.method.kind.learns_scores
    for step, (image, label) in enumerate(zip(run.images, run.labels, strict=True)):
        assert compare_step(engine, reference, network, image, int(label), step) is None
        assert compare_state(engine, network, reference.state(), learns_scores) is None
    for either in (engine, reference):
        either.load_data(run.images, run.labels, run.images, run.labels)
    assert engine.evaluate() == reference.evaluate()
    for i in network.weighted:  # of the last sample, beside others with shifts of their own
        assert np.array_equal(engine.tensor(f"{i}.output"), reference.tensor(f"{i}.output"))
    assert engine.state_crc() == reference.state_crc()


def test_roundings_are_the_reference_s() -> None:
    """All shifts, around every half and at the ends of int32."""
    near = np.array([0, 1, 2, 3, 126, 127, 128, 129, 2**30, 2**31 - 2, 2**31 - 1])
    powers = np.array([2**k for k in range(31)])
    values = np.unique(np.concatenate([near, powers, powers - 1, powers + 1, 3 * powers // 2]))
    values = np.concatenate([values[values < 2**31], -values[values < 2**31]])
    every_loops = KERNELS["plain loops"](), choose_kernels(CPU)
    for shift in range(32):
        sums = torch.tensor(values, dtype=torch.int32)
        rounded = arithmetic.requantize(values, shift).tolist()
        assert requantize(sums.double(), shift).tolist() == rounded
        assert all(loops.requantize(sums, shift).tolist() == rounded for loops in every_loops)
        updates = arithmetic.clip(arithmetic.psto_shift(values, shift)).tolist()
        assert psto_clip(sums, shift).tolist() == updates


WRONG = {
    "sums that are too long": replace(FLOAT32, limit=2048),
    "sums a little too long": replace(FLOAT32, limit=1048),
    "results in bfloat16": replace(FLOAT32, matmul=lambda a, b: (a @ b).bfloat16().float()),
    "sums in half precision": replace(FLOAT32, matmul=lambda a, b: (a.half() @ b.half()).float()),
    "the last bit lost": replace(FLOAT32, matmul=lambda a, b: ((a @ b) / 2).round() * 2),
    "one product lost": replace(FLOAT64, matmul=lambda a, b: a[:, 1:] @ b[1:]),
}


@pytest.mark.parametrize("name", WRONG)
def test_products_that_round_are_found(name: str) -> None:
    """And passed over, for those that are exact; where there are none, one sentence."""
    assert not are_exact(WRONG[name], CPU)
    assert choose_products(CPU, (WRONG[name], FLOAT64)) is FLOAT64
    with pytest.raises(InputError, match=r"torch on cpu: expected exact sums of whole numbers, got rounded ones; use"):
        choose_products(CPU, (WRONG[name],))


@pytest.mark.parametrize("products", [FLOAT32, FLOAT64], ids=["float32", "float64"])
def test_exact_products_pass(products: Products) -> None:
    """Both kinds, whatever an earlier test has left switched on."""
    assert are_exact(products, CPU)


@contextmanager
def careless() -> Iterator[None]:
    """All that trades precision for speed, and a default dtype that nobody expects."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    torch.set_default_dtype(torch.float16)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("name", ["plain loops", "float32", "float64"])
def test_settings_of_torch_do_not_matter(make_run: MakeRun, name: str) -> None:
    """Reduced precision, autocast and an odd default dtype: the integers are the same."""
    with careless():
        expect_steps(TorchEngine(kernels=KERNELS[name]()), wide_run(make_run, MethodKind.NITI_DYNAMIC))


def test_nothing_to_step_is_one_sentence(make_run: MakeRun) -> None:
    """Before a run is loaded, and before a data set is."""
    engine = open_engine("torch")
    with pytest.raises(InputError, match="run on torch: expected a loaded one, got none; load one first"):
        engine.state()
    run = make_run(MethodKind.PRIOT)
    engine.load(run.model, run.method, run.state)
    with pytest.raises(InputError, match="data set on torch: expected a loaded one, got none; call load_data first"):
        engine.evaluate()
    with pytest.raises(InputError, match="tensor of torch: expected one of none before the first step, got 'logits'"):
        engine.tensor("logits")


class Watched(HostKernels):
    """Kernels that see how many threads torch may take meanwhile."""

    seen: set[int]

    def forward(self, edges: Edges, windows: torch.Tensor) -> torch.Tensor:
        """Look, and compute."""
        self.seen.add(torch.get_num_threads())
        return super().forward(edges, windows)


@pytest.mark.parametrize(("own", "seen"), [(1, 3), (2, 1)])
def test_torch_leaves_the_cores_to_the_kernels_threads(make_run: MakeRun, own: int, seen: int) -> None:
    """Where they have some; behind a computation torch has its own again, be it refused or not."""
    kernels, before = Watched(FLOAT32, library(), wide=False, threads=own), torch.get_num_threads()
    kernels.seen = set()
    run, engine = make_run(MethodKind.PRIOT), TorchEngine(kernels=kernels)
    engine.load(run.model, run.method, run.state)
    torch.set_num_threads(3)
    try:
        engine.predict(run.images[0])
        assert torch.get_num_threads() == 3
        with pytest.raises(InputError):
            engine.train_step(run.images[0], 99)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert kernels.seen == {seen}
