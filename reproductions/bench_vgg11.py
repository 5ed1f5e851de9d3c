"""What a training step of VGG11 costs on the torch engine, beside a step of the same network in plain float torch.

Weights and images are drawn, so that more errors differ from 0 than in a network that has learned.
"""

import re
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from priot_hil.harness.devices import open_engine
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.engine import DatasetEngine, Engine
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.run import Method, Model, State, initial_state
from priot_hil.reference.scales import calibrate, calibration_run

from .float_training import float_module, import_torch
from .integer_training import random_model
from .networks import VGG11

if TYPE_CHECKING:
    from priot_hil.harness.torch_engine.edges import Edges
    from priot_hil.harness.torch_engine.kernels import Kernels

SEED = 0
STEPS = 40  # of float torch
IMAGES = 8  # the steps of an epoch
EPOCHS = 8
FEW = 1  # of what is slow
METHOD = Method(MethodKind.PRIOT, theta=MethodKind.PRIOT.default_theta)
Result = TypeVar("Result")


def vgg11_step() -> dict[str, Any]:
    """Measure in a process of its own, so that its memory is that of the step.

    Returns:
        Milliseconds of a PRIOT step (batch 1, static shifts) and of its parts, with one thread and with all; of the
        same by torch's own operations on whole tensors; of a step in plain float torch (forward, backward, SGD) and of
        the C engine of a board; megabytes that the process had at most when the torch engine was done, Python and torch
        included.
    """
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure)


@dataclass(frozen=True)
class Setting:
    """A PRIOT run of VGG11 with static shifts, and some samples."""

    model: Model
    state: State
    images: Int8Array
    labels: npt.NDArray[np.int64]

    @classmethod
    def draw(cls, engine: Engine) -> "Setting":
        """Draw weights, scores and images, and calibrate on an engine."""
        draws = np.random.Generator(np.random.PCG64(SEED))
        images = draws.integers(0, 128, (IMAGES, *VGG11.input_shape), np.int8)
        labels = draws.integers(0, VGG11.classes, IMAGES)
        model = random_model(VGG11)
        dynamic = initial_state(model, METHOD, SEED)
        engine.load(model, *calibration_run(METHOD, dynamic))
        return cls(model, replace(dynamic, scales=calibrate(engine, images, labels)), images, labels)

    def load(self, engine: DatasetEngine) -> None:
        """Load the run, take a first step, and be ready for those that count."""
        engine.load(self.model, METHOD, self.state)
        engine.load_data(self.images, self.labels, self.images, self.labels)
        engine.train_epoch(np.zeros(1, np.int64))


def _measure() -> dict[str, Any]:
    torch = import_torch()
    setting = Setting.draw(open_engine("torch"))
    figures: dict[str, Any] = {}
    counts = sorted({1, torch.get_num_threads()})
    for threads in counts:
        torch.set_num_threads(threads)
        figures[f"torch engine, threads: {threads}"] = _torch_engine(torch, setting, EPOCHS)
    figures["peak megabytes"] = peak_megabytes()
    for threads in counts:
        torch.set_num_threads(threads)
        figures[f"float torch, threads: {threads}"] = {"step": milliseconds(_float_step(torch, setting), STEPS)}
    figures[f"torch engine by whole tensors, threads: {threads}"] = _torch_engine(torch, setting, FEW, by_tensors=True)
    figures["host"] = {"step": round(milliseconds(_epoch(open_engine("host"), setting), FEW) / IMAGES, 2)}
    return figures


def _torch_engine(torch: Any, setting: Setting, epochs: int, by_tensors: bool = False) -> dict[str, float]:
    """A step, and what its parts take: *gradient* without an update, and the two as they are done, in one."""
    from priot_hil.harness.torch_engine import TorchEngine
    from priot_hil.harness.torch_engine.choice import choose_kernels
    from priot_hil.harness.torch_engine.kernels import TensorKernels
    from priot_hil.harness.torch_engine.products import choose_products

    cpu = torch.device("cpu")
    kernels = TensorKernels(choose_products(cpu)) if by_tensors else choose_kernels(cpu)
    step = round(milliseconds(_epoch(TorchEngine(kernels=kernels), setting), epochs) / IMAGES, 2)
    timed = TimedKernels(kernels)
    again = _epoch(TorchEngine(kernels=timed), setting)
    timed.seconds.clear()
    milliseconds(again, epochs)
    parts = {part: round(1000 * statistics.median(taken), 2) for part, taken in timed.by_step(epochs * IMAGES).items()}
    rest = step - sum(parts[part] for part in ("forward", "input error", "gradient and update"))
    return {"step": step, **parts, "rest": round(rest, 2)}


def _epoch(engine: DatasetEngine, setting: Setting) -> Callable[[], object]:
    """A training step on each sample, one after the other, as a run takes them."""
    setting.load(engine)
    return lambda: engine.train_epoch(np.arange(IMAGES))


def _float_step(torch: Any, setting: Setting) -> Callable[[], object]:
    """The usual step in float32: forward, backward and SGD, batch 1."""
    module = float_module(torch, VGG11)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3)
    image, label = torch.from_numpy(setting.images[:1]) / 128, torch.from_numpy(setting.labels[:1])

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(image), label).backward()
        optimizer.step()

    return step


def milliseconds(step: Callable[[], object], times: int) -> float:
    """The median of some steps."""
    return round(1000 * statistics.median(seconds(step) for _ in range(times)), 2)


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def peak_megabytes() -> float | None:
    """The most memory that this process has had; None where the system does not say."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return round(int(found[1]) * 1024 / 1e6) if found else None


class TimedKernels:
    """Kernels that keep how long they took.

    Attributes:
        has_threads: See `Kernels`.
        seconds: Of each call, by part of a step.
    """

    def __init__(self, kernels: "Kernels") -> None:
        self._kernels = kernels
        self.has_threads = kernels.has_threads
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def forward(self, edges: "Edges", windows: Any) -> Any:
        """See `Kernels.forward`."""
        return self._timed("forward", partial(self._kernels.forward, edges, windows))

    def input_error(self, edges: "Edges", error: Any, pixels: int) -> Any:
        """See `Kernels.input_error`."""
        return self._timed("input error", partial(self._kernels.input_error, edges, error, pixels))

    def largest(self, edges: "Edges", error: Any, windows: Any) -> int:
        """See `Kernels.largest`."""
        return self._timed("gradient", partial(self._kernels.largest, edges, error, windows))

    def learn(self, edges: "Edges", error: Any, windows: Any, shift: int) -> None:
        """See `Kernels.learn`; the gradient alone is timed beside it."""
        self.largest(edges, error, windows)
        self._timed("gradient and update", partial(self._kernels.learn, edges, error, windows, shift))

    def requantize(self, accumulator: Any, shift: int) -> Any:
        """See `Kernels.requantize`."""
        return self._kernels.requantize(accumulator, shift)

    def gradient(self, error: Any, windows: Any) -> Any:
        """See `Kernels.gradient`."""
        return self._kernels.gradient(error, windows)

    def by_step(self, steps: int) -> dict[str, list[float]]:
        """The seconds of each step, by part."""
        return {
            part: [sum(taken[len(taken) // steps * k :][: len(taken) // steps]) for k in range(steps)]
            for part, taken in self.seconds.items()
        }

    def _timed(self, part: str, work: Callable[[], Result]) -> Result:
        begin = time.perf_counter()
        result = work()
        self.seconds[part].append(time.perf_counter() - begin)
        return result
