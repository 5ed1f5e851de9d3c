"""The reference engine: its tensors by name, its CRCs, single stages, epochs, and what it leaves alone."""

import zlib
from dataclasses import replace

import numpy as np
import pytest

from priot_hil.reference.arithmetic import requantize
from priot_hil.reference.engine import Epoch, KernelCase
from priot_hil.reference.errors import InputError, NotReady
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind
from priot_hil.reference.scales import calibrate, calibration_run


@pytest.fixture(params=MethodKind)
def case(request, make_case):
    """A run of each method; static NITI gets scales that leave something to see."""
    if request.param is not MethodKind.NITI_STATIC:
        return make_case(request.param)
    case = make_case(MethodKind.NITI_DYNAMIC)
    engine = loaded(case)
    engine.load(case.model, *calibration_run(case.method, case.state))
    scales = calibrate(engine, case.images, case.labels)
    method = replace(case.method, kind=MethodKind.NITI_STATIC)
    return replace(case, method=method, state=replace(case.state, scales=scales))


def loaded(case):
    """A reference engine at the start of the case."""
    engine = ReferenceEngine()
    engine.load(case.model, case.method, case.state)
    return engine


def test_crcs_are_those_of_the_trace(case):
    """Every stage's output and error by its name, and nothing else."""
    engine = loaded(case)
    step = engine.train_step(case.images[0], int(case.labels[0]))
    assert list(step.crcs) == [f"{i}.{what}" for i in (1, 4, 6) for what in ("output", "error")]
    for name, crc in step.crcs.items():
        assert engine.tensor(name).dtype == np.int8
        assert zlib.crc32(engine.tensor(name).tobytes()) == crc
    assert (engine.tensor("logits") == engine.tensor("6.output")).all()
    assert (engine.tensor("loss_error") == engine.tensor("6.error")).all()


def test_inner_tensors_fit_together(case):
    """Each named tensor follows from those before it by its formula."""
    engine = loaded(case)
    step = engine.train_step(case.images[0], int(case.labels[0]))
    tensor = engine.tensor
    assert (tensor("layer0.output") == np.maximum(case.images[0], 0)).all()
    assert (tensor("4.accumulator") == tensor("4.effective_weights") @ tensor("1.output").astype(int)).all()
    assert (tensor("4.gradient") == np.outer(tensor("layer4.error"), tensor("1.output").astype(int))).all()
    assert (tensor("6.error_accumulator") == tensor("loss_error").astype(int) @ tensor("6.effective_weights")).all()
    assert (tensor("6.input_error") == requantize(tensor("6.error_accumulator"), step.shifts[6].backward)).all()
    assert (tensor("6.input_error") == tensor("4.error")).all()
    assert (tensor("1.error") == tensor("4.input_error").reshape(tensor("1.error").shape)).all()
    if case.method.kind.learns_scores:
        assert (tensor("6.score_gradient") != 0).any()
        product = case.model.weights[6] * tensor("6.gradient")
        if case.state.scored is not None:
            product = product * case.state.scored[6]
        assert (tensor("6.score_gradient") == product).all()
    assert tensor("4.update").any()
    new = np.clip(case.state.values[4].astype(int) - tensor("4.update"), -127, 127)
    assert (engine.state().values[4] == new).all()
    assert step.shifts[1].backward == 0


def test_a_stage_on_its_own_gives_what_the_step_gave(case):
    """run_kernel with the step's input, error and shifts repeats the step's stage."""
    engine = loaded(case)
    step = engine.train_step(case.images[0], int(case.labels[0]))
    network, learns = case.model.network, case.method.kind.learns_scores
    for stage in network.stages:
        i = stage.layer
        result = engine.run_kernel(
            KernelCase(
                layer=network.weighted_layer(i),
                behind=tuple(network.layers[j] for j in stage.behind),
                input_shape=network.layer_input(i),
                kind=case.method.kind,
                theta=case.method.theta,
                weights=case.model.weights[i] if learns else case.state.values[i],
                scores=case.state.values[i] if learns else None,
                scored=case.state.scored[i] if case.state.scored else None,
                image=engine.tensor(f"layer{i - 1}.output"),
                error=engine.tensor(f"{i}.error"),
                shifts=step.shifts[i] if case.state.scales else None,
                mu=case.method.mu,
            )
        )
        assert (result.output == engine.tensor(f"{i}.output")).all()
        assert (result.gradient == engine.tensor(f"{i}.gradient")).all()
        assert (result.updated == engine.state().values[i]).all()
        if i != 1:  # the first layer computes its input's error only as a stage on its own
            assert (result.input_error == engine.tensor(f"{i}.input_error")).all()
            assert result.shifts == step.shifts[i]
        else:
            assert result.input_error.shape == (2, 6, 6)


