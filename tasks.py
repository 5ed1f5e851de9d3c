"""Tasks: `./run invoke --list`. Each says what its options take, and calls one function with them."""

from pathlib import Path
from typing import Annotated

from invoke import Context

from priot_hil.harness.command_line import CHECK_FAILED, command
from priot_hil.harness.invoke_parser import refuse_in_sentences
from priot_hil.harness.options import BAUD, BITS_PER_SECOND, Existing, OneOf, Place, Text, Whole
from priot_hil.harness.protocol import MAX_RUN_EPOCHS
from priot_hil.reference import ranges
from priot_hil.reference.errors import InputError

refuse_in_sentences()

MANY = 1_000_000  # more than anybody has time for
DEVICE = Text("a device's name")
SEED = Whole(ranges.SEED.low, ranges.SEED.high)
DEGREES = Whole(-360, 360)
TABLE_FILE = Existing("a table's file, JSON Lines")


@command
def reproduce(
    _: Context,
    table: Annotated[str, Text("a table's name"), "accuracy, confirmation, cost, sensitivity or all"] = "accuracy",
    quick: Annotated[bool, "the short form: one seed and few epochs, or few steps"] = False,
    network: Annotated[
        str | None, Text("a network's name"), "tiny_cnn or vgg11 (needs torch: PRIOT_EXTRAS=float ./run ...)"
    ] = None,
    device: Annotated[
        str | None, DEVICE, "engine of all runs: host, emulator, reference, torch; cost: a board that counts too"
    ] = None,
    out: Annotated[Path | None, Place("a folder"), "folder of the results (default: results/TABLE)"] = None,
    published: Annotated[
        Path | None, Existing("TOML"), "TOML file of published accuracies: the differences, cell by cell"
    ] = None,
    scheduler: Annotated[
        str | None,
        Text("tcp://HOST:PORT"),
        "of a Dask scheduler whose workers perform the runs (docs/scale.md)",
    ] = None,
) -> int:
    """Reproduce a published table; interrupted, it goes on where it stopped."""
    from priot_hil.reproductions.any_table import status_of

    options = {"network": network, "device": device, "out": out, "published": published, "scheduler": scheduler}
    return status_of(table, quick=quick, **options)


@command
def verify(
    _: Context,
    records: Annotated[Path, TABLE_FILE, "the table's file, JSON Lines"],
    cell: Annotated[list[str], Text("ROW,ANGLE,SEED"), "a cell to recompute; may be given again"] = [],  # noqa: B006
    sample: Annotated[int, Whole(0, MANY), "how many cells to draw and recompute"] = 0,
    seed: Annotated[int | None, SEED, "of the draw (default: another one each time)"] = None,
    device: Annotated[str | None, DEVICE, "engine to recompute on (default: those of each record)"] = None,
) -> int:
    """Check a table's records: their hash chain, their experiment, and cells recomputed from scratch."""
    from priot_hil.reproductions.verify import verify as verify_records

    wrong = verify_records(records, sample=sample, cells=cell, seed=seed, device=device)
    return CHECK_FAILED if wrong else 0


@command
def curves(
    _: Context,
    records: Annotated[Path, TABLE_FILE, "the table's file, JSON Lines"],
    out: Annotated[Path | None, Place("SVG"), "the picture (default: beside the file, NAME-curves.svg)"] = None,
) -> None:
    """Draw a table's training curves as SVG."""
    from priot_hil.reproductions.plot import write_curves

    print(write_curves(records, out))


@command
def publish(
    _: Context,
    records: Annotated[Path | None, TABLE_FILE, "a whole table's file, to be taken over into docs/results"] = None,
    report: Annotated[
        list[Path],
        Existing("a report"),
        "coverage.md, classes.md, selftest-host.md, mutation.json, bench.json or cost.json, as a command wrote it, "
        "to be taken over as well; may be given again",
    ] = [],  # noqa: B006
) -> None:
    """Make docs/results and the README's table from records; without options, the pages of those that are there."""
    from priot_hil.reproductions.publish import publish as publish_table

    publish_table(records, report)


