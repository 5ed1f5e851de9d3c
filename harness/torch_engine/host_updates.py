"""What a layer learns, by one loop in C over its edges: many times as fast as operations on whole tensors."""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from .edges import Edges

EDGES_OF_A_THREAD = 1 << 16  # fewer are done before another thread has begun


class Layer(ctypes.Structure):
    """`priot_layer` of firmware/boards/host/priot_layer.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("errors", "inputs", "weights", "scored", "values", "effective")),
        *((name, ctypes.c_uint32) for name in ("positions", "columns")),
        ("theta", ctypes.c_int32),
    )


class HostUpdates:
    """`Updates` by the library libpriot, whose loops take tensors where they lie: on the CPU, passes in float32.

    Args:
        library: The library.
        wide: Take the loops for AVX2, which the processor has to have.
        threads: How many take rows of a layer at once.
    """

    def __init__(self, library: Path, wide: bool, threads: int) -> None:
        loaded, suffix = ctypes.CDLL(str(library)), "_avx2" if wide else ""
        self._learn = loaded[f"priot_layer_learn{suffix}"]
        self._largest = loaded[f"priot_layer_largest{suffix}"]
        self._largest.restype = ctypes.c_uint32
        self._threads = threads
        self._helpers = ThreadPoolExecutor(max(1, threads - 1), "rows")

    def largest(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor) -> int:
        """See `Updates.largest`."""
        return int(max(self._on_rows(self._largest, edges, error, windows)))

    def learn(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor, shift: int) -> None:
        """See `Updates.learn`."""
        self._on_rows(self._learn, edges, error, windows, ctypes.c_uint32(shift))

    def _on_rows(
        self, function: Callable[..., Any], edges: Edges, error: torch.Tensor, windows: torch.Tensor, *more: Any
    ) -> list[Any]:
        """Call a function on all rows, shared out among the threads."""
        errors, inputs = error.to(torch.int8).contiguous(), windows.to(torch.int8)
        rows, columns = edges.values.shape
        layer = Layer(
            errors=errors.data_ptr(),
            inputs=inputs.data_ptr(),
            weights=None if edges.theta is None else edges.weights.data_ptr(),
            scored=None if edges.scored is None else edges.scored.data_ptr(),
            values=edges.values.data_ptr(),
            effective=edges.effective.data_ptr(),
            positions=errors.shape[1],
            columns=columns,
            theta=edges.theta or 0,
        )
        shares = max(1, min(self._threads, rows, rows * columns // EDGES_OF_A_THREAD))
        scratch = torch.empty(shares, columns, dtype=torch.int32)

        def take(share: int) -> Any:
            first, last = (rows * k // shares for k in (share, share + 1))
            gradient = ctypes.c_void_p(scratch[share].data_ptr())
            return function(ctypes.byref(layer), ctypes.c_uint32(first), ctypes.c_uint32(last), *more, gradient)

        others = [self._helpers.submit(take, share) for share in range(1, shares)]
        return [take(0), *(other.result() for other in others)]
