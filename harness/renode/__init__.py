"""The firmware on Renode: the project's platform for it, and a Renode that runs it."""

from priot_hil.harness.renode.monitor import TESTED_VERSION, Renode, missing

__all__ = ["TESTED_VERSION", "Renode", "missing"]