@command
def report(
    _: Context,
    records: Annotated[
        list[Path], Existing("records", or_folder=True), "a file or a folder of records, may be given again"
    ] = [],  # noqa: B006
    out: Annotated[Path, Place("a folder"), "folder of the page"] = Path("results") / "report",
) -> None:
    """Write one page with all tables, curves and where each figure comes from."""
    from priot_hil.reproductions.page.make import report as write_report

    write_report(records, out)


@command
def pretrain(
    _: Context,
    way: Annotated[str, OneOf(("float", "niti")), "float (needs torch) or niti"],
    network: Annotated[str, Text("a network's name"), "tiny_cnn or vgg11"] = "tiny_cnn",
    device: Annotated[str | None, DEVICE, "engine that trains niti"] = None,
) -> None:
    """Make the model before transfer anew and compare it with the committed checkpoint."""
    from priot_hil.reproductions.pretrain import pretrain as pretrain_model

    pretrain_model(way, network=network, device=device)


@command
def replay(
    _: Context,
    capsule: Annotated[Path | None, Existing("a capsule"), "the file"] = None,
    all: Annotated[bool, "all capsules in tests/capsules instead"] = False,
    device: Annotated[
        str, Text("devices with commas"), "engines with commas: reference, host, emulator, process"
    ] = "reference,host,emulator",
) -> int:
    """Run one case, or all that are kept, on several engines and show the first divergence of each."""
    from priot_hil.harness.replay_command import replay_all, replay_capsule

    if capsule is not None and not all:
        return replay_capsule(capsule, device)
    if all and capsule is None:
        return replay_all(device)
    got = "both" if all else "neither"
    raise InputError.about("replay", expected="--capsule FILE or --all", got=got, do="give one of them")


@command
def bisect(
    _: Context,
    device: Annotated[str, DEVICE, "the engine to check"],
    against: Annotated[str, DEVICE, "the engine to believe"] = "host",
    table: Annotated[str, Text("a table's name"), "the table"] = "accuracy",
    row: Annotated[str, Text("a row's name"), "a row of it"] = "PRIOT",
    angle: Annotated[int, DEGREES, "degrees"] = 30,
    seed: Annotated[int, SEED, "of the run"] = 10,
    epochs: Annotated[int, Whole(1, 1000), "to train at most"] = 30,
    epoch: Annotated[
        int | None, Whole(1, 1000), "the first epoch that differs, where a failing run has said so"
    ] = None,
    out: Annotated[Path, Place("a folder"), "folder of the capsule"] = Path("failures"),
) -> int:
    """Find the first step of a long run in which two engines differ, and keep it as a capsule."""
    from priot_hil.reproductions.bisect import bisect as find_step

    run = {"table": table, "row": row, "angle": angle, "seed": seed, "epochs": epochs, "epoch": epoch}
    return CHECK_FAILED if find_step(device, against=against, out=out, **run) else 0


@command
def devices(
    _: Context,
    device: Annotated[str | None, Text("ports with commas"), "more ports to ask, with commas"] = None,
    baud: Annotated[int, BITS_PER_SECOND, "bits per second of serial ports"] = BAUD,
) -> None:
    """List what this machine can test on: emulators, and the boards on its ports with their builds and holders."""
    from priot_hil.harness.device_kinds import DeviceOptions
    from priot_hil.harness.devices_command import list_devices

    list_devices(device, DeviceOptions(baud=baud))


@command
def bench(
    _: Context,
    out: Annotated[
        Path | None, Place("JSON"), "the JSON file (default: results/bench.json, or results/bench-PART.json)"
    ] = None,
    only: Annotated[str | None, Text("a part's name"), "one part, such as vgg11_step (needs torch)"] = None,
) -> None:
    """Measure steps per second, cycles per step and kernel cases per second, and write them as JSON."""
    from priot_hil.reproductions.bench import bench as run_bench

    run_bench(out, only=only)


