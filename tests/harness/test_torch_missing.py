"""Without torch, which is an extra, `--device=torch` says so in one sentence."""

import pytest

from priot_hil.harness import devices
from priot_hil.reference.errors import InputError


@pytest.mark.parametrize("name", ["torch", "torch:cuda"])
def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Before anything is imported."""
    monkeypatch.setattr(devices, "find_spec", lambda module: None)
    sentence = f"device {name} is not available: needs torch, which is an extra: PRIOT_EXTRAS=float ./run ..."
    with pytest.raises(InputError) as refusal:
        devices.open_engine(name)
    assert str(refusal.value) == sentence
