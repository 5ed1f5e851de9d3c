"""pytest on devices: options, the engine of each device, failing boards, and the report of what ran where."""

pytest_plugins = tuple(f"priot_hil.harness.plugin.{part}" for part in ("options", "selection", "engines", "report"))
