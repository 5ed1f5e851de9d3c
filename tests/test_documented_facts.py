"""What the documents count, list and give as a rule is what the code says."""

import ast
import re
import tomllib
from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from math import prod
from typing import Any

import dask
import numpy as np
import pytest
from hypothesis import settings
from pages import code_spans, one_line, read

from priot_hil.harness import bisection, link
from priot_hil.harness.capabilities import LARGE_ARENA, LARGE_ARENA_BYTES, NAMES, capabilities
from priot_hil.harness.coverage import class_table
from priot_hil.harness.debug_info import DebugInfo
from priot_hil.harness.devices import DATASET_FLASH_BYTES, DEVICES, FILES, find_device
from priot_hil.harness.errors import LostReason
from priot_hil.harness.firmware import build
from priot_hil.harness.flashing import Patience
from priot_hil.harness.fuzz import campaign as fuzzing
from priot_hil.harness.mutation import trial
from priot_hil.harness.paths import ROOT
from priot_hil.harness.protocol import MAX_RUN_EPOCHS
from priot_hil.harness.selftest.proofs import FUZZ_SECONDS
from priot_hil.harness.shrink import SECONDS
from priot_hil.reference import arithmetic
from priot_hil.reference.loss import next_random
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import SCORE_DEVIATION
from priot_hil.reference.scales import CALIBRATION_SAMPLES
from priot_hil.reference.streams import ORDER, STREAMS
from priot_hil.reproductions import cluster, recovery
from priot_hil.reproductions.data import samples
from priot_hil.reproductions.experiment import read_experiment
from priot_hil.reproductions.networks import SUBJECTS
from priot_hil.reproductions.probe import Counts
from priot_hil.reproductions.setting import Setting
from priot_hil.reproductions.verdicts import Verdict

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def experiment_rows(name: str) -> int:
    """How many rows a table has."""
    return len(read_experiment(name).rows)


def runs_of(name: str) -> int:
    """How many runs a table has."""
    found = read_experiment(name)
    return len(found.rows) * len(found.angles) * len(found.seeds)


def weights_of(name: str) -> int:
    """How many weights a network has."""
    network = SUBJECTS[name].network
    return sum(prod(network.weight_shape(layer)) for layer in network.weighted)


def planted(finder: str) -> int:
    """How many bugs are planted for one finder."""
    text = read("harness/selftest/planted.toml")
    return sum(bug["finder"] == finder for bug in tomllib.loads(text)["bug"])


def constant(name: str, file: str) -> int:
    """A number that a C source gives a name."""
    (found,) = re.findall(rf"\b{name}(?: =)? (0x[0-9a-f]+|\d+)", read(file))
    return int(found, 0)


def files_in(folder: str) -> int:
    """How many files a folder has."""
    return sum(path.is_file() for path in (ROOT / folder).iterdir())


ACCURACY = read_experiment("accuracy")
CHIP = "harness/emulator/shim/machine.h"
CDC = "firmware/boards/rp2040/usb_cdc.c"
LARGEST = 2**31 - 1
STAGES = signature(class_table.classes).parameters["cases"].default

