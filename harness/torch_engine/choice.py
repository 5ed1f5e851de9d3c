"""Which kernels are the fastest on a device."""

import torch

from priot_hil.harness.firmware import build

from .host_kernels import HostKernels
from .kernels import Kernels, TensorKernels
from .products import FLOAT32, choose_products


def choose_kernels(device: torch.device) -> Kernels:
    """Find exact products, and use the host library on the CPU.

    Raises:
        InputError: The device rounds sums of whole numbers, or the library cannot be built.
    """
    products = choose_products(device)
    library = build("host").library if device.type == "cpu" and products is FLOAT32 else None
    if library is None:
        return TensorKernels(products)
    wide = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return HostKernels(products, library, wide, torch.get_num_threads())
