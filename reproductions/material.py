"""How a process, wherever it is, comes by the data and the models of a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from priot_hil.reference.errors import InputError

from .checkpoint import committed_models, sums_by_pretraining
from .data import LOADERS, ImageSet
from .networks import subject
from .performance import Material


@dataclass(frozen=True)
class MaterialLoader:
    """How a worker comes by the data and the models.

    Attributes:
        load_images: Gives the data; must be found again by name in another process, on another machine.
        network: Name of the network.
        sums: SHA-256 of the committed checkpoints that are needed, by pre-training.
    """

    load_images: Callable[[], ImageSet]
    network: str
    sums: Mapping[str, str]

    def load(self) -> Material:
        """Load both.

        Raises:
            InputError: They are not to be had, or the committed checkpoints are others here.
        """
        if (here := sums_by_pretraining(self.network, self.sums)) != self.sums:
            do = "bring the checkout to the same commit"
            raise InputError.about("committed checkpoints", expected=self.sums, got=here, do=do)
        return Material(self.load_images(), committed_models(self.network, self.sums))


def load_data(network: str, say: Callable[[str], None] = print) -> ImageSet:
    """The images that a network learns from, verified and cached; see `data.load_images`.

    Raises:
        InputError: There is no such network, or the images are not to be had.
    """
    return LOADERS[subject(network).data_set](say=say)