SENTENCES = [
    ("README.md", f"a CNN of {weights_of('tiny_cnn'):,} int8 weights, {ACCURACY.train_samples:,} training"),
    ("README.md", f"{ACCURACY.test_samples:,} test images, {ACCURACY.epochs} epochs, batch 1"),
    ("README.md", f"seeds {min(ACCURACY.seeds)} to {max(ACCURACY.seeds)}; in percent"),
    ("README.md", f"the whole table: {len(ACCURACY.seeds)} seeds, {ACCURACY.epochs} epochs"),
    ("docs/boards.md", f"The last {DATASET_FLASH_BYTES / 2**20:.1f} MB of a Pico's 2 MB of flash"),
    ("docs/boards.md", f"no drive after {Patience().drive:g} s"),
    ("docs/coverage.md", f"draws {STAGES:,} single stages, {STAGES // 50} extreme ones and {STAGES // 8} runs"),
    ("docs/devices.md", f"`large_arena` from {LARGE_ARENA_BYTES >> 20} MB on"),
    ("docs/emulator.md", f"{constant('SRAM_BYTES', CHIP) >> 10} KB SRAM (zero at first)"),
    ("docs/emulator.md", f"{constant('FLASH_BYTES', CHIP) >> 20} MB flash (0xff at first)"),
    ("docs/emulator.md", f"by {constant('PAGE_BYTES', CHIP) >> 10} KB page"),
    ("docs/emulator.md", f"its {constant('UART_FIFO', CHIP)}-byte FIFO"),
    ("docs/fuzzing.md", f"The {WORDS[files_in('tests/firmware/fuzz_finds/commands')]} finds that lie there"),
    ("docs/link.md", f"costs one of {link.TRIES} tries"),
    ("docs/link.md", f"the command's budget, and {link.MARGIN:g} s"),
    ("docs/link.md", f"quiet for {1000 * link.QUIET:g} ms"),
    ("docs/link.md", f"It does so {link.RESENDS} times for a request"),
    ("docs/link.md", f"behind {link.LAST_SEQUENCE} a new session begins"),
    ("docs/link.md", f"`LinkLost.reason` is one of {', '.join(f'`{reason}`' for reason in LostReason)}"),
    ("docs/long-runs.md", f"At most {MAX_RUN_EPOCHS} epochs"),
    ("docs/long-runs.md", f"lost {WORDS[recovery.TRIES]} times over the same epoch"),
    ("docs/long-runs.md", f"the epoch that differs in {WORDS[bisection.PIECES]} pieces"),
    ("docs/mutation.md", f"took {WORDS[trial.PATIENCE]} times the processor time"),
    ("docs/mutation.md", f"at least {trial.LEAST_SECONDS} seconds"),
    ("docs/scale.md", f"the same run, {WORDS[dask.config.get('distributed.scheduler.allowed-failures') + 1]} in all"),
    ("docs/selftest.md", f"{WORDS[planted('suite')]} bugs that ports of a training step really have"),
    ("docs/selftest.md", f"within {WORDS[FUZZ_SECONDS // 60]} minutes"),
    ("docs/semantics.md", f"first min({CALIBRATION_SAMPLES}, N) samples"),
    ("docs/semantics.md", f"`clip(rint(normal(0, {SCORE_DEVIATION})))`"),
    ("docs/semantics.md", f"fan_in {LARGEST // 127**2:,} |"),
    ("docs/semantics.md", f"out * k * k {LARGEST // 127**2:,} |"),
    ("docs/semantics.md", f"| positions {LARGEST // 127**2:,} |"),
    ("docs/semantics.md", f"| positions {LARGEST // 127**3:,} |"),
    ("docs/sensitivity.md", f"{runs_of('sensitivity')} runs; interrupted"),
    ("docs/sensitivity.md", f"{runs_of('sensitivity-vgg11')} runs of some five minutes"),
    ("docs/usb.md", f"like UART0's, of {constant('RING_BYTES', CDC)} bytes"),
    ("docs/usb.md", f"or {constant('PATIENCE_FRAMES', CDC)} frames"),
    ("docs/capsule.md", f"left it; without it {SECONDS:g} |"),
    ("docs/tables.md", f"{len(ACCURACY.seeds)} seeds, {ACCURACY.epochs} epochs; interrupted"),
    ("docs/tables.md", f"{experiment_rows('sensitivity')} rows: what the table"),
    ("docs/tables.md", f"{experiment_rows('sensitivity-vgg11')} rows: how VGG11's"),
    ("docs/tables.md", f"`--sample {runs_of('accuracy')}` recomputes the whole table of accuracies"),
    ("docs/tables.md", f"{SUBJECTS['tiny_cnn'].probed} training images (VGG11: {SUBJECTS['vgg11'].probed})"),
    ("docs/tables.md", f"are {', '.join(f'*{verdict}*' for verdict in list(Verdict)[:-1])} and *{Verdict.NOT_RUN}*"),
    ("docs/torch.md", f"{weights_of('vgg11'):,} weights, and for PRIOT as many scores"),
    ("docs/torch.md", f"[all {runs_of('accuracy-vgg11')} runs]"),
    ("tests/capsules/README.md", f"`golden/` holds {files_in('tests/capsules/golden')} complete cases"),
]


