"""The suite against planted bugs."""
