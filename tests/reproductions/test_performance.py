"""One run: what it records, that it goes on where it stopped, and that engines which differ are caught."""

import json
from dataclasses import replace

import numpy as np
import pytest

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.manifest import contents_of, vouched
from priot_hil.reference.engine import Observation
from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Shifts, initial_state, run_rng
from priot_hil.reference.scales import calibration_order
from priot_hil.reference.streams import order
from priot_hil.reproductions.checkpoint import committed_models
from priot_hil.reproductions.data import transfer_task
from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.performance import EnginesDiffer, first_state, perform
from priot_hil.reproductions.probe import Probe
from priot_hil.reproductions.records import kept, read_records, write_records
from priot_hil.reproductions.split import Split, draw_task

ROWS = ("dynamic NITI", "static NITI", "PRIOT", "PRIOT-S 20 % magnitude")


class Interrupted(Exception):
    """Stands in for a stop."""


class StopAfter:
    """Stops a run after some epochs."""

    def __init__(self, epochs):
        self.left = epochs

    def __call__(self):
        """Count an epoch."""
        self.left -= 1
        if not self.left:
            raise Interrupted


class Faulty(ReferenceEngine):
    """A reference that is wrong from some epoch on, in one of the things that are compared."""

    name = "faulty"

    def __init__(self, what, epoch):
        super().__init__()
        self.what, self.epoch = what, epoch

    @property
    def wrong(self):
        """1 once the epoch has come."""
        return int(self.epoch <= 0)

    def train_epoch(self, visits):
        """Train; the last of the counted epochs makes it wrong."""
        self.epoch -= 1
        passed = super().train_epoch(visits)
        return replace(passed, correct=passed.correct + self.wrong) if self.what == "training" else passed

    def state_crc(self):
        """The CRC, or another."""
        return super().state_crc() + (self.wrong if self.what == "state CRC" else 0)

    def evaluate(self):
        """The right predictions, or more."""
        return super().evaluate() + (self.wrong if self.what == "test" else 0)


@pytest.fixture
def run_it(material, tmp_path, reference):
    """Perform a run on the reference, with its file in a folder of the test's own."""

    def perform_one(run, after_epoch=lambda: None, engines=(reference,), name="run"):
        return perform(run, material, engines, reference, tmp_path / f"{name}.npz", after_epoch)

    return perform_one


@pytest.mark.parametrize("name", ROWS)
def test_a_run_is_what_its_parts_say(name, runs, run_it, material, reference):
    """Step by step on another engine: the same accuracies and the same state after every epoch."""
    run = runs[name]
    record = run_it(run)
    task = transfer_task(material.images, run.angle, run.seed, run.train_samples, run.test_samples)
    engine = ReferenceEngine()
    engine.load(material.model(run), run.method, first_state(run, material, reference))
    probe = Probe(material.model(run), run.method, task.train.take(16), 4)

    def right():
        pairs = zip(task.test.images, task.test.labels, strict=True)
        return sum(engine.predict(image) == label for image, label in pairs)

    assert [epoch.epoch for epoch in record.epochs] == [0, 1, 2]
    assert (record.epochs[0].test_correct, record.epochs[0].train_correct) == (right(), None)
    assert record.totals == probe.totals(engine.state())
    assert record.epochs[0].counts == probe.count(engine.state(), engine.state())
    for epoch, recorded in enumerate(record.epochs[1:]):
        trained, before = 0, engine.state()
        for i in order(run.seed, epoch, run.train_samples):
            label = int(task.train.labels[i])
            trained += engine.train_step(task.train.images[i], label).prediction == label
        assert recorded.state_crc == engine.state_crc()
        assert (recorded.train_correct, recorded.test_correct) == (trained, right())
        assert recorded.counts == probe.count(before, engine.state())
        assert sum(recorded.counts.moved) > 0
    assert len({epoch.state_crc for epoch in record.epochs}) == 3


class Watcher(ReferenceEngine):
    """A reference that notes what it calibrates on, and is quick about it."""

    def load(self, model, method, state):
        """Note the run."""
        super().load(model, method, state)
        self.model, self.loaded, self.seen = model, (method, state), []

    def observe(self, image, label):
        """Note the sample; only the first is worth a step."""
        self.seen.append((image, label))
        self.first = self.first if len(self.seen) > 1 else super().observe(image, label)
        return self.first


