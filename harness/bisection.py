"""The first step of a long run in which a device leaves another engine: from epochs to steps to one element."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from priot_hil.reference.checks import Int8Array
from priot_hil.reference.run import Method, Model, State

from .capsule import Capsule, Mode
from .divergence import Divergence
from .progress import track
from .replay import AnyEngine, replay

Order = npt.NDArray[np.integer]
PIECES = 8  # into which steps are cut: each pass takes them once at most, and leaves an eighth


@dataclass(frozen=True, eq=False)
class LongRun:
    """A run of whole epochs.

    Attributes:
        model: The network.
        method: The method.
        state: The state it starts from.
        images: int8, (n, *input shape), the training set.
        labels: int64, (n,), 0..K-1.
        orders: Of each epoch, whole numbers, (m,), 0..n-1: the samples it visits.
        test_images: int8, as `images`.
        test_labels: As `labels`.
    """

    model: Model
    method: Method
    state: State
    images: Int8Array
    labels: npt.NDArray[np.int64]
    orders: Sequence[Order]
    test_images: Int8Array
    test_labels: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Found:
    """Where a device first leaves the engine that is believed.

    Attributes:
        epoch: From 1.
        step: Of the epoch, from 0; None where no step differs, but perhaps a prediction of the test behind it.
        run_step: The same, counted from the run's begin.
        case: The step, or the fewest steps found that differ, from the state before them; or the prediction.
        divergence: What a replay of the case gives; None where it is equal after all.
    """

    epoch: int
    step: int | None
    run_step: int | None = None
    case: Capsule | None = None
    divergence: Divergence | None = None

    def __str__(self) -> str:
        if self.case is None:
            return (
                f"epoch {self.epoch} differs in the run, and is equal when begun from the state before it: "
                "what differs lies outside of weights, scores and generator, or is chance"
            )
        if self.step is None:
            said = f"the steps of epoch {self.epoch} are equal, a prediction of the test behind it is not"
            return f"{said}\n{self.divergence}"
        lines = [f"first different step: {self.run_step:,} of the run, {self.step} of epoch {self.epoch} (from 0)"]
        if (count := len(self.case.images)) > 1:
            lines.append(
                f"it differs only behind the {count - 1} steps before it: they leave something beside the state"
            )
        if self.divergence is None:
            lines.append("its case alone replays equal: what differs is chance, or lies in what the device did before")
        else:
            lines.append(str(self.divergence))
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Bisection:
    """Two engines and the run on which they disagree.

    Attributes:
        engine: The engine to check; slow, perhaps.
        believed: The engine to believe.
        run: The run.
        tell: Told of the progress, a line at a time.
    """

    engine: AnyEngine
    believed: AnyEngine
    run: LongRun
    tell: Callable[[str], None]

    def find(self, epoch: int | None = None) -> Found | None:
        """Find the first step that differs.

        Args:
            epoch: The first epoch whose result differs, from 1, where the failing run has kept its results: only this
                epoch is then run again on the engine to check. None compares the two epoch by epoch.

        Returns:
            What was found; None where all epochs are equal.
        """
        found = self._first_epoch() if epoch is None else (epoch, self._state_before(epoch))
        if found is None:
            return None
        epoch, state = found
        order = self.run.orders[epoch - 1]
        self.tell(f"epoch {epoch}: its {len(order):,} steps once more, from the state before it")
        narrowed = self._narrowed(state, order)
        if narrowed is None:
            return self._in_the_test(epoch) or Found(epoch, None)
        state, begin, end = narrowed
        case = self._case(state, order[begin:end])
        divergence = replay(case, self.engine)
        if divergence is None:  # single steps are right: the epoch's own loop is not
            visits = np.arange(end - begin, dtype=np.int64)
            as_epoch = replace(case, mode=Mode.EPOCH, order=visits)
            if (divergence := replay(as_epoch, self.engine)) is not None:
                case = as_epoch
        earlier = sum(len(order) for order in self.run.orders[: epoch - 1])
        return Found(epoch, end - 1, earlier + end - 1, case, divergence)

    def _first_epoch(self) -> tuple[int, State] | None:
        """The first epoch after which the two differ, and the state before it."""
        for either in (self.engine, self.believed):
            self._load(either, self.run.state, np.arange(len(self.run.images)))
        with track(self.run.orders, "epochs at most, on both engines") as orders:
            for epoch, order in enumerate(orders, start=1):
                before = self.believed.state()
                (right, crc), (got, got_crc) = self._both_after(order)
                if (right, crc) != (got, got_crc):
                    self.tell(f"epoch {epoch}: state {crc:#010x}, on {self.engine.name} {got_crc:#010x}")
                    return epoch, before
                self.tell(f"epoch {epoch}: equal")
        return None

    def _both_after(self, visits: Order) -> list[tuple[int, int]]:
        """What the believed engine and the other have right in some steps, and the CRC of the state after them."""
        return [(either.train_epoch(visits).correct, either.state_crc()) for either in (self.believed, self.engine)]

    def _in_the_test(self, epoch: int) -> Found | None:
        """The first prediction of the test set that differs, with the state of the engine that is believed."""
        run, state = self.run, self.believed.state()
        case = Capsule(run.model, run.method, state, run.test_images, run.test_labels.astype(np.int64), Mode.PREDICT)
        divergence = replay(case, self.engine)
        if divergence is None or divergence.step is None:
            return None
        one = slice(divergence.step, divergence.step + 1)
        case = replace(case, images=case.images[one], labels=case.labels[one])
        return Found(epoch, None, None, case, replay(case, self.engine) or divergence)

    def _state_before(self, epoch: int) -> State:
        """The state before an epoch, by the engine that is believed."""
        self._load(self.believed, self.run.state, np.arange(len(self.run.images)))
        with track(self.run.orders[: epoch - 1], f"epochs on {self.believed.name}") as orders:
            for order in orders:
                self.believed.train_epoch(order)
        return self.believed.state()

    def _narrowed(self, state: State, order: Order) -> tuple[State, int, int] | None:
        """Cut steps that differ into pieces until one is left, going on from the state before the piece that differs.

        Returns:
            The state before the steps that are left, their begin and their end; None where no step differs.
        """
        begin, end = 0, len(order)
        around: tuple[State, int] | None = None  # where the pass began that found these steps
        while True:
            piece = self._first_piece(state, order[begin:end])
            if piece is None:
                if around is None:
                    return None
                return *around, self._shortest(around[0], order, around[1], begin, end)
            if end - begin == 1:
                return state, begin, end
            around = state, begin
            state, begin, end = piece[0], begin + piece[1], begin + piece[2]
            self.tell(f"steps {begin}..{end - 1}")

    def _first_piece(self, state: State, visits: Order) -> tuple[State, int, int] | None:
        """Take steps piece by piece, without a break, until the two differ.

        Returns:
            The state before the first piece that differs, its begin and its end; None where none does.
        """
        for either in (self.engine, self.believed):
            self._load(either, state, visits)
        size = -(-len(visits) // PIECES)
        with track(range(0, len(visits), size), f"pieces of {size:,} steps at most") as begins:
            for begin in begins:
                before, places = self.believed.state(), np.arange(begin, min(begin + size, len(visits)))
                expected, got = self._both_after(places)
                if expected != got:
                    return before, begin, begin + len(places)
        return None

    def _shortest(self, state: State, order: Order, begin: int, equal: int, different: int) -> int:
        """The end of the fewest steps from `begin` that differ, where a later state alone does not bring it about."""
        while different - equal > 1:
            middle = (equal + different) // 2
            if self._differs(state, order[begin:middle]):
                different = middle
            else:
                equal = middle
            self.tell(f"steps {begin}..{different - 1}, not from a later state")
        return different

    def _differs(self, state: State, visits: Order) -> bool:
        """Whether the two differ after some steps from a state."""
        results = []
        for either in (self.engine, self.believed):
            self._load(either, state, visits)
            passed = either.train_epoch(np.arange(len(visits)))
            results.append((passed.correct, either.state_crc()))
        return results[0] != results[1]

    def _load(self, engine: AnyEngine, state: State, visits: Order) -> None:
        """A run from a state, with no more samples than it visits."""
        images, labels = self.run.images[visits], self.run.labels[visits]
        engine.load(self.run.model, self.run.method, state)
        engine.load_data(images, labels, images[:1], labels[:1])

    def _case(self, state: State, visits: Order) -> Capsule:
        """Steps as a capsule."""
        run = self.run
        return Capsule(run.model, run.method, state, run.images[visits], run.labels[visits].astype(np.int64))
