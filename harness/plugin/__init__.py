"""pytest on devices: options, the engine of each device, failing boards, and the report of what ran where."""

PARTS = ("options", "selection", "engines", "failures", "report")
pytest_plugins = tuple(f"priot_hil.harness.plugin.{part}" for part in PARTS)
