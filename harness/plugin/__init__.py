"""pytest on devices: options, the engine of each device, and the report of what ran where."""

pytest_plugins = ("priot_hil.harness.plugin.options", "priot_hil.harness.plugin.engines")
