"""Drives devices: builds the firmware, speaks its link, runs it and compares what comes back."""
