"""The table of accuracies: cells by row and angle, claims with their verdicts, for the terminal and as Markdown."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as TerminalTable

from .chain import linked
from .claims import Measure
from .experiment import Experiment
from .intervals import Spread, spread
from .networks import subject
from .setting import told
from .table import Table
from .verdicts import Judgement, gains, judge

NOT_RUN = "not run"
# The only figures of the letter that its abstract gives; its own tables are not repeated here.
PUBLISHED = "The letter's abstract states 8.08 to 33.75 percentage points of improvement over existing methods."
BOARD = "emulated board"
ON_BOARD = (
    "Emulated board: one run of the row went through the firmware on the emulated RP2040 and through the engine on the "
    "host; after every epoch their states and accuracies were equal."
)
MEASURES = ("best", "last", "gain")
CLAIM_COLUMNS = ("claim", "read as", "mean differences", "direction", "range")


def header(experiment: Experiment) -> list[str]:
    """The table's columns."""
    angles = [f"{angle}° {what}" for angle in experiment.angles for what in MEASURES]
    return ["", *angles, *([BOARD] if has_board(experiment) else [])]


def aligns(experiment: Experiment) -> str:
    """How the columns stand; see `markdown_table`."""
    return "l" + "r" * len(MEASURES) * len(experiment.angles) + "l" * has_board(experiment)


def has_board(experiment: Experiment) -> bool:
    """Whether there are boards that can hold the network."""
    return subject(experiment.network).board is not None


def body(table: Table) -> list[list[str]]:
    """The table's rows: a list of cells for each, one or two lines a cell; one with an unfinished run says so."""
    rows = [[row.name, *_accuracies(table, row.name)] for row in table.experiment.rows]
    if has_board(table.experiment):
        for cells, row in zip(rows, table.experiment.rows, strict=True):
            cells.append(_agreement(table, row.name, row.trains))
    return rows


def claims(table: Table) -> list[list[str]]:
    """The claims' rows, see `CLAIM_COLUMNS`."""
    return [_claim(judge(table, claim)) for claim in table.experiment.claims]


def legend(table: Table) -> list[str]:
    """What one must know to read the table, a sentence or two a line."""
    experiment = table.experiment
    task = f"{experiment.train_samples} + {experiment.test_samples} images, {experiment.epochs} epochs, batch 1"
    usual = experiment.setting
    model = f"{experiment.network} pre-trained upright ({usual.pretraining})"
    setting = f"{usual.loss_rounding} loss rounding, mu = {usual.mu}"
    others = {row.name: row.setting.differences(usual) for row in experiment.rows if row.setting != usual}
    return [
        f"{model}; {setting}; {task}; {seeds(experiment.seeds)}; engine: {table.device}.",
        "Accuracy in percent: mean ± standard deviation over the seeds, below it the mean's 95 % confidence interval "
        "(Student's t). Best: of the evaluations before training and after each epoch. Gain: best minus the best "
        f"of {experiment.baseline}, in points, seed by seed.",
        *([ON_BOARD] if has_board(experiment) else []),
        PUBLISHED,
        *(f"{name}: {', '.join(told(*each) for each in changes.items())}." for name, changes in others.items()),
        experiment.note,
    ]


def missing(table: Table) -> list[str]:
    """What a reader must know about a table that is not whole, a sentence each."""
    said = []
    if table.experiment.quick:
        said.append("This is the short form of the table: fewer seeds and epochs, and no verdicts.")
    if (left := len(table.cells) - len(table.records)) > 0:
        said.append(f"{left} of {len(table.cells)} runs have not been made; what needs them says “{NOT_RUN}”.")
    return said


def rule(table: Table) -> list[str]:
    """How the claims are judged."""
    told = table.experiment.rule
    return (
        []
        if told is None
        else [told.text, f"Rule and thresholds were written on {told.written}. Seen by then: {told.seen}"]
    )


def origin(table: Table, name: str) -> str:
    """Which records the page was made from."""
    lines = linked(table.entries())
    return f"Made from {len(lines) - 1} records; the chain in {name} ends with {lines[-1].sha256}."


def terminal_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True, aligns: str = ""
) -> TerminalTable:
    """The table for a terminal; see `markdown_table`."""
    shown = TerminalTable(title=title)
    for column, letter in zip(columns, aligns or usual_aligns(columns, numbers), strict=True):
        shown.add_column(column, justify="right" if letter == "r" else "left")
    for row in rows:
        shown.add_row(*row)
    return shown


