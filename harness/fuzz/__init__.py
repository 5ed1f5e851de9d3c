"""Coverage-guided fuzzing of the firmware's link, commands and engine: `invoke fuzz` (docs/fuzzing.md)."""
