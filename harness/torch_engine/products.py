"""Matrix products of int8 values that are exact although a floating-point unit computes them.

A floating-point sum of whole numbers is exact, in any order, as long as no partial sum leaves the whole numbers that
its significand holds: up to 2**24 in float32, so that at most 1,040 products of two int8 values may be summed up; up to
2**53 in float64. Longer sums are cut, and their parts added in float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from priot_hil.reference.errors import InputError

LARGEST_PRODUCT = 127**2
Matmul = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Products:
    """Sums of products of int8 values.

    No setting of torch that trades precision for speed changes them: TF32 and bfloat16 would round what is multiplied,
    and have at least 8 significant bits where an int8 value without -128 needs 7; autocast is switched off around every
    use (`engine.exactly`). On CUDA there is only float64, which has no such mode.

    Attributes:
        dtype: In which they are computed.
        limit: How many products one call of `matmul` may sum up.
        matmul: (m, k) @ (k, n).
    """

    dtype: torch.dtype
    limit: int
    matmul: Matmul = torch.matmul

    def __call__(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """The product of two matrices.

        Args:
            left: int8, (m, k), -127..127.
            right: int8, (k, n), -127..127.

        Returns:
            float64, (m, n), whole numbers.
        """
        left, right = left.to(self.dtype), right.to(self.dtype)
        terms = left.shape[1]
        if terms <= self.limit:
            return self.matmul(left, right).double()
        total = torch.zeros(left.shape[0], right.shape[1], dtype=torch.float64, device=left.device)
        step = -(-terms // -(-terms // self.limit))  # parts alike in length
        for begin in range(0, terms, step):
            total += self.matmul(left[:, begin : begin + step], right[begin : begin + step])
        return total


FLOAT32 = Products(torch.float32, 1024)
FLOAT64 = Products(torch.float64, 2**53 // LARGEST_PRODUCT)

# In the order of their speed. torch._int_mm, which sums int8 values up in int32, is far behind on x86 without VNNI, and
# on CUDA takes certain shapes only.
CANDIDATES = {"cpu": (FLOAT32, FLOAT64), "cuda": (FLOAT64,)}


def choose_products(device: torch.device, candidates: Sequence[Products] | None = None) -> Products:
    """The fastest products that are exact here.

    Args:
        device: Where they run.
        candidates: What to choose from, the fastest first; None for those known of this kind of device.

    Returns:
        The first of them that passes `are_exact`.

    Raises:
        InputError: None does.
    """
    for products in CANDIDATES[device.type] if candidates is None else candidates:
        if are_exact(products, device):
            return products
    do = "use another device, such as host, or another version of torch"
    raise InputError.about(f"torch on {device}", expected="exact sums of whole numbers", got="rounded ones", do=do)


def are_exact(products: Products, device: torch.device) -> bool:
    """Hold products against whole numbers: the longest sums, cut and uncut, at their bounds and of mixed signs."""
    draws = np.random.Generator(np.random.PCG64(0))
    longest = min(products.limit, 2048)
    for rows, terms, columns in ((1, longest, 1), (4, longest, 64), (64, longest + 1, 4), (33, 2 * longest + 7, 16)):
        left = draws.integers(-127, 128, (rows, terms)).astype(np.int8)
        right = draws.integers(-127, 128, (terms, columns)).astype(np.int8)
        # All at the bound but one, which makes the sum odd, so that it needs its last bit.
        extreme = np.full_like(left, 127), np.full_like(right, 127)
        extreme[0][:, terms // 2] = 126
        for a, b in ((left, right), extreme, (extreme[0], -extreme[1])):
            exact: npt.NDArray[np.int64] = a.astype(np.int64) @ b.astype(np.int64)
            found = products(*(torch.from_numpy(part).to(device) for part in (a, b)))
            if not np.array_equal(found.cpu().numpy(), exact):
                return False
    return True