@command
def chaos(
    _: Context,
    runs: Annotated[int, Whole(1, 10 * MANY), "training runs, each over a line with other faults"] = 10_000,
    device: Annotated[str, OneOf(("process", "emulator")), "process or emulator"] = "process",
    seed: Annotated[int, SEED, "of the faults"] = 0,
    faults: Annotated[int, Whole(0, 1000), "planned for a run at most"] = 10,
    case: Annotated[str | None, Text("a case"), "one case instead, as a campaign has printed it"] = None,
    out: Annotated[Path | None, Place("JSON"), "the JSON file (default: results/chaos-DEVICE.json)"] = None,
) -> int:
    """Train over a bad line, thousands of times; interrupted, it goes on where it stopped."""
    from priot_hil.harness.chaos import chaos as perform
    from priot_hil.harness.chaos import replay_case

    return perform(runs, device, seed, faults, out) if case is None else replay_case(case, device)


@command
def run_epochs(
    _: Context,
    device: Annotated[str, DEVICE, "the board"],
    row: Annotated[str, Text("a row's name"), "a row of the accuracy table"] = "PRIOT",
    angle: Annotated[int, DEGREES, "degrees"] = 30,
    seed: Annotated[int, SEED, "of the run"] = 10,
    epochs: Annotated[int, Whole(0, MAX_RUN_EPOCHS), "how many"] = 30,
    stop: Annotated[bool, "only end the run that the board is at"] = False,
) -> None:
    """Let a board train on its own flash, unplugged if you like; the same command again collects and checks."""
    from priot_hil.reproductions.run_epochs import run_epochs as run_detached

    run_detached(device, row=row, angle=angle, seed=seed, epochs=epochs, stop=stop)


@command
def kills(
    _: Context,
    count: Annotated[int, Whole(1, MANY), "how many boards are lost"] = 50,
    seed: Annotated[int, SEED, "of the instants and the data"] = 1,
    how: Annotated[
        str, OneOf(("kill", "reset")), "kill (SIGKILL to the board's process) or reset (its watchdog)"
    ] = "kill",
) -> int:
    """Lose emulated boards at random instants of 3-epoch runs; each run must end as if nothing had happened."""
    from priot_hil.reproductions.kills import kills as lose_boards
    from priot_hil.reproductions.runner import default_console

    return CHECK_FAILED if lose_boards(count, seed, how, default_console()) else 0


@command
def coverage(
    _: Context,
    classes: Annotated[bool, "count classes of generated cases instead, such as shifts, ties and saturation"] = False,
    cases: Annotated[int, Whole(1, MANY), "with --classes: how many stages are drawn"] = 5000,
    profile: Annotated[
        str, OneOf(("default", "thorough")), "hypothesis profile of the generated cases: default or thorough"
    ] = "default",
    seed: Annotated[int, SEED, "of the generated cases"] = 0,
    out: Annotated[
        Path | None, Place("Markdown"), "the report (default: results/coverage.md, or results/classes.md)"
    ] = None,
) -> int:
    """Say which lines and conditions of kernels and engine the suite reaches; status 1 where one is left open."""
    if classes:
        from priot_hil.harness.coverage.class_table import classes as count_classes

        return count_classes(cases, out)
    from priot_hil.harness.coverage.command import coverage as measure

    return measure(profile, seed, out)


@command
def build(
    _: Context,
    preset: Annotated[
        str, Text("a preset"), "rp2040, rp2040-gcc, host, host-sanitized, host-coverage, fuzz or fuzz-32"
    ] = "rp2040",
) -> None:
    """Build the firmware and say where it lies."""
    from priot_hil.harness.firmware import build as build_firmware
    from priot_hil.harness.firmware import describe

    print(describe(build_firmware(preset)))


@command
def emulate(
    _: Context,
    device: Annotated[
        str,
        OneOf(("emulator", "rp2040py")),
        "emulator (quick) or rp2040py (boots the flash image through the bootrom)",
    ] = "emulator",
    link: Annotated[str, OneOf(("uart", "usb")), "uart, or usb with rp2040py"] = "uart",
    symlink: Annotated[
        Path | None, Place("a path"), "a name for the terminal that stays the same from one start to the next"
    ] = None,
) -> None:
    """Put an emulated board on a pseudo-terminal, to be opened as a serial port, until Ctrl-C."""
    from priot_hil.harness.emulated_board import emulate as emulate_board

    emulate_board(device, link, symlink)


