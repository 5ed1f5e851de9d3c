"""How a process, wherever it is, comes by the data and the model of a table."""

from collections.abc import Callable
from dataclasses import dataclass

from .checkpoint import COMMITTED, read_checkpoint
from .data import Mnist
from .performance import Material


@dataclass(frozen=True)
class MaterialLoader:
    """How a worker comes by the data and the model.

    Attributes:
        load_mnist: Gives the data; must be found again by name in another process, on another machine.
        checkpoint: The name of the model's committed file.
        sha256: Its sum.
    """

    load_mnist: Callable[[], Mnist]
    checkpoint: str
    sha256: str

    def load(self) -> Material:
        """Load both."""
        return Material(self.load_mnist(), read_checkpoint(COMMITTED / self.checkpoint, self.sha256).model)
