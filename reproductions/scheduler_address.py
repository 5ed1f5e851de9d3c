"""The address of a Dask scheduler, as far as it can be judged before anything is asked of it."""

import re

from priot_hil.harness.options import shown
from priot_hil.reference.errors import InputError

FORM = re.compile(r"((?P<scheme>[a-z]+)://)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
SCHEMES = (None, "tcp", "tls")
DO = "give the address that `dask scheduler` prints, such as tcp://10.0.0.1:8786"


def check_address(address: str) -> None:
    """Refuse what is no address of a scheduler.

    Args:
        address: ``tcp://HOST:PORT``, ``HOST:PORT`` for the same, or ``tls://HOST:PORT`` where Dask's configuration
            names certificates.

    Raises:
        InputError: It has not that form, or there are no certificates that can be used.
    """
    found = FORM.fullmatch(address)
    if found is None or found["scheme"] not in SCHEMES or not 1 <= int(found["port"]) <= 65535:
        expected = "tcp://HOST:PORT or tls://HOST:PORT, with a port in 1..65535"
        raise InputError.about("scheduler", expected=expected, got=shown(address), do=DO)
    if found["scheme"] == "tls":
        _check_certificates()


def _check_certificates() -> None:
    from distributed.security import Security  # takes a second to load

    try:
        context = Security().get_connection_args("client").get("ssl_context")
        got = None if context is not None else "none"
    except (OSError, ValueError, TypeError) as error:  # of a file that is missing or damaged; ssl's errors are OSErrors
        got = str(error) or type(error).__name__
    if got is not None:
        expected = "certificates for tls:// in Dask's configuration (distributed.comm.tls)"
        raise InputError.about("scheduler", expected=expected, got=got, do="name them there, or use tcp://")
