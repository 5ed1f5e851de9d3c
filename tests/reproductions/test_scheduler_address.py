"""Addresses of schedulers: those that Dask can use are taken, and no others."""

import ssl
from pathlib import Path

import dask
import distributed  # noqa: F401 - brings its defaults, which dask.config.set would take away again
import pytest
from hypothesis import given
from hypothesis import strategies as st

from priot_hil.reference.errors import InputError
from priot_hil.reproductions.scheduler_address import check_address


@pytest.mark.parametrize(
    "address",
    ["tcp://10.0.0.1:8786", "10.0.0.1:8786", "tcp://a-b.example:1", "localhost:65535", "tcp://[::1]:8786", "a_b:1"],
)
def test_addresses(address: str) -> None:
    """As `dask scheduler` prints them, with a name for a number, and without what is understood."""
    check_address(address)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "", "port", "1:1", "1 ", " 1", "1/", "٣", "1_0", "1" * 400])
@pytest.mark.parametrize("before", ["tcp://host:", "host:", "tls://host:", "tcp://[::1]:"])
def test_ports(before: str, port: str) -> None:
    """Numbers in 1..65535."""
    with pytest.raises(InputError, match=r"^scheduler: expected tcp://HOST:PORT or tls://HOST:PORT, with a port in 1"):
        check_address(before + port)


@pytest.mark.parametrize("scheme", ["ucx", "ws", "wss", "http", "inproc", "TCP", "tcp+tls", "", "tcp:"])
def test_schemes(scheme: str) -> None:
    """Two of them."""
    with pytest.raises(InputError, match=r"^scheduler: expected tcp://"):
        check_address(f"{scheme}://host:1")


@given(address=st.text())
def test_any_text(address: str) -> None:
    """Taken, or refused in one sentence."""
    try:
        check_address(address)
    except InputError as error:
        said = str(error)
    else:
        return
    assert said.isprintable()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates(content: str | None, tmp_path: Path) -> None:
    """Where they are missing or damaged, that is said before anything is asked of the scheduler."""
    path = tmp_path / "certificate.pem"
    if content is not None:
        path.write_text(content)
    with (
        dask.config.set({"distributed.comm.tls.ca-file": str(path), "distributed.comm.tls.client.cert": str(path)}),
        pytest.raises(InputError, match=r"expected certificates for tls:// in Dask's configuration .* name them there"),
    ):
        check_address("tls://host:8786")


def test_certificates_that_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's own look at them is what counts."""
    monkeypatch.setattr(
        "distributed.security.Security.get_connection_args", lambda *_: {"ssl_context": ssl.create_default_context()}
    )
    check_address("tls://host:8786")
