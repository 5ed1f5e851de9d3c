"""Transcripts: every byte, readable, bounded, and a device of their own when replayed."""

import contextlib
import re
from pathlib import Path

import pytest
from damage import cuts, flips
from hypothesis import given
from hypothesis import strategies as st

from priot_hil.harness import sessions
from priot_hil.harness.capsule import read_capsule
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_emulator, open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import LinkLost
from priot_hil.harness.frames import decode_frame, encode_frame, encode_request
from priot_hil.harness.protocol import VERSION, CommandCode, Frame, KindCode, TrainStepResponse
from priot_hil.harness.replay import replay
from priot_hil.harness.transcript import KEPT_BYTES, KEPT_ENTRIES, Transcript, read_transcript
from priot_hil.harness.transports.replay import exchanges
from priot_hil.reference.errors import InputError
from serial_boards import golden


@pytest.fixture(autouse=True)
def own_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session folder of this test's own."""
    folder = tmp_path / "sessions" / "2026-01-02T03-04-05"
    monkeypatch.setattr(sessions, "_current", None)
    sessions.use_session(folder)
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two golden cases on the emulated board, one after the other."""
    path = tmp_path_factory.mktemp("recorded") / "emulator.log"
    engine = open_emulator()
    for number in (2, 5):
        assert replay(read_capsule(golden(number)), engine) is None
    assert isinstance(engine.device, LinkDevice)
    written = engine.device.link.transcript.write()
    path.write_text(written.read_text())
    engine.close()
    return path


def open_replay(path: Path) -> DeviceEngine:
    """The transcript as a device."""
    engine = open_engine(f"replay:{path}")
    assert isinstance(engine, DeviceEngine)
    return engine


@pytest.mark.parametrize("numbers", [(2, 5), (5, 2), (5, 5)], ids=str)
def test_a_transcript_replays_as_the_device(recorded: Path, numbers: tuple[int, int]) -> None:
    """No emulator: the same cases end equal, in any order of whole cases, with the board's build and clock."""
    engine = open_replay(recorded)
    for number in numbers:
        assert replay(read_capsule(golden(number)), engine) is None
    assert engine.device.hello.name.rstrip(b"\0") == b"rp2040"
    engine.close()


def test_what_was_not_asked_then_is_not_answered(recorded: Path) -> None:
    """Nor is anything after it: what followed would be another run's."""
    engine = open_replay(recorded)
    for number in (8, 2):
        with pytest.raises(LinkLost, match=r"emulator.log has no answer to this load of \d+ bytes: it was not asked"):
            replay(read_capsule(golden(number)), engine)
    engine.close()


def test_a_tampered_answer_is_found(recorded: Path, tmp_path: Path) -> None:
    """One prediction changed, its frame whole: the case that has it differs, the other does not."""
    lines = recorded.read_text().splitlines()
    steps = [number for number, line in enumerate(lines) if line.startswith("#   < train_step")]
    place = steps[0] - 1
    seconds, way, data = lines[place].split()
    answer = decode_frame(bytes.fromhex(data).strip(b"\0"))
    assert answer is not None
    step = TrainStepResponse.unpack(answer.payload)
    other = step._replace(prediction=step.prediction ^ 1).pack() + answer.payload[TrainStepResponse.size() :]
    lines[place] = f"{seconds} {way} {encode_frame(answer.header, other).hex()}"
    tampered = tmp_path / "tampered.log"
    tampered.write_text("\n".join(lines) + "\n")
    engine = open_replay(tampered)
    divergence = replay(read_capsule(golden(2)), engine)
    assert divergence is not None
    assert "prediction" in str(divergence)
    assert replay(read_capsule(golden(5)), engine) is None
    engine.close()


def test_frames_are_named(recorded: Path) -> None:
    """A line for each way and frame, after its bytes; the whole file is readable text."""
    text = recorded.read_text()
    assert re.match(r"# emulator:priot-ram.elf, from 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d: seconds", text)
    for line in (
        r"\d+\.\d{6} > 00[0-9a-f]+00\n#   > hello 0 session [0-9a-f]{8}, 0 bytes",
        r"\d+\.\d{6} < [0-9a-f]+\n#   < hello 0 session [0-9a-f]{8} ok, \d+ bytes",
        r"#   > train_step \d+, 3 bytes",
        r"#   < train_step \d+ ok, \d+ bytes",
    ):
        assert re.search(line, text), line
    assert max(map(len, text.splitlines())) < 2500


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=40))))
def test_bytes_are_kept_as_they_passed(entries: list[tuple[bool, bytes]]) -> None:
    """Any bytes, frames or not: the same bytes in the same order, times that do not go back."""
    kept = Transcript("device")
    for is_sent, data in entries:
        (kept.sent if is_sent else kept.received)(data)
    path = kept.write()
    (part,) = read_transcript(path)
    assert [(way == ">", data) for _, way, data in part] == entries
    assert [time for time, _, _ in part] == sorted(time for time, _, _ in part)
    path.unlink()