@pytest.mark.parametrize(("page", "sentence"), SENTENCES, ids=lambda text: text)
def test_numbers_are_those_of_the_code(page: str, sentence: str) -> None:
    """Each worked out from what it counts; a bar in the middle of a sentence is a table's."""
    assert sentence in one_line(page)


def test_minutes_are_those_of_the_code() -> None:
    """They are said in words."""
    assert sum(recovery.PAUSES) == cluster.PATIENCE_SECONDS == fuzzing.TIMEOUT == 60
    assert "a device that cannot be opened for a minute" in one_line("docs/long-runs.md")
    assert "the command waits a minute for one" in one_line("docs/scale.md")
    assert "no input takes a minute" in one_line("docs/fuzzing.md")


def test_thorough_draws_ten_times_as_many() -> None:
    """As the README and two other pages say."""
    thorough, usual = (settings.get_profile(name).max_examples for name in ("thorough", "default"))
    assert thorough == 10 * usual
    for page in ("README.md", "docs/coverage.md", "docs/properties.md"):
        assert re.search(r"thorough.{0,60}ten times as many", one_line(page))


def first_column(page: str, heading: str) -> list[str]:
    """The code in the first column of the first table below a heading."""
    below = re.split(rf"^#+ {re.escape(heading)}$", read(page), flags=re.MULTILINE)[1]
    rows = re.findall(r"^\|([^|]*(?:\\\|[^|]*)*)\|", below.partition("\n#")[0], re.MULTILINE)
    return [span for row in rows for span in code_spans(row)]


def test_the_table_of_devices_is_the_registry() -> None:
    """Every name and form is there, and whatever else is there can be opened as a port or a pool."""
    names = [name for name in first_column("docs/devices.md", "Names") if name != "A+B+C"]
    assert set(DEVICES) <= set(names)
    assert {name for name in names if name.endswith(":FILE")} == {f"{form}:FILE" for form in FILES}
    assert not [name for name in names if find_device(name.replace("host:port", "a:1")) is None]


def test_the_readme_s_devices_are_the_registry() -> None:
    """A device with a variant stands there by its first name."""
    sentence = one_line("README.md").split("Devices are ")[1].split("Nothing has run on silicon")[0]
    kinds = {name.partition(":")[0] for name in DEVICES}
    assert {span for span in code_spans(sentence) if ":" not in span} == kinds
    assert {span for span in code_spans(sentence) if ":" in span} == {f"{form}:FILE" for form in FILES}


def test_capabilities_are_those_that_a_test_may_need() -> None:
    """Those of a hello, in the protocol's order, and the arena's."""
    section = read("docs/devices.md").split("## Capabilities")[1]
    said, rest = section.split("A test says")[0].split("The engines without a device")
    assert [span for span in code_spans(said) if span != LARGE_ARENA] == [name for name in NAMES if name != LARGE_ARENA]
    assert LARGE_ARENA in code_spans(said)
    assert set(code_spans(rest)) - {"reference", "torch"} == capabilities(ReferenceEngine())


def test_operators_are_those_of_mutation() -> None:
    """The table's first column, and the code's dictionary, which needs an extra to be imported."""
    assigned = [
        node for node in ast.parse(read("harness/mutation/operators.py")).body if isinstance(node, ast.AnnAssign)
    ]
    (table,) = (node.value for node in assigned if ast.unparse(node.target) == "OPERATORS")
    assert isinstance(table, ast.Dict)
    names = [ast.literal_eval(key) for key in table.keys if key is not None]
    assert sorted(first_column("docs/mutation.md", "What is mutated")) == sorted([*names, "domain"])


def test_settings_and_counts_are_those_of_the_tables() -> None:
    """What a row may say for itself, and what is counted after each epoch."""
    page = one_line("docs/tables.md")
    said = code_spans(page.split("A row may say another setting of its own: ")[1].split(". ")[0])
    assert said == [field.name for field in fields(Setting)]
    assert set(first_column("docs/tables.md", "Training curves")) >= {field.name for field in fields(Counts)}