def show(table: Table, console: Console) -> None:
    """Print table, legend and claims."""
    experiment = table.experiment
    console.print(terminal_table(experiment.title, header(experiment), body(table), aligns=aligns(experiment)))
    for line in (*missing(table), *legend(table)):
        console.print(line, markup=False, highlight=False)
    if experiment.claims:
        console.print(terminal_table("Claims", CLAIM_COLUMNS, claims(table), numbers=False))
        for line in rule(table):
            console.print(line, markup=False, highlight=False)


def usual_aligns(columns: Sequence[str], numbers: bool) -> str:
    """To the right, what lies between the first column and the last, where it is numbers."""
    return f"l{('r' if numbers else 'l') * (len(columns) - 2)}l"


def table_lines(table: Table) -> list[str]:
    """The accuracies as Markdown."""
    experiment = table.experiment
    return markdown_table(header(experiment), body(table), aligns=aligns(experiment))


def markdown(table: Table, name: str) -> str:
    """The whole page as Markdown: table, legend, claims, and the records that it was made from.

    Args:
        table: What was run.
        name: The name of the file with its records.
    """
    experiment = table.experiment
    page = [f"# {experiment.title}", "", *table_lines(table), ""]
    page += [f"{line}\n" for line in (*missing(table), *legend(table))]
    if experiment.claims:
        page += ["## Claims", "", *markdown_table(CLAIM_COLUMNS, claims(table), numbers=False), ""]
        page += [f"{line}\n" for line in (*sources(experiment), *rule(table))]
    return "\n".join([*page, origin(table, name), ""])


def markdown_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True, aligns: str = ""
) -> list[str]:
    """A table's lines.

    Args:
        columns: Its headings.
        rows: Its cells.
        numbers: Whether the columns between the first and the last stand to the right.
        aligns: A letter for each column instead: "r" for those that do.
    """
    aligns = aligns or usual_aligns(columns, numbers)
    marks = ["--:" if letter == "r" else ":--" for letter in aligns]
    return [f"| {' | '.join(cell.replace(chr(10), '<br>') for cell in cells)} |" for cells in (columns, marks, *rows)]


def shown(value: Spread, sign: str = "") -> str:
    """Mean and deviation, and on a second line the interval."""
    mean = f"{value.mean:{sign}z.1f}"
    if value.deviation is None:
        return mean
    return f"{mean} ± {value.deviation:.1f}\n{value.low:{sign}z.1f} to {value.high:{sign}z.1f}"


def _accuracies(table: Table, row: str) -> list[str]:
    cells = []
    baseline = table.experiment.baseline
    for angle in table.experiment.angles:
        mine = table.column(row, angle)
        if mine is None:
            cells += [NOT_RUN] * len(MEASURES)
            continue
        cells += [shown(spread([record.best for record in mine])), shown(spread([record.last for record in mine]))]
        gained = gains(table, row, baseline, angle, Measure.BEST)
        cells.append("" if row == baseline else NOT_RUN if gained is None else shown(spread(gained), "+"))
    return cells


def _agreement(table: Table, row: str, trains: bool) -> str:
    """Whether a run of the row went through two engines; a difference never gets as far as the table."""
    for cell in table.cells:
        record = table.records.get(cell) if cell.row == row else None
        if record is not None and len(record.run["devices"]) > 1:
            return f"equal, {record.trained} epochs" if trains else "equal, untrained"
    return NOT_RUN


def _claim(judgement: Judgement) -> list[str]:
    claim, means = judgement.claim, [each.mean for each in judgement.differences]
    if not means:
        differences = NOT_RUN
    elif len(means) <= 2:
        differences = "\n".join(shown(each, "+") for each in judgement.differences)
    else:
        differences = f"{min(means):+z.1f} to {max(means):+z.1f}"
    return [claim.text, claim.reading, differences, judgement.direction, judgement.range or "none given"]


def sources(experiment: Experiment) -> list[str]:
    """Where each claimed sentence stands, told once."""
    told = {claim.text: claim.source for claim in reversed(experiment.claims)}
    return [f"“{text}”: {told[text]}." for text in dict.fromkeys(claim.text for claim in experiment.claims)]


def seeds(seeds: Sequence[int]) -> str:
    """Seeds in words."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    is_range = list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"seeds {seeds[0]} to {seeds[-1]}" if is_range else f"seeds {', '.join(map(str, seeds))}"
