"""The study of what the table of accuracies hangs on: what its records say, and the setting that comes out of it."""
