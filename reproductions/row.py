"""A row of a table: one method with its parameters and its setting."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind, Selection
from priot_hil.reference.ranges import PERCENT, THETA
from priot_hil.reference.run import Method

from .fields import Fields, plain
from .setting import Setting, take_setting

DO = "correct the experiment file"


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: What the table calls it.
        kind: The method.
        setting: The table's, but for what the row says itself.
        trains: False for the model as it is before transfer.
        theta: The pruning threshold, None for NITI.
        percent: Share of each layer's edges that PRIOT-S scores, else None.
        selection: How PRIOT-S chooses them, else None.
    """

    name: str
    kind: MethodKind
    setting: Setting
    trains: bool = True
    theta: int | None = None
    percent: int | None = None
    selection: Selection | None = None

    @property
    def method(self) -> Method:
        """The method at the row's setting."""
        return Method(self.kind, self.setting.mu, self.theta, self.setting.loss_rounding)

    def to_json(self) -> dict[str, Any]:
        """All that it says, as an experiment file would."""
        said = {"name": self.name, "method": self.kind, "trains": self.trains, **self.setting.to_json()}
        if self.kind.learns_scores:
            said["theta"] = self.theta
        if self.kind is MethodKind.PRIOT_S:
            said |= {"percent": self.percent, "selection": self.selection}
        return plain(said)


def take_row(content: Any, usual: Setting) -> Row:
    """Read a row.

    Args:
        content: Its table in the file.
        usual: The setting of rows that say nothing of it.

    Returns:
        The row.

    Raises:
        InputError: It is not legal.
    """
    if not isinstance(content, dict):
        raise InputError.about("rows", expected="tables", got=repr(content), do=DO)
    fields = Fields(f"row {content.get('name', '?')!r}", content, DO)
    name, kind = fields.take("name", str), fields.choice("method", MethodKind)
    if not name.strip() or not name.isprintable() or "," in name:
        expected = "printable characters, and no comma, which parts a cell's row from its angle"
        raise InputError.about("name of a row", expected=expected, got=repr(name), do=DO)
    theta = fields.number("theta", THETA.low, THETA.high) if kind.learns_scores else None
    is_priot_s = kind is MethodKind.PRIOT_S
    percent = fields.number("percent", PERCENT.low, PERCENT.high) if is_priot_s else None
    selection = fields.choice("selection", Selection) if is_priot_s else None
    trains = fields.take("trains", bool) if "trains" in fields else True
    setting = take_setting(fields, usual)
    fields.check_nothing_left()
    return Row(name, kind, setting, trains, theta, percent, selection)


def changed(row: Row, changes: Mapping[str, Any]) -> Row:
    """A row in which something is another.

    Args:
        row: The row.
        changes: New values by name, as an experiment file has them.

    Returns:
        The changed row, of the same name.

    Raises:
        InputError: There is no such thing in this row, or a value is not legal.
    """
    return take_row({**row.to_json(), **changes}, row.setting)
