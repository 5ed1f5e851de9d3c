"""Mutation testing of the firmware: wrong versions of its C, one change each, and which tests see them."""
