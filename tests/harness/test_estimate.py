"""What is left of work, by a clock that the test moves."""

import pytest

from priot_hil.harness.estimate import Part, Work


class Clock:
    """Seconds that pass where a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def work_for(clock: Clock, work: Work, seconds: float, units: float = 1, name: object = None) -> None:
    """Some seconds that end with units done."""
    clock.now += seconds
    work.advance(units, name)


def test_nothing_is_said_before_something_is_measured(clock: Clock) -> None:
    """However long it takes."""
    work = Work("epochs", {None: Part(10)}, clock=clock)
    clock.now += 100
    assert work.left() is None
    work_for(clock, work, 0.0)
    assert work.left() == pytest.approx(900)


@pytest.mark.parametrize("seconds", [0.01, 3.0, 500.0])
@pytest.mark.parametrize("count", [2, 9, 1000])
def test_like_units_give_the_truth_from_the_first_on(clock: Clock, seconds: float, count: int) -> None:
    """After each of them, and while the next is at work."""
    work = Work("epochs", {None: Part(count)}, clock=clock)
    for done in range(1, count + 1):
        work_for(clock, work, seconds)
        assert work.left() == pytest.approx((count - done) * seconds)
        if done < count:
            clock.now += seconds / 3
            assert work.left() == pytest.approx((count - done - 1 / 3) * seconds)
            clock.now -= seconds / 3
    assert (work.done, work.total, work.share()) == (count, count, 1.0)


def test_a_unit_that_lasts_longer_leaves_all_others(clock: Clock) -> None:
    """What is left never falls below what the units behind it take."""
    work = Work("epochs", {None: Part(10)}, clock=clock)
    work_for(clock, work, 5.0)
    clock.now += 500
    assert work.left() == pytest.approx(8 * 5.0)


def test_the_estimate_follows_the_speed(clock: Clock) -> None:
    """A machine that becomes ten times as slow: after some minutes the estimate is that of now."""
    work = Work("epochs", {None: Part(10_000)}, clock=clock)
    for _ in range(300):
        work_for(clock, work, 1.0)
    assert work.left() == pytest.approx(9_700)
    for _ in range(100):
        work_for(clock, work, 10.0)
    assert work.left() == pytest.approx(9_600 * 10, rel=0.1)


def test_what_had_to_be_started_is_soon_forgotten(clock: Clock) -> None:
    """Two processes take 7 seconds to start, and then half a second for each hundred runs."""
    work = Work("runs", {None: Part(20_000)}, clock=clock)
    work_for(clock, work, 7.0, 100)
    assert work.left() == pytest.approx(199 * 7.0)
    work_for(clock, work, 0.0, 100)
    for _ in range(10):
        work_for(clock, work, 0.5, 0)
        work_for(clock, work, 0.0, 200)
    assert work.left() == pytest.approx(178 * 0.25, rel=0.1)


def test_what_was_kept_is_done_and_says_nothing_of_the_speed(clock: Clock) -> None:
    """900 of 1,000 were there before; the first that is made now takes 7 seconds."""
    work = Work("epochs", {None: Part(1000, kept=900)}, clock=clock)
    assert (work.done, work.total, work.share(), work.left()) == (900, 1000, 0.9, None)
    work_for(clock, work, 7.0)
    assert work.left() == pytest.approx(99 * 7.0)


def test_more_may_be_kept_than_is_wanted(clock: Clock) -> None:
    """A part that was longer the last time is done."""
    assert Work("epochs", {None: Part(3, kept=5)}, clock=clock).share() == 1.0


def test_kinds_cost_by_their_weights_until_they_are_measured(clock: Clock) -> None:
    """An emulator is thought 25 times as slow as the host until it shows to be 50 times."""
    parts = {"quick": Part(10, kind="host"), "slow": Part(10, kind="emulator", weight=25)}
    work = Work("epochs", parts, clock=clock)
    work_for(clock, work, 2.0, name="quick")
    assert work.left() == pytest.approx(9 * 2.0 + 10 * 50.0)
    for _ in range(9):
        work_for(clock, work, 2.0, name="quick")
    work_for(clock, work, 100.0, name="slow")
    assert work.left() == pytest.approx(9 * 100.0)
    assert work.share() == pytest.approx((10 * 2 + 100) / (10 * 2 + 10 * 100))


def test_the_first_unit_may_be_another(clock: Clock) -> None:
    """An untrained model is only evaluated."""
    work = Work("epochs", {"run": Part(4, first=0.3)}, clock=clock)
    work_for(clock, work, 3.0, name="run")
    assert work.left() == pytest.approx(30.0)
    work_for(clock, work, 10.0, name="run")
    assert work.left() == pytest.approx(20.0)


def test_parts_beside_each_other_share_the_time(clock: Clock) -> None:
    """Two workers, eight runs of 10 epochs, a second each: 40 seconds in all."""
    work = Work("epochs", {name: Part(10, kind="host") for name in "abcdefgh"}, clock=clock)
    begin = clock.now
    for pair in ("ab", "cd", "ef", "gh"):
        for name in pair:
            work.begin(name)
        for _ in range(10):
            clock.now += 1
            for name in pair:
                work.advance(1, name)
            left = work.left()
            assert left is not None
            assert clock.now - begin + left == pytest.approx(40, abs=0.001)


def test_it_takes_at_least_as_long_as_the_longest_part(clock: Clock) -> None:
    """A second worker does not help the last run."""
    parts = {"long": Part(100, kind="emulator", weight=10), "short": Part(1, kind="host")}
    work = Work("epochs", parts, clock=clock)
    work.begin("long")
    work.begin("short")
    work_for(clock, work, 1.0, name="short")
    work_for(clock, work, 9.0, name="long")
    assert work.left() == pytest.approx(99 * 10)


def test_a_part_that_begins_again_takes_no_second_place(clock: Clock) -> None:
    """Its worker was lost; the time of the epoch that was broken off counts for nothing."""
    work = Work("epochs", {name: Part(10, kind="host") for name in "ab"}, clock=clock)
    work.begin("a")
    clock.now += 500
    work.begin("a")
    work_for(clock, work, 2.0, name="a")
    assert work.left() == pytest.approx(19 * 2.0)


def test_how_much_there_is_may_be_said_later(clock: Clock) -> None:
    """A build says it with its first step."""
    work = Work("steps", None, clock=clock)
    clock.now += 5
    assert (work.total, work.left(), work.share()) == (None, None, 0.0)
    work.expect(50)
    work_for(clock, work, 2.0)
    assert (work.done, work.total, work.left()) == (1, 50, pytest.approx(98))


def test_work_without_an_end_is_counted(clock: Clock) -> None:
    """Nobody knows what is left."""
    work = Work("cases", None, clock=clock)
    for _ in range(3):
        work_for(clock, work, 1.0, 2)
    assert (work.done, work.total, work.left()) == (6, None, None)


def test_looking_again_is_no_progress(clock: Clock) -> None:
    """Whoever polls says so each time: the unit that ends later took all the time since the last one."""
    work = Work("epochs", {None: Part(3)}, clock=clock)
    for _ in range(10):
        work_for(clock, work, 1.0, 0)
    assert work.left() is None
    work.advance()
    assert work.left() == pytest.approx(20.0)