def test_scales_are_calibrated_upright(runs, material):
    """On 1,000 images of the pre-training set in the order of the run's own stream, with its own initial scores."""
    run = runs["PRIOT"]
    x_train, y_train = (np.concatenate([array] * 25) for array in (material.images.x_train, material.images.y_train))
    x_train = x_train ^ (np.arange(len(x_train), dtype=np.uint16) % 251).astype(np.uint8)[:, None, None]
    watcher = Watcher()
    state = first_state(
        run, replace(material, images=replace(material.images, x_train=x_train, y_train=y_train)), watcher
    )
    chosen = calibration_order(run.seed, 1200)
    images, labels = zip(*watcher.seen, strict=True)
    assert len(images) == 1000
    assert np.array_equal(np.concatenate(images), x_train[chosen] >> 1)
    assert labels == tuple(y_train[chosen])
    method, dynamic = watcher.loaded
    assert (method, dynamic.scales, dynamic.rng) == (run.method, None, run_rng(0))
    expected = initial_state(material.model(run), run.method, run.seed)
    assert all(np.array_equal(dynamic.values[i], expected.values[i]) for i in expected.values)
    assert state.rng == run_rng(run.seed)
    assert state.scales[9] == Shifts(*(getattr(watcher.first[9], name) for name in Shifts._fields))


class Blind(Watcher):
    """One that sees zeros only."""

    def observe(self, image, label):
        """Note the sample."""
        self.seen.append((image, label))
        return {i: Observation(None, None, None) for i in self.loaded[1].values}


@pytest.mark.parametrize(
    ("name", "value"),
    [("calibration_samples", 7), ("zeros_count", True), ("score_deviation", 3), ("pretraining", "niti")],
)
def test_a_run_starts_as_its_setting_says(name, value, runs, material):
    """Fewer samples are observed; zero tensors count; other scores; another model, whose scores are the same draws."""
    usual = runs["PRIOT"]
    run = replace(usual, row=replace(usual.row, setting=replace(usual.row.setting, **{name: value})))
    models, blind = committed_models("tiny_cnn", ["float", "niti"]), Blind()
    state = first_state(run, replace(material, models=models), blind)
    assert len(blind.seen) == (value if name == "calibration_samples" else len(material.images.x_train))
    assert state.scales[9] == Shifts(0, 0, 0 if name == "zeros_count" else 31)
    model = models[value if name == "pretraining" else "float"]
    assert blind.model.weights[9] is model.weights[9]
    scores = initial_state(model, run.method, run.seed, deviation=value if name == "score_deviation" else 32)
    assert all(np.array_equal(state.values[i], scores.values[i]) for i in scores.values)


def test_validation_images_judge_where_the_split_says_so(runs, run_it, material):
    """Right predictions of the untrained model are those on the validation images."""
    run = replace(runs["before transfer"], split=Split.VALIDATION)
    test = draw_task(material.images, Split.VALIDATION, run.angle, run.seed, run.train_samples, run.test_samples).test
    engine = ReferenceEngine()
    engine.load(material.model(run), run.method, first_state(run, material, ReferenceEngine()))
    right = sum(engine.predict(image) == label for image, label in zip(test.images, test.labels, strict=True))
    assert run_it(run).epochs[0].test_correct == right


def test_dynamic_scales_are_not_calibrated(runs, material):
    """Nothing is observed."""
    assert first_state(runs["dynamic NITI"], material, None).scales is None


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("epochs", [1, 2])
def test_an_interrupted_run_goes_on(name, epochs, runs, run_it, tmp_path, lasting):
    """Stopped after the untrained model or after an epoch: the same record, the same kept bytes."""
    whole = run_it(runs[name])
    with pytest.raises(Interrupted):
        run_it(runs[name], StopAfter(epochs), name="cut")
    counted = StopAfter(99)
    assert run_it(runs[name], counted, name="cut") == whole
    assert counted.left == 99 - (3 - epochs)
    assert lasting(tmp_path / "cut.npz") == lasting(tmp_path / "run.npz")


def test_whoever_continues_a_run_is_named(runs, material, reference, tmp_path):
    """In order; the same one is named once. Times and machine are the last one's, and the seconds add up."""
    run, path = runs["before transfer"], tmp_path / "run.npz"
    found = []
    by = {name: {**material.made, "packages": {**material.made["packages"], "numpy": name}} for name in ("one", "two")}
    for epochs, made in ((0, "one"), (1, "one"), (2, "two")):
        here = replace(material, made=by[made], machine={**material.machine, "system": made})
        found.append(perform(replace(run, epochs=epochs), here, [reference], reference, path, lambda: None))
    assert [record.made for record in found] == [(by["one"],), (by["one"],), (by["one"], by["two"])]
    assert [record.beside["machine"]["system"] for record in found] == ["one", "one", "two"]
    assert found[0].beside["seconds"] < found[1].beside["seconds"] < found[2].beside["seconds"]