def test_a_long_transcript_keeps_both_ends(own_session: Path) -> None:
    """Bounded, with the handshake at its head, the gap said, and frames on both sides of it."""
    kept = Transcript("long")
    ask = [encode_request(7, number, CommandCode.WRITE, bytes([number & 0xFF]) * 1000) for number in range(3000)]
    for number, frame in enumerate(ask):
        kept.sent(frame)
        if number in (3, 5):
            kept.keep_head()
    path = kept.write()
    head, tail = read_transcript(path)
    assert [data for _, _, data in head] == ask[:4]
    assert [data for _, _, data in tail] == ask[-len(tail) :]
    assert 0.9 * KEPT_BYTES < sum(len(data) for _, _, data in tail) <= KEPT_BYTES
    assert path == own_session / "long.log"


def test_a_transcript_of_many_entries_is_bounded() -> None:
    """Single bytes weigh more in memory than they are long."""
    kept = Transcript("many")
    for _ in range(2 * KEPT_ENTRIES):
        kept.received(b"a")
    (part,) = read_transcript(kept.write())
    assert len(part) == KEPT_ENTRIES


def test_requests_are_paired_with_their_answers(recorded: Path) -> None:
    """Each request once, whatever was asked again; the first is the handshake."""
    found = exchanges(recorded)
    assert found[0].request.header.command == CommandCode.HELLO
    for exchange in found:
        ask, answer = exchange.request.header, exchange.answer.header
        assert (ask.session, ask.sequence, ask.command) == (answer.session, answer.sequence, answer.command)
    assert len({(pair.request.header.session, pair.request.header.sequence) for pair in found}) == len(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "expected a file, got none of that name"),
        ("", "expected a transcript, got an empty file"),
        ("0.1 > 00\n0.2 < 00", r"line 2: expected an end of \\n: it is cut off, got the end of the file"),
        ("0.1 > 00\r\n", r"line 1: expected text that ends with \\n alone, got an end of \\r\\n"),
        ("\u0661.\u0662 > 00\n", "line 1: expected `SECONDS > BYTES`"),
        ("0.1 > 00\nnonsense\n", r"line 2: expected `SECONDS > BYTES` or `SECONDS < BYTES`, got 'nonsense'"),
        ("0.1 > 0\n", "line 1: expected"),
        ("# nothing\n", "expected a transcript in which a device answers HELLO, got none of its answers"),
    ],
)
def test_what_is_no_transcript_is_refused(tmp_path: Path, text: str | bytes | None, said: str) -> None:
    """One sentence with the file and the line."""
    path = tmp_path / "file.log"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said):
        open_replay(path)


def test_a_damaged_transcript_is_refused_or_read(tmp_path: Path) -> None:
    """Each bit flipped, each length: never a traceback; what it says, its frames' CRCs vouch for."""
    path = tmp_path / "file.log"
    path.write_text("# a device\n0.000001 > 0001020304\n... some\n12.5 < 00\n")
    content = path.read_bytes()
    for _, damaged in (*flips(content), *cuts(content)):
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):
            exchanges(path)
    path.write_bytes(content)
    assert [len(part) for part in read_transcript(path)] == [1, 1]


def test_a_lost_device_names_its_transcript_once() -> None:
    """However often it is lost; the file is there when it is named."""
    kept = Transcript("/dev/ttyACM0")
    kept.sent(b"\0")
    error = LinkLost("gone")
    for _ in range(3):
        kept.name_in(error)
    (note,) = error.__notes__
    path = Path(note.removeprefix("transcript: "))
    assert path.name == "ttyACM0.log"
    assert read_transcript(path)[0][0][2] == b"\0"


def test_devices_of_one_name_have_files_of_their_own(own_session: Path) -> None:
    """Numbered, so that none overwrites another's."""
    names = [path.name for _ in range(3) if (path := Transcript("serial:A/1").write()) is not None]
    assert names == ["serial-A-1.log", "serial-A-1-2.log", "serial-A-1-3.log"]


def test_a_name_with_ends_of_lines_is_one_line() -> None:
    """Whatever a device is called, and whatever it says: what passed is read back."""
    kept = Transcript("a\n0.5 > 00 \u2028 \x85 \udcff")
    log = Frame(VERSION, KindCode.LOG, 0, 0, 0, 9, 0)
    passed = [b"\0", encode_frame(log, "\u2028\x85\n0.1".encode())]
    for data in passed:
        kept.received(data)
    (part,) = read_transcript(kept.write())
    assert [data for _, _, data in part] == passed
