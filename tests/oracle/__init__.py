"""The semantics once more, in plain Python integers and lists: a second opinion on the NumPy reference.

Written from the specification alone, as naive as it can be. Only the dataclasses that describe a run are shared.
"""