def test_data_are_named_by_their_hashes(runs, run_it, material):
    """The arrays and what was drawn of them; another seed draws others."""
    one = run_it(runs["before transfer"])
    two = run_it(replace(runs["before transfer"], seed=11), name="two")
    assert one.data["mnist_sha256"]["x_test"] == sha256(material.images.x_test.tobytes())
    assert one.data["mnist_sha256"] == two.data["mnist_sha256"]
    task = transfer_task(material.images, 30, 10, 16, 8)
    drawn = [task.train.images, task.train.labels, task.test.images, task.test.labels]
    assert one.data["drawn_sha256"] == sha256(b"".join(part.tobytes() for part in drawn))
    assert one.data["drawn_sha256"] != two.data["drawn_sha256"]


def test_a_longer_run_goes_on_where_a_shorter_ended(runs, run_it):
    """And a shorter one is the beginning of a longer one, with nothing performed."""
    short, long = replace(runs["PRIOT"], epochs=1), replace(runs["PRIOT"], epochs=3)
    first = run_it(short)
    assert run_it(long).epochs[:2] == first.epochs
    assert run_it(long) == run_it(long, name="at once")
    assert run_it(short, StopAfter(1)) == first


def test_before_transfer_trains_nothing(runs, run_it):
    """One evaluation of what static NITI starts from."""
    before, after = run_it(runs["before transfer"]), run_it(runs["static NITI"], name="static")
    assert before.epochs == after.epochs[:1]


def test_pruned_edges_are_counted(runs, run_it, material, reference):
    """Scored edges below theta; weights that merely are 0 do not count, and NITI prunes none."""
    state = first_state(runs["PRIOT-S 20 % magnitude"], material, reference)
    expected = sum(int((state.values[i][state.scored[i]] < 0).sum()) for i in state.values)
    record = run_it(runs["PRIOT-S 20 % magnitude"])
    assert record.epochs[0].pruned == expected
    assert 0.09 < expected / record.edges < 0.11
    assert run_it(runs["static NITI"], name="niti").epochs[0].pruned is None


@pytest.mark.parametrize("what", ["state CRC", "test", "training"])
@pytest.mark.parametrize("epoch", [1, 2])
def test_engines_that_differ_are_caught(what, epoch, runs, run_it, reference):
    """Loudly: with row, angle, seed, epoch, and both values."""
    run = replace(runs["PRIOT"], devices=("reference", "faulty"))
    with pytest.raises(EnginesDiffer, match=f"PRIOT, 30 degrees, seed 10, after epoch {epoch}: {what} is .* on faulty"):
        run_it(run, engines=(reference, Faulty(what, epoch)))


def test_the_message_says_how_to_find_the_step(runs, run_it, reference):
    """The command, as it can be given; the engine that the host stands beside is the one to check."""
    board = replace(runs["PRIOT-S 20 % magnitude"], devices=("/dev/ttyACM0", "host"))
    with pytest.raises(EnginesDiffer) as caught:
        run_it(board, engines=(Faulty("state CRC", 2), reference))
    command = "invoke bisect --device /dev/ttyACM0 --against host --table accuracy --row 'PRIOT-S 20 % magnitude'"
    assert f"`./run {command} --angle 30 --seed 10 --epochs 2 --epoch 2`" in str(caught.value)
    with pytest.raises(EnginesDiffer, match=r"`\./run pytest --device=/dev/ttyACM0 tests/equivalence`"):
        run_it(board, engines=(Faulty("test", 0), reference), name="untrained")


def test_engines_that_agree_pass(runs, run_it, reference):
    """The first one's figures are recorded."""
    both = run_it(runs["PRIOT"], engines=(reference, ReferenceEngine()), name="both")
    assert both == run_it(runs["PRIOT"])


