"""What the README shows is what the committed records say."""

import json
import statistics

from priot_hil.harness.paths import ROOT

RESULTS = ROOT / "docs" / "results"


def table_lines(text: str) -> list[str]:
    """The lines of a Markdown text that belong to tables."""
    return [line for line in text.splitlines() if line.startswith("|")]


def test_the_readme_shows_the_committed_table() -> None:
    """Every line of the committed table stands in the README."""
    lines = table_lines((RESULTS / "accuracy.md").read_text(encoding="utf-8"))
    assert len(lines) == 10
    assert set(lines) <= set(table_lines((ROOT / "README.md").read_text(encoding="utf-8")))


def test_the_committed_table_follows_from_the_committed_records() -> None:
    """Best accuracies of a row, worked out from the records by hand, are the table's."""
    records = [json.loads(line) for line in (RESULTS / "accuracy.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(records) == 160
    rows = {line.split("|")[1].strip(): line for line in table_lines((RESULTS / "accuracy.md").read_text("utf-8"))}
    for name in {record["row"] for record in records}:
        for column, angle in ((2, 30), (5, 45)):
            best = [
                100 * max(epoch["test_correct"] for epoch in record["epochs"]) / record["test_samples"]
                for record in records
                if (record["row"], record["angle"]) == (name, angle)
            ]
            assert len(best) == 10
            shown = rows[name].split("|")[column].strip()
            assert shown == f"{statistics.mean(best):.1f} ± {statistics.stdev(best):.1f}"