def test_prediction_changes_nothing(case):
    """Neither the state nor the generator; it agrees with the prediction of the training step."""
    engine = loaded(case)
    predictions = [engine.predict(image) for image in case.images]
    crc = engine.state_crc()
    assert [engine.predict(image) for image in case.images] == predictions
    assert engine.state_crc() == crc
    assert engine.train_step(case.images[0], int(case.labels[0])).prediction == predictions[0]
    assert engine.state_crc() != crc


def test_an_epoch_is_its_steps(case):
    """Same state, same count of right predictions; evaluation counts on the test set."""
    engine, stepped = loaded(case), loaded(case)
    engine.load_data(case.images, case.labels, case.images[:5], case.labels[:5])
    order = np.array([5, 0, 3, 3, 7], dtype=np.uint16)
    epoch = engine.train_epoch(order)
    correct = sum(stepped.train_step(case.images[i], int(case.labels[i])).prediction == case.labels[i] for i in order)
    assert epoch == Epoch(steps=5, correct=correct)
    assert engine.state_crc() == stepped.state_crc()
    assert engine.evaluate() == sum(stepped.predict(case.images[i]) == case.labels[i] for i in range(5))


def test_state_crc_is_its_definition(case):
    """W, or S on the scored edges in flat order, layer by layer; then the generator in four little-endian bytes."""
    engine = loaded(case)
    engine.train_step(case.images[0], 0)
    state, data = engine.state(), b""
    for i in (1, 4, 6):
        values = state.values[i].ravel()
        data += bytes(int(v) & 255 for k, v in enumerate(values) if not state.scored or state.scored[i].ravel()[k])
    data += bytes(state.rng >> 8 * k & 255 for k in range(4))
    assert engine.state_crc() == zlib.crc32(data)


def test_unscored_edges_stay(make_case):
    """PRIOT-S learns on its scored edges and touches no other."""
    case = make_case(MethodKind.PRIOT_S)
    engine = loaded(case)
    for image, label in zip(case.images, case.labels, strict=True):
        engine.train_step(image, int(label))
    after = engine.state().values
    changed = {i: after[i] != case.state.values[i] for i in (1, 4, 6)}
    assert all(changed[i].any() for i in (1, 4, 6))
    assert not any((changed[i] & ~case.state.scored[i]).any() for i in (1, 4, 6))


def test_nobody_can_reach_into_the_engine(make_case):
    """What goes in and what comes out are copies."""
    case = make_case(MethodKind.NITI_DYNAMIC)
    engine = loaded(case)
    crc = engine.state_crc()
    case.state.values[1][:] = 0
    engine.state().values[4][:] = 0
    engine.predict(case.images[0])
    engine.tensor("logits")[:] = 99
    assert engine.state_crc() == crc
    assert engine.tensor("logits").tolist() != [99, 99, 99]


def test_nothing_works_before_it_is_loaded(make_case):
    """And the sentence says what to call."""
    case = make_case(MethodKind.PRIOT)
    with pytest.raises(NotReady, match="call load first"):
        ReferenceEngine().train_step(case.images[0], 0)
    with pytest.raises(NotReady, match="call load_data first"):
        loaded(case).evaluate()


def test_illegal_samples_are_refused_and_change_nothing(make_case):
    """-128, a wrong shape, a wrong dtype, a label that is no class; unknown tensors."""
    case = make_case(MethodKind.PRIOT)
    engine = loaded(case)
    crc = engine.state_crc()
    spoilt = case.images[0].copy()
    spoilt[1, 2, 3] = -128
    for image, label, match in (
        (spoilt, 0, r"image: expected values in -127\.\.127, got -128 at \(1, 2, 3\)"),
        (case.images[0][:1], 0, r"expected shape \(2, 6, 6\), got shape \(1, 6, 6\)"),
        (case.images[0].astype(np.int16), 0, "expected an int8 array, got dtype int16"),
        (case.images[0], 3, r"label: expected a whole number in 0\.\.2, got 3"),
    ):
        with pytest.raises(InputError, match=match):
            engine.train_step(image, label)
    with pytest.raises(InputError, match=r"tensor: expected one of .*got '5.output'"):
        engine.tensor("5.output")
    with pytest.raises(InputError, match="test label"):
        engine.load_data(case.images, case.labels, case.images, case.labels + 3)
    engine.load_data(case.images, case.labels, case.images, case.labels)
    with pytest.raises(InputError, match=r"index in the order: expected a whole number in 0\.\.7, got 8"):
        engine.train_epoch(np.array([0, 8]))
    assert engine.state_crc() == crc
