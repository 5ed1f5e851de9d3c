"""Plans of faults for a line between host and device."""

from hypothesis import strategies as st

from priot_hil.harness.transports.faulty import WHOLE, Fault, FaultKind, Way

HEADER = 20  # bytes in which most of a frame's meaning lies
FRAMES = 30  # of a direction, among which faults are spread
BURSTS = (FRAMES, 8, 3)  # frames among which those of one plan are
LATE = 6  # frames that overtake late bytes at most


@st.composite
def faults(draw: st.DrawFn, first: int = 0, frames: int = FRAMES) -> Fault:
    """One fault of any kind at any byte of either direction; every third concerns a frame as a whole.

    Shrinks to the first byte of the first frame to the device, dropped.

    Args:
        draw: Hypothesis's.
        first: Of the frames among which one is chosen.
        frames: How many these are.
    """
    kind = draw(st.sampled_from(FaultKind))
    way = draw(st.sampled_from(Way))
    frame = first + draw(st.integers(0, frames - 1))
    if draw(st.integers(0, 2)) == 2:
        begin, count = 0, WHOLE
    else:
        begin = draw(st.integers(0, HEADER) | st.integers(0, WHOLE))
        count = draw(st.integers(1, HEADER) | st.integers(1, WHOLE))
    is_late = kind in (FaultKind.DUPLICATE, FaultKind.DELAY)
    return Fault(
        kind,
        way,
        frame,
        begin,
        count,
        late=draw(st.integers(0, LATE)) if is_late else 0,
        bit=draw(st.integers(0, 7)) if kind is FaultKind.FLIP else 0,
        noise=draw(st.binary(min_size=1, max_size=HEADER)) if kind is FaultKind.NOISE else b"",
    )


@st.composite
def plans(draw: st.DrawFn, most: int) -> tuple[Fault, ...]:
    """Up to `most` faults of one run, anywhere in it or close together, where they meet a request and its repetitions.

    Args:
        draw: Hypothesis's.
        most: How many at most.
    """
    burst = draw(st.sampled_from(BURSTS))
    first = draw(st.integers(0, FRAMES - burst))
    return tuple(draw(st.lists(faults(first, burst), max_size=most)))