def test_a_kept_state_that_is_not_its_record_s_is_refused(runs, run_it, tmp_path):
    """A whole archive with one other score, whether its manifest is the old one, a new one, or there is none."""
    path = tmp_path / "run.npz"
    with pytest.raises(Interrupted):
        run_it(runs["PRIOT"], StopAfter(2))
    arrays = unpack(path.read_bytes(), "it", "do")
    arrays["v9"][0, 0] ^= 1
    path.write_bytes(pack(arrays))
    with pytest.raises(InputError, match=rf"kept run {path}: .*got contents: expected SHA-256 .*delete it and give"):
        run_it(runs["PRIOT"])
    arrays["v9"][0, 0] ^= 1
    contents = contents_of(arrays)
    contents.arrays["v9"][0, 0] ^= 1
    for changed in (vouched(contents.meta, contents.arrays), without_manifest(contents)):
        path.write_bytes(pack(changed))
        with pytest.raises(InputError, match=r"expected CRC-32 0x.* on reference; delete it"):
            run_it(runs["PRIOT"])


def without_manifest(contents):
    """The arrays of a file as it was before there were manifests."""
    return {"meta": np.array(json.dumps(contents.meta)), **contents.arrays}


def test_a_run_that_was_kept_without_a_manifest_goes_on(runs, run_it, tmp_path):
    """Hours of an earlier version are not lost; from the next epoch on there is one."""
    whole = run_it(runs["PRIOT"], name="whole")
    with pytest.raises(Interrupted):
        run_it(runs["PRIOT"], StopAfter(2))
    path = tmp_path / "run.npz"
    path.write_bytes(pack(without_manifest(contents_of(unpack(path.read_bytes(), "it", "do")))))
    assert run_it(runs["PRIOT"]) == whole
    assert contents_of(unpack(path.read_bytes(), "it", "do")).is_vouched_for


def test_a_damaged_or_foreign_kept_run_is_refused(runs, run_it, tmp_path):
    """Cut short, without its record, with an array too many, of an earlier format, or another run's."""
    path = tmp_path / "run.npz"
    run_it(runs["PRIOT"])
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    with pytest.raises(InputError, match=r"whole \.npz"):
        run_it(runs["PRIOT"])
    contents = contents_of(unpack(content, "it", "do"))
    path.write_bytes(pack(vouched({}, contents.arrays)))
    with pytest.raises(InputError, match=r"a record \(priot-run/2\) and its state"):
        run_it(runs["PRIOT"])
    path.write_bytes(pack(vouched(contents.meta, contents.arrays | {"x": np.zeros(1)})))
    with pytest.raises(InputError, match=r"a record \(priot-run/2\) and its state, got KeyError 'x'"):
        run_it(runs["PRIOT"])
    contents.meta["record"]["format"] = "priot-run/1"
    path.write_bytes(pack(vouched(contents.meta, contents.arrays)))
    with pytest.raises(InputError, match=r"format: expected priot-run/2, got 'priot-run/1'.*delete it and give"):
        run_it(runs["PRIOT"])
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"expected run {runs['static NITI'].key}"):
        run_it(runs["static NITI"])


def test_records_are_json_lines(runs, run_it, tmp_path):
    """A chain, one run a line, with what was run beside what it gave."""
    records = [run_it(runs[name], name=name) for name in ROWS]
    write_records(tmp_path / "a.jsonl", records)
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    first = json.loads(lines[0])["body"]
    assert len(lines) == len(ROWS)
    assert (first["row"], first["seed"], first["angle"], first["mu"]) == ("dynamic NITI", 10, 30, 5)
    assert len(first["epochs"]) == 3
    assert read_records(tmp_path / "a.jsonl") == records
    write_records(tmp_path / "a.jsonl", [*records, records[1]])
    with pytest.raises(
        InputError, match=rf"a\.jsonl, line 5: key: expected one record of each run, got {records[1].key}"
    ):
        read_records(tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_text(lines[0] + "\n{}\n")
    with pytest.raises(InputError, match=r"a\.jsonl, line 2: sha256: expected a value, got nothing"):
        read_records(tmp_path / "a.jsonl")


def test_best_and_last(runs, run_it):
    """In percent of the test images; the untrained model counts for the best."""
    record = run_it(runs["PRIOT"])
    epochs = [replace(epoch, test_correct=right) for epoch, right in zip(record.epochs, (6, 3, 4), strict=True)]
    record = replace(record, epochs=tuple(epochs))
    assert (record.best, record.last) == (75.0, 50.0)


def test_a_missing_file_is_a_run_not_begun(tmp_path):
    """Nothing kept, nothing refused."""
    assert kept(tmp_path / "none.npz", "key") is None
