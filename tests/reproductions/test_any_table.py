"""Which function makes which table, and all of them in turn."""

from pathlib import Path

import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reproductions import any_table


@pytest.fixture
def asked(monkeypatch):
    """What the makers of tables were asked for."""
    seen = []
    for maker in (any_table.cost, any_table.runner):
        monkeypatch.setattr(maker, "reproduce", lambda table, **options: seen.append((table, options)))
    return seen


def test_a_table_is_made_by_what_makes_its_kind(asked):
    """Costs by one, runs by the other."""
    any_table.reproduce("cost", quick=True)
    any_table.reproduce("sensitivity", out=Path("there"), scheduler="tcp://there:1")
    assert asked == [
        ("cost", {"quick": True, "device": "host", "out": None}),
        (
            "sensitivity",
            {"quick": False, "device": None, "out": Path("there"), "published": None, "scheduler": "tcp://there:1"},
        ),
    ]


def test_all_are_made_in_turn(asked):
    """Each in a folder of its own; published accuracies belong to the table of accuracies, costs to this machine."""
    options = {"out": Path("there"), "published": Path("letter.toml"), "scheduler": "tcp://there:1"}
    any_table.reproduce("all", quick=True, **options)
    assert [(table, options["out"]) for table, options in asked] == [
        (name, Path("there") / name)
        for name in ("accuracy", "cost", "confirmation", "sensitivity", "accuracy-vgg11", "sensitivity-vgg11")
    ]
    assert [options.get("published") for _, options in asked] == [Path("letter.toml"), *[None] * 5]
    assert [options.get("scheduler") for _, options in asked] == ["tcp://there:1", None, *["tcp://there:1"] * 4]
    assert all(options["quick"] for _, options in asked)


def test_an_interruption_ends_them_all(asked, monkeypatch):
    """The tables behind it are not begun."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(any_table.cost, "reproduce", interrupt)
    with pytest.raises(KeyboardInterrupt):
        any_table.reproduce("all")
    assert any_table.status_of("all") == 130
    assert [table for table, _ in asked] == ["accuracy", "accuracy"]


def test_what_cannot_be_made_is_refused(asked):
    """An unknown table, with the names there are; published costs, since there are none; workers for them."""
    known = "accuracy, cost, confirmation, sensitivity, accuracy-vgg11, sensitivity-vgg11, all"
    with pytest.raises(InputError, match=f"table: expected one of {known}, got"):
        any_table.reproduce("nosuch")
    with pytest.raises(InputError, match="published: expected none with the table of costs"):
        any_table.reproduce("cost", published=Path("letter.toml"))
    with pytest.raises(InputError, match="scheduler: expected none with the table of costs"):
        any_table.reproduce("cost", scheduler="tcp://there:1")
    assert asked == []


def test_a_table_may_be_of_another_network(asked):
    """By the network's name; the small one's is the table's own."""
    any_table.reproduce("accuracy", network="vgg11")
    any_table.reproduce("sensitivity", network="vgg11")
    any_table.reproduce("accuracy", network="tiny_cnn")
    assert [table for table, _ in asked] == ["accuracy-vgg11", "sensitivity-vgg11", "accuracy"]


@pytest.mark.parametrize(
    ("table", "network", "match"),
    [
        ("accuracy", "resnet", "network: expected one of tiny_cnn, vgg11, got 'resnet'"),
        ("confirmation", "vgg11", "network: expected one of tiny_cnn with the table confirmation, got vgg11"),
    ],
)
def test_no_such_network(asked, table, network, match):
    """None at all, or none with that table."""
    with pytest.raises(InputError, match=match):
        any_table.reproduce(table, network=network)
    assert asked == []
