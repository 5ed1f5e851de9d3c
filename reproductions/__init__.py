"""The published tables, reproduced."""
