"""The one setting that a study recommends, by the rule that its experiment file has written down."""

from dataclasses import replace

from priot_hil.reference.errors import InputError

from ..row import Row, changed
from ..study import Study
from ..table import Table
from .figures import best_point

SUFFIX = " recommended"


def study_of(table: Table) -> Study:
    """The study that a table is.

    Raises:
        InputError: It is none.
    """
    if (study := table.experiment.study) is None:
        do = "give the records of a study, such as those of the table sensitivity"
        raise InputError.about(f"table {table.experiment.table}", expected="a study", got="none", do=do)
    return study


def recommended_row(table: Table) -> Row | None:
    """The row at the recommended setting, as the table of accuracies has it.

    Returns:
        The row; None where a run that decides it is missing.

    Raises:
        InputError: The table is no study.
    """
    study = study_of(table)
    name = study.recommendation.row
    point = best_point(table, study, name)
    if point is None:
        return None
    usual = next(row for row in study.usual if row.name == name)
    return replace(changed(usual, point), name=name + SUFFIX)