def test_fixed_bugs_are_the_files() -> None:
    """Each has its line."""
    names = [path.stem for path in (ROOT / "tests/capsules/fixed").iterdir()]
    assert sorted(re.findall(r"^\| `(\w+)` \|", read("tests/capsules/README.md"), re.MULTILINE)) == sorted(names)


def test_streams_are_those_of_the_code() -> None:
    """By name and number."""
    section = read("docs/semantics.md").split("## 11.")[1]
    said = {name: int(number) for name, number in re.findall(r"^\| \*(\w+)\* \| (\d) \|", section, re.MULTILINE)}
    assert said == {**STREAMS, "order": ORDER}


def numbers(text: str) -> list[int]:
    """All of a text, a range in words too."""
    if found := re.fullmatch(r"(\d+) to (\d+)", text):
        return list(range(int(found[1]), int(found[2]) + 1))
    return [int(number) for number in re.findall(r"-?\d+", text)]


def test_the_values_to_check_an_engine_against_are_right() -> None:
    """Each line of the table in section 2, worked out."""
    functions: dict[str, Callable[..., Any]] = {
        "bit_width": lambda value, _: arithmetic.bit_width(np.array([value])),
        "round_shift": lambda value, shift: int(arithmetic.round_shift(np.array([value]), shift)[0]),
        "psto_shift": lambda value, shift: int(arithmetic.psto_shift(np.array([value]), shift)[0]),
    }
    text = read("docs/semantics.md").split("Values to check an engine against:")[1].split("\n## ")[0]
    lines = re.findall(r"^\| `(\w+)` of (.+?)(?: by (\d+))? \| (.+) \|$", text, re.MULTILINE)
    assert len(lines) == 5
    for name, values, shift, expected in lines:
        assert [functions[name](value, int(shift or 0)) for value in numbers(values)] == numbers(expected), name
    ((state, draws),) = re.findall(r"^\| first four draws from state (\d+) \| (.+) \|$", text, re.MULTILINE)
    drawn = [int(state)]
    for _ in range(4):
        drawn.append(next_random(drawn[-1]))
    assert drawn[1:] == numbers(draws)


def test_pixels_are_halved_grey_or_in_colour() -> None:
    """Section 1's rule, of every pixel value, on each plane in its order."""
    rule = "Pixels become `pixel >> 1` (0..127) with exponent -7, grey ones as one plane, colours as the planes red"
    assert f"{rule}, green, blue" in one_line("docs/semantics.md")
    assert [read_experiment(name).network for name in ("accuracy", "accuracy-vgg11")] == ["tiny_cnn", "vgg11"]
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    labels = np.zeros(1, dtype=np.uint8)
    images = samples(grey, labels).images
    assert images.dtype == np.int8
    assert images.tolist() == [[[[value // 2 for value in row] for row in grey[0].tolist()]]]
    colour = np.stack([grey, grey[:, ::-1], grey[:, :, ::-1]], axis=-1)
    planes = samples(colour, labels).images
    assert planes.shape == (1, 3, 16, 16)
    for plane, pixels in enumerate((grey, grey[:, ::-1], grey[:, :, ::-1])):
        assert np.array_equal(planes[:, plane], pixels >> 1)


def test_usb_s_sizes_are_the_image_s() -> None:
    """Of its sources, and of a line."""
    info = DebugInfo(build("rp2040").flash.debug)
    by_source = [info.bytes_by_source(stored=stored) for stored in (True, False)]
    line = info.size_of("priot_line") / 1000
    info.close()
    text, zeroed = (sum(size for path, size in each.items() if "/usb_" in path) / 1000 for each in by_source)
    page = one_line("docs/usb.md")
    assert f"Its sources cost {text:.1f} KB of text and {zeroed:.1f} KB of SRAM; the second line," in page
    assert f"room for a frame, takes {line:.1f} KB more" in page
