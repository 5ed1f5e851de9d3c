"""What docs/torch.md tells of VGG11's table, from its records."""

from statistics import mean

from priot_hil.harness.paths import ROOT
from priot_hil.reproductions.table import Cell, read_table

PAGE = " ".join((ROOT / "docs" / "torch.md").read_text(encoding="utf-8").split())
ANGLES, SEEDS = (30, 45), (10, 11, 12)
LAST_CONVOLUTION = -2  # of the layers with weights


def test_the_page_tells_what_the_records_say():
    """PRIOT's leads seed by seed, dead channels, and what PRIOT-S begins and ends with."""
    table = read_table(ROOT / "docs" / "results" / "accuracy-vgg11.jsonl")

    def of(row, angle):
        return [table.records[Cell(row, angle, seed)] for seed in SEEDS]

    def leads(angle):
        pairs = zip(of("PRIOT", angle), of("static NITI", angle), strict=True)
        return "{:.1f}, {:.1f} and {:.1f}".format(*(mine.best - other.best for mine, other in pairs))

    def dead(row):
        found = [record.epochs[-1].counts.dead_units for angle in ANGLES for record in of(row, angle)]
        channels = [each[LAST_CONVOLUTION] for each in found]
        return f"{min(channels)} to {max(channels)}"

    def begun(row):
        shares = [mean(each.epochs[0].test_correct / each.run["test_samples"] for each in of(row, a)) for a in ANGLES]
        return "{:.1f} and {:.1f}".format(*(100 * share for share in shares))

    def at_seed(seed, figure):
        return [figure(table.records[Cell("PRIOT-S 20 % random", angle, seed)]) for angle in ANGLES]

    assert f"lies {leads(30)} points above static NITI's at 30 degrees, and {leads(45)} at 45" in PAGE
    assert f"at the end {dead('static NITI')} of the last convolution's 512 channels" in PAGE
    for angle in ANGLES:
        for record in of("dynamic NITI", angle):
            assert record.epochs[-1].counts.dead_units == record.totals.dead_units
    assert f"of PRIOT, {dead('PRIOT')}, and of *PRIOT recommended* {dead('PRIOT recommended')}." in PAGE
    assert f"the untrained network keeps {begun('PRIOT-S 10 % random')} % of" in PAGE
    magnitude = [f"PRIOT-S {percent} % magnitude" for percent in (10, 20)]
    assert "tenth of largest weights, {}, and the fifth of largest, {}.".format(*map(begun, magnitude)) in PAGE
    assert "{} of the last convolution's channels end at 0, and {}.".format(*map(dead, magnitude)) in PAGE
    last = [*at_seed(11, lambda record: record.last), *at_seed(12, lambda record: record.last)]
    assert "seed 11 ends at {:.0f} and {:.0f} %, seed 12 at {:.0f} and {:.0f},".format(*last) in PAGE
    best = [*at_seed(11, lambda record: record.best), *at_seed(12, lambda record: record.best)]
    assert "the best epochs at {:.1f} and {:.1f}, {:.1f} and {:.1f}.".format(*best) in PAGE
