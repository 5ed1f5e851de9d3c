"""pytest's `--device`: each test that takes an engine runs once on each device, and a wrong name ends the session."""

import pytest

from priot_hil.harness.devices import known_names, parse_devices
from priot_hil.reference.errors import InputError

pytest_plugins = ("pytester",)

TESTS = """
    import pytest

    def test_name(engine, request):
        assert engine.name == request.node.callspec.params["engine"]

    @pytest.mark.parametrize("number", [1, 2])
    def test_twice(engine, reference, number):
        assert reference.name == "reference"

    def test_none():
        pass
"""


def passed(result: pytest.RunResult) -> list[str]:
    """The names of the tests that passed, in their order."""
    return [line.split(" ")[0].partition("::")[2] for line in result.outlines if " PASSED" in line]


def test_each_test_runs_once_on_each_device(pytester: pytest.Pytester) -> None:
    """In the order of the option; a test without an engine runs once, and a name given twice counts once."""
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-v", "-p", "no:cacheprovider", "--device", "host, reference,host,,host")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["devices: host, reference, each held against the reference"])
    names = passed(result)
    assert sorted(names) == sorted(
        [
            *["test_name[host]", "test_name[reference]", "test_none"],
            *[f"test_twice[{device}-{number}]" for device in ("host", "reference") for number in (1, 2)],
        ]
    )
    assert names.index("test_name[host]") < names.index("test_name[reference]")


@pytest.mark.slow
def test_an_engine_is_opened_once_and_closed(pytester: pytest.Pytester) -> None:
    """One for the session, whatever order its tests run in; its device is let go of at the end."""
    pytester.makeconftest(
        """
        import pytest
        from priot_hil.harness import devices
        from priot_hil.harness.device_kinds import DeviceKind

        class Engine:
            def __init__(self, name):
                print(f"opened {name}")
                self.name = name

            def close(self):
                print(f"closed {self.name}")

        for name in ("host", "process"):
            devices.DEVICES[name] = DeviceKind(lambda _, name=name: Engine(name))
        """
    )
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-s", "-q", "-p", "no:cacheprovider", "--device", "host,process")
    result.assert_outcomes(passed=7)
    said = result.stdout.str()
    assert [said.count(f"{what} {name}") for name in ("host", "process") for what in ("opened", "closed")] == [1] * 4


def test_an_unknown_device_ends_the_session(pytester: pytest.Pytester) -> None:
    """Status 2 and one sentence that names each unknown one once, before anything is collected."""
    pytester.makepyfile("raise SystemError('collected')")
    result = pytester.runpytest_subprocess("--device", "host,here,there,here")
    said = result.stdout.str() + result.stderr.str()
    assert result.ret == 2
    assert f"error: device: expected names out of {known_names()}, " in said
    assert "with commas, got here, there; name one of them." in said
    assert "collected" not in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_port_that_stands_apart_is_refused(pytester: pytest.Pytester) -> None:
    """Pytest would look for its settings beside the port, and not find the project's."""
    result = pytester.runpytest_subprocess("--device", "/dev/null")
    assert result.ret == 2
    assert "expected --device=/dev/null, got --device /dev/null; write it so" in result.stderr.str()


@pytest.mark.parametrize("names", ["", " , "])
def test_no_device_is_refused(names: str) -> None:
    """A session that holds nothing against the reference would pass in silence."""
    with pytest.raises(InputError, match="got none; name one of them"):
        parse_devices(names)


@pytest.mark.slow
@pytest.mark.parametrize("error", ["InputError('the reason')", "LinkLost('the reason')"])
def test_a_device_that_does_not_open_ends_the_session(pytester: pytest.Pytester, error: str) -> None:
    """Status 2 and its sentence, not a failure of each test."""
    pytester.makeconftest(
        f"""
        from priot_hil.harness import devices
        from priot_hil.harness.device_kinds import DeviceKind
        from priot_hil.harness.errors import LinkLost
        from priot_hil.reference.errors import InputError

        def refuse(options):
            raise {error}

        devices.DEVICES["host"] = DeviceKind(refuse)
        """
    )
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("--device", "host")
    assert result.ret == 2
    assert "error: the reason" in result.stdout.str() + result.stderr.str()