@command
def flash(
    _: Context,
    device: Annotated[
        str | None, Text("a port's name"), "the board's port, by any name of it (default: the one board on USB)"
    ] = None,
    drive: Annotated[
        Path | None, Place("a folder"), "where the drive of its loader is mounted (default: looked for)"
    ] = None,
    image: Annotated[str, OneOf(("flash", "ram")), "flash, or ram: until it is unplugged"] = "flash",
    baud: Annotated[int, BITS_PER_SECOND, "bits per second of the port"] = BAUD,
    with_data: Annotated[bool, "then put the accuracy table's transfer set into its flash"] = False,
    seed: Annotated[int | None, SEED, "of the transfer set (default: the table's first)"] = None,
    angle: Annotated[int | None, DEGREES, "of the transfer set, degrees (default: the table's first)"] = None,
) -> None:
    """Put this checkout's firmware on a board, unless it runs already, and see it answer."""
    from priot_hil.harness.flashing import FlashOptions
    from priot_hil.harness.flashing import flash as flash_board

    board = flash_board(FlashOptions(device, drive, image, baud))
    if with_data:
        from priot_hil.harness.device_kinds import DeviceOptions
        from priot_hil.reproductions.board_data import give_data

        give_data(board, DeviceOptions(baud), seed=seed, angle=angle)


@command
def doctor(_: Context) -> int:
    """Say what is installed, found and running, and what to do; status 1 where a default command cannot run."""
    from priot_hil.harness.doctor import doctor as examine

    return examine()


@command
def fuzz(
    _: Context,
    seconds: Annotated[int, Whole(1, MANY), "for each target"] = 60,
    target: Annotated[
        str | None,
        OneOf(("frames", "commands")),
        "frames (any bytes) or commands (requests framed rightly); both where it is left out",
    ] = None,
    preset: Annotated[str, OneOf(("fuzz", "fuzz-32")), "fuzz, or fuzz-32 for the board's 32-bit sizes"] = "fuzz",
) -> int:
    """Search the firmware's link, commands and engine for bytes that break them; status 1 if some do."""
    from priot_hil.harness.fuzz.campaign import fuzz as run_fuzzers

    return run_fuzzers(seconds, target, preset)


@command
def mutate(
    _: Context,
    device: Annotated[str, OneOf(("host", "emulator")), "host, or emulator: the RP2040's firmware"] = "host",
    sample: Annotated[int, Whole(1, MANY), "how many mutants, from every file and operator"] = 400,
    all: Annotated[bool, "every mutant: hours"] = False,
    only: Annotated[
        str | None, Text("a part of a mutant's id"), "those whose id has this in it, or one of these with commas"
    ] = None,
    again: Annotated[bool, "try survivors again"] = False,
    shrink: Annotated[int, Whole(0, MANY), "for how many of the killed to see how small the case becomes"] = 0,
    report: Annotated[Path | None, Place("a folder"), "a folder for the table and its records"] = None,
) -> int:
    """Build wrong versions of the firmware and see the suite find each; needs PRIOT_EXTRAS=mutation."""
    from priot_hil.harness.mutation.command import mutate as try_mutants

    return try_mutants(device, sample, every=all, only=only, again=again, shrink=shrink, report=report)


@command
def selftest(
    _: Context,
    device: Annotated[str, OneOf(("host", "emulator")), "on which the suite looks for them: host or emulator"] = "host",
    only: Annotated[str | None, Text("a part of a bug's name"), "bugs with this in their names"] = None,
    out: Annotated[
        Path | None, Place("Markdown"), "the table (default: results/selftest-DEVICE.md, with --only -part.md)"
    ] = None,
) -> int:
    """Plant bugs in a copy of the firmware: suite, sanitizers, fuzzer and coverage each have to find theirs."""
    from priot_hil.harness.selftest.command import selftest as find_planted_bugs

    return find_planted_bugs(device, only, out)


@command
def protocol(_: Context) -> None:
    """Write the protocol's header, module and documentation from firmware/link/protocol.toml."""
    from priot_hil.harness.protocol_generator import write_generated_files

    for path in write_generated_files():
        print(path)


@command
def lint(_: Context) -> None:
    """Check style and types: PRIOT_EXTRAS=dev ./run invoke lint."""
    from priot_hil.harness.lint import lint as check

    check()
