"""Limits of devices: looked at before anything is sent, each with its bound in the sentence."""

import re
from dataclasses import replace

import numpy as np
import pytest

from priot_hil.harness.description import describe_kernel, describe_run, pack_dataset
from priot_hil.harness.device_kinds import DeviceOptions
from priot_hil.harness.example import example_run
from priot_hil.harness.limits import BAUD, LIMITS, PLACE, SAMPLES
from priot_hil.harness.paths import ROOT
from priot_hil.harness.protocol import PAYLOAD_LIMIT, LayerRecord, ModelRecord
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.errors import InputError
from priot_hil.reference.kernel import run_kernel
from priot_hil.reference.network import Conv2d
from priot_hil.reference.ranges import RANGES, Range
from priot_hil.reference.run import MethodKind, Shifts


@pytest.mark.parametrize(
    ("heading", "table"), [("| range | low | high | section |", RANGES), ("| limit | low | high | why |", LIMITS)]
)
def test_the_documents_list_every_range(heading: str, table: tuple[Range, ...]) -> None:
    """docs/semantics.md has each with its ends, and no other."""
    rows = [f"| {row.of} | {row.low:,} | {row.high:,} | {row.note} |" for row in table]
    expected = "\n".join([heading, "|---|---|---|---|", *rows])
    text = (ROOT / "docs" / "semantics.md").read_text()
    found = re.search(re.escape(heading) + r"(\n\|[^\n]*)*", text)
    assert found is not None
    assert found[0] == expected


def packed(samples: int, *orders: list[int]) -> bytes:
    """A transfer set of so many images of one pixel, and orders."""
    images, labels = np.zeros((samples, 1), np.int8), np.zeros(samples, np.int64)
    return pack_dataset(images, labels, images[:0], labels[:0], [np.array(order, np.int64) for order in orders])


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([0, 1, 3], r"place in the order of epoch 2: .* 0\.\.2, got 3;"),
        ([-1, 1, 2], r"place in the order of epoch 2: .* 0\.\.2, got -1;"),
        ([0, 1], "order of epoch 2: expected 3, got 2;"),
        ([0, 1, 2, 0], "order of epoch 2: expected 3, got 4;"),
    ],
)
def test_orders_of_a_transfer_set(order: list[int], said: str) -> None:
    """Each has a place for every training sample; in 16 bits another number would become a legal one."""
    assert packed(3, [2, 2, 2], [0, 0, 0])
    with pytest.raises(InputError, match=said):
        packed(3, [0, 1, 2], order)


def test_places_beyond_16_bits_are_not_packed() -> None:
    """Though there is such a sample."""
    samples = PLACE.high + 2
    assert packed(samples, [PLACE.high] * samples)
    with pytest.raises(InputError, match=rf"{PLACE}, got {PLACE.high + 1};"):
        packed(samples, [PLACE.high + 1] * samples)


def test_more_samples_than_a_device_counts_are_not_packed() -> None:
    """With the bound in the sentence, before a byte is copied."""
    images = np.broadcast_to(np.zeros(1, np.int8), (SAMPLES.high, 1))
    labels = np.broadcast_to(np.zeros(1, np.int64), SAMPLES.high)
    with pytest.raises(InputError, match=rf"samples of a transfer set: .*{SAMPLES}, got {SAMPLES.high + 1};"):
        pack_dataset(images, labels, images[:1], labels[:1])
    few = images[:4096], labels[:4096], images[:0], labels[:0]
    with pytest.raises(InputError, match=rf"in all orders .*{SAMPLES}, got {SAMPLES.high + 1};"):
        pack_dataset(*few, [labels[:4096]] * 4096)


ONE = np.ones((1, 1, 1, 1), np.int8)
STAGE = KernelCase(
    layer=Conv2d(1, 1, 1, 65_535),
    behind=(),
    input_shape=(1, 1, 1),
    kind=MethodKind.NITI_STATIC,
    theta=None,
    weights=ONE,
    scores=None,
    scored=None,
    image=ONE[0],
    error=ONE[0],
    shifts=Shifts(0, 0, 0),
)


def test_a_stage_is_looked_at_as_a_network_is() -> None:
    """A legal stage that a record has no room for."""
    assert describe_kernel(STAGE)
    beyond = replace(STAGE, layer=Conv2d(1, 1, 1, 65_536))
    run_kernel(beyond)
    with pytest.raises(InputError, match=r"layer 0 conv2d .*: stride: .* 1\.\.65535, got 65536;"):
        describe_kernel(beyond)


def test_the_longest_description_fits_a_frame() -> None:
    """With as many layers as there may be."""
    layers = LIMITS[0].high
    assert ModelRecord.size() + layers * LayerRecord.size() <= PAYLOAD_LIMIT
    run = example_run(MethodKind.PRIOT)
    assert len(describe_run(run.model, run.method, run.state, 0)) == ModelRecord.size() + 5 * LayerRecord.size()


def test_baud() -> None:
    """Refused before a port is opened."""
    for baud in (BAUD.low, BAUD.high):
        assert DeviceOptions(baud=baud).baud == baud
    for baud in (BAUD.low - 1, -1, BAUD.high + 1, 2**64):
        with pytest.raises(InputError, match=rf"baud, bits per second: .* {BAUD}, got {baud};"):
            DeviceOptions(baud=baud)