KINDS = """
    from priot_hil.harness import devices
    from priot_hil.harness.device_kinds import DeviceKind

    devices.DEVICES["slow"] = DeviceKind(devices.DEVICES["reference"].open, is_slow=True)
    devices.DEVICES["missing"] = DeviceKind(devices.DEVICES["reference"].open, unavailable=lambda: "no such program")
"""


@pytest.fixture
def kinds(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow device, and one that this machine has not; known before the command line is read."""
    pytester.makepyfile(kinds=KINDS)
    monkeypatch.setenv("PYTEST_PLUGINS", "kinds")
    pytester.syspathinsert()


@pytest.mark.slow
@pytest.mark.usefixtures("kinds")
def test_a_slow_device_runs_the_short_tests(pytester: pytest.Pytester) -> None:
    """The others are deselected there, and there only."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.short
        def test_short(engine):
            pass

        def test_long(engine):
            pass

        def test_none():
            pass
        """
    )
    result = pytester.runpytest_subprocess("-v", "--device", "slow,reference")
    result.assert_outcomes(passed=4, deselected=1)
    result.stdout.fnmatch_lines(["slow: 1 passed, 1 not in the short suite; on reference (1 tests)"])
    assert sorted(passed(result)) == ["test_long[reference]", "test_none", "test_short[reference]", "test_short[slow]"]


@pytest.mark.slow
@pytest.mark.usefixtures("kinds")
def test_a_missing_device_is_skipped_with_its_reason(pytester: pytest.Pytester) -> None:
    """Each of its tests, and none of another device's."""
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-rs", "--device", "missing,reference")
    result.assert_outcomes(passed=4, skipped=3)
    result.stdout.fnmatch_lines(["missing: 3 skipped (no missing here: no such program)", "reference: 3 passed; on *"])
    result.stdout.fnmatch_lines(["SKIPPED*no missing here: no such program"])


@pytest.mark.slow
def test_a_lost_device_starts_anew_once_more_at_most(pytester: pytest.Pytester) -> None:
    """One that is no board gets a fresh start after it was lost; where that fails, no other is tried."""
    pytester.makeconftest(
        """
        from priot_hil.harness import devices
        from priot_hil.harness.device_kinds import DeviceKind
        from priot_hil.harness.errors import LinkLost

        started = []

        def start(options):
            started.append(1)
            print(f"start {len(started)}")
            if len(started) == 3:
                raise LinkLost("no third start")
            return devices.open_process()

        devices.DEVICES["process"] = DeviceKind(start)
        """
    )
    pytester.makepyfile(
        """
        import pytest
        from priot_hil.harness.errors import LinkLost
        from priot_hil.harness.protocol import CommandCode

        @pytest.mark.parametrize("number", range(6))
        def test_it(engine, number):
            engine.device.command(CommandCode.RESET, bytes(1))
            if number in (1, 2):
                raise LinkLost("a reason")
        """
    )
    result = pytester.runpytest_subprocess("-s", "--device=process")
    result.assert_outcomes(passed=1, failed=2, errors=3)
    assert result.stdout.str().count("start 3") == 1
    assert "start 4" not in result.stdout.str()
    assert result.stdout.str().count("\nno third start") == 3


def test_the_default_is_the_emulator(pytester: pytest.Pytester) -> None:
    """As the help says, which lists the devices."""
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("--collect-only", "-q")
    assert "test_name[emulator]" in result.stdout.str()
    assert result.stdout.str().count("test_name[") == 1
    result = pytester.runpytest("--help")
    help_text = " ".join(result.stdout.str().split())
    assert f"devices to hold against the reference: {known_names()} (default: emulator)" in help_text


def test_a_folder_for_failures_that_cannot_be_written_ends_nothing(pytester: pytest.Pytester) -> None:
    """As in a checkout that is read-only; one that was asked for is refused before the first test."""
    pytester.makepyfile("def test_passes():\n    pass\n")
    (pytester.path / "failures").touch()
    assert pytester.runpytest("-p", "no:cacheprovider").ret == 0
    (pytester.path / "mine").touch()
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--failures=mine")
    assert result.ret == 2
    result.stderr.fnmatch_lines(["error: mine: expected a folder*"])
